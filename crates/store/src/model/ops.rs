//! What can be done to a store, at random.

use postroad_queue::{Handover, NoticeState, Outcome, RouteKey};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::Amendment;
use crate::conformance::at;

/// The domains mail goes to.
pub(super) const DOMAINS: [&str; 4] = ["a.example", "b.example", "C.example", "d.example"];

/// Something done to a store.
#[derive(Debug, Clone)]
pub enum Op {
    /// A message of `len` octets to these of the domains comes in, leased for `lease` ms.
    Commit {
        /// Octets.
        len: usize,
        /// Places in the list of domains.
        domains: Vec<usize>,
        /// Its sender wants to hear of success.
        asking: bool,
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
    Delivered(NoticeState),
    /// To be tried again in so many ms, as attempt number so much.
    Deferred(u64, u32, NoticeState),
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
    let domains = prop::collection::vec(domain.clone(), 1..4);
    let commits = (len(), domains, any::<bool>(), lease());
    let claims = (
        0..8usize,
        0..4usize,
        prop::collection::vec(domain, 0..2),
        lease(),
    );
    let outcomes = prop::collection::vec((0..4u32, ended()), 0..4);
    let settles = (any::<Index>(), outcomes, any::<bool>(), 1..3usize);
    prop_oneof![
        6 => commits.prop_map(|(len, domains, asking, lease)| Op::Commit {
            len, domains, asking, lease
        }),
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
        3 => notice.clone().prop_map(Ended::Delivered),
        4 => (1..40u64, 1..5u32, notice.clone())
            .prop_map(|(ms, attempt, notice)| Ended::Deferred(ms, attempt, notice)),
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

pub(super) fn route(ix: usize) -> RouteKey {
    RouteKey(DOMAINS[ix].to_ascii_lowercase().into())
}

impl Ended {
    /// What that is, `now` ms after the start.
    pub(super) fn outcome(self, now: u64) -> Outcome {
        match self {
            Ended::Delivered(notice) => Outcome::Delivered {
                how: Handover::Delivered,
                report: "test".into(),
                notice,
            },
            Ended::Deferred(ms, attempt, notice) => Outcome::Deferred {
                attempt,
                due: at(now + ms),
                report: "451".into(),
                notice,
            },
            Ended::Failed(notice) => Outcome::Failed {
                report: "550".into(),
                notice,
            },
            Ended::Discarded => Outcome::Discarded {
                rule: "rule".into(),
            },
        }
    }
}
