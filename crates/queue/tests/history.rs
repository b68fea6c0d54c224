//! What is taken down of a message's way.

// A test that can't go on says where.
#![allow(clippy::unwrap_used)]

use postroad_clock::UnixMs;
use postroad_message::Facts;
use postroad_queue::history::{End, Event, FIRST, LAST, MOST_RECIPIENTS, What};
use postroad_queue::record::{decode_state, encode_state};
use postroad_queue::{
    Amendment, ClientTrace, Envelope, Handover, History, MessageState, NoticeState, Outcome, Peer,
    Recipient, RecipientIx, Report, RouteKey,
};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;

fn envelope(recipients: usize) -> Envelope {
    let mailbox = Mailbox::parse("a@a.example", &Limits::default()).unwrap();
    let recipient = Recipient {
        target: mailbox.clone(),
        origin: mailbox,
        original: None,
        notify: None,
    };
    Envelope {
        received_at: UnixMs(1_000),
        reverse_path: ReversePath::Null,
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: String::new(),
        recipients: vec![recipient; recipients],
        trace: bytes::Bytes::new(),
        edits: Vec::new(),
        facts: Facts::default(),
    }
}

fn deferred(ix: u32, attempt: u32, report: Report) -> (RecipientIx, Outcome) {
    let outcome = Outcome::Deferred {
        attempt,
        // Each has its own, for they are spread.
        due: UnixMs(10_000 + u64::from(ix)),
        report,
        notice: NoticeState::Unwanted,
    };
    (RecipientIx(ix), outcome)
}

/// Each event as time, recipients and words.
fn told(history: &History) -> Vec<(u64, Vec<u32>, String)> {
    let line = |event: &Event| {
        let of = match &event.what {
            What::Attempted(attempted) => attempted.recipients().iter().map(|ix| ix.0).collect(),
            What::Amended(_) | What::Noticed => Vec::new(),
        };
        (event.at.0, of, event.what.to_string())
    };
    history.events().iter().map(line).collect()
}

#[test]
fn each_attempt_and_each_word_of_an_operator_is_taken_down() {
    let envelope = envelope(3);
    let mut state = MessageState::new(&envelope);
    let peer = Peer::new("mx.example", "192.0.2.1:25".parse().ok());
    let refused = || {
        Report::default()
            .with_peer(peer.clone())
            .with_reply("450 later")
    };
    let delivered = Outcome::Delivered {
        how: Handover::Relayed,
        report: Report::default()
            .with_peer(peer.clone())
            .with_reply("250 ok"),
        notice: NoticeState::Unwanted,
    };
    let first = [
        deferred(0, 1, refused()),
        (RecipientIx(1), delivered),
        deferred(2, 1, refused()),
    ];
    state.settle(&first, UnixMs(2_000));
    // Said again, it didn't happen again.
    state.settle(&first, UnixMs(2_100));
    state.amend(Amendment::Hold, UnixMs(3_000));
    state.amend(Amendment::Release, UnixMs(4_000));
    state.amend_leased(
        Amendment::Redirect(RouteKey("smtp://relay.example:25".into())),
        UnixMs(5_000),
    );
    assert_eq!(state.history.events().len(), 4, "it waits");
    let failed = Outcome::Failed {
        report: "given up".into(),
        notice: NoticeState::Owed,
    };
    let discarded = Outcome::Discarded {
        rule: "spamtrap".into(),
    };
    state.settle(
        &[(RecipientIx(0), failed), (RecipientIx(2), discarded)],
        UnixMs(6_000),
    );
    state.notices_committed(UnixMs(7_000));
    let expected = [
        (
            2_000,
            vec![0, 2],
            "deferred: mx.example [192.0.2.1:25]: 450 later",
        ),
        (2_000, vec![1], "relayed: mx.example [192.0.2.1:25]: 250 ok"),
        (3_000, vec![], "held by an operator"),
        (4_000, vec![], "released by an operator"),
        (6_000, vec![0], "failed: given up"),
        (6_000, vec![2], "discarded: spamtrap"),
        (
            5_000,
            vec![],
            "redirected to smtp://relay.example:25 by an operator",
        ),
        (7_000, vec![], "its sender was told"),
    ];
    let expected = expected.map(|(at, of, words)| (at, of, words.to_owned()));
    assert_eq!(told(&state.history), expected);
}

#[test]
fn the_first_and_the_last_are_kept_and_the_others_counted() {
    let mut state = MessageState::new(&envelope(1));
    for attempt in 1..=100 {
        let report = Report::plain(&"x".repeat(5_000)).with_reply(&"y".repeat(5_000));
        state.settle(&[deferred(0, attempt, report)], UnixMs(u64::from(attempt)));
    }
    let at: Vec<u64> = state
        .history
        .events()
        .iter()
        .map(|event| event.at.0)
        .collect();
    let expected: Vec<u64> = (1..=8).chain(45..=100).collect();
    assert_eq!(at, expected);
    assert_eq!(at.len(), FIRST + LAST);
    assert_eq!(state.history.left_out(), 36);
    let octets = encode_state(&state);
    assert!(octets.len() < 40_000, "{}", octets.len());
    assert_eq!(decode_state(&octets), Ok(state));
}

#[test]
fn an_event_names_some_of_many_recipients() {
    let mut state = MessageState::new(&envelope(500));
    let all: Vec<_> = (0..500).map(|ix| deferred(ix, 1, "451".into())).collect();
    state.settle(&all, UnixMs(2_000));
    let [event] = state.history.events() else {
        panic!("{:?}", state.history);
    };
    let What::Attempted(attempted) = &event.what else {
        panic!("{event:?}");
    };
    assert_eq!(attempted.end(), End::Deferred);
    assert_eq!(attempted.recipients().len(), MOST_RECIPIENTS);
    assert_eq!(attempted.others(), 500 - MOST_RECIPIENTS as u32);
    // Each with words of its own: the state stays bounded.
    let all: Vec<_> = (0..500)
        .map(|ix| deferred(ix, 2, format!("451 r{ix}").into()))
        .collect();
    state.settle(&all, UnixMs(3_000));
    assert_eq!(state.history.events().len(), FIRST + LAST);
    assert_eq!(state.history.left_out(), 501 - (FIRST + LAST) as u32);
}
