//! Gives room back: segments leave the log oldest first, and what lives in the oldest is copied
//! forward when too much is dead.
//!
//! Oldest first is what keeps a `done` or `changed` frame from vanishing while a frame it overrules
//! can still be replayed: it is always behind that frame in the log, in the same segment or
//! a younger one, so it leaves with it or after it. No tombstone needs to be counted or pinned.
//! The same holds for where a segment ends, which the header of the next one says.

use std::sync::Arc;

use postroad_clock::Mono;
use postroad_host::disk::Disk;
use postroad_reply::QueueId;
use postroad_store::{Pressure, Trouble};

use crate::batch::{Batch, Effect, Prepared, Reply};
use crate::committer::{Committer, Purpose, Step};
use crate::frame::{BodyPlace, Kind, Part};
use crate::prepare::key_of;
use crate::read::{self, ReadError};
use crate::segment::{self, SegmentNo};

/// How many octets are copied forward in one step, so that no accept waits for long.
const COPY_STEP: usize = 1024 * 1024;
/// How many entries one step looks at.
const LOOK_STEP: usize = 4096;
/// So many free segments beyond the reserve are kept; the room of more is given back.
const SPARE: usize = 2;

/// How far copying the oldest segment forward has come.
#[derive(Debug, Default)]
pub(crate) struct Copying {
    /// Which one, and the last message looked at.
    now: Option<(SegmentNo, Option<QueueId>)>,
    /// Copying failed, for there is no room or the disk gives errors: until then it is left.
    stuck_until: Mono,
    /// Its departure may not be on disk: it is tried again before any other follows.
    leaving: Option<SegmentNo>,
}

impl<D: Disk> Committer<D> {
    /// Retires what is empty, and copies a little forward if that is called for.
    pub(crate) fn recycle(&mut self) -> Step {
        self.retire_empty();
        if self.current.is_none() || !self.chooses_to_copy() {
            return Step::Idle;
        }
        match self.copy_some() {
            Ok(()) => {
                self.retire_empty();
                Step::More
            }
            Err(_) => Step::Idle,
        }
    }

    fn retire_empty(&mut self) {
        while let Some(number) = self.copying.leaving.or_else(|| self.take_oldest_empty()) {
            let folder = self.shared.segments_folder();
            if let Err(e) = segment::retire(&self.shared.disk, &folder, number) {
                if self.copying.leaving.replace(number).is_some() {
                    return;
                }
                self.report_disk(&segment::log_path(&folder, number), &e);
                return;
            }
            self.copying.leaving = None;
            let surplus =
                self.shared.core().log.free.len() >= self.shared.options.reserve_segments + SPARE;
            if surplus {
                // If it stays, a start finds it free.
                let _ = self
                    .shared
                    .disk
                    .remove(&segment::free_path(&folder, number));
            } else {
                self.shared.core().log.free.push_back(number);
            }
        }
    }

    /// Takes the oldest segment out of the log if nothing in it lives and nobody reads it.
    fn take_oldest_empty(&self) -> Option<SegmentNo> {
        let current = self.current.as_ref()?.segment.number;
        let mut core = self.shared.core();
        let (number, oldest) = core.log.segments.first_key_value()?;
        let number = *number;
        // Readers clone it under this lock, so one holder means that there are none.
        let unread = Arc::strong_count(oldest) == 1;
        if number == current || !unread || core.index.live(number).records > 0 {
            return None;
        }
        core.log.segments.remove(&number);
        Some(number)
    }

    /// Whether the oldest segment is to be copied forward: once begun, until it is empty; else if
    /// at least half of the log is dead, or when room is short and a segment can be won.
    fn chooses_to_copy(&mut self) -> bool {
        let core = self.shared.core();
        let Some((oldest, _)) = core.log.segments.first_key_value() else {
            return false;
        };
        let oldest = *oldest;
        let Some(current) = &self.current else {
            return false;
        };
        let current = current.segment.number;
        if oldest == current
            || self.clock.mono() < self.copying.stuck_until
            || core.index.live(oldest).records == 0
        {
            return false;
        }
        if self.copying.now.is_some_and(|(now, _)| now == oldest) {
            return true;
        }
        let size = self.shared.options.segment_octets;
        let sealed = core.log.segments.range(..current);
        let (used, live) = sealed.fold((0u64, 0u64), |(used, live), (number, _)| {
            (used + size, live + core.index.live(*number).octets)
        });
        let dead = used.saturating_sub(live);
        let short = self.shared.pressure() == Pressure::Full
            || core.log.free.len() < self.shared.options.reserve_segments;
        drop(core);
        let wanted = dead >= live.max(4 * size) || (short && dead >= 2 * size);
        if wanted {
            self.copying.now = Some((oldest, None));
        }
        wanted
    }

    /// Copies the next of what lives in the oldest segment.
    fn copy_some(&mut self) -> Result<(), Trouble> {
        let Some((segment, cursor)) = self.copying.now else {
            return Ok(());
        };
        let (ids, last) = {
            let core = self.shared.core();
            let mut last = None;
            let ids: Vec<QueueId> = core
                .index
                .after(cursor)
                .take(LOOK_STEP)
                .inspect(|(id, _)| last = Some(*id))
                .filter(|(_, entry)| entry.base.place.segment == segment)
                .map(|(id, _)| id)
                .collect();
            (ids, last)
        };
        let mut batch = self.new_batch();
        let mut copied = 0;
        let mut reached = last;
        for id in ids {
            if copied >= COPY_STEP {
                break;
            }
            match self.copy_one(&mut batch, id) {
                Ok(len) => copied += len,
                Err(ReadError::Io(_)) => {
                    let pause = self.shared.options.probe_interval;
                    self.copying.stuck_until = self.clock.mono() + pause;
                    break;
                }
                Err(e) => self.give_up(id, e),
            }
            reached = Some(id);
        }
        let copied_all = copied < COPY_STEP;
        self.copying.now = Some((segment, if copied_all { last } else { reached }));
        if last.is_none() {
            // From the beginning again, if a batch has failed and something was left.
            self.copying.now = None;
        }
        let had = !batch.octets.is_empty();
        self.flush(batch);
        if had && self.current.is_none() {
            Err(Trouble::ReadOnly)
        } else {
            Ok(())
        }
    }

    /// Adds a message's copy to the batch. How many octets that took.
    fn copy_one(&mut self, batch: &mut Batch, id: QueueId) -> Result<usize, ReadError> {
        let Some(located) = read::locate(&self.shared, id) else {
            return Ok(0);
        };
        let (stored, key) = match located.read() {
            Err(error @ ReadError::Damaged(_)) if located.has_damaged_change(&error) => {
                // The base is whole: an older state is better than none.
                let stored = located.read_base()?;
                let _ = read::unreadable(&self.shared, id, error);
                let key = key_of(&stored.envelope, &stored.state);
                (stored, Some(key))
            }
            read => (read?, None),
        };
        let body = match stored.base.part.body {
            BodyPlace::Inline => vec![located.read_inline(&stored.base)?],
            BodyPlace::None | BodyPlace::File(_) => Vec::new(),
        };
        // Readers of the former place keep it until they are done; this one is.
        drop(located);
        let key = {
            let core = self.shared.core();
            match core.index.get(id) {
                Some(entry) => key.unwrap_or_else(|| core.index.key(entry)),
                None => return Ok(0),
            }
        };
        let body_file = matches!(stored.base.part.body, BodyPlace::File(_));
        let part = Part {
            kind: Kind::Merged,
            key: key.clone(),
            // Octet for octet, so that what a later version added is kept.
            state: stored.state_octets,
            ..stored.base.part
        };
        let prepared = Prepared {
            parts: vec![(part, body)],
            effects: vec![Effect::Move { id, key, body_file }],
            reply: Reply::Done,
        };
        let len = prepared.frame_len();
        if len > self.room(batch) {
            let full = std::mem::take(batch);
            self.flush(full);
            if self.roll(Purpose::Upkeep).is_err() {
                return Err(ReadError::Io(std::io::ErrorKind::StorageFull.into()));
            }
            *batch = self.new_batch();
        }
        self.push(batch, prepared, None);
        Ok(len)
    }

    /// A message that can't be read can't be copied: its octets are set aside, and it leaves the
    /// queue with its segment.
    fn give_up(&self, id: QueueId, error: ReadError) {
        let _ = read::unreadable(&self.shared, id, error);
        let entry = {
            let mut core = self.shared.core();
            core.leases.end(id);
            core.index.remove(id)
        };
        if entry.is_some_and(|entry| entry.has_body_file()) {
            // Beside the octets of its frame. If this fails, it is removed at the next start.
            let kept = self.shared.damage_folder().join(id.to_string());
            let _ = self.shared.disk.rename(&self.shared.body_path(id), &kept);
        }
    }
}
