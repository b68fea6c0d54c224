//! Stores with a planted fault: the comparison with the model must find each of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_queue::{Outcome, RecipientIx};
use postroad_reply::{QueueId, TransactionId};
use postroad_store::conformance::Fixture;
use postroad_store::memory::MemoryStaged;
use postroad_store::{
    Amendment, Claim, Entry, Lease, Leased, MemoryStore, Notice, Pressure, QueueStore, Settled,
    Trouble, commit, model,
};
use proptest::test_runner::{Config, TestRunner};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    ForgetsOutcomes,
    TakesLostLeases,
    IgnoresTheCap,
    IgnoresSkip,
    ClaimsEarly,
    ClaimsInOrderOfIds,
    SendsNoticesAgain,
    LosesNotices,
    ForgetsRenewals,
    AmendsLeasedAtOnce,
    ForgetsRedirects,
    EndsBodiesEarly,
    ListsTheCursorAgain,
    LosesMailAtReopen,
}

#[derive(Debug)]
struct Planted(MemoryStore, Fault);

impl Planted {
    fn has(&self, fault: Fault) -> bool {
        self.1 == fault
    }

    async fn commit(&self, notice: &Notice, now: UnixMs) -> Result<(), Trouble> {
        let mut staged = self.0.stage(now).await?;
        postroad_store::Staged::append(&mut staged, notice.octets.clone()).await?;
        let envelope = Arc::clone(&notice.envelope);
        let (_receipt, leased) = commit(staged, TransactionId(0), envelope, now).await?;
        self.0.release(leased.lease).await
    }
}

impl QueueStore for Planted {
    type Staged = MemoryStaged;

    async fn stage(&self, now: UnixMs) -> Result<MemoryStaged, Trouble> {
        self.0.stage(now).await
    }

    async fn claim(&self, mut claim: Claim) -> Result<Vec<Leased>, Trouble> {
        if self.has(Fault::IgnoresTheCap) {
            claim.per_route = usize::MAX;
        }
        if self.has(Fault::IgnoresSkip) {
            claim.skip.clear();
        }
        if self.has(Fault::ClaimsEarly) {
            claim.now = claim.now + Duration::from_millis(1);
        }
        let mut leased = self.0.claim(claim).await?;
        if self.has(Fault::ClaimsInOrderOfIds) {
            leased.sort_by_key(|leased| leased.lease.id);
        }
        Ok(leased)
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcomes: &[(RecipientIx, Outcome)],
        notice: Option<Notice>,
        now: UnixMs,
    ) -> Result<Settled, Trouble> {
        let outcomes = match self.1 {
            Fault::ForgetsOutcomes => &[],
            _ => outcomes,
        };
        let given = notice.clone();
        let notice = notice.filter(|_| !self.has(Fault::LosesNotices));
        let settled = self.0.settle(lease, outcomes, notice, now).await;
        if let (Some(again), Ok(Settled { notice: None, .. })) = (given, &settled)
            && self.has(Fault::SendsNoticesAgain)
        {
            self.commit(&again, now).await?;
        }
        match settled {
            Err(Trouble::LeaseLost) if self.has(Fault::TakesLostLeases) => Ok(Settled {
                finished: false,
                notice: None,
            }),
            settled => settled,
        }
    }

    async fn release(&self, lease: Lease) -> Result<(), Trouble> {
        self.0.release(lease).await
    }

    async fn renew(&self, lease: &mut Lease, until: UnixMs) -> Result<(), Trouble> {
        match self.1 {
            Fault::ForgetsRenewals => Ok(()),
            _ => self.0.renew(lease, until).await,
        }
    }

    async fn amend(&self, id: QueueId, amendment: Amendment, now: UnixMs) -> Result<(), Trouble> {
        match (self.1, &amendment) {
            (Fault::ForgetsRedirects, Amendment::Redirect(_)) => Ok(()),
            (Fault::AmendsLeasedAtOnce, Amendment::Hold) => {
                // No lease lasts until then.
                self.0.amend(id, amendment, UnixMs(u64::MAX)).await
            }
            _ => self.0.amend(id, amendment, now).await,
        }
    }

    async fn body(&self, id: QueueId, offset: u64, most: usize) -> Result<Bytes, Trouble> {
        let octets = self.0.body(id, offset, most).await?;
        let ends = self.has(Fault::EndsBodiesEarly) && offset > 0;
        Ok(octets.slice(..octets.len().saturating_sub(usize::from(ends))))
    }

    async fn page(&self, cursor: Option<QueueId>, most: usize) -> Result<Vec<Entry>, Trouble> {
        let cursor = match self.1 {
            Fault::ListsTheCursorAgain => cursor.map(|id| QueueId(id.0 - 1)),
            _ => cursor,
        };
        self.0.page(cursor, most).await
    }

    fn pressure(&self) -> Pressure {
        self.0.pressure()
    }
}

impl Fixture for Planted {
    type Store = Planted;

    async fn make() -> Planted {
        Planted(MemoryStore::new(), Fault::None)
    }

    fn store(&self) -> &Planted {
        self
    }

    async fn reopen(self) -> Planted {
        match self.1 {
            Fault::LosesMailAtReopen => Planted(MemoryStore::new(), self.1),
            fault => Planted(self.0.reopen(), fault),
        }
    }
}

/// Whether some of 200 sequences, always the same ones, tell the store from the model.
fn is_found(fault: Fault) -> bool {
    let config = Config {
        cases: 200,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let run = runner.run(&model::ops(60, 20_000), |ops| {
        let store = Planted(MemoryStore::new(), fault);
        futures_util::FutureExt::now_or_never(model::check(&ops, store))
            .ok_or_else(|| proptest::test_runner::TestCaseError::fail("it never waits"))
    });
    run.is_err()
}

#[test]
fn each_planted_fault_is_found_and_none_where_there_is_none() {
    assert!(!is_found(Fault::None));
    let missed: Vec<Fault> = [
        Fault::ForgetsOutcomes,
        Fault::TakesLostLeases,
        Fault::IgnoresTheCap,
        Fault::IgnoresSkip,
        Fault::ClaimsEarly,
        Fault::ClaimsInOrderOfIds,
        Fault::SendsNoticesAgain,
        Fault::LosesNotices,
        Fault::ForgetsRenewals,
        Fault::AmendsLeasedAtOnce,
        Fault::ForgetsRedirects,
        Fault::EndsBodiesEarly,
        Fault::ListsTheCursorAgain,
        Fault::LosesMailAtReopen,
    ]
    .into_iter()
    .filter(|fault| !is_found(*fault))
    .collect();
    assert_eq!(missed, []);
}
