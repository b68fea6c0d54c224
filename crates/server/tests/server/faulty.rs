//! A store that fails where it is told to.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_queue::{Envelope, Outcome, RecipientIx};
use postroad_reply::QueueId;
use postroad_store::memory::MemoryStaged;
use postroad_store::{
    Amendment, Claim, Entry, Lease, Leased, MemoryStore, Notice, Pressure, QueueStore, Settled,
    Staged, Trouble,
};
use tokio::sync::Semaphore;

/// Where a message's way into the store can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Stage,
    Append,
    Commit,
    Page,
}

/// A memory store with a weak spot.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    pub(crate) inner: MemoryStore,
    fault: Arc<Mutex<Option<(Step, Trouble)>>>,
    /// A commit takes one of these, and waits for it.
    pub(crate) commits: Arc<Semaphore>,
    /// A look at a page of the queue takes one of these, and waits for it.
    pub(crate) pages: Arc<Semaphore>,
}

impl Faulty {
    pub(crate) fn new() -> Faulty {
        Faulty {
            inner: MemoryStore::new(),
            fault: Arc::default(),
            commits: Arc::new(Semaphore::new(1000)),
            pages: Arc::new(Semaphore::new(1000)),
        }
    }

    /// Fails at `step` from now on.
    pub(crate) fn fail(&self, step: Step, trouble: Trouble) {
        *self.fault.lock().unwrap() = Some((step, trouble));
    }

    /// Works again.
    pub(crate) fn heal(&self) {
        *self.fault.lock().unwrap() = None;
    }

    fn try_to(&self, step: Step) -> Result<(), Trouble> {
        match &*self.fault.lock().unwrap() {
            Some((at, trouble)) if *at == step => Err(trouble.clone()),
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct FaultyStaged {
    inner: MemoryStaged,
    store: Faulty,
}

impl Staged for FaultyStaged {
    fn queue_id(&self) -> QueueId {
        self.inner.queue_id()
    }

    async fn append(&mut self, octets: Bytes) -> Result<(), Trouble> {
        self.store.try_to(Step::Append)?;
        self.inner.append(octets).await
    }

    async fn commit_durably(
        self,
        envelope: Arc<Envelope>,
        until: UnixMs,
    ) -> Result<Leased, Trouble> {
        self.store.try_to(Step::Commit)?;
        self.store.commits.acquire().await.unwrap().forget();
        self.inner.commit_durably(envelope, until).await
    }
}

impl QueueStore for Faulty {
    type Staged = FaultyStaged;

    async fn stage(&self, now: UnixMs) -> Result<FaultyStaged, Trouble> {
        self.try_to(Step::Stage)?;
        Ok(FaultyStaged {
            inner: self.inner.stage(now).await?,
            store: self.clone(),
        })
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Leased>, Trouble> {
        self.inner.claim(claim).await
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcomes: &[(RecipientIx, Outcome)],
        notice: Option<Notice>,
        now: UnixMs,
    ) -> Result<Settled, Trouble> {
        self.inner.settle(lease, outcomes, notice, now).await
    }

    async fn release(&self, lease: Lease) -> Result<(), Trouble> {
        self.inner.release(lease).await
    }

    async fn renew(&self, lease: &mut Lease, until: UnixMs) -> Result<(), Trouble> {
        self.inner.renew(lease, until).await
    }

    async fn amend(&self, id: QueueId, amendment: Amendment, now: UnixMs) -> Result<(), Trouble> {
        self.inner.amend(id, amendment, now).await
    }

    async fn body(&self, id: QueueId, offset: u64, most: usize) -> Result<Bytes, Trouble> {
        self.inner.body(id, offset, most).await
    }

    async fn page(&self, cursor: Option<QueueId>, most: usize) -> Result<Vec<Entry>, Trouble> {
        self.try_to(Step::Page)?;
        self.pages.acquire().await.unwrap().forget();
        self.inner.page(cursor, most).await
    }

    fn pressure(&self) -> Pressure {
        self.inner.pressure()
    }
}
