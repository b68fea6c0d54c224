//! Other people's parsers of notices, and what they make of ours: each kind of notice is made by the
//! real binary.
//!
//! Ignored by default because they need libraries that not every machine has; `cargo xtask test`
//! installs them and runs these tests.

// A test from the outside: it has real time, files, sockets and processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod harness;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::hop::Hop;
use harness::{PATIENCE, Server, messages};

/// Each notice by its sender, who has a mailbox for it, with recipient and parameters.
const MAIL: [(&str, &str, &str); 7] = [
    ("unknown", "nobody@plain.test", ""),
    ("full", "full@plain.test", ""),
    ("late", "slow@dead.test", "NOTIFY=DELAY"),
    (
        "dead",
        "slow@dead.test",
        "NOTIFY=FAILURE ORCPT=rfc822;old@other.test",
    ),
    ("relayed", "paul@plain.test", "NOTIFY=SUCCESS"),
    ("global", "nobody@plain.test", ""),
    (
        "ünknown",
        "nobody@plain.test",
        "ORCPT=utf-8;b\\x{F6}b@plain.test",
    ),
];

/// Makes all of them, and puts them into a folder under the names of their senders.
fn notices(folder: &Path) {
    let hop = Hop::start();
    // A port where nobody listens.
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
        listener.local_addr().expect("an address")
    };
    let settings = format!(
        "[[domain]]\nname = \"example.test\"\ncreate_mailboxes = true\n\
         [relay]\ntrusted_networks = [\"127.0.0.0/8\"]\n\
         [delivery]\nretry_first = \"1s\"\nretry_growth = 1\ngive_up_after = \"4s\"\ndelay_notice_after = \"1s\"\n\
         [[route]]\ndomain = \"plain.test\"\nnext_hop = \"smtp://{}\"\n\
         [[route]]\ndomain = \"dead.test\"\nnext_hop = \"smtp://{dead}\"\n",
        hop.address
    );
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path(), &settings);
    for (sender, recipient, parameters) in MAIL {
        let subject = if sender == "global" {
            "Lunch, Grüße"
        } else {
            "Lunch"
        };
        let utf8 = if sender.is_ascii() && subject.is_ascii() {
            ""
        } else {
            " SMTPUTF8"
        };
        let mut client = server.connect();
        client.expect("EHLO client.test", 250);
        client.expect(&format!("MAIL FROM:<{sender}@example.test>{utf8}"), 250);
        client.expect(&format!("RCPT TO:<{recipient}> {parameters}"), 250);
        client.expect("DATA", 354);
        let octets = format!(
            "From: {sender}@example.test\r\nTo: {recipient}\r\nSubject: {subject}\r\n\
             Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{sender}@example.test>\r\n\r\nAt noon?\r\n"
        );
        client.send_data(octets.as_bytes()).expect("send");
        assert_eq!(client.reply().expect("a reply").0, 250);
    }
    let end = Instant::now() + PATIENCE;
    while messages(&server.data).len() < MAIL.len() {
        let said = || server.lines().join("\n");
        assert!(Instant::now() < end, "it said:\n{}", said());
        std::thread::sleep(Duration::from_millis(20));
    }
    for message in messages(&server.data) {
        let to = message.line_after("To:").expect("whom it is for");
        let sender = to
            .trim_start_matches('<')
            .split('@')
            .next()
            .unwrap_or_default();
        std::fs::write(folder.join(sender), &message.octets).expect("write it");
    }
}

/// What a script says of each notice, a line each, in the order of the names.
fn said(program: &str, script: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    notices(folder.path());
    let flag = if program == "perl" { "-e" } else { "-c" };
    let mut command = Command::new(program);
    command.args([flag, script]).current_dir(folder.path());
    let mut senders: Vec<&str> = MAIL.iter().map(|(sender, ..)| *sender).collect();
    senders.sort_unstable();
    let output = command
        .args(senders)
        .stdin(Stdio::null())
        .output()
        .expect("run it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
#[ignore = "needs flufl.bounce for Python"]
fn flufl_bounce_and_the_parser_of_python_understand_notices() {
    let script = r#"
import email, email.policy, sys
from flufl.bounce import all_failures
for name in sys.argv[1:]:
    octets = open(name, "rb").read()
    temporary, permanent = all_failures(email.message_from_bytes(octets))
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    parts = message.get_payload()
    fields = parts[1].get_payload()
    flaws = [flaw for part in message.walk() for flaw in part.defects]
    print(name, message.get_content_type(), message.get_param("report-type"),
        *[part.get_content_type() for part in parts],
        fields[1]["Action"] if len(fields) > 1 else "-", message["Subject"],
        sorted(a.decode() for a in temporary), sorted(a.decode() for a in permanent), flaws, sep=" | ")
"#;
    let report = "multipart/report | delivery-status | text/plain | message/delivery-status";
    let global = report.replace("/delivery", "/global-delivery");
    let undelivered = "failed | Undelivered mail: Lunch | []";
    let expected = [
        format!("dead | {report} | message/rfc822 | {undelivered} | ['old@other.test'] | []"),
        format!("full | {report} | message/rfc822 | {undelivered} | ['full@plain.test'] | []"),
        format!(
            "global | {report} | message/global | failed | Undelivered mail | [] | \
             ['nobody@plain.test'] | []"
        ),
        // Of a delay it says that it is no failure for good.
        format!(
            "late | {report} | text/rfc822-headers | delayed | \
             Delayed mail (still being tried): Lunch | ['slow@dead.test'] | [] | []"
        ),
        format!(
            "relayed | {report} | text/rfc822-headers | relayed | Delivery report: Lunch | [] | [] \
             | []"
        ),
        format!("unknown | {report} | message/rfc822 | {undelivered} | ['nobody@plain.test'] | []"),
        // The types of RFC 6533 are unknown to it, and Python's parser reads no fields of them.
        format!("ünknown | {global} | message/global | - | Undelivered mail: Lunch | [] | [] | []"),
    ];
    assert_eq!(said("python3", script), expected);
}

#[test]
#[ignore = "needs Sisimai for Perl"]
fn sisimai_understands_notices() {
    let script = r#"
use Sisimai; use utf8; binmode(STDOUT, ":utf8");
for my $name (@ARGV) {
    my $found = Sisimai->make($name, delivered => 1) || [];
    utf8::decode($name);
    print join(" | ", $name, map { join(" | ", $_->action, $_->deliverystatus, $_->reason,
        $_->softbounce, $_->recipient->address, $_->alias,
        $_->replycode ? $_->replycode . " " . $_->diagnosticcode : "", $_->messageid) } @$found), "\n";
}
"#;
    // Whether a failure is soft (1), hard (0) or none (-1) follows the reason.
    let expected = [
        "dead | failed | 4.4.1 | expired | 1 | slow@dead.test | old@other.test |  | dead@example.test",
        "full | failed | 5.2.2 | mailboxfull | 1 | full@plain.test |  | \
         552 552 5.2.2 The mailbox is over its quota | full@example.test",
        "global | failed | 5.1.1 | userunknown | 0 | nobody@plain.test |  | \
         550 550 5.1.1 <nobody> is not known here | global@example.test",
        "late | delayed | 4.4.1 | expired | 1 | slow@dead.test |  |  | late@example.test",
        "relayed | relayed | 2.0.0 | delivered | -1 | paul@plain.test |  | \
         250 250 2.0.0 taken | relayed@example.test",
        "unknown | failed | 5.1.1 | userunknown | 0 | nobody@plain.test |  | \
         550 550 5.1.1 <nobody> is not known here | unknown@example.test",
        // It knows neither such a sender nor the types of RFC 6533.
        "ünknown",
    ];
    assert_eq!(said("perl", script), expected);
}
