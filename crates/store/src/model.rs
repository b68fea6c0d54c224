//! Random sequences give the same observable results on a store as on [`MemoryStore`].
//!
//! A store's tests take sequences from [`ops`] and give each to [`check`]. Names, tokens and
//! times that a store makes up are compared by what they stand for.

// A check is the body of a test: it fails by a panic.
#![allow(clippy::unwrap_used)]

mod ops;

use std::sync::Arc;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_queue::{Envelope, History, Life, Mark, RecipientIx, RouteKey};
use postroad_reply::{QueueId, TransactionId};
use proptest::sample::Index;

pub use ops::{Ended, Op, ops};

use self::ops::{DOMAINS, route};
use crate::conformance::{self, Fixture, at, envelope, octets};
use crate::{Claim, Lease, Leased, MemoryStore, Notice, QueueStore, Staged, Trouble, commit};

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
    expanded: Mark,
    redirect: Option<RouteKey>,
    held: bool,
    /// As a listing shows it; a claim doesn't.
    history: History,
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
                asking,
                lease,
            } => self.commit(store, len, &domains, asking, lease).await,
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
        asking: bool,
        lease: u64,
    ) -> Seen {
        let now = at(self.now);
        let mut staged = store.stage(now).await.unwrap();
        for piece in octets(len).chunks(10_000) {
            staged.append(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        self.name(staged.queue_id());
        let domains: Vec<&str> = domains.iter().map(|ix| DOMAINS[*ix]).collect();
        let envelope = match asking {
            true => conformance::asking(&envelope(now, &domains)),
            false => envelope(now, &domains),
        };
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
            lives: entry.state.lives,
            expanded: entry.state.expanded,
            redirect: entry.state.redirect,
            held: entry.state.held,
            history: entry.state.history,
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
            expanded: leased.expanded,
            redirect: leased.redirect,
            held: false,
            history: History::default(),
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
