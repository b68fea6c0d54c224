//! What the calls of a scheduler are made of.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use postroad_clock::Mono;
use postroad_reply::QueueId;

use super::health::Health;
use super::line::Ticket;
use super::message::Message;
use super::route::{FewRoutes, Leads, Part, Rest};
use super::share::{Load, Share};
use super::site::Site;
use super::talk::{Action, Cause, Dispatch, PutBack, SiteKey};
use super::window::Window;
use super::{Place, Scheduler, UnderWay};
use crate::envelope::RouteKey;
use crate::life::RecipientIx;

impl Scheduler {
    /// Does what was to be done at a time that has come.
    pub(super) fn pass_time(&mut self, now: Mono) {
        while let Some(route) = self.routes.expiring.pop_until(now) {
            if self.routes.idle.contains(&route) {
                self.forget_route(&route);
            } else {
                self.put_back.leave(&Place::Route(route.clone()));
                self.routes.ask_again(&route);
            }
        }
        while let Some(key) = self.sites.closed.pop_until(now) {
            self.probe(&key, now);
        }
        while let Some(site) = self.sites.idle.pop_until(now) {
            self.forget_site(&site);
        }
    }

    /// Ends the pause of a site.
    pub(super) fn probe(&mut self, key: &SiteKey, now: Mono) {
        if let Some(site) = self.sites.map.get_mut(key) {
            site.health.probe();
        }
        self.sort(key, now);
    }

    /// Takes in what of a message there is room for, part by part.
    pub(super) fn take_in(
        &mut self,
        message: QueueId,
        sender: Arc<str>,
        parts: BTreeMap<RouteKey, Vec<RecipientIx>>,
        now: Mono,
    ) {
        let ticket = Ticket {
            message,
            sender,
            arrival: self.next_arrival,
        };
        self.next_arrival.0 += 1;
        let here = Message {
            ticket: ticket.clone(),
            routes: FewRoutes::sorted(parts.keys().cloned().collect()),
            under_way: 0,
        };
        self.messages.map.insert(message, here);
        for (route, recipients) in parts {
            self.recipients += recipients.len();
            let ticket = ticket.clone();
            self.wait(&route, Part { ticket, recipients }, now);
        }
        self.messages.closed_one(message);
    }

    /// Lets a part of a message wait by its route, and where that leads.
    pub(super) fn wait(&mut self, key: &RouteKey, part: Part, now: Mono) {
        let ticket = part.ticket.clone();
        let recipients = part.recipients.len();
        match self.routes.wait(key, part) {
            Leads::Asked => self.routes.count(key),
            Leads::Blocked { .. } => self.put_back.join(&Place::Route(key.clone())),
            Leads::To { site, .. } | Leads::AskedAgain { site } => {
                let site_key = site.clone();
                if let Some(site) = self.sites.map.get_mut(&site_key) {
                    site.line.join(&ticket, key, recipients);
                }
                self.sort(&site_key, now);
            }
        }
    }

    /// Takes at most `most` recipients of a message from those that wait by `key`.
    pub(super) fn take(
        &mut self,
        key: &RouteKey,
        ticket: &Ticket,
        most: usize,
        now: Mono,
    ) -> Vec<RecipientIx> {
        let Some(route) = self.routes.map.get_mut(key) else {
            return Vec::new();
        };
        let Some(part) = route.waiting.get_mut(&ticket.arrival) else {
            return Vec::new();
        };
        let taken: Vec<RecipientIx> = part
            .recipients
            .drain(..most.min(part.recipients.len()))
            .collect();
        let all = part.recipients.is_empty();
        if all {
            route.waiting.remove(&ticket.arrival);
            if let Some(message) = self.messages.map.get_mut(&ticket.message) {
                message.routes.remove(key);
            }
        }
        if let Some(site_key) = route.leads.site().cloned() {
            if let Some(site) = self.sites.map.get_mut(&site_key) {
                site.line.leave(ticket, key, taken.len(), all);
            }
            self.sort(&site_key, now);
        }
        self.rest(key);
        taken
    }

    /// Takes at most `most` recipients of the message that is first in the line of a site.
    pub(super) fn take_first(
        &mut self,
        site: &SiteKey,
        most: usize,
        now: Mono,
    ) -> Option<(Ticket, Vec<RecipientIx>)> {
        let ticket = self.sites.map.get(site)?.line.first()?;
        let mut recipients = Vec::new();
        // With the last of what waits, the site itself may be forgotten.
        while recipients.len() < most
            && let Some(found) = self.sites.map.get(site)
            && let Some(route) = found.line.first_route(&ticket).cloned()
        {
            let room = most - recipients.len();
            recipients.append(&mut self.take(&route, &ticket, room, now));
        }
        if let Some(found) = self.sites.map.get_mut(site) {
            found.line.had_a_turn(&ticket.sender);
        }
        Some((ticket, recipients))
    }

    /// The next dispatch, of the site whose turn it is.
    pub(super) fn dispatch(&mut self, now: Mono) -> Option<Action> {
        if self.under_way.len() >= self.limits.most_under_way.max(1) {
            return None;
        }
        let key = self.sites.ready.first()?.clone();
        let most = self.limits.recipients_per_dispatch.max(1);
        let id = self.next_dispatch;
        self.next_dispatch.0 += 1;
        // From now on the site isn't idle, even where this was all that waited.
        self.sites.map.get_mut(&key)?.under_way += 1;
        let (ticket, recipients) = self.take_first(&key, most, now)?;
        self.sites.ready.leave(&key);
        self.sort(&key, now);
        if let Some(message) = self.messages.map.get_mut(&ticket.message) {
            message.under_way += 1;
        }
        let under_way = UnderWay {
            message: ticket.message,
            site: key.clone(),
            recipients: recipients.len(),
        };
        self.under_way.insert(id, under_way);
        Some(Action::Dispatch(Dispatch {
            id,
            message: ticket.message,
            recipients,
            site: key,
        }))
    }

    /// The next recipients that can't be tried.
    pub(super) fn put_back(&mut self, now: Mono) -> Option<Action> {
        let place = self.put_back.first()?.clone();
        self.put_back.rejoin(&place);
        let put_back = match &place {
            Place::Site(site) => self.put_back_from_site(site, now),
            Place::Route(route) => self.put_back_from_route(route, now),
        }?;
        self.recipients -= put_back.recipients.len();
        self.messages.closed_one(put_back.message);
        Some(Action::PutBack(put_back))
    }

    fn put_back_from_site(&mut self, key: &SiteKey, now: Mono) -> Option<PutBack> {
        let health = &self.sites.map.get(key)?.health;
        let until = health.closed_until()?;
        let words = health.last_trouble().map(|(_, words)| words.clone());
        let (ticket, recipients) = self.take_first(key, usize::MAX, now)?;
        Some(PutBack {
            message: ticket.message,
            recipients,
            cause: Cause::Closed {
                site: key.clone(),
                words: words.unwrap_or_default(),
            },
            until,
        })
    }

    fn put_back_from_route(&mut self, key: &RouteKey, now: Mono) -> Option<PutBack> {
        let route = self.routes.map.get(key)?;
        let Leads::Blocked {
            surely,
            words,
            until,
        } = &route.leads
        else {
            return None;
        };
        let (surely, words, until) = (*surely, words.clone(), *until);
        let ticket = route.waiting.first_key_value()?.1.ticket.clone();
        let recipients = self.take(key, &ticket, usize::MAX, now);
        let route = key.clone();
        Some(PutBack {
            message: ticket.message,
            recipients,
            cause: if surely {
                Cause::Nowhere { route, words }
            } else {
                Cause::Unknown { route, words }
            },
            until,
        })
    }

    /// Whether more of a sender's messages may wait by `key`.
    pub(super) fn has_room(&self, key: &RouteKey, sender: &Arc<str>) -> bool {
        let Some(route) = self.routes.map.get(key) else {
            return true;
        };
        let line = route.leads.site().and_then(|site| self.sites.map.get(site));
        let (load, of_sender) = match line {
            Some(site) => (site.line.load(), site.line.load_of(sender)),
            // Nobody's turn is near before it is known where they lead.
            None => (route.load(), route.load()),
        };
        let share = |load| Share::of(load, &self.limits);
        share(load).plus(share(of_sender)).may_grow(self.share())
    }

    /// How much of what may be here is.
    pub(super) fn share(&self) -> Share {
        let load = Load {
            messages: self.messages.map.len(),
            recipients: self.recipients,
        };
        Share::of(load, &self.limits)
    }

    /// Makes sure that a site is here, with its largest window.
    pub(super) fn meet(&mut self, key: &SiteKey, largest: Option<u32>) {
        let largest = largest.unwrap_or(self.limits.largest_window);
        let first = self.limits.first_window;
        let site = self
            .sites
            .map
            .entry(key.clone())
            .or_insert_with(|| Site::new(Health::new(Window::new(first, largest))));
        site.health.set_largest_window(largest);
    }

    /// A route that led to the site `before` leads to `to`: what waits by it moves along.
    pub(super) fn reroute(
        &mut self,
        key: &RouteKey,
        before: Option<&SiteKey>,
        to: Option<&SiteKey>,
        now: Mono,
    ) {
        let Some(route) = self.routes.map.get(key) else {
            return;
        };
        if before != to {
            if let Some(site) = before.and_then(|before| self.sites.map.get_mut(before)) {
                site.routes.remove(key);
                for part in route.waiting.values() {
                    site.line
                        .leave(&part.ticket, key, part.recipients.len(), true);
                }
            }
            if let Some(site) = to.and_then(|to| self.sites.map.get_mut(to)) {
                site.routes.insert(key.clone());
                for part in route.waiting.values() {
                    site.line.join(&part.ticket, key, part.recipients.len());
                }
            }
        }
        let place = Place::Route(key.clone());
        if to.is_none() && !route.waiting.is_empty() {
            self.put_back.join(&place);
        } else {
            self.put_back.leave(&place);
        }
        // `to` first: it may have been idle, and must not be forgotten for it.
        for site in to.into_iter().chain(before) {
            self.sort(site, now);
        }
    }

    /// Puts a site where it belongs after something about it has changed, and forgets those that
    /// are too many.
    pub(super) fn sort(&mut self, key: &SiteKey, now: Mono) {
        let place = Place::Site(key.clone());
        if self.sites.map.get(key).is_some_and(Site::puts_back) {
            self.put_back.join(&place);
        } else {
            self.put_back.leave(&place);
        }
        self.sites.sort(key, now);
        while self.sites.idle.len() > self.limits.most_remembered
            && let Some(idle) = self.sites.idle.pop()
        {
            self.forget_site(&idle);
        }
    }

    /// Puts a route where it belongs, should nothing wait by it, and forgets those that are too
    /// many.
    pub(super) fn rest(&mut self, key: &RouteKey) {
        self.routes.count(key);
        match self.routes.rest(key) {
            Rest::Waiting => return,
            Rest::Remembered => self.put_back.leave(&Place::Route(key.clone())),
            Rest::Nothing => self.forget_route(key),
        }
        while self.routes.idle.len() > self.limits.most_remembered
            && let Some(idle) = self.routes.idle.pop()
        {
            self.forget_route(&idle);
        }
    }

    /// Forgets a route by which nothing waits.
    fn forget_route(&mut self, key: &RouteKey) {
        self.put_back.leave(&Place::Route(key.clone()));
        if let Some(site) = self.routes.forget(key)
            && let Some(site) = self.sites.map.get_mut(&site)
        {
            site.routes.remove(key);
        }
    }

    /// Forgets a site at which nothing waits, and so nothing by the routes that lead there.
    fn forget_site(&mut self, key: &SiteKey) {
        for route in self.sites.forget(key) {
            self.forget_route(&route);
        }
    }
}
