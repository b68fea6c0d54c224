//! Messages on their way in: in memory while they are small and there is room, else in a file.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use crc32c::crc32c_append;
use postroad_clock::UnixMs;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_host::tasks;
use postroad_queue::Envelope;
use postroad_reply::QueueId;
use postroad_store::{Leased, Staged, Trouble};
use tokio::sync::oneshot;

use crate::frame::BLOCK;
use crate::line::{self, Accept};
use crate::shared::Shared;
use crate::trouble;

/// Octets of bodies that may be in memory.
#[derive(Debug)]
pub(crate) struct Budget {
    taken: AtomicUsize,
    size: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(octets: usize) -> Arc<Budget> {
        Arc::new(Budget {
            taken: AtomicUsize::new(0),
            size: AtomicUsize::new(octets),
        })
    }

    /// Makes it a budget of so many octets. What was taken stays so.
    pub(crate) fn resize(&self, octets: usize) {
        self.size.store(octets, Ordering::Relaxed);
    }

    fn take(self: &Arc<Budget>, octets: usize, grant: &mut Grant) -> bool {
        let size = self.size.load(Ordering::Relaxed);
        let taken = self
            .taken
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                taken.checked_add(octets).filter(|all| *all <= size)
            });
        grant.octets += if taken.is_ok() { octets } else { 0 };
        taken.is_ok()
    }
}

/// A share of the budget; given back when it is dropped.
#[derive(Debug)]
struct Grant {
    budget: Arc<Budget>,
    octets: usize,
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

/// A body in memory. Its share of the budget is free when the last slice of it is gone.
struct Fresh {
    octets: Bytes,
    _grant: Grant,
}

impl AsRef<[u8]> for Fresh {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

/// A body that is complete.
#[derive(Debug, Clone)]
pub(crate) enum StagedBody {
    /// In memory.
    Memory(Bytes),
    /// In a file of its own, whose octets are on disk (its name needs the folder's sync yet).
    File { len: u64, blocks: Vec<u32> },
}

/// A message on its way into the spool.
#[derive(Debug)]
pub struct SpoolStaged<D: Disk> {
    shared: Arc<Shared<D>>,
    id: QueueId,
    grant: Grant,
    /// What came and is in no file yet.
    waiting: BytesMut,
    file: Option<BodyFile<D::File>>,
    /// The name of the body file; the job that writes it has it too.
    name: Option<Arc<BodyName<D>>>,
    /// A write has failed: nothing more can come of it.
    failed: bool,
}

/// The name of a body file that no record names yet. When all who may still make the file or write
/// to it are gone, it is removed.
#[derive(Debug)]
struct BodyName<D: Disk> {
    shared: Arc<Shared<D>>,
    id: QueueId,
    /// It belongs to a record, or to the committer, which sees to it.
    handed_over: AtomicBool,
}

impl<D: Disk> Drop for BodyName<D> {
    fn drop(&mut self) {
        if !self.handed_over.load(Ordering::Relaxed) {
            self.shared.chores.remove_body(self.id);
        }
    }
}

/// A body file being written. While a job writes it, it is with the job.
#[derive(Debug)]
struct BodyFile<F> {
    file: F,
    written: u64,
    /// The checksums of its whole blocks.
    blocks: Vec<u32>,
    /// That of what there is of the next one, and how much that is.
    begun: (u32, usize),
}

impl<F: DiskFile> BodyFile<F> {
    fn new(file: F) -> BodyFile<F> {
        BodyFile {
            file,
            written: 0,
            blocks: Vec::new(),
            begun: (0, 0),
        }
    }

    fn write(&mut self, mut octets: &[u8]) -> std::io::Result<()> {
        self.file.write_all_at(octets, self.written)?;
        self.written += octets.len() as u64;
        while !octets.is_empty() {
            let (crc, len) = self.begun;
            let (now, later) = octets.split_at(octets.len().min(BLOCK - len));
            self.begun = (crc32c_append(crc, now), len + now.len());
            if self.begun.1 == BLOCK {
                self.end_block();
            }
            octets = later;
        }
        Ok(())
    }

    fn end_block(&mut self) {
        let (crc, len) = mem::take(&mut self.begun);
        if len > 0 {
            self.blocks.push(crc);
        }
    }
}

impl<D: Disk> SpoolStaged<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>, id: QueueId) -> SpoolStaged<D> {
        let budget = Arc::clone(&shared.budget);
        SpoolStaged {
            shared,
            id,
            grant: Grant { budget, octets: 0 },
            waiting: BytesMut::new(),
            file: None,
            name: None,
            failed: false,
        }
    }

    /// Whether `more` octets may join those in memory. A session that holds part of a body never
    /// waits for others to give memory back: what doesn't fit goes to disk.
    fn fits(&mut self, more: usize) -> bool {
        let len = self.waiting.len() + more;
        let budget = Arc::clone(&self.grant.budget);
        self.file.is_none()
            && len <= self.shared.options.body_file_threshold
            && budget.take(more, &mut self.grant)
    }

    /// The body file's name, to be held by all who may make the file.
    fn body_name(&mut self) -> Arc<BodyName<D>> {
        let name = || BodyName {
            shared: Arc::clone(&self.shared),
            id: self.id,
            handed_over: AtomicBool::new(false),
        };
        Arc::clone(self.name.get_or_insert_with(|| Arc::new(name())))
    }

    /// Moves what is in memory to the body file, and with `sync` that to the disk.
    async fn spill(&mut self, sync: bool) -> Result<(), Trouble> {
        let octets = mem::take(&mut self.waiting);
        let (body, name) = (self.file.take(), self.body_name());
        let job = move || -> std::io::Result<(BodyFile<D::File>, BytesMut)> {
            let mut body = match body {
                Some(body) => body,
                None => {
                    let path = name.shared.body_path(name.id);
                    BodyFile::new(name.shared.disk.open(&path, Open::CreateNew)?)
                }
            };
            body.write(&octets)?;
            if sync {
                // Durability: the body's octets are on disk before the frame that names them is
                // written. Syncs of several bodies run side by side, off the committer.
                body.file.sync_data()?;
            }
            Ok((body, octets))
        };
        // Until the job has said that all is well.
        self.failed = true;
        let (body, mut written) = tasks::blocking(job).await.map_err(|e| trouble::of(&e))?;
        self.failed = false;
        self.file = Some(body);
        // What comes next is gathered in the same room, which stays until the body ends: to take pages anew costs as
        // much as to fill them.
        written.clear();
        self.waiting = written;
        // The budget is for what stays in memory. What goes to a file has room for a piece, as each body that is
        // sent has.
        self.grant = Grant {
            budget: Arc::clone(&self.grant.budget),
            octets: 0,
        };
        Ok(())
    }

    /// Ends the body, on disk if it is in a file. The file is the caller's from then on.
    pub(crate) async fn finish(&mut self) -> Result<StagedBody, Trouble> {
        if self.failed {
            return Err(Trouble::Failed(
                "an earlier write of this body failed".into(),
            ));
        }
        if self.file.is_some() {
            self.spill(true).await?;
        }
        Ok(match self.file.as_mut() {
            Some(body) => {
                self.waiting = BytesMut::new();
                body.end_block();
                StagedBody::File {
                    len: body.written,
                    blocks: mem::take(&mut body.blocks),
                }
            }
            None => {
                let octets = fitted(mem::take(&mut self.waiting));
                let empty = Grant {
                    budget: Arc::clone(&self.grant.budget),
                    octets: 0,
                };
                let grant = mem::replace(&mut self.grant, empty);
                StagedBody::Memory(Bytes::from_owner(Fresh {
                    octets,
                    _grant: grant,
                }))
            }
        })
    }

    /// The body file, if there is one, belongs to a record now and stays.
    pub(crate) fn hand_over(self) {
        if let Some(name) = &self.name {
            name.handed_over.store(true, Ordering::Relaxed);
        }
    }

    /// Takes the next received octets.
    pub(crate) async fn take(&mut self, octets: Bytes) -> Result<(), Trouble> {
        if self.failed {
            return Err(Trouble::Failed(
                "an earlier write of this body failed".into(),
            ));
        }
        let fits = self.fits(octets.len());
        let len = self.waiting.len() + octets.len();
        // What is smaller than this stays in memory even without a share of the budget: a file
        // would cost more than it saves, and sessions are bounded.
        let small = BLOCK.min(self.shared.options.body_file_threshold);
        let is_small = self.file.is_none() && len <= small;
        // As much at once as may be in memory before there is a file: each write is a job for
        // another thread.
        let enough = self.shared.options.body_file_threshold.max(BLOCK);
        if !fits && !is_small && (self.file.is_none() || len > enough) {
            self.spill(false).await?;
        }
        self.waiting.extend_from_slice(&octets);
        Ok(())
    }
}

/// The octets in a buffer of about their size: it grew by doubling, and may be kept for a while.
fn fitted(buffer: BytesMut) -> Bytes {
    if buffer.capacity() > buffer.len() + buffer.len() / 4 {
        Bytes::copy_from_slice(&buffer)
    } else {
        buffer.freeze()
    }
}

impl<D: Disk> Staged for SpoolStaged<D> {
    fn queue_id(&self) -> QueueId {
        self.id
    }

    async fn append(&mut self, octets: Bytes) -> Result<(), Trouble> {
        self.take(octets).await
    }

    async fn commit_durably(
        mut self,
        envelope: Arc<Envelope>,
        until: UnixMs,
    ) -> Result<Leased, Trouble> {
        let body = self.finish().await?;
        let permit = self.shared.line.room().await?;
        let (answer, answered) = oneshot::channel();
        let id = self.id;
        let shared = Arc::clone(&self.shared);
        // From here on the committer removes the body file if it refuses the message.
        self.hand_over();
        let accept = Accept {
            id,
            envelope,
            body,
            until,
            answer,
        };
        shared.accept(accept, permit);
        answered.await.map_err(|_| line::closed())?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use postroad_host::chance::Chance;
    use postroad_host::clock::SimClock;
    use postroad_host::disk::sim::SimDisk;

    use super::*;
    use crate::{Options, Spool};

    /// The thread that writes a body file may come to it after the session has gone.
    #[test]
    fn a_body_file_made_after_its_message_was_dropped_goes_all_the_same() {
        let disk = SimDisk::new(1);
        let options = Options {
            segment_octets: 32 * 1024,
            ..Options::new("/spool".into())
        };
        let clock = Arc::new(SimClock::new(UnixMs(1_790_000_000_000)));
        let opened = Spool::open(disk.clone(), options, Chance::from_seed(1), clock).unwrap();
        let mut housekeeper = opened.housekeeper;
        let mut staged = SpoolStaged::new(Arc::clone(&opened.committer.shared), QueueId(7));
        let with_the_job = staged.body_name();
        drop(staged);
        housekeeper.step();
        let path = with_the_job.shared.body_path(QueueId(7));
        disk.open(&path, Open::CreateNew).unwrap();
        drop(with_the_job);
        housekeeper.step();
        assert!(!disk.exists(&path).unwrap());
    }
}
