//! Clients that are slow, silent, endless, or talk out of turn.

use std::time::Duration;

use postroad_host::tasks;
use tokio::io::AsyncWriteExt;

use crate::client::Client;
use crate::stand::{Plan, run, until};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_message_byte_by_byte_is_a_message() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.connected().await;
        let input = b"EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<ada@mx.example>\r\nDATA\r\n";
        for octet in input {
            client.send(&[*octet]).await;
            tokio::task::yield_now().await;
        }
        for beginning in ["250-", "250 2.1.0 ", "250 2.1.5 ", "354 "] {
            let reply = client.reply().await;
            assert!(reply.starts_with(beginning), "{reply}");
        }
        for octet in b"..slow\r\n.\r\n" {
            client.send(&[*octet]).await;
            tasks::sleep(Duration::from_millis(1)).await;
        }
        assert!(client.reply().await.starts_with("250 "));
        let queued = stand.queued().await;
        assert_eq!(stand.octets(&queued[0]).await, ".slow\r\n");
    });
}

#[test]
fn a_silent_client_is_told_and_left() {
    run(async {
        let mut plan = Plan::new();
        plan.session.timeouts.command = SHORT;
        plan.session.timeouts.data = SHORT;
        let stand = plan.start();
        let clients = [
            stand.connected().await,
            stand.with_recipient().await,
            stand.in_data().await,
        ];
        for mut client in clients {
            let reply = client.reply().await;
            assert!(reply.starts_with("421 "), "{reply}");
            client.ends().await;
        }
        stand.is_empty().await;
        assert!(stand.queued().await.is_empty());
        stand.still_serves().await;
    });
}

#[test]
fn a_command_has_to_be_whole_in_time_however_busily_its_octets_come() {
    run(async {
        let mut plan = Plan::new();
        plan.session.timeouts.command = SHORT;
        let stand = plan.start();
        let mut trickling = stand.connected().await;
        while trickling.stream.write_all(b"N").await.is_ok() {
            tasks::sleep(Duration::from_millis(20)).await;
        }
        let said = trickling.rest().await;
        assert!(said.starts_with("421 mx.example Time-out"), "{said}");

        // There always is something to read here: looking for input first must not hide the time.
        let mut endless = stand.connected().await;
        let line = vec![b'x'; 1 << 20];
        let flood = async { while endless.stream.write_all(&line).await.is_ok() {} };
        tasks::timeout(Duration::from_secs(20), flood)
            .await
            .unwrap();
        stand.still_serves().await;
    });
}

#[test]
fn a_client_that_never_stops_sending_does_not_outlast_its_lifetime() {
    run(async {
        let mut plan = Plan::new();
        plan.session.limits.lifetime = Duration::from_secs(1);
        plan.session.limits.message_size = u64::MAX / 4;
        let stand = plan.start();
        let mut client = stand.in_data().await;
        let lines = "all work and no play\r\n".repeat(1000);
        let flood = async { while client.stream.write_all(lines.as_bytes()).await.is_ok() {} };
        tasks::timeout(Duration::from_secs(20), flood)
            .await
            .unwrap();
        stand.is_empty().await;
        assert!(stand.queued().await.is_empty());
    });
}

#[test]
fn a_client_that_never_reads_is_left_and_holds_no_more_than_the_sockets_do() {
    run(async {
        let mut plan = Plan::new();
        plan.limits.write = SHORT;
        plan.session.limits.junk_commands = u32::MAX;
        let stand = plan.start();
        let mut client = stand.connected().await;
        let noops = b"NOOP\r\n".repeat(10_000);
        let mut sent = 0usize;
        while client.stream.write_all(&noops).await.is_ok() {
            sent += noops.len();
            // The system's buffers take some megabytes; a server that kept on reading would take all.
            assert!(sent < 64 << 20, "the server reads on and on");
        }
        stand.is_empty().await;
        stand.still_serves().await;
    });
}

#[test]
fn a_flood_of_commands_ends_in_421_that_arrives() {
    run(async {
        let stand = Plan::new().start();
        for flood in [
            "NOOP\r\n",
            "RSET\r\n",
            "WHAT\r\n",
            "\r\n",
            "VRFY x\r\n",
            "MAIL\r\n",
        ] {
            let mut client = stand.greeted().await;
            // Written to the end before anything is read, as a careless client does it.
            client.send(flood.repeat(1_000_000).as_bytes()).await;
            let replies = client.rest().await;
            let last = replies.lines().last().unwrap_or_default();
            assert!(
                last.starts_with("421 4.7.0 mx.example "),
                "{flood:?}: {last}"
            );
            let answered = replies.lines().count();
            assert!(answered <= 102, "{flood:?}: {answered}");
        }
        stand.still_serves().await;
        stand.is_empty().await;
    });
}

#[test]
fn octets_of_no_protocol_at_all_end_in_421() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.connected().await;
        let noise: Vec<u8> = (0..4_000_000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8)
            .collect();
        client.send(&noise).await;
        client.send(&b"\x16\x03\x01\x00\r\n".repeat(100)).await;
        let replies = client.rest().await;
        assert!(
            replies
                .lines()
                .all(|line| line.starts_with("500 ") || line.starts_with("421 "))
        );
        assert!(
            replies
                .lines()
                .last()
                .is_some_and(|line| line.starts_with("421 "))
        );
        stand.still_serves().await;
    });
}

#[test]
fn a_client_that_talks_before_the_greeting_is_answered_and_the_next_one_served() {
    run(async {
        let stand = Plan::new().start();
        let mut client = Client::connect(stand.address).await;
        client.send(b"EHLO early.example\r\nQUIT\r\n").await;
        let replies = client.rest().await;
        let first = &replies[..4];
        assert!(first == "220 " || first == "421 ", "{replies}");
        stand.still_serves().await;
    });
}

#[test]
fn a_client_that_closes_its_side_still_hears_its_replies() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        let all = b"MAIL FROM:<>\r\nRCPT TO:<ada@mx.example>\r\nBDAT 3 LAST\r\nabc";
        client.send(all).await;
        client.stream.shutdown().await.unwrap();
        let replies = client.rest().await;
        let codes: Vec<_> = replies.lines().map(|line| &line[..9]).collect();
        assert_eq!(codes, ["250 2.1.0", "250 2.1.5", "250 2.0.0"]);
        assert_eq!(stand.queued().await.len(), 1);
        stand.is_empty().await;
    });
}

#[test]
fn what_was_sent_after_quit_does_not_cost_the_client_its_221() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        let rest = "NOOP\r\n".repeat(200_000);
        client.send(format!("QUIT\r\n{rest}").as_bytes()).await;
        // Time enough for a reset to arrive.
        tasks::sleep(Duration::from_millis(200)).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("221 2.0.0 "), "{reply}");
        client.ends().await;
        let quit = tokio::time::Instant::now();
        drop(client);
        until("it is gone", || stand.server.remaining().connections == 0).await;
        assert!(quit.elapsed() < Duration::from_secs(5));
    });
}
