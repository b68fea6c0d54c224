//! Fresh messages whose octets are in memory.

use std::collections::VecDeque;
use std::time::Duration;

use postroad_clock::Mono;
use postroad_reply::QueueId;

/// For how long the octets of a fresh message wait for its dispatch: longer, and they are read from
/// the store, or a slow site would have all the memory there is for the mail of others.
const LONGEST: Duration = Duration::from_secs(2);

/// How many octets wait so at most. What can be dispatched at once doesn't wait; of a backlog all but the
/// last is read from the store, which still has it in the system's cache.
const MOST: usize = 1 << 20;

/// Fresh messages whose octets are in memory, in the order they came. One that is done counts on
/// until its time is over.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    waiting: VecDeque<(Mono, QueueId, usize)>,
    octets: usize,
}

impl Fresh {
    /// One more, of so many octets.
    pub(super) fn came(&mut self, now: Mono, id: QueueId, octets: usize) {
        self.waiting.push_back((now, id, octets));
        self.octets += octets;
    }

    /// One whose octets are to be forgotten.
    pub(super) fn next_over(&mut self, now: Mono) -> Option<QueueId> {
        let is_over = self.octets > MOST || self.next_end().is_some_and(|at| at <= now);
        let (_, id, octets) = self.waiting.pop_front_if(|_| is_over)?;
        self.octets -= octets;
        Some(id)
    }

    /// When the first one's time is over.
    pub(super) fn next_end(&self) -> Option<Mono> {
        self.waiting.front().map(|(at, ..)| *at + LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_forgotten_after_their_time_or_when_there_are_too_many() {
        let mut fresh = Fresh::default();
        let (now, id) = (Mono(5), |id| QueueId(id));
        fresh.came(now, id(1), MOST - 10);
        fresh.came(now + Duration::from_secs(1), id(2), 10);
        assert_eq!(fresh.next_over(now), None);
        fresh.came(now + Duration::from_secs(1), id(3), 1);
        assert_eq!(fresh.next_over(now), Some(id(1)));
        assert_eq!(fresh.next_over(now), None);
        assert_eq!(fresh.next_end(), Some(now + Duration::from_secs(3)));
        let later = now + Duration::from_secs(3);
        assert_eq!(fresh.next_over(later), Some(id(2)));
        assert_eq!(fresh.next_over(later), Some(id(3)));
        assert_eq!(fresh.next_over(later), None);
        assert_eq!((fresh.next_end(), fresh.octets), (None, 0));
    }
}
