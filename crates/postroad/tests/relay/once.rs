//! What was accepted is sent on once, as long as nothing crashes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::next_hop::{At, Moment, NextHop, Say};
use crate::harness::{Client, Server, count_by};

const MESSAGES: usize = 1000;
const SESSIONS: usize = 50;

const SETTINGS: &str = "
[relay]
trusted_networks = [\"127.0.0.0/8\"]

[delivery]
retry_first = \"1s\"
retry_growth = 1
retry_longest = \"1s\"

[log]
level = \"warn\"
";

/// Slow at times, and too busy at times, at each point at which it can be.
fn moody(moment: &Moment<'_>) -> Say {
    let busy = Say::last("421 4.3.2 too busy");
    match (moment.at, moment.before) {
        (At::Greeting, n) if n % 17 == 5 => busy,
        (At::Hello, n) if n % 19 == 7 => busy,
        (At::Mail, n) if n % 61 == 30 => busy,
        (At::Rcpt, n) if n % 67 == 40 => busy,
        (At::Data, n) if n % 71 == 50 => busy,
        // Not one of these is taken.
        (At::Message, n) if n % 53 == 20 => busy,
        (At::Message, n) if n % 59 == 40 => Say::words("451 4.3.0 not now"),
        (At::Message, n) if n % 23 == 0 => Say::Late(Duration::from_millis(200)),
        // It takes the message and goes.
        (At::Message, n) if n % 29 == 11 => Say::last("250 2.0.0 taken, and bye"),
        (At::Mail, n) if n % 37 == 0 => Say::Late(Duration::from_millis(100)),
        _ => Say::Usual,
    }
}

/// What the clients share.
#[derive(Default)]
struct Run {
    address: Mutex<Option<SocketAddr>>,
    next: AtomicUsize,
    acknowledged: Mutex<BTreeSet<String>>,
    gave_up: AtomicBool,
}

#[test]
fn a_thousand_messages_each_come_once_over_a_drain_and_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let hop = NextHop::with_manner(moody);
    let settings = format!("{SETTINGS}{}", hop.route("*"));
    let run = Arc::new(Run::default());
    let mut server = Server::start(folder.path(), &settings);
    *run.address.lock().expect("no client panics") = Some(server.address);
    let began = Instant::now();
    let clients: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let run = Arc::clone(&run);
            thread::spawn(move || send(&run))
        })
        .collect();

    // In the midst of it, twice.
    for part in [3, 2] {
        server.wait_until("part of the mail", || {
            hop.come().len() > MESSAGES / part / 2
        });
        *run.address.lock().expect("no client panics") = None;
        assert!(server.terminate().success());
        server = Server::start(folder.path(), &settings);
        *run.address.lock().expect("no client panics") = Some(server.address);
    }
    for client in clients {
        client.join().expect("a client panicked");
    }
    assert!(!run.gave_up.load(Ordering::SeqCst));
    server.wait_until("an empty queue", || server.queue().is_empty());
    let acknowledged = run.acknowledged.lock().expect("no client panics");
    let counts = count_by(&hop.taken(), "X-Number:");
    let twice: Vec<_> = counts.iter().filter(|(_, n)| **n > 1).collect();
    println!(
        "{} acknowledged, {} taken by the next hop, {} of them more than once, {} refused for now, \
         {} connections, {:?}",
        acknowledged.len(),
        counts.len(),
        twice.len(),
        hop.come().len() - hop.taken().len(),
        hop.count(At::Greeting),
        began.elapsed()
    );
    assert_eq!(acknowledged.len(), MESSAGES);
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|name| !counts.contains_key(*name))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(twice.is_empty(), "more than once: {twice:?}");
    assert_eq!(counts.len(), MESSAGES);
    assert!(server.terminate().success());
}

/// One client: message after message, until all are acknowledged.
fn send(run: &Run) {
    let end = Instant::now() + 2 * crate::harness::PATIENCE;
    loop {
        let number = run.next.fetch_add(1, Ordering::SeqCst);
        if number >= MESSAGES {
            return;
        }
        while !matches!(send_one(run, number), Ok(true)) {
            if Instant::now() > end {
                run.gave_up.store(true, Ordering::SeqCst);
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Sends a message; whether it was acknowledged. A server that ends in order leaves no doubt.
fn send_one(run: &Run, number: usize) -> std::io::Result<bool> {
    let address = *run.address.lock().expect("no client panics");
    let Some(address) = address else {
        return Ok(false);
    };
    let mut client = Client::open(address)?;
    client.reply()?;
    client.raw(
        b"EHLO client.test\r\nMAIL FROM:<a@client.test>\r\nRCPT TO:<b@far.test>\r\nDATA\r\n",
    )?;
    for _ in 0..4 {
        if client.reply()?.0 >= 400 {
            return Ok(false);
        }
    }
    let name = format!("m{number}");
    let octets = format!(
        "X-Number: {name}\r\n\r\n{}",
        "x".repeat(70).repeat(number % 9)
    );
    client.send_data(octets.as_bytes())?;
    let (code, texts) = client.reply()?;
    match code {
        250 => {
            run.acknowledged
                .lock()
                .expect("no client panics")
                .insert(name);
            Ok(true)
        }
        421 => Ok(false),
        _ => panic!("{code} {texts:?}"),
    }
}

/// A next hop that doesn't answer holds the end up no longer than the drain may take; what is under way is in
/// the spool, and goes with the next start.
#[test]
fn a_silent_next_hop_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let hop = NextHop::with_manner(|moment| match (moment.at, moment.before) {
        (At::Message, 0) => Say::Never,
        _ => Say::Usual,
    });
    let settings = format!(
        "{SETTINGS}{}\n[timeouts]\ndrain = \"1s\"\n",
        hop.route("far.test")
    )
    .replace("\"warn\"", "\"info\"");
    let mut server = Server::start(folder.path(), &settings);
    server.send("r@far.test", b"X-Number: 1\r\n\r\n");
    server.wait_until("the message", || hop.come().len() == 1);
    let began = Instant::now();
    assert!(server.terminate().success());
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(8),
        "{took:?}"
    );
    let stopped = server.wait_for_line(|line| line.contains("server.stopped"));
    assert!(stopped.contains("\"deliveries\":1"), "{stopped}");
    server = Server::start(folder.path(), &settings);
    server.wait_until("an empty queue", || server.queue().is_empty());
    assert_eq!((hop.come().len(), hop.taken().len()), (2, 1));
}
