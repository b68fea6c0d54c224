//! Which mailboxes take no mail at the moment.

use std::collections::BTreeMap;
use std::time::Duration;

use postroad_clock::Mono;
use postroad_wire::address::Mailbox;

/// How many mailboxes are noted at most. Where more fail, mail for the others is taken and waits in
/// the queue, as all of it would without these notes.
const MOST: usize = 4096;

/// For how long a failure speaks against its mailbox. What waits in the queue is tried again at
/// growing intervals, and may be nothing any more: after this time the next message from outside is
/// the one that finds out.
const LAPSE: Duration = Duration::from_secs(300);

/// The mailboxes whose last delivery failed, each with the time at which that is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    until: BTreeMap<Mailbox, Mono>,
}

impl Failing {
    /// Notes that a delivery failed.
    pub(crate) fn note(&mut self, mailbox: Mailbox, now: Mono) {
        if self.until.len() >= MOST && !self.until.contains_key(&mailbox) {
            self.until.retain(|_, until| *until > now);
            if self.until.len() >= MOST {
                return;
            }
        }
        self.until.insert(mailbox, now + LAPSE);
    }

    /// Forgets what is noted of a mailbox.
    pub(crate) fn clear(&mut self, mailbox: &Mailbox) {
        self.until.remove(mailbox);
    }

    /// Whether nothing is noted.
    pub(crate) fn is_empty(&self) -> bool {
        self.until.is_empty()
    }

    /// Whether a delivery failed lately, and none has succeeded since.
    pub(crate) fn contains(&self, mailbox: &Mailbox, now: Mono) -> bool {
        self.until.get(mailbox).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop where it stands

    use super::*;
    use crate::name::mailbox;
    use proptest::prelude::*;

    fn named(n: usize) -> Mailbox {
        mailbox(&format!("user{n}"), "example.org").unwrap()
    }

    #[test]
    fn a_failure_is_forgotten_after_a_while() {
        let mut failing = Failing::default();
        let began = Mono::ZERO + Duration::from_secs(7);
        failing.note(named(1), began);
        let almost = began + (LAPSE - Duration::from_nanos(1));
        assert!(failing.contains(&named(1), almost));
        assert!(!failing.contains(&named(1), began + LAPSE));
        failing.note(named(1), almost);
        assert!(failing.contains(&named(1), began + LAPSE));
    }

    #[test]
    fn there_are_so_many_notes_at_most_and_lapsed_ones_make_room() {
        let mut failing = Failing::default();
        let began = Mono::ZERO;
        for n in 0..MOST {
            failing.note(named(n), began);
        }
        let later = began + Duration::from_secs(1);
        failing.note(named(MOST), later);
        assert!(!failing.contains(&named(MOST), later), "there is no room");
        failing.note(named(0), later);
        assert!(failing.contains(&named(0), began + LAPSE), "it has a place");
        assert_eq!(failing.until.len(), MOST);
        failing.note(named(MOST), began + LAPSE);
        assert!(failing.contains(&named(MOST), began + LAPSE));
        assert_eq!(failing.until.len(), 2, "the lapsed ones are gone");
    }

    proptest! {
        /// Against a list of all that happened.
        #[test]
        fn the_last_delivery_decides_unless_it_is_long_ago(
            steps in proptest::collection::vec((0usize..3, any::<bool>(), 0u64..200), 0..40),
        ) {
            let mut failing = Failing::default();
            let mut now = Mono::ZERO;
            let mut last = [None; 3];
            for (n, fails, after) in steps {
                now = now + Duration::from_secs(after);
                if fails {
                    failing.note(named(n), now);
                } else {
                    failing.clear(&named(n));
                }
                last[n] = fails.then_some(now);
                for (n, failed_at) in last.iter().enumerate() {
                    let fails = failed_at.is_some_and(|at| now.since(at) < LAPSE);
                    prop_assert_eq!(failing.contains(&named(n), now), fails);
                }
            }
        }
    }
}
