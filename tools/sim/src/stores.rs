//! The stores that can be simulated.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use postroad_host::chance::Chance;
use postroad_host::clock::SimClock;
use postroad_host::disk::sim::SimDisk;
use postroad_spool::{Committer, Housekeeper, Options, Report, Spool, What};
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

/// A store that was started.
#[derive(Debug)]
pub struct Started<S: Simulated> {
    /// To be asked.
    pub store: S,
    /// To be stepped.
    pub worker: S::Worker,
    /// What it says is damaged, in words.
    pub damage: Vec<String>,
}

/// A store that can be simulated.
pub trait Simulated: QueueStore + Sized + fmt::Debug {
    /// What outlives a crash by magic, not being on the disk. A real store has nothing of the kind.
    type Kept: Default;
    /// What does the store's work when it is stepped, in place of its threads.
    type Worker: fmt::Debug;

    /// Opens what is there, or begins it. The words of an error are for people.
    fn open(kept: &mut Self::Kept, start: Start<'_>) -> Result<Started<Self>, String>;

    /// Does one piece of work, if there is any.
    fn step(worker: &mut Self::Worker);
}

/// The model: what it took outlives every crash. What is found wrong with it is wrong in the
/// simulation or in the mailboxes.
impl Simulated for MemoryStore {
    type Kept = MemoryStore;
    type Worker = ();

    fn open(kept: &mut MemoryStore, _: Start<'_>) -> Result<Started<MemoryStore>, String> {
        Ok(Started {
            store: kept.clone().reopen(),
            worker: (),
            damage: Vec::new(),
        })
    }

    fn step((): &mut ()) {}
}

/// What does the spool's work.
#[derive(Debug)]
pub struct SpoolWorker {
    committer: Committer<SimDisk>,
    housekeeper: Housekeeper<SimDisk>,
    chance: Chance,
}

impl Simulated for Spool<SimDisk> {
    type Kept = ();
    type Worker = SpoolWorker;

    fn open((): &mut (), start: Start<'_>) -> Result<Started<Spool<SimDisk>>, String> {
        let plan = start.plan;
        let mut options = Options {
            segment_octets: plan.segment,
            body_file_threshold: plan.body_file,
            fresh_memory: plan.memory,
            floor_octets: 0,
            floor_inodes: 0,
            checkpoint_octets: plan.checkpoint,
            // So few that mail goes on while one is written.
            checkpoint_piece: 3,
            ..Options::new(start.folder.to_owned())
        };
        if let Some(adjust) = plan.adjust {
            adjust(&mut options);
        }
        let opened = Spool::open(start.disk, options, start.chance.fork(), start.clock);
        let opened = opened.map_err(|error| error.to_string())?;
        let damage = opened
            .reports
            .iter()
            .filter(|report| is_damage(report, plan.faults));
        Ok(Started {
            damage: damage.map(|report| format!("{report:?}")).collect(),
            store: opened.spool,
            worker: SpoolWorker {
                committer: opened.committer,
                housekeeper: opened.housekeeper,
                chance: start.chance,
            },
        })
    }

    fn step(worker: &mut SpoolWorker) {
        if worker.chance.one_in(4) {
            worker.housekeeper.step();
        } else {
            worker.committer.step();
        }
    }
}

/// Whether a report is of octets that were safe and are no longer, or not as they were. One header
/// of a segment and a checkpoint are not needed; a file that is missing, or can't be read, may be so
/// because of a fault that was put in.
fn is_damage(report: &Report, faults: bool) -> bool {
    match report.what {
        What::Damaged | What::Message(_) | What::Segment => true,
        What::Body(_) | What::Missing | What::Header => !faults,
        What::Torn | What::Checkpoint | What::Disk(_) | What::ReadOnly | What::Recovered => false,
    }
}
