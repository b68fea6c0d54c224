//! When a deferred recipient is tried again, and when it is given up (RFC 5321 4.5.4.1).

use core::time::Duration;

use postroad_clock::UnixMs;

/// How long to wait between attempts, and when to stop.
///
/// The wait grows from `first` by `growth_percent` each time until it is `longest`. RFC 5321
/// 4.5.4.1 asks for a wait of 30 minutes in general, and allows cleverer plans; it wants the plan
/// to be configurable, and mail not to be given up before 4 or 5 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPlan {
    /// The wait after the first attempt.
    pub first: Duration,
    /// Each wait as a share of the one before it, in percent; under 100 counts as 100.
    pub growth_percent: u32,
    /// No wait is longer.
    pub longest: Duration,
    /// After so long since it was received, a message is given up.
    pub give_up_after: Duration,
}

impl Default for RetryPlan {
    /// 1, 2, 4 ... minutes, which gets through greylisting soon; past 30 minutes with the sixth
    /// attempt; at most 4 hours; 5 days.
    fn default() -> RetryPlan {
        const MINUTE: u64 = 60;
        RetryPlan {
            first: Duration::from_secs(MINUTE),
            growth_percent: 200,
            longest: Duration::from_secs(4 * 60 * MINUTE),
            give_up_after: Duration::from_secs(5 * 24 * 60 * MINUTE),
        }
    }
}

/// What a plan says after an attempt that was deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    At(UnixMs),
    /// It has taken too long: settle the recipient as failed.
    GiveUp,
}

impl RetryPlan {
    /// What comes after attempt number `attempt` (from 1), made at `now`, of a message received
    /// at `received_at`.
    ///
    /// `chance` spreads what was deferred together: of the wait, between nine and eleven tenths
    /// are taken, evenly over all values of `chance`. The last attempt is made when the time is
    /// up, not a wait later.
    pub fn next(&self, attempt: u32, received_at: UnixMs, now: UnixMs, chance: u64) -> Next {
        let end = received_at + self.give_up_after;
        if now >= end {
            return Next::GiveUp;
        }
        let at = now + spread(self.wait(attempt), chance);
        Next::At(at.min(end))
    }

    /// The wait after attempt number `attempt`, before it is spread.
    fn wait(&self, attempt: u32) -> Duration {
        let growth = u64::from(self.growth_percent.max(100));
        let longest = millis(self.longest);
        let mut wait = millis(self.first).min(longest);
        for _ in 1..attempt {
            let grown = wait.saturating_mul(growth) / 100;
            // At the top, or not growing: the further rounds change nothing.
            if grown <= wait || grown >= longest {
                wait = grown.min(longest);
                break;
            }
            wait = grown;
        }
        Duration::from_millis(wait)
    }
}

/// Between nine and eleven tenths of `wait`, and at least a millisecond, so that time goes on.
fn spread(wait: Duration, chance: u64) -> Duration {
    let wait = millis(wait);
    let tenth = wait / 10;
    let part = (u128::from(tenth) * 2 * u128::from(chance)) >> 64;
    // Less than 2 * tenth, which is a u64 as `wait` is one.
    let part = u64::try_from(part).unwrap_or(tenth);
    Duration::from_millis((wait - tenth).saturating_add(part).max(1))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECEIVED: UnixMs = UnixMs(1_790_000_000_000);

    #[test]
    fn the_default_waits_a_minute_then_twice_as_long_up_to_four_hours() {
        let plan = RetryPlan::default();
        let minutes = |attempt| plan.wait(attempt).as_secs() / 60;
        assert_eq!(
            [1, 2, 3, 6, 8, 9, 200].map(minutes),
            [1, 2, 4, 32, 128, 240, 240]
        );
    }

    #[test]
    fn the_wait_is_spread_by_a_tenth_each_way() {
        let at = |chance| RetryPlan::default().next(1, RECEIVED, RECEIVED, chance);
        assert_eq!(at(0), Next::At(UnixMs(RECEIVED.0 + 54_000)));
        assert_eq!(at(u64::MAX), Next::At(UnixMs(RECEIVED.0 + 65_999)));
    }

    #[test]
    fn a_message_is_given_up_after_five_days_and_not_before_a_last_attempt() {
        let plan = RetryPlan::default();
        let end = RECEIVED + plan.give_up_after;
        let almost = UnixMs(end.0 - 1000);
        assert_eq!(plan.next(40, RECEIVED, almost, 0), Next::At(end));
        assert_eq!(plan.next(41, RECEIVED, end, 0), Next::GiveUp);
    }

    proptest! {
        #[test]
        fn any_plan_ends_and_time_always_goes_on(
            first in 0u64..10_000_000, growth_percent in 0u32..1000, longest in 0u64..u64::MAX,
            give_up in 0u64..u64::MAX, attempt: u32, now: u64, chance: u64,
        ) {
            let plan = RetryPlan {
                first: Duration::from_millis(first),
                growth_percent,
                longest: Duration::from_millis(longest),
                give_up_after: Duration::from_millis(give_up),
            };
            match plan.next(attempt, RECEIVED, UnixMs(now), chance) {
                Next::At(at) => prop_assert!(at.0 > now && at <= RECEIVED + plan.give_up_after),
                Next::GiveUp => prop_assert!(now >= (RECEIVED + plan.give_up_after).0),
            }
        }
    }
}
