//! The loop that offers leased messages to the scheduler, does what that says, and tells the store.
//!
//! Fresh messages come by a channel from whoever committed them; what is due again is claimed from the
//! store. What was delivered is told to the store until it has taken it, so that nothing is
//! delivered twice without a crash between; what isn't settled stays in the store, so that nothing is
//! lost.

mod fresh;
mod work;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use postroad_clock::Mono;
use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_host::tasks::{Alarm, User};
use postroad_store::{Leased, QueueStore};
use tokio::sync::mpsc;

use crate::deliverer::Deliverer;
use crate::handle::{Handle, InFlight, Word};
use crate::next_hop::NextHops;
use work::Work;

/// A fresh message wakes the loop at once if none has for so long; what comes meanwhile is gathered, until
/// then or until something else wakes it. A wake costs more than to take a message on.
const GATHER: Duration = Duration::from_millis(5);

/// How much the loop takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How much the scheduler holds, and how hard it presses a site.
    pub limits: postroad_queue::scheduler::Limits,
    /// How many deliveries into Maildirs are under way at once.
    pub into_maildirs: u32,
    /// How many messages of one route are claimed at once.
    pub per_route: usize,
    /// How long to wait between looking for what is due.
    pub poll: Duration,
}

impl Default for Pace {
    /// The scheduler's limits, 20 deliveries into Maildirs, and a look each second.
    fn default() -> Pace {
        Pace {
            limits: postroad_queue::scheduler::Limits::default(),
            into_maildirs: 20,
            per_route: 1000,
            poll: Duration::from_secs(1),
        }
    }
}

/// The loop.
#[derive(Debug)]
pub struct Runner<S, D: Disk, H, C> {
    deliverer: Deliverer<S, D, H, C>,
    pace: Pace,
    in_flight: InFlight,
    handle: Handle,
    words: mpsc::Receiver<Word>,
}

impl<S, D, H, C> Runner<S, D, H, C>
where
    S: QueueStore,
    D: Disk,
    H: NextHops,
    C: Clock + Clone,
{
    /// A loop around `deliverer`.
    pub fn new(deliverer: Deliverer<S, D, H, C>, pace: Pace) -> Runner<S, D, H, C> {
        let (handle, words) = Handle::new();
        Runner {
            deliverer,
            pace,
            in_flight: InFlight::default(),
            handle,
            words,
        }
    }

    /// How many deliveries are under way at any time.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// Talks to the loop while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Works until `drain` is done, then finishes what is under way and returns. What only waits
    /// is handed back to the store, due at once.
    ///
    /// Needs a runtime for its clock.
    pub async fn run(mut self, mut fresh: mpsc::Receiver<Leased>, drain: impl Future<Output = ()>) {
        let _user = User::here();
        let mut drain = pin!(drain);
        let mut work = Work::new(&self.deliverer, self.pace);
        let mut fresh_open = true;
        let mut gathered = Mono(0);
        let mut alarm = Alarm::default();
        loop {
            work.turn();
            self.in_flight.set(work.under_way);
            if work.draining && work.active.is_empty() && !work.looks.is_under_way() {
                break;
            }
            let takes = work.takes_fresh() && fresh_open;
            let is_gathering = takes && self.deliverer.clock.mono() < gathered;
            let wake = if is_gathering {
                gathered.min(work.wake())
            } else {
                work.wake()
            };
            tokio::select! {
                biased;
                () = &mut drain, if !work.draining => work.drain(),
                Some(done) = work.tasks.next() => work.done(done),
                Some(word) = self.words.recv() => work.hear(word),
                () = alarm.until(wake) => {}
                leased = fresh.recv(), if takes && !is_gathering => match leased {
                    Some(leased) => {
                        work.take_fresh(leased);
                        gathered = self.deliverer.clock.mono() + GATHER;
                    }
                    None => fresh_open = false,
                },
            }
            // Words and fresh messages don't wait for a moment without work.
            if let Ok(word) = self.words.try_recv() {
                work.hear(word);
            }
            while work.takes_fresh()
                && let Ok(leased) = fresh.try_recv()
            {
                work.take_fresh(leased);
            }
        }
        fresh.close();
        while let Some(leased) = fresh.recv().await {
            self.deliverer.hand_back(leased.lease).await;
        }
        while let Some(done) = work.tasks.next().await {
            work.done(done);
        }
        self.deliverer.peers.drain().await;
        self.in_flight.set(0);
    }
}
