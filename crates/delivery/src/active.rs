//! The messages that are being delivered: what each has come to, and who holds its lease.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_queue::notice::is_due;
use postroad_queue::scheduler::Offer;
use postroad_queue::{Envelope, Life, Mark, Outcome, RecipientIx, RouteKey};
use postroad_reply::QueueId;
use postroad_store::{Lease, Leased};

use crate::notice::About;
use crate::outcome::Again;

/// A message that is being delivered.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) envelope: Arc<Envelope>,
    /// Where the recipients stand, what isn't recorded yet included.
    pub(crate) lives: Vec<Life>,
    expanded: Mark,
    pub(crate) fresh: Option<Bytes>,
    redirect: Option<RouteKey>,
    /// Tells this stay from others.
    pub(crate) token: u64,
    id: QueueId,
    /// When its lease is looked after.
    look_at: UnixMs,
    /// Its lease, unless something that needs it is under way.
    lease: Option<Lease>,
    /// Since when it is here.
    began: UnixMs,
    /// Spreads what is deferred of it, all alike.
    chance: u64,
    /// What the store wasn't told yet.
    outcomes: Vec<(RecipientIx, Outcome)>,
    /// Something is being said to the store. A claim may bring another lease meanwhile, but what is
    /// said with that could overtake it.
    saying: bool,
    /// Its lease is being renewed.
    renewing: bool,
    /// Nothing of it is in flight any more.
    done: bool,
    /// It isn't ours any more.
    lost: bool,
}

/// What is to be said to the store about one message.
#[derive(Debug)]
pub(crate) struct Saying {
    pub(crate) lease: Lease,
    pub(crate) outcomes: Vec<(RecipientIx, Outcome)>,
    /// What a notice is made of, where one is to be committed with it.
    pub(crate) told: Option<About>,
    /// The lease ends after it.
    pub(crate) last: bool,
}

impl Active {
    /// A message that comes at `began`; `chance` is its share of it.
    pub(crate) fn new(leased: Leased, began: UnixMs, chance: u64) -> Active {
        Active {
            envelope: leased.envelope,
            lives: leased.lives,
            expanded: leased.expanded,
            fresh: leased.fresh,
            redirect: leased.redirect,
            token: leased.lease.token,
            id: leased.lease.id,
            look_at: UnixMs(0),
            lease: Some(leased.lease),
            began,
            chance,
            outcomes: Vec::new(),
            saying: false,
            renewing: false,
            done: false,
            lost: false,
        }
    }

    /// Its recipients whose time has come, for the scheduler. A message is claimed when its first one
    /// is due; the others wait for their own, but those that are due `soon` after it go with it.
    pub(crate) fn offer(&self, soon: Duration) -> Offer {
        let recipients = (0u32..).map(RecipientIx).zip(&self.envelope.recipients);
        let until = self.began + soon;
        let is_due = |life: &Life| matches!(life, Life::Pending { due, .. } if *due <= until);
        let due = recipients.zip(&self.lives).filter(|(_, life)| is_due(life));
        let route = |to| {
            let own = || self.envelope.route_to(to);
            self.redirect.clone().unwrap_or_else(own)
        };
        Offer {
            message: self.id,
            sender: self.envelope.sender_key.as_str().into(),
            recipients: due
                .map(|((ix, recipient), _)| (route(recipient), ix))
                .collect(),
        }
    }

    /// When those of its recipients that were tried are tried again, if they have to be; or those that
    /// were put off, not before then.
    pub(crate) fn again(&self, not_before: Option<UnixMs>) -> Again {
        Again {
            began: self.began,
            not_before,
            chance: self.chance,
        }
    }

    /// Where a recipient stands.
    pub(crate) fn life(&self, ix: RecipientIx) -> Option<&Life> {
        self.lives.get(usize::try_from(ix.0).ok()?)
    }

    /// Takes note of what an attempt came to; it is to be said to the store.
    pub(crate) fn came_to(&mut self, ix: RecipientIx, outcome: Outcome, now: UnixMs) {
        let place = usize::try_from(ix.0).ok();
        if let Some(life) = place.and_then(|ix| self.lives.get_mut(ix)) {
            life.apply(&outcome, now);
        }
        self.outcomes.push((ix, outcome));
    }

    /// Nothing of it is in flight any more.
    pub(crate) fn is_done(&mut self) {
        self.done = true;
    }

    /// A claim brought it although it is here, because its lease had run out: this is its lease now,
    /// and it is ours again if it wasn't.
    pub(crate) fn take_lease(&mut self, lease: Lease) {
        self.lease = Some(lease);
        self.lost = false;
    }

    /// Its lease, for something that gives it back.
    pub(crate) fn lend(&mut self) -> Option<Lease> {
        self.lease.take()
    }

    /// Its lease, to be renewed.
    pub(crate) fn lend_to_renew(&mut self) -> Option<Lease> {
        let lease = self.lease.take()?;
        self.renewing = true;
        Some(lease)
    }

    /// The lease that was to be renewed is renewed, or lost.
    pub(crate) fn has_renewed(&mut self) {
        self.renewing = false;
    }

    /// A lease that was lent; a newer one may have come meanwhile.
    pub(crate) fn give_back(&mut self, lease: Lease) {
        self.lease.get_or_insert(lease);
    }

    /// Whether it can be said with another lease, now or after its renewal.
    pub(crate) fn has_lease(&self) -> bool {
        self.lease.is_some() || self.renewing
    }

    /// It isn't ours any more: nothing is said of it, unless a claim brings it again.
    pub(crate) fn lose(&mut self) {
        self.lost = true;
        self.lease = None;
    }

    /// It wasn't dispatched for a while: its octets are in the store as well, and others need the
    /// memory.
    pub(crate) fn forget_octets(&mut self) {
        self.fresh = None;
    }

    /// It isn't ours any more, and nothing of it is in flight.
    pub(crate) fn is_over(&self) -> bool {
        self.lost && self.done
    }

    /// What is to be said to the store now, if anything; never while something else is being said.
    pub(crate) fn say(&mut self, now: UnixMs) -> Option<Saying> {
        let told = self.has_to_tell(now);
        let nothing = !self.done && !told && self.outcomes.is_empty();
        if self.lost || self.saying || nothing {
            return None;
        }
        let lease = self.lease.take()?;
        self.saying = true;
        Some(Saying {
            lease,
            outcomes: std::mem::take(&mut self.outcomes),
            told: told.then(|| self.about()),
            last: self.done,
        })
    }

    /// What was being said has come to its end.
    pub(crate) fn has_said(&mut self) {
        self.saying = false;
    }

    /// What was said is not recorded.
    pub(crate) fn unsay(&mut self, mut outcomes: Vec<(RecipientIx, Outcome)>) {
        outcomes.append(&mut self.outcomes);
        self.outcomes = outcomes;
    }

    /// A notice was committed with what was said of `about`.
    pub(crate) fn told(&mut self, about: About) {
        for (life, told) in self.lives.iter_mut().zip(about.lives) {
            // What came to its end meanwhile owes its own notice.
            if *life == told {
                life.notice_committed();
            }
        }
        self.expanded = match self.expanded {
            Mark::Owed(_) => Mark::Sent,
            mark => mark,
        };
    }

    /// Whether a notice is to be made now: one for all, when nothing is in flight (so that many
    /// failures make one), or when the first has waited long enough.
    fn has_to_tell(&self, now: UnixMs) -> bool {
        let of_lives = self.lives.iter().filter_map(Life::owed_since);
        let since = of_lives.chain(self.expanded.owed_since()).min();
        is_due(since, !self.done, now)
    }

    fn about(&self) -> About {
        About {
            id: self.id,
            envelope: Arc::clone(&self.envelope),
            lives: self.lives.clone(),
            expanded: self.expanded,
            fresh: self.fresh.clone(),
        }
    }
}

/// All of them, and when the lease of each is to be looked after.
#[derive(Debug, Default)]
pub(crate) struct ActiveSet {
    /// Boxed, as the nodes of a tree that grows in order are half empty.
    messages: BTreeMap<QueueId, Box<Active>>,
    looks: BTreeSet<(UnixMs, QueueId)>,
}

impl ActiveSet {
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = QueueId> {
        self.messages.keys().copied()
    }

    pub(crate) fn has(&self, id: QueueId) -> bool {
        self.messages.contains_key(&id)
    }

    pub(crate) fn get(&self, id: QueueId) -> Option<&Active> {
        self.messages.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: QueueId) -> Option<&mut Active> {
        self.messages.get_mut(&id).map(Box::as_mut)
    }

    pub(crate) fn insert(&mut self, active: Active, look_at: UnixMs) {
        let id = active.id;
        self.messages.insert(id, Box::new(active));
        self.look_after(id, look_at);
    }

    pub(crate) fn remove(&mut self, id: QueueId) -> Option<Active> {
        let active = self.messages.remove(&id)?;
        self.looks.remove(&(active.look_at, id));
        Some(*active)
    }

    /// Its lease is to be looked after at that time, and not before.
    pub(crate) fn look_after(&mut self, id: QueueId, at: UnixMs) {
        if let Some(active) = self.messages.get_mut(&id) {
            self.looks.remove(&(active.look_at, id));
            active.look_at = at;
            self.looks.insert((at, id));
        }
    }

    /// When the first lease is to be looked after.
    pub(crate) fn next_look(&self) -> Option<UnixMs> {
        self.looks.first().map(|(at, _)| *at)
    }

    /// One whose lease is to be looked after now.
    pub(crate) fn pop_look(&mut self, now: UnixMs) -> Option<QueueId> {
        let (at, id) = *self.looks.first()?;
        (at <= now).then(|| self.looks.pop_first())?;
        Some(id)
    }
}
