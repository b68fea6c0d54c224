//! Takes one message into the store, from the first octet to the receipt.

use std::sync::Arc;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_message::{Facts, Scanner};
use postroad_queue::Envelope;
use postroad_reply::{QueueId, Receipt, TransactionId};
use postroad_store::{Leased, QueueStore, Staged, Trouble, commit};

use crate::budget::Share;

/// A message on its way in.
///
/// What goes wrong while its octets come is kept until there is a command to answer: the client is
/// read on to the end of its data whatever happens (RFC 5321 4.1.1.4).
#[derive(Debug)]
pub(crate) struct Intake<S: QueueStore> {
    staged: Result<S::Staged, Trouble>,
    queue_id: QueueId,
    scanner: Scanner,
    /// Its first octets, kept for who judges it.
    header: Vec<u8>,
    /// How many are kept.
    header_octets: usize,
    /// Its share of the memory for message data, held until it is over; none if there was none
    /// in time.
    _budget: Option<Share>,
}

impl<S: QueueStore> Intake<S> {
    /// Begins a message, before its client is told to go on. So many of its first octets are kept.
    pub(crate) async fn begin(
        store: &S,
        budget: Option<Share>,
        header_octets: usize,
        now: UnixMs,
    ) -> Result<Intake<S>, Trouble> {
        let staged = store.stage(now).await?;
        let queue_id = staged.queue_id();
        Ok(Intake {
            staged: Ok(staged),
            queue_id,
            scanner: Scanner::new(),
            header: Vec::new(),
            header_octets,
            _budget: budget,
        })
    }

    /// The name it will be stored under.
    pub(crate) fn queue_id(&self) -> QueueId {
        self.queue_id
    }

    /// Takes the next octets. After trouble the rest is let go by.
    pub(crate) async fn append(&mut self, octets: Bytes) {
        if let Ok(staged) = &mut self.staged {
            self.scanner.push(&octets);
            let more = self.header_octets - self.header.len();
            self.header
                .extend_from_slice(&octets[..more.min(octets.len())]);
            if let Err(trouble) = staged.append(octets).await {
                // The stage is dropped here, which rolls it back.
                self.staged = Err(trouble);
            }
        }
    }

    /// What has gone wrong so far.
    pub(crate) fn trouble(&self) -> Option<&Trouble> {
        self.staged.as_ref().err()
    }

    /// The whole message is there: what it is made of, and what remains to be done with it.
    pub(crate) fn complete(self) -> Result<(Facts, Complete<S>), Trouble> {
        let staged = self.staged?;
        Ok((
            self.scanner.finish(),
            Complete {
                staged,
                header: self.header,
                _budget: self._budget,
            },
        ))
    }
}

/// A message that is there to its end and not in the queue yet. Dropped, it is rolled back.
#[derive(Debug)]
pub(crate) struct Complete<S: QueueStore> {
    staged: S::Staged,
    header: Vec<u8>,
    _budget: Option<Share>,
}

impl<S: QueueStore> Complete<S> {
    /// Its first octets.
    pub(crate) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Puts it in the queue. When this returns a receipt, it is on disk.
    pub(crate) async fn commit(
        self,
        transaction: TransactionId,
        envelope: Arc<Envelope>,
        leased_until: UnixMs,
    ) -> Result<(Receipt, Leased), Trouble> {
        // No time-out stands over this: a commit that was asked for may succeed at any moment, and
        // a message for which 4yz was said must not be delivered (RFC 5321 4.2.5).
        commit(self.staged, transaction, envelope, leased_until).await
    }
}
