//! Connections that are kept, and what is sent over them once and no more.

use std::time::Duration;

use crate::harness::{carry_to, client, impatient, outcomes, run, thought};
use crate::liar::Liar;

const OPEN: &str = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 PIPELINING\n";
const TAKEN: &str =
    "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nDATA\nS: 250 taken\n";

#[test]
fn a_connection_is_used_again_and_reset_only_when_needed() {
    run(async {
        let refused =
            "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 550 no\nS: 503 nobody\nC: RSET\nS: 250 ok\n";
        let script = format!("{OPEN}{TAKEN}{TAKEN}{refused}{TAKEN}C: QUIT\nS: 221 bye");
        let liar = Liar::start([&script]).await;
        let peers = client(impatient());
        for expected in [
            "Relayed - 250",
            "Relayed - 250",
            "failed - 550",
            "Relayed - 250",
        ] {
            let carried = carry_to(&peers, &liar.smtp(), 1).await;
            assert_eq!(outcomes(&carried), [expected]);
            assert_eq!(peers.idle(), 1);
        }
        peers.drain().await;
        let heard = liar.heard().await;
        assert_eq!((heard.messages.len(), heard.connections), (3, 1));
    });
}

#[test]
fn the_reply_to_a_reset_does_not_hold_up_the_outcome() {
    run(async {
        let refused = "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 550 no\nS: 503 nobody\nC: RSET\nPAUSE\nPAUSE\nS: 250 ok\n";
        let liar = Liar::start([&format!("{OPEN}{refused}{TAKEN}")]).await;
        let peers = client(impatient());
        let begun = std::time::Instant::now();
        assert_eq!(
            outcomes(&carry_to(&peers, &liar.smtp(), 1).await),
            ["failed - 550"]
        );
        assert!(begun.elapsed() < Duration::from_millis(350));
        assert_eq!(
            outcomes(&carry_to(&peers, &liar.smtp(), 1).await),
            ["Relayed - 250"]
        );
        assert_eq!(liar.heard().await.connections, 1);
    });
}

#[test]
fn a_kept_connection_that_does_not_answer_the_reset_is_not_waited_for_long() {
    run(async {
        let refused =
            "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 550 no\nS: 503 nobody\nC: RSET\nEOF";
        let first = format!("{OPEN}{refused}");
        let second = format!("{OPEN}{TAKEN}");
        let liar = Liar::start([&first, &second]).await;
        let mut settings = impatient();
        settings.timeouts.session.command = Duration::from_secs(300);
        let peers = client(settings);
        assert_eq!(
            outcomes(&carry_to(&peers, &liar.smtp(), 1).await),
            ["failed - 550"]
        );
        let begun = std::time::Instant::now();
        assert_eq!(
            outcomes(&carry_to(&peers, &liar.smtp(), 1).await),
            ["Relayed - 250"]
        );
        assert!(begun.elapsed() < Duration::from_secs(5));
        peers.drain().await;
        assert_eq!(liar.heard().await.connections, 2);
    });
}

#[test]
fn a_kept_connection_that_was_closed_is_replaced_once() {
    run(async {
        for closing in [
            // At once; after a farewell; when it hears MAIL; in answer to it; and when RCPT comes.
            "",
            "S: 421 idle",
            "C: MAIL",
            "C: MAIL\nS: 421 idle",
            "C: MAIL\nS: 250 ok",
        ] {
            let first = format!("{OPEN}{TAKEN}{closing}");
            let second = format!("{OPEN}{TAKEN}");
            let liar = Liar::start([&first, &second]).await;
            let peers = client(impatient());
            assert_eq!(
                outcomes(&carry_to(&peers, &liar.smtp(), 1).await),
                ["Relayed - 250"]
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            let carried = carry_to(&peers, &liar.smtp(), 1).await;
            assert_eq!(outcomes(&carried), ["Relayed - 250"], "{closing}");
            let heard = liar.heard().await;
            assert_eq!(
                (heard.messages.len(), heard.connections),
                (2, 2),
                "{closing}"
            );
        }
    });
}

#[test]
fn a_new_connection_that_is_closed_is_not_replaced() {
    run(async {
        let first = format!("{OPEN}{TAKEN}C: MAIL");
        let second = format!("{OPEN}C: MAIL");
        let liar = Liar::start([&first, &second, OPEN]).await;
        let peers = client(impatient());
        carry_to(&peers, &liar.smtp(), 1).await;
        let carried = carry_to(&peers, &liar.smtp(), 1).await;
        assert_eq!(
            outcomes(&carried),
            ["deferred 4.4.2 the connection was lost"]
        );
        assert_eq!(thought(&carried), "trouble");
        assert_eq!(liar.heard().await.connections, 2);
    });
}

#[test]
fn nothing_is_said_again_once_recipients_were_answered() {
    run(async {
        let envelope = "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\n";
        for (lost, copies) in [
            (envelope.to_owned(), 1),
            (format!("{envelope}S: 354 go"), 1),
            (format!("{envelope}S: 354 go\nDATA"), 2),
        ] {
            let first = format!("{OPEN}{TAKEN}{lost}");
            let liar = Liar::start([&first, &format!("{OPEN}{TAKEN}")]).await;
            let peers = client(impatient());
            carry_to(&peers, &liar.smtp(), 1).await;
            let carried = carry_to(&peers, &liar.smtp(), 1).await;
            assert_eq!(
                outcomes(&carried),
                ["deferred 4.4.2 the connection was lost"]
            );
            let heard = liar.heard().await;
            assert_eq!(
                (heard.messages.len(), heard.connections),
                (copies, 1),
                "{lost}"
            );
        }
    });
}

#[test]
fn a_connection_carries_so_many_messages_and_no_more() {
    run(async {
        let session = format!("{OPEN}{TAKEN}{TAKEN}C: QUIT\nS: 221 bye\nEOF");
        let liar = Liar::start([&session, &session]).await;
        let mut settings = impatient();
        settings.keep.messages = 2;
        let peers = client(settings);
        for left in [1, 0, 1, 0] {
            assert_eq!(
                outcomes(&carry_to(&peers, &liar.smtp(), 1).await),
                ["Relayed - 250"]
            );
            assert_eq!(peers.idle(), left);
        }
        let heard = liar.heard().await;
        assert_eq!((heard.messages.len(), heard.connections), (4, 2));
    });
}

#[test]
fn a_connection_that_nobody_uses_is_ended_with_quit() {
    run(async {
        let session = format!("{OPEN}{TAKEN}C: QUIT\nS: 221 bye\nEOF");
        let liar = Liar::start([&session, &session]).await;
        let mut settings = impatient();
        settings.keep.idle = Duration::from_millis(50);
        let peers = client(settings);
        // Twice: the task that ends them begins anew.
        for connections in [1, 2] {
            carry_to(&peers, &liar.smtp(), 1).await;
            assert_eq!(peers.idle(), 1);
            let heard = liar.heard().await;
            assert_eq!(heard.connections, connections);
            assert_eq!(peers.idle(), 0);
        }
    });
}

#[test]
fn so_many_are_kept_and_no_more() {
    run(async {
        let session = format!("{OPEN}PAUSE\n{TAKEN}C: QUIT\nS: 221 bye\nEOF");
        let scripts = [session.as_str(); 4];
        let liar = Liar::start(scripts).await;
        let mut settings = impatient();
        settings.keep.most_idle = 2;
        let peers = client(settings);
        let to = liar.smtp();
        let carried = tokio::join!(
            carry_to(&peers, &to, 1),
            carry_to(&peers, &to, 1),
            carry_to(&peers, &to, 1),
            carry_to(&peers, &to, 1),
        );
        assert_eq!(outcomes(&carried.0), ["Relayed - 250"]);
        assert_eq!(peers.idle(), 2);
        peers.drain().await;
        let heard = liar.heard().await;
        assert_eq!((heard.messages.len(), heard.connections), (4, 4));
    });
}

#[test]
fn after_a_drain_nothing_is_kept() {
    run(async {
        let session = format!("{OPEN}{TAKEN}C: QUIT\nS: 221 bye\nEOF");
        let liar = Liar::start([&session]).await;
        let peers = client(impatient());
        peers.drain().await;
        assert_eq!(
            outcomes(&carry_to(&peers, &liar.smtp(), 1).await),
            ["Relayed - 250"]
        );
        assert_eq!(peers.idle(), 0);
        liar.heard().await;
    });
}

#[test]
fn a_peer_that_ignores_quit_holds_up_a_drain_for_a_bounded_time() {
    run(async {
        let liar = Liar::start([&format!("{OPEN}{TAKEN}C: QUIT\nEOF")]).await;
        let peers = client(impatient());
        carry_to(&peers, &liar.smtp(), 1).await;
        let begun = std::time::Instant::now();
        peers.drain().await;
        assert!(begun.elapsed() < Duration::from_secs(3));
        liar.heard().await;
    });
}

#[test]
fn connections_to_different_peers_are_kept_apart() {
    run(async {
        let one = Liar::start([&format!("{OPEN}{TAKEN}{TAKEN}")]).await;
        let other = Liar::start([&format!("{OPEN}{TAKEN}{TAKEN}")]).await;
        let peers = client(impatient());
        for liar in [&one, &other, &one, &other] {
            assert_eq!(
                outcomes(&carry_to(&peers, &liar.smtp(), 1).await),
                ["Relayed - 250"]
            );
        }
        assert_eq!(one.heard().await.connections, 1);
        assert_eq!(other.heard().await.connections, 1);
    });
}

#[test]
fn an_attempt_that_is_dropped_never_ends_the_message() {
    run(async {
        let begun = "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nPAUSE\nPAUSE\nS: 250 ok\nS: 354 go\nEOF";
        let liar = Liar::start([&format!("{OPEN}{begun}")]).await;
        let peers = client(impatient());
        let to = liar.smtp();
        tokio::select! {
            carried = carry_to(&peers, &to, 1) => panic!("{carried:?}"),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
        let heard = liar.heard().await;
        assert_eq!(heard.messages.len(), 0);
        assert_eq!(
            heard.lines.last().map(String::as_str),
            Some(""),
            "{heard:?}"
        );
        assert_eq!(peers.idle(), 0);
    });
}

#[test]
fn an_attempt_can_be_a_task_of_its_own() {
    fn is_send<T: Send>(_: &T) {}
    run(async {
        let peers = client(impatient());
        is_send(&carry_to(&peers, "smtp://127.0.0.1:25", 1));
        is_send(&peers.drain());
    });
}
