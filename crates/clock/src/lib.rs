//! Names the two times, so that no pure crate reads a clock.
//!
//! [`Mono`] orders what happens inside one run of the process: time-outs, windows, leases.
//! [`UnixMs`] is what is kept on disk and shown to people. Neither can be made into the other
//! without a reading of both, which only the `host` crate can take.

#![no_std]

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A reading of a running clock, in nanoseconds since the clock's own start.
///
/// It never goes back, and it means nothing outside the process that read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// The clock's own start.
    pub const ZERO: Mono = Mono(0);

    /// How long after `earlier` this reading was taken; zero if it was taken before.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;

    /// Saturates at the end of the clock, some 584 years after its start.
    fn add(self, by: Duration) -> Mono {
        Mono(
            self.0
                .saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: UnixMs) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for UnixMs {
    type Output = UnixMs;

    /// Saturates at the end of the scale.
    fn add(self, by: Duration) -> UnixMs {
        UnixMs(
            self.0
                .saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for UnixMs {
    type Output = UnixMs;

    /// Saturates at 1970.
    fn sub(self, by: Duration) -> UnixMs {
        UnixMs(
            self.0
                .saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
