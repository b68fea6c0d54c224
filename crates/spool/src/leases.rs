//! Who has which message. In memory: one process owns the spool, and its leases end with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postroad_clock::UnixMs;
use postroad_queue::{Envelope, MessageState};
use postroad_reply::QueueId;
use postroad_store::Lease;

/// A leased message, with what its next settle needs.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Tells this lease from others of the message.
    pub(crate) token: u64,
    /// When it ends by itself.
    pub(crate) until: UnixMs,
    /// What came with it.
    pub(crate) envelope: Arc<Envelope>,
    /// Where it stands, as it is on disk.
    pub(crate) state: MessageState,
}

/// All leases.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Boxed, as the nodes of a tree that grows in order are half empty.
    slots: BTreeMap<QueueId, Box<Slot>>,
    ends: BTreeSet<(UnixMs, QueueId)>,
    last_token: u64,
}

impl Leases {
    /// A token no lease has had in this process.
    pub(crate) fn next_token(&mut self) -> u64 {
        self.last_token += 1;
        self.last_token
    }

    /// Leases a message that nobody has.
    pub(crate) fn begin(&mut self, id: QueueId, slot: Slot) -> Lease {
        let lease = Lease {
            id,
            token: slot.token,
            until: slot.until,
        };
        self.ends.insert((slot.until, id));
        self.slots.insert(id, Box::new(slot));
        lease
    }

    /// The lease of a message.
    pub(crate) fn get(&self, id: QueueId) -> Option<&Slot> {
        self.slots.get(&id).map(Box::as_ref)
    }

    /// Notes the state that is on disk now.
    pub(crate) fn set_state(&mut self, id: QueueId, state: MessageState) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.state = state;
        }
    }

    /// Moves the end of a lease.
    pub(crate) fn renew(&mut self, id: QueueId, until: UnixMs) {
        if let Some(slot) = self.slots.get_mut(&id) {
            self.ends.remove(&(slot.until, id));
            slot.until = until;
            self.ends.insert((until, id));
        }
    }

    /// Ends a lease.
    pub(crate) fn end(&mut self, id: QueueId) -> Option<Slot> {
        let slot = self.slots.remove(&id)?;
        self.ends.remove(&(slot.until, id));
        Some(*slot)
    }

    /// The messages whose leases have run out at `now`, and those leases' tokens.
    pub(crate) fn run_out(&self, now: UnixMs) -> Vec<(QueueId, u64)> {
        self.ends
            .range(..=(now, QueueId(u64::MAX)))
            .filter_map(|(_, id)| Some((*id, self.slots.get(id)?.token)))
            .collect()
    }
}
