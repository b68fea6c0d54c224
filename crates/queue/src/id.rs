//! Makes names for messages, never the same twice.

use postroad_clock::UnixMs;
use postroad_reply::QueueId;

/// Makes the queue ids of one node.
///
/// Each is greater than the one before it, even where the clock goes back or more than 4096 are
/// made in a millisecond: then the time in the id runs ahead of the clock until the clock has
/// caught up. After a restart it needs to be told the greatest id the store knows.
#[derive(Debug, Clone)]
pub struct QueueIdMaker {
    node: u16,
    last: Option<QueueId>,
}

impl QueueIdMaker {
    /// For the node numbered `node` (at most [`QueueId::MAX_NODE`], further bits are dropped).
    /// `last` is the greatest id of this node that the store knows, if it knows any.
    pub fn new(node: u16, last: Option<QueueId>) -> QueueIdMaker {
        QueueIdMaker { node, last }
    }

    /// The next id, at `now`.
    pub fn make(&mut self, now: UnixMs) -> QueueId {
        let fresh = QueueId::from_parts(now.0, self.node, 0);
        let id = match self.last {
            Some(last) if last.unix_ms() >= fresh.unix_ms() => self.after(last),
            _ => fresh,
        };
        self.last = Some(id);
        id
    }

    /// The id after `last`: the next sequence number, or the first of the next millisecond.
    fn after(&self, last: QueueId) -> QueueId {
        match last.sequence() {
            QueueId::MAX_SEQUENCE => QueueId::from_parts(last.unix_ms() + 1, self.node, 0),
            sequence => QueueId::from_parts(last.unix_ms(), self.node, sequence + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_increase_whatever_the_clock_does(
            node in 0..=QueueId::MAX_NODE,
            jumps in prop::collection::vec(-5000i64..5000, 1..200),
            last in prop::option::of(0u64..1_790_000_100_000),
        ) {
            let last = last.map(|ms| QueueId::from_parts(ms, node, QueueId::MAX_SEQUENCE));
            let mut maker = QueueIdMaker::new(node, last);
            let mut now = 1_790_000_000_000i64;
            let mut before = last;
            for jump in jumps {
                now += jump;
                let id = maker.make(UnixMs(now as u64));
                prop_assert!(before.is_none_or(|before| before < id));
                prop_assert_eq!(id.node(), node);
                before = Some(id);
            }
        }
    }

    #[test]
    fn more_than_a_sequence_in_a_millisecond_runs_ahead_of_the_clock() {
        let mut maker = QueueIdMaker::new(3, None);
        let ids: Vec<QueueId> = (0..4097).map(|_| maker.make(UnixMs(1000))).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ids[4096], QueueId::from_parts(1001, 3, 0));
        assert_eq!(maker.make(UnixMs(2000)), QueueId::from_parts(2000, 3, 0));
    }
}
