//! What time it is.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postroad_clock::{Mono, UnixMs};
use tokio::time::Instant;

/// Something that knows both times.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The running clock.
    fn mono(&self) -> Mono;
    /// The time of day.
    fn unix(&self) -> UnixMs;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn mono(&self) -> Mono {
        (**self).mono()
    }

    fn unix(&self) -> UnixMs {
        (**self).unix()
    }
}

/// The clocks of this machine.
///
/// All `RealClock`s of a process share one start, which [`tasks::sleep_until`]
/// shares too. Under a paused Tokio runtime [`mono`](Clock::mono) follows the runtime's time.
///
/// [`tasks::sleep_until`]: crate::tasks::sleep_until
#[derive(Debug, Clone, Copy, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn mono(&self) -> Mono {
        let since_start = Instant::now().saturating_duration_since(start());
        Mono::ZERO + since_start
    }

    /// 0 on a machine whose clock stands before 1970.
    fn unix(&self) -> UnixMs {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        UnixMs(0) + since_1970
    }
}

/// The instant that is [`Mono::ZERO`] in this process: that of the first reading.
fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// The instant at which [`RealClock`] reads `at`; none if it is beyond what the system can say.
pub(crate) fn instant(at: Mono) -> Option<Instant> {
    start().checked_add(at.since(Mono::ZERO))
}

/// A clock that stands still until it is moved. Both times move together.
#[derive(Debug)]
pub struct SimClock {
    /// Nanoseconds since the start of the simulation.
    elapsed: AtomicU64,
    /// The time of day at the start.
    started_at: UnixMs,
}

impl SimClock {
    /// A clock that reads [`Mono::ZERO`] and `unix`.
    pub fn new(unix: UnixMs) -> SimClock {
        SimClock {
            elapsed: AtomicU64::new(0),
            started_at: unix,
        }
    }

    /// Moves both times on.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.elapsed.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn mono(&self) -> Mono {
        Mono(self.elapsed.load(Ordering::SeqCst))
    }

    fn unix(&self) -> UnixMs {
        self.started_at + self.mono().since(Mono::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_moves_only_by_hand() {
        let clock = SimClock::new(UnixMs(1_000));
        assert_eq!((clock.mono(), clock.unix()), (Mono::ZERO, UnixMs(1_000)));
        clock.advance(Duration::from_millis(5));
        assert_eq!(
            (clock.mono(), clock.unix()),
            (Mono(5_000_000), UnixMs(1_005))
        );
    }

    #[test]
    fn the_real_clock_runs_and_its_instants_agree_with_it() {
        let before = RealClock.mono();
        std::thread::sleep(Duration::from_millis(2));
        let after = RealClock.mono();
        assert!(after.since(before) >= Duration::from_millis(2));
        assert!(instant(after).is_some_and(|at| at <= Instant::now()));
        // 2026-01-01, before which this was not written.
        assert!(RealClock.unix() > UnixMs(1_767_225_600_000));
    }
}
