//! Opens a spool: lock, replay, a new segment to write to.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postroad_clock::{Mono, UnixMs};
use postroad_host::chance::Chance;
use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_queue::{MessageState, QueueIdMaker};
use postroad_reply::QueueId;

use crate::committer::{Committer, Purpose};
use crate::damage::Report;
use crate::housekeeper::{Housekeeper, have_free_segments};
use crate::leases::{Leases, Slot};
use crate::options::Options;
use crate::read;
use crate::recycle::Copying;
use crate::replay::replay;
use crate::segment::{self, Zeros};
use crate::shared::{Core, Log, Shared};
use crate::spool::Spool;

/// Why a spool can't be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it.
    Locked(PathBuf),
    /// A later version of Postroad has written this file, in that version of the format.
    Newer(PathBuf, u32),
    /// The disk doesn't let us.
    Io(PathBuf, io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked(path) => {
                write!(f, "{}: another process uses this spool", path.display())
            }
            OpenError::Newer(path, version) => write!(
                f,
                "{}: written by a later version of Postroad (format {version}, this one reads {})",
                path.display(),
                segment::VERSION
            ),
            OpenError::Io(path, e) => write!(f, "{}: {e}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Io(_, e) => Some(e),
            OpenError::Locked(_) | OpenError::Newer(..) => None,
        }
    }
}

/// A spool that is ready.
#[derive(Debug)]
pub struct Opened<D: Disk> {
    /// To be asked; clones ask the same spool.
    pub spool: Spool<D>,
    /// Makes things durable. Without a thread that runs it nothing gets answered.
    pub committer: Committer<D>,
    /// Makes room ahead of time, and takes what is not needed away.
    pub housekeeper: Housekeeper<D>,
    /// What the start has found that an operator needs to know.
    pub reports: Vec<Report>,
}

impl<D: Disk> Spool<D> {
    /// Opens the spool in `options.folder`, or makes one there.
    ///
    /// Epochs are drawn from `chance`: whoever can guess its numbers can send octets that look like
    /// frames. `clock` says when a troubled disk is tried again.
    pub fn open(
        disk: D,
        options: Options,
        chance: Chance,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened<D>, OpenError> {
        let options = options.bounded();
        let lock = lock_folder(&disk, &options)?;
        let replayed = replay(&disk, &options)?;
        // The former run may have given ids to messages that left no trace, up to its last moment.
        let until_now = QueueId::from_parts(clock.unix().0, options.node, QueueId::MAX_SEQUENCE);
        let last_id = replayed.last_id.max(until_now.0);
        let core = Core {
            index: replayed.index,
            leases: Leases::default(),
            changing: BTreeSet::new(),
            log: Log {
                segments: replayed.segments,
                free: replayed.free,
                next: replayed.next_number,
            },
            ids: QueueIdMaker::new(options.node, Some(QueueId(last_id))),
            last_id,
        };
        let shared = Arc::new(Shared::new(disk, options, lock, core));
        let mut committer = Committer {
            shared: Arc::clone(&shared),
            clock,
            chance,
            current: None,
            sealed: replayed.sealed,
            next_batch: replayed.next_batch,
            octets: Vec::new(),
            copying: Copying::default(),
            grown: 0,
            last_checkpoint: 0,
            next_probe: Mono::ZERO,
            next_look: Mono::ZERO,
            is_low: false,
        };
        committer.prepare_segments(&replayed.empty);
        committer.end_leases_of_the_former_run();
        Ok(Opened {
            spool: Spool::new(Arc::clone(&shared)),
            committer,
            housekeeper: Housekeeper::new(shared),
            reports: replayed.reports,
        })
    }
}

/// Makes the folders if they are missing, and takes the spool.
fn lock_folder<D: Disk>(disk: &D, options: &Options) -> Result<D::Lock, OpenError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |e| OpenError::Io(path, e)
    };
    let folder = &options.folder;
    disk.create_dir_all(folder).map_err(at(folder))?;
    let path = folder.join("lock");
    let lock = disk.lock(&path).map_err(|e| match e.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(path.clone()),
        _ => OpenError::Io(path.clone(), e),
    })?;
    for inner in [
        options.segments_folder(),
        options.bodies_folder(),
        options.damage_folder(),
    ] {
        disk.create_dir_all(&inner).map_err(at(&inner))?;
    }
    // Durability: the folders' names are on disk before anything in them can be acknowledged.
    disk.sync_dir(folder).map_err(at(folder))?;
    for (nth, parent) in folder.ancestors().skip(1).enumerate() {
        let here = parent.as_os_str().is_empty();
        let parent = if here { Path::new(".") } else { parent };
        match disk.sync_dir(parent) {
            Ok(()) => {}
            // Only the nearest must be ours; what is above it may belong to the system.
            Err(_) if nth > 0 => break,
            Err(e) => return Err(OpenError::Io(parent.to_owned(), e)),
        }
    }
    Ok(lock)
}

impl<D: Disk> Committer<D> {
    /// Begins a new segment: a start never writes behind what an earlier run may have left torn.
    /// Where nothing can be written the spool is read-only, and tries again later.
    fn prepare_segments(&mut self, empty: &[segment::SegmentNo]) {
        // Nobody waits for a batch yet, so there is time to write the zeros of the first one, too. Where there is
        // no room for them, beginning the segment says so.
        let _ = have_free_segments(&self.shared, 1, Zeros::Written);
        if self.begin_segment(Purpose::Upkeep).is_err() {
            self.go_read_only();
            return;
        }
        // The new segment's header is on disk and says where the last one with frames ends, which
        // is what the empty ones were needed for. Their room serves again.
        let folder = self.shared.segments_folder();
        for number in empty {
            self.shared.core().log.segments.remove(number);
            if segment::retire(&self.shared.disk, &folder, *number).is_ok() {
                self.shared.core().log.free.push_back(*number);
            }
        }
        let wanted = self.shared.options.reserve_segments + 1;
        // Where there is no room for them, what comes is told so.
        let _ = have_free_segments(&self.shared, wanted, Zeros::Written);
        // Clients may come before the first step.
        self.look_at_room();
    }

    /// Leases end with the process that gave them: what an operator said of a message while it was
    /// leased takes effect now.
    fn end_leases_of_the_former_run(&mut self) {
        let waiting: Vec<QueueId> = {
            let core = self.shared.core();
            let waiting = core
                .index
                .after(None)
                .filter(|(_, entry)| entry.is_waiting());
            waiting.map(|(id, _)| id).collect()
        };
        for id in waiting {
            match read::locate(&self.shared, id).map(|located| located.read()) {
                Some(Ok(stored)) => self.lease_until_ended(id, stored.envelope, stored.state),
                Some(Err(e)) => drop(read::unreadable(&self.shared, id, e)),
                None => {}
            }
        }
        let mut batch = self.new_batch();
        let run_out = self.shared.core().leases.run_out(UnixMs(0));
        for (id, token) in run_out {
            // What can't be written now is ended by the first claim.
            let Ok(prepared) = self.prepare_end_of_lease(id, token, &batch) else {
                continue;
            };
            if prepared.frame_len() > self.room(&batch) {
                self.flush(batch);
                batch = self.new_batch();
                if self.roll(Purpose::Upkeep).is_err() {
                    break;
                }
                batch = self.new_batch();
            }
            // It stands on no other message, so what was prepared before a flush still holds.
            self.push(&mut batch, prepared, None);
        }
        self.flush(batch);
    }

    /// Gives a message a lease that has run out long ago, so that its end can be recorded.
    fn lease_until_ended(
        &mut self,
        id: QueueId,
        envelope: Arc<postroad_queue::Envelope>,
        state: MessageState,
    ) {
        let mut core = self.shared.core();
        let token = core.leases.next_token();
        core.index.set_leased(id, Some(token));
        let slot = Slot {
            token,
            until: UnixMs(0),
            envelope,
            state,
        };
        let _ = core.leases.begin(id, slot);
    }
}
