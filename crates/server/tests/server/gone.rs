//! Clients that vanish.

use tokio::io::AsyncWriteExt;

use crate::client::Client;
use crate::stand::{Plan, run};

/// A whole session with two messages, to be cut anywhere.
const SESSION: &[u8] = b"EHLO client.example\r\nMAIL FROM:<me@client.example>\r\n\
    RCPT TO:<ada@mx.example>\r\nRCPT TO:<new@new.example>\r\nDATA\r\nSubject: one\r\n\r\n..\r\n.\r\n\
    MAIL FROM:<>\r\nRCPT TO:<bob@mx.example>\r\nBDAT 3\r\nabcBDAT 4 LAST\r\ndefgQUIT\r\n";

#[test]
fn a_session_cut_anywhere_leaves_whole_messages_or_nothing() {
    run(async {
        let stand = Plan::new().start();
        let first = position(b"\r\n.\r\n") + 5;
        let second = position(b"QUIT");
        let mut expected = 0;
        for cut in 0..=SESSION.len() {
            let mut client = Client::connect(stand.address).await;
            client.send(&SESSION[..cut]).await;
            client.stream.shutdown().await.unwrap();
            let replies = client.rest().await;
            let whole = usize::from(cut >= first) + usize::from(cut >= second);
            let accepted = replies.matches("completed id=").count();
            let accepted = accepted.max(replies.matches("queued as").count());
            expected += whole;
            assert_eq!(
                stand.queued().await.len(),
                expected,
                "{cut}: {replies} {accepted}"
            );
        }
        stand.is_empty().await;
        assert_eq!(stand.free_budget(), Plan::new().body_budget);
        for entry in stand.queued().await {
            let octets = stand.octets(&entry).await;
            assert!(octets == "Subject: one\r\n\r\n.\r\n" || octets == "abcdefg");
        }
    });
}

fn position(of: &[u8]) -> usize {
    SESSION
        .windows(of.len())
        .position(|window| window == of)
        .unwrap()
}

#[test]
fn a_reset_at_any_stage_gives_everything_back() {
    run(async {
        let stand = Plan::new().start();
        for round in 0..20 {
            stand.connected().await.reset();
            stand.greeted().await.reset();
            stand.with_recipient().await.reset();
            let mut client = stand.in_data().await;
            client.send(&b"more of it\r\n".repeat(round * 1000)).await;
            client.reset();
            let mut client = stand.with_recipient().await;
            client.expect("RCPT TO:<new@new.example>", "250 ").await;
            client.send(b"BDAT 100000\r\nabc").await;
            client.reset();
        }
        stand.is_empty().await;
        assert!(stand.queued().await.is_empty());
        assert_eq!(stand.free_budget(), Plan::new().body_budget);
        // The places of mailboxes are free again, both of them.
        let mut client = stand.greeted().await;
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect("RCPT TO:<one@new.example>", "250 ").await;
        client.expect("RCPT TO:<two@new.example>", "250 ").await;
        stand.still_serves().await;
    });
}
