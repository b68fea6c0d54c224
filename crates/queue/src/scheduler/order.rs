//! Keys in an order of their own: by turn, or by time.

use alloc::collections::{BTreeMap, BTreeSet};

/// A set of keys, each at a place; the first is found, and any is moved or removed, in O(log n).
#[derive(Debug)]
pub(super) struct Order<P, K> {
    places: BTreeMap<K, P>,
    order: BTreeSet<(P, K)>,
}

impl<P: Ord + Copy, K: Ord + Clone> Order<P, K> {
    pub(super) fn new() -> Order<P, K> {
        Order {
            places: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// Puts `key` at `place`, wherever it was.
    pub(super) fn set(&mut self, key: &K, place: P) {
        if let Some(old) = self.places.insert(key.clone(), place) {
            self.order.remove(&(old, key.clone()));
        }
        self.order.insert((place, key.clone()));
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(old) = self.places.remove(key) {
            self.order.remove(&(old, key.clone()));
        }
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.places.contains_key(key)
    }

    pub(super) fn first(&self) -> Option<&(P, K)> {
        self.order.first()
    }

    /// Removes the first if it is at `place` or before.
    pub(super) fn pop_until(&mut self, place: P) -> Option<K> {
        self.order.first().filter(|(first, _)| *first <= place)?;
        self.pop()
    }

    pub(super) fn pop(&mut self) -> Option<K> {
        let (_, key) = self.order.pop_first()?;
        self.places.remove(&key);
        Some(key)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &(P, K)> {
        self.order.iter()
    }
}

/// Keys that take turns: who joins or has had a turn goes to the end.
#[derive(Debug)]
pub(super) struct Turns<K> {
    order: Order<u64, K>,
    next: u64,
}

impl<K: Ord + Clone> Turns<K> {
    pub(super) fn new() -> Turns<K> {
        Turns {
            order: Order::new(),
            next: 0,
        }
    }

    /// Lets `key` take part; one that does already keeps its place.
    pub(super) fn join(&mut self, key: &K) {
        if !self.order.contains(key) {
            self.order.set(key, self.next);
            self.next += 1;
        }
    }

    /// Sends `key` to the end: it has had its turn.
    pub(super) fn rejoin(&mut self, key: &K) {
        self.order.remove(key);
        self.join(key);
    }

    pub(super) fn leave(&mut self, key: &K) {
        self.order.remove(key);
    }

    /// Whose turn it is.
    pub(super) fn first(&self) -> Option<&K> {
        self.order.first().map(|(_, key)| key)
    }

    /// Whose turn it is, and takes it out.
    pub(super) fn pop(&mut self) -> Option<K> {
        self.order.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_joins_again_keeps_its_place_and_who_had_a_turn_rejoins_at_the_end() {
        let mut turns = Turns::new();
        for key in ["a", "b", "a", "c"] {
            turns.join(&key);
        }
        turns.rejoin(&"a");
        turns.leave(&"c");
        assert_eq!(
            [turns.pop(), turns.pop(), turns.pop()],
            [Some("b"), Some("a"), None]
        );
    }

    #[test]
    fn a_key_has_one_place_and_only_what_is_due_is_popped() {
        let mut order = Order::new();
        order.set(&"a", 5);
        order.set(&"b", 7);
        order.set(&"a", 9);
        assert_eq!(order.first(), Some(&(7, "b")));
        assert_eq!(
            [order.pop_until(6), order.pop_until(7), order.pop_until(8)],
            [None, Some("b"), None]
        );
        assert_eq!(order.len(), 1);
    }
}
