//! Start-up: reads the log and says what is in the queue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_reply::QueueId;

use crate::checkpoint::{self, Checkpoint, NoCheckpoint};
use crate::damage::{self, Report, What};
use crate::frame::{BodyPlace, FRAME_HEADER, Kind};
use crate::index::{Held, Index, Place};
use crate::open::OpenError;
use crate::options::Options;
#[cfg(feature = "planted")]
use crate::options::Planted;
use crate::scan::{Found, Frame, Gap, scan};
use crate::segment::{
    self, DATA_START, FileRole, HeaderError, Sealed, Segment, SegmentHeader, SegmentNo,
};

/// At most so many files are kept in the folder for damage.
const MOST_SET_ASIDE: usize = 1000;

/// What a start has found.
#[derive(Debug)]
pub(crate) struct Replayed<F> {
    pub(crate) index: Index,
    pub(crate) segments: BTreeMap<SegmentNo, Arc<Segment<F>>>,
    pub(crate) free: VecDeque<SegmentNo>,
    /// A number greater than that of any file.
    pub(crate) next_number: u32,
    pub(crate) next_batch: u64,
    pub(crate) last_id: u64,
    /// The last segment that has frames, and where they end.
    pub(crate) sealed: Option<Sealed>,
    /// Segments without frames, to leave the log when the next segment's header says where the
    /// last one ends.
    pub(crate) empty: Vec<SegmentNo>,
    pub(crate) reports: Vec<Report>,
}

/// A segment as a start finds it.
struct Opened<F> {
    segment: Arc<Segment<F>>,
    header: SegmentHeader,
    len: u64,
}

struct Replay<'a, D: Disk> {
    disk: &'a D,
    options: &'a Options,
    /// The segments of the log; none is taken out, so that a number found here stays one.
    opened: BTreeMap<SegmentNo, Opened<D::File>>,
    /// Where segments end, as later ones say.
    ends: BTreeMap<SegmentNo, Sealed>,
    index: Index,
    next_batch: u64,
    last_id: u64,
    sealed: Option<Sealed>,
    /// Gaps, to be set aside and reported when the index is known.
    gaps: Vec<(SegmentNo, Gap, What)>,
    empty: Vec<SegmentNo>,
    reports: Vec<Report>,
}

/// Reads the log.
pub(crate) fn replay<D: Disk>(disk: &D, options: &Options) -> Result<Replayed<D::File>, OpenError> {
    let folder = options.segments_folder();
    let at = |e| OpenError::Io(folder.clone(), e);
    let mut replay = Replay {
        disk,
        options,
        opened: BTreeMap::new(),
        ends: BTreeMap::new(),
        index: Index::default(),
        next_batch: 1,
        last_id: 0,
        sealed: None,
        gaps: Vec::new(),
        empty: Vec::new(),
        reports: Vec::new(),
    };
    let (free, next_number) = replay.open_segments(&folder)?;
    let from_checkpoint = match checkpoint::read(disk, options) {
        Ok(checkpoint) => replay.read_from_checkpoint(checkpoint).map_err(at)?,
        Err(NoCheckpoint::Missing) => false,
        Err(NoCheckpoint::Newer(version)) => {
            return Err(OpenError::Newer(checkpoint::path(options), version));
        }
        Err(NoCheckpoint::Damaged) => {
            replay.report(What::Checkpoint, checkpoint::path(options));
            false
        }
    };
    if !from_checkpoint {
        replay.start_over();
        replay.read_segments(SegmentNo(0), DATA_START).map_err(at)?;
    }
    replay.set_gaps_aside().map_err(at)?;
    replay
        .compare_bodies()
        .map_err(|e| OpenError::Io(options.bodies_folder(), e))?;
    Ok(Replayed {
        index: replay.index,
        segments: replay
            .opened
            .into_iter()
            .map(|(n, opened)| (n, opened.segment))
            .collect(),
        free,
        next_number,
        next_batch: replay.next_batch,
        last_id: replay.last_id,
        sealed: replay.sealed,
        empty: replay.empty,
        reports: replay.reports,
    })
}

impl<D: Disk> Replay<'_, D> {
    /// Opens what there is; gives the free files, and a number greater than any.
    fn open_segments(&mut self, folder: &Path) -> Result<(VecDeque<SegmentNo>, u32), OpenError> {
        // Durability: names that an earlier run changed, and may not have synced, are on disk before
        // anything follows from them.
        self.disk
            .sync_dir(folder)
            .map_err(|e| OpenError::Io(folder.to_owned(), e))?;
        let mut free = VecDeque::new();
        let mut next = 1;
        let entries = self
            .disk
            .list(folder)
            .map_err(|e| OpenError::Io(folder.to_owned(), e))?;
        for path in entries.into_iter().map(|entry| entry.path) {
            let at = |e| OpenError::Io(path.clone(), e);
            match segment::file_role(&path) {
                Some(FileRole::Log(number)) => {
                    next = next.max(number.0 + 1);
                    self.open_segment(number, &path)?;
                }
                Some(FileRole::Free(number)) => {
                    next = next.max(number.0 + 1);
                    let len = self
                        .disk
                        .open(&path, Open::Read)
                        .and_then(|f| f.len())
                        .map_err(at)?;
                    if len == self.options.segment_octets {
                        free.push_back(number);
                    } else {
                        self.disk.remove(&path).map_err(at)?;
                    }
                }
                Some(FileRole::Unfinished) => self.disk.remove(&path).map_err(at)?,
                None => {}
            }
        }
        for opened in self.opened.values() {
            if let Some(before) = opened.header.before {
                self.ends.insert(before.number, before);
            }
        }
        Ok((free, next))
    }

    fn open_segment(&mut self, number: SegmentNo, path: &Path) -> Result<(), OpenError> {
        let at = |e| OpenError::Io(path.to_owned(), e);
        let file = self.disk.open(path, Open::Read).map_err(at)?;
        match SegmentHeader::read(&file) {
            Ok((header, both)) if header.number == number => {
                if !both {
                    self.report(What::Header, path.to_owned());
                }
                let len = file.len().map_err(at)?;
                self.next_batch = self.next_batch.max(header.first_batch);
                self.last_id = self.last_id.max(header.last_id);
                let segment = Arc::new(Segment {
                    number,
                    epoch: header.epoch,
                    file,
                });
                self.opened.insert(
                    number,
                    Opened {
                        segment,
                        header,
                        len,
                    },
                );
                Ok(())
            }
            Err(HeaderError::Newer(version)) => Err(OpenError::Newer(path.to_owned(), version)),
            Err(HeaderError::Io(e)) => Err(at(e)),
            // A header is whole before its file has this name: this is damage, and without the
            // epoch nothing in the file can be told from what it held before.
            Ok(_) | Err(HeaderError::Damaged) => {
                let name = format!("{:08x}.seg", number.0);
                let kept = self.options.damage_folder().join(name);
                self.disk.rename(path, &kept).map_err(at)?;
                self.disk
                    .sync_dir(&self.options.damage_folder())
                    .map_err(at)?;
                self.reports.push(Report {
                    what: What::Segment,
                    file: path.to_owned(),
                    offset: 0,
                    octets: self.options.segment_octets,
                    set_aside: Some(kept),
                });
                Ok(())
            }
        }
    }

    /// Forgets what a checkpoint said.
    fn start_over(&mut self) {
        self.index = Index::default();
        self.gaps.clear();
        self.empty.clear();
        self.sealed = None;
    }

    /// Goes on from a checkpoint. False if it doesn't fit the log.
    fn read_from_checkpoint(&mut self, checkpoint: Checkpoint) -> io::Result<bool> {
        let (from, offset) = checkpoint.covers;
        let fits = |(number, epoch): (&SegmentNo, &u64)| {
            self.opened
                .get(number)
                .is_none_or(|opened| opened.segment.epoch == *epoch)
        };
        let fits = checkpoint.epochs.iter().all(fits)
            && checkpoint.epochs.contains_key(&from)
            && self
                .opened
                .get(&from)
                .is_some_and(|opened| offset <= opened.len);
        self.last_id = self.last_id.max(checkpoint.last_id);
        if !fits {
            // It is of before the last segments left; so it goes, and is no damage.
            return Ok(false);
        }
        self.index = checkpoint.index;
        self.next_batch = self.next_batch.max(checkpoint.next_batch);
        self.read_segments(from, offset)?;
        let whole = self.index.after(None).all(|(_, entry)| {
            self.opened.contains_key(&entry.base.place.segment)
                && entry
                    .change()
                    .is_none_or(|c| self.opened.contains_key(&c.place.segment))
        });
        if !whole {
            self.report(What::Checkpoint, checkpoint::path(self.options));
        }
        Ok(whole)
    }

    /// Reads all segments from `from` on, that one from `offset` on.
    fn read_segments(&mut self, from: SegmentNo, offset: u64) -> io::Result<()> {
        let numbers: Vec<SegmentNo> = self.opened.range(from..).map(|(n, _)| *n).collect();
        let mut before: Option<SegmentNo> = None;
        // If the first has no frames, what its header says of the one before it must not be lost.
        self.sealed = numbers
            .first()
            .and_then(|first| self.opened[first].header.before);
        for number in numbers {
            let start = if number == from { offset } else { DATA_START };
            let header = self.opened[&number].header;
            if let (Some(before), Some(expected)) = (before, header.before.map(|b| b.number))
                && expected > before
                && !self.opened.contains_key(&expected)
            {
                let folder = self.options.segments_folder();
                self.report(What::Missing, segment::log_path(&folder, expected));
            }
            self.read_segment(number, start)?;
            // One without frames may be of an attempt that failed, and follows nothing.
            if self.empty.last() != Some(&number) {
                before = Some(number);
            }
        }
        Ok(())
    }

    fn read_segment(&mut self, number: SegmentNo, start: u64) -> io::Result<()> {
        let opened = &self.opened[&number];
        let sealed = self.ends.get(&number).copied();
        let sealed_at = sealed.map(|sealed| sealed.end);
        let limit = sealed_at
            .unwrap_or(opened.len)
            .clamp(start, opened.len.max(start));
        let epoch = opened.segment.epoch;
        // A segment is at most 2 GiB.
        let mut octets = vec![0; (limit - start) as usize];
        read_all(&opened.segment.file, &mut octets, start)?;
        let found = scan(&octets, start, epoch);
        let last = found.iter().rev().find_map(|found| match found {
            Found::Frame(frame) => Some((
                frame.at + u64::from(frame.len),
                frame.batch,
                frame.batch_start,
            )),
            Found::Gap(_) => None,
        });
        if sealed_at.is_none() {
            self.write_last_batch_again(number, &octets, start, last)?;
        }
        drop(octets);
        if let Some(sealed_at) = sealed_at
            && let Some(lost) = missing_end(&found, start, sealed_at)
        {
            self.gaps.push((number, lost, What::Damaged));
        }
        let has_frames = last.is_some() || start > DATA_START;
        let end = sealed_at.unwrap_or(last.map_or(start, |(end, ..)| end));
        let mut torn = sealed.and_then(|sealed| sealed.torn);
        for found in found {
            match found {
                Found::Frame(frame) => self.apply(number, frame),
                Found::Gap(gap) => {
                    let is_torn = match sealed {
                        Some(_) => torn.is_some_and(|(from, to)| from <= gap.at && gap.end <= to),
                        None => is_torn(&gap, last),
                    };
                    if sealed.is_none() && is_torn && gap.at < end {
                        torn = Some((torn.map_or(gap.at, |(from, _)| from), gap.end));
                    }
                    let what = if is_torn { What::Torn } else { What::Damaged };
                    self.gaps.push((number, gap, what));
                    #[cfg(feature = "planted")]
                    if self.options.has(Planted::CutDamageAsTorn) {
                        break;
                    }
                }
            }
        }
        if has_frames || sealed_at.is_some() {
            self.sealed = Some(Sealed { number, end, torn });
        } else {
            // Its header says where the last one with frames ends, and `ends` has that.
            self.empty.push(number);
        }
        Ok(())
    }

    /// Makes durable what was found in a segment without a successor. `octets` are what was read
    /// from `start` on; `last` is the end, the batch and that batch's start of the last frame.
    ///
    /// After the end of the process alone, what is read may be in the page cache only, and before a
    /// `merged` or `done` frame is acted on (a segment is used again, a body file removed) it must be
    /// on disk. A sync by itself doesn't say so: if one failed in the former run, or the
    /// kernel's own writing did, the pages are marked clean, and another sync succeeds and
    /// means nothing. So the batch is written once more, as it was read: its pages are dirty
    /// again, and the sync speaks of them.
    ///
    /// The last batch of such a segment is all that can be in doubt. A batch is written only after
    /// the one before it was synced, or made zeros again and synced. And where a segment has a
    /// successor, what lies before the end that the successor names had been synced before that
    /// was begun: by `roll` and `void`, for `Current::end` goes forward only with a sync that succeeded;
    /// by a start, for it begins one after this. What a failed sync left behind that end
    /// isn't read.
    fn write_last_batch_again(
        &self,
        number: SegmentNo,
        octets: &[u8],
        start: u64,
        last: Option<(u64, u64, u64)>,
    ) -> io::Result<()> {
        let path = segment::log_path(&self.options.segments_folder(), number);
        let file = self.disk.open(&path, Open::ReadWrite)?;
        if let Some((end, _, batch_start)) = last {
            // With the empty header that follows a batch. All of this lies within `octets`, but
            // for what a frame says of its batch.
            let to = octets.len().min((end - start) as usize + FRAME_HEADER);
            let from = (batch_start.max(start) - start) as usize;
            let batch = &octets[from.min(to)..to];
            file.write_all_at(batch, start + from.min(to) as u64)?;
        }
        // Durability: of what was just written, and of zeros that the former run wrote over a
        // batch that failed.
        file.sync_data()
    }

    fn apply(&mut self, segment: SegmentNo, frame: Frame) {
        self.next_batch = self.next_batch.max(frame.batch + 1);
        let Some(parts) = frame.parts else {
            let gap = Gap {
                at: frame.at,
                end: frame.at + u64::from(frame.len),
                batch: None,
            };
            self.gaps.push((segment, gap, What::Damaged));
            return;
        };
        // The frame is within a segment, which is at most 2 GiB.
        let place = Place {
            segment,
            offset: frame.at as u32,
        };
        let held = Held {
            place,
            len: frame.len,
        };
        for part in parts.into_iter().map(|placed| placed.part) {
            self.last_id = self.last_id.max(part.id.0);
            match part.kind {
                Kind::Accepted | Kind::Merged => {
                    let body_file = matches!(part.body, BodyPlace::File(_));
                    self.index.put(part.id, held, body_file, &part.key);
                }
                // Without its message (damaged, or gone before) it says nothing.
                Kind::Changed => drop(self.index.change(part.id, held, &part.key)),
                Kind::Done => drop(self.index.remove(part.id)),
            }
        }
    }

    /// Copies gaps to the folder for damage. Where that can't be done, for the disk is full or the
    /// folder has many already, they are reported all the same: the start must go on.
    fn set_gaps_aside(&mut self) -> io::Result<()> {
        let folder = self.options.damage_folder();
        let mut room = MOST_SET_ASIDE.saturating_sub(self.disk.list(&folder)?.len());
        for (number, gap, what) in std::mem::take(&mut self.gaps) {
            // It was read, so it is among them.
            let segment = &self.opened[&number].segment;
            let copied = (room > 0)
                .then(|| damage::set_aside(self.disk, &folder, segment, gap.at, gap.end).ok())
                .flatten();
            if matches!(copied, Some((_, false))) {
                // An earlier start has reported it.
                continue;
            }
            room = room.saturating_sub(1);
            self.reports.push(Report {
                what,
                file: segment::log_path(&self.options.segments_folder(), number),
                offset: gap.at,
                octets: gap.end - gap.at,
                set_aside: copied.map(|(path, _)| path),
            });
        }
        Ok(())
    }

    /// Removes body files without a record, and reports records without their file. Where part of
    /// the log is damaged the record may have been there, so the file is set aside.
    fn compare_bodies(&mut self) -> io::Result<()> {
        let folder = self.options.bodies_folder();
        let damaged = self
            .reports
            .iter()
            .any(|r| matches!(r.what, What::Damaged | What::Segment | What::Missing));
        let mut present = BTreeSet::new();
        for entry in self.disk.list(&folder)? {
            let name = entry.path.file_name().and_then(|name| name.to_str());
            let Some(id) = name.and_then(|name| name.parse::<QueueId>().ok()) else {
                continue;
            };
            if self
                .index
                .get(id)
                .is_some_and(|entry| entry.has_body_file())
            {
                present.insert(id);
            } else {
                let kept = self.options.damage_folder().join(id.to_string());
                if damaged {
                    self.disk.rename(&entry.path, &kept)?;
                    self.disk.sync_dir(&self.options.damage_folder())?;
                } else {
                    self.disk.remove(&entry.path)?;
                }
            }
        }
        let missing: Vec<QueueId> = self
            .index
            .after(None)
            .filter(|(id, entry)| entry.has_body_file() && !present.contains(id))
            .map(|(id, _)| id)
            .collect();
        for id in missing {
            self.index.set_damaged(id);
            self.report(What::Body(id), folder.join(id.to_string()));
        }
        Ok(())
    }

    fn report(&mut self, what: What, file: PathBuf) {
        self.reports.push(Report {
            what,
            file,
            offset: 0,
            octets: 0,
            set_aside: None,
        });
    }
}

/// What is missing at the end of a segment that is known to end at `sealed_at`: there a frame ended,
/// so zeros in front of it are no empty end.
fn missing_end(found: &[Found], start: u64, sealed_at: u64) -> Option<Gap> {
    let at = match found.last() {
        None => start,
        Some(Found::Frame(frame)) => frame.at + u64::from(frame.len),
        Some(Found::Gap(_)) => return None,
    };
    (at < sealed_at).then_some(Gap {
        at,
        end: sealed_at,
        batch: None,
    })
}

/// Whether a gap can be of the last batch, which nobody was told of if it isn't whole. `last` is
/// the end, the batch and that batch's start of the last frame that verifies.
fn is_torn(gap: &Gap, last: Option<(u64, u64, u64)>) -> bool {
    let Some((end, batch, batch_start)) = last else {
        return true;
    };
    match gap.batch {
        // Its own header says of which batch it is.
        Some(own) => own >= batch,
        // A later batch than the one it is in would have been begun only after that one was
        // acknowledged or void.
        None => gap.at >= end || gap.at >= batch_start,
    }
}

fn read_all<F: DiskFile>(file: &F, octets: &mut [u8], offset: u64) -> io::Result<()> {
    match file.read_exact_at(octets, offset) {
        // A file that was cut: what is missing reads as zeros, and so as a gap.
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        result => result,
    }
}
