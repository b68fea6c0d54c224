//! The parts against each other, as processes: what the generator sends, the sink and the floor's relay count.

// Tests of a tool: they start processes and read files.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A part that is killed when the test is over.
struct Part(Child);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Part {
    fn start(arguments: &[&str]) -> Part {
        let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Part(command.spawn().expect("it starts"))
    }

    /// A part that listens, once it does.
    fn listening(part: &str, at: SocketAddr, arguments: &[&str]) -> Part {
        let at_text = at.to_string();
        let started = Part::start(&[&[part, "--listen", &at_text], arguments].concat());
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(at).is_err() {
            assert!(Instant::now() < until, "{part} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        started
    }

    /// What it said, and whether it was content.
    fn end(mut self) -> (Value, bool) {
        let mut said = String::new();
        let stdout = self.0.stdout.as_mut().expect("it is piped");
        stdout.read_to_string(&mut said).expect("it is text");
        let content = self.0.wait().expect("it ends").success();
        (serde_json::from_str(&said).expect("JSON"), content)
    }
}

/// An address that was free a moment ago.
fn address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it has one")
}

fn generate(to: SocketAddr, arguments: &[&str]) -> (Value, bool) {
    let to = to.to_string();
    Part::start(&[&["generate", "--patience", "20", "--to", &to], arguments].concat()).end()
}

#[test]
fn what_the_generator_sends_the_sink_counts() {
    let ways: [&[&str]; 4] = [
        &[],
        &["--pipeline"],
        &["--one-each"],
        &["--one-each", "--pipeline"],
    ];
    for way in ways {
        let at = address();
        let sink = Part::listening("sink", at, &["--messages", "100"]);
        let load = ["--messages", "100", "--sessions", "7", "--size", "5000"];
        let (sent, all) = generate(at, &[&load, way].concat());
        assert!(all, "{way:?}: {sent}");
        assert_eq!(sent["accepted"], 100, "{way:?}");
        let connections = if way.contains(&"--one-each") { 100 } else { 7 };
        assert_eq!(sent["connections"], connections, "{way:?}");
        assert!(sent["microseconds"]["p50"].as_u64() > Some(0), "{sent}");
        let (got, complete) = sink.end();
        assert!(complete, "{got}");
        assert_eq!(
            (&got["messages"], &got["numbers"]),
            (&100.into(), &100.into())
        );
    }
}

#[test]
fn long_messages_come_whole_and_the_sink_misses_those_that_do_not_come() {
    let at = address();
    let sink = Part::listening("sink", at, &["--messages", "9", "--patience", "1"]);
    let (sent, all) = generate(
        at,
        &["--messages", "8", "--sessions", "4", "--size", "1048576"],
    );
    assert!(all, "{sent}");
    let (got, complete) = sink.end();
    assert!(!complete, "one is missing: {got}");
    assert_eq!(got["numbers"], 8);
}

#[test]
fn the_floor_keeps_what_it_answers_for_and_passes_it_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log");
    let (at, next) = (address(), address());
    let sink = Part::listening("sink", next, &["--messages", "200"]);
    let next = next.to_string();
    let path = file.to_str().expect("text");
    let floor = ["--file", path, "--relay", &next, "--connections", "3"];
    let _floor = Part::listening("floor", at, &floor);
    let (sent, all) = generate(at, &["--messages", "200", "--sessions", "10"]);
    assert!(all, "{sent}");
    let (got, complete) = sink.end();
    assert!(complete, "{got}");
    assert_eq!(got["messages"], 200);
    let kept = std::fs::read_to_string(&file).expect("it is there");
    assert_eq!(kept.matches("\r\nMessage-ID: <").count(), 200);
    assert_eq!(kept.matches("Received: ").count(), 200);
}

#[test]
fn the_sink_tells_the_warming_up_from_the_run() {
    let at = address();
    let mut sink = Part::listening("sink", at, &["--messages", "20,30"]);
    let mut said = BufReader::new(sink.0.stdout.take().expect("it is piped")).lines();
    for (first, messages, numbers) in [("0", "20", 20), ("20", "30", 50)] {
        let (sent, all) = generate(at, &["--first", first, "--messages", messages]);
        assert!(all, "{sent}");
        let line = said.next().expect("a line").expect("text");
        let got: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(got["numbers"], numbers);
        assert!(got["ended"].as_f64() > sent["began"].as_f64());
    }
    assert!(sink.0.wait().expect("it ends").success());
}

#[test]
fn a_refusal_is_counted_and_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("it has one");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(b"220 hello\r\n").expect("it is there");
        let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
        for reply in ["250 x\r\n", "452 4.3.1 no room\r\n"] {
            lines.next();
            stream.write_all(reply.as_bytes()).expect("it is there");
        }
    });
    let (sent, all) = generate(at, &["--messages", "1"]);
    server.join().expect("it served");
    assert!(!all);
    assert_eq!(
        (&sent["accepted"], &sent["refused"]),
        (&0.into(), &1.into())
    );
    assert_eq!(sent["example"], "Mail: 452 4.3.1 no room");
}

#[test]
fn a_server_that_is_not_there_is_not_hammered() {
    let began = Instant::now();
    let (sent, all) = generate(address(), &["--messages", "9", "--sessions", "3"]);
    assert!(!all);
    assert_eq!(
        (&sent["broken"], &sent["connections"]),
        (&3.into(), &3.into())
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{sent}");
}

#[test]
fn sessions_are_held_until_told_otherwise() {
    let at = address();
    let _sink = Part::listening("sink", at, &["--messages", "1"]);
    let to = at.to_string();
    let mut hold = Part::start(&["hold", "--to", &to, "--sessions", "150", "--beside", "3"]);
    let mut said = String::new();
    let stdout = hold.0.stdout.as_mut().expect("it is piped");
    BufReader::new(stdout).read_line(&mut said).expect("a line");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["held"], 150);
    assert!(
        hold.0.try_wait().expect("it is a child").is_none(),
        "it holds them"
    );
    drop(hold.0.stdin.take());
    assert!(hold.0.wait().expect("it ends").success());
}
