//! One suite that every store passes.
//!
//! A store's tests implement [`Fixture`] and say `postroad_store::conformance!(TheirFixture);`, which
//! makes a `#[tokio::test]` of each check. [`model`](crate::model) compares random sequences.

// A check is the body of a test: it fails by a panic.
#![allow(clippy::unwrap_used)]

pub mod amending;
pub mod claiming;
pub mod leasing;
pub mod reading;
pub mod restarting;
pub mod settling;
pub mod staging;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_message::Facts;
use postroad_queue::history::Event;
use postroad_queue::{
    ClientTrace, Envelope, Handover, Life, NoticeState, Outcome, Recipient, RecipientIx, RouteKey,
};
use postroad_reply::{QueueId, TransactionId};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::{BodyType, Notify};

use crate::{Amendment, Claim, Entry, Leased, Notice, QueueStore, Staged, Trouble, commit};

/// A store under test, with what it stands on.
pub trait Fixture: Sized {
    /// The store.
    type Store: QueueStore;

    /// An empty store.
    fn make() -> impl Future<Output = Self>;

    /// The store.
    fn store(&self) -> &Self::Store;

    /// Closes the store and opens it again, as a restart does.
    fn reopen(self) -> impl Future<Output = Self>;
}

/// Makes a `#[tokio::test]` of each check for a [`Fixture`](crate::conformance::Fixture).
#[macro_export]
macro_rules! conformance {
    ($fixture:ty) => {
        $crate::conformance! { $fixture:
            staging::a_body_reads_back_whatever_its_size
            staging::pieces_of_any_size_make_one_body
            staging::a_receipt_names_its_transaction_and_its_message
            staging::what_is_dropped_is_not_kept
            staging::ids_increase_even_if_the_clock_goes_back
            staging::messages_staged_at_once_stay_apart
            staging::the_envelope_is_kept
            claiming::fresh_mail_is_born_leased
            claiming::the_oldest_due_comes_first
            claiming::what_is_not_due_is_not_claimed
            claiming::one_route_cannot_fill_a_claim
            claiming::skipped_routes_are_left_alone
            claiming::what_is_claimed_is_not_claimed_again
            settling::a_settle_said_again_changes_nothing
            settling::what_is_settled_stays_settled
            settling::part_of_the_recipients_can_be_settled
            settling::a_message_ends_with_its_last_recipient
            settling::a_failure_stays_until_its_notice_is_committed
            settling::a_notice_said_again_is_not_committed_again
            settling::a_failure_and_its_notice_in_one_settle
            settling::an_unwanted_notice_is_not_owed
            settling::success_can_be_owed_a_notice
            settling::an_alias_is_told_of_from_its_acceptance
            settling::a_delay_is_told_once_and_the_recipient_tried_on
            settling::five_hundred_recipients
            leasing::a_release_makes_it_due_again
            leasing::a_lease_runs_out
            leasing::a_lost_lease_changes_nothing
            leasing::a_lease_that_ran_out_still_settles_if_nobody_took_it
            leasing::a_renewed_lease_lasts_longer
            leasing::what_is_gone_has_no_lease
            amending::hold_and_release
            amending::retry_now
            amending::delete
            amending::redirect
            amending::a_redirection_is_taken_away
            amending::of_a_leased_message_it_waits_for_the_settle
            amending::of_a_leased_message_it_waits_for_the_release
            amending::of_a_leased_message_it_waits_for_the_leases_end
            amending::an_operator_who_deletes_wants_no_notice
            reading::pages_are_complete_and_in_order
            reading::a_page_shows_leases_and_holds
            reading::one_message_is_shown
            reading::an_entry_tells_its_history
            reading::a_body_is_read_in_pieces
            reading::unknown_messages
            restarting::what_was_acknowledged_is_there
            restarting::what_was_not_committed_is_not_there
            restarting::leases_are_gone
            restarting::what_was_settled_stays_settled
            restarting::what_was_finished_stays_away
            restarting::amendments_are_kept
            restarting::a_waiting_amendment_takes_effect
            restarting::a_notice_is_kept_and_not_owed_again
            restarting::a_notice_owed_is_still_owed
            restarting::the_history_is_kept
            restarting::ids_go_on_increasing
        }
    };
    ($fixture:ty: $($group:ident::$check:ident)*) => {
        $(
            #[tokio::test]
            #[allow(clippy::disallowed_methods, reason = "a check has a runtime of its own")]
            async fn $check() {
                let fixture = <$fixture as $crate::conformance::Fixture>::make().await;
                $crate::conformance::$group::$check(fixture).await;
            }
        )*
    };
}

/// The time at which the checks begin.
const START: UnixMs = UnixMs(1_790_000_000_000);

/// So many milliseconds after the start.
pub(crate) fn at(ms: u64) -> UnixMs {
    START + Duration::from_millis(ms)
}

/// An envelope received at `received_at`, with a recipient in each of `domains`.
pub(crate) fn envelope(received_at: UnixMs, domains: &[&str]) -> Arc<Envelope> {
    let recipient = |(ix, domain): (usize, &&str)| Recipient {
        target: mailbox(&format!("r{ix}@{domain}")),
        origin: mailbox("list@example.org"),
        original: None,
        notify: None,
    };
    Arc::new(Envelope {
        received_at,
        reverse_path: ReversePath::Mailbox(mailbox("sender@example.org")),
        body_type: BodyType::EightBitMime,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: "account:sender".into(),
        recipients: domains.iter().enumerate().map(recipient).collect(),
        trace: Bytes::from_static(b"Received: by example.org\r\n"),
        edits: Vec::new(),
        facts: Facts::default(),
    })
}

/// The same, of a sender who wants to hear of success and of delay.
pub(crate) fn asking(envelope: &Envelope) -> Arc<Envelope> {
    let mut envelope = envelope.clone();
    for recipient in &mut envelope.recipients {
        recipient.notify = Some(Notify::On {
            success: true,
            failure: true,
            delay: true,
        });
    }
    Arc::new(envelope)
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).unwrap()
}

/// Octets that differ from place to place, so that a piece at a wrong offset shows.
pub(crate) fn octets(len: usize) -> Bytes {
    (0..len)
        .map(|ix| (ix % 251) as u8 ^ (ix / 251) as u8)
        .collect()
}

/// Commits a message that is born leased until 1000 ms after the start.
async fn put(store: &impl QueueStore, octets: Bytes, envelope: Arc<Envelope>) -> Leased {
    let mut staged = store.stage(envelope.received_at).await.unwrap();
    staged.append(octets).await.unwrap();
    let (receipt, leased) = commit(staged, TransactionId(1), envelope, at(1_000))
        .await
        .unwrap();
    assert_eq!(receipt.queue_id(), leased.lease.id);
    leased
}

/// Commits a message that is due at once.
async fn put_due(store: &impl QueueStore, received_at: UnixMs, domains: &[&str]) -> QueueId {
    let leased = put(store, octets(10), envelope(received_at, domains)).await;
    let id = leased.lease.id;
    store.release(leased.lease).await.unwrap();
    id
}

/// Everything due at `now`, leased for 1000 ms.
fn all_due(now: UnixMs) -> Claim {
    Claim {
        now,
        until: now + Duration::from_millis(1_000),
        most: 1_000,
        per_route: 1_000,
        skip: Vec::new(),
    }
}

async fn claim_ids(store: &impl QueueStore, claim: Claim) -> Vec<QueueId> {
    let leased = store.claim(claim).await.unwrap();
    leased.iter().map(|leased| leased.lease.id).collect()
}

/// The one message that is due at `now`.
async fn claim_one(store: &impl QueueStore, now: UnixMs) -> Leased {
    let mut leased = store.claim(all_due(now)).await.unwrap();
    assert_eq!(leased.len(), 1, "one message is due: {leased:?}");
    leased.remove(0)
}

async fn read_body(store: &impl QueueStore, id: QueueId) -> Result<Bytes, Trouble> {
    let mut all = Vec::new();
    loop {
        let piece = store.body(id, all.len() as u64, 60_000).await?;
        if piece.is_empty() {
            return Ok(all.into());
        }
        assert!(piece.len() <= 60_000, "no more than was asked for");
        all.extend_from_slice(&piece);
    }
}

async fn entries(store: &impl QueueStore) -> Vec<Entry> {
    store.page(None, 10_000).await.unwrap()
}

async fn lives(store: &impl QueueStore, id: QueueId) -> Vec<Life> {
    let entries = entries(store).await;
    let entry = entries.into_iter().find(|entry| entry.id == id);
    entry
        .unwrap_or_else(|| panic!("{id} is queued"))
        .state
        .lives
}

fn delivered(ix: u32) -> (RecipientIx, Outcome) {
    let outcome = Outcome::Delivered {
        how: Handover::Delivered,
        report: "test".into(),
        notice: NoticeState::Unwanted,
    };
    (RecipientIx(ix), outcome)
}

fn deferred(ix: u32, attempt: u32, due: UnixMs) -> (RecipientIx, Outcome) {
    let outcome = Outcome::Deferred {
        attempt,
        due,
        report: format!("451 attempt {attempt}").into(),
        notice: NoticeState::Unwanted,
    };
    (RecipientIx(ix), outcome)
}

fn failed(ix: u32, notice: NoticeState) -> (RecipientIx, Outcome) {
    let report = "550 nobody".into();
    (RecipientIx(ix), Outcome::Failed { report, notice })
}

/// Makes a message to which something has happened.
async fn some_history(store: &impl QueueStore) -> QueueId {
    let three = envelope(at(0), &["a.example", "b.example", "c.example"]);
    let leased = put(store, octets(10), three).await;
    let id = leased.lease.id;
    let outcomes = [
        deferred(0, 1, at(500)),
        failed(1, NoticeState::Owed),
        deferred(2, 1, at(600)),
    ];
    let lease = &leased.lease;
    for _ in 0..2 {
        let notice = Some(notice(at(10)));
        store
            .settle(lease, &outcomes, notice, at(10))
            .await
            .unwrap();
    }
    store.release(leased.lease).await.unwrap();
    store.amend(id, Amendment::Hold, at(20)).await.unwrap();
    id
}

/// What [`told`] says of [`some_history`].
const SOME_HISTORY: [&str; 4] = [
    "10 deferred: 451 attempt 1",
    "10 failed: 550 nobody",
    "10 its sender was told",
    "20 held by an operator",
];

/// The history of a message, each event a line.
async fn told(store: &impl QueueStore, id: QueueId) -> Vec<String> {
    let entry = store.show(id).await.unwrap();
    let events = entry.state.history.events().iter();
    let line = |event: &Event| format!("{} {}", event.at.since(START).as_millis(), event.what);
    events.map(line).collect()
}

/// A notice to the sender, due at `now`.
fn notice(now: UnixMs) -> Notice {
    Notice {
        envelope: envelope(now, &["example.org"]),
        octets: Bytes::from_static(b"Subject: not delivered\r\n\r\n"),
    }
}

fn route(domain: &str) -> RouteKey {
    RouteKey(domain.into())
}
