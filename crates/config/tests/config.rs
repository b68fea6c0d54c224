//! What a configuration says, and what is said of a wrong one.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test may stop, and reads a file

use std::time::Duration;

use postroad_config::{AliasTarget, BareLineEnds, Config, LogFormat, Problem, Reload, Size};
use proptest::prelude::*;

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    Config::load(text, "postroad.toml", "mail.example.org").map_err(|faulty| faulty.problems)
}

/// The problems, each as `line:column key what (advice)`.
fn problems(text: &str) -> Vec<String> {
    let shown = |p: &Problem| {
        format!(
            "{}:{} {} {} ({})",
            p.line, p.column, p.key, p.what, p.advice
        )
    };
    load(text)
        .map(|_| vec![])
        .unwrap_or_else(|problems| problems.iter().map(shown).collect())
}

#[test]
fn without_a_file_a_newcomer_is_served() {
    let config = Config::without_file("Mail.example.org");
    assert_eq!(config.server.hostname.as_str(), "Mail.example.org");
    assert_eq!(config.server.data_dir.to_str(), Some("postroad-data"));
    assert_eq!(config.server.user, None);
    assert_eq!(config.listener.len(), 1);
    assert_eq!(config.listener[0].address.to_string(), "127.0.0.1:2525");
    let domains: Vec<_> = config.domain.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(domains, ["Mail.example.org", "localhost"]);
    assert!(config.domain.iter().all(|d| d.create_mailboxes));
    assert_eq!(config.mailboxes.limit, 1000);
    assert_eq!(config.limits.message_size, Size::mib(50));
    assert_eq!(config.timeouts.command, Duration::from_secs(300));
    assert_eq!(config.smtp.bare_line_ends, BareLineEnds::Refuse);
    assert_eq!(config.log.format, LogFormat::Auto);
}

#[test]
fn a_machine_name_that_is_no_domain_is_localhost() {
    for name in ["", "not a name", "localhost", "a..b"] {
        let config = Config::without_file(name);
        assert_eq!(config.server.hostname.as_str(), "localhost", "{name}");
        assert_eq!(config.domain.len(), 1);
    }
}

#[test]
fn a_file_is_read() {
    let config = load(
        r#"
        hostname = "mx.example.org"
        user = "mail"
        [limits]
        connections = 20
        message_size = "10 MiB"
        body_memory = 0x100_0000
        envelope_memory = "8 MiB"
        [timeouts]
        command = "1h 30m"
        drain = "0s"
        [smtp]
        bare_line_ends = "normalise"
        [[listener]]
        address = "[::1]:25"
        [[listener]]
        address = "0.0.0.0:25"
        [[domain]]
        name = "bücher.example"
        mailboxes = ["anna", "john doe"]
        aliases = { info = ["anna", "bob@b.example"], "a.b" = ["anna"] }
        recipient_delimiter = ""
        "#,
    )
    .unwrap();
    assert_eq!(config.server.hostname.as_str(), "mx.example.org");
    assert_eq!(config.server.user.as_deref(), Some("mail"));
    assert_eq!(config.limits.connections, 20);
    assert_eq!(
        config.limits.connections_per_network, 500,
        "a default above it has no effect"
    );
    assert_eq!(config.limits.message_size, Size::mib(10));
    assert_eq!(config.limits.body_memory, Size::mib(16));
    assert_eq!(config.limits.envelope_memory, Size::mib(8));
    assert_eq!(config.timeouts.command, Duration::from_secs(5400));
    assert_eq!(config.timeouts.drain, Duration::ZERO);
    assert_eq!(config.smtp.bare_line_ends, BareLineEnds::Normalise);
    assert_eq!(config.listener[1].address.to_string(), "0.0.0.0:25");
    let [domain] = config.domain.as_slice() else {
        panic!("one domain")
    };
    assert_eq!(domain.mailboxes[1].as_str(), "john doe");
    assert_eq!(domain.recipient_delimiter.0, None);
    assert!(!domain.create_mailboxes);
    let [dotted, info] = domain.aliases.0.as_slice() else {
        panic!("two aliases")
    };
    assert_eq!((dotted.name.as_str(), info.name.as_str()), ("a.b", "info"));
    let targets: Vec<String> = info
        .targets
        .iter()
        .map(|t| t.in_domain(&domain.name).to_string())
        .collect();
    assert_eq!(targets, ["anna@bücher.example", "bob@b.example"]);
    assert!(matches!(info.targets[0], AliasTarget::Here(_)));
}

#[test]
fn the_hostname_in_the_file_is_the_domain_of_a_file_without_any() {
    let config = load("hostname = 'mx.example.org'").unwrap();
    assert_eq!(config.domain[0].name.as_str(), "mx.example.org");
}

#[test]
fn all_that_is_wrong_is_said_at_once_with_its_place() {
    let text = r#"hostnme = "x"
data_dir = 5
[limits]
conections = 5
recipients = 99
message_size = "10 MB"
hops = -1
connections = 10
connections_per_network = 20
[timeouts]
command = 300
drain = "5m 5"
[smtp]
vrfy = "yes"
bare_line_ends = "normalize"
[log]
level = "trace"
[[listener]]
adress = "0.0.0.0:25"
[[listener]]
address = "localhost:25"
[[domain]]
name = "a b"
mailboxes = ["anna", "x@y"]
aliases = { a = [], b = "anna", c = ["@"] }
recipient_delimiter = "xy"
[colour]
"#;
    let said = problems(text);
    let lines: Vec<&str> = said.iter().map(|p| p.split(' ').next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "1:1", "2:12", "4:1", "5:14", "6:16", "7:8", "9:27", "11:11", "12:9", "14:8", "15:18",
            "17:9", "18:1", "19:1", "21:11", "23:8", "24:22", "25:17", "25:25", "25:38", "26:23",
            "27:2"
        ],
        "{said:#?}"
    );
    for (index, start) in [
        (0, "1:1 hostnme is not a setting (did you mean `hostname`?)"),
        (
            2,
            "4:1 limits.conections is not a setting (did you mean `connections`?)",
        ),
        (
            3,
            "5:14 limits.recipients is 99 (write a value from 100 to 50000; the default is 1000)",
        ),
        (
            4,
            "6:16 limits.message_size is not a size (write a size with its unit",
        ),
        (
            6,
            "9:27 limits.connections_per_network is over `limits.connections` (",
        ),
        (
            7,
            "11:11 timeouts.command is not a duration (write a duration with its unit",
        ),
        (
            12,
            "18:1 listener[0] has no address (add a line `address = ...` to it)",
        ),
        (17, "25:17 domain[0].aliases.a stands for nobody"),
        (
            21,
            "27:2 colour is not a setting (the settings here are hostname, data_dir",
        ),
    ] {
        assert!(said[index].starts_with(start), "{}\n{start}", said[index]);
    }
}

#[test]
fn a_problem_shows_its_line_with_a_caret() {
    let shown = load("[limits]\n\tconections = 5 # five\r\n").unwrap_err()[0].to_string();
    let expected = "\
postroad.toml:2:2: `limits.conections` is not a setting
  |
2 |  conections = 5 # five
  |  ^^^^^^^^^^
  = did you mean `connections`?";
    assert_eq!(shown, expected);
}

#[test]
fn text_that_is_not_toml_is_said_with_the_rest() {
    let said = problems("[limits]\nrecipients = = 5\nhopps = 3\n[limits]\nhops = \"x\n");
    assert!(said[0].starts_with("2:14  "), "{said:#?}");
    assert!(
        said.iter().any(|p| p.starts_with("3:1 limits.hopps ")),
        "{said:#?}"
    );
    assert!(said.iter().any(|p| p.starts_with("4:2 ")), "{said:#?}");
    assert!(said.iter().any(|p| p.starts_with("5:")), "{said:#?}");
    assert!(
        said.iter().all(|p| !p.contains("limits.recipients")),
        "{said:#?}"
    );
}

#[test]
fn tables_and_lists_are_not_mistaken_for_one_another() {
    let said = problems("limits = 5\nsmtp = []\n[domain]\nname = 'a.example'\n");
    assert_eq!(
        said,
        [
            "1:10 limits is not a table (write it as [limits])",
            "2:8 smtp is not a table (write it as [smtp])",
            "3:1 domain is not a list (write it as [[domain]], with two brackets: there may be \
             many)",
        ]
    );
}

#[test]
fn a_server_that_listens_nowhere_is_said() {
    assert_eq!(
        problems("listener = []\n"),
        ["1:12 listener is empty (add a [[listener]], or take the line out)"]
    );
    let said = problems("[[listener]]\naddress = 'nowhere'\n");
    assert_eq!(said.len(), 1, "{said:#?}");
}

#[test]
fn settings_that_do_not_go_together_are_said() {
    let said = problems(
        "group = 'mail'\n[delivery]\nretry_first = '2h'\nretry_longest = '1h'\n\
         [[listener]]\naddress = '[::1]:25'\n[[listener]]\naddress = '[::1]:25'\n\
         [spool]\nbody_file_threshold = '20 MiB'\n",
    );
    assert_eq!(said.len(), 4, "{said:#?}");
    assert!(said[0].starts_with("1:9 group has no user beside it"));
    assert!(said[1].starts_with("3:15 delivery.retry_first is over `delivery.retry_longest`"));
    assert!(said[2].starts_with("8:11 listener[1].address is [::1]:25 for the second time"));
    assert!(said[3].starts_with("10:23 spool.body_file_threshold does not fit"));

    let said =
        problems("[limits]\nbody_memory = '1 MiB'\n[spool]\nbody_file_threshold = '2 MiB'\n");
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("is over `limits.body_memory`"), "{said:?}");
}

#[test]
fn a_problem_found_later_shows_its_place_in_the_file() {
    let text = "[[domain]]\nname = 'a.example'\n[domain.aliases]\n\"a.b\" = ['x', 'ghost']\n";
    let config = load(text).unwrap();
    let key = config.alias_key(0, 0, Some(1));
    assert_eq!(key, "domain[0].aliases.\"a.b\"[1]");
    let problem = config.problem(&key, "leads nowhere", "mend it");
    assert_eq!(
        (problem.line, problem.column, problem.marked.len()),
        (4, 15, 7)
    );
    let nearest = config.problem("domain[0].mailboxes[3]", "is wrong", "mend it");
    assert_eq!((nearest.line, nearest.column), (1, 1));
    let nowhere = config.problem("mailboxes.postmaster", "is wrong", "mend it");
    assert_eq!((nowhere.line, nowhere.column), (1, 1));
}

#[test]
fn a_setting_in_the_wrong_table_is_shown_its_home() {
    let said = problems("[limits]\nhostname = 'a.example'\ncommand = '5m'\n");
    assert_eq!(said.len(), 2);
    assert!(
        said[0].ends_with(" There is a `hostname` at the top of the file)"),
        "{said:#?}"
    );
    assert!(
        said[1].ends_with("(did you mean `command_line`? There is a `command` in `[timeouts]`)"),
        "{said:#?}"
    );
}

#[test]
fn a_file_that_is_something_else_is_told_in_bounded_time() {
    let lines: String = (0..20_000).map(|n| format!("setting{n} = {n}\n")).collect();
    let problems = load(&lines).unwrap_err();
    assert_eq!(problems.len(), 501);
    assert!(
        problems[500].what.ends_with("19500 problems are not shown"),
        "{}",
        problems[500]
    );
    let garbage = "]= [\u{1}".repeat(20_000);
    assert!(load(&garbage).unwrap_err().len() <= 501);
}

#[test]
fn a_terminal_is_not_steered_by_a_file() {
    for problem in load(
        "\"\u{1b}[2Jx\" = 5
",
    )
    .unwrap_err()
    {
        let problem = problem.to_string();
        assert!(!problem.contains('\u{1b}'), "{problem:?}");
    }
}

#[test]
fn a_long_line_is_cut_around_its_fault() {
    let text = format!(
        "[[domain]]\nname = 'a.example'\nmailboxes = [{}5]",
        "'x', ".repeat(500)
    );
    let problems = load(&text).unwrap_err();
    let [problem] = problems.as_slice() else {
        panic!("{problems:#?}")
    };
    assert_eq!((problem.line, problem.column), (3, 2514));
    assert!(problem.excerpt.chars().count() <= 100);
    let marked: String = problem
        .excerpt
        .chars()
        .skip(problem.marked.start)
        .take(problem.marked.len())
        .collect();
    assert_eq!(marked, "5");
}

#[test]
fn the_page_in_docs_is_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == postroad_config::reference(),
        "docs/configuration.md is stale; run `cargo run -- config reference > docs/configuration.md`"
    );
}

/// A line of a configuration, right or wrong.
fn line() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        "(connections|recipients|hops|name|address|command|aliases|mailboxes|vrfy|x)",
        "[a-z]{1,6}(\\.[a-z]{1,3})?",
    ];
    let value = prop_oneof![
        "(5|-1|true|\"5m\"|\"1 MiB\"|[\"a\"]|\\{ a = [\"b\"] \\}|\"a@b\"|1979-05-27|0x1f|nan)",
        "\\PC{0,12}",
    ];
    prop_oneof![
        (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        "(\\[limits\\]|\\[timeouts\\]|\\[\\[domain\\]\\]|\\[\\[listener\\]\\]|\\[domain\\])",
        "\\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn every_text_is_a_configuration_or_has_problems_that_can_be_shown(
        lines in proptest::collection::vec(line(), 0..12),
    ) {
        let text = lines.join("\n");
        if let Err(problems) = load(&text) {
            prop_assert!(!problems.is_empty());
            for problem in &problems {
                prop_assert!(problem.line >= 1 && problem.line <= text.split('\n').count());
                prop_assert!(problem.column >= 1);
                prop_assert_eq!(problem.to_string().lines().count(), 5);
            }
        }
    }

    #[test]
    fn sizes_and_durations_read_as_they_are_meant(n in 1u64..4096, millis in 1000u64..86_400_000) {
        let text = format!(
            "[limits]\nbody_memory = \"{n} MiB\"\n[timeouts]\ncommand = \"{}s {}ms\"\n",
            millis / 1000, millis % 1000
        );
        let config = load(&text).unwrap();
        prop_assert_eq!(config.limits.body_memory, Size(n << 20));
        prop_assert_eq!(config.timeouts.command, Duration::from_millis(millis));
    }
}

#[test]
fn what_is_right_can_be_read_beside_what_is_wrong() {
    let text = "[limits]\nrecipients = 1\nhops = 50\n[[domain]]\nname = \"a.test\"\n";
    let faulty = Config::load(text, "postroad.toml", "mail.example.org").expect_err("it is wrong");
    assert_eq!(faulty.problems.len(), 1);
    let config = faulty.readable.expect("the rest can be read");
    assert_eq!((config.limits.recipients, config.limits.hops), (1000, 50));
    assert_eq!(config.domain[0].name.as_str(), "a.test");
}

/// What changes from one text to another, each as `setting: reload`.
fn changes(old: &str, new: &str) -> Vec<String> {
    let changes = load(old).unwrap().changes(&load(new).unwrap());
    let shown = |change: &postroad_config::Change| format!("{}: {}", change.setting, change.reload);
    changes.iter().map(shown).collect()
}

#[test]
fn what_another_configuration_changes_is_told_by_name_and_class() {
    let old = "[limits]\nhops = 50\n[[listener]]\naddress = \"127.0.0.1:25\"\n\
               [[domain]]\nname = \"a.example\"\n";
    assert!(changes(old, old).is_empty());
    // A default that is written is no change.
    let new = old.replace("hops = 50", "hops = 50\nrecipients = 1000");
    assert!(changes(old, &new).is_empty());
    let new = old
        .replace("hops = 50", "recipients = 200")
        .replace("127.0.0.1:25", "127.0.0.1:26")
        .replace("a.example\"", "b.example\"\nmailboxes = [\"x\"]");
    assert_eq!(
        changes(old, &format!("hostname = \"mx.example\"\n{new}")),
        [
            "hostname: restart",
            "listener[0].address: restart",
            "limits.recipients: next connection",
            "limits.hops: live",
            "domain[0].name: live",
            "domain[0].mailboxes: live",
        ]
    );
}

#[test]
fn an_entry_more_or_less_is_a_change_of_its_list() {
    let domain = "[[domain]]\nname = \"a.example\"\n";
    let listener = "[[listener]]\naddress = \"127.0.0.1:25\"\n";
    let more = format!("{domain}{}", domain.replace("a.", "b."));
    assert_eq!(changes(domain, &more), ["domain: live"]);
    assert_eq!(changes(&more, domain), ["domain: live"]);
    let more = format!("{listener}{}", listener.replace(":25", ":26"));
    assert_eq!(changes(listener, &more), ["listener: restart"]);
}

#[test]
fn the_hardest_class_is_the_greatest() {
    assert!(Reload::Live < Reload::NextConnection && Reload::NextConnection < Reload::Restart);
}

#[test]
fn what_the_tables_of_a_site_say_has_to_make_sense() {
    let text = r#"[sending]
messages_per_user = 0
[[access]]
recipients = ["list@example.org"]
at = "mail"
then = "refuse"
[[access]]
senders = ["*@example.com"]
at = "data"
then = "defer"
reason = "spam"
[[moved]]
address = "anna@example.org"
forward = true
show = true
[[quota]]
size = "1 MiB"
"#;
    let said = problems(text);
    let starts = [
        "2:21 sending.messages_per_user lets nobody send",
        "5:6 access[0].at is before all that the rule names is known",
        "11:10 access[1].reason is none of its words",
        "14:11 moved[0].forward has no new_address beside it",
        "15:8 moved[0].show has no new_address beside it",
        "16:1 quota[0] has no mailbox",
    ];
    for start in starts {
        let is_said = said.iter().any(|problem| problem.starts_with(start));
        assert!(is_said, "{start}\n{said:#?}");
    }
}

#[test]
fn a_rule_is_asked_as_soon_as_all_that_it_names_is_known() {
    let step = |rule: &str| {
        let text = format!("[[access]]\nthen = \"refuse\"\n{rule}\n");
        load(&text).unwrap().access[0].step()
    };
    use postroad_config::AccessStep as Step;
    assert_eq!(step(""), Step::Connect);
    assert_eq!(step("networks = [\"192.0.2.0/24\"]"), Step::Connect);
    assert_eq!(step("hello = [\"a\"]"), Step::Hello);
    assert_eq!(step("users = [\"a\"]\nhello = [\"a\"]"), Step::Mail);
    assert_eq!(step("senders = [\"<>\"]"), Step::Mail);
    assert_eq!(step("senders = [\"<>\"]\nrecipients = [\"*\"]"), Step::Rcpt);
    assert_eq!(step("header = [\"*\"]"), Step::Message);
    assert_eq!(step("at = \"data\""), Step::Data);
}

#[test]
fn an_inquiry_has_no_sender_and_is_not_put_off() {
    let said = |rule: &str| problems(&format!("[[access]]\nat = \"inquiry\"\n{rule}\n"));
    assert_eq!(said("then = \"refuse\"\nrecipients = [\"a@*\"]"), [""; 0]);
    let start = "2:6 access[0].at knows neither senders nor a header";
    assert!(said("then = \"refuse\"\nsenders = [\"a@*\"]")[0].starts_with(start));
    let start = "2:6 access[0].at is where nothing can be put off";
    assert!(said("then = \"defer\"")[0].starts_with(start));
}

#[test]
fn a_listener_that_cannot_be_so_is_said() {
    let said = problems(
        "[[listener]]\naddress = '0.0.0.0:25'\nprotocol = 'lmtp'\nstrict_classic = true\n\
         [[listener]]\naddress = '192.0.2.1:25'\nhistoric = ['send', 'ehlo-500', 'ehlo-502']\n\
         [[listener]]\naddress = '127.0.0.1:26'\nhistoric = ['late-521', 'rset-201']\n",
    );
    assert_eq!(said.len(), 6, "{said:#?}");
    assert!(said[0].starts_with("3:12 listener[0].protocol may not be LMTP at port 25"));
    assert!(said[1].starts_with("4:18 listener[0].strict_classic knows no LMTP"));
    assert!(said[2].starts_with("7:12 listener[1].historic would be reached from everywhere"));
    assert!(said[3].starts_with("7:12 listener[1].historic answers EHLO in two ways"));
    assert!(said[4].starts_with("10:12 listener[2].historic says 521 where mail is accepted"));
    assert!(said[5].starts_with("10:25 listener[2].historic[1] is none of its words"));
}

#[test]
fn a_listener_that_knows_only_the_classic_table_has_no_tls_and_no_auth() {
    let listener = "[[listener]]\naddress = '127.0.0.1:26'\nstrict_classic = true\n";
    assert_eq!(problems(&format!("{listener}tls = 'off'\n")), [""; 0]);
    for more in ["tls = 'implicit'", "tls = 'offered'", "auth = 'offered'"] {
        let said = problems(&format!("{listener}{more}\n"));
        let start = "3:18 listener[0].strict_classic knows neither TLS nor AUTH";
        assert!(said.iter().any(|said| said.starts_with(start)), "{said:#?}");
    }
}

#[test]
fn the_historic_mode_in_public_has_to_be_confirmed() {
    let listener = "[[listener]]\naddress = '192.0.2.1:25'\nhistoric = ['noop-200']\n";
    assert_eq!(problems(listener).len(), 1);
    let confirmed = format!("{listener}historic_in_public = true\n");
    assert_eq!(problems(&confirmed), [""; 0]);
    let private = listener.replace("192.0.2.1", "10.0.0.1");
    assert_eq!(problems(&private), [""; 0]);
}
