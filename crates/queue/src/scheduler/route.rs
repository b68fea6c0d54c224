//! Where routes lead, and the recipients that wait by each.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use postroad_clock::Mono;

use super::health::short;
use super::line::{Arrival, Ticket};
use super::order::{Order, Turns};
use super::share::Load;
use super::talk::SiteKey;
use crate::envelope::RouteKey;
use crate::life::RecipientIx;

/// All routes by which something waits, and some more that are remembered.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) map: BTreeMap<RouteKey, Route>,
    /// The driver is to be asked about these.
    pub(super) to_resolve: Turns<RouteKey>,
    /// When the answer about a route ceases to hold.
    pub(super) expiring: Order<Mono, RouteKey>,
    /// Of those, the ones by which nothing waits.
    pub(super) idle: Order<Mono, RouteKey>,
    /// Of those, the ones that lead nowhere.
    pub(super) blocked: Order<Mono, RouteKey>,
    /// How many messages wait by the routes that lead nobody knows where, yet.
    pub(super) unknown: Order<usize, RouteKey>,
}

/// One route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) leads: Leads,
    /// What waits, whether it is known where to or not.
    pub(super) waiting: BTreeMap<Arrival, Part>,
}

/// Recipients of one message by one route; never none.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) ticket: Ticket,
    pub(super) recipients: Vec<RecipientIx>,
}

/// Some routes, in their order: of a message mostly one, for which a tree takes ten times the room. They
/// leave from the front, mostly.
#[derive(Debug, Default)]
pub(super) struct FewRoutes(VecDeque<RouteKey>);

impl FewRoutes {
    /// These, which are in their order already.
    pub(super) fn sorted(routes: VecDeque<RouteKey>) -> FewRoutes {
        FewRoutes(routes)
    }

    pub(super) fn insert(&mut self, key: &RouteKey) {
        if let Err(place) = self.0.binary_search(key) {
            if self.0.is_empty() {
                self.0.reserve_exact(1);
            }
            self.0.insert(place, key.clone());
        }
    }

    pub(super) fn remove(&mut self, key: &RouteKey) {
        if let Ok(place) = self.0.binary_search(key) {
            self.0.remove(place);
        }
    }

    pub(super) fn first(&self) -> Option<&RouteKey> {
        self.0.front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RouteKey> {
        self.0.iter()
    }
}

/// Where a route leads.
#[derive(Debug)]
pub(super) enum Leads {
    /// The driver is being asked.
    Asked,
    /// To a site.
    To { site: SiteKey, until: Mono },
    /// To a site; the driver is being asked whether it still does.
    AskedAgain { site: SiteKey },
    /// To none, or nobody knows.
    Blocked {
        surely: bool,
        words: Arc<str>,
        until: Mono,
    },
}

/// What is to become of a route when something has left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Something else still waits.
    Waiting,
    /// The answer about it still holds.
    Remembered,
    /// Nothing is known about it, or no longer: it is to be forgotten.
    Nothing,
}

impl Route {
    fn new() -> Route {
        Route {
            leads: Leads::Asked,
            waiting: BTreeMap::new(),
        }
    }

    /// How many messages wait. Their recipients are counted when it is known where they go.
    pub(super) fn load(&self) -> Load {
        Load {
            messages: self.waiting.len(),
            recipients: 0,
        }
    }
}

impl Leads {
    pub(super) fn blocked(surely: bool, words: Arc<str>, until: Mono) -> Leads {
        Leads::Blocked {
            surely,
            words: short(words),
            until,
        }
    }

    pub(super) fn site(&self) -> Option<&SiteKey> {
        match self {
            Leads::To { site, .. } | Leads::AskedAgain { site } => Some(site),
            Leads::Asked | Leads::Blocked { .. } => None,
        }
    }

    /// Until when the answer holds; none while the driver is being asked.
    fn until(&self) -> Option<Mono> {
        match self {
            Leads::To { until, .. } | Leads::Blocked { until, .. } => Some(*until),
            Leads::Asked | Leads::AskedAgain { .. } => None,
        }
    }
}

impl Routes {
    pub(super) fn new() -> Routes {
        Routes {
            map: BTreeMap::new(),
            to_resolve: Turns::new(),
            expiring: Order::new(),
            idle: Order::new(),
            blocked: Order::new(),
            unknown: Order::new(),
        }
    }

    /// Puts a part of a message among what waits by `key`, and says where that leads. A route that nothing is
    /// known about is asked about.
    pub(super) fn wait(&mut self, key: &RouteKey, part: Part) -> &Leads {
        self.idle.remove(key);
        let route = self.map.entry(key.clone()).or_insert_with(|| {
            self.to_resolve.join(key);
            Route::new()
        });
        route.waiting.insert(part.ticket.arrival, part);
        &route.leads
    }

    /// Keeps count of what waits by a route about which nothing is known.
    pub(super) fn count(&mut self, key: &RouteKey) {
        match self.map.get(key) {
            Some(route) if matches!(route.leads, Leads::Asked) => {
                self.unknown.set(key, route.waiting.len());
            }
            _ => self.unknown.remove(key),
        }
    }

    /// Records an answer about a route, and gives back what was known before.
    pub(super) fn answer(&mut self, key: &RouteKey, leads: Leads) -> Leads {
        let route = self.map.entry(key.clone()).or_insert_with(Route::new);
        self.to_resolve.leave(key);
        self.blocked.remove(key);
        if let Some(until) = leads.until() {
            self.expiring.set(key, until);
        }
        if let Leads::Blocked { until, .. } = leads {
            self.blocked.set(key, until);
        }
        core::mem::replace(&mut route.leads, leads)
    }

    /// The answer about a route by which something waits has ceased to hold: asks again.
    pub(super) fn ask_again(&mut self, key: &RouteKey) {
        let Some(route) = self.map.get_mut(key) else {
            return;
        };
        self.blocked.remove(key);
        self.to_resolve.join(key);
        route.leads = match route.leads.site() {
            Some(site) => Leads::AskedAgain { site: site.clone() },
            None => Leads::Asked,
        };
    }

    /// Remembers a route by which nothing waits, as long as the answer about it holds.
    pub(super) fn rest(&mut self, key: &RouteKey) -> Rest {
        match self.map.get(key) {
            Some(route) if !route.waiting.is_empty() => Rest::Waiting,
            Some(route) => match route.leads.until() {
                Some(until) => {
                    self.idle.set(key, until);
                    Rest::Remembered
                }
                None => Rest::Nothing,
            },
            None => Rest::Nothing,
        }
    }

    /// Forgets a route, and says where it led.
    pub(super) fn forget(&mut self, key: &RouteKey) -> Option<SiteKey> {
        let route = self.map.remove(key)?;
        self.to_resolve.leave(key);
        self.expiring.remove(key);
        self.idle.remove(key);
        self.blocked.remove(key);
        self.unknown.remove(key);
        route.leads.site().cloned()
    }
}
