//! What is counted, and how it is written.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test may stop, and reads a file

use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_reply::{EhloReply, QueueId, Situated, Situation, TransactionId};
use postroad_telemetry::{Event, Gauges, count_reply, metrics, metrics_reference};

/// The counters are of the process, and other tests of it count too: each looks for what is more.
fn value(text: &str, sample: &str) -> f64 {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no {sample} in:\n{text}"));
    value.parse().unwrap()
}

const ID: QueueId = QueueId::from_parts(1, 0, 7);

fn delivered(millis: u64) {
    Event::DeliveryDelivered {
        queue_id: ID,
        recipient: &"a@b.example",
        by: &"maildir",
        delay: Duration::from_millis(millis),
    }
    .emit();
}

#[test]
fn events_count_without_a_log_and_with_what_they_say() {
    let before = metrics(&Gauges::default());
    for _ in 0..3 {
        Event::MessageAccepted {
            queue_id: ID,
            connection: 5,
            transaction: TransactionId(9),
            peer: None,
            hello: &"client.example",
            reverse_path: &"",
            recipients: 2,
            size: 1000,
            user: None,
            tls: None,
        }
        .emit();
    }
    for millis in [100, 101, 999_999_999] {
        delivered(millis);
    }
    Event::DeliveryDeferred {
        queue_id: ID,
        recipient: &"a@b.example",
        reason: &"disk full",
        attempt: 1,
        next_due: UnixMs(0),
    }
    .emit();
    let after = metrics(&Gauges::default());
    let more = |sample: &str| value(&after, sample) - value(&before, sample);
    let delays = "postroad_delivery_delay_seconds";
    for (sample, expected) in [
        ("postroad_messages_accepted_total".to_owned(), 3.0),
        ("postroad_messages_accepted_bytes_total".into(), 3000.0),
        ("postroad_recipients_accepted_total".into(), 6.0),
        (
            r#"postroad_events_total{event="message.accepted"}"#.into(),
            3.0,
        ),
        (
            r#"postroad_deliveries_total{outcome="delivered"}"#.into(),
            3.0,
        ),
        (
            r#"postroad_deliveries_total{outcome="deferred"}"#.into(),
            1.0,
        ),
        (format!(r#"{delays}_bucket{{le="0.1"}}"#), 1.0),
        (format!(r#"{delays}_bucket{{le="1.0"}}"#), 2.0),
        (format!(r#"{delays}_bucket{{le="432000.0"}}"#), 2.0),
        (format!(r#"{delays}_bucket{{le="+Inf"}}"#), 3.0),
        (format!("{delays}_count"), 3.0),
    ] {
        assert!(
            (more(&sample) - expected).abs() < 0.001,
            "{sample}: {after}"
        );
    }
    let sum = more(&format!("{delays}_sum"));
    assert!((sum - 1_000_000.2).abs() < 0.001, "{sum}");
}

#[test]
fn every_reply_of_the_table_has_its_counter() {
    let ehlo = EhloReply::Greeted.situation();
    let sample = r#"postroad_replies_total{command="EHLO",situation="Greeted",code="250"}"#;
    let before = value(&metrics(&Gauges::default()), sample);
    for situation in Situation::all().chain([ehlo]) {
        count_reply(situation);
    }
    let after = metrics(&Gauges::default());
    assert!((value(&after, sample) - before - 2.0).abs() < 0.001);
    let silent: Vec<_> = after
        .lines()
        .filter(|line| line.starts_with("postroad_replies_total") && line.ends_with(" 0"))
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
    let all = after.matches("\npostroad_replies_total{").count();
    assert_eq!(all, Situation::all().count());
}

#[test]
fn gauges_are_as_they_are_told() {
    let gauges = Gauges {
        version: "1.2.3",
        queued: 12,
        accepting: true,
        ..Gauges::default()
    };
    let text = metrics(&gauges);
    assert!(
        text.contains("\npostroad_info{version=\"1.2.3\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("\n# TYPE postroad_queue_messages gauge\n"),
        "{text}"
    );
    assert!(text.contains("\npostroad_queue_messages 12\n"), "{text}");
    assert!(text.contains("\npostroad_accepting 1\n"), "{text}");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
}

#[test]
fn no_line_stands_twice() {
    let text = metrics(&Gauges::default());
    let mut names: Vec<&str> = text
        .lines()
        .map(|line| line.rsplit_once(' ').map_or(line, |(name, _)| name))
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn the_page_in_docs_is_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    if std::env::var_os("POSTROAD_WRITE_DOCS").is_some() {
        std::fs::write(path, metrics_reference()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == metrics_reference(),
        "docs/metrics.md is stale; run \
         `POSTROAD_WRITE_DOCS=1 cargo test -p postroad-telemetry --test metrics`"
    );
}
