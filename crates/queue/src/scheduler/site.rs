//! The sites, and which of them have something to do.

use alloc::collections::{BTreeMap, BTreeSet};

use postroad_clock::Mono;

use super::health::Health;
use super::limits::Limits;
use super::line::Line;
use super::order::{Order, Turns};
use super::share::Share;
use super::talk::{SiteKey, SiteView};
use crate::envelope::RouteKey;

/// All sites at which something waits or to which something is under way, and some more that are
/// remembered.
#[derive(Debug)]
pub(super) struct Sites {
    pub(super) map: BTreeMap<SiteKey, Site>,
    /// Something waits, and the window has room.
    pub(super) ready: Turns<SiteKey>,
    /// When a closed site is to be probed.
    pub(super) closed: Order<Mono, SiteKey>,
    /// When a site at which nothing waits, and to which nothing is under way, is to be forgotten.
    pub(super) idle: Order<Mono, SiteKey>,
    /// How much of what the scheduler may hold waits at each.
    pub(super) shares: Order<Share, SiteKey>,
    limits: Limits,
}

/// One site.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) health: Health,
    pub(super) line: Line,
    pub(super) under_way: u32,
    /// Which routes lead here.
    pub(super) routes: BTreeSet<RouteKey>,
    /// When something last changed about it.
    pub(super) last_used: Mono,
}

impl Site {
    pub(super) fn new(health: Health) -> Site {
        Site {
            health,
            line: Line::new(),
            under_way: 0,
            routes: BTreeSet::new(),
            last_used: Mono::ZERO,
        }
    }

    fn is_idle(&self) -> bool {
        self.line.is_empty() && self.under_way == 0
    }

    fn is_ready(&self) -> bool {
        !self.line.is_empty() && self.under_way < self.health.window()
    }

    /// It is closed, and something waits nevertheless.
    pub(super) fn puts_back(&self) -> bool {
        !self.line.is_empty() && self.health.closed_until().is_some()
    }

    pub(super) fn view(&self, key: &SiteKey) -> SiteView {
        SiteView {
            site: key.clone(),
            standing: self.health.standing(),
            window: self.health.window(),
            largest_window: self.health.largest_window(),
            under_way: self.under_way,
            waiting_messages: self.line.load().messages,
            waiting_recipients: self.line.load().recipients,
            routes: self.routes.len(),
            last_trouble: self.health.last_trouble().cloned(),
        }
    }
}

impl Sites {
    pub(super) fn new(limits: Limits) -> Sites {
        Sites {
            map: BTreeMap::new(),
            ready: Turns::new(),
            closed: Order::new(),
            idle: Order::new(),
            shares: Order::new(),
            limits,
        }
    }

    /// Puts a site where it belongs after something about it has changed at `now`.
    pub(super) fn sort(&mut self, key: &SiteKey, now: Mono) {
        let Some(site) = self.map.get_mut(key) else {
            return;
        };
        site.last_used = site.last_used.max(now);
        if site.is_ready() {
            self.ready.join(key);
        } else {
            self.ready.leave(key);
        }
        match site.health.closed_until() {
            Some(until) => self.closed.set(key, until),
            None => self.closed.remove(key),
        }
        if site.line.is_empty() {
            self.shares.remove(key);
        } else {
            let share = Share::of(site.line.load(), &self.limits);
            self.shares.set(key, share);
        }
        if site.is_idle() {
            // How long the next pause is depends on the last: that is to be known after it.
            let until = site.health.closed_until().unwrap_or(Mono::ZERO);
            self.idle
                .set(key, site.last_used.max(until) + self.limits.remember);
        } else {
            self.idle.remove(key);
        }
    }

    /// Forgets a site, and says which routes led there.
    pub(super) fn forget(&mut self, key: &SiteKey) -> BTreeSet<RouteKey> {
        self.ready.leave(key);
        self.closed.remove(key);
        self.idle.remove(key);
        self.map
            .remove(key)
            .map_or_else(BTreeSet::new, |site| site.routes)
    }
}
