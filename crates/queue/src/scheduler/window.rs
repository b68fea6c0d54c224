//! How many dispatches may be under way to one site.

use super::talk::DispatchId;

/// How many dispatches may be under way to one site.
///
/// It grows and shrinks as the congestion window of TCP does (RFC 5681 3.1), for the same reason:
/// nobody says how much the other side can take. With each success it grows by one, up to the
/// `ceiling`; from there by one for a whole window of successes. A busy peer halves it, trouble
/// makes it one, and either puts the ceiling at half of what was too much.
#[derive(Debug)]
pub(super) struct Window {
    size: u32,
    largest: u32,
    ceiling: u32,
    /// Successes over the ceiling since the window last grew.
    credit: u32,
    /// What was dispatched before this says nothing about the size the window has now.
    since: DispatchId,
}

impl Window {
    pub(super) fn new(first: u32, largest: u32) -> Window {
        let largest = largest.max(1);
        Window {
            size: first.clamp(1, largest),
            largest,
            ceiling: largest,
            credit: 0,
            since: DispatchId(0),
        }
    }

    pub(super) fn size(&self) -> u32 {
        self.size
    }

    pub(super) fn largest(&self) -> u32 {
        self.largest
    }

    pub(super) fn set_largest(&mut self, largest: u32) {
        let largest = largest.max(1);
        // A ceiling that no setback has put anywhere moves along.
        if self.ceiling == self.largest {
            self.ceiling = largest;
        }
        self.largest = largest;
        self.ceiling = self.ceiling.min(largest);
        self.size = self.size.min(largest);
    }

    pub(super) fn worked(&mut self) {
        if self.size >= self.largest {
            return;
        }
        if self.size < self.ceiling {
            self.size += 1;
            return;
        }
        self.credit += 1;
        if self.credit >= self.size {
            self.size += 1;
            self.credit = 0;
        }
    }

    /// Whether the window is one, and `dispatch` was made since it is: less can't be asked.
    pub(super) fn least_was_too_much(&self, dispatch: DispatchId) -> bool {
        self.size == 1 && dispatch >= self.since
    }

    /// The peer said to `dispatch` that it is busy; `next` is what the next dispatch is called.
    pub(super) fn busy(&mut self, dispatch: DispatchId, next: DispatchId) {
        let half = (self.size / 2).max(1);
        self.shrink(dispatch, next, half);
    }

    /// There was trouble with the connection of `dispatch`.
    pub(super) fn trouble(&mut self, dispatch: DispatchId, next: DispatchId) {
        self.shrink(dispatch, next, 1);
    }

    /// A whole window of dispatches that fail for one cause shrinks it once.
    fn shrink(&mut self, dispatch: DispatchId, next: DispatchId, to: u32) {
        if dispatch < self.since {
            return;
        }
        // Trouble upon trouble says nothing new about how much was too much.
        if self.size > 1 {
            self.ceiling = self.size / 2;
        }
        self.size = to;
        self.credit = 0;
        self.since = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(n: u64) -> DispatchId {
        DispatchId(n)
    }

    #[test]
    fn grows_by_one_a_success_and_after_a_setback_slowly() {
        let mut window = Window::new(2, 8);
        for _ in 0..20 {
            window.worked();
        }
        assert_eq!(window.size(), 8);
        window.trouble(id(20), id(21));
        assert_eq!(window.size(), 1);
        for _ in 0..3 {
            window.worked();
        }
        assert_eq!(window.size(), 4);
        for _ in 0..3 {
            window.worked();
        }
        assert_eq!(window.size(), 4);
        window.worked();
        assert_eq!(window.size(), 5);
    }

    #[test]
    fn a_window_of_dispatches_that_hear_busy_halves_it_once() {
        let mut window = Window::new(8, 8);
        for n in 0..8 {
            window.busy(id(n), id(8));
        }
        assert_eq!(window.size(), 4);
        assert!(!window.least_was_too_much(id(8)));
        for n in [8, 9, 10] {
            window.busy(id(n), id(n + 1));
        }
        assert_eq!(window.size(), 1);
        assert!(!window.least_was_too_much(id(10)));
        assert!(window.least_was_too_much(id(11)));
    }

    #[test]
    fn another_largest_holds_at_once() {
        let mut window = Window::new(20, 20);
        window.set_largest(3);
        assert_eq!(window.size(), 3);
        window.set_largest(0);
        assert_eq!((window.size(), window.largest()), (1, 1));
        window.set_largest(6);
        for _ in 0..10 {
            window.worked();
        }
        assert_eq!(window.size(), 6);
    }
}
