//! The one writer of the log.
//!
//! [`Committer::step`] takes everything that waits, writes it with one write and one sync, and
//! then answers all of it. It knows no time and starts no thread: production loops it with
//! [`Committer::run`], a simulation steps it by hand.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex};

use postroad_clock::Mono;
use postroad_host::chance::Chance;
use postroad_host::clock::Clock;
use postroad_host::disk::{Disk, DiskFile};
use postroad_store::{Pressure, Trouble};

use crate::batch::{Batch, Prepared};
use crate::damage::{Report, What};
use crate::frame::{FRAME_HEADER, encode_frame, frame_len};
use crate::line::Queued;
#[cfg(feature = "planted")]
use crate::options::Planted;
use crate::recycle::Copying;
use crate::segment::{self, DATA_START, Sealed, Segment};
use crate::shared::Shared;
use crate::trouble;

/// The room of a batch is used for the next one, unless it is more than this: most batches of busy hours fit.
const KEPT: usize = 512 * 1024;

/// The one writer of the log.
#[derive(Debug)]
pub struct Committer<D: Disk> {
    pub(crate) shared: Arc<Shared<D>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Chance,
    /// Where the next batch goes; none while nothing can be written.
    pub(crate) current: Option<Current<D::File>>,
    /// Where the log ends while there is no current segment.
    pub(crate) sealed: Option<Sealed>,
    pub(crate) next_batch: u64,
    /// Room for the octets of the next batch: that of the last.
    pub(crate) octets: Vec<u8>,
    pub(crate) copying: Copying,
    /// How much the log has grown since the last checkpoint was taken.
    pub(crate) grown: u64,
    /// How long the last checkpoint was.
    pub(crate) last_checkpoint: u64,
    /// When the disk is tried again.
    pub(crate) next_probe: Mono,
    /// When it is looked how much room the file system has.
    pub(crate) next_look: Mono,
    /// It had too little then.
    pub(crate) is_low: bool,
}

/// The segment being written.
#[derive(Debug)]
pub(crate) struct Current<F> {
    pub(crate) segment: Arc<Segment<F>>,
    /// Where the next batch starts: all before it is durable.
    pub(crate) end: u64,
}

impl<F> Current<F> {
    /// Where it ends, if no more is written to it.
    pub(crate) fn sealed(&self) -> Sealed {
        Sealed {
            number: self.segment.number,
            end: self.end,
            torn: None,
        }
    }
}

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is more to do at once: copying forward goes on.
    More,
    /// Nothing until something is asked.
    Idle,
}

/// For what a segment may be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To take mail in: the reserve stays untouched.
    Accept,
    /// To settle, amend or copy forward: the reserve is for this.
    Upkeep,
}

impl<D: Disk> Committer<D> {
    /// Serves all that waits, then does some of what recycling needs.
    pub fn step(&mut self) -> Step {
        self.serve();
        let step = self.recycle();
        self.take_checkpoint_when_due();
        step
    }

    /// Serves all that waits, in as many batches as segments demand: mostly one.
    pub(crate) fn serve(&mut self) {
        let waiting = self.shared.line.take();
        self.look_at_room();
        if self.current.is_none() && !self.probe() {
            return self.refuse_all(waiting);
        }
        let mut batch = self.new_batch();
        for queued in waiting {
            batch = self.add(batch, queued);
        }
        self.flush(batch);
    }

    /// Loops [`step`](Committer::step) until the spool is closed, then writes a checkpoint. Meanwhile
    /// a session that is alone on its thread may do its work there, too.
    pub fn run(self) {
        let shared = Arc::clone(&self.shared);
        let committer = Arc::new(Mutex::new(self));
        // Only the first of a spool is known to others; there is no second.
        let _ = shared.committer.set(Arc::downgrade(&committer));
        loop {
            let closed = shared.line.is_closed();
            // Poisoned by a panic elsewhere it may be halfway through a change: then nothing can be
            // made durable any more.
            let Ok(mut locked) = committer.lock() else {
                return;
            };
            let step = locked.step();
            if closed {
                locked.take_checkpoint();
                shared.chores.close();
                return;
            }
            drop(locked);
            if step == Step::Idle {
                let options = &shared.options;
                // Others can fill the file system while no mail comes: then MAIL has to hear of
                // it before anybody sends a message in vain.
                shared
                    .line
                    .wait(options.settle_delay, options.probe_interval);
            }
        }
    }

    /// Where the next batch starts in the current segment.
    pub(crate) fn end(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.end)
    }

    pub(crate) fn new_batch(&mut self) -> Batch {
        Batch::at(self.end(), mem::take(&mut self.octets))
    }

    /// Adds a request to the batch; flushes the batch first if it doesn't fit any more.
    fn add(&mut self, mut batch: Batch, queued: Queued) -> Batch {
        if self.current.is_none() {
            self.refuse(queued, Trouble::ReadOnly);
            return batch;
        }
        let prepared = match self.prepare(&queued.request, &batch) {
            Ok(prepared) => prepared,
            Err(trouble) => {
                self.refuse(queued, trouble);
                return batch;
            }
        };
        let len = prepared.frame_len();
        if len > self.capacity() {
            self.refuse(
                queued,
                Trouble::Failed("it is larger than a segment".into()),
            );
            return batch;
        }
        if prepared.purpose() == Purpose::Accept && self.shared.pressure() != Pressure::None {
            self.refuse(queued, Trouble::Full);
            return batch;
        }
        if len == 0 || len <= self.room(&batch) {
            self.push(&mut batch, prepared, queued);
            return batch;
        }
        // What is prepared stands on what the batch says: after it is flushed (or has failed),
        // it is prepared anew.
        let purpose = prepared.purpose();
        self.flush(batch);
        if let Err(trouble) = self.roll(purpose) {
            self.refuse(queued, trouble);
            return self.new_batch();
        }
        let mut batch = self.new_batch();
        match self.prepare(&queued.request, &batch) {
            Ok(prepared) => self.push(&mut batch, prepared, queued),
            Err(trouble) => self.refuse(queued, trouble),
        }
        batch
    }

    /// Encodes what is prepared at the end of the batch.
    pub(crate) fn push(
        &self,
        batch: &mut Batch,
        prepared: Prepared,
        queued: impl Into<Option<Queued>>,
    ) {
        let Some(current) = &self.current else {
            return;
        };
        let parts: Vec<_> = prepared
            .parts
            .iter()
            .map(|(part, body)| (part, &body[..]))
            .collect();
        let offset = batch.start + batch.octets.len() as u64;
        if !parts.is_empty() {
            let (base, epoch) = (batch.start, current.segment.epoch);
            encode_frame(&mut batch.octets, base, epoch, self.next_batch, &parts);
        }
        // The offset is within a segment, which is at most 2 GiB.
        batch.note(
            prepared,
            current.segment.number,
            offset as u32,
            queued.into(),
        );
    }

    /// How many octets a frame may have.
    fn capacity(&self) -> usize {
        usize::try_from(self.shared.options.segment_octets - DATA_START).unwrap_or(usize::MAX)
    }

    /// How many more octets fit in the current segment behind the batch.
    pub(crate) fn room(&self, batch: &Batch) -> usize {
        self.room_behind(batch.start + batch.octets.len() as u64)
    }

    /// How many octets fit in the current segment from there on.
    pub(crate) fn room_behind(&self, end: u64) -> usize {
        usize::try_from(self.shared.options.segment_octets.saturating_sub(end)).unwrap_or(0)
    }

    /// Makes a batch durable and answers all that is in it, one way or the other. Empty batches
    /// only answer.
    pub(crate) fn flush(&mut self, mut batch: Batch) {
        let result = self.make_durable(&mut batch);
        let mut octets = mem::take(&mut batch.octets);
        match result {
            Ok(()) => {
                self.grown += octets.len() as u64;
                batch.apply(&self.shared);
            }
            // While its end is not on disk, a start may still find the batch whole: then it must
            // find the body files too.
            Err(trouble) => batch.fail(&self.shared, &trouble, self.current.is_some()),
        }
        if (self.octets.capacity()..=KEPT).contains(&octets.capacity()) {
            octets.clear();
            self.octets = octets;
        }
    }

    fn make_durable(&mut self, batch: &mut Batch) -> Result<(), Trouble> {
        let Some(current) = &mut self.current else {
            return if batch.is_empty() {
                Ok(())
            } else {
                Err(Trouble::ReadOnly)
            };
        };
        if batch.octets.is_empty() {
            return Ok(());
        }
        self.next_batch += 1;
        if batch.has_body_file && !skips_directory_sync(&self.shared) {
            // Durability: the names of the body files are on disk before the frames that need
            // them (their octets already are, see staging). One sync for the whole batch.
            if let Err(e) = self.shared.disk.sync_dir(&self.shared.bodies_folder()) {
                self.report_disk(&self.shared.bodies_folder(), &e);
                return Err(Trouble::Failed(e.to_string()));
            }
        }
        let frames = batch.octets.len();
        // Behind the batch an empty header: what an earlier use left there is no part of this.
        let end = current.end + frames as u64;
        let tail = self.shared.options.segment_octets.saturating_sub(end);
        // At most a header's length.
        batch
            .octets
            .resize(frames + tail.min(FRAME_HEADER as u64) as usize, 0);
        let written = current
            .segment
            .file
            .write_all_at(&batch.octets, current.end);
        batch.octets.truncate(frames);
        if let Err(e) = written {
            let attempted = frames + tail.min(FRAME_HEADER as u64) as usize;
            let undone = trouble::is_full(&e) && undo(current, attempted);
            return Err(if undone {
                self.shared.set_pressure(Pressure::Full);
                Trouble::Full
            } else {
                self.void(&e, frames)
            });
        }
        #[cfg(feature = "planted")]
        if self.shared.options.has(Planted::AnswerBeforeSync) {
            batch.apply(&self.shared);
        }
        // Durability: this is the sync that a 250 stands for. The segment's length, blocks, header
        // and name were on disk before its first frame (segment.rs), so nothing but these
        // octets has to get there now, and with them, in a segment whose zeros were not written, that
        // its blocks hold octets: metadata that is needed to read them, which fdatasync takes along.
        if let Err(e) = current.segment.file.sync_data() {
            return Err(self.void(&e, frames));
        }
        current.end = end;
        Ok(())
    }

    /// A batch is void: what became of its octets is not known, and asking again would not tell
    /// (a failed sync marks its pages clean). The segment ends where it last was synced, and that
    /// is on disk, in the header of the next, before anyone is told that the batch failed: a later
    /// start can't take its frames for good. If no next segment can be begun, nothing is written
    /// any more.
    fn void(&mut self, error: &std::io::Error, written: usize) -> Trouble {
        let Some(current) = self.current.take() else {
            return Trouble::ReadOnly;
        };
        let path = segment::log_path(&self.shared.segments_folder(), current.segment.number);
        self.report_disk(&path, error);
        // Should the next segment fail too, this alone keeps the frames from coming back: the zeros are
        // dirty pages of their own, so the sync speaks of them though the last one failed. If it can't
        // be done, the header of the next segment still does it.
        let _ = undo(&current, written);
        self.sealed = Some(current.sealed());
        if self.begin_segment(Purpose::Upkeep).is_err()
            && self.begin_segment(Purpose::Upkeep).is_err()
        {
            self.go_read_only();
        }
        Trouble::Failed(error.to_string())
    }

    fn refuse_all(&mut self, waiting: VecDeque<Queued>) {
        for queued in waiting {
            self.refuse(queued, Trouble::ReadOnly);
        }
    }

    /// Answers with trouble; a body file that came with the request goes.
    pub(crate) fn refuse(&self, queued: Queued, trouble: Trouble) {
        crate::batch::remove_bodies(&self.shared, &queued.request);
        queued.request.refuse(trouble);
    }

    pub(crate) fn report_disk(&self, file: &std::path::Path, error: &std::io::Error) {
        self.shared.report(Report {
            what: What::Disk(error.to_string()),
            file: file.to_owned(),
            offset: 0,
            octets: 0,
            set_aside: None,
        });
    }

    pub(crate) fn report_plain(&self, what: What) {
        let file = self.shared.options.folder.clone();
        self.shared.report(Report {
            what,
            file,
            offset: 0,
            octets: 0,
            set_aside: None,
        });
    }
}

impl<D: Disk> Drop for Committer<D> {
    /// Who waits is told, and so is who comes.
    fn drop(&mut self) {
        // Nothing can be settled from here on, so nothing may be claimed.
        self.shared.set_pressure(Pressure::ReadOnly);
        self.shared.line.close();
        drop(self.shared.line.take());
        self.shared.chores.close();
    }
}

/// Takes a write back: the octets are zeros again, durably, so no start finds the frames.
/// False if that can't be said for sure.
fn undo<F: DiskFile>(current: &Current<F>, attempted: usize) -> bool {
    let file = &current.segment.file;
    let end = current.end + attempted as u64;
    // Durability: nobody is told that the batch failed before its octets are gone for good.
    file.write_zeros(current.end, end).is_ok() && file.sync_data().is_ok()
}

#[cfg(feature = "planted")]
fn skips_directory_sync<D: Disk>(shared: &Shared<D>) -> bool {
    shared.options.has(Planted::SkipDirectorySync)
}

#[cfg(not(feature = "planted"))]
fn skips_directory_sync<D: Disk>(_: &Shared<D>) -> bool {
    false
}

impl Prepared {
    /// How many octets its frame takes.
    pub(crate) fn frame_len(&self) -> usize {
        if self.parts.is_empty() {
            return 0;
        }
        let parts: Vec<_> = self.parts.iter().map(|(part, _)| part).collect();
        frame_len(&parts)
    }
}

#[cfg(test)]
mod tests;
