//! What the asking side, the committer and the housekeeper have in common.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use postroad_host::disk::Disk;
use postroad_host::tasks;
use postroad_queue::QueueIdMaker;
use postroad_reply::QueueId;
use postroad_store::Pressure;
use tokio::sync::OwnedSemaphorePermit;

use crate::committer::Committer;
use crate::damage::Report;
use crate::housekeeper::Chores;
use crate::index::Index;
use crate::leases::Leases;
use crate::line::{Accept, Line, Request};
use crate::options::Options;
use crate::segment::{Segment, SegmentNo};
use crate::staging::Budget;

/// At most so many reports wait to be taken; then the oldest go.
const REPORTS: usize = 1000;

/// What the asking side, the committer and the housekeeper have in common.
#[derive(Debug)]
pub(crate) struct Shared<D: Disk> {
    pub(crate) disk: D,
    pub(crate) options: Options,
    pub(crate) line: Line,
    /// The committer, if a thread runs it.
    pub(crate) committer: OnceLock<Weak<Mutex<Committer<D>>>>,
    pub(crate) chores: Chores,
    pub(crate) budget: Arc<Budget>,
    /// Owns the folder for as long as anything may be written to it.
    _lock: D::Lock,
    core: Mutex<Core<D::File>>,
    pressure: AtomicU8,
    reports: Mutex<VecDeque<Report>>,
}

/// What is known in memory. The lock is never held while the disk works.
#[derive(Debug)]
pub(crate) struct Core<F> {
    pub(crate) index: Index,
    pub(crate) leases: Leases,
    /// Messages with a change in the batch under way. They are not claimed: what would be read of them
    /// is old, and the change may end a lease.
    pub(crate) changing: BTreeSet<QueueId>,
    pub(crate) log: Log<F>,
    pub(crate) ids: QueueIdMaker,
    /// The greatest id given or found.
    pub(crate) last_id: u64,
}

/// The segments.
#[derive(Debug)]
pub(crate) struct Log<F> {
    /// Those of the log, oldest first. Whoever clones one keeps it from being recycled.
    pub(crate) segments: BTreeMap<SegmentNo, Arc<Segment<F>>>,
    /// Files that may be used.
    pub(crate) free: VecDeque<SegmentNo>,
    /// The number for the next file or segment.
    pub(crate) next: u32,
}

impl<F> Log<F> {
    /// A number that no file has had.
    pub(crate) fn next_number(&mut self) -> SegmentNo {
        let number = SegmentNo(self.next);
        self.next += 1;
        number
    }
}

impl<D: Disk> Shared<D> {
    pub(crate) fn new(disk: D, options: Options, lock: D::Lock, core: Core<D::File>) -> Shared<D> {
        Shared {
            disk,
            line: Line::new(options.waiting_requests),
            committer: OnceLock::new(),
            chores: Chores::default(),
            budget: Budget::new(options.fresh_memory),
            _lock: lock,
            core: Mutex::new(core),
            pressure: AtomicU8::new(0),
            reports: Mutex::default(),
            options,
        }
    }

    /// Puts a message before the committer.
    ///
    /// A session that has its thread for itself does the committer's work there, if nobody does at the
    /// moment: to wake the committer's thread and be woken by it costs as much as all else that the message
    /// needs. Nobody asks for two messages at once, so that none of them flushes alone what could be flushed
    /// together.
    pub(crate) fn accept(&self, accept: Accept, permit: OwnedSemaphorePermit) {
        if tasks::is_alone()
            && let Some(committer) = self.committer.get().and_then(Weak::upgrade)
            && let Ok(mut committer) = committer.try_lock()
        {
            self.line.push(Request::Accept(accept), permit);
            return committer.serve();
        }
        self.line.join(Request::Accept(accept), permit);
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core<D::File>> {
        // What panics with the lock held has found a broken invariant of the index, which may then
        // be half changed. The disk has the truth; nothing is written from the index alone but a
        // checkpoint, which a start compares with the log.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pressure(&self) -> Pressure {
        match self.pressure.load(Ordering::Relaxed) {
            0 => Pressure::None,
            1 => Pressure::Full,
            _ => Pressure::ReadOnly,
        }
    }

    pub(crate) fn set_pressure(&self, pressure: Pressure) {
        let octet = match pressure {
            Pressure::None => 0,
            Pressure::Full => 1,
            Pressure::ReadOnly => 2,
        };
        self.pressure.store(octet, Ordering::Relaxed);
    }

    pub(crate) fn report(&self, report: Report) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if reports.len() >= REPORTS {
            reports.pop_front();
        }
        reports.push_back(report);
    }

    pub(crate) fn take_reports(&self) -> Vec<Report> {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.drain(..).collect()
    }

    pub(crate) fn segments_folder(&self) -> PathBuf {
        self.options.segments_folder()
    }

    pub(crate) fn damage_folder(&self) -> PathBuf {
        self.options.damage_folder()
    }

    pub(crate) fn bodies_folder(&self) -> PathBuf {
        self.options.bodies_folder()
    }

    pub(crate) fn body_path(&self, id: QueueId) -> PathBuf {
        self.bodies_folder().join(id.to_string())
    }
}

impl Options {
    pub(crate) fn segments_folder(&self) -> PathBuf {
        self.folder.join("segments")
    }

    pub(crate) fn damage_folder(&self) -> PathBuf {
        self.folder.join("damage")
    }

    pub(crate) fn bodies_folder(&self) -> PathBuf {
        self.folder.join("bodies")
    }
}
