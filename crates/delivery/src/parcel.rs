//! What a transport is given, and what it says became of it.

use std::sync::Arc;

use bytes::Bytes;
use postroad_queue::scheduler::Feedback;
use postroad_queue::{Envelope, Handover, Recipient, RecipientIx, Report};
use postroad_reply::{Enhanced, QueueId};

/// A message on its way, for some of its recipients.
#[derive(Debug)]
pub struct Parcel<'a, S> {
    /// Its name in the store.
    pub id: QueueId,
    /// Tells this attempt from any other at the same message: its lease's token.
    pub token: u64,
    /// What came with it. Its trace fields go before the received octets, and its edits are made.
    pub envelope: &'a Arc<Envelope>,
    /// The received octets, where they are still in memory; then nothing was tried before.
    pub fresh: Option<Bytes>,
    /// Where they are else.
    pub store: &'a S,
    /// Whom this is for. Places that the envelope doesn't have are deferred.
    pub recipients: Vec<RecipientIx>,
}

/// What became of a parcel.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// For each of its recipients, in no particular order.
    pub recipients: Vec<(RecipientIx, Verdict)>,
    /// What is to be thought of the site.
    pub feedback: Feedback,
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The next hop has it, or it is in its mailbox.
    Delivered {
        /// Who tells the sender.
        how: Handover,
        /// What the next hop said.
        report: Report,
    },
    /// Not now.
    Deferred(Report),
    /// It is held until its owner calls for it, which is no attempt.
    Waits(Report),
    /// Never.
    Failed(Report),
}

/// Something of ours went wrong: "other or undefined mail system status" (RFC 3463 3.4).
pub(crate) const OURS: Enhanced = Enhanced::literal("4.3.0");

impl<'a, S> Parcel<'a, S> {
    /// The same for these recipients.
    pub(crate) fn for_some(&self, recipients: Vec<RecipientIx>) -> Parcel<'a, S> {
        Parcel {
            id: self.id,
            token: self.token,
            envelope: self.envelope,
            fresh: self.fresh.clone(),
            store: self.store,
            recipients,
        }
    }

    /// The recipient at a place, if the envelope has it.
    pub(crate) fn recipient(&self, ix: RecipientIx) -> Option<&Recipient> {
        self.envelope.recipients.get(usize::try_from(ix.0).ok()?)
    }
}

impl Carried {
    /// Nothing yet, and nothing against the site.
    pub(crate) fn nothing() -> Carried {
        Carried {
            recipients: Vec::new(),
            feedback: Feedback::Neutral,
        }
    }

    /// Something of ours is wrong, which says nothing of the site.
    pub(crate) fn push_ours(&mut self, ix: RecipientIx, why: &str) {
        let report = Report::plain(why).with_status(OURS);
        self.recipients.push((ix, Verdict::Deferred(report)));
    }
}
