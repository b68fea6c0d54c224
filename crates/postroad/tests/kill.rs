//! The promise of the 250, against SIGKILL: clients send numbered messages without pause, the
//! server is killed at random moments and started again on the same folder, and in the end every
//! acknowledged message is in its mailbox.
//!
//! The page cache survives a SIGKILL, so this says nothing about fsync; `tools/sim` does that.
//! `POSTROAD_KILLS` sets how many times the server is killed.

// A test from the outside: it has real time, files, sockets and processes, and prints what it did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod harness;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use harness::{Client, Server, count_by};

const CLIENTS: usize = 8;
const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
create_mailboxes = true

[spool]
segment_size = \"1 MiB\"
body_file_threshold = \"16 KiB\"

[log]
level = \"warn\"
";

/// What the clients share.
#[derive(Default)]
struct Run {
    address: Mutex<Option<SocketAddr>>,
    enough: AtomicBool,
    ledger: Mutex<Ledger>,
}

/// What each message's fate is, as far as its client knows.
#[derive(Default)]
struct Ledger {
    acknowledged: BTreeSet<String>,
    /// The end of data was sent and no reply came.
    in_doubt: BTreeSet<String>,
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let kills: usize = std::env::var("POSTROAD_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3);
    let folder = tempfile::tempdir().expect("a folder");
    let run = Arc::new(Run::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let run = Arc::clone(&run);
            thread::spawn(move || send_without_pause(&run, client))
        })
        .collect();

    // A small generator of our own keeps the moments apart without a dependency; the seed is
    // printed so that a bad run can at least be described.
    let mut seed = u64::from(std::process::id()) | 1;
    println!("kills: {kills}, seed: {seed}");
    for _ in 0..kills {
        let server = Server::start(folder.path(), SETTINGS);
        *run.address.lock().expect("no client panics") = Some(server.address);
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(50 + (seed >> 33) % 450));
        *run.address.lock().expect("no client panics") = None;
        server.kill();
    }

    // The last start: everything still owed is delivered.
    let mut server = Server::start(folder.path(), SETTINGS);
    *run.address.lock().expect("no client panics") = Some(server.address);
    thread::sleep(Duration::from_millis(300));
    run.enough.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("a client panicked");
    }
    let ledger = run.ledger.lock().expect("no client panics");
    wait_until_delivered(&server, &ledger);
    assert!(server.terminate().success());

    let found = harness::messages(&server.data);
    let counts = count_by(&found, "X-Number:");
    let twice = counts.values().filter(|n| **n > 1).count();
    println!(
        "acknowledged {}, in doubt {}, delivered {}, of them more than once {twice}",
        ledger.acknowledged.len(),
        ledger.in_doubt.len(),
        counts.len()
    );
    assert!(
        ledger.acknowledged.len() > kills * 10,
        "too few messages to mean anything"
    );
    for name in &ledger.acknowledged {
        assert!(
            counts.contains_key(name),
            "{name} was acknowledged and is lost"
        );
    }
    for name in counts.keys() {
        assert!(
            ledger.acknowledged.contains(name) || ledger.in_doubt.contains(name),
            "{name} was delivered, and nobody had sent it to its end"
        );
    }
    for message in &found {
        let name = message.line_after("X-Number:").expect("counted above");
        assert_eq!(
            message.received(),
            octets_of(&name),
            "{name} is not what was sent"
        );
    }
    assert_eq!(
        queued_at_start(folder.path()),
        0,
        "the spool is not empty at the end"
    );
}

/// Starts the server once more and reads from its log how many messages the spool held.
fn queued_at_start(folder: &std::path::Path) -> u64 {
    let settings = SETTINGS.replace("level = \"warn\"", "level = \"info\"\nformat = \"json\"");
    let server = Server::start(folder, &settings);
    let line = server.wait_for_line(|line| line.contains("spool.opened"));
    let (_, rest) = line
        .split_once("\"messages\":")
        .unwrap_or_else(|| panic!("no count in {line}"));
    rest.chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .expect("a count")
}

fn wait_until_delivered(server: &Server, ledger: &Ledger) {
    for _ in 0..600 {
        let counts = count_by(&harness::messages(&server.data), "X-Number:");
        if ledger
            .acknowledged
            .iter()
            .all(|name| counts.contains_key(name))
        {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// One client: connection after connection, message after message.
fn send_without_pause(run: &Run, client: usize) {
    let mut number = 0usize;
    while !run.enough.load(Ordering::SeqCst) {
        let address = *run.address.lock().expect("no client panics");
        let Some(address) = address else {
            thread::sleep(Duration::from_millis(2));
            continue;
        };
        // An error is a killed server: the next round finds the new one.
        let _ = one_connection(run, client, &mut number, address);
    }
}

fn one_connection(
    run: &Run,
    client: usize,
    number: &mut usize,
    address: SocketAddr,
) -> std::io::Result<()> {
    let mut connection = Client::open(address)?;
    connection.reply()?;
    connection.line("EHLO client.test")?;
    connection.reply()?;
    while !run.enough.load(Ordering::SeqCst) {
        *number += 1;
        let name = format!("{client}-{number}");
        let batch = format!("MAIL FROM:<>\r\nRCPT TO:<box{client}@example.test>\r\nDATA\r\n");
        connection.raw(batch.as_bytes())?;
        for expected in [250, 250, 354] {
            let (code, texts) = connection.reply()?;
            assert_eq!(code, expected, "{texts:?}");
        }
        // From the first octet of the data on, nobody can say what the server has.
        run.ledger
            .lock()
            .expect("no client panics")
            .in_doubt
            .insert(name.clone());
        connection.send_data(&octets_of(&name))?;
        let (code, texts) = connection.reply()?;
        assert_eq!(code, 250, "{texts:?}");
        let mut ledger = run.ledger.lock().expect("no client panics");
        ledger.in_doubt.remove(&name);
        ledger.acknowledged.insert(name);
    }
    connection.line("QUIT")?;
    connection.reply()?;
    Ok(())
}

/// The message of a name: every seventh is long enough for a body file.
fn octets_of(name: &str) -> Vec<u8> {
    let (_, number) = name.split_once('-').expect("client-number");
    let number: usize = number.parse().expect("a number");
    let lines = if number.is_multiple_of(7) {
        400
    } else {
        number % 20
    };
    let mut text = format!("Subject: message {name}\r\nX-Number: {name}\r\n\r\n");
    for line in 0..lines {
        text.push_str(&format!("{name} line {line} {}\r\n", "x".repeat(60)));
    }
    text.into_bytes()
}
