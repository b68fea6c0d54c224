//! The server's half against the client's: whatever the handlers answer and however the octets
//! arrive, every session ends and both sides say the same of every message.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stands in for the store"
)]

mod client;
mod liars;
mod world;

use std::collections::BTreeMap;

use postroad_session::client::Outgoing;
use postroad_session::server::{Offered, Settings};
use postroad_wire::address::{Domain, ForwardPath, Limits, ReversePath};
use postroad_wire::parameter::{BodyType, MailParameters, RcptParameters};
use proptest::prelude::*;

use world::{Mail, Script, Seen, is_taken, talk};

fn settings(offered: Offered) -> Settings {
    let mut settings = Settings::new(Domain::parse("mx.example", &Limits::default()).unwrap());
    settings.offered = offered;
    settings.limits.message_size = 10_000;
    settings
}

fn outgoing(recipients: usize) -> Outgoing {
    let limits = Limits::default();
    Outgoing {
        reverse_path: ReversePath::parse("<a@client.example>", &limits).unwrap(),
        parameters: MailParameters::default(),
        recipients: (0..recipients)
            .map(|n| {
                let path = ForwardPath::parse(&format!("<b{n}@mx.example>"), &limits).unwrap();
                (path, RcptParameters::default())
            })
            .collect(),
    }
}

/// Lines that like to look like ends of data.
fn message() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = proptest::sample::select(vec![
        ".\r\n",
        "..\r\n",
        "\r\n",
        "x\r\n",
        "Subject: a longer line of text\r\n",
        ".\r\nMAIL FROM:<>\r\n",
    ]);
    let lines =
        proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat().into_bytes());
    in_pieces(lines)
}

/// Octets of all kinds, and what likes to look like ends of data.
fn binary() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let part = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        proptest::sample::select(vec![
            "\r",
            "\n",
            "\0",
            "\n.\n",
            "\r\n.\r\n",
            "BDAT 3 LAST\r\n"
        ])
        .prop_map(Vec::from),
    ];
    let octets = proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat());
    in_pieces(octets)
}

fn in_pieces(octets: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<Vec<u8>>> {
    (octets, proptest::collection::vec(1usize..40, 1..4)).prop_map(|(octets, sizes)| {
        let mut pieces = Vec::new();
        let mut rest = &octets[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(rest.len().min(*size));
            pieces.push(piece.to_vec());
            rest = after;
        }
        pieces
    })
}

fn mails() -> impl Strategy<Value = Vec<Mail>> {
    let mail = (1usize..70, message()).prop_map(|(recipients, pieces)| Mail {
        outgoing: outgoing(recipients),
        pieces,
    });
    proptest::collection::vec(mail, 0..4)
}

/// Text and binary messages in any order.
fn mixed_mails() -> impl Strategy<Value = Vec<Mail>> {
    let binary = (1usize..5, binary()).prop_map(|(recipients, pieces)| {
        let mut outgoing = outgoing(recipients);
        outgoing.parameters.body = BodyType::BinaryMime;
        Mail { outgoing, pieces }
    });
    let text = (1usize..5, message()).prop_map(|(recipients, pieces)| Mail {
        outgoing: outgoing(recipients),
        pieces,
    });
    proptest::collection::vec(prop_oneof![binary, text], 0..5)
}

fn offered() -> impl Strategy<Value = Offered> {
    any::<(bool, bool)>().prop_map(|(pipelining, chunking)| Offered {
        pipelining,
        chunking,
        ..Offered::default()
    })
}

/// What the client was told it sent, and what the server took, are the same messages.
fn agree(seen: &Seen, mails: &[Mail]) {
    let told = seen.client.iter().filter(|event| is_taken(event)).count();
    assert_eq!(told, seen.accepted.len(), "{seen:#?}");
    let mut left = BTreeMap::<Vec<u8>, usize>::new();
    for mail in mails {
        *left.entry(mail.pieces.concat()).or_default() += 1;
    }
    for message in &seen.accepted {
        let count = left.get_mut(message).expect("a message that was sent");
        *count = count.checked_sub(1).expect("no message is taken twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn both_sides_agree_whatever_the_splits(
        offered in offered(),
        answers in proptest::collection::vec(any::<u8>(), 0..100),
        splits in proptest::collection::vec(1usize..60, 1..8),
        mails in mails(),
    ) {
        let settings = settings(offered);
        let mut script = Script { answers, splits, mails };
        let in_pieces = talk(&settings, &script);
        agree(&in_pieces, &script.mails);
        script.splits.clear();
        let at_once = talk(&settings, &script);
        prop_assert_eq!(in_pieces, at_once);
    }

    #[test]
    fn everything_is_taken_when_nothing_goes_wrong(
        offered in offered(),
        splits in proptest::collection::vec(1usize..60, 1..8),
        mails in mails(),
    ) {
        let script = Script { answers: Vec::new(), splits, mails };
        let seen = talk(&settings(offered), &script);
        let sent = script.mails.iter().map(|mail| mail.pieces.concat()).collect::<Vec<_>>();
        prop_assert_eq!(&seen.accepted, &sent);
        prop_assert_eq!(seen.abandoned, 0);
        prop_assert_eq!(seen.closed, Some(postroad_session::server::Closed::Quit));
    }

    #[test]
    fn a_binary_message_arrives_octet_by_octet(
        pipelining in any::<bool>(),
        splits in proptest::collection::vec(1usize..60, 0..8),
        mails in mixed_mails(),
    ) {
        let offered = Offered { pipelining, ..Offered::default() };
        let script = Script { answers: Vec::new(), splits, mails };
        let seen = talk(&settings(offered), &script);
        let sent = script.mails.iter().map(|mail| mail.pieces.concat()).collect::<Vec<_>>();
        prop_assert_eq!(&seen.accepted, &sent);
        prop_assert_eq!(seen.abandoned, 0);
    }
}
