//! The line in which requests wait for the committer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_host::tasks::Home;
use postroad_queue::{Amendment, Envelope, Outcome, RecipientIx};
use postroad_reply::QueueId;
use postroad_store::{Leased, Settled, Trouble};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::staging::StagedBody;

/// Where the answer to a request goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Trouble>>;

/// What the committer is asked to make durable.
#[derive(Debug)]
pub(crate) enum Request {
    /// A message, to be leased to the asker.
    Accept(Accept),
    /// What an attempt did.
    Settle(Settle),
    /// What an operator wants.
    Amend(QueueId, Amendment, UnixMs, Answer<()>),
    /// A lease has ended (the one of that token) while an operator's word waited for it.
    EndLease(QueueId, u64, Answer<()>),
}

/// A message to be taken in.
#[derive(Debug)]
pub(crate) struct Accept {
    pub(crate) id: QueueId,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) body: StagedBody,
    pub(crate) until: UnixMs,
    pub(crate) answer: Answer<Leased>,
}

/// What an attempt did, and the notice it calls for.
#[derive(Debug)]
pub(crate) struct Settle {
    pub(crate) id: QueueId,
    pub(crate) token: u64,
    pub(crate) outcomes: Vec<(RecipientIx, Outcome)>,
    pub(crate) notice: Option<(QueueId, Arc<Envelope>, StagedBody)>,
    pub(crate) now: UnixMs,
    pub(crate) answer: Answer<Settled>,
}

impl Request {
    /// Whether it may wait a little for others to share a flush with: a settle without notice.
    fn is_quiet(&self) -> bool {
        matches!(
            self,
            Request::Settle(Settle { notice: None, .. }) | Request::EndLease(..)
        )
    }

    /// Answers it with trouble.
    pub(crate) fn refuse(self, trouble: Trouble) {
        // Nobody may be waiting any more; then there is nobody to tell.
        match self {
            Request::Accept(accept) => drop(accept.answer.send(Err(trouble))),
            Request::Settle(settle) => drop(settle.answer.send(Err(trouble))),
            Request::Amend(.., answer) | Request::EndLease(.., answer) => {
                drop(answer.send(Err(trouble)));
            }
        }
    }
}

/// A request in the line; its place in the bound is free when this is dropped.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) request: Request,
    /// Where the asker waits.
    pub(crate) home: Home,
    _permit: OwnedSemaphorePermit,
}

/// The line. Bounded: who comes when it is full waits, unless the spool is closed.
#[derive(Debug)]
pub(crate) struct Line {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Queued>,
    closed: bool,
    /// Something waits that wants a flush now.
    urgent: bool,
}

impl Line {
    pub(crate) fn new(bound: usize) -> Line {
        Line {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            room: Arc::new(Semaphore::new(bound.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    /// Waits for room in the line.
    pub(crate) async fn room(&self) -> Result<OwnedSemaphorePermit, Trouble> {
        let permit = Arc::clone(&self.room).acquire_owned().await;
        permit.map_err(|_| closed())
    }

    /// Joins the line, and wakes the committer. A request that comes after the end is dropped, which tells
    /// its asker.
    pub(crate) fn join(&self, request: Request, permit: OwnedSemaphorePermit) {
        if self.push(request, permit) {
            self.arrived.notify_one();
        }
    }

    /// Joins the line; true if the committer has to be woken for it.
    pub(crate) fn push(&self, request: Request, permit: OwnedSemaphorePermit) -> bool {
        let mut waiting = self.lock();
        if waiting.closed {
            return false;
        }
        let urgent = !request.is_quiet();
        let wake = waiting.requests.is_empty() || (urgent && !waiting.urgent);
        waiting.urgent |= urgent;
        waiting.requests.push_back(Queued {
            request,
            home: Home::here(),
            _permit: permit,
        });
        wake
    }

    /// Takes all that waits.
    pub(crate) fn take(&self) -> VecDeque<Queued> {
        let mut waiting = self.lock();
        waiting.urgent = false;
        std::mem::take(&mut waiting.requests)
    }

    /// No more requests; those that wait are still served.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.arrived.notify_all();
    }

    /// Whether the line is at its end.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until something urgent is in the line, or something quiet has been in it for `quiet`,
    /// or the line closes, or `most` has passed.
    pub(crate) fn wait(&self, quiet: Duration, most: Duration) {
        let waiting = self.lock();
        let idle = |w: &mut Waiting| w.requests.is_empty() && !w.closed;
        let (waiting, _) = self
            .arrived
            .wait_timeout_while(waiting, most, idle)
            .unwrap_or_else(PoisonError::into_inner);
        if !waiting.requests.is_empty() && !waiting.urgent && !waiting.closed {
            let calm = |w: &mut Waiting| !w.urgent && !w.closed;
            drop(self.arrived.wait_timeout_while(waiting, quiet, calm));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics halfway through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said to who comes after the end.
pub(crate) fn closed() -> Trouble {
    Trouble::Failed("the spool is closed".into())
}
