//! Decides which recipients of which message are tried next, where, and how many at once.
//!
//! It is pure: a driver in `delivery` tells it what happened, does what [`Scheduler::poll`] says until
//! that says nothing more, and comes back when something has happened or [`Scheduler::poll_timeout`] has
//! come. Nothing depends on chance, so the same calls give the same actions.
//!
//! # What is here
//!
//! A *message* is offered with its lease: its recipients that are due, each with its *route*, the name
//! by which the way to it is looked up. A route that nothing is known about is asked for
//! ([`Action::Resolve`]); it leads to a *site*, and many routes may lead to one. Recipients stay with
//! their route, so that they move with it when an answer says otherwise; a site only has the *line*
//! of messages that wait for it. An answer holds for its lifetime; then it is asked for again if
//! anything waits, which goes on by the old answer until there is a new one.
//!
//! # Whose turn it is
//!
//! Sites that have something waiting and room in their window take turns, one dispatch each. Within a
//! site the senders take turns, and a sender's messages go in the order they were offered. So a
//! sender waits for one dispatch of each other sender, however much those have. A dispatch takes as
//! many of a message's recipients at the site as fit, by whatever routes they came; what is left of
//! the message stays first in its sender's line.
//!
//! # Who gets in
//!
//! What is here is bounded, so whoever fills it would shut out the others. Nobody may have more
//! waiting than is free: neither a site, nor a sender at a site (`Share`). A message that goes
//! beyond that is refused, or taken without the recipients there, and stays in the store;
//! [`Scheduler::closed_routes`] tells a claim where not to look. So a slow site, or a sender with a million messages,
//! leaves room for one who has nothing here yet.
//!
//! # How hard a site is pressed
//!
//! `Window` says how many dispatches may be under way to a site, `Health` whether it is open. After
//! so many troubles with nothing working in between it is closed: what waits for it is put back to the
//! store with the time when it opens, and so is what comes later. Then one dispatch at a time probes
//! it; one that works opens it, trouble closes it for longer. A closed site uses no dispatch, and
//! its put-backs alternate with the dispatches of the others.
//!
//! # What always holds
//!
//! * Each recipient that was taken leaves once: in a dispatch, in a put-back, or by [`Scheduler::take_back`].
//! * Each message that was taken gets one [`Action::Done`], after all of its recipients have left and all of its
//!   dispatches have finished: the driver needs to answer each `Resolve` and each `Dispatch`.
//! * What is kept is bounded by [`Limits`]: messages and recipients that are here, and beyond what
//!   those need, `most_remembered` sites and as many routes.
//! * No call looks at all messages. Each costs the logarithm of what is here for each recipient it moves,
//!   and each message moves with its route when that leads elsewhere.

mod health;
mod limits;
mod line;
mod message;
mod moves;
mod order;
mod route;
mod share;
mod site;
mod talk;
mod window;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use postroad_clock::Mono;
use postroad_reply::QueueId;

use crate::envelope::RouteKey;
use crate::life::RecipientIx;
use line::Arrival;
use message::Messages;
use order::Turns;
use route::{Leads, Routes};
use share::{Load, Share};
use site::Sites;

pub use limits::{Limits, Pause};
pub use talk::{
    Action, Cause, Counts, Dispatch, DispatchId, Feedback, Offer, PutBack, Resolved, SiteKey,
    SiteView, Standing,
};

/// No answer about a route holds for less, or resolving would never end.
pub const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);

/// Decides what is tried next.
#[derive(Debug)]
pub struct Scheduler {
    limits: Limits,
    messages: Messages,
    routes: Routes,
    sites: Sites,
    under_way: BTreeMap<DispatchId, UnderWay>,
    /// Where something waits that is to be put back.
    put_back: Turns<Place>,
    /// The last action that could have been either was a dispatch.
    dispatched: bool,
    /// How many recipients are here, waiting or under way.
    recipients: usize,
    next_arrival: Arrival,
    next_dispatch: DispatchId,
}

/// A dispatch that has not finished.
#[derive(Debug)]
struct UnderWay {
    message: QueueId,
    site: SiteKey,
    recipients: usize,
}

/// Where recipients wait that are to be put back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A route that leads nowhere.
    Route(RouteKey),
    /// A site that is closed.
    Site(SiteKey),
}

impl Scheduler {
    /// With nothing in it.
    pub fn new(limits: Limits) -> Scheduler {
        Scheduler {
            messages: Messages::new(),
            routes: Routes::new(),
            sites: Sites::new(limits),
            under_way: BTreeMap::new(),
            put_back: Turns::new(),
            dispatched: false,
            recipients: 0,
            next_arrival: Arrival(0),
            next_dispatch: DispatchId(0),
            limits,
        }
    }

    /// Takes a leased message, and says which of its recipients were left out because enough waits
    /// where they go: they are not tried under this lease, and nothing needs to be said to the
    /// store about them.
    ///
    /// The offer is given back if there is no room for any of it, or if the message is here
    /// already: until its [`Action::Done`] it can't be offered again.
    pub fn offer(&mut self, offer: Offer, now: Mono) -> Result<Vec<RecipientIx>, Offer> {
        self.pass_time(now);
        if self.room() == 0 || self.messages.map.contains_key(&offer.message) {
            return Err(offer);
        }
        let mut recipients = offer.recipients.clone();
        recipients.sort_by_key(|(_, ix)| *ix);
        recipients.dedup_by_key(|(_, ix)| *ix);
        let mut parts: BTreeMap<RouteKey, Vec<RecipientIx>> = BTreeMap::new();
        for (route, ix) in recipients {
            parts.entry(route).or_default().push(ix);
        }
        let mut left_out = Vec::new();
        parts.retain(|route, recipients| {
            let has_room = self.has_room(route, &offer.sender);
            if !has_room {
                left_out.append(recipients);
            }
            has_room
        });
        if parts.is_empty() && !left_out.is_empty() {
            return Err(offer);
        }
        self.take_in(offer.message, offer.sender, parts, now);
        Ok(left_out)
    }

    /// How many more messages may be claimed from the store. Those of them with many recipients may
    /// find no room when they are offered; release them.
    pub fn room(&self) -> usize {
        if self.recipients >= self.limits.most_recipients.max(1) {
            return 0;
        }
        let most = self.limits.most_messages.max(1);
        most.saturating_sub(self.messages.map.len())
    }

    /// What to do next; none until something else happens or [`poll_timeout`](Scheduler::poll_timeout)
    /// has come.
    pub fn poll(&mut self, now: Mono) -> Option<Action> {
        self.pass_time(now);
        if let Some(message) = self.messages.pop_done() {
            return Some(Action::Done(message));
        }
        if let Some(route) = self.routes.to_resolve.pop() {
            return Some(Action::Resolve(route));
        }
        // They alternate, so that neither has to wait for all of the other.
        let action = if self.dispatched {
            self.put_back(now).or_else(|| self.dispatch(now))
        } else {
            self.dispatch(now).or_else(|| self.put_back(now))
        };
        self.dispatched = matches!(action, Some(Action::Dispatch(_)));
        action
    }

    /// When to poll though nothing has happened.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let routes = self.routes.expiring.first().map(|(at, _)| *at);
        let closed = self.sites.closed.first().map(|(at, _)| *at);
        let idle = self.sites.idle.first().map(|(at, _)| *at);
        [routes, closed, idle].into_iter().flatten().min()
    }

    /// Says where a route leads. An answer that nobody asked for, after a change of configuration
    /// say, counts as well.
    pub fn resolved(&mut self, route: &RouteKey, resolved: Resolved, now: Mono) {
        self.pass_time(now);
        let soonest = now + SHORTEST_LIFETIME;
        let (leads, largest) = match resolved {
            Resolved::Site {
                site,
                lifetime,
                largest_window,
            } => {
                let until = soonest.max(now + lifetime);
                (Leads::To { site, until }, largest_window)
            }
            Resolved::Unknown { words, ask_again } => {
                (Leads::blocked(false, words, ask_again.max(soonest)), None)
            }
            Resolved::Nowhere { words, ask_again } => {
                (Leads::blocked(true, words, ask_again.max(soonest)), None)
            }
        };
        let to = leads.site().cloned();
        let before = self.routes.answer(route, leads);
        if let Some(to) = &to {
            self.meet(to, largest);
        }
        self.reroute(route, before.site(), to.as_ref(), now);
        self.rest(route);
    }

    /// Says what a dispatch has come to. One that isn't under way is ignored.
    pub fn finished(&mut self, id: DispatchId, feedback: Feedback, now: Mono) {
        self.pass_time(now);
        let Some(over) = self.under_way.remove(&id) else {
            return;
        };
        self.recipients -= over.recipients;
        if let Some(message) = self.messages.map.get_mut(&over.message) {
            message.under_way -= 1;
        }
        self.messages.closed_one(over.message);
        if let Some(site) = self.sites.map.get_mut(&over.site) {
            site.under_way -= 1;
            site.health
                .hear(id, self.next_dispatch, feedback, now, &self.limits.pause);
        }
        self.sort(&over.site, now);
    }

    /// Takes back what of a message isn't under way, because it is held, deleted or drained: those
    /// recipients. [`Action::Done`] follows when nothing of it is under way any more.
    pub fn take_back(&mut self, message: QueueId, now: Mono) -> Vec<RecipientIx> {
        let Some(found) = self.messages.map.get(&message) else {
            return Vec::new();
        };
        let ticket = found.ticket.clone();
        let mut taken = Vec::new();
        let routes: Vec<RouteKey> = found.routes.iter().cloned().collect();
        for route in routes {
            taken.append(&mut self.take(&route, &ticket, usize::MAX, now));
        }
        if !taken.is_empty() {
            self.recipients -= taken.len();
            self.messages.closed_one(message);
        }
        taken
    }

    /// Has each closed site tried at once with one dispatch, because an operator says that it is worth
    /// it. The next pause, where there is one, is as long as it would have been.
    pub fn probe_closed(&mut self, now: Mono) {
        let closed: Vec<SiteKey> = self
            .sites
            .closed
            .iter()
            .map(|(_, key)| key.clone())
            .collect();
        for key in closed {
            self.probe(&key, now);
        }
    }

    /// Routes that a claim is to leave alone: what waits by them would be put back, or enough waits
    /// where they lead. At most `most`; those first whose site is closed longest.
    ///
    /// A site counts as having enough before a message for it would be refused, so that fresh mail
    /// of other senders still finds room, and so that what is claimed is taken: up to a tenth of
    /// [`Limits::most_messages`] for one site.
    pub fn closed_routes(&self, now: Mono, most: usize) -> Vec<RouteKey> {
        let closed = self.sites.closed.iter().rev();
        let of_sites = closed
            .take_while(|(until, _)| *until > now)
            .filter_map(|(_, key)| self.sites.map.get(key))
            .flat_map(|site| &site.routes);
        let blocked = self.routes.blocked.iter().rev();
        let of_their_own = blocked
            .take_while(|(until, _)| *until > now)
            .map(|(_, key)| key);
        let all = self.share();
        let full = self.sites.shares.iter().rev();
        let of_full_sites = full
            .take_while(|(share, _)| !share.takes_a_claim(all))
            .filter_map(|(_, key)| self.sites.map.get(key))
            .filter(|site| site.health.closed_until().is_none_or(|until| until <= now))
            .flat_map(|site| &site.routes);
        let unknown = self.routes.unknown.iter().rev();
        let full_on_their_own = unknown
            .take_while(|(messages, _)| {
                let recipients = 0;
                let share = Share::of(
                    Load {
                        messages: *messages,
                        recipients,
                    },
                    &self.limits,
                );
                !share.takes_a_claim(all)
            })
            .map(|(_, key)| key);
        of_sites
            .chain(of_their_own)
            .chain(of_full_sites)
            .chain(full_on_their_own)
            .take(most)
            .cloned()
            .collect()
    }

    /// The sites, in the order of their names.
    pub fn sites(&self) -> impl Iterator<Item = SiteView> {
        self.sites.map.iter().map(|(key, site)| site.view(key))
    }

    /// How much is here.
    pub fn counts(&self) -> Counts {
        Counts {
            messages: self.messages.map.len(),
            recipients: self.recipients,
            under_way: self.under_way.len(),
            sites: self.sites.map.len(),
            routes: self.routes.map.len(),
        }
    }

    /// Where a route is known to lead.
    pub fn site_of(&self, route: &RouteKey) -> Option<&SiteKey> {
        self.routes.map.get(route)?.leads.site()
    }
}
