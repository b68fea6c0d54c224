//! What a sender is told: each kind of notice, from the real binary into a mailbox.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::hop::Hop;
use crate::harness::{Client, Delivered, PATIENCE, Server, messages};

const MESSAGE: &[u8] = b"From: ada@example.test\r\nSubject: Lunch\r\n\r\nAt noon?\r\n";

/// Ada sends; Carl and Dave are the team.
const DOMAIN: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\", \"bob\", \"carl\", \"dave\"]
aliases = { team = [\"carl\", \"dave\"], robert = [\"bob\"], us = [\"ada\", \"carl\"] }
[relay]
trusted_networks = [\"127.0.0.0/8\"]
";

/// Tries each second, and gives up after two.
const IMPATIENT: &str = "
[delivery]
retry_first = \"1s\"
give_up_after = \"2s\"
";

fn route(domain: &str, to: SocketAddr) -> String {
    format!("[[route]]\ndomain = \"{domain}\"\nnext_hop = \"smtp://{to}\"\n")
}

/// Sends a message: what follows `FROM:` and `TO:`, parameters included.
fn send(server: &Server, from: &str, to: &[String], octets: &[u8]) {
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    send_as(&mut client, from, to, octets);
}

fn send_as(client: &mut Client, from: &str, to: &[String], octets: &[u8]) {
    client.expect(&format!("MAIL FROM:{from}"), 250);
    for to in to {
        client.expect(&format!("RCPT TO:{to}"), 250);
    }
    client.expect("DATA", 354);
    client.send_data(octets).expect("send the data");
    assert_eq!(client.reply().expect("a final reply").0, 250);
}

fn one(to: &str) -> Vec<String> {
    vec![to.to_owned()]
}

/// What is in a mailbox of `example.test`.
fn mailbox(server: &Server, name: &str) -> Vec<String> {
    let folder = Path::new("example.test").join(name).join("new");
    let found = messages(&server.data);
    let here = |message: &&Delivered| {
        message
            .path
            .parent()
            .is_some_and(|at| at.ends_with(&folder))
    };
    let text = |message: &Delivered| String::from_utf8_lossy(&message.octets).into_owned();
    found.iter().filter(here).map(text).collect()
}

/// Waits for so many messages in a mailbox.
fn wait_for(server: &Server, name: &str, count: usize) -> Vec<String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = mailbox(server, name);
        if found.len() >= count {
            assert_eq!(found.len(), count, "{found:#?}");
            return found;
        }
        let said = || server.lines().join("\n");
        assert!(Instant::now() < end, "{found:#?}; it said:\n{}", said());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for the one notice in a mailbox.
fn notice(server: &Server, name: &str) -> String {
    wait_for(server, name, 1).swap_remove(0)
}

/// Waits until nothing is queued any more.
fn wait_until_empty(server: &Server) {
    let end = Instant::now() + PATIENCE;
    loop {
        let metrics = server.control("GET", "/metrics");
        let depth = metrics
            .lines()
            .filter(|line| line.starts_with("postroad_queue_"));
        if depth.clone().all(|line| line.ends_with(" 0")) && depth.count() > 0 {
            return;
        }
        assert!(Instant::now() < end, "{metrics}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The fields about one recipient.
fn about<'a>(notice: &'a str, recipient: &str) -> &'a str {
    let field = format!("Final-Recipient: rfc822; {recipient}\r\n");
    let at = notice.find(&field);
    let at = at.unwrap_or_else(|| panic!("nothing of {recipient} in:\n{notice}"));
    let begin = notice[..at].rfind("\r\n\r\n").expect("a group") + 4;
    let end = notice[at..]
        .find("\r\n\r\n")
        .map_or(notice.len(), |end| at + end + 2);
    &notice[begin..end]
}

fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    listener.local_addr().expect("an address")
}

#[test]
fn success_is_told_where_it_was_asked_for() {
    let (folder, hop) = (tempfile::tempdir().expect("a folder"), Hop::start());
    let own = free_port();
    let second = tempfile::tempdir().expect("a folder");
    let second = Server::start(
        second.path(),
        &format!(
            "hostname = \"mx2.test\"\n[relay]\ntrusted_networks = [\"127.0.0.0/8\"]\n\
             [[domain]]\nname = \"dsn.test\"\nmailboxes = [\"dora\"]\n{}",
            route("example.test", own)
        ),
    );
    let settings = format!(
        "{DOMAIN}{}{}\n[[listener]]\naddress = \"{own}\"\n",
        route("plain.test", hop.address),
        route("dsn.test", second.address)
    );
    let server = Server::start(folder.path(), &settings);
    let to = [
        "<robert@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+2Bold@Example.test",
        "<team@example.test> NOTIFY=SUCCESS",
        "<paul@plain.test> NOTIFY=success",
        "<quiet@plain.test> NOTIFY=NEVER",
        "<mute@plain.test>",
        "<dora@dsn.test> NOTIFY=SUCCESS ORCPT=rfc822;dora@dsn.test",
    ];
    let from = "<ada@example.test> RET=FULL ENVID=QQ+2B314159";
    send(&server, from, &to.map(str::to_owned), MESSAGE);

    let found = wait_for(&server, "ada", 2);
    let (theirs, ours): (Vec<&String>, Vec<&String>) = found
        .iter()
        .partition(|notice| notice.contains("Reporting-MTA: dns; mx2.test"));
    let [ours] = ours[..] else {
        panic!("{found:#?}")
    };
    assert_has(
        ours,
        &[
            "Return-Path: <>\r\n",
            "Auto-Submitted: auto-replied\r\n",
            "Subject: Delivery report: Lunch\r\n",
            "\r\nOriginal-Envelope-Id: QQ+314159\r\nReporting-MTA: dns; mx.test\r\n",
            // Without a failure, no more goes back (RFC 3461 6.2).
            "Content-Type: text/rfc822-headers",
        ],
    );
    assert!(!ours.contains("At noon?"), "{ours}");
    let bob = "Original-Recipient: rfc822; Bob+old@Example.test\r\n\
               Final-Recipient: rfc822; robert@example.test\r\nAction: delivered\r\nStatus: 2.1.5\r\n";
    assert_has(
        about(ours, "robert@example.test"),
        &[bob, "Last-Attempt-Date: "],
    );
    let team =
        "Final-Recipient: rfc822; team@example.test\r\nAction: expanded\r\nStatus: 2.0.0\r\n";
    assert_eq!(about(ours, "team@example.test"), team);
    assert_has(
        about(ours, "paul@plain.test"),
        &[
            "Action: relayed\r\n",
            "Remote-MTA: dns; [127.0.0.1]\r\n",
            "smtp; 250 2.0.0 taken",
        ],
    );
    assert_eq!(ours.matches("Final-Recipient").count(), 3, "{ours}");
    // A hop without DSN is asked for nothing of it (RFC 3461 5.2.2 a).
    let heard = hop.said();
    assert!(heard.contains("RCPT TO:<paul@plain.test>\n"), "{heard}");
    assert!(
        !heard.contains("ENVID") && !heard.contains("RET="),
        "{heard}"
    );

    // One that offers it tells by itself, of what it was asked (5.2.1).
    let [theirs] = theirs[..] else {
        panic!("{found:#?}")
    };
    let dora = "Original-Recipient: rfc822; dora@dsn.test\r\n\
                Final-Recipient: rfc822; dora@dsn.test\r\nAction: delivered\r\n";
    assert_has(theirs, &["Original-Envelope-Id: QQ+314159\r\n", dora]);
    wait_until_empty(&server);
    wait_until_empty(&second);
    assert_eq!(mailbox(&server, "ada").len(), 2);
    assert_eq!(
        mailbox(&server, "bob").len() + mailbox(&server, "carl").len(),
        2
    );
}

#[test]
fn failure_is_told_unless_it_is_not_wanted() {
    let (folder, hop) = (tempfile::tempdir().expect("a folder"), Hop::start());
    let settings = format!("{DOMAIN}{IMPATIENT}{}", route("plain.test", hop.address));
    let server = Server::start(folder.path(), &settings);
    let nobody = "<nobody@plain.test>";
    let asked = |what: &str| one(&format!("{nobody} {what}"));
    // Of these three, nothing is ever told.
    send(
        &server,
        "<ada@example.test>",
        &asked("NOTIFY=NEVER"),
        MESSAGE,
    );
    send(
        &server,
        "<ada@example.test>",
        &asked("NOTIFY=SUCCESS,DELAY"),
        MESSAGE,
    );
    send(&server, "<>", &one(nobody), MESSAGE);
    wait_until_empty(&server);
    assert!(messages(&server.data).is_empty());

    // All of it goes back, its eight bits included, to an alias and not to Ada alone.
    let eight_bit = b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n";
    send(
        &server,
        "<us@example.test> BODY=8BITMIME",
        &one(nobody),
        eight_bit,
    );
    for name in ["ada", "carl"] {
        let notice = notice(&server, name);
        assert_has(
            &notice,
            &[
                "Content-Type: message/rfc822\r\n",
                "To: <us@example.test>\r\n",
            ],
        );
    }
    let found = messages(&server.data);
    let whole = |message: &Delivered| has(&message.octets, b"\r\n\r\nGr\xfc\xdfe\r\n");
    assert!(found.iter().all(whole));

    // Its header section only, for Carl, who asked so.
    send(
        &server,
        "<bob@example.test> RET=HDRS",
        &asked("NOTIFY=FAILURE"),
        MESSAGE,
    );
    let bobs = notice(&server, "bob");
    assert!(!bobs.contains("At noon?"), "{bobs}");
    assert_has(
        &bobs,
        &[
            "Subject: Undelivered mail: Lunch\r\n",
            "text/rfc822-headers",
            "Received: from client.test",
            "There is no such mailbox.",
        ],
    );
    assert_has(
        about(&bobs, "nobody@plain.test"),
        &[
            "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; [127.0.0.1]\r\n",
            "Diagnostic-Code: smtp; 550 5.1.1 <nobody> is not known here\r\n",
        ],
    );
}

fn has(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_sender_elsewhere_is_told_and_a_notice_that_fails_is_dropped_with_a_word() {
    let (folder, hop) = (tempfile::tempdir().expect("a folder"), Hop::start());
    let settings = format!("{DOMAIN}{IMPATIENT}{}", route("plain.test", hop.address));
    let server = Server::start(folder.path(), &settings);
    send(
        &server,
        "<sam@plain.test>",
        &one("<nobody@plain.test>"),
        MESSAGE,
    );
    let heard = hop.wait_for("Action: failed");
    assert!(heard.contains("MAIL FROM:<>"), "{heard}");
    assert!(heard.contains("RCPT TO:<sam@plain.test>"), "{heard}");

    // To a sender who isn't known there or here, and to one to whom no way leads.
    let nobody = "nobody@plain.test";
    for sender in [nobody, "x@nowhere.test", "ghost@example.test"] {
        let before = server.lines().len();
        send(
            &server,
            &format!("<{sender}>"),
            &one(&format!("<{nobody}>")),
            MESSAGE,
        );
        let queued = server.wait_for_line_after(before, |line| line.contains("notice.queued"));
        let id = field(&queued, "queue_id");
        server.wait_for_line_after(before, |line| {
            line.contains("delivery.failed") && line.contains(&id) && line.contains(sender)
        });
    }
    wait_until_empty(&server);
    let notices = server
        .lines()
        .iter()
        .filter(|line| line.contains("notice.queued"))
        .count();
    assert_eq!(notices, 4);
    // A mailbox isn't made because somebody said that it was theirs.
    assert!(messages(&server.data).is_empty());
}

fn field(line: &str, name: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).expect("the log is in JSON");
    line[name].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_mailbox_that_takes_nothing_is_given_up_and_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    // Files stand where Bob's and Carl's Maildirs should be.
    let domain = folder.path().join("data/mail/example.test");
    std::fs::create_dir_all(&domain).expect("make it");
    for name in ["bob", "carl"] {
        std::fs::write(domain.join(name), "in the way").expect("write it");
    }
    let server = Server::start(folder.path(), &format!("{DOMAIN}{IMPATIENT}"));
    send(
        &server,
        "<ada@example.test>",
        &["<robert@example.test>", "<team@example.test>"].map(str::to_owned),
        MESSAGE,
    );
    let notice = notice(&server, "ada");
    assert_eq!(mailbox(&server, "dave").len(), 1);
    let team = "<team@example.test>\r\n      (one of the addresses it stands for";
    assert_has(&notice, &[team]);
    assert_eq!(notice.matches("(one of the addresses").count(), 1);
    assert_has(about(&notice, "team@example.test"), &["Action: failed\r\n"]);
    assert_has(
        about(&notice, "robert@example.test"),
        &[
            "Action: failed\r\nStatus: 4.2.0\r\nDiagnostic-Code: x-postroad; ",
            "given up after",
        ],
    );
    assert_has(&notice, &["It was tried until", "At noon?"]);
    // What is behind an alias isn't told.
    for behind in ["bob@example.test", "carl@example.test"] {
        assert!(!notice.contains(behind), "{notice}");
    }
}

#[test]
fn five_hundred_dead_domains_make_one_notice() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nothing listens there.
    let settings = format!("{DOMAIN}{IMPATIENT}{}", route("*", free_port()));
    let server = Server::start(folder.path(), &settings);
    let to: Vec<String> = (0..500).map(|n| format!("<x@dead{n}.test>")).collect();
    send(&server, "<ada@example.test>", &to, MESSAGE);
    let notice = notice(&server, "ada");
    assert_eq!(notice.matches("Action: failed").count(), 500);
    assert_has(
        &notice,
        &[
            "given up after 2 seconds",
            "could not be reached",
            "Status: 4.4.1",
        ],
    );
    wait_until_empty(&server);
    assert_eq!(mailbox(&server, "ada").len(), 1);
}

#[test]
fn a_delay_is_told_once_and_then_that_it_was_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let patience = "
[delivery]
retry_first = \"1s\"
retry_growth = 1
give_up_after = \"6s\"
delay_notice_after = \"1s\"
";
    let settings = format!("{DOMAIN}{patience}{}", route("*", free_port()));
    let server = Server::start(folder.path(), &settings);
    let to = [
        "<x@dead.test> ORCPT=rfc822;y@old.test",
        "<q@dead.test> NOTIFY=FAILURE",
    ];
    send(
        &server,
        "<ada@example.test>",
        &to.map(str::to_owned),
        MESSAGE,
    );
    let delay = notice(&server, "ada");
    assert_has(
        &delay,
        &[
            "Subject: Delayed mail (still being tried): Lunch\r\n",
            "Original-Recipient: rfc822; y@old.test\r\n",
            "Action: delayed\r\nStatus: 4.4.1\r\n",
            "Will-Retry-Until: ",
        ],
    );
    assert!(
        !delay.contains("q@dead.test") && !delay.contains("At noon?"),
        "{delay}"
    );
    wait_until_empty(&server);
    let all = mailbox(&server, "ada");
    let failed: Vec<&String> = all
        .iter()
        .filter(|text| text.contains("Action: failed"))
        .collect();
    let [failed] = failed[..] else {
        panic!("{all:#?}")
    };
    assert_eq!(
        (all.len(), failed.matches("Action: failed").count()),
        (2, 2)
    );
}

#[test]
fn an_internationalised_message_is_answered_in_kind() {
    let (folder, hop) = (tempfile::tempdir().expect("a folder"), Hop::start());
    let settings = format!("{DOMAIN}{IMPATIENT}{}", route("plain.test", hop.address))
        .replace("\"ada\", \"bob\"", "\"ada\", \"änna\", \"bob\"");
    let server = Server::start(folder.path(), &settings);
    let octets = "Subject: Grüße\r\nMessage-ID: <ü@example.test>\r\n\r\nüber\r\n".as_bytes();
    let to = one("<nobody@plain.test> ORCPT=utf-8;b\\x{F6}b@plain.test");
    send(&server, "<änna@example.test> SMTPUTF8", &to, octets);
    let found = server.wait_for_messages(1);
    let notice = String::from_utf8(found[0].octets.clone()).expect("UTF-8");
    assert_has(
        &notice,
        &[
            "To: <änna@example.test>\r\nSubject: Undelivered mail: Grüße\r\n",
            "In-Reply-To: <ü@example.test>\r\n",
            "Content-Type: message/global-delivery-status\r\n",
            "Original-Recipient: utf-8; böb@plain.test\r\nFinal-Recipient: rfc822; nobody@plain.test\r\n",
            "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n",
            "über\r\n",
        ],
    );
}
