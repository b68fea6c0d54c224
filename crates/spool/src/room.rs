//! Begins segments, keeps the reserve, and tries a troubled disk again.

use std::sync::Arc;
use std::time::Duration;

use postroad_host::disk::Disk;
use postroad_store::{Pressure, Trouble};

use crate::committer::{Committer, Current, Purpose};
use crate::damage::What;
use crate::housekeeper::have_free_segments;
#[cfg(feature = "planted")]
use crate::options::Planted;
use crate::segment::{self, DATA_START, SegmentHeader, SegmentNo, Zeros};
use crate::trouble;

/// How long it is believed how much room the file system has. The log's own segments have theirs already.
const LOOK: Duration = Duration::from_millis(100);

impl<D: Disk> Committer<D> {
    /// Ends the current segment, all of which is durable, and begins the next.
    pub(crate) fn roll(&mut self, purpose: Purpose) -> Result<(), Trouble> {
        let Some(current) = &self.current else {
            return Err(Trouble::ReadOnly);
        };
        self.sealed = Some(current.sealed());
        let begun = self.begin_segment(purpose);
        if self.current.is_none() && self.begin_segment(Purpose::Upkeep).is_err() {
            self.go_read_only();
        }
        begun
    }

    /// Makes a free segment the current one.
    pub(crate) fn begin_segment(&mut self, purpose: Purpose) -> Result<(), Trouble> {
        let reserve = match purpose {
            Purpose::Accept => self.shared.options.reserve_segments,
            Purpose::Upkeep => 0,
        };
        if let Err(e) = have_free_segments(&self.shared, reserve + 1, Zeros::Reserved) {
            let none_left = self.shared.core().log.free.is_empty();
            if purpose == Purpose::Accept || none_left {
                self.shared.set_pressure(Pressure::Full);
                return Err(trouble::of(&e));
            }
        }
        let (free, number, last_id) = {
            let mut core = self.shared.core();
            match core.log.free.pop_front() {
                Some(free) => (free, core.log.next_number(), core.last_id),
                None => return Err(Trouble::Full),
            }
        };
        let header = SegmentHeader {
            number,
            epoch: self.draw_epoch(free),
            before: self.sealed,
            first_batch: self.next_batch,
            last_id,
        };
        let folder = self.shared.segments_folder();
        let segment = match segment::activate(&self.shared.disk, &folder, free, &header) {
            Ok(segment) => segment,
            Err(e) => {
                // Its name, and with it the word where the segment before ends, may reach the disk
                // all the same: nothing may be written behind that end any more.
                self.current = None;
                // Its file is not used again: what is on its disk is not known.
                let _ = self.shared.disk.remove(&segment::free_path(&folder, free));
                self.report_disk(&segment::log_path(&folder, number), &e);
                return Err(trouble::of(&e));
            }
        };
        self.shared
            .core()
            .log
            .segments
            .insert(number, Arc::clone(&segment));
        self.current = Some(Current {
            segment,
            end: DATA_START,
        });
        if self.shared.core().log.free.len() <= self.shared.options.reserve_segments {
            self.shared.chores.make_segment();
        }
        Ok(())
    }

    /// A new epoch, which nothing that is on disk can know.
    fn draw_epoch(&self, _free: SegmentNo) -> u64 {
        #[cfg(feature = "planted")]
        if self.shared.options.has(Planted::ReuseWithoutNewEpoch)
            && let Some(epoch) = crate::segment::epoch_of_free(
                &self.shared.disk,
                &self.shared.segments_folder(),
                _free,
            )
        {
            return epoch;
        }
        self.chance.u64()
    }

    /// Nothing is written any more, and nothing claimed: what was delivered could not be settled.
    pub(crate) fn go_read_only(&mut self) {
        self.shared.set_pressure(Pressure::ReadOnly);
        self.next_probe = self.clock.mono() + self.shared.options.probe_interval;
        self.report_plain(What::ReadOnly);
    }

    /// Tries to begin a segment, which takes a write, a sync, a rename and a folder's sync. True
    /// if the log can be written again.
    pub(crate) fn probe(&mut self) -> bool {
        let now = self.clock.mono();
        if now < self.next_probe {
            return false;
        }
        self.next_probe = now + self.shared.options.probe_interval;
        if self.begin_segment(Purpose::Upkeep).is_err() {
            self.shared.set_pressure(Pressure::ReadOnly);
            return false;
        }
        self.shared.set_pressure(Pressure::None);
        self.report_plain(What::Recovered);
        // The reserve is made whole at once.
        self.next_probe = now;
        self.look_at_room();
        true
    }

    /// Looks whether mail can be taken in: the file system is above its floor, the reserve is whole,
    /// and the current segment has room or a successor beyond the reserve.
    pub(crate) fn look_at_room(&mut self) {
        if self.current.is_none() {
            return;
        }
        let options = &self.shared.options;
        let now = self.clock.mono();
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.is_low = match self.shared.disk.space(&options.folder) {
                Ok(space) => {
                    space.free_octets < options.floor_octets
                        || space.free_inodes < options.floor_inodes
                }
                // Not to know is no reason to refuse; a write will tell.
                Err(_) => false,
            };
        }
        let room = self.room_behind(self.end()) as u64;
        let wanted = options.reserve_segments + usize::from(room < options.segment_octets / 4);
        let mut short = self.shared.core().log.free.len() < wanted;
        if short && now >= self.next_probe {
            // Mail may come faster than segments are made ahead. Only where none can be made is it refused,
            // and that isn't tried again at once.
            short = have_free_segments(&self.shared, wanted, Zeros::Reserved).is_err();
            if short {
                self.next_probe = now + options.probe_interval;
            }
        }
        let full = self.is_low || short;
        self.shared
            .set_pressure(if full { Pressure::Full } else { Pressure::None });
    }
}
