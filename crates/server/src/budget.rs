//! Memory that sessions share, in octets, of which there can be more or less while they run.
//!
//! A network that holds more than a little gets more only as far as it leaves as much for others
//! like it, and a quarter of all for those who hold little: it comes to three eighths if it is
//! alone, to a quarter if there are two, and so on. Those who hold little get what there is. So no
//! few networks can take all, and one with much to send may have much while nobody else wants it.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio::sync::oneshot;

/// What a network may always hold, where it is there: a transaction with a hundred recipients (RFC
/// 5321 4.5.3.1.8), however little memory there is and whoever holds the rest.
const LITTLE: usize = 64 * 1024;

/// Which part of the memory is for those who hold no more than a little: one in so many.
const KEPT: usize = 4;

/// So much memory to take from, in octets.
#[derive(Debug)]
pub struct Budget {
    pool: Pool,
}

/// A part of the memory; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pool: Pool,
    network: IpNet,
    octets: usize,
}

#[derive(Debug, Clone)]
struct Pool(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    size: usize,
    /// May be more than there is, where there is less than there was.
    taken: usize,
    by_network: BTreeMap<IpNet, usize>,
    /// Those who can't have what they ask for at the moment, the first who came first.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    network: IpNet,
    octets: usize,
    granted: oneshot::Sender<Share>,
}

impl Budget {
    /// A budget of so many octets.
    pub fn new(octets: usize) -> Budget {
        let state = State {
            size: octets,
            taken: 0,
            by_network: BTreeMap::new(),
            waiting: VecDeque::new(),
        };
        Budget {
            pool: Pool(Arc::new(Mutex::new(state))),
        }
    }

    /// Makes it a budget of so many octets. Where it gets smaller than what is taken, nobody gets
    /// any until enough has come back.
    pub fn resize(&self, octets: usize) {
        self.pool.lock().size = octets;
        self.pool.serve();
    }

    /// How many octets are free.
    pub fn free(&self) -> usize {
        self.pool.lock().free()
    }

    /// How many octets are taken.
    pub fn taken(&self) -> usize {
        self.pool.lock().taken
    }

    /// How many octets this network may have now.
    pub(crate) fn free_for(&self, network: IpNet) -> usize {
        self.pool.lock().free_for(network)
    }

    /// Takes a share; waits for it, after those who waited before and may have theirs.
    pub(crate) async fn take(&self, network: IpNet, octets: usize) -> Option<Share> {
        let granted = {
            let mut state = self.pool.lock();
            if state.grant(network, octets) {
                return Some(self.pool.share(network, octets));
            }
            // Those who gave up waiting leave nothing behind, even if nothing ever comes back.
            state.waiting.retain(|other| !other.granted.is_closed());
            let (to, granted) = oneshot::channel();
            state.waiting.push_back(Waiting {
                network,
                octets,
                granted: to,
            });
            granted
        };
        granted.await.ok()
    }

    /// Takes a share if it is there.
    pub(crate) fn try_take(&self, network: IpNet, octets: usize) -> Option<Share> {
        let is_granted = self.pool.lock().grant(network, octets);
        is_granted.then(|| self.pool.share(network, octets))
    }
}

impl Share {
    /// Makes it one with another of the same network.
    pub(crate) fn merge(&mut self, mut other: Share) {
        self.octets += mem::take(&mut other.octets);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.octets > 0 {
            self.pool.lock().give_back(self.network, self.octets);
            self.pool.serve();
        }
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was granted, to be given back.
    fn share(&self, network: IpNet, octets: usize) -> Share {
        Share {
            pool: self.clone(),
            network,
            octets,
        }
    }

    /// Gives those who wait what they may have by now.
    fn serve(&self) {
        let granted = self.lock().granted();
        // Without the lock: where one has stopped waiting meanwhile, its share comes back here.
        for Waiting {
            network,
            octets,
            granted,
        } in granted
        {
            let _ = granted.send(self.share(network, octets));
        }
    }
}

impl State {
    fn free(&self) -> usize {
        self.size.saturating_sub(self.taken)
    }

    fn free_for(&self, network: IpNet) -> usize {
        match self.by_network.get(&network) {
            Some(&held) if held > LITTLE => {
                let kept = self.size / KEPT;
                self.free().saturating_sub(kept).saturating_sub(held)
            }
            _ => self.free(),
        }
    }

    /// Takes so much for this network, if it may have it.
    fn grant(&mut self, network: IpNet, octets: usize) -> bool {
        let may = octets <= self.free_for(network);
        if may {
            self.taken += octets;
            *self.by_network.entry(network).or_default() += octets;
        }
        may
    }

    fn give_back(&mut self, network: IpNet, octets: usize) {
        self.taken -= octets;
        if let Some(held) = self.by_network.get_mut(&network) {
            *held -= octets;
            // A network that holds nothing is forgotten, so that strangers leave nothing behind.
            if *held == 0 {
                self.by_network.remove(&network);
            }
        }
    }

    /// Takes for those who wait what they may have by now.
    fn granted(&mut self) -> Vec<Waiting> {
        let mut granted = Vec::new();
        for waiting in mem::take(&mut self.waiting) {
            if waiting.granted.is_closed() {
                continue;
            }
            if self.grant(waiting.network, waiting.octets) {
                granted.push(waiting);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop where it stands

    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn network(third: u8) -> IpNet {
        format!("192.0.{third}.0/24").parse().unwrap()
    }

    fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn it_grows_and_shrinks_around_what_is_taken() {
        let budget = Budget::new(100);
        let held = budget.try_take(network(0), 60).unwrap();
        budget.resize(80);
        assert_eq!((budget.free(), budget.taken()), (20, 60));
        budget.resize(30);
        assert!(budget.try_take(network(0), 1).is_none());
        let mut waiting = pin!(budget.take(network(1), 10));
        assert!(now(waiting.as_mut()).is_pending());
        drop(held);
        let Poll::Ready(Some(taken)) = now(waiting) else {
            panic!("there is enough");
        };
        assert_eq!((budget.free(), budget.taken()), (20, 10));
        budget.resize(1000);
        drop(taken);
        assert_eq!((budget.free(), budget.taken()), (1000, 0));
        assert!(budget.pool.lock().by_network.is_empty());
    }

    #[test]
    fn a_network_takes_as_much_as_it_leaves_and_never_what_is_kept() {
        const PIECE: usize = 1024;
        let budget = Budget::new(1600 * PIECE);
        let all_of = |third| {
            let mut share = budget.try_take(network(third), PIECE).unwrap();
            while let Some(more) = budget.try_take(network(third), PIECE) {
                share.merge(more);
            }
            share
        };
        let one = all_of(1);
        assert_eq!(one.octets, 600 * PIECE);
        let two = all_of(2);
        assert_eq!(two.octets, 300 * PIECE);
        drop(one);
        // In the long run they have the same.
        let one = all_of(1);
        assert_eq!((one.octets, budget.free()), (450 * PIECE, 850 * PIECE));
        // However many take all they can, what is kept is taken by little and little.
        let crowd: Vec<_> = (3..8).map(all_of).collect();
        assert!(crowd[4].octets <= LITTLE + PIECE);
        assert!(budget.free() >= 2 * LITTLE);
        assert_eq!(budget.free_for(network(1)), 0);
        assert_eq!(budget.free_for(network(9)), budget.free());
        drop((one, two, crowd));
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn one_that_holds_too_much_waits_and_others_pass_it() {
        let budget = Budget::new(8 * LITTLE);
        let mut held = budget.try_take(network(1), 3 * LITTLE).unwrap();
        let mut greedy = pin!(budget.take(network(1), LITTLE));
        assert!(now(greedy.as_mut()).is_pending());
        let Poll::Ready(Some(other)) = now(budget.take(network(2), LITTLE)) else {
            panic!("it holds nothing");
        };
        drop(other);
        assert!(now(greedy.as_mut()).is_pending());
        // Part of what it holds comes back.
        held.octets -= LITTLE;
        drop(budget.pool.share(network(1), LITTLE));
        assert!(now(greedy).is_ready());
    }

    #[test]
    fn who_gives_up_waiting_leaves_nothing() {
        let budget = Budget::new(10);
        let held = budget.try_take(network(1), 10).unwrap();
        for _ in 0..10 {
            assert!(now(budget.take(network(2), 10)).is_pending());
        }
        assert_eq!(budget.pool.lock().waiting.len(), 1);
        let mut late = Box::pin(budget.take(network(3), 10));
        assert!(now(late.as_mut()).is_pending());
        let mut next = pin!(budget.take(network(4), 10));
        assert!(now(next.as_mut()).is_pending());
        drop(held);
        // It was served, and went away before it knew.
        drop(late);
        assert!(now(next).is_ready());
        assert_eq!((budget.free(), budget.taken()), (10, 0));
        assert!(budget.pool.lock().waiting.is_empty());
    }
}
