//! The messages that are here, and what of each is still open.

use alloc::collections::{BTreeMap, VecDeque};

use postroad_reply::QueueId;

use super::line::Ticket;
use super::route::FewRoutes;

/// The messages that are here.
#[derive(Debug)]
pub(super) struct Messages {
    pub(super) map: BTreeMap<QueueId, Message>,
    /// Those of which nothing is open, until the driver has heard so.
    done: VecDeque<QueueId>,
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) ticket: Ticket,
    /// By which routes recipients of it wait.
    pub(super) routes: FewRoutes,
    /// How many dispatches of it are under way.
    pub(super) under_way: usize,
}

impl Messages {
    pub(super) fn new() -> Messages {
        Messages {
            map: BTreeMap::new(),
            done: VecDeque::new(),
        }
    }

    /// Something of a message was open and is no more: with the last of it, the message is done.
    pub(super) fn closed_one(&mut self, id: QueueId) {
        if let Some(message) = self.map.get(&id)
            && message.under_way == 0
            && message.routes.is_empty()
        {
            self.done.push_back(id);
        }
    }

    /// The next message that is done; it is here no more.
    pub(super) fn pop_done(&mut self) -> Option<QueueId> {
        let id = self.done.pop_front()?;
        self.map.remove(&id);
        Some(id)
    }
}
