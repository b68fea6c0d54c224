//! Many at once.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postroad_host::tasks;
use postroad_store::MemoryStore;

use crate::client::Client;
use crate::stand::{Plan, SHARE, Stand, run, until};

#[test]
fn two_hundred_sessions_at_once_each_get_their_messages_in() {
    run(async {
        let stand = Arc::new(Plan::new().start());
        let mut sessions = Vec::new();
        for n in 0..200 {
            let stand = Arc::clone(&stand);
            sessions.push(tasks::spawn(async move {
                let mut client = stand.greeted().await;
                for m in 0..3 {
                    client.expect("MAIL FROM:<me@client.example>", "250 ").await;
                    client.expect("RCPT TO:<both@mx.example>", "250 ").await;
                    client.expect("DATA", "354 ").await;
                    client
                        .expect(&format!("message {n} {m}\r\n."), "250 ")
                        .await;
                }
                client.expect("QUIT", "221 ").await;
                client.ends().await;
            }));
        }
        for session in sessions {
            session.await.unwrap();
        }
        stand.is_empty().await;
        let mut bodies = BTreeSet::new();
        for entry in stand.queued().await {
            assert_eq!(entry.envelope.recipients.len(), 2);
            bodies.insert(stand.octets(&entry).await);
        }
        assert_eq!(bodies.len(), 600);
        assert_eq!(stand.free_budget(), Plan::new().body_budget);
    });
}

#[test]
fn a_client_waits_for_room_before_354_and_goes_on_when_there_is() {
    run(async {
        let mut plan = Plan::new();
        plan.body_budget = 2 * SHARE as usize;
        let stand = plan.start();
        let mut one = stand.in_data().await;
        let two = stand.in_data().await;
        assert_eq!(stand.free_budget(), 0);
        let mut third = stand.with_recipient().await;
        third.send(b"DATA\r\n").await;
        third.hears_nothing_for(Duration::from_millis(200)).await;
        // Who has begun is never kept waiting.
        one.expect("end\r\n.", "250 ").await;
        assert!(third.reply().await.starts_with("354 "));

        // A chunk waits likewise; it is read once there is room.
        let mut fourth = stand.with_recipient().await;
        fourth.send(b"BDAT 4 LAST\r\nabcd").await;
        fourth.hears_nothing_for(Duration::from_millis(200)).await;
        two.reset();
        assert!(fourth.reply().await.starts_with("250 "));
        third.expect("end\r\n.", "250 ").await;
        assert_eq!(stand.free_budget(), 2 * SHARE as usize);
        assert_eq!(stand.queued().await.len(), 3);
    });
}

#[test]
fn a_client_that_leaves_while_it_waits_for_room_takes_none() {
    run(async {
        let mut plan = Plan::new();
        plan.body_budget = SHARE as usize;
        let stand = plan.start();
        let mut one = stand.in_data().await;
        for _ in 0..5 {
            let mut waiting = stand.with_recipient().await;
            waiting.send(b"DATA\r\n").await;
            waiting.reset();
        }
        one.expect("end\r\n.", "250 ").await;
        one.expect("QUIT", "221 ").await;
        drop(one);
        stand.is_empty().await;
        until("the room is free", || stand.free_budget() == SHARE as usize).await;
        assert_eq!(stand.queued().await.len(), 1);
        stand.still_serves().await;
    });
}

#[test]
fn replies_before_a_data_that_waits_for_room_are_not_kept_back() {
    run(async {
        let mut plan = Plan::new();
        plan.body_budget = SHARE as usize;
        let stand = plan.start();
        let mut first = stand.in_data().await;
        let mut second = stand.greeted().await;
        second
            .send(b"MAIL FROM:<me@client.example>\r\nRCPT TO:<ada@mx.example>\r\nDATA\r\n")
            .await;
        assert!(second.reply().await.starts_with("250 2.1.0"));
        assert!(second.reply().await.starts_with("250 2.1.5"));
        second.hears_nothing_for(Duration::from_millis(50)).await;
        first.expect(".", "250 ").await;
        assert!(second.reply().await.starts_with("354 "));
    });
}

#[test]
fn who_holds_all_the_room_and_sends_nothing_keeps_nobody_out() {
    run(async {
        let mut plan = Plan::new();
        plan.body_budget = SHARE as usize;
        plan.limits.room = Duration::from_millis(20);
        let stand = plan.start();
        let mut holder = stand.in_data().await;
        assert_eq!(stand.free_budget(), 0);
        stand.still_serves().await;
        holder.expect("late\r\n.", "250 ").await;
        until("the room is free", || stand.free_budget() == SHARE as usize).await;
    });
}

#[test]
fn who_waits_for_room_that_its_own_network_holds_keeps_no_other_waiting() {
    run(async {
        let mut plan = Plan::new();
        plan.body_budget = 8 * SHARE as usize;
        let stand = plan.start();
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(stand.in_data().await);
        }
        let mut waiting = stand.with_recipient().await;
        waiting.send(b"DATA\r\n").await;
        waiting.hears_nothing_for(Duration::from_millis(200)).await;

        let from = Ipv4Addr::new(127, 1, 0, 1);
        let mut other = Client::connect_from(from, stand.address).await;
        other.reply().await;
        for (line, reply) in [
            ("EHLO other.example", "250-"),
            ("MAIL FROM:<me@other.example>", "250 "),
            ("RCPT TO:<ada@mx.example>", "250 "),
            ("DATA", "354 "),
            (".", "250 "),
        ] {
            other.expect(line, reply).await;
        }
        waiting.hears_nothing_for(Duration::from_millis(50)).await;
        held.remove(0).expect(".", "250 ").await;
        assert!(waiting.reply().await.starts_with("354 "));
    });
}

/// More turns of each other than the six exchanges of a transaction take: the runtime looks for new input
/// only now and then, so that they take some 80.
const TURNS: u64 = 500;
/// Octets of replies to what a session reads in one turn: 16 KiB of NOOPs.
const REPLIES_OF_A_TURN: u64 = (16 * 1024 / 6) * "250 2.0.0 OK\r\n".len() as u64;

#[test]
fn a_crowd_that_never_pauses_leaves_everybody_else_a_turn() {
    run(async {
        let mut plan = Plan::new();
        plan.session.limits.junk_commands = u32::MAX;
        let stand = plan.start();
        // Threads, so that the crowd doesn't take turns with the server.
        let replies = Arc::new(AtomicU64::new(0));
        let crowd: Vec<_> = (0..40).map(|_| never_pauses(&stand, &replies)).collect();
        until("all of them are served", || {
            replies.load(Ordering::Relaxed) > 40 * REPLIES_OF_A_TURN
        })
        .await;
        let before = replies.load(Ordering::Relaxed);
        let mut client = stand.in_data().await;
        client.expect(".", "250 ").await;
        // What others were told meanwhile is a measure that doesn't depend on the machine's speed.
        let meanwhile = replies.load(Ordering::Relaxed) - before;
        for member in &crowd {
            member.shutdown(Shutdown::Both).unwrap();
        }
        let turns = meanwhile / REPLIES_OF_A_TURN / crowd.len() as u64;
        assert!(turns < TURNS, "each other had {turns} turns");
    });
}

/// A client that sends commands as fast as it can, and counts the octets of the replies.
fn never_pauses(stand: &Stand<MemoryStore>, replies: &Arc<AtomicU64>) -> TcpStream {
    let stream = TcpStream::connect(stand.address).unwrap();
    let (mut sends, mut reads) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
    let commands = b"NOOP\r\n".repeat(100_000);
    tasks::thread("sends", move || while sends.write_all(&commands).is_ok() {}).unwrap();
    let replies = Arc::clone(replies);
    tasks::thread("reads", move || {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(read @ 1..) = reads.read(&mut buffer) {
            replies.fetch_add(read as u64, Ordering::Relaxed);
        }
    })
    .unwrap();
    stream
}
