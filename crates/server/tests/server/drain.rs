//! The end of the server.

use std::time::Duration;

use postroad_host::tasks;
use postroad_server::Remaining;
use postroad_store::QueueStore;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::client::Client;
use crate::faulty::Faulty;
use crate::stand::{Plan, SHARE, Stand, run, until};

const PATIENCE: Duration = Duration::from_secs(10);

/// Begins a drain beside the test.
fn drain<S: QueueStore>(stand: Stand<S>, patience: Duration) -> tasks::Task<Drained> {
    tasks::spawn(async move {
        let began = Instant::now();
        let mut told = Vec::new();
        stand
            .server
            .drain(patience, |remaining| told.push(remaining))
            .await;
        Drained {
            told,
            took: began.elapsed(),
            left: stand.server.remaining(),
        }
    })
}

/// What came of a drain.
struct Drained {
    told: Vec<Remaining>,
    took: Duration,
    left: Remaining,
}

const NOBODY: Remaining = Remaining {
    connections: 0,
    receiving: 0,
};

async fn is_told(client: &mut Client) {
    let reply = client.reply().await;
    assert!(reply.starts_with("421 "), "{reply}");
    assert!(
        reply.contains("mx.example Service not available"),
        "{reply}"
    );
    client.ends().await;
}

#[test]
fn who_is_not_sending_a_message_is_told_at_once() {
    run(async {
        let stand = Plan::new().start();
        let (address, store) = (stand.address, stand.store.clone());
        let mut clients = [
            stand.connected().await,
            stand.greeted().await,
            stand.with_recipient().await,
        ];
        let began = Instant::now();
        let draining = drain(stand, PATIENCE);
        for client in &mut clients {
            is_told(client).await;
        }
        assert!(began.elapsed() < Duration::from_secs(1));
        // None of them has closed its side, and that isn't waited for long.
        let drained = draining.await.unwrap();
        let connections = Remaining {
            connections: 3,
            receiving: 0,
        };
        assert_eq!(drained.told.first(), Some(&connections));
        assert_eq!(drained.left, NOBODY);
        assert!(drained.took < PATIENCE / 2, "{:?}", drained.took);
        assert!(store.page(None, 10).await.unwrap().is_empty());
        let entry = TcpStream::connect(address).await;
        assert!(entry.is_err(), "nobody is let in");
    });
}

#[test]
fn a_message_on_its_way_comes_to_its_end_and_none_after_it() {
    run(async {
        let stand = Plan::new().start();
        let store = stand.store.clone();
        let mut data = stand.in_data().await;
        let mut chunks = stand.with_recipient().await;
        chunks.send(b"BDAT 3\r\nabc").await;
        assert!(chunks.reply().await.starts_with("250 "));
        let draining = drain(stand, PATIENCE);
        data.hears_nothing_for(Duration::from_millis(200)).await;
        // What is pipelined behind the message isn't begun any more.
        data.send(b"last line\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<ada@mx.example>\r\nDATA\r\n")
            .await;
        assert!(data.reply().await.starts_with("250 "));
        is_told(&mut data).await;
        chunks.send(b"BDAT 3 LAST\r\ndef").await;
        assert!(chunks.reply().await.starts_with("250 "));
        is_told(&mut chunks).await;
        drop((data, chunks));
        let drained = draining.await.unwrap();
        let receiving = Remaining {
            connections: 2,
            receiving: 2,
        };
        assert_eq!(drained.told.first(), Some(&receiving));
        assert!(drained.took < PATIENCE, "{:?}", drained.took);
        assert_eq!(store.page(None, 10).await.unwrap().len(), 2);
    });
}

#[test]
fn a_commit_on_its_way_is_answered() {
    run(async {
        let store = Faulty::new();
        let stand = Plan::with_store(store.clone()).start();
        let mut client = stand.in_data().await;
        store.commits.forget_permits(usize::MAX);
        client.send(b"last line\r\n.\r\n").await;
        tasks::sleep(Duration::from_millis(100)).await;
        // Longer than the server's patience, but not than it takes for last words.
        let draining = drain(stand, Duration::from_millis(100));
        tasks::sleep(Duration::from_millis(500)).await;
        store.commits.add_permits(1);
        let reply = client.reply().await;
        assert!(reply.starts_with("250 2.0.0 "), "{reply}");
        is_told(&mut client).await;
        drop(client);
        draining.await.unwrap();
        assert_eq!(store.inner.page(None, 10).await.unwrap().len(), 1);
    });
}

#[test]
fn patience_has_an_end() {
    run(async {
        let stand = Plan::new().start();
        let store = stand.store.clone();
        let mut idle_sender = stand.in_data().await;
        let mut busy_sender = stand.in_data().await;
        let draining = drain(stand, Duration::from_millis(300));
        let busy = async {
            let lines = b"and on\r\n".repeat(100);
            while busy_sender
                .stream
                .try_write(&lines)
                .is_ok_and(|n| n == lines.len())
                && !draining.is_finished()
            {
                tasks::sleep(Duration::from_millis(10)).await;
            }
            busy_sender.rest().await
        };
        let (said, idle) = tokio::join!(busy, idle_sender.reply());
        assert!(said.starts_with("421 4.3.2 "), "{said}");
        assert!(idle.starts_with("421 4.3.2 "), "{idle}");
        let drained = draining.await.unwrap();
        assert_eq!(drained.left, NOBODY);
        assert!(drained.took < Duration::from_secs(5), "{:?}", drained.took);
        assert!(store.page(None, 10).await.unwrap().is_empty());
    });
}

#[test]
fn who_waits_for_room_or_takes_no_replies_does_not_hold_up_the_end() {
    run(async {
        let mut plan = Plan::new();
        plan.body_budget = SHARE as usize;
        plan.limits.write = Duration::from_secs(600);
        plan.session.limits.junk_commands = u32::MAX;
        let stand = plan.start();
        let holder = stand.in_data().await;
        let mut waiting = stand.with_recipient().await;
        waiting.send(b"DATA\r\n").await;
        let deaf = stand.connected().await;
        let noops = b"NOOP\r\n".repeat(10_000);
        let mut idle = 0;
        while idle < 30 {
            match deaf.stream.try_write(&noops) {
                Ok(_) => idle = 0,
                Err(_) => {
                    idle += 1;
                    tasks::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        let draining = drain(stand, Duration::from_millis(500));
        let said = waiting.rest().await;
        assert!(said.starts_with("451 4.3.0 "), "{said}");
        assert!(said.contains("\r\n421 "), "{said}");
        let drained = draining.await.unwrap();
        assert_eq!(drained.left, NOBODY);
        assert!(drained.took < Duration::from_secs(5), "{:?}", drained.took);
        drop((holder, deaf));
    });
}

#[test]
fn a_server_that_is_dropped_ends_its_sessions() {
    run(async {
        let Stand {
            server,
            address,
            services,
            ..
        } = Plan::new().start();
        let mut client = Client::connect(address).await;
        assert!(client.reply().await.starts_with("220 "));
        drop(server);
        is_told(&mut client).await;
        drop(client);
        until("nothing holds the services", || {
            std::sync::Arc::strong_count(&services) == 1
        })
        .await;
    });
}
