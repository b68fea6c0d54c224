//! A message on its way into the store, to the octet.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_directory::Mailboxes;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::tasks;
use postroad_store::{Claim, QueueStore};
use postroad_wire::address::ReversePath;
use postroad_wire::parameter::{BodyType, Notify, OriginalRecipient, Ret};

use crate::stand::{Plan, mailbox, run};

/// What is sent after 354, and what it stands for.
const SENT: &[u8] = b"Subject: dots\r\n\r\n..one\r\n.\x80.\r\n...\r\n\r\n.\r\n";
const MEANT: &[u8] = b"Subject: dots\r\n\r\n.one\r\n\x80.\r\n..\r\n\r\n";

#[test]
fn a_message_is_stored_to_the_octet_with_all_that_was_said_of_it() {
    run(async {
        let mut stand = Plan::new().start();
        let before = RealClock.unix();
        let mut client = stand.greeted().await;
        let mail = "MAIL FROM:<me@client.example> SIZE=60 BODY=8BITMIME RET=HDRS ENVID=e+2B1";
        client.expect(mail, "250 2.1.0 ").await;
        let rcpt = "RCPT TO:<Ada+list@MX.example> NOTIFY=FAILURE ORCPT=rfc822;first@old.example";
        client.expect(rcpt, "250 2.1.5 ").await;
        client.expect("DATA", "354 ").await;
        client.send(SENT).await;
        let reply = client.reply().await;

        let queued = stand.queued().await;
        let [entry] = &queued[..] else {
            panic!("{queued:?}");
        };
        assert!(reply.starts_with("250 2.0.0 "), "{reply}");
        assert!(reply.contains(&entry.id.to_string()), "{reply}");
        assert_eq!(stand.octets(entry).await, MEANT);

        let envelope = &*entry.envelope;
        let me = ReversePath::Mailbox(mailbox("me@client.example"));
        assert_eq!(envelope.reverse_path, me);
        assert_eq!(envelope.body_type, BodyType::EightBitMime);
        assert_eq!(envelope.ret, Some(Ret::Headers));
        assert_eq!(envelope.envid.as_ref().unwrap().0, "e+1");
        assert!(!envelope.smtputf8);
        assert!(envelope.received_at >= before && envelope.received_at <= RealClock.unix());
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(envelope.client.address, Some(loopback));
        assert_eq!(envelope.client.hello, "client.example");
        assert_eq!(envelope.client.protocol, "ESMTP");
        assert_eq!(envelope.facts.size, MEANT.len() as u64);
        assert!(envelope.facts.eight_bit_body);
        let [recipient] = &envelope.recipients[..] else {
            panic!("{envelope:?}");
        };
        assert_eq!(recipient.target, mailbox("ada@mx.example"));
        assert_eq!(recipient.origin, mailbox("Ada+list@MX.example"));
        let original = OriginalRecipient {
            kind: "rfc822".to_owned(),
            address: "first@old.example".to_owned(),
        };
        assert_eq!(recipient.original, Some(original));
        let on_failure = Notify::On {
            success: false,
            failure: true,
            delay: false,
        };
        assert_eq!(recipient.notify, Some(on_failure));

        let trace = std::str::from_utf8(&envelope.trace).unwrap();
        let unfolded = trace.replace("\r\n ", " ").replace("\r\n\t", " ");
        let beginning = format!(
            "Received: from client.example ([127.0.0.1]) by mx.example with ESMTP id {} for \
             <Ada+list@MX.example>; ",
            entry.id
        );
        assert!(unfolded.starts_with(&beginning), "{trace}");

        // It is leased to delivery, octets and all.
        let leased = stand.fresh.recv().await.unwrap();
        assert_eq!(leased.lease.id, entry.id);
        assert_eq!(leased.fresh.as_deref(), Some(MEANT));
        client.expect("QUIT", "221 2.0.0 ").await;
        client.ends().await;
        stand.is_empty().await;
    });
}

#[test]
fn chunks_are_stored_to_the_octet() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.with_recipient().await;
        // A chunk may end anywhere: within a line, between CR and LF.
        client.send(b"BDAT 9\r\nSubject: ").await;
        assert!(client.reply().await.starts_with("250 2.0.0 "));
        client
            .send(b"BDAT 0\r\nBDAT 4\r\nx\r\n\rBDAT 11 LAST\r\n\n.\r\n..\r\nend")
            .await;
        assert!(client.reply().await.starts_with("250 2.0.0 "));
        assert!(client.reply().await.starts_with("250 2.0.0 "));
        let reply = client.reply().await;
        let queued = stand.queued().await;
        assert!(reply.contains(&queued[0].id.to_string()), "{reply}");
        let meant: &[u8] = b"Subject: x\r\n\r\n.\r\n..\r\nend";
        assert_eq!(stand.octets(&queued[0]).await, meant);
        assert_eq!(queued[0].envelope.facts.size, meant.len() as u64);
        // The transaction is over.
        client.expect("BDAT 0 LAST", "503 ").await;
    });
}

#[test]
fn a_pipeline_of_whole_messages_is_answered_in_order() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        let mut input = Vec::new();
        for n in 0..5 {
            let transaction = format!(
                "MAIL FROM:<>\r\nRCPT TO:<ada@mx.example>\r\nRCPT TO:<no@mx.example>\r\n\
                 BDAT 5 LAST\r\nbody{n}"
            );
            input.extend_from_slice(transaction.as_bytes());
        }
        input.extend_from_slice(b"QUIT\r\n");
        client.send(&input).await;
        for _ in 0..5 {
            for code in ["250 2.1.0", "250 2.1.5", "550 5.1.1", "250 2.0.0"] {
                let reply = client.reply().await;
                assert!(reply.starts_with(code), "{reply}");
            }
        }
        assert!(client.reply().await.starts_with("221 "));
        client.ends().await;
        let queued = stand.queued().await;
        let mut bodies = Vec::new();
        for entry in &queued {
            bodies.push(stand.octets(entry).await);
            assert_eq!(entry.envelope.reverse_path, ReversePath::Null);
        }
        assert_eq!(bodies, ["body0", "body1", "body2", "body3", "body4"]);
    });
}

#[test]
fn what_is_not_ended_is_not_stored() {
    run(async {
        let stand = Plan::new().start();
        for last in ["RSET", "EHLO again.example", "HELO again.example"] {
            let mut client = stand.with_recipient().await;
            client.send(b"BDAT 3\r\nabc").await;
            assert!(client.reply().await.starts_with("250 "));
            client.expect(last, "250").await;
            client.expect("BDAT 0 LAST", "503 ").await;
            client.expect("MAIL FROM:<>", "250 ").await;
            client.expect("QUIT", "221 ").await;
            client.ends().await;
        }
        stand.is_empty().await;
        assert!(stand.queued().await.is_empty());
        assert_eq!(stand.free_budget(), Plan::new().body_budget);
        stand.still_serves().await;
    });
}

#[test]
fn helo_is_plain_smtp() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.connected().await;
        client.expect("MAIL FROM:<>", "503 ").await;
        client.expect("HELO old.example", "250 mx.example").await;
        client.expect("MAIL FROM:<> BODY=8BITMIME", "555 ").await;
        client.expect("MAIL FROM:<>", "250 Requested").await;
        client.expect("RCPT TO:<Postmaster>", "250 Requested").await;
        client.expect("DATA", "354 ").await;
        client.expect("hello\r\n.", "250 ").await;
        let queued = stand.queued().await;
        assert_eq!(queued[0].envelope.client.protocol, "SMTP");
        let target = &queued[0].envelope.recipients[0].target;
        assert_eq!(*target, mailbox("postmaster@mx.example"));
    });
}

#[test]
fn a_message_that_has_passed_too_many_servers_is_refused() {
    run(async {
        let mut plan = Plan::new();
        plan.limits.hops = 3;
        let stand = plan.start();
        let mut client = stand.with_recipient().await;
        for (hops, beginning) in [(4, "554 5.4.6 "), (3, "250 ")] {
            client.expect("DATA", "354 ").await;
            let message = "Received: from a by b\r\n".repeat(hops) + "\r\nx\r\n.";
            client.expect(&message, beginning).await;
            client.expect("MAIL FROM:<me@client.example>", "250 ").await;
            client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
        }
        client.send(b"BDAT 120 LAST\r\n").await;
        let chunk = "Received: from a by b xxxxxxxx\r\n".repeat(4);
        client.send(&chunk.as_bytes()[..120]).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("554 5.4.6 "), "{reply}");
        assert_eq!(stand.queued().await.len(), 1);
    });
}

#[test]
fn what_delivery_has_no_room_for_is_due_in_the_store() {
    run(async {
        let mut plan = Plan::new();
        plan.fresh = 1;
        let stand = plan.start();
        let mut client = stand.greeted().await;
        for _ in 0..3 {
            client.expect("MAIL FROM:<>", "250 ").await;
            client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
            client.expect("DATA", "354 ").await;
            client.expect("x\r\n.", "250 ").await;
        }
        // A reply after the last one: by then it has been handed over.
        client.expect("NOOP", "250 ").await;
        let now = RealClock.unix();
        assert_eq!(
            claimed(&stand.store, now).await,
            2,
            "one waits for delivery"
        );
        // Nor is it lost when delivery is gone.
        drop(stand.fresh);
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
        client.expect("DATA", "354 ").await;
        client.expect("x\r\n.", "250 ").await;
        client.expect("NOOP", "250 ").await;
        tasks::sleep(Duration::from_millis(1)).await;
        assert_eq!(claimed(&stand.store, RealClock.unix()).await, 1);
    });
}

#[test]
fn a_message_for_very_many_does_not_wait_for_delivery_in_memory() {
    run(async {
        let mut plan = Plan::new();
        plan.mailboxes = Mailboxes::new(1000, []);
        let mut stand = plan.start();
        let mut client = stand.greeted().await;
        for many in [100, 101] {
            client.expect("MAIL FROM:<>", "250 ").await;
            for n in 0..many {
                let rcpt = format!("RCPT TO:<m{n}@new.example>");
                client.expect(&rcpt, "250 ").await;
            }
            client.expect("DATA", "354 ").await;
            client.expect("x\r\n.", "250 ").await;
        }
        // A reply after the last one: by then it has been handed over.
        client.expect("NOOP", "250 ").await;
        let fresh = stand.fresh.try_recv().unwrap();
        assert_eq!(fresh.envelope.recipients.len(), 100);
        assert!(stand.fresh.try_recv().is_err(), "the other is not there");
        assert_eq!(claimed(&stand.store, RealClock.unix()).await, 1);
    });
}

async fn claimed(store: &impl QueueStore, now: UnixMs) -> usize {
    let claim = Claim {
        now,
        until: now + Duration::from_secs(60),
        most: 100,
        per_route: 100,
        skip: Vec::new(),
    };
    store.claim(claim).await.unwrap().len()
}

#[test]
fn line_ends_that_others_may_misread_are_refused_and_nothing_is_smuggled() {
    run(async {
        let stand = Plan::new().start();
        let hidden = "MAIL FROM:<x@evil.example>\r\nRCPT TO:<bob@mx.example>\r\nDATA\r\nhidden";
        for end in [
            "\n.\n",
            "\r\n.\n",
            "\n.\r\n",
            "\r.\r",
            "\r\n.\r",
            "\r\n\0.\r\n",
        ] {
            let mut client = stand.in_data().await;
            client.expect(&format!("{end}{hidden}\r\n."), "").await;
            client.expect("QUIT", "221 ").await;
            client.ends().await;
        }
        for entry in stand.queued().await {
            let envelope = &entry.envelope;
            assert_eq!(envelope.recipients[0].target, mailbox("ada@mx.example"));
            assert_ne!(stand.octets(&entry).await, "hidden\r\n");
        }
        // Only the one with NUL has sound line ends.
        assert_eq!(stand.queued().await.len(), 1);
    });
}

#[test]
fn a_message_over_the_maximum_is_read_to_its_end_and_refused() {
    run(async {
        let mut plan = Plan::new();
        plan.session.limits.message_size = 100_000;
        let stand = plan.start();
        let mut client = stand.greeted().await;
        client
            .expect("MAIL FROM:<> SIZE=100001", "552 5.3.4 ")
            .await;
        client.expect("MAIL FROM:<> SIZE=100000", "250 ").await;
        client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
        client.expect("DATA", "354 ").await;
        let line = "x".repeat(98) + "\r\n";
        client
            .expect(&(line.repeat(1001) + "."), "552 5.3.4 ")
            .await;
        assert_eq!(stand.free_budget(), Plan::new().body_budget);
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
        client.expect("DATA", "354 ").await;
        client.expect(&(line.repeat(1000) + "."), "250 ").await;
        assert_eq!(stand.queued().await[0].envelope.facts.size, 100_000);
    });
}
