//! Which mailboxes there are, which are about to be, and which take no mail at the moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postroad_clock::Mono;
use postroad_wire::address::Mailbox;

use crate::failing::Failing;
use crate::name::canonical;
use crate::quota::{Counted, Usage};

/// The mailboxes that exist, counted against the limit of how many may be made.
///
/// A recipient whose mailbox does not exist yet takes a place in it for as long as its
/// transaction lasts. So recipients alone can't use up the limit, and transactions side by side
/// can't pass it.
#[derive(Debug, Clone)]
pub struct Mailboxes(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    limit: usize,
    existing: BTreeSet<Mailbox>,
    /// How many reservations hold each name.
    reserved: BTreeMap<Mailbox, usize>,
    failing: Failing,
    counted: Counted,
}

impl Mailboxes {
    /// At most `limit` mailboxes, of which these exist. Those may be more than the limit; then
    /// none is made.
    pub fn new(limit: usize, existing: impl IntoIterator<Item = Mailbox>) -> Mailboxes {
        let existing = existing
            .into_iter()
            .filter_map(|name| canonical(&name))
            .collect();
        Mailboxes(Arc::new(Mutex::new(State {
            limit,
            existing,
            reserved: BTreeMap::new(),
            failing: Failing::default(),
            counted: Counted::default(),
        })))
    }

    /// Changes the limit. Those that exist, and places that are reserved, stay.
    pub fn set_limit(&self, limit: usize) {
        self.state().limit = limit;
    }

    /// How many exist.
    pub fn len(&self) -> usize {
        self.state().existing.len()
    }

    /// Whether none exists.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this one exists.
    pub fn contains(&self, mailbox: &Mailbox) -> bool {
        canonical(mailbox).is_some_and(|name| self.state().existing.contains(&name))
    }

    /// Notes that a mailbox was made, whatever the limit.
    pub fn add(&self, mailbox: &Mailbox) {
        if let Some(name) = canonical(mailbox) {
            self.state().existing.insert(name);
        }
    }

    /// Notes that a delivery to a mailbox failed for a fault of the mailbox. It is forgotten after
    /// five minutes, and by the next delivery that succeeds. Of more than 4096 mailboxes that fail
    /// at once, only so many are noted.
    pub fn failed(&self, mailbox: &Mailbox, now: Mono) {
        if let Some(name) = canonical(mailbox) {
            self.state().failing.note(name, now);
        }
    }

    /// Notes that a mailbox took a message of so many octets; none if it had it already.
    pub fn delivered(&self, mailbox: &Mailbox, octets: Option<u64>) {
        let mut state = self.state();
        if state.failing.is_empty() && state.counted.is_empty() {
            return;
        }
        if let Some(name) = canonical(mailbox) {
            state.failing.clear(&name);
            if let Some(octets) = octets {
                state.counted.add(&name, octets);
            }
        }
    }

    /// Notes what a mailbox holds, as it was counted now.
    pub fn counted(&self, mailbox: &Mailbox, usage: Usage, now: Mono) {
        if let Some(name) = canonical(mailbox) {
            self.state().counted.note(name, usage, now);
        }
    }

    /// What a mailbox holds, by the last count and what came since, and when that was.
    pub fn usage(&self, mailbox: &Mailbox) -> Option<(Usage, Mono)> {
        self.state().counted.of(&canonical(mailbox)?)
    }

    /// Whether each of a recipient's mailboxes ([`Resolution::Local`]) fails to take mail at the
    /// moment. Where one of several works, the message is worth taking.
    ///
    /// [`Resolution::Local`]: crate::Resolution::Local
    pub fn all_fail(&self, targets: &[Mailbox], now: Mono) -> bool {
        let state = self.state();
        !targets.is_empty()
            && targets
                .iter()
                .all(|target| state.failing.contains(target, now))
    }

    /// No place, for a recipient that needs none: its mail goes to another server.
    pub fn no_place(&self) -> Reservation {
        Reservation {
            mailboxes: self.clone(),
            names: Vec::new(),
        }
    }

    /// Takes a place for each of `names` that does not exist; none if there is no place for all.
    pub(crate) fn reserve(&self, names: &[Mailbox]) -> Option<Reservation> {
        let mut state = self.state();
        let missing: BTreeSet<&Mailbox> = names
            .iter()
            .filter(|name| !state.existing.contains(*name))
            .collect();
        let new = missing
            .iter()
            .filter(|name| !state.reserved.contains_key(**name))
            .count();
        // A name can be in both when it was made without its reservation; it counts twice, which
        // only makes the limit stricter until that reservation ends.
        let taken = state.existing.len() + state.reserved.len();
        if new > 0 && taken + new > state.limit {
            return None;
        }
        for name in &missing {
            *state.reserved.entry((*name).clone()).or_default() += 1;
        }
        let names = missing.into_iter().cloned().collect();
        Some(Reservation {
            mailboxes: self.clone(),
            names,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Places kept for mailboxes that don't exist yet. Dropped, they are free again.
#[derive(Debug)]
#[must_use = "dropped, the places are free again"]
pub struct Reservation {
    mailboxes: Mailboxes,
    names: Vec<Mailbox>,
}

impl Reservation {
    /// The mailboxes that don't exist yet.
    pub fn names(&self) -> &[Mailbox] {
        &self.names
    }

    /// Takes the places for good: the message was accepted, and its mailboxes will be made.
    pub fn keep(self) {
        let mut state = self.mailboxes.state();
        state.existing.extend(self.names.iter().cloned());
        // Dropping it, after this, gives back what was reserved.
        drop(state);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.mailboxes.state();
        for name in &self.names {
            if let Some(count) = state.reserved.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    state.reserved.remove(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop where it stands

    use super::*;
    use crate::name::mailbox;
    use proptest::prelude::*;

    fn named(n: u8) -> Mailbox {
        mailbox(&format!("user{n}"), "example.org").unwrap()
    }

    #[test]
    fn recipients_alone_do_not_use_up_the_limit() {
        let mailboxes = Mailboxes::new(1, []);
        for n in 0..10 {
            drop(mailboxes.reserve(&[named(n)]).unwrap());
        }
        mailboxes.reserve(&[named(20)]).unwrap().keep();
        assert!(mailboxes.contains(&named(20)));
        assert!(mailboxes.reserve(&[named(21)]).is_none());
        assert!(mailboxes.reserve(&[named(20)]).unwrap().names().is_empty());
    }

    #[test]
    fn another_limit_holds_at_once() {
        let mailboxes = Mailboxes::new(0, []);
        assert!(mailboxes.reserve(&[named(1)]).is_none());
        mailboxes.set_limit(1);
        let kept = mailboxes.reserve(&[named(1)]).unwrap();
        mailboxes.set_limit(0);
        kept.keep();
        assert!(mailboxes.contains(&named(1)));
        assert!(mailboxes.reserve(&[named(2)]).is_none());
    }

    #[test]
    fn one_name_asked_for_twice_takes_one_place() {
        let mailboxes = Mailboxes::new(1, []);
        let first = mailboxes.reserve(&[named(1), named(1)]).unwrap();
        let second = mailboxes.reserve(&[named(1)]).unwrap();
        drop(first);
        assert!(
            mailboxes.reserve(&[named(2)]).is_none(),
            "the second still holds the place"
        );
        drop(second);
        assert!(mailboxes.reserve(&[named(2)]).is_some());
    }

    #[test]
    fn a_recipient_fails_if_each_of_its_mailboxes_does() {
        let mailboxes = Mailboxes::new(1, []);
        let now = Mono::ZERO;
        assert!(!mailboxes.all_fail(&[], now));
        mailboxes.failed(&mailbox("USER1", "Example.ORG").unwrap(), now);
        assert!(mailboxes.all_fail(&[named(1)], now));
        assert!(!mailboxes.all_fail(&[named(1), named(2)], now));
        mailboxes.failed(&named(2), now);
        assert!(mailboxes.all_fail(&[named(1), named(2)], now));
        mailboxes.delivered(&mailbox("User1", "example.org").unwrap(), None);
        assert!(!mailboxes.all_fail(&[named(1), named(2)], now));
        assert!(mailboxes.all_fail(&[named(2)], now));
    }

    #[test]
    fn what_a_mailbox_holds_is_what_was_counted_and_what_came_since() {
        let mailboxes = Mailboxes::new(1, []);
        let now = Mono::ZERO;
        mailboxes.delivered(&named(1), Some(10));
        assert_eq!(mailboxes.usage(&named(1)), None, "nobody has counted");
        let usage = |octets, messages| Some((Usage { octets, messages }, now));
        let held = Usage {
            octets: 100,
            messages: 2,
        };
        mailboxes.counted(&mailbox("USER1", "example.org").unwrap(), held, now);
        mailboxes.delivered(&named(1), Some(10));
        mailboxes.delivered(&named(1), None);
        mailboxes.delivered(&named(2), Some(10));
        assert_eq!(mailboxes.usage(&named(1)), usage(110, 3));
        mailboxes.counted(&named(1), Usage::default(), now);
        assert_eq!(mailboxes.usage(&named(1)), usage(0, 0));
    }

    proptest! {
        #[test]
        fn the_limit_is_never_passed_and_every_place_comes_back(
            limit in 0usize..6,
            steps in proptest::collection::vec((0u8..10, 0u8..10, 0u8..3), 0..60),
        ) {
            let mailboxes = Mailboxes::new(limit, []);
            let mut held = Vec::new();
            for (a, b, what) in steps {
                match what {
                    0 => held.extend(mailboxes.reserve(&[named(a), named(b)])),
                    1 if !held.is_empty() => held.swap_remove(usize::from(a) % held.len()).keep(),
                    _ if !held.is_empty() => drop(held.swap_remove(usize::from(a) % held.len())),
                    _ => {}
                }
                let state = mailboxes.state();
                let mut all = state.existing.clone();
                all.extend(state.reserved.keys().cloned());
                prop_assert!(all.len() <= limit);
            }
            drop(held);
            prop_assert!(mailboxes.state().reserved.is_empty());
        }
    }
}
