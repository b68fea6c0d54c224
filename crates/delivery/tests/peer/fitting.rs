//! Messages that a peer can't take as they are, and what is said of those it can.

use std::sync::Arc;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_delivery::Parcel;
use postroad_message::Edit;
use postroad_queue::{Envelope, RecipientIx};
use postroad_store::memory::MemoryStore;
use postroad_store::{QueueStore, Staged};
use postroad_wire::address::{Limits, ReversePath};
use postroad_wire::parameter::{EnvId, Notify, OriginalRecipient, Ret};

use crate::harness::{
    OCTETS, TRACE, carry, client, envelope, impatient, outcomes, peer, recipient, run, thought,
};
use crate::liar::Liar;

/// What a server that offers `keywords` is told, and what comes of it.
async fn told(keywords: &str, envelope: Envelope, octets: &[u8]) -> (Vec<String>, Vec<String>) {
    let offered: String = keywords
        .split(',')
        .map(|word| format!("S: 250-{word}\n"))
        .collect();
    let recipients = envelope.recipients.len();
    let rcpt = "C: RCPT\nS: 250 ok\n".repeat(recipients);
    let last = match keywords.contains("CHUNKING") {
        true => "CHUNK",
        false => "C: DATA\nS: 354 go\nDATA",
    };
    let script = format!(
        "S: 220 mx\nC: EHLO\nS: 250-mx\n{offered}S: 250 HELP\nC: MAIL\nS: 250 ok\n{rcpt}{last}\nS: 250 taken\nC: QUIT"
    );
    let liar = Liar::start([&script]).await;
    let peers = client(impatient());
    let carried = carry(&peers, &liar.smtp(), envelope, octets).await;
    peers.drain().await;
    let mut lines = liar.heard().await.lines;
    lines.retain(|line| line.starts_with("MAIL") || line.starts_with("RCPT"));
    (outcomes(&carried), lines)
}

/// What becomes of it at a server that offers `keywords`, where nothing may be sent.
async fn refused(keywords: &str, envelope: Envelope, octets: &[u8]) -> Vec<String> {
    let offered: String = keywords
        .split(',')
        .map(|word| format!("S: 250-{word}\n"))
        .collect();
    let script = format!("S: 220 mx\nC: EHLO\nS: 250-mx\n{offered}S: 250 HELP\nC: QUIT");
    let liar = Liar::start([&script]).await;
    let peers = client(impatient());
    let carried = carry(&peers, &liar.smtp(), envelope, octets).await;
    assert_eq!(thought(&carried), "neutral");
    assert_eq!(peers.idle(), 1, "the connection is as good as it was");
    peers.drain().await;
    assert_eq!(liar.heard().await.messages.len(), 0);
    // The words are for people.
    let first_two = |outcome: &String| outcome.split(' ').take(2).collect::<Vec<_>>().join(" ");
    outcomes(&carried).iter().map(first_two).collect()
}

#[test]
fn what_a_peer_cannot_take_fails_at_once() {
    run(async {
        let long = format!("Subject: x\r\n\r\n{}\r\n", "x".repeat(999));
        let fits = format!("Subject: x\r\n\r\n{}\r\n", "x".repeat(998));
        for (keywords, octets, expected) in [
            (
                "SIZE",
                "Subject: x\r\n\r\n\u{e9}\r\n".as_bytes(),
                "failed 5.6.3",
            ),
            (
                "SMTPUTF8",
                "Subject: \u{e9}\r\n\r\nx\r\n".as_bytes(),
                "failed 5.6.3",
            ),
            ("8BITMIME,CHUNKING", long.as_bytes(), "failed 5.6.3"),
            ("BINARYMIME", long.as_bytes(), "failed 5.6.3"),
            (
                "8BITMIME,CHUNKING",
                b"Subject: x\r\n\r\na\nb\r\n",
                "failed 5.6.3",
            ),
            ("8BITMIME", b"Subject: x\r\n\r\n\0\r\n", "failed 5.6.3"),
            ("SIZE 58", OCTETS.as_bytes(), "failed 5.3.4"),
        ] {
            let envelope = envelope(octets, &["b@mx.example", "c@mx.example"]);
            let outcomes = refused(keywords, envelope, octets).await;
            assert_eq!(outcomes, [expected, expected], "{keywords}");
        }
        for (keywords, octets, parameters) in [
            ("HELP", fits.as_bytes(), ""),
            ("SIZE 59", OCTETS.as_bytes(), " SIZE=59"),
            ("SIZE 0", OCTETS.as_bytes(), " SIZE=59"),
            ("BINARYMIME,CHUNKING", long.as_bytes(), " BODY=BINARYMIME"),
            (
                "BINARYMIME,CHUNKING",
                b"Subject: x\r\n\r\na\nb\r\n",
                " BODY=BINARYMIME",
            ),
            (
                "8BITMIME",
                "Subject: x\r\n\r\n\u{e9}\r\n".as_bytes(),
                " BODY=8BITMIME",
            ),
            (
                "8BITMIME,SMTPUTF8",
                "Subject: \u{e9}\r\n\r\n\r\n".as_bytes(),
                " BODY=8BITMIME",
            ),
            (
                "8BITMIME,SMTPUTF8,BINARYMIME,CHUNKING",
                OCTETS.as_bytes(),
                "",
            ),
        ] {
            let (outcomes, lines) =
                told(keywords, envelope(octets, &["b@mx.example"]), octets).await;
            assert_eq!(outcomes, ["Relayed - 250"], "{keywords}");
            assert_eq!(
                lines[0],
                format!("MAIL FROM:<a@client.example>{parameters}")
            );
        }
    });
}

#[test]
fn smtputf8_is_used_where_it_is_needed_and_offered() {
    run(async {
        let utf8 = "Subject: \u{e9}\r\n\r\nx\r\n";
        let asked = |octets: &str, recipients: &[&str]| Envelope {
            smtputf8: true,
            ..envelope(octets.as_bytes(), recipients)
        };
        let all = "8BITMIME,SMTPUTF8";
        // All of it ASCII: not used, though it was asked for.
        let (outcomes, lines) =
            told(all, asked(OCTETS, &["b@mx.example"]), OCTETS.as_bytes()).await;
        assert_eq!(
            (&outcomes[0][..], &lines[0][..]),
            ("Relayed - 250", "MAIL FROM:<a@client.example>")
        );
        let (outcomes, _) = told("HELP", asked(OCTETS, &["b@mx.example"]), OCTETS.as_bytes()).await;
        assert_eq!(outcomes, ["Relayed - 250"]);

        // A header field, the sender, a recipient.
        let (_, lines) = told(all, asked(utf8, &["b@mx.example"]), utf8.as_bytes()).await;
        assert_eq!(
            lines[0],
            "MAIL FROM:<a@client.example> BODY=8BITMIME SMTPUTF8"
        );
        assert_eq!(
            refused("8BITMIME", asked(utf8, &["b@mx.example"]), utf8.as_bytes()).await,
            ["failed 5.6.7"]
        );

        let mut from = envelope(OCTETS.as_bytes(), &["b@mx.example"]);
        from.reverse_path =
            ReversePath::parse("<\u{e9}@client.example>", &Limits::default()).unwrap();
        let (_, lines) = told(all, from.clone(), OCTETS.as_bytes()).await;
        assert_eq!(lines[0], "MAIL FROM:<\u{e9}@client.example> SMTPUTF8");
        assert_eq!(
            refused("8BITMIME", from, OCTETS.as_bytes()).await,
            ["failed 5.6.7"]
        );

        let to = envelope(OCTETS.as_bytes(), &["\u{e9}@mx.example"]);
        let (_, lines) = told(all, to.clone(), OCTETS.as_bytes()).await;
        assert_eq!(lines[0], "MAIL FROM:<a@client.example> SMTPUTF8");
        assert_eq!(
            refused("8BITMIME", to, OCTETS.as_bytes()).await,
            ["failed 5.6.7"]
        );
    });
}

#[test]
fn only_the_recipients_fail_that_need_smtputf8() {
    run(async {
        let script = "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 250 ok\nC: RCPT TO:<b@mx.example>\nS: 250 ok\nC: DATA\nS: 354 go\nDATA\nS: 250 taken\nC: QUIT";
        let liar = Liar::start([script]).await;
        let peers = client(impatient());
        let envelope = envelope(OCTETS.as_bytes(), &["\u{e9}@mx.example", "b@mx.example"]);
        let carried = carry(&peers, &liar.smtp(), envelope, OCTETS.as_bytes()).await;
        peers.drain().await;
        let outcomes = outcomes(&carried);
        assert!(outcomes[0].starts_with("failed 5.6.7"), "{outcomes:?}");
        assert_eq!(outcomes[1], "Relayed - 250");
        assert_eq!(liar.heard().await.messages.len(), 1);
    });
}

#[test]
fn what_the_sender_wants_to_hear_goes_where_dsn_is_offered() {
    run(async {
        let asked = || {
            let mut envelope = envelope(OCTETS.as_bytes(), &["b@mx.example"]);
            envelope.ret = Some(Ret::Headers);
            envelope.envid = Some(EnvId("QQ 314".to_owned()));
            let mut to = recipient("b@mx.example");
            to.notify = Some(Notify::On {
                success: true,
                failure: true,
                delay: false,
            });
            to.original = Some(OriginalRecipient {
                kind: "rfc822".to_owned(),
                address: "old@mx.example".to_owned(),
            });
            envelope.recipients = vec![to];
            envelope
        };
        let (outcomes, lines) = told("DSN", asked(), OCTETS.as_bytes()).await;
        assert_eq!(outcomes, ["PassedOn - 250"]);
        assert_eq!(
            lines,
            [
                "MAIL FROM:<a@client.example> RET=HDRS ENVID=QQ+20314",
                "RCPT TO:<b@mx.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old@mx.example",
            ]
        );
        let (outcomes, lines) = told("HELP", asked(), OCTETS.as_bytes()).await;
        assert_eq!(outcomes, ["Relayed - 250"]);
        assert_eq!(
            lines,
            ["MAIL FROM:<a@client.example>", "RCPT TO:<b@mx.example>"]
        );
    });
}

/// A message in a store, out of memory.
async fn stored(octets: &[u8], envelope: &Arc<Envelope>) -> (MemoryStore, postroad_store::Leased) {
    let store = MemoryStore::new();
    let mut staged = store.stage(UnixMs(1)).await.unwrap();
    staged.append(Bytes::copy_from_slice(octets)).await.unwrap();
    let leased = staged
        .commit_durably(Arc::clone(envelope), UnixMs(u64::MAX))
        .await
        .unwrap();
    (store, leased)
}

#[test]
fn a_message_comes_from_the_store_with_its_edits_made() {
    run(async {
        let octets = format!("{OCTETS}{}", "a line of a message\r\n".repeat(20_000));
        let edit = Edit::AddField {
            index: 0,
            name: "X".to_owned(),
            value: b" 1".to_vec(),
        };
        for (keywords, edits, expected) in [
            ("SIZE", vec![], format!("{TRACE}{octets}")),
            ("CHUNKING", vec![], format!("{TRACE}{octets}")),
            ("SIZE", vec![edit], format!("{TRACE}X: 1\r\n{octets}")),
        ] {
            let size = expected.len();
            let mail = match keywords {
                "SIZE" => format!("C: MAIL FROM:<a@client.example> SIZE={size}"),
                _ => "C: MAIL FROM:<a@client.example>".to_owned(),
            };
            let whole = "C: DATA\nS: 354 go\nDATA\nS: 250 taken\n";
            let broken = "C: BDAT 65570\nEOF\n";
            let body = if keywords == "SIZE" { whole } else { broken };
            let script = format!(
                "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 {keywords}\n{mail}\nS: 250 ok\nC: RCPT\nS: 250 ok\n{body}"
            );
            let liar = Liar::start([&script]).await;
            let mut envelope = envelope(octets.as_bytes(), &["b@mx.example"]);
            envelope.edits = edits;
            let envelope = Arc::new(envelope);
            let (store, leased) = stored(octets.as_bytes(), &envelope).await;
            let parcel = Parcel {
                id: leased.lease.id,
                token: 1,
                envelope: &envelope,
                fresh: None,
                store: &store,
                recipients: vec![RecipientIx(0)],
            };
            let peers = client(impatient());
            let carried = peers.carry(&peer(&liar.smtp()), &parcel).await;
            drop(peers);
            let heard = liar.heard().await;
            if keywords == "SIZE" {
                assert_eq!(outcomes(&carried), ["Relayed - 250"]);
                assert!(heard.messages == [expected.into_bytes()]);
            } else {
                // In chunks of a bounded size, each answered before the next where nothing is pipelined.
                assert!(
                    outcomes(&carried)[0].starts_with("deferred 4.4.2"),
                    "{carried:?}"
                );
            }
        }
    });
}

#[test]
fn a_message_that_is_not_whole_in_the_store_is_never_ended() {
    run(async {
        let octets = format!("{OCTETS}{}", "a line of a message\r\n".repeat(20_000));
        for (more, less) in [(0, 1), (1, 0)] {
            let script = "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nEOF";
            let liar = Liar::start([script]).await;
            let mut envelope = envelope(octets.as_bytes(), &["b@mx.example"]);
            envelope.facts.size = envelope.facts.size + less - more;
            let envelope = Arc::new(envelope);
            let (store, leased) = stored(octets.as_bytes(), &envelope).await;
            let parcel = Parcel {
                id: leased.lease.id,
                token: 1,
                envelope: &envelope,
                fresh: None,
                store: &store,
                recipients: vec![RecipientIx(0)],
            };
            let carried = client(impatient())
                .carry(&peer(&liar.smtp()), &parcel)
                .await;
            assert!(
                outcomes(&carried)[0].starts_with("deferred 4.3.0 the store has"),
                "{carried:?}"
            );
            assert_eq!(thought(&carried), "neutral");
            let heard = liar.heard().await;
            assert!(!heard.lines.last().unwrap().ends_with("\r\n.\r\n"));
        }
    });
}

#[test]
fn a_recipient_the_envelope_does_not_have_is_deferred() {
    run(async {
        let envelope = Arc::new(envelope(OCTETS.as_bytes(), &["b@mx.example"]));
        let parcel = Parcel {
            id: postroad_reply::QueueId(7),
            token: 1,
            envelope: &envelope,
            fresh: None,
            store: &MemoryStore::new(),
            recipients: vec![RecipientIx(5)],
        };
        let carried = client(impatient())
            .carry(&peer("smtp://127.0.0.1:9"), &parcel)
            .await;
        assert_eq!(carried.recipients.len(), 1);
        assert_eq!(thought(&carried), "neutral");
    });
}
