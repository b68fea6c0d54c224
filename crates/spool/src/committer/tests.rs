//! What may happen between the moment a request is thought through and the one its batch is on
//! disk: seen from inside, for a step does both.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_host::clock::SimClock;
use postroad_host::disk::sim::SimDisk;
use postroad_host::tasks::{self, User};
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
    let (spool, mut committer) = open();
    let leased = run(accept(&spool), || _ = committer.step()).unwrap();
    (spool, committer, leased)
}

fn open() -> (Spool<SimDisk>, Committer<SimDisk>) {
    let options = Options {
        segment_octets: 32 * 1024,
        floor_octets: 0,
        floor_inodes: 0,
        // Who is not woken waits for so long.
        probe_interval: Duration::from_secs(3600),
        ..Options::new("/spool".into())
    };
    let clock = Arc::new(SimClock::new(START));
    let opened = Spool::open(SimDisk::new(1), options, Chance::from_seed(1), clock).unwrap();
    (opened.spool, opened.committer)
}

async fn accept(spool: &Spool<SimDisk>) -> Result<Leased, Trouble> {
    let staged = spool.stage(START).await?;
    staged.commit_durably(envelope(), LEASE_END).await
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

/// A committer that others may run, as [`Committer::run`] makes it known to them.
fn lend(committer: Committer<SimDisk>) -> Arc<Mutex<Committer<SimDisk>>> {
    let shared = Arc::clone(&committer.shared);
    let lent = Arc::new(Mutex::new(committer));
    shared.committer.set(Arc::downgrade(&lent)).unwrap();
    lent
}

/// Runs `future` on a thread that has so many users, itself among them.
fn among<T: Send + 'static>(users: usize, future: impl Future<Output = T> + Send + 'static) -> T {
    let on_a_thread = async move {
        let _users: Vec<_> = (0..users).map(|_| User::here()).collect();
        future.await
    };
    let done = tasks::run(1, async { tasks::spread(0, on_a_thread).await });
    done.unwrap().unwrap()
}

#[test]
fn who_is_alone_on_a_thread_commits_there() {
    let (spool, committer) = open();
    // No thread runs it.
    let lent = lend(committer);
    let asker = spool.clone();
    among(1, async move {
        let mut accepted = pin!(accept(&asker));
        // It asks, its thread hears the answer, and it has it.
        while asker.is_empty() {
            assert!(futures_util::poll!(&mut accepted).is_pending());
            assert!(!asker.is_empty(), "nobody does the work");
        }
        accepted.await.unwrap();
    });
    assert_eq!(spool.len(), 1);
    drop(lent);
}

#[test]
fn what_an_operator_asks_for_is_flushed_together_wherever_it_is_asked() {
    let (spool, mut committer) = open();
    for _ in 0..64 {
        run(accept(&spool), || _ = committer.step()).unwrap();
    }
    let ids: Vec<_> = run(spool.page(None, 64), || panic!("it is read at once"))
        .unwrap()
        .iter()
        .map(|entry| entry.id)
        .collect();
    let lent = lend(committer);
    let asker = spool.clone();
    let batches = Arc::clone(&lent);
    let flushed = among(1, async move {
        let before = batches.lock().unwrap().next_batch;
        let held = ids
            .iter()
            .map(|id| asker.amend(*id, Amendment::Hold, LATER));
        let mut all = pin!(futures_util::future::join_all(held));
        assert!(futures_util::poll!(&mut all).is_pending());
        let mut committer = batches.lock().unwrap();
        committer.step();
        committer.next_batch - before
    });
    assert_eq!(flushed, 1);
    drop(lent);
}

#[test]
fn who_is_not_alone_waits_for_the_committers_thread_and_so_does_who_comes_while_it_works() {
    for (users, busy) in [(2, false), (1, true)] {
        let (spool, committer) = open();
        let lent = lend(committer);
        let locked = busy.then(|| lent.lock().unwrap());
        let asker = spool.clone();
        let in_vain = among(users, async move {
            let accepted = pin!(accept(&asker));
            futures_util::poll!(accepted).is_pending()
        });
        drop(locked);
        assert!(in_vain);
        assert_eq!(spool.len(), 0);
        lent.lock().unwrap().step();
        assert_eq!(spool.len(), 1);
    }
}

#[test]
fn askers_and_the_committers_thread_take_turns() {
    let (spool, committer) = open();
    let thread = tasks::thread("committer", move || committer.run()).unwrap();
    let threads = 4;
    tasks::run(threads, async {
        let asker = |_| {
            let spool = spool.clone();
            async move {
                let _user = User::here();
                for _ in 0..100 {
                    accept(&spool).await.unwrap();
                }
            }
        };
        let numbers = 0..threads as u64;
        let askers: Vec<_> = numbers.map(|n| tasks::spread(n, asker(n))).collect();
        for asker in askers {
            asker.await.unwrap();
        }
    })
    .unwrap();
    assert_eq!(spool.len(), threads * 100);
    // Each took a segment's room, and what the segments are kept for is done by the thread all the same.
    assert!(spool.segments() > 3);
    spool.close();
    thread.join().unwrap();
}

#[test]
fn after_a_panic_in_its_work_the_committer_takes_nothing_more() {
    let (spool, committer) = open();
    let shared = Arc::clone(&committer.shared);
    let thread = tasks::thread("committer", move || committer.run()).unwrap();
    let lent = loop {
        match shared.committer.get().and_then(std::sync::Weak::upgrade) {
            Some(lent) => break lent,
            None => std::thread::yield_now(),
        }
    };
    let panics = move || {
        let _locked = lent.lock();
        // Without a word, and the memory that a backtrace takes: another test measures.
        std::panic::resume_unwind(Box::new("as planned"));
    };
    let panicked = tasks::thread("panics", panics).unwrap().join();
    assert!(panicked.map(|()| "it went on").is_err());
    let asker = spool.clone();
    among(1, async move { assert!(accept(&asker).await.is_err()) });
    thread.join().unwrap();
    assert_eq!(spool.pressure(), Pressure::ReadOnly);
}
