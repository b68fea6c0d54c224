//! Who waits at a site, and whose turn it is.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use postroad_reply::QueueId;

use super::order::Turns;
use super::route::FewRoutes;
use super::share::Load;
use crate::envelope::RouteKey;

/// The order in which messages were offered: which of two is first in a sender's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival(pub(super) u64);

/// A message's place in lines, wherever it has to wait.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) message: QueueId,
    pub(super) sender: Arc<str>,
    pub(super) arrival: Arrival,
}

/// The messages that wait at a site: a line for each sender, and the senders take turns.
#[derive(Debug)]
pub(super) struct Line {
    senders: BTreeMap<Arc<str>, OfSender>,
    turns: Turns<Arc<str>>,
    load: Load,
}

/// A sender's line; never empty.
#[derive(Debug, Default)]
struct OfSender {
    messages: BTreeMap<Arrival, Waiting>,
    recipients: usize,
}

/// A message in line.
#[derive(Debug)]
struct Waiting {
    message: QueueId,
    /// By which routes its recipients came here; never empty.
    routes: FewRoutes,
}

impl Line {
    pub(super) fn new() -> Line {
        Line {
            senders: BTreeMap::new(),
            turns: Turns::new(),
            load: Load::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.load.messages == 0
    }

    /// How much waits.
    pub(super) fn load(&self) -> Load {
        self.load
    }

    /// How much of that is of `sender`.
    pub(super) fn load_of(&self, sender: &Arc<str>) -> Load {
        self.senders
            .get(sender)
            .map_or_else(Load::default, |line| Load {
                messages: line.messages.len(),
                recipients: line.recipients,
            })
    }

    /// `recipients` of a message come by `route`.
    pub(super) fn join(&mut self, ticket: &Ticket, route: &RouteKey, recipients: usize) {
        self.turns.join(&ticket.sender);
        let line = self.senders.entry(ticket.sender.clone()).or_default();
        let waiting = line.messages.entry(ticket.arrival).or_insert_with(|| {
            self.load.messages += 1;
            Waiting {
                message: ticket.message,
                routes: FewRoutes::default(),
            }
        });
        waiting.routes.insert(route);
        line.recipients += recipients;
        self.load.recipients += recipients;
    }

    /// `recipients` of a message that came by `route` wait no more; `all`: they are the last of those.
    pub(super) fn leave(
        &mut self,
        ticket: &Ticket,
        route: &RouteKey,
        recipients: usize,
        all: bool,
    ) {
        let Some(line) = self.senders.get_mut(&ticket.sender) else {
            return;
        };
        let Some(waiting) = line.messages.get_mut(&ticket.arrival) else {
            return;
        };
        line.recipients -= recipients;
        self.load.recipients -= recipients;
        if !all {
            return;
        }
        waiting.routes.remove(route);
        if !waiting.routes.is_empty() {
            return;
        }
        line.messages.remove(&ticket.arrival);
        self.load.messages -= 1;
        if line.messages.is_empty() {
            self.senders.remove(&ticket.sender);
            self.turns.leave(&ticket.sender);
        }
    }

    /// Whose turn it is: the first message of the sender who has waited longest for a turn.
    pub(super) fn first(&self) -> Option<Ticket> {
        let sender = self.turns.first()?;
        let (arrival, waiting) = self.senders.get(sender)?.messages.first_key_value()?;
        Some(Ticket {
            message: waiting.message,
            sender: sender.clone(),
            arrival: *arrival,
        })
    }

    /// The first of the routes by which recipients of a waiting message came.
    pub(super) fn first_route(&self, ticket: &Ticket) -> Option<&RouteKey> {
        let line = self.senders.get(&ticket.sender)?;
        line.messages.get(&ticket.arrival)?.routes.first()
    }

    /// A sender has had a turn.
    pub(super) fn had_a_turn(&mut self, sender: &Arc<str>) {
        if self.senders.contains_key(sender) {
            self.turns.rejoin(sender);
        }
    }
}
