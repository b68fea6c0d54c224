//! How fast connections are made, and when it is enough.

use std::time::Duration;

use postroad_clock::Mono;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::tasks;

use super::Settings;

/// A guest's measure: connections a second, connections in all, and time.
#[derive(Debug)]
pub(super) struct Pace {
    between: Duration,
    next: Mono,
    made: usize,
    most: usize,
    end: Mono,
}

impl Pace {
    pub(super) fn new(settings: &Settings) -> Pace {
        let now = RealClock.mono();
        Pace {
            // No rate at all would never come to an end. NaN, the one number that this lets through, isn't taken
            // on the command line.
            between: Duration::from_secs_f64(1.0 / settings.rate.clamp(0.01, 10_000.0)),
            next: now,
            made: 0,
            most: settings.most_connections,
            end: now + settings.most_time,
        }
    }

    /// Waits until another connection may be made.
    ///
    /// # Errors
    /// Why none may any more.
    pub(super) async fn step(&mut self) -> Result<(), String> {
        if self.made >= self.most {
            return Err(format!(
                "{} connections were made, and more are not allowed",
                self.made
            ));
        }
        let now = RealClock.mono();
        let at = now.max(self.next);
        if at >= self.end {
            return Err("the time for the walk is over".into());
        }
        if at > now {
            tasks::sleep_until(at).await;
        }
        self.next = at + self.between;
        self.made += 1;
        Ok(())
    }

    pub(super) fn made(&self) -> usize {
        self.made
    }
}
