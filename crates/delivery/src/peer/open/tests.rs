//! A host with several addresses.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test is the server"
)]

use std::time::Instant;

use postroad_host::clock::RealClock;
use postroad_wire::address::{HeloName, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A listener that says this to whoever connects, and 250 to all that it hears.
async fn says(greeting: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(greeting.as_bytes()).await.unwrap();
            if greeting.is_empty() {
                // Silent for longer than anybody waits.
                tokio::spawn(async move { stream.read_u8().await });
            } else if greeting.starts_with("220") {
                let mut heard = [0; 100];
                let _ = stream.read(&mut heard).await;
                let _ = stream.write_all(b"250 mx\r\n").await;
            }
        }
    });
    address
}

/// An address at which nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn open_at(addresses: &[SocketAddr], opening: Duration) -> Result<Connection, NoConnection> {
    let name = HeloName::parse("client.example", &Limits::default()).unwrap();
    let mut settings = Settings::new(name);
    settings.timeouts.opening = opening;
    let peer: Peer = "smtp://mx.example".parse().unwrap();
    let places = addresses.iter().copied().map(Place::Tcp).collect();
    let end = RealClock.mono() + opening;
    open_any(&peer, "mx.example", places, &settings, &RealClock, end).await
}

/// What several addresses lead to: which of them answers, or the verdict's beginning.
async fn outcome(addresses: &[SocketAddr]) -> String {
    match open_at(addresses, Duration::from_secs(20)).await {
        Ok(connection) => {
            let at = connection.peer.address();
            let place = addresses.iter().position(|address| Some(*address) == at);
            format!("number {}", place.unwrap())
        }
        Err(NoConnection { verdict, .. }) => match verdict {
            Verdict::Failed(report) => format!("failed {}", report.reply().unwrap()),
            Verdict::Deferred(report) => format!("deferred {}", report.status().unwrap()),
            Verdict::Delivered { .. } | Verdict::Waits(_) => "something else".to_owned(),
        },
    }
}

#[test]
fn addresses_are_tried_in_their_order_until_one_is_ready() {
    let run = tasks::run(0, async {
        let (ready, other) = (says("220 mx\r\n").await, says("220 mx\r\n").await);
        let busy = says("421 4.3.2 busy\r\n").await;
        let closed = says("554 5.7.1 not you\r\n").await;
        let (lies, nobody) = (says("hello\r\n").await, nobody().await);
        assert_eq!(outcome(&[ready, other]).await, "number 0");
        assert_eq!(outcome(&[nobody, ready]).await, "number 1");
        assert_eq!(
            outcome(&[busy, closed, lies, nobody, ready]).await,
            "number 4"
        );
        // Only what all of them refuse is refused for good.
        assert_eq!(outcome(&[closed, closed]).await, "failed 554 5.7.1 not you");
        assert_eq!(outcome(&[busy, closed]).await, "deferred 4.3.2");
        assert_eq!(outcome(&[closed, nobody]).await, "deferred 4.4.1");
        assert_eq!(outcome(&[]).await, "deferred 4.4.4");
    });
    run.unwrap();
}

#[test]
fn all_addresses_together_have_a_bounded_time() {
    let run = tasks::run(0, async {
        let silent = [says("").await, says("").await, says("220 mx\r\n").await];
        let begun = Instant::now();
        let opened = open_at(&silent, Duration::from_millis(300)).await;
        assert!(begun.elapsed() < Duration::from_secs(5));
        let NoConnection { verdict, feedback } = opened.unwrap_err();
        assert!(matches!(verdict, Verdict::Deferred(_)), "{verdict:?}");
        assert!(matches!(feedback, Feedback::Trouble(_)), "{feedback:?}");
    });
    run.unwrap();
}
