//! What others know of a running loop, and what they say to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postroad_queue::scheduler::SiteView;
use postroad_reply::QueueId;
use tokio::sync::{mpsc, oneshot};

/// How many words to the loop may wait to be heard.
const WORDS: usize = 10_000;

/// How many deliveries are under way, for whoever wants to say what a shutdown waits for.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// So many are.
    pub(crate) fn set(&self, count: usize) {
        self.0.store(count, Ordering::Relaxed);
    }
}

/// Talks to a running loop.
#[derive(Debug, Clone)]
pub struct Handle(mpsc::Sender<Word>);

/// What is said to a running loop.
#[derive(Debug)]
pub(crate) enum Word {
    /// An operator changed a message.
    Changed(QueueId),
    /// An operator made messages due.
    TryClosed,
    /// Somebody wants to see the sites.
    Sites(oneshot::Sender<Vec<SiteView>>),
}

impl Handle {
    /// A handle, and where a loop hears what is said by it.
    pub(crate) fn new() -> (Handle, mpsc::Receiver<Word>) {
        let (handle, words) = mpsc::channel(WORDS);
        (Handle(handle), words)
    }

    /// Tells that an operator changed a message: what of it only waits for its turn is given back, so
    /// that the change takes effect when what is under way has ended.
    pub fn changed(&self, id: QueueId) {
        // Without a loop there is nothing that waits. A loop that has much to hear lets the message
        // have its turn, and the change takes effect after that.
        let _ = self.0.try_send(Word::Changed(id));
    }

    /// Tells that an operator made messages due: a site that is closed after trouble is tried, too.
    pub fn try_closed(&self) {
        // A loop that has too much to hear tries it when its pause is over.
        let _ = self.0.try_send(Word::TryClosed);
    }

    /// Each site, in the order of their names; none if the loop has ended.
    pub async fn sites(&self) -> Vec<SiteView> {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Word::Sites(answer)).await.is_err() {
            return Vec::new();
        }
        answered.await.unwrap_or_default()
    }
}
