//! Futures, threads, sleeping, time-outs, signals.

mod threads;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use postroad_clock::Mono;
use tokio::runtime::Handle;
use tokio::signal::unix::{self, SignalKind};

use crate::clock;

pub use threads::{Home, User, is_alone, run, spread};

/// A future running by itself. Dropped, it runs on; [`abort`](tokio::task::JoinHandle::abort) it to
/// end it.
pub type Task<T> = tokio::task::JoinHandle<T>;

/// Starts `future` on the thread of the caller.
///
/// # Panics
/// Outside of a runtime.
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// Runs what blocks on a thread that may wait. A panic of `work` goes on in the caller.
///
/// Outside of a runtime, where a simulation polls its futures itself, `work` runs at once on the
/// caller's thread: a simulated disk never waits, and the order of things stays the seed's.
///
/// Dropping the future does not stop `work` that has begun.
pub async fn blocking<T, F>(work: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let Ok(runtime) = Handle::try_current() else {
        return work();
    };
    match runtime.spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Cancelled: the runtime is being dropped, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Starts a thread of its own for `work`. The system cuts `name` at 15 octets.
pub fn thread<T, F>(name: &str, work: F) -> io::Result<std::thread::JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
}

/// Waits until [`RealClock`](clock::RealClock) reads `at`; for ever if that is beyond what the
/// system can say.
pub async fn sleep_until(at: Mono) {
    match clock::instant(at) {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// An alarm that is set anew again and again, mostly to a later time, and seldom goes off: the time-out of
/// a conversation. That costs next to nothing, where each [`sleep_until`] enters the runtime's
/// timers and leaves them again.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<tokio::time::Sleep>>>);

impl Alarm {
    /// Waits until [`RealClock`](clock::RealClock) reads `at`, as [`sleep_until`] does.
    pub async fn until(&mut self, at: Mono) {
        let Some(at) = clock::instant(at) else {
            return std::future::pending().await;
        };
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        loop {
            sleep.as_mut().await;
            if sleep.deadline() >= at {
                return;
            }
            // It was set for an earlier time.
            sleep.as_mut().reset(at);
        }
    }
}

/// Waits.
pub async fn sleep(how_long: Duration) {
    tokio::time::sleep(how_long).await;
}

/// Lets the other tasks of this thread have their turn first, if this one has gone on for a while
/// without waiting for anything.
pub async fn give_way() {
    tokio::task::coop::consume_budget().await;
}

/// The time had come before the thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

/// What `future` gives if it does within `how_long`; else it is dropped where it stands.
pub async fn timeout<F: Future>(how_long: Duration, future: F) -> Result<F::Output, TimedOut> {
    tokio::time::timeout(how_long, future)
        .await
        .map_err(|_| TimedOut)
}

/// What the system or an operator wants of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, or SIGINT from a terminal: end in order.
    Terminate,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals to come. While it lives, and after, they no longer end the process by themselves.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// Takes the signals over. Needs a runtime.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Dropping the future loses none; several of a kind at once may be one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Terminate,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, RealClock};
    use std::task::{Context, Poll, Waker};

    #[test]
    fn what_blocks_runs_elsewhere_in_a_runtime_and_here_without_one() -> io::Result<()> {
        let name = || std::thread::current().id();
        let here = name();
        assert_ne!(run(0, blocking(name))?, here);

        let mut future = std::pin::pin!(blocking(name));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(here));
        Ok(())
    }

    #[test]
    fn a_panic_of_what_blocks_reaches_the_caller() {
        let ran = std::panic::catch_unwind(|| run(0, blocking(|| panic!("as planned"))));
        assert!(ran.is_err());
    }

    #[test]
    fn sleeping_ends_when_the_clock_reads_so_and_a_timeout_cuts_it() -> io::Result<()> {
        run(0, async {
            let at = RealClock.mono() + Duration::from_millis(3);
            sleep_until(at).await;
            assert!(RealClock.mono() >= at);
            let never = timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
            assert_eq!(never, Err(TimedOut));
            assert_eq!(timeout(Duration::from_secs(60), async { 1 }).await, Ok(1));
            let for_ever = timeout(Duration::from_millis(1), sleep_until(Mono(u64::MAX))).await;
            assert_eq!(for_ever, Err(TimedOut));
        })
    }

    #[test]
    fn an_alarm_goes_off_when_it_was_last_set_to() -> io::Result<()> {
        run(0, async {
            let mut alarm = Alarm::default();
            let late = RealClock.mono() + Duration::from_secs(600);
            let cut = timeout(Duration::from_millis(1), alarm.until(late)).await;
            assert_eq!(cut, Err(TimedOut));
            for millis in [5, 3] {
                let at = RealClock.mono() + Duration::from_millis(millis);
                alarm.until(at).await;
                assert!(RealClock.mono() >= at, "set to an earlier time");
            }
            let soon = RealClock.mono() + Duration::from_millis(2);
            let _ = timeout(Duration::ZERO, alarm.until(soon)).await;
            let later = soon + Duration::from_millis(5);
            alarm.until(later).await;
            assert!(RealClock.mono() >= later, "set to a later time");
            let for_ever = timeout(Duration::from_millis(1), alarm.until(Mono(u64::MAX))).await;
            assert_eq!(for_ever, Err(TimedOut));
        })
    }

    #[test]
    fn a_thread_has_its_name() -> io::Result<()> {
        let named = thread("committer", || {
            std::thread::current().name().map(str::to_owned)
        })?;
        assert_eq!(named.join().ok().flatten().as_deref(), Some("committer"));
        Ok(())
    }
}
