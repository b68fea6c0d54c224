//! The stores that can be simulated.

use std::path::Path;
use std::sync::Arc;

use postroad_host::chance::Chance;
use postroad_host::clock::SimClock;
use postroad_host::disk::sim::SimDisk;
use postroad_store::QueueStore;
use postroad_store::memory::MemoryStore;

use crate::plan::StorePlan;

/// What a store is started with.
#[derive(Debug)]
pub struct Start<'a> {
    /// The disk as the last crash left it.
    pub disk: SimDisk,
    /// Where on it the store may be.
    pub folder: &'a Path,
    /// How it is to be set.
    pub plan: &'a StorePlan,
    /// The time.
    pub clock: Arc<SimClock>,
    /// What it draws lots from.
    pub chance: Chance,
}

/// A store that can be simulated.
pub trait Simulated: QueueStore + Sized {
    /// What outlives a crash by magic, not being on the disk. A real store has nothing of the kind.
    type Kept: Default;
    /// What does the store's work when it is stepped, in place of its threads.
    type Worker;

    /// Opens what is there, or begins it. The words of an error are for people.
    fn open(kept: &mut Self::Kept, start: Start<'_>) -> Result<(Self, Self::Worker), String>;

    /// Does one piece of work, if there is any.
    fn step(worker: &mut Self::Worker);
}

/// The model: what it took outlives every crash. What is found wrong with it is wrong in the
/// simulation or in the mailboxes.
impl Simulated for MemoryStore {
    type Kept = MemoryStore;
    type Worker = ();

    fn open(kept: &mut MemoryStore, _: Start<'_>) -> Result<(MemoryStore, ()), String> {
        Ok((kept.clone().reopen(), ()))
    }

    fn step((): &mut ()) {}
}
