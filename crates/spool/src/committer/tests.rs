//! What may happen between the moment a request is thought through and the one its batch is on
//! disk: seen from inside, for a step does both.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use postroad_clock::UnixMs;
use postroad_host::clock::SimClock;
use postroad_host::disk::sim::SimDisk;
use postroad_message::Facts;
use postroad_queue::{
    Amendment, ClientTrace, Envelope, Handover, NoticeState, Outcome, Recipient, RecipientIx,
    RouteKey,
};
use postroad_store::{Claim, Leased, QueueStore, Staged};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;

use super::*;
use crate::{Options, Spool};

const START: UnixMs = UnixMs(1_790_000_000_000);
const LEASE_END: UnixMs = UnixMs(START.0 + 1000);
const LATER: UnixMs = UnixMs(START.0 + 2000);

fn envelope() -> Arc<Envelope> {
    let mailbox = |text: &str| Mailbox::parse(text, &Limits::default()).unwrap();
    Arc::new(Envelope {
        received_at: START,
        reverse_path: ReversePath::Mailbox(mailbox("sender@example.org")),
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: "account:sender".into(),
        recipients: vec![Recipient {
            target: mailbox("r@a.example"),
            origin: mailbox("r@a.example"),
            original: None,
            notify: None,
        }],
        trace: bytes::Bytes::new(),
        edits: Vec::new(),
        facts: Facts::default(),
    })
}

/// A spool with one message whose lease runs out at [`LEASE_END`].
fn with_a_message() -> (Spool<SimDisk>, Committer<SimDisk>, Leased) {
    let options = Options {
        segment_octets: 32 * 1024,
        floor_octets: 0,
        floor_inodes: 0,
        ..Options::new("/spool".into())
    };
    let clock = Arc::new(SimClock::new(START));
    let opened = Spool::open(SimDisk::new(1), options, Chance::from_seed(1), clock).unwrap();
    let (spool, mut committer) = (opened.spool, opened.committer);
    let accepted = async {
        let staged = spool.stage(START).await?;
        staged.commit_durably(envelope(), LEASE_END).await
    };
    let leased = run(accepted, || _ = committer.step()).unwrap();
    (spool, committer, leased)
}

/// Polls a future; `else_do` what else there is to do whenever it waits.
fn run<T>(future: impl Future<Output = T>, mut else_do: impl FnMut()) -> T {
    let mut future = pin!(future);
    for _ in 0..100 {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        else_do();
    }
    panic!("it waits for ever");
}

/// Claims after the lease has run out, between the first and the second half of the step that
/// serves `asked`, and again after it. What came of the one and of the other.
fn claims_around(
    asked: impl Future<Output = Result<(), Trouble>>,
    spool: &Spool<SimDisk>,
    committer: &mut Committer<SimDisk>,
) -> [Vec<Leased>; 2] {
    let claim = || {
        let claim = Claim {
            now: LATER,
            until: UnixMs(LATER.0 + 1000),
            most: 10,
            per_route: 10,
            skip: Vec::new(),
        };
        run(spool.claim(claim), || {
            panic!("there is nothing to wait for")
        })
        .unwrap()
    };
    let mut between = Vec::new();
    let served = run(asked, || {
        let mut batch = committer.new_batch();
        for queued in committer.shared.line.take() {
            batch = committer.add(batch, queued);
        }
        between = claim();
        committer.flush(batch);
    });
    served.unwrap();
    [between, claim()]
}

#[test]
fn what_is_being_settled_is_not_claimed() {
    let (spool, mut committer, leased) = with_a_message();
    let outcome = [(
        RecipientIx(0),
        Outcome::Delivered {
            how: Handover::Delivered,
            report: "test".into(),
            notice: NoticeState::Unwanted,
        },
    )];
    let asked = async {
        let settled = spool.settle(&leased.lease, &outcome, None, LATER).await?;
        assert!(settled.finished);
        Ok(())
    };
    let [between, after] = claims_around(asked, &spool, &mut committer);
    assert!(between.is_empty(), "it would be delivered twice");
    assert!(after.is_empty());
}

#[test]
fn what_an_operator_changes_is_claimed_once() {
    let (spool, mut committer, _lost) = with_a_message();
    let redirect = Amendment::Redirect(RouteKey("b.example".into()));
    let asked = spool.amend(spool_id(&spool), redirect, LATER);
    let [between, after] = claims_around(asked, &spool, &mut committer);
    assert_eq!(
        between.len() + after.len(),
        1,
        "two hold it at the same time"
    );
    assert!(after[0].redirect.is_some());
}

fn spool_id(spool: &Spool<SimDisk>) -> postroad_reply::QueueId {
    run(spool.page(None, 1), || {
        panic!("there is nothing to wait for")
    })
    .unwrap()[0]
        .id
}
