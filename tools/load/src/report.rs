//! What a part says at its end.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// With so much of its one core spent, a part was the limit itself.
const NEAR_SATURATION: f64 = 0.9;

/// Time on the wall and processor time, from one moment on.
pub(crate) struct Watch {
    began: Instant,
    cpu: Duration,
}

impl Watch {
    pub(crate) fn start() -> Watch {
        Watch {
            began: Instant::now(),
            cpu: cpu(),
        }
    }

    /// The times since, and whether this process was the limit.
    pub(crate) fn read(&self) -> Value {
        let seconds = self.began.elapsed().as_secs_f64();
        let cpu = (cpu() - self.cpu).as_secs_f64();
        json!({
            "seconds": seconds,
            "cpu_seconds": cpu,
            "was_the_limit": is_near_saturation(cpu, seconds),
        })
    }
}

fn is_near_saturation(cpu: f64, seconds: f64) -> bool {
    cpu > NEAR_SATURATION * seconds
}

/// The processor time of this process until now.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// Seconds since 1970, to compare moments of two processes on one machine.
pub(crate) fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

/// Times of many messages, each as it was.
#[derive(Default)]
pub(crate) struct Times(Vec<u32>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        // More than an hour is as good as an hour.
        self.0
            .push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// In microseconds: the least time that so many in a hundred did not exceed.
    pub(crate) fn percentiles(mut self) -> Value {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let rank = (self.0.len() * percent).div_ceil(100);
            self.0.get(rank.saturating_sub(1)).copied()
        };
        json!({ "p50": at(50), "p90": at(90), "p99": at(99), "max": at(100) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut times = Times::default();
        for time in (1..=200).rev() {
            times.add(Duration::from_micros(time));
        }
        let expected = json!({ "p50": 100, "p90": 180, "p99": 198, "max": 200 });
        assert_eq!(times.percentiles(), expected);
        let none = Times::default().percentiles();
        assert_eq!(none["p50"], Value::Null);
    }

    #[test]
    fn a_busy_process_says_it_was_the_limit_and_an_idle_one_does_not() {
        assert!(is_near_saturation(0.95, 1.0));
        assert!(!is_near_saturation(0.5, 1.0));
        let watch = Watch::start();
        let until = Instant::now() + Duration::from_millis(20);
        while Instant::now() < until {}
        assert!(watch.read()["cpu_seconds"].as_f64() > Some(0.0));
    }
}
