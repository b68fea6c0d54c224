//! Which notices are owed, and that each is told once.

// A test that can't go on says where.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_message::Facts;
use postroad_queue::notice::{Owed, PATIENCE, is_due, owed, passed_on};
use postroad_queue::{
    Action, Amendment, ClientTrace, Envelope, Handover, Life, Mark, MessageState, NoticeState,
    Outcome, Recipient, RecipientIx, Report, owes,
};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::{BodyType, Notify};

const RECEIVED: UnixMs = UnixMs(1_000);
const ACTIONS: [Action; 5] = [
    Action::Failed,
    Action::Delayed,
    Action::Delivered,
    Action::Relayed,
    Action::Expanded,
];

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).unwrap()
}

fn on(success: bool, failure: bool, delay: bool) -> Option<Notify> {
    Some(Notify::On {
        success,
        failure,
        delay,
    })
}

/// Recipients as origin, target and `NOTIFY`.
fn envelope(recipients: &[(&str, &str, Option<Notify>)]) -> Envelope {
    let recipient = |(origin, target, notify): &(&str, &str, Option<Notify>)| Recipient {
        target: mailbox(target),
        origin: mailbox(origin),
        original: None,
        notify: *notify,
    };
    Envelope {
        received_at: RECEIVED,
        reverse_path: ReversePath::Mailbox(mailbox("sender@example.org")),
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: String::new(),
        recipients: recipients.iter().map(recipient).collect(),
        trace: bytes::Bytes::new(),
        edits: Vec::new(),
        facts: Facts::default(),
    }
}

fn one(notify: Option<Notify>) -> Envelope {
    envelope(&[("a@a.example", "a@a.example", notify)])
}

/// What is owed for the first recipient, of each action in order.
fn table(envelope: &Envelope) -> [bool; 5] {
    ACTIONS.map(|action| owes(envelope, RecipientIx(0), action) == NoticeState::Owed)
}

#[test]
fn notify_says_what_is_owed() {
    // Failed, delayed, delivered, relayed, expanded.
    assert_eq!(table(&one(None)), [true, true, false, false, false]);
    assert_eq!(table(&one(Some(Notify::Never))), [false; 5]);
    let success = one(on(true, false, false));
    assert_eq!(table(&success), [false, false, true, true, false]);
    let failure = one(on(false, true, false));
    assert_eq!(table(&failure), [true, false, false, false, false]);
    let delay = one(on(false, false, true));
    assert_eq!(table(&delay), [false, true, false, false, false]);
}

#[test]
fn nothing_is_owed_to_the_null_sender() {
    for notify in [None, on(true, true, true)] {
        let mut notice = envelope(&[
            ("l@l.example", "a@a.example", notify),
            ("l@l.example", "b@b.example", notify),
        ]);
        notice.reverse_path = ReversePath::Null;
        assert_eq!(table(&notice), [false; 5]);
        assert_eq!(MessageState::new(&notice).expanded, Mark::None);
    }
    let none = one(on(true, true, true));
    let missing = ACTIONS.map(|action| owes(&none, RecipientIx(7), action));
    assert_eq!(missing, [NoticeState::Unwanted; 5]);
}

/// RFC 3461 5.2.7.3 c, and 5.2.7.2 for the alias of one.
#[test]
fn an_alias_of_several_is_told_as_expanded_and_not_as_delivered() {
    let all = on(true, true, false);
    let envelope = envelope(&[
        ("list@l.example", "a@a.example", all),
        ("one@l.example", "b@b.example", all),
        ("list@l.example", "c@c.example", all),
        ("quiet@l.example", "d@d.example", None),
        ("quiet@l.example", "e@e.example", None),
    ]);
    assert_eq!(table(&envelope), [true, false, false, false, true]);
    assert_eq!(
        owes(&envelope, RecipientIx(1), Action::Expanded),
        NoticeState::Unwanted
    );
    assert_eq!(
        owes(&envelope, RecipientIx(1), Action::Delivered),
        NoticeState::Owed
    );
    assert_eq!(passed_on(&envelope, RecipientIx(0)), on(false, true, false));
    assert_eq!(passed_on(&envelope, RecipientIx(1)), all);
    assert_eq!(passed_on(&envelope, RecipientIx(3)), None);

    let mut state = MessageState::new(&envelope);
    assert_eq!(state.expanded, Mark::Owed(RECEIVED));
    let said = owed(&envelope, &state.lives, state.expanded);
    let expanded = Owed {
        recipient: RecipientIx(0),
        action: Action::Expanded,
    };
    assert_eq!(said, [expanded], "one line for the alias");
    let delivered: Vec<_> = (0..5)
        .map(RecipientIx)
        .map(|ix| {
            (
                ix,
                Outcome::delivered(&envelope, ix, Handover::Delivered, "x".into()),
            )
        })
        .collect();
    state.settle(&delivered, UnixMs(2_000));
    assert!(!state.is_finished(), "it waits for its notice");
    assert_eq!(state.owes_notice_since(), Some(RECEIVED));
    let said = owed(&envelope, &state.lives, state.expanded);
    let success = Owed {
        recipient: RecipientIx(1),
        action: Action::Delivered,
    };
    assert_eq!(said, [expanded, success]);
    assert!(state.notices_committed(UnixMs(3_000)));
    assert!(state.is_finished());
    assert_eq!(owed(&envelope, &state.lives, state.expanded), []);
}

#[test]
fn an_alias_asked_for_success_alone_passes_never_on() {
    let success = on(true, false, false);
    let envelope = envelope(&[
        ("list@l.example", "a@a.example", success),
        ("list@l.example", "c@c.example", success),
    ]);
    assert_eq!(passed_on(&envelope, RecipientIx(1)), Some(Notify::Never));
}

#[test]
fn a_hop_that_offers_dsn_tells_by_itself() {
    let envelope = one(on(true, true, true));
    let how = [Handover::Delivered, Handover::Relayed, Handover::PassedOn];
    let told = how.map(|how| {
        let mut state = MessageState::new(&envelope);
        let outcome = Outcome::delivered(&envelope, RecipientIx(0), how, Report::default());
        state.settle(&[(RecipientIx(0), outcome)], UnixMs(2_000));
        let said = owed(&envelope, &state.lives, state.expanded);
        assert_eq!(state.is_finished(), said.is_empty());
        said.first().map(|owed| owed.action)
    });
    assert_eq!(told, [Some(Action::Delivered), Some(Action::Relayed), None]);
}

fn deferred(attempt: u32, late: bool) -> (RecipientIx, Outcome) {
    let outcome = Outcome::Deferred {
        attempt,
        due: UnixMs(10_000 * u64::from(attempt)),
        report: "451".into(),
        notice: match late {
            true => NoticeState::Owed,
            false => NoticeState::Unwanted,
        },
    };
    (RecipientIx(0), outcome)
}

#[test]
fn a_delay_is_told_once() {
    let envelope = one(None);
    let mut state = MessageState::new(&envelope);
    let said = |state: &MessageState| owed(&envelope, &state.lives, state.expanded).len();
    state.settle(&[deferred(1, false)], UnixMs(2_000));
    assert_eq!((said(&state), state.owes_notice_since()), (0, None));
    state.settle(&[deferred(2, true)], UnixMs(3_000));
    state.settle(&[deferred(3, true)], UnixMs(4_000));
    assert_eq!(said(&state), 1);
    assert_eq!(state.owes_notice_since(), Some(UnixMs(3_000)));
    assert_eq!(state.due(&envelope).unwrap().at, UnixMs(3_000), "at once");
    assert!(state.notices_committed(UnixMs(4_500)));
    state.settle(&[deferred(4, true)], UnixMs(5_000));
    assert_eq!((said(&state), state.owes_notice_since()), (0, None));
    assert_eq!(state.due(&envelope).unwrap().at, UnixMs(40_000));
}

/// Its end says more than that it was delayed.
#[test]
fn a_delay_that_is_over_is_not_told() {
    let envelope = one(None);
    for (outcome, said) in [
        (
            Outcome::delivered(&envelope, RecipientIx(0), Handover::Delivered, "x".into()),
            None,
        ),
        (
            Outcome::failed(&envelope, RecipientIx(0), "x".into()),
            Some(Action::Failed),
        ),
    ] {
        let mut state = MessageState::new(&envelope);
        state.settle(&[deferred(1, true)], UnixMs(2_000));
        state.settle(&[(RecipientIx(0), outcome)], UnixMs(3_000));
        let owed = owed(&envelope, &state.lives, state.expanded);
        assert_eq!(owed.first().map(|owed| owed.action), said);
        assert_eq!(state.is_finished(), said.is_none());
    }
}

#[test]
fn what_an_operator_deletes_is_told_to_nobody() {
    let all = on(true, true, true);
    let envelope = envelope(&[
        ("l@l.example", "a@a.example", all),
        ("l@l.example", "b@b.example", all),
        ("c@c.example", "c@c.example", all),
        ("d@d.example", "d@d.example", all),
    ]);
    let mut state = MessageState::new(&envelope);
    let outcomes = [
        deferred(1, true),
        (
            RecipientIx(1),
            Outcome::failed(&envelope, RecipientIx(1), "x".into()),
        ),
        (
            RecipientIx(2),
            Outcome::delivered(&envelope, RecipientIx(2), Handover::Relayed, "x".into()),
        ),
    ];
    state.settle(&outcomes, UnixMs(2_000));
    assert_eq!(owed(&envelope, &state.lives, state.expanded).len(), 4);
    state.amend(Amendment::Delete, UnixMs(3_000));
    assert!(state.is_finished());
    assert_eq!(owed(&envelope, &state.lives, state.expanded), []);
    assert!(!state.notices_committed(UnixMs(4_000)));
    assert!(
        state
            .lives
            .iter()
            .all(|life: &Life| life.owed_since().is_none())
    );
}

#[test]
fn a_notice_waits_five_minutes_for_what_is_in_flight() {
    let since = Some(RECEIVED);
    let almost = UnixMs((RECEIVED + PATIENCE).0 - 1);
    assert!(!is_due(None, false, almost));
    assert!(is_due(since, false, RECEIVED));
    assert!(!is_due(since, true, almost));
    assert!(is_due(since, true, almost + Duration::from_millis(1)));
}
