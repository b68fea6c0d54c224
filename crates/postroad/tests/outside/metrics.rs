//! What `GET /metrics` answers. That others can read it, `real_operations.rs` shows.

use crate::harness::Server;

const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

#[test]
fn what_happened_is_counted() {
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
    for expected in [
        "postroad_messages_accepted_total 2",
        "postroad_messages_accepted_bytes_total 32",
        "postroad_recipients_accepted_total 2",
        r#"postroad_deliveries_total{outcome="delivered"} 2"#,
        r#"postroad_deliveries_total{outcome="failed"} 0"#,
        "postroad_delivery_delay_seconds_count 2",
        "postroad_connections_open 1",
        "postroad_connections_receiving 0",
        "postroad_accepting 1",
        r#"postroad_replies_total{command="RCPT",situation="Accepted",code="250"} 2"#,
        r#"postroad_replies_total{command="QUIT",situation="Goodbye",code="221"} 2"#,
        r#"postroad_events_total{event="connection.opened"} 3"#,
        r#"postroad_events_total{event="command.refused"} 1"#,
    ] {
        assert!(
            text.lines().any(|line| line == expected),
            "no {expected} in:\n{text}"
        );
    }
    assert!(text.contains("\npostroad_info{version="), "{text}");
}
