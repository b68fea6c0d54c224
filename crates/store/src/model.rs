//! Random sequences give the same observable results on a store as on [`MemoryStore`].
//!
//! A store's tests take sequences from [`ops`] and give each to [`check`]. Names, tokens and
//! times that a store makes up are compared by what they stand for.

// A check is the body of a test: it fails by a panic.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_queue::{Envelope, Life, NoticeState, Outcome, RecipientIx, RouteKey};
use postroad_reply::{QueueId, TransactionId};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::conformance::{Fixture, at, envelope, octets};
use crate::{
    Amendment, Claim, Lease, Leased, MemoryStore, Notice, QueueStore, Staged, Trouble, commit,
};

/// The domains mail goes to.
const DOMAINS: [&str; 4] = ["a.example", "b.example", "C.example", "d.example"];

/// Something done to a store.
#[derive(Debug, Clone)]
pub enum Op {
    /// A message of `len` octets to these of the domains comes in, leased for `lease` ms.
    Commit {
        /// Octets.
        len: usize,
        /// Places in the list of domains.
        domains: Vec<usize>,
        /// Milliseconds.
        lease: u64,
    },
    /// A message is staged and dropped.
    RollBack {
        /// Octets.
        len: usize,
    },
    /// Time goes on, in ms.
    Wait(u64),
    /// Due mail is claimed.
    Claim {
        /// Messages.
        most: usize,
        /// Messages of one route.
        per_route: usize,
        /// Places in the list of domains.
        skip: Vec<usize>,
        /// Milliseconds.
        lease: u64,
    },
    /// A lease settles recipients, with a notice perhaps.
    Settle {
        /// Which lease there is or was.
        lease: Index,
        /// Places, and what became of them.
        outcomes: Vec<(u32, Ended)>,
        /// With a notice.
        notice: bool,
        /// How often it is said.
        times: usize,
    },
    /// A lease is released.
    Release(Index),
    /// A lease is made to last so many ms from now.
    Renew(Index, u64),
    /// An operator does something to a message there is or was.
    Amend(Index, Amendment),
    /// A part of a body is read.
    Body(Index, u64, usize),
    /// The queue is listed from after a message there is or was.
    Page(Option<Index>, usize),
    /// The store is closed and opened again.
    Reopen,
}

/// What became of a recipient.
#[derive(Debug, Clone, Copy)]
pub enum Ended {
    /// Delivered.
    Delivered,
    /// To be tried again in so many ms, as attempt number so much.
    Deferred(u64, u32),
    /// Failed.
    Failed(NoticeState),
    /// Discarded.
    Discarded,
}

/// Sequences of up to `most` operations on bodies of up to `longest` octets.
pub fn ops(most: usize, longest: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(longest), 1..most)
}

fn op(longest: usize) -> impl Strategy<Value = Op> {
    let len = || prop_oneof![0..100usize, 0..=longest];
    let domain = 0..DOMAINS.len();
    // Short times, so that ends and due times often fall on the very millisecond of a claim.
    let lease = || 1..20u64;
    let commits = (len(), prop::collection::vec(domain.clone(), 1..4), lease());
    let claims = (
        0..8usize,
        0..4usize,
        prop::collection::vec(domain, 0..2),
        lease(),
    );
    let outcomes = prop::collection::vec((0..4u32, ended()), 0..4);
    let settles = (any::<Index>(), outcomes, any::<bool>(), 1..3usize);
    prop_oneof![
        6 => commits.prop_map(|(len, domains, lease)| Op::Commit { len, domains, lease }),
        1 => len().prop_map(|len| Op::RollBack { len }),
        4 => (0..30u64).prop_map(Op::Wait),
        6 => claims.prop_map(|(most, per_route, skip, lease)| Op::Claim {
            most, per_route, skip, lease
        }),
        8 => settles.prop_map(|(lease, outcomes, notice, times)| Op::Settle {
            lease, outcomes, notice, times
        }),
        4 => any::<Index>().prop_map(Op::Release),
        1 => (any::<Index>(), lease()).prop_map(|(ix, ms)| Op::Renew(ix, ms)),
        4 => (any::<Index>(), amendment()).prop_map(|(ix, amendment)| Op::Amend(ix, amendment)),
        2 => (any::<Index>(), 0..longest as u64 + 10, 1..70_000usize)
            .prop_map(|(ix, offset, most)| Op::Body(ix, offset, most)),
        2 => (any::<Option<Index>>(), 0..10usize).prop_map(|(ix, most)| Op::Page(ix, most)),
        1 => Just(Op::Reopen),
    ]
}

fn ended() -> impl Strategy<Value = Ended> {
    let notice = prop::sample::select(vec![NoticeState::Owed, NoticeState::Unwanted]);
    prop_oneof![
        3 => Just(Ended::Delivered),
        4 => (1..40u64, 1..5u32).prop_map(|(ms, attempt)| Ended::Deferred(ms, attempt)),
        2 => notice.prop_map(Ended::Failed),
        1 => Just(Ended::Discarded),
    ]
}

fn amendment() -> impl Strategy<Value = Amendment> {
    prop_oneof![
        2 => Just(Amendment::Hold),
        3 => Just(Amendment::Release),
        2 => Just(Amendment::RetryNow),
        1 => Just(Amendment::Delete),
        1 => (0..DOMAINS.len()).prop_map(|ix| Amendment::Redirect(route(ix))),
    ]
}

fn route(ix: usize) -> RouteKey {
    RouteKey(DOMAINS[ix].to_ascii_lowercase().into())
}

/// Does all of `ops` to an empty store and to the model.
///
/// # Panics
///
/// At the first operation whose result differs.
pub async fn check<F: Fixture>(ops: &[Op], mut fixture: F) {
    let mut model = MemoryStore::new();
    let (mut on_model, mut on_store) = (Run::default(), Run::default());
    for (step, op) in ops.iter().enumerate() {
        if let Op::Reopen = op {
            (model, fixture) = (model.reopen(), fixture.reopen().await);
            on_model.leases.clear();
            on_store.leases.clear();
        }
        let expected = on_model.step(&model, op).await;
        let seen = on_store.step(fixture.store(), op).await;
        assert!(
            seen == expected,
            "step {step}, {op:?}\nthe store: {seen:?}\nthe model: {expected:?}"
        );
    }
    let expected = on_model.everything(&model).await;
    let seen = on_store.everything(fixture.store()).await;
    assert!(
        seen == expected,
        "at the end\nthe store: {seen:?}\nthe model: {expected:?}"
    );
}

/// What an operation shows, with messages told by the order of their staging.
#[derive(Debug, PartialEq)]
enum Seen {
    Nothing,
    Done(Result<(), String>),
    Staged(usize),
    Leased(Vec<Shown>),
    Settled(Vec<Result<(bool, Option<usize>), String>>),
    Octets(Result<Bytes, String>),
    Listed(Vec<Shown>),
}

/// What is shown of a message.
#[derive(Debug, PartialEq)]
struct Shown {
    number: usize,
    envelope: Arc<Envelope>,
    lives: Vec<Life>,
    redirect: Option<RouteKey>,
    held: bool,
    leased: Option<UnixMs>,
}

/// One store's side of a comparison.
#[derive(Default)]
struct Run {
    /// Milliseconds since the start.
    now: u64,
    /// Every name there was, in the order of staging.
    names: Vec<QueueId>,
    /// Every lease there was; none where it was released.
    leases: Vec<Option<Lease>>,
}

impl Run {
    async fn step<S: QueueStore>(&mut self, store: &S, op: &Op) -> Seen {
        match op.clone() {
            Op::Commit {
                len,
                domains,
                lease,
            } => self.commit(store, len, &domains, lease).await,
            Op::RollBack { len } => {
                let mut staged = store.stage(at(self.now)).await.unwrap();
                staged.append(octets(len)).await.unwrap();
                Seen::Staged(self.name(staged.queue_id()))
            }
            Op::Wait(ms) => {
                self.now += ms;
                Seen::Nothing
            }
            Op::Claim {
                most,
                per_route,
                skip,
                lease,
            } => {
                let claim = Claim {
                    now: at(self.now),
                    until: at(self.now + lease),
                    most,
                    per_route,
                    skip: skip.into_iter().map(route).collect(),
                };
                let leased = store.claim(claim).await.unwrap();
                Seen::Leased(leased.into_iter().map(|l| self.leased(l)).collect())
            }
            Op::Settle {
                lease,
                outcomes,
                notice,
                times,
            } => self.settle(store, lease, &outcomes, notice, times).await,
            Op::Release(ix) => match pick(&mut self.leases, ix).and_then(Option::take) {
                None => Seen::Nothing,
                Some(lease) => Seen::Done(self.words(store.release(lease).await)),
            },
            Op::Renew(ix, ms) => {
                let until = at(self.now + ms);
                let Some(Some(lease)) = pick(&mut self.leases, ix) else {
                    return Seen::Nothing;
                };
                let renewed = store.renew(lease, until).await;
                Seen::Done(self.words(renewed))
            }
            Op::Amend(ix, amendment) => match pick(&mut self.names, ix).copied() {
                None => Seen::Nothing,
                Some(id) => {
                    let amended = store.amend(id, amendment, at(self.now)).await;
                    Seen::Done(self.words(amended))
                }
            },
            Op::Body(ix, offset, most) => match pick(&mut self.names, ix).copied() {
                None => Seen::Nothing,
                Some(id) => Seen::Octets(self.words(read(store, id, offset, most).await)),
            },
            Op::Page(ix, most) => {
                let cursor = ix.and_then(|ix| pick(&mut self.names, ix).copied());
                self.page(store, cursor, most).await
            }
            Op::Reopen => self.page(store, None, usize::MAX).await,
        }
    }

    async fn commit<S: QueueStore>(
        &mut self,
        store: &S,
        len: usize,
        domains: &[usize],
        lease: u64,
    ) -> Seen {
        let now = at(self.now);
        let mut staged = store.stage(now).await.unwrap();
        for piece in octets(len).chunks(10_000) {
            staged.append(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        self.name(staged.queue_id());
        let domains: Vec<&str> = domains.iter().map(|ix| DOMAINS[*ix]).collect();
        let envelope = envelope(now, &domains);
        let until = at(self.now + lease);
        let (receipt, leased) = commit(staged, TransactionId(self.now), envelope, until)
            .await
            .unwrap();
        assert_eq!(receipt.queue_id(), leased.lease.id);
        if let Some(fresh) = &leased.fresh {
            assert!(*fresh == octets(len));
        }
        Seen::Leased(vec![self.leased(leased)])
    }

    async fn settle<S: QueueStore>(
        &mut self,
        store: &S,
        lease: Index,
        outcomes: &[(u32, Ended)],
        notice: bool,
        times: usize,
    ) -> Seen {
        let now = at(self.now);
        let outcomes: Vec<_> = outcomes
            .iter()
            .map(|(ix, ended)| (RecipientIx(*ix), ended.outcome(self.now)))
            .collect();
        let mut all = Vec::new();
        for _ in 0..times {
            let Some(Some(lease)) = pick(&mut self.leases, lease) else {
                return Seen::Nothing;
            };
            let notice = notice.then(|| Notice {
                envelope: envelope(now, &["sender.example"]),
                octets: octets(300),
            });
            let settled = store.settle(lease, &outcomes, notice, now).await;
            let settled = self.words(settled);
            all.push(settled.map(|s| (s.finished, s.notice.map(|id| self.name(id)))));
        }
        Seen::Settled(all)
    }

    async fn page<S: QueueStore>(&self, store: &S, cursor: Option<QueueId>, most: usize) -> Seen {
        let page = store.page(cursor, most).await.unwrap();
        let shown = page.into_iter().map(|entry| Shown {
            number: self.number(entry.id),
            envelope: entry.envelope,
            lives: entry.lives,
            redirect: entry.redirect,
            held: entry.held,
            // One that has run out may still show, and need not.
            leased: entry.leased.filter(|until| *until > at(self.now)),
        });
        Seen::Listed(shown.collect())
    }

    /// The whole queue, and all bodies.
    async fn everything<S: QueueStore>(&self, store: &S) -> Vec<Seen> {
        let mut all = vec![self.page(store, None, usize::MAX).await];
        for id in &self.names {
            let body = read(store, *id, 0, usize::MAX).await;
            all.push(Seen::Octets(self.words(body)));
        }
        all
    }

    fn leased(&mut self, leased: Leased) -> Shown {
        let shown = Shown {
            number: self.number(leased.lease.id),
            envelope: leased.envelope,
            lives: leased.lives,
            redirect: leased.redirect,
            held: false,
            leased: Some(leased.lease.until),
        };
        self.leases.push(Some(leased.lease));
        shown
    }

    /// Takes note of a new name, which is greater than all before it.
    fn name(&mut self, id: QueueId) -> usize {
        assert!(
            self.names.last() < Some(&id),
            "{:?} {id}",
            self.names.last()
        );
        self.names.push(id);
        self.names.len() - 1
    }

    fn number(&self, id: QueueId) -> usize {
        let place = self.names.binary_search(&id);
        place.unwrap_or_else(|_| panic!("{id} was never staged"))
    }

    fn words<T>(&self, result: Result<T, Trouble>) -> Result<T, String> {
        result.map_err(|trouble| match trouble {
            Trouble::Unknown(id) => format!("unknown: {}", self.number(id)),
            trouble => trouble.to_string(),
        })
    }
}

impl Ended {
    fn outcome(self, now: u64) -> Outcome {
        match self {
            Ended::Delivered => Outcome::Delivered { by: "test".into() },
            Ended::Deferred(ms, attempt) => Outcome::Deferred {
                attempt,
                due: at(now + ms),
                why: "451".into(),
            },
            Ended::Failed(notice) => Outcome::Failed {
                why: "550".into(),
                notice,
            },
            Ended::Discarded => Outcome::Discarded {
                rule: "rule".into(),
            },
        }
    }
}

fn pick<T>(list: &mut [T], ix: Index) -> Option<&mut T> {
    match list.len() {
        0 => None,
        len => list.get_mut(ix.index(len)),
    }
}

/// Up to `most` octets, in as many pieces as the store makes of them.
async fn read<S: QueueStore>(
    store: &S,
    id: QueueId,
    offset: u64,
    most: usize,
) -> Result<Bytes, Trouble> {
    let mut all = Vec::new();
    while all.len() < most {
        let piece = (most - all.len()).min(50_000);
        let piece = store.body(id, offset + all.len() as u64, piece).await?;
        if piece.is_empty() {
            break;
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}
