//! Memory that sessions share, in octets, of which there can be more or less while they run.

use std::sync::{Arc, Mutex, PoisonError};

use postroad_host::tasks;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// So much memory to take from, in octets.
#[derive(Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    size: Mutex<usize>,
}

impl Budget {
    /// A budget of so many octets.
    pub fn new(octets: usize) -> Budget {
        let octets = octets.min(Semaphore::MAX_PERMITS);
        Budget {
            free: Arc::new(Semaphore::new(octets)),
            size: Mutex::new(octets),
        }
    }

    /// Makes it a budget of so many octets. Where it gets smaller than what is taken, nobody gets
    /// any until enough has come back. Needs a runtime.
    pub fn resize(&self, octets: usize) {
        let octets = octets.min(Semaphore::MAX_PERMITS);
        // Nothing that holds the lock panics.
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *size, octets);
        if octets >= before {
            self.free.add_permits(octets - before);
            return;
        }
        let less = before - octets;
        let owed = less - self.free.forget_permits(less);
        if owed > 0 {
            tasks::spawn(take_back(Arc::clone(&self.free), owed));
        }
    }

    /// How many octets are free.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// How many octets are taken.
    pub fn taken(&self) -> usize {
        let size = *self.size.lock().unwrap_or_else(PoisonError::into_inner);
        size.saturating_sub(self.free())
    }

    /// Takes a share; waits for one, after those who waited before.
    pub(crate) async fn take(&self, octets: u32) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.free).acquire_many_owned(octets).await
    }

    /// Takes a share if it is there.
    pub(crate) fn try_take(&self, octets: u32) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.free).try_acquire_many_owned(octets)
    }
}

/// Takes what comes back out of the budget for good. The semaphore serves in order, so those who
/// ask meanwhile wait until this has all it is owed.
async fn take_back(free: Arc<Semaphore>, mut owed: usize) {
    while owed > 0 {
        let piece = u32::try_from(owed).unwrap_or(u32::MAX);
        // It is never closed.
        let Ok(()) = free.acquire_many(piece).await.map(|piece| piece.forget()) else {
            return;
        };
        owed -= piece as usize;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop where it stands

    use super::*;

    #[test]
    fn it_grows_and_shrinks_around_what_is_taken() {
        let test = async {
            let budget = Budget::new(100);
            let held = budget.try_take(60).unwrap();
            budget.resize(80);
            assert_eq!((budget.free(), budget.taken()), (20, 60));
            budget.resize(30);
            tasks::give_way().await;
            assert!(budget.try_take(1).is_err());
            let waiting = budget.take(10);
            drop(held);
            let taken = waiting.await.unwrap();
            assert_eq!((budget.free(), budget.taken()), (20, 10));
            budget.resize(1000);
            drop(taken);
            assert_eq!((budget.free(), budget.taken()), (1000, 0));
        };
        tasks::run(0, test).unwrap();
    }

    #[test]
    fn what_it_is_owed_comes_out_of_what_it_gains() {
        let test = async {
            let budget = Budget::new(100);
            let held = budget.try_take(100).unwrap();
            budget.resize(10);
            tasks::give_way().await;
            budget.resize(120);
            tasks::give_way().await;
            assert_eq!((budget.free(), budget.taken()), (20, 100));
            drop(held);
            assert_eq!(budget.free(), 120);
        };
        tasks::run(0, test).unwrap();
    }
}
