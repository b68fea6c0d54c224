//! What is said is written: as a line, in order, without making anybody wait.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test may stop, and reads a file

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_reply::{QueueId, TransactionId};
use postroad_telemetry::{Event, Format, Level, log};
use proptest::prelude::*;

const NOW: UnixMs = UnixMs(1_795_435_200_123);
const ID: QueueId = QueueId::from_parts(NOW.0, 0, 7);

/// What a log writes of what `say` says.
fn written(format: Format, level: Level, say: impl FnOnce()) -> String {
    let (log, drain) = log(format, level, || NOW);
    log.during(say);
    let mut out = Vec::new();
    drain.run(&mut out);
    String::from_utf8(out).unwrap()
}

fn accept(reverse_path: &str) {
    Event::MessageAccepted {
        queue_id: ID,
        connection: 5,
        transaction: TransactionId(9),
        peer: Some([192, 0, 2, 1].into()),
        hello: &"client.example",
        reverse_path: &reverse_path,
        recipients: 2,
        size: 1234,
        user: None,
        tls: Some(&"TLSv1.3"),
    }
    .emit();
}

#[test]
fn people_read_text() {
    let line = written(Format::Text, Level::Info, || accept("a@b.example"));
    let expected = format!(
        "2026-11-23T12:00:00.123Z INFO  message.accepted queue_id={ID} connection=5 transaction=9 \
         peer=192.0.2.1 hello=client.example reverse_path=a@b.example recipients=2 size=1234 tls=TLSv1.3\n"
    );
    assert_eq!(line, expected);
}

#[test]
fn programs_read_json() {
    let line = written(Format::Json, Level::Info, || accept("a@b.example"));
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    let expected = serde_json::json!({
        "time": "2026-11-23T12:00:00.123Z",
        "level": "INFO",
        "event": "message.accepted",
        "queue_id": ID.to_string(),
        "connection": 5,
        "transaction": 9,
        "peer": "192.0.2.1",
        "hello": "client.example",
        "reverse_path": "a@b.example",
        "recipients": 2,
        "size": 1234,
        "tls": "TLSv1.3",
    });
    assert_eq!(read, expected);
}

#[test]
fn a_field_without_a_value_is_left_out() {
    let line = written(Format::Text, Level::Info, || {
        Event::MessageRefused {
            queue_id: None,
            connection: 1,
            transaction: TransactionId(2),
            situation: "loop",
            code: 554,
            cause: None,
        }
        .emit();
    });
    assert!(line.ends_with("message.refused connection=1 transaction=2 situation=loop code=554\n"));
}

/// An event that nobody emits would be on the page all the same.
#[test]
fn every_event_of_the_catalogue_is_said_somewhere() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = String::new();
    for folder in std::fs::read_dir(crates).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.ends_with("telemetry") {
            read_sources(&folder.join("src"), &mut sources);
        }
    }
    let catalogue = include_str!("../src/events.rs");
    let events = catalogue.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let level = words.next()?;
        let is_event = ["ERROR", "WARN", "INFO", "DEBUG"].contains(&level);
        is_event.then(|| words.nth(1))?
    });
    let mut silent: Vec<_> = events.collect();
    assert!(silent.len() > 20, "{silent:?}");
    silent.retain(|event| !sources.contains(&format!("Event::{event} {{")));
    assert!(silent.is_empty(), "nobody emits {silent:?}");
}

fn read_sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, into);
        } else {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn what_is_below_the_level_or_outside_the_catalogue_is_left_out() {
    let opened = || {
        let address = ([127, 0, 0, 1], 2525).into();
        Event::ConnectionOpened {
            connection: 1,
            peer: address,
            listener: address,
        }
        .emit();
    };
    assert_eq!(written(Format::Text, Level::Info, opened), "");
    assert_eq!(
        written(Format::Text, Level::Debug, opened).lines().count(),
        1
    );
    assert_eq!(
        written(Format::Text, Level::Debug, || tracing::error!("free words")),
        ""
    );
}

#[test]
fn times_and_durations_are_shown() {
    let line = written(Format::Text, Level::Info, || {
        Event::DeliveryDeferred {
            queue_id: ID,
            recipient: &"a@b.example",
            reason: &"disk full",
            attempt: 1,
            next_due: UnixMs(u64::MAX),
        }
        .emit();
        Event::ServerReady {
            took: Duration::from_millis(15),
        }
        .emit();
    });
    assert!(line.contains(" WARN  delivery.deferred "), "{line}");
    assert!(
        line.contains(" reason=\"disk full\" attempt=1 next_due=9999-"),
        "{line}"
    );
    assert!(line.ends_with(" INFO  server.ready took=15\n"), "{line}");
}

#[test]
fn a_peer_can_not_forge_lines_or_fields_or_steer_a_terminal() {
    let hostile = "x size=1\r\n2026 INFO  message.accepted\u{1b}[2J\u{9b}1m\u{202e}\" \\";
    let line = written(Format::Text, Level::Info, || accept(hostile));
    assert!(
        line.contains(
            r#" reverse_path="x size=1\r\n2026 INFO  message.accepted\u{1b}[2J\u{9b}1m\u{202e}\" \\" "#
        ),
        "{line}"
    );
    let long = "y".repeat(10_000);
    let line = written(Format::Text, Level::Info, || accept(&long));
    assert!(
        line.len() < 1000 && line.contains("yyy… recipients=2"),
        "{line}"
    );
    let empty = written(Format::Text, Level::Info, || accept(""));
    assert!(empty.contains(" reverse_path=\"\" "), "{empty}");
}

/// Says when a write begins, and holds it back until it is let on.
struct Stuck {
    begun: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
    out: Arc<Mutex<Vec<u8>>>,
}

impl Write for Stuck {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let _ = self.begun.send(());
        let _ = self.go_on.recv();
        self.out.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_is_stuck_stops_nobody_and_what_is_dropped_is_counted() {
    const LINES: usize = 40_000;
    let (log, drain) = log(Format::Text, Level::Info, || NOW);
    let (begun, has_begun) = mpsc::channel();
    let (let_on, go_on) = mpsc::channel();
    let out = Arc::new(Mutex::new(Vec::new()));
    let stuck = Stuck {
        begun,
        go_on,
        out: Arc::clone(&out),
    };
    let writer = thread::spawn(move || drain.run(stuck));
    log.during(|| {
        accept("first");
        has_begun.recv().unwrap();
        // Nobody writes while these are said.
        for _ in 1..LINES {
            accept("more");
        }
    });
    drop(let_on);
    writer.join().unwrap();
    let out = String::from_utf8(out.lock().unwrap().clone()).unwrap();
    let said = out
        .lines()
        .filter(|line| line.contains(" message.accepted "))
        .count();
    let dropped: Vec<usize> = out
        .lines()
        .filter_map(|line| line.split_once(" WARN  log.dropped lines=")?.1.parse().ok())
        .collect();
    assert!(said < LINES, "the queue is bounded");
    assert_eq!(said + dropped.iter().sum::<usize>(), LINES);
    assert_eq!(dropped.len(), 1);
}

/// Fails at first.
struct Failing {
    failures: usize,
    out: Vec<u8>,
}

impl Write for &mut Failing {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.failures > 0 {
            self.failures -= 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.out.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_can_not_be_written_is_counted() {
    let (log, drain) = log(Format::Text, Level::Info, || NOW);
    log.during(|| {
        for _ in 0..5 {
            accept("a@b.example");
        }
    });
    let mut failing = Failing {
        failures: 1,
        out: Vec::new(),
    };
    drain.run(&mut failing);
    let out = String::from_utf8(failing.out).unwrap();
    // They were to be written together.
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.ends_with("WARN  log.dropped lines=5\n"), "{out}");
}

#[test]
fn the_page_in_docs_is_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events.md");
    if std::env::var_os("POSTROAD_WRITE_DOCS").is_some() {
        std::fs::write(path, postroad_telemetry::reference()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == postroad_telemetry::reference(),
        "docs/events.md is stale; run \
         `POSTROAD_WRITE_DOCS=1 cargo test -p postroad-telemetry --test events`"
    );
}

#[test]
fn names_of_events_stand_once() {
    let page = postroad_telemetry::reference();
    let mut names: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("## "))
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

proptest! {
    #[test]
    fn any_words_make_one_line_that_reads_back(words in "\\PC{0,40}|[\\x00-\\x7f\u{80}-\u{a0}]{0,40}") {
        let text = written(Format::Text, Level::Info, || accept(&words));
        prop_assert_eq!(text.matches(|c: char| c.is_control()).count(), 1, "only its end");
        let json = written(Format::Json, Level::Info, || accept(&words));
        prop_assert_eq!(json.matches(|c: char| c.is_control()).count(), 1, "only its end");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(read["reverse_path"].as_str(), Some(words.as_str()));
    }
}
