//! The promise of the 250, against SIGKILL: clients send numbered messages without pause, the
//! server is killed at random moments and started again on the same folder, and in the end every
//! acknowledged message is in its mailbox, or has reached the next hop. What the next hop took just before
//! the server was killed comes again, as nothing on this side of it can know; how often is printed.
//!
//! The page cache survives a SIGKILL, so this says nothing about fsync; `tools/sim` does that.
//! `POSTROAD_KILLS` sets how many times the server is killed, `POSTROAD_SEED` when.

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

use harness::next_hop::{At, NextHop, Say};
use harness::{Client, Delivered, Server, count_by};

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

const RELAYING: &str = "
[relay]
trusted_networks = [\"127.0.0.0/8\"]

[delivery]
retry_first = \"1s\"
";

/// Where the mail goes.
struct Way {
    settings: String,
    /// For whom a client's message of this number is.
    recipients: fn(usize, usize) -> Vec<String>,
    /// What there is in the end, and of which messages: by a name for it.
    ends: Vec<(&'static str, End)>,
}

/// What there is at an end.
type Found = Box<dyn Fn(&Server) -> Vec<Delivered>>;

/// Where mail ends.
struct End {
    found: Found,
    /// Whether the message of this number is for it.
    takes: fn(usize) -> bool,
}

/// What the clients share.
struct Run {
    address: Mutex<Option<SocketAddr>>,
    enough: AtomicBool,
    ledger: Mutex<Ledger>,
    recipients: fn(usize, usize) -> Vec<String>,
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
    let mailboxes = End {
        found: Box::new(|server| harness::messages(&server.data)),
        takes: |_| true,
    };
    kill_again_and_again(&Way {
        settings: SETTINGS.to_owned(),
        recipients: |client, _| vec![format!("box{client}@example.test")],
        ends: vec![("mailboxes", mailboxes)],
    });
}

#[test]
fn what_was_acknowledged_reaches_the_next_hop_through_every_kill() {
    let hop = NextHop::with_manner(|moment| match (moment.at, moment.before % 40) {
        // Time for a kill between its answer and what becomes of that.
        (At::Message, 0..8) => Say::Late(Duration::from_millis(20)),
        (At::Message, 20) => Say::last("421 4.3.2 going down"),
        (At::Mail, 30) => Say::last("421 4.3.2 going down"),
        _ => Say::Usual,
    });
    let settings = format!("{RELAYING}{SETTINGS}{}", hop.route("far.test"));
    let far = End {
        found: Box::new(move |_| hop.taken()),
        takes: |_| true,
    };
    let mailboxes = End {
        found: Box::new(|server| harness::messages(&server.data)),
        takes: |number| number.is_multiple_of(3),
    };
    kill_again_and_again(&Way {
        settings,
        recipients: |client, number| {
            let mut all = vec![format!("box{client}@far.test")];
            if number.is_multiple_of(3) {
                all.push(format!("box{client}@example.test"));
            }
            all
        },
        ends: vec![("next hop", far), ("mailboxes", mailboxes)],
    });
}

fn kill_again_and_again(way: &Way) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let kills = number("POSTROAD_KILLS").unwrap_or(3);
    let seed = number("POSTROAD_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("kills: {kills}, seed: {seed}");
    let folder = tempfile::tempdir().expect("a folder");
    let run = Arc::new(Run {
        address: Mutex::default(),
        enough: AtomicBool::default(),
        ledger: Mutex::default(),
        recipients: way.recipients,
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let run = Arc::clone(&run);
            thread::spawn(move || send_without_pause(&run, client))
        })
        .collect();

    // A small generator of our own keeps the moments apart without a dependency. The seed gives the
    // same moments again, though not the same threads in them.
    let mut random = seed | 1;
    for _ in 0..kills {
        let server = Server::start(folder.path(), &way.settings);
        *run.address.lock().expect("no client panics") = Some(server.address);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(50 + (random >> 33) % 450));
        *run.address.lock().expect("no client panics") = None;
        server.kill();
    }

    // The last start: everything still owed is delivered.
    let mut server = Server::start(folder.path(), &way.settings);
    *run.address.lock().expect("no client panics") = Some(server.address);
    thread::sleep(Duration::from_millis(300));
    run.enough.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("a client panicked");
    }
    let ledger = run.ledger.lock().expect("no client panics");
    wait_until_empty(&server);
    assert!(server.terminate().success());

    let mut wrong = Vec::new();
    for (name, end) in &way.ends {
        let found = (end.found)(&server);
        wrong.extend(compare(name, &found, &ledger, end.takes));
    }
    if ledger.acknowledged.len() as u64 <= kills * 10 {
        wrong.push("too few messages to mean anything".into());
    }
    let queued = still_queued(&folder, &way.settings);
    if queued != 0 {
        wrong.push(format!("{queued} messages are still in the spool"));
    }
    if !wrong.is_empty() {
        let kept = folder.keep();
        panic!(
            "seed {seed}, {kills} kills; spool and mailboxes are kept in {}:\n{}",
            kept.display(),
            wrong.join("\n")
        );
    }
}

/// What is wrong with what there is in the end, by what the clients know.
fn compare(
    end: &str,
    found: &[Delivered],
    ledger: &Ledger,
    takes: fn(usize) -> bool,
) -> Vec<String> {
    let counts = count_by(found, "X-Number:");
    let twice = counts.values().filter(|n| **n > 1).count();
    println!(
        "{end}: acknowledged {}, in doubt {}, delivered {}, of them more than once {twice}",
        ledger
            .acknowledged
            .iter()
            .filter(|name| takes(number_of(name)))
            .count(),
        ledger
            .in_doubt
            .iter()
            .filter(|name| takes(number_of(name)))
            .count(),
        counts.len()
    );
    let lost = ledger.acknowledged.iter();
    let lost = lost.filter(|name| takes(number_of(name)) && !counts.contains_key(*name));
    let lost = lost.map(|name| format!("lost: {name} was acknowledged and did not come to {end}"));
    let sent = |name: &&String| {
        let known = ledger.acknowledged.contains(*name) || ledger.in_doubt.contains(*name);
        known && takes(number_of(name))
    };
    let never = counts.keys().filter(|name| !sent(name));
    let never = never.map(|name| format!("too much: {name} came, and was never sent to its end"));
    let altered = found.iter().filter_map(|message| {
        let name = message.line_after("X-Number:")?;
        (message.received() != octets_of(&name))
            .then(|| format!("altered: {name}, in {}", message.path.display()))
    });
    lost.chain(never).chain(altered).collect()
}

/// How many messages a new start finds in the spool.
fn still_queued(folder: &tempfile::TempDir, settings: &str) -> u64 {
    let settings = settings.replace("\"warn\"", "\"info\"");
    let server = Server::start(folder.path(), &settings);
    let opened = server.wait_for_line(|line| line.contains("\"spool.opened\""));
    let (_, after) = opened
        .split_once("\"messages\":")
        .expect("how many there are");
    let digits = after.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|d| d.parse().ok()).expect("a number")
}

/// As long as it takes at most; what is missing then, the comparison finds.
fn wait_until_empty(server: &Server) {
    for _ in 0..600 {
        if server.queue().is_empty() {
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
        let mut batch = "MAIL FROM:<>\r\n".to_owned();
        let recipients = (run.recipients)(client, *number);
        for recipient in &recipients {
            batch.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        connection.raw(format!("{batch}DATA\r\n").as_bytes())?;
        for at in 0..recipients.len() + 2 {
            let expected = if at > recipients.len() { 354 } else { 250 };
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
    let number = number_of(name);
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

fn number_of(name: &str) -> usize {
    let (_, number) = name.split_once('-').expect("client-number");
    number.parse().expect("a number")
}
