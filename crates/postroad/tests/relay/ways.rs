//! Who may send mail through this server, which way it goes, and what an operator does about it.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::next_hop::{At, NextHop, Say};
use crate::harness::{Server, configuration, count_by, messages};

const DOMAIN: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
aliases = { away = [\"ada@far.test\"], both = [\"ada\", \"ada@sub.far.test\"] }
";
const TRUSTED: &str = "
[relay]
trusted_networks = [\"127.0.0.0/8\"]
";

/// To whom the next hop was asked to give mail, in the order of the alphabet.
fn recipients(hop: &NextHop) -> Vec<String> {
    let mut all: Vec<String> = hop
        .come()
        .into_iter()
        .flat_map(|come| come.recipients)
        .collect();
    all.sort();
    all
}

#[test]
fn a_stranger_reaches_those_who_live_here_and_their_aliases_elsewhere_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let (far, below, other) = (NextHop::start(), NextHop::start(), NextHop::start());
    let routes = [
        far.route("far.test"),
        below.route("*.far.test"),
        other.route("*"),
    ]
    .concat();
    let strangers = format!("{DOMAIN}{routes}");
    let server = Server::start(folder.path(), &strangers);
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<a@client.test>", 250);
    for refused in ["ada@far.test", "ada@sub.far.test", "ada@other.test"] {
        let texts = client.expect(&format!("RCPT TO:<{refused}>"), 550);
        assert!(texts[0].starts_with("5.7.1 "), "{texts:?}");
    }
    for taken in ["ada", "away", "both"] {
        client.expect(&format!("RCPT TO:<{taken}@example.test>"), 250);
    }
    client.expect("DATA", 354);
    client.expect("X-Number: 1\r\n\r\nhello\r\n.", 250);
    server.wait_until("an empty queue", || server.queue().is_empty());
    assert_eq!(recipients(&far), ["ada@far.test"]);
    assert_eq!(recipients(&below), ["ada@sub.far.test"]);
    assert_eq!(other.come().len(), 0);
    // Twice the same mailbox is once.
    assert_eq!(messages(&server.data).len(), 1);

    // Who is trusted may change while it runs.
    let text = configuration(&server.data, &format!("{DOMAIN}{TRUSTED}{routes}"));
    std::fs::write(folder.path().join("postroad.toml"), text).expect("write it");
    server.signal(Signal::SIGHUP);
    server.wait_for_line(|line| line.contains("config.reloaded"));
    server.send_from(
        "a@client.test",
        &[
            "bob@far.test",
            "bob@sub.far.test",
            "bob@a.b.far.test",
            "bob@other.test",
            "bob@farther.test",
        ],
        b"X-Number: 2\r\n\r\nhello\r\n",
    );
    server.wait_until("an empty queue", || server.queue().is_empty());
    assert_eq!(recipients(&far), ["ada@far.test", "bob@far.test"]);
    assert_eq!(
        recipients(&below),
        ["ada@sub.far.test", "bob@a.b.far.test", "bob@sub.far.test"]
    );
    assert_eq!(recipients(&other), ["bob@farther.test", "bob@other.test"]);
    // Those of one next hop go in one transaction.
    assert_eq!(
        (far.come().len(), below.come().len(), other.come().len()),
        (2, 2, 1)
    );
}

#[test]
fn an_operator_holds_releases_redirects_and_deletes() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = NextHop::with_manner(|moment| match moment.at {
        At::Rcpt => Say::words("450 4.2.0 come back tomorrow"),
        _ => Say::Usual,
    });
    let whole = NextHop::start();
    let settings = format!("{DOMAIN}{TRUSTED}{}", broken.route("*"));
    let server = Server::start(folder.path(), &settings);
    for number in 1..=4 {
        server.send_from(
            &format!("s{number}@client.test"),
            &[&format!("r{number}@far.test"), "ada@example.test"],
            format!("X-Number: {number}\r\n\r\nhello\r\n").as_bytes(),
        );
    }
    let in_state = |state: &str| {
        let queue = server.queue();
        queue.iter().filter(|m| m["state"] == state).count()
    };
    server.wait_until("four that wait", || in_state("deferred") == 4);
    let id = |number: usize| {
        let sender = format!("s{number}@client.test");
        let queue = server.queue();
        let found = queue.iter().find(|m| m["sender"] == sender.as_str());
        found.map(|m| m["id"].as_str().expect("an id").to_owned())
    };
    // What it came to is told per recipient, with the peer's reply.
    let shown = server.look(&format!("/v1/queue/{}", id(1).expect("the first")));
    let last = shown["history"].as_array().expect("a history").iter();
    let deferred: Vec<_> = last.filter(|event| event["what"] == "deferred").collect();
    assert_eq!(deferred.len(), 1, "{shown:#}");
    assert_eq!(deferred[0]["recipients"][0], "r1@far.test");
    let said = deferred[0]["said"].as_str().expect("words");
    assert!(said.contains("450 4.2.0 come back tomorrow"), "{said}");
    assert_eq!(messages(&server.data).len(), 4);

    // A held one stays where it is, however often it is told to go.
    let first = id(1).expect("the first");
    server.command(&["queue", "hold", &first]);
    let to = format!("smtp://{}", whole.address);
    let past = server.command(&["queue", "redirect", "--to", &to, "--all"]);
    assert_eq!(past, format!("redirected 4 messages to {to}\n"));
    server.command(&["queue", "retry", "--all"]);
    server.wait_until("three that went", || server.queue().len() == 1);
    assert_eq!(
        recipients(&whole),
        ["r2@far.test", "r3@far.test", "r4@far.test"]
    );
    assert_eq!(in_state("held"), 1);
    let attempts = broken.count(At::Rcpt);

    // Released, it goes the way it was told to meanwhile.
    server.command(&["queue", "release", &first]);
    server.command(&["queue", "retry", &first]);
    server.wait_until("an empty queue", || server.queue().is_empty());
    assert_eq!(whole.taken().len(), 4);
    assert_eq!(broken.count(At::Rcpt), attempts);

    // A deleted one goes nowhere, and nobody is told.
    server.send_from("ada@example.test", &["r5@far.test"], b"X-Number: 5\r\n\r\n");
    server.wait_until("one that waits", || in_state("deferred") == 1);
    server.command(&["queue", "delete", "--yes", "--recipient", "r5@far.test"]);
    server.wait_until("an empty queue", || server.queue().is_empty());
    assert_eq!(whole.taken().len(), 4);
    assert_eq!(messages(&server.data).len(), 4);
    // Each of the others came here once.
    let counts = count_by(&messages(&server.data), "X-Number:");
    assert!(counts.len() == 4 && counts.values().all(|n| *n == 1));
}

/// What an operator says while a message is on its way takes effect when that has ended.
#[test]
fn what_an_operator_says_in_the_midst_of_an_attempt_takes_effect_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = NextHop::with_manner(|moment| match (moment.at, moment.heard) {
        (At::Message, heard) if heard.contains("X-Number: deleted") => {
            Say::Late(Duration::from_millis(1500))
        }
        // Refused for now, after a while.
        (At::Message, _) => {
            std::thread::sleep(Duration::from_millis(1500));
            Say::words("451 4.3.0 not yet")
        }
        _ => Say::Usual,
    });
    let quick = NextHop::start();
    let settings = format!("{DOMAIN}{TRUSTED}{}", slow.route("*"));
    let server = Server::start(folder.path(), &settings);
    let names = ["deleted", "held", "redirected"];
    for name in names {
        server.send_from(
            &format!("{name}@client.test"),
            &["r@far.test"],
            format!("X-Number: {name}\r\n\r\n").as_bytes(),
        );
    }
    server.wait_until("all on their way", || slow.come().len() == 3);
    let sender = |name: &str| format!("{name}@client.test");
    let to = format!("smtp://{}", quick.address);
    server.command(&["queue", "delete", "--yes", "--sender", &sender("deleted")]);
    server.command(&["queue", "hold", "--sender", &sender("held")]);
    let redirected = sender("redirected");
    server.command(&["queue", "redirect", "--to", &to, "--sender", &redirected]);
    let of = |name: &str| {
        let queue = server.queue();
        queue
            .into_iter()
            .find(|m| m["sender"] == sender(name).as_str())
    };
    // It is said that it was said.
    let id = of("held").expect("it is on its way")["id"]
        .as_str()
        .map(str::to_owned);
    let shown = server.look(&format!("/v1/queue/{}", id.expect("an id")));
    assert!(
        shown["plainly"].to_string().contains("said \\\"hold\\\""),
        "{shown:#}"
    );

    server.wait_until("the end of the attempts", || {
        of("deleted").is_none()
            && of("held").is_some_and(|m| m["state"] == "held")
            && of("redirected").is_some_and(|m| m["state"] == "deferred")
    });
    let retry = ["queue", "retry", "--sender", &redirected];
    server.command(&retry);
    server.wait_until("one that is left", || server.queue().len() == 1);
    assert_eq!(
        count_by(&quick.taken(), "X-Number:").get("redirected"),
        Some(&1)
    );
    server.command(&["queue", "redirect", "--to", &to, "--all"]);
    server.command(&["queue", "release", "--all"]);
    server.command(&["queue", "retry", "--all"]);
    server.wait_until("an empty queue", || server.queue().is_empty());
    let came = [quick.come().len(), slow.come().len(), slow.taken().len()];
    assert_eq!(came, [2, 3, 1]);
}
