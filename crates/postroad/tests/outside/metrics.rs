//! What `GET /metrics` answers: counted right, and read by somebody else's parser.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::Server;

const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

/// Reads OpenMetrics from its input, and prints each sample as `name{label=value,..} value`, labels
/// in order.
const PARSER: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(sys.stdin.read()):
    assert family.documentation, family.name
    for sample in family.samples:
        labels = ','.join(f'{name}={is_}' for name, is_ in sorted(sample.labels.items()))
        print(f'{sample.name}{{{labels}}} {sample.value:g}')
";

/// What the parser understood, a sample a line.
fn parsed(text: &str) -> Vec<String> {
    let mut parser = Command::new("python3")
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the parser");
    let mut input = parser.stdin.take().expect("stdin is piped");
    input.write_all(text.as_bytes()).expect("write to it");
    drop(input);
    let output = parser.wait_with_output().expect("its end");
    assert!(output.status.success(), "it can't read:\n{text}");
    let lines = String::from_utf8(output.stdout).expect("its words");
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn what_happened_is_counted_and_others_can_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    server.send("ada@example.test", b"Subject: one\r\n\r\n");
    server.send("ada@example.test", b"Subject: two\r\n\r\n");
    server.wait_for_messages(2);
    let mut open = server.connect();
    open.expect("EHLO client.test", 250);
    open.expect("NONSENSE", 500);
    let answer = loop {
        // The settle comes after the message is in its mailbox.
        let answer = server.control("GET", "/metrics");
        if answer.contains("\npostroad_queue_messages 0\n") {
            break answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let (head, text) = answer.split_once("\r\n\r\n").expect("a header");
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    let python = ["-c", "import prometheus_client.openmetrics.parser"];
    let has_parser = Command::new("python3")
        .args(python)
        .output()
        .is_ok_and(|tried| tried.status.success());
    if !has_parser {
        println!("left out: the parser of OpenMetrics: there is no python3 with prometheus_client");
        return;
    }
    let samples = parsed(text);
    for expected in [
        "postroad_messages_accepted_total{} 2",
        "postroad_messages_accepted_bytes_total{} 32",
        "postroad_recipients_accepted_total{} 2",
        "postroad_deliveries_total{outcome=delivered} 2",
        "postroad_deliveries_total{outcome=failed} 0",
        "postroad_delivery_delay_seconds_count{} 2",
        "postroad_connections_open{} 1",
        "postroad_connections_receiving{} 0",
        "postroad_accepting{} 1",
        "postroad_replies_total{code=250,command=RCPT,situation=Accepted} 2",
        "postroad_replies_total{code=221,command=QUIT,situation=Goodbye} 2",
        "postroad_events_total{event=connection.opened} 3",
        "postroad_events_total{event=command.refused} 1",
    ] {
        assert!(
            samples.iter().any(|sample| sample == expected),
            "no {expected} in:\n{}",
            samples.join("\n")
        );
    }
    assert!(
        samples
            .iter()
            .any(|sample| sample.starts_with("postroad_info{version=")),
        "{samples:?}"
    );
}
