//! How much a scheduler holds, and how hard it presses a site.

use core::time::Duration;

/// How much a scheduler holds, and how hard it presses a site.
///
/// Where a number of zero would mean that nothing ever moves, it counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At most so many messages are here.
    pub most_messages: usize,
    /// No message is taken while so many recipients are here. The last one that is taken may go
    /// past it, as a message that could never be taken would never be delivered.
    pub most_recipients: usize,
    /// At most so many recipients go in one dispatch. Peers need to take 100 in a transaction
    /// (RFC 5321 4.5.3.1.8).
    pub recipients_per_dispatch: usize,
    /// How many dispatches may be under way to a site that nothing is known about.
    pub first_window: u32,
    /// How many may be under way to a site at its best, where the site has no number of its own.
    pub largest_window: u32,
    /// How many dispatches may be under way to all sites together.
    pub most_under_way: usize,
    /// When a site is closed, and for how long.
    pub pause: Pause,
    /// A site that nobody has used for so long, and that isn't closed, is forgotten.
    pub remember: Duration,
    /// At most so many sites, and so many routes, are remembered though nothing waits for them.
    pub most_remembered: usize,
}

/// When a site is closed, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// After so many troubles with nothing working in between.
    pub after: u32,
    /// The first time for so long.
    pub first: Duration,
    /// Each pause as a share of the one before it, in percent; under 100 counts as 100.
    pub growth_percent: u32,
    /// No pause is longer.
    pub longest: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            most_messages: 10_000,
            most_recipients: 50_000,
            recipients_per_dispatch: 100,
            first_window: 5,
            largest_window: 20,
            most_under_way: 500,
            pause: Pause::default(),
            remember: Duration::from_secs(60 * 60),
            most_remembered: 10_000,
        }
    }
}

impl Default for Pause {
    /// After five troubles, for 1, 2, 4 ... minutes, at most an hour.
    fn default() -> Pause {
        Pause {
            after: 5,
            first: Duration::from_secs(60),
            growth_percent: 200,
            longest: Duration::from_secs(60 * 60),
        }
    }
}

impl Pause {
    /// How long the pause is that comes after `before` others with nothing working in between.
    pub(super) fn length(&self, before: u32) -> Duration {
        let growth = self.growth_percent.max(100);
        let mut length = self.first.min(self.longest);
        for _ in 0..before {
            let grown = length
                .saturating_mul(growth)
                .checked_div(100)
                .unwrap_or(length)
                .min(self.longest);
            // At the top, or not growing: the further rounds change nothing.
            if grown <= length {
                break;
            }
            length = grown;
        }
        // Time has to go on between one probe and the next.
        length.max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let pause = Pause::default();
        let minutes = |before| pause.length(before).as_secs() / 60;
        assert_eq!(
            [0, 1, 2, 5, 6, u32::MAX].map(minutes),
            [1, 2, 4, 32, 60, 60]
        );
    }

    #[test]
    fn a_plan_of_zeros_still_pauses() {
        let pause = Pause {
            after: 0,
            first: Duration::ZERO,
            growth_percent: 0,
            longest: Duration::ZERO,
        };
        assert_eq!(pause.length(9), Duration::from_millis(1));
    }
}
