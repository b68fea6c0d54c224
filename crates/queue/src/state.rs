//! The part of a stored message that changes, and every way in which it may.
//!
//! Stores keep a [`MessageState`] and change it only by what stands here, so that all of them
//! mean the same by "settle", "amend" and "due".

use alloc::vec::Vec;

use postroad_clock::UnixMs;

use crate::envelope::{Envelope, RouteKey};
use crate::history::{Event, History, What};
use crate::life::{Life, Outcome, RecipientIx};
use crate::notice::{self, Mark};
use crate::record::Unknown;

/// The rule named in the history of recipients whose mail an operator deleted.
pub const DELETED_BY_OPERATOR: &str = "deleted by an operator";

/// Where a stored message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageState {
    /// Where each recipient stands, in the envelope's order.
    pub lives: Vec<Life>,
    /// What has become of the notice about aliases that stand for several recipients.
    pub expanded: Mark,
    /// Kept back by an operator: never due.
    pub held: bool,
    /// By which route an operator sends what is pending, instead of the recipients' own.
    pub redirect: Option<RouteKey>,
    /// What an operator said while the message was leased, oldest first; at most one of a kind.
    pub waiting: Vec<Waiting>,
    /// What happened to it so far.
    pub history: History,
    /// What a later version of Postroad wrote about it.
    pub unknown: Unknown,
}

/// What an operator does to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// Keeps it from being due.
    Hold,
    /// Takes a hold away.
    Release,
    /// Makes it due now.
    RetryNow,
    /// Takes it out of the queue without a word: no notice is sent.
    Delete,
    /// Sends its pending recipients' mail by another route; the empty one takes an earlier
    /// redirection away.
    Redirect(RouteKey),
}

/// An amendment of a leased message, until the next settle or the lease's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What was said.
    pub amendment: Amendment,
    /// When.
    pub at: UnixMs,
}

/// When a message is next to be worked on, and for which route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: UnixMs,
    /// For which route; [`RouteKey::local`] where only a notice is to be made.
    pub route: RouteKey,
}

impl MessageState {
    /// Every recipient is pending, and due as soon as the message was received.
    pub fn new(envelope: &Envelope) -> MessageState {
        let pending = Life::new(envelope.received_at);
        MessageState {
            lives: alloc::vec![pending; envelope.recipients.len()],
            expanded: notice::of_aliases(envelope),
            held: false,
            redirect: None,
            waiting: Vec::new(),
            history: History::default(),
            unknown: Unknown::default(),
        }
    }

    /// What a settle does: the outcomes are applied, then the amendments that waited.
    ///
    /// Saying the same again changes nothing. True if something changed.
    pub fn settle(&mut self, outcomes: &[(RecipientIx, Outcome)], now: UnixMs) -> bool {
        let applied = self.apply(outcomes, now);
        self.end_lease() || applied
    }

    /// Records what an attempt did at `now`. True if something changed.
    ///
    /// A recipient that is settled stays as it is, an attempt that was already told changes
    /// nothing, and so does a place that isn't in the list: so each outcome can be said again.
    pub fn apply(&mut self, outcomes: &[(RecipientIx, Outcome)], now: UnixMs) -> bool {
        let lives = &mut self.lives;
        let mut changed = false;
        let recorded = outcomes.iter().filter_map(|(ix, outcome)| {
            let life = lives.get_mut(usize::try_from(ix.0).ok()?)?;
            let new = life.apply(outcome, now);
            changed |= new;
            new.then_some((*ix, outcome))
        });
        self.history.settled(now, recorded);
        changed
    }

    /// Applies the amendments that waited for the lease to end: after each settle, at a release,
    /// when a lease has run out, and when a store finds the message at its start. True if
    /// something changed.
    pub fn end_lease(&mut self) -> bool {
        let waiting = core::mem::take(&mut self.waiting);
        for Waiting { amendment, at } in &waiting {
            self.amend(amendment.clone(), *at);
        }
        !waiting.is_empty()
    }

    /// What an operator does to a message that nobody has leased.
    pub fn amend(&mut self, amendment: Amendment, now: UnixMs) {
        match &amendment {
            Amendment::Hold => self.held = true,
            Amendment::Release => self.held = false,
            Amendment::Redirect(route) => {
                self.redirect = (*route != RouteKey::local()).then(|| route.clone());
            }
            Amendment::RetryNow => {
                for life in &mut self.lives {
                    if let Life::Pending { due, .. } = life {
                        *due = now;
                    }
                }
            }
            Amendment::Delete => {
                for life in &mut self.lives {
                    life.delete(now);
                }
                self.expanded = Mark::None;
            }
        }
        let what = What::Amended(amendment);
        self.history.push(Event { at: now, what });
    }

    /// What an operator does to a leased message: it waits for the next
    /// [`settle`](MessageState::settle) or [`end_lease`](MessageState::end_lease).
    ///
    /// A later one takes the place of an earlier one of its kind (Hold and Release are one kind),
    /// so what waits is bounded.
    pub fn amend_leased(&mut self, amendment: Amendment, now: UnixMs) {
        self.waiting
            .retain(|earlier| earlier.amendment.kind() != amendment.kind());
        self.waiting.push(Waiting { amendment, at: now });
    }

    /// When and for which route the message is next to be worked on; none if it is held or
    /// [finished](MessageState::is_finished).
    ///
    /// That is the earliest pending recipient, the first of those in the list, or the earliest
    /// notice owed: a message that nobody has leased has nothing in flight, so its notice needs
    /// to wait for nothing.
    pub fn due(&self, envelope: &Envelope) -> Option<Due> {
        if self.held {
            return None;
        }
        let pending = self
            .lives
            .iter()
            .enumerate()
            .filter_map(|(ix, life)| Some((life.pending_due()?, ix)))
            .min();
        let notice = self.owes_notice_since();
        match (pending, notice) {
            (Some((at, ix)), notice) if notice.is_none_or(|owed| at <= owed) => Some(Due {
                at,
                route: self.route(envelope, ix),
            }),
            (_, Some(at)) => Some(Due {
                at,
                route: RouteKey::local(),
            }),
            (_, None) => None,
        }
    }

    /// By which route the mail of the recipient at `ix` goes.
    fn route(&self, envelope: &Envelope, ix: usize) -> RouteKey {
        let own = || {
            envelope
                .recipients
                .get(ix)
                .map_or_else(RouteKey::local, |r| envelope.route_to(r))
        };
        self.redirect.clone().unwrap_or_else(own)
    }

    /// Nothing is owed: no recipient is pending, and no notice.
    pub fn is_finished(&self) -> bool {
        self.lives.iter().all(|life| life.pending_due().is_none())
            && self.owes_notice_since().is_none()
    }

    /// Since when the oldest notice is owed; none if none is.
    pub fn owes_notice_since(&self) -> Option<UnixMs> {
        let of_lives = self.lives.iter().filter_map(Life::owed_since);
        of_lives.chain(self.expanded.owed_since()).min()
    }

    /// Records that the notice about all recipients that were owed one is committed: each `Owed`
    /// becomes `Sent`. True if there was one: only then may the notice be committed.
    pub fn notices_committed(&mut self, now: UnixMs) -> bool {
        let mut any = self.expanded.commit();
        for life in &mut self.lives {
            any |= life.notice_committed();
        }
        if any {
            let what = What::Noticed;
            self.history.push(Event { at: now, what });
        }
        any
    }
}

impl Amendment {
    /// Amendments of one kind replace one another while they wait.
    fn kind(&self) -> u8 {
        match self {
            Amendment::Hold | Amendment::Release => 0,
            Amendment::RetryNow => 1,
            Amendment::Delete => 2,
            Amendment::Redirect(_) => 3,
        }
    }
}
