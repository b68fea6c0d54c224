//! What a scheduler and its driver say to each other.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use postroad_clock::Mono;
use postroad_reply::QueueId;

use crate::envelope::RouteKey;
use crate::life::RecipientIx;

/// A leased message whose recipients are to be tried now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The message.
    pub message: QueueId,
    /// Whose turn it uses up: the `sender_key` of its envelope.
    pub sender: Arc<str>,
    /// Which of its recipients, and by which route each. One that is named twice counts once, by
    /// the first of its routes.
    pub recipients: Vec<(RouteKey, RecipientIx)>,
}

/// What the driver does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Find out where a route leads, and say it with [`resolved`](super::Scheduler::resolved).
    Resolve(RouteKey),
    /// Make an attempt, and say how it went with [`finished`](super::Scheduler::finished).
    Dispatch(Dispatch),
    /// Settle recipients without an attempt.
    PutBack(PutBack),
    /// Nothing of the message is here any more, and nothing of it is under way: its lease ends.
    Done(QueueId),
}

/// One attempt to be made: recipients of one message that a site takes in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// Its name, for [`finished`](super::Scheduler::finished).
    pub id: DispatchId,
    /// The message.
    pub message: QueueId,
    /// Which of its recipients, in the order of the routes' names.
    pub recipients: Vec<RecipientIx>,
    /// Where to.
    pub site: SiteKey,
}

/// Names a dispatch; later ones are greater. Never used again within a scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DispatchId(pub u64);

/// Destinations that share their servers, and so one window: a set of MX hosts, a configured next
/// hop, a socket. Made by whoever resolves routes; equal keys are the same site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteKey(pub Arc<str>);

impl fmt::Display for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Recipients of one message that can't be tried now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// The message.
    pub message: QueueId,
    /// Which of its recipients.
    pub recipients: Vec<RecipientIx>,
    /// Why.
    pub cause: Cause,
    /// Before this, the answer would be the same.
    pub until: Mono,
}

/// Why recipients are put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Their site is closed after trouble with connections. No attempt was made.
    Closed {
        /// The site.
        site: SiteKey,
        /// What its last trouble said.
        words: Arc<str>,
    },
    /// It could not be found out where their route leads ([`Resolved::Unknown`]).
    Unknown {
        /// The route.
        route: RouteKey,
        /// Why not.
        words: Arc<str>,
    },
    /// Their route leads nowhere ([`Resolved::Nowhere`]): another attempt would be of no use.
    Nowhere {
        /// The route.
        route: RouteKey,
        /// Why not.
        words: Arc<str>,
    },
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// To a site.
    Site {
        /// The site.
        site: SiteKey,
        /// For how long the answer holds: after that the route is resolved again, should anything
        /// wait for it. Under [`SHORTEST_LIFETIME`](super::SHORTEST_LIFETIME) counts as that.
        lifetime: Duration,
        /// The site's own largest window, where it differs from the limits'. Of several routes to
        /// a site, what was said last counts.
        largest_window: Option<u32>,
    },
    /// It can't be found out now: no answer from the name servers. What waits is put back.
    Unknown {
        /// Why, in words for the history.
        words: Arc<str>,
        /// Until when it isn't asked again; sooner than
        /// [`SHORTEST_LIFETIME`](super::SHORTEST_LIFETIME) from now counts as that.
        ask_again: Mono,
    },
    /// To no site, which is known for sure: no such domain, or a null MX (RFC 7505). What waits
    /// is put back.
    Nowhere {
        /// Why, in words for the notice.
        words: Arc<str>,
        /// As in [`Resolved::Unknown`].
        ask_again: Mono,
    },
}

/// What a dispatch said about its site; what it did for its recipients is for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feedback {
    /// The peer took the message for at least one recipient. The window grows.
    Worked,
    /// Nothing about the site: mailboxes or the message were refused, or something of ours went
    /// wrong. Nothing changes.
    Neutral,
    /// The peer has too much to do: too many connections, a rate exceeded, 421 or 451 for that
    /// reason. The window shrinks. A peer that says so to a single connection counts as in trouble.
    Busy(Arc<str>),
    /// No connection, or it was lost. The window shrinks to one, and after so many of these with
    /// nothing working in between the site is closed for a while.
    Trouble(Arc<str>),
}

/// What an operator sees of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteView {
    /// Its name.
    pub site: SiteKey,
    /// Whether it is open.
    pub standing: Standing,
    /// How many dispatches may be under way.
    pub window: u32,
    /// How large the window may grow.
    pub largest_window: u32,
    /// How many dispatches are under way.
    pub under_way: u32,
    /// How many messages wait for their turn.
    pub waiting_messages: usize,
    /// How many recipients of those.
    pub waiting_recipients: usize,
    /// Which routes are known to lead to it.
    pub routes: usize,
    /// What its last [`Feedback::Busy`] or [`Feedback::Trouble`] said, and when.
    pub last_trouble: Option<(Mono, Arc<str>)>,
}

/// Whether a site is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Open {
        /// How many troubles there were since something last worked.
        troubles: u32,
    },
    /// Nothing is dispatched to it, and what comes for it is put back.
    Closed {
        /// Until when.
        until: Mono,
    },
    /// A pause is over: one dispatch at a time finds out whether it works again.
    Probing,
}

/// How much a scheduler holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Messages that are not yet done.
    pub messages: usize,
    /// Their recipients, waiting or under way.
    pub recipients: usize,
    /// Dispatches that have not finished.
    pub under_way: usize,
    /// Sites, with those that are only remembered.
    pub sites: usize,
    /// Routes, with those that are only remembered.
    pub routes: usize,
}
