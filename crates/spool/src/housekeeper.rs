//! What needs doing off the committer: free segments made ahead, body files removed, checkpoints
//! written. None of it is waited for by anyone.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postroad_host::disk::Disk;
use postroad_reply::QueueId;

use crate::checkpoint::{self, Begun, Writing};
use crate::damage::{Report, What};
use crate::segment::{self, Zeros};
use crate::shared::Shared;

/// How long the index is left to others between two pieces of a checkpoint. Who waits for a lock that is
/// taken again at once may wait for many pieces.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

/// What waits to be done.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    list: Mutex<List>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct List {
    bodies: VecDeque<QueueId>,
    /// A free segment is wanted.
    segment: bool,
    /// A checkpoint is to be written that begins so.
    checkpoint: Option<Begun>,
    closed: bool,
}

impl Chores {
    /// A body file that no record names, or will name, is to go.
    pub(crate) fn remove_body(&self, id: QueueId) {
        self.lock().bodies.push_back(id);
        self.arrived.notify_one();
    }

    /// A free segment is to be made.
    pub(crate) fn make_segment(&self) {
        self.lock().segment = true;
        self.arrived.notify_one();
    }

    /// The index is to be written down.
    pub(crate) fn write_checkpoint(&self, begun: Begun) {
        self.lock().checkpoint = Some(begun);
        self.arrived.notify_one();
    }

    /// No more will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing in here panics halfway through a change.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what needs doing off the committer. In production a thread of its own runs it; a
/// simulation steps it by hand.
#[derive(Debug)]
pub struct Housekeeper<D: Disk> {
    shared: Arc<Shared<D>>,
    /// The checkpoint that is being written.
    writing: Option<Writing<D::File>>,
}

impl<D: Disk> Housekeeper<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>) -> Housekeeper<D> {
        Housekeeper {
            shared,
            writing: None,
        }
    }

    /// Does all that waits, of a checkpoint the next piece. True if there was something.
    pub fn step(&mut self) -> bool {
        let (bodies, segment, begun) = {
            let mut list = self.shared.chores.lock();
            // One after the other: the next begins when this one is whole.
            let begun = match self.writing {
                None => list.checkpoint.take(),
                Some(_) => None,
            };
            let bodies = std::mem::take(&mut list.bodies);
            (bodies, std::mem::take(&mut list.segment), begun)
        };
        let any = !bodies.is_empty() || segment || begun.is_some() || self.writing.is_some();
        for id in bodies {
            self.remove_body(id);
        }
        if segment {
            // If it can't be made, the committer sees that it is missing and says so.
            let _ = {
                let wanted = self.shared.options.reserve_segments + 1;
                have_free_segments(&self.shared, wanted, Zeros::Written)
            };
        }
        if let Err(e) = self.write_some(begun) {
            // The log is all that counts; the next start takes longer.
            self.writing = None;
            self.report(checkpoint::path(&self.shared.options), &e);
        }
        any
    }

    /// Writes the next piece of a checkpoint, of one that has just begun the first.
    fn write_some(&mut self, begun: Option<Begun>) -> io::Result<()> {
        if let Some(begun) = begun {
            self.writing = Some(Writing::start(&self.shared, begun)?);
        }
        if let Some(writing) = &mut self.writing
            && writing.go_on(&self.shared)?
        {
            self.writing = None;
        }
        Ok(())
    }

    /// Loops [`step`](Housekeeper::step) until the spool is closed.
    pub fn run(mut self) {
        while !self.step_and_wait() {}
        while self.step() {}
    }

    /// One step, and then none until there is something to do; true if that is to end. Between two pieces of a checkpoint
    /// lies a while, unless the next checkpoint waits already.
    fn step_and_wait(&mut self) -> bool {
        self.step();
        let idle = |list: &mut List| {
            list.bodies.is_empty() && !list.segment && list.checkpoint.is_none() && !list.closed
        };
        let most = match self.writing {
            Some(_) => BETWEEN_PIECES,
            None => Duration::MAX,
        };
        let list = self.shared.chores.lock();
        let waited = self
            .shared
            .chores
            .arrived
            .wait_timeout_while(list, most, idle);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    fn remove_body(&self, id: QueueId) {
        let path = self.shared.body_path(id);
        match self.shared.disk.remove(&path) {
            // Durability: none is needed. If the file comes back, the next start finds no record
            // that names it, and removes it.
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.report(path, &e),
        }
    }

    fn report(&self, file: std::path::PathBuf, error: &io::Error) {
        let what = What::Disk(error.to_string());
        self.shared.report(Report {
            what,
            file,
            offset: 0,
            octets: 0,
            set_aside: None,
        });
    }
}

/// Makes free segments until there are so many.
pub(crate) fn have_free_segments<D: Disk>(
    shared: &Shared<D>,
    wanted: usize,
    zeros: Zeros,
) -> io::Result<()> {
    while shared.core().log.free.len() < wanted {
        let number = shared.core().log.next_number();
        let folder = shared.segments_folder();
        let len = shared.options.segment_octets;
        segment::make_free(&shared.disk, &folder, number, len, zeros)?;
        shared.core().log.free.push_back(number);
    }
    Ok(())
}
