//! A store in memory: the model other stores are compared with, and a store for tests.
//!
//! It keeps every promise of [`QueueStore`] but the one of durability: what it holds lasts as long as
//! the value and its clones. [`MemoryStore::reopen`] stands in for a restart.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use postroad_clock::UnixMs;
use postroad_queue::{Envelope, MessageState, Outcome, QueueIdMaker, RecipientIx, RouteKey};
use postroad_reply::QueueId;

use crate::{
    Amendment, Claim, Entry, Lease, Leased, Notice, Pressure, QueueStore, Settled, Staged, Trouble,
};

/// A queue in memory. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    queue: Arc<Mutex<Queue>>,
}

impl MemoryStore {
    /// An empty queue of node 0, with room for whatever memory holds.
    pub fn new() -> MemoryStore {
        MemoryStore {
            queue: Arc::new(Mutex::new(Queue {
                ids: QueueIdMaker::new(0, None),
                messages: BTreeMap::new(),
                last_token: 0,
                pressure: Pressure::None,
            })),
        }
    }

    /// Makes the store refuse as a full or a read-only one does, until told otherwise.
    pub fn set_pressure(&self, pressure: Pressure) {
        self.lock().pressure = pressure;
    }

    /// What a restart leaves: every message as it was, no leases.
    pub fn reopen(self) -> MemoryStore {
        self.lock().forget_leases();
        self
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No change below stops half-way, so a panic elsewhere leaves the queue whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl QueueStore for MemoryStore {
    type Staged = MemoryStaged;

    async fn stage(&self, now: UnixMs) -> Result<MemoryStaged, Trouble> {
        let mut queue = self.lock();
        queue.has_room()?;
        Ok(MemoryStaged {
            id: queue.ids.make(now),
            octets: BytesMut::new(),
            store: self.clone(),
        })
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Leased>, Trouble> {
        let mut queue = self.lock();
        queue.is_writable()?;
        Ok(queue.claim(&claim))
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcomes: &[(RecipientIx, Outcome)],
        notice: Option<Notice>,
        now: UnixMs,
    ) -> Result<Settled, Trouble> {
        let mut queue = self.lock();
        queue.is_writable()?;
        queue.settle(lease, outcomes, notice, now)
    }

    async fn release(&self, lease: Lease) -> Result<(), Trouble> {
        let mut queue = self.lock();
        queue.is_writable()?;
        if let Ok(message) = queue.leased(&lease) {
            message.end_lease();
            queue.remove_if_finished(lease.id);
        }
        Ok(())
    }

    async fn renew(&self, lease: &mut Lease, until: UnixMs) -> Result<(), Trouble> {
        let mut queue = self.lock();
        queue.is_writable()?;
        let message = queue.leased(lease).map_err(|_| Trouble::LeaseLost)?;
        message.leased = Some(until);
        lease.until = until;
        Ok(())
    }

    async fn amend(&self, id: QueueId, amendment: Amendment, now: UnixMs) -> Result<(), Trouble> {
        let mut queue = self.lock();
        queue.is_writable()?;
        let message = queue.messages.get_mut(&id).ok_or(Trouble::Unknown(id))?;
        if message.leased.is_some_and(|until| until > now) {
            message.state.amend_leased(amendment, now);
        } else {
            message.end_lease();
            message.state.amend(amendment, now);
            queue.remove_if_finished(id);
        }
        Ok(())
    }

    async fn body(&self, id: QueueId, offset: u64, most: usize) -> Result<Bytes, Trouble> {
        let queue = self.lock();
        let message = queue.messages.get(&id).ok_or(Trouble::Unknown(id))?;
        let len = message.octets.len();
        let start = usize::try_from(offset).map_or(len, |offset| offset.min(len));
        let end = start.saturating_add(most).min(len);
        Ok(message.octets.slice(start..end))
    }

    async fn page(&self, cursor: Option<QueueId>, most: usize) -> Result<Vec<Entry>, Trouble> {
        let queue = self.lock();
        let after = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(queue
            .messages
            .range((after, Bound::Unbounded))
            .take(most)
            .map(|(id, message)| message.entry(*id))
            .collect())
    }

    fn pressure(&self) -> Pressure {
        self.lock().pressure
    }
}

/// A message on its way into a [`MemoryStore`].
#[derive(Debug)]
pub struct MemoryStaged {
    id: QueueId,
    octets: BytesMut,
    store: MemoryStore,
}

impl Staged for MemoryStaged {
    fn queue_id(&self) -> QueueId {
        self.id
    }

    async fn append(&mut self, octets: Bytes) -> Result<(), Trouble> {
        self.store.lock().has_room()?;
        self.octets.extend_from_slice(&octets);
        Ok(())
    }

    async fn commit_durably(
        self,
        envelope: Arc<Envelope>,
        until: UnixMs,
    ) -> Result<Leased, Trouble> {
        let mut queue = self.store.lock();
        queue.has_room()?;
        let octets = self.octets.freeze();
        let message = Message::new(envelope, octets.clone());
        queue.messages.insert(self.id, message);
        // It was put in the line before.
        let leased = queue.lease(self.id, until);
        leased
            .map(|leased| Leased {
                fresh: Some(octets),
                ..leased
            })
            .ok_or(Trouble::Unknown(self.id))
    }
}

#[derive(Debug)]
struct Queue {
    ids: QueueIdMaker,
    messages: BTreeMap<QueueId, Message>,
    last_token: u64,
    pressure: Pressure,
}

impl Queue {
    /// New messages are refused by a full store and by a read-only one.
    fn has_room(&self) -> Result<(), Trouble> {
        match self.pressure {
            Pressure::Full => Err(Trouble::Full),
            Pressure::None | Pressure::ReadOnly => self.is_writable(),
        }
    }

    fn is_writable(&self) -> Result<(), Trouble> {
        match self.pressure {
            Pressure::ReadOnly => Err(Trouble::ReadOnly),
            Pressure::None | Pressure::Full => Ok(()),
        }
    }

    fn claim(&mut self, claim: &Claim) -> Vec<Leased> {
        self.end_leases_at(claim.now);
        let mut due: Vec<(UnixMs, QueueId, RouteKey)> = self
            .messages
            .iter()
            .filter(|(_, message)| message.leased.is_none())
            .filter_map(|(id, message)| {
                let due = message.state.due(&message.envelope)?;
                Some((due.at, *id, due.route))
            })
            .filter(|(at, _, route)| *at <= claim.now && !claim.skip.contains(route))
            .collect();
        due.sort();
        let mut taken: BTreeMap<RouteKey, usize> = BTreeMap::new();
        due.retain(|(_, _, route)| {
            let taken = taken.entry(route.clone()).or_default();
            *taken += 1;
            *taken <= claim.per_route
        });
        due.truncate(claim.most);
        let ids = due.into_iter().map(|(_, id, _)| id);
        ids.filter_map(|id| self.lease(id, claim.until)).collect()
    }

    fn settle(
        &mut self,
        lease: &Lease,
        outcomes: &[(RecipientIx, Outcome)],
        notice: Option<Notice>,
        now: UnixMs,
    ) -> Result<Settled, Trouble> {
        let message = match self.leased(lease) {
            Ok(message) => message,
            Err(Trouble::Unknown(_)) => {
                return Ok(Settled {
                    finished: true,
                    notice: None,
                });
            }
            Err(trouble) => return Err(trouble),
        };
        message.state.settle(outcomes, now);
        // Its marks change only with a notice at hand, and it is kept only with marks changed.
        let notice = notice.filter(|_| message.state.notices_committed(now));
        let notice = notice.map(|notice| {
            let id = self.ids.make(now);
            self.messages
                .insert(id, Message::new(notice.envelope, notice.octets));
            id
        });
        Ok(Settled {
            finished: self.remove_if_finished(lease.id),
            notice,
        })
    }

    /// Leases a message anew.
    fn lease(&mut self, id: QueueId, until: UnixMs) -> Option<Leased> {
        let message = self.messages.get_mut(&id)?;
        self.last_token += 1;
        Some(message.lease(id, self.last_token, until))
    }

    /// The message of a lease that nobody has taken since.
    fn leased(&mut self, lease: &Lease) -> Result<&mut Message, Trouble> {
        let message = self.messages.get_mut(&lease.id);
        let message = message.ok_or(Trouble::Unknown(lease.id))?;
        if message.token == lease.token {
            Ok(message)
        } else {
            Err(Trouble::LeaseLost)
        }
    }

    /// Ends what has run out at `now`.
    fn end_leases_at(&mut self, now: UnixMs) {
        self.messages.retain(|_, message| {
            if message.leased.is_some_and(|until| until <= now) {
                message.end_lease();
            }
            message.leased.is_some() || !message.state.is_finished()
        });
    }

    fn forget_leases(&mut self) {
        self.end_leases_at(UnixMs(u64::MAX));
        for message in self.messages.values_mut() {
            message.token = 0;
        }
    }

    /// Takes the message out of the queue if nothing is owed for it any more.
    fn remove_if_finished(&mut self, id: QueueId) -> bool {
        let finished = |message: &Message| message.state.is_finished();
        let finished = self.messages.get(&id).is_none_or(finished);
        if finished {
            self.messages.remove(&id);
        }
        finished
    }
}

#[derive(Debug)]
struct Message {
    envelope: Arc<Envelope>,
    state: MessageState,
    octets: Bytes,
    /// Of the last lease there was; 0 before the first.
    token: u64,
    /// Until when it is leased.
    leased: Option<UnixMs>,
}

impl Message {
    fn new(envelope: Arc<Envelope>, octets: Bytes) -> Message {
        Message {
            state: MessageState::new(&envelope),
            envelope,
            octets,
            token: 0,
            leased: None,
        }
    }

    fn lease(&mut self, id: QueueId, token: u64, until: UnixMs) -> Leased {
        self.token = token;
        self.leased = Some(until);
        Leased {
            lease: Lease { id, token, until },
            envelope: self.envelope.clone(),
            lives: self.state.lives.clone(),
            expanded: self.state.expanded,
            redirect: self.state.redirect.clone(),
            fresh: None,
        }
    }

    fn end_lease(&mut self) {
        self.leased = None;
        self.state.end_lease();
    }

    fn entry(&self, id: QueueId) -> Entry {
        Entry {
            id,
            envelope: self.envelope.clone(),
            state: self.state.clone(),
            leased: self.leased,
        }
    }
}
