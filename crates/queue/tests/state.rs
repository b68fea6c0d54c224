//! Nothing is forgotten: whatever is told to a message's state, in whatever order.

// A test that can't go on says where.
#![allow(clippy::unwrap_used)]

use postroad_clock::UnixMs;
use postroad_message::Facts;
use postroad_queue::state::DELETED_BY_OPERATOR;
use postroad_queue::{
    Amendment, ClientTrace, Due, Envelope, Handover, Life, Mark, MessageState, NoticeState,
    Outcome, Recipient, RecipientIx, Report, RouteKey,
};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;
use proptest::prelude::*;

const RECEIVED: UnixMs = UnixMs(1_000);

fn envelope(recipients: &[&str]) -> Envelope {
    let recipient = |text: &&str| {
        let mailbox = Mailbox::parse(text, &Limits::default()).unwrap();
        Recipient {
            target: mailbox.clone(),
            origin: mailbox,
            original: None,
            notify: None,
        }
    };
    Envelope {
        received_at: RECEIVED,
        reverse_path: ReversePath::Null,
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

fn four() -> Envelope {
    envelope(&["a@A.example", "b@b.example", "c@c.example", "d@[192.0.2.1]"])
}

fn due(at: u64, route: &str) -> Option<Due> {
    Some(Due {
        at: UnixMs(at),
        route: RouteKey(route.into()),
    })
}

fn deferred(ix: u32, attempt: u32, due: u64) -> (RecipientIx, Outcome) {
    let outcome = Outcome::Deferred {
        attempt,
        due: UnixMs(due),
        report: "451".into(),
        notice: NoticeState::Unwanted,
    };
    (RecipientIx(ix), outcome)
}

fn delivered(ix: u32) -> (RecipientIx, Outcome) {
    let outcome = Outcome::Delivered {
        how: Handover::Delivered,
        report: "lmtp".into(),
        notice: NoticeState::Unwanted,
    };
    (RecipientIx(ix), outcome)
}

fn failed(ix: u32, notice: NoticeState) -> (RecipientIx, Outcome) {
    let report = "550".into();
    (RecipientIx(ix), Outcome::Failed { report, notice })
}

#[test]
fn a_new_message_is_due_at_once_by_its_first_recipient() {
    let envelope = four();
    let state = MessageState::new(&envelope);
    assert_eq!(state.due(&envelope), due(1_000, "a.example"));
    assert!(!state.is_finished());
}

#[test]
fn it_is_due_with_its_earliest_pending_recipient() {
    let envelope = four();
    let mut state = MessageState::new(&envelope);
    state.apply(&[deferred(0, 1, 5_000), delivered(1)], UnixMs(2_000));
    assert_eq!(state.due(&envelope), due(1_000, "c.example"));
    state.apply(
        &[deferred(2, 1, 6_000), deferred(3, 1, 4_000)],
        UnixMs(2_000),
    );
    assert_eq!(state.due(&envelope), due(4_000, "[192.0.2.1]"));
}

#[test]
fn a_notice_owed_is_work_for_no_next_hop() {
    let envelope = four();
    let mut state = MessageState::new(&envelope);
    let outcomes = [
        failed(0, NoticeState::Owed),
        failed(1, NoticeState::Sent),
        failed(2, NoticeState::Unwanted),
        deferred(3, 1, 9_000),
    ];
    state.apply(&outcomes, UnixMs(2_000));
    assert_eq!(state.owes_notice_since(), Some(UnixMs(2_000)));
    assert_eq!(state.due(&envelope), due(2_000, ""));
    assert!(state.notices_committed(UnixMs(2_500)));
    assert!(!state.notices_committed(UnixMs(2_500)), "only once");
    let notices: Vec<_> = state
        .lives
        .iter()
        .filter_map(|life| match life {
            Life::Failed { notice, .. } => Some(*notice),
            _ => None,
        })
        .collect();
    // Only a commit makes a notice sent, so the outcome that said so was owed as well.
    assert_eq!(
        notices,
        [NoticeState::Sent, NoticeState::Sent, NoticeState::Unwanted]
    );
    assert_eq!(state.due(&envelope), due(9_000, "[192.0.2.1]"));
    state.apply(&[delivered(3)], UnixMs(9_000));
    assert!(state.is_finished());
    assert_eq!(state.due(&envelope), None);
}

#[test]
fn an_attempt_told_again_counts_once_even_out_of_order() {
    let mut state = MessageState::new(&four());
    let (first, second) = ([deferred(0, 1, 5_000)], [deferred(0, 2, 9_000)]);
    assert!(state.apply(&first, UnixMs(2_000)));
    assert!(state.apply(&second, UnixMs(6_000)));
    let before = state.clone();
    assert!(!state.apply(&first, UnixMs(7_000)));
    assert!(!state.apply(&second, UnixMs(7_000)));
    assert!(!state.apply(&[delivered(4), delivered(u32::MAX)], UnixMs(7_000)));
    assert_eq!(state, before);
}

#[test]
fn what_is_put_off_was_not_attempted_and_is_put_off_once() {
    let mut state = MessageState::new(&four());
    let put_off = |attempts, from, due| {
        let outcome = Outcome::PutOff {
            attempts,
            from: UnixMs(from),
            due: UnixMs(due),
            report: "closed".into(),
            notice: NoticeState::Owed,
        };
        [(RecipientIx(0), outcome)]
    };
    assert!(state.apply(&[deferred(0, 1, 5_000)], UnixMs(2_000)));
    let first = put_off(1, 5_000, 8_000);
    assert!(state.apply(&first, UnixMs(5_000)));
    let put_off_once = Life::Pending {
        attempts: 1,
        due: UnixMs(8_000),
        last: Some("closed".into()),
        delay: Mark::Owed(UnixMs(5_000)),
    };
    assert_eq!(state.lives[0], put_off_once);
    // Said again, never earlier, and nothing that an attempt has overtaken.
    for again in [
        first.clone(),
        put_off(1, 8_000, 7_000),
        put_off(0, 8_000, 9_000),
    ] {
        assert!(!state.apply(&again, UnixMs(6_000)));
    }
    assert!(state.apply(&[deferred(0, 2, 5_000)], UnixMs(8_000)));
    assert!(!state.apply(&first, UnixMs(9_000)));
    state.amend(Amendment::RetryNow, UnixMs(9_000));
    assert!(!state.apply(&put_off(2, 5_000, 10_000), UnixMs(9_500)));
    assert_eq!(state.lives[0].pending_due(), Some(UnixMs(9_000)));
}

#[test]
fn what_an_operator_says_of_a_leased_message_waits_for_the_settle() {
    let envelope = four();
    let mut state = MessageState::new(&envelope);
    state.amend_leased(Amendment::Hold, UnixMs(1));
    state.amend_leased(Amendment::Release, UnixMs(2));
    state.amend_leased(Amendment::RetryNow, UnixMs(2_500));
    assert_eq!(state.waiting.len(), 2, "the last of a kind");
    let all = [0, 1, 2, 3].map(|ix| deferred(ix, 1, 8_000));
    state.settle(&all, UnixMs(2_400));
    assert_eq!(state.due(&envelope), due(2_500, "a.example"));
    state.settle(&all, UnixMs(2_600));
    assert_eq!(
        state.due(&envelope),
        due(2_500, "a.example"),
        "said again, it doesn't undo the operator"
    );
}

#[test]
fn each_amendment_does_what_it_says() {
    let envelope = four();
    let mut state = MessageState::new(&envelope);
    state.amend(Amendment::Hold, UnixMs(2_000));
    assert_eq!(state.due(&envelope), None);
    assert!(!state.is_finished());
    state.amend(Amendment::Release, UnixMs(2_000));
    state.amend(Amendment::Redirect(RouteKey("x".into())), UnixMs(2_000));
    assert_eq!(state.due(&envelope), due(1_000, "x"));
    state.apply(&[delivered(0), failed(1, NoticeState::Owed)], UnixMs(3_000));
    state.amend(Amendment::RetryNow, UnixMs(7_000));
    assert_eq!(state.lives[2].pending_due(), Some(UnixMs(7_000)));
    state.amend(Amendment::Delete, UnixMs(8_000));
    assert!(state.is_finished());
    assert!(matches!(state.lives[0], Life::Delivered { .. }));
    assert!(matches!(
        &state.lives[2],
        Life::Discarded { rule, .. } if rule == DELETED_BY_OPERATOR
    ));
}

#[test]
fn a_peer_that_talks_much_is_cut_short() {
    let mut state = MessageState::new(&four());
    let outcome = Outcome::Failed {
        report: Report::plain(&"é".repeat(1_000)).with_reply(&"é".repeat(1_000)),
        notice: NoticeState::Owed,
    };
    state.apply(&[(RecipientIx(0), outcome)], UnixMs(2_000));
    let Life::Failed { report, .. } = &state.lives[0] else {
        panic!("{:?}", state.lives[0]);
    };
    let kept = "é".repeat(512);
    assert_eq!((report.words(), report.reply()), (&*kept, Some(&*kept)));
}

/// Something told to a state.
#[derive(Debug, Clone)]
enum Said {
    Settle(Vec<(RecipientIx, Outcome)>),
    Amend(Amendment),
    AmendLeased(Amendment),
    EndLease,
    Notice,
}

fn any_outcome() -> impl Strategy<Value = (RecipientIx, Outcome)> {
    let notice = prop::sample::select(vec![
        NoticeState::Owed,
        NoticeState::Sent,
        NoticeState::Unwanted,
    ]);
    let how = prop::sample::select(vec![
        Handover::Delivered,
        Handover::Relayed,
        Handover::PassedOn,
    ]);
    let outcome = prop_oneof![
        4 => (0u32..6, 0u64..100_000, notice.clone()).prop_map(|(attempt, due, notice)| {
            Outcome::Deferred {
                attempt,
                due: UnixMs(due),
                report: "451".into(),
                notice,
            }
        }),
        2 => (0u32..3, 0usize..4, 0usize..4, notice.clone()).prop_map(
            |(attempts, from, due, notice)| {
                // When a new message is due, and when no operator says anything.
                let times = [1_000, 3_001, 5_001, 7_001].map(UnixMs);
                let (from, due) = (times[from], times[due]);
                Outcome::PutOff { attempts, from, due, report: "closed".into(), notice }
            }
        ),
        1 => (how, notice.clone()).prop_map(|(how, notice)| Outcome::Delivered {
            how,
            report: "250".into(),
            notice,
        }),
        1 => notice.prop_map(|notice| failed(0, notice).1),
        1 => Just(Outcome::Discarded { rule: "rule".into() }),
    ];
    (0u32..5, outcome).prop_map(|(ix, outcome)| (RecipientIx(ix), outcome))
}

fn any_amendment() -> impl Strategy<Value = Amendment> {
    prop_oneof![
        3 => Just(Amendment::Hold),
        3 => Just(Amendment::Release),
        3 => Just(Amendment::RetryNow),
        1 => Just(Amendment::Delete),
        3 => Just(Amendment::Redirect(RouteKey("relay.example".into()))),
    ]
}

fn any_said() -> impl Strategy<Value = Said> {
    prop_oneof![
        6 => prop::collection::vec(any_outcome(), 0..4).prop_map(Said::Settle),
        1 => any_amendment().prop_map(Said::Amend),
        2 => any_amendment().prop_map(Said::AmendLeased),
        2 => Just(Said::EndLease),
        1 => Just(Said::Notice),
    ]
}

fn tell(state: &mut MessageState, said: &Said, now: UnixMs) {
    match said.clone() {
        Said::Settle(outcomes) => {
            state.settle(&outcomes, now);
        }
        Said::Amend(amendment) => state.amend(amendment, now),
        Said::AmendLeased(amendment) => state.amend_leased(amendment, now),
        Said::EndLease => {
            state.end_lease();
        }
        Said::Notice => {
            state.notices_committed(UnixMs(2_500));
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_forgotten(script in prop::collection::vec(any_said(), 0..40)) {
        let envelope = four();
        let mut state = MessageState::new(&envelope);
        for (step, said) in script.iter().enumerate() {
            let now = UnixMs(2_000 + 10 * step as u64);
            let before = state.clone();
            tell(&mut state, said, now);
            prop_assert_eq!(state.lives.len(), 4, "each recipient has its place for good");
            prop_assert!(state.waiting.len() <= 4);
            for (was, is) in before.lives.iter().zip(&state.lives) {
                match (was, is) {
                    (Life::Pending { attempts: a, .. }, Life::Pending { attempts: b, .. }) => {
                        prop_assert!(a <= b);
                    }
                    (Life::Pending { .. }, _) => {}
                    // The one thing that changes of a settled recipient is its notice, once.
                    (
                        Life::Failed { at: a, report: w, notice: NoticeState::Owed },
                        Life::Failed { at: b, report: v, .. },
                    )
                    | (
                        Life::Delivered { at: a, report: w, notice: NoticeState::Owed, .. },
                        Life::Delivered { at: b, report: v, .. },
                    ) => prop_assert!(a == b && w == v),
                    (was, is) => prop_assert_eq!(was, is),
                }
            }
            let owed = state.lives.iter().any(|life| matches!(
                life,
                Life::Pending { .. }
                    | Life::Failed { notice: NoticeState::Owed, .. }
                    | Life::Delivered { notice: NoticeState::Owed, .. }
            ));
            prop_assert_eq!(state.is_finished(), !owed);
            // What is owed has a time at which someone comes for it, unless an operator holds it.
            prop_assert_eq!(state.due(&envelope).is_some(), owed && !state.held);
        }
    }

    #[test]
    fn a_settle_said_again_changes_nothing(
        script in prop::collection::vec(any_said(), 0..20),
        outcomes in prop::collection::vec(any_outcome(), 0..8),
    ) {
        let mut state = MessageState::new(&four());
        for said in &script {
            tell(&mut state, said, UnixMs(2_000));
        }
        state.settle(&outcomes, UnixMs(3_000));
        let once = state.clone();
        prop_assert!(!state.settle(&outcomes, UnixMs(4_000)));
        prop_assert_eq!(state, once);
    }
}

#[test]
fn what_goes_to_terminals_has_a_route_of_its_own() {
    let kinds = [
        DeliveryKind::Terminal,
        DeliveryKind::TerminalElseMailbox,
        DeliveryKind::TerminalAndMailbox,
    ];
    for delivery in kinds {
        let envelope = Envelope { delivery, ..four() };
        let mut state = MessageState::new(&envelope);
        assert_eq!(state.due(&envelope), due(RECEIVED.0, "terminals+a.example"));
        let route = envelope.route_to(&envelope.recipients[3]);
        assert_eq!(
            route.behind_terminals(),
            Some(RouteKey("[192.0.2.1]".into()))
        );
        assert!(route.0.parse::<postroad_wire::peer::Peer>().is_err());
        assert!(postroad_wire::address::Host::parse(&route.0, &Limits::NONE).is_err());
        // An operator's redirect is by no terminals.
        let to = RouteKey("smtp://relay.example".into());
        state.amend(Amendment::Redirect(to.clone()), RECEIVED);
        assert_eq!(state.due(&envelope), due(RECEIVED.0, &to.0));
        assert_eq!(to.behind_terminals(), None);
    }
}
