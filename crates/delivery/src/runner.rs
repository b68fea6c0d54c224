//! The loop that takes leased messages, carries each to its outcome, and settles it.
//!
//! Fresh messages come by a channel from whoever committed them; what is due again is claimed from the
//! store. A recipient whose delivery fails is deferred by the retry plan, whatever failed: nothing is
//! given up here, and nothing is lost, for what isn't settled stays in the store.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use postroad_clock::Mono;
use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_host::tasks;
use postroad_store::{Claim, Leased, QueueStore, Trouble};
use postroad_telemetry::Event;
use tokio::sync::mpsc;

use crate::attempt::Deliverer;
use crate::next_hop::NextHops;

/// How much the loop takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many messages are being delivered at the same time; at least one.
    pub most: usize,
    /// How many of them may be for one route when they are claimed.
    pub per_route: usize,
    /// How long to wait between looking for what is due.
    pub poll: Duration,
}

impl Default for Pace {
    /// 20 messages at a time, and a look each second.
    fn default() -> Pace {
        Pace {
            most: 20,
            per_route: 20,
            poll: Duration::from_secs(1),
        }
    }
}

/// How many messages are being delivered, for whoever wants to say what a shutdown waits for.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The loop.
#[derive(Debug)]
pub struct Runner<S, D: Disk, H, C> {
    deliverer: Deliverer<S, D, H, C>,
    pace: Pace,
    in_flight: InFlight,
}

/// What a piece of the loop's work came to.
enum Done {
    Attempted,
    Claimed(Result<Vec<Leased>, Trouble>),
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
        Runner {
            deliverer,
            pace,
            in_flight: InFlight::default(),
        }
    }

    /// How many messages are being delivered at any time.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// Works until `drain` is done, then finishes what is being delivered and returns. Fresh messages
    /// that still wait in the channel are handed back to the store, due at once.
    ///
    /// Needs a runtime for its clock.
    pub async fn run(self, mut fresh: mpsc::Receiver<Leased>, drain: impl Future<Output = ()>) {
        let mut drain = pin!(drain);
        let mut work: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        // How many a claim that is on its way has asked for.
        let mut claiming = None;
        let mut next_look = self.deliverer.clock.mono();
        let mut fresh_open = true;
        let mut in_trouble = false;
        loop {
            let in_flight = work.len() - usize::from(claiming.is_some());
            self.in_flight.0.store(in_flight, Ordering::Relaxed);
            // All that was free is kept for what a claim brings.
            let free = match claiming {
                Some(_) => 0,
                None => self.pace.most.max(1).saturating_sub(in_flight),
            };
            tokio::select! {
                biased;
                () = &mut drain => break,
                Some(done) = work.next() => match done {
                    Done::Attempted => {}
                    Done::Claimed(claimed) => {
                        let asked = claiming.take().unwrap_or(0);
                        next_look = self.next_look(&claimed, asked);
                        // Said once, not at every look, however long the trouble lasts.
                        if let Err(trouble) = &claimed && !in_trouble {
                            say_trouble(trouble);
                        }
                        in_trouble = claimed.is_err();
                        for leased in claimed.unwrap_or_default() {
                            work.push(self.attempt(leased));
                        }
                    }
                },
                () = tasks::sleep_until(next_look), if free > 0 => {
                    claiming = Some(free);
                    work.push(self.claim(free).boxed());
                }
                leased = fresh.recv(), if free > 0 && fresh_open => match leased {
                    Some(leased) => work.push(self.attempt(leased)),
                    None => fresh_open = false,
                },
            }
        }
        self.drain(fresh, work).await;
    }

    fn attempt(&self, leased: Leased) -> BoxFuture<'_, Done> {
        self.deliverer
            .attempt(leased)
            .map(|()| Done::Attempted)
            .boxed()
    }

    async fn claim(&self, most: usize) -> Done {
        let now = self.deliverer.clock.unix();
        let claim = Claim {
            now,
            until: now + self.deliverer.patience.load().lease,
            most,
            per_route: self.pace.per_route,
            skip: Vec::new(),
        };
        Done::Claimed(self.deliverer.store.claim(claim).await)
    }

    /// When to look again: at once if there may be more, else after a while.
    fn next_look(&self, claimed: &Result<Vec<Leased>, Trouble>, asked: usize) -> Mono {
        let now = self.deliverer.clock.mono();
        match claimed {
            Ok(leases) if leases.len() >= asked => now,
            _ => now + self.pace.poll,
        }
    }

    async fn drain(
        &self,
        mut fresh: mpsc::Receiver<Leased>,
        mut work: FuturesUnordered<BoxFuture<'_, Done>>,
    ) {
        fresh.close();
        while let Some(leased) = fresh.recv().await {
            self.deliverer.hand_back(leased.lease).await;
        }
        while let Some(done) = work.next().await {
            self.in_flight.0.store(work.len(), Ordering::Relaxed);
            if let Done::Claimed(Ok(leases)) = done {
                for leased in leases {
                    self.deliverer.hand_back(leased.lease).await;
                }
            }
        }
        self.in_flight.0.store(0, Ordering::Relaxed);
    }
}

fn say_trouble(trouble: &Trouble) {
    Event::DeliveryTrouble {
        queue_id: None,
        cause: trouble,
    }
    .emit();
}
