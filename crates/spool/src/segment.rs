//! Segments: files of a fixed length that the log is written to, one after the other.
//!
//! Octets 0 to 8191 hold the header twice, so that no one damaged block loses a segment; frames
//! follow. A header is written, synced and only then given its `.seg` name: a file of that name
//! without a readable header is damaged, never half made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crc32c::crc32c;
use postroad_host::disk::{Disk, DiskFile, Open};

use crate::frame::{FRAME_HEADER, u32_at, u64_at};

/// The first frame's place.
pub(crate) const DATA_START: u64 = 8192;
/// Where the header's second copy is.
const SECOND_COPY: u64 = 4096;
/// The length of one copy.
const HEADER: usize = 128;
const MAGIC: &[u8; 8] = b"PRSPLSEG";
/// The version of the format of segments and of their frames.
pub(crate) const VERSION: u32 = 1;

/// The number of a segment: later ones are greater, and none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentNo(pub(crate) u32);

/// Where a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Which segment.
    pub(crate) number: SegmentNo,
    /// What lies behind this was never acknowledged.
    pub(crate) end: u64,
    /// What a start found torn before the end, from the first of it to the last.
    pub(crate) torn: Option<(u64, u64)>,
}

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Its number.
    pub(crate) number: SegmentNo,
    /// Seeds all checksums in it; drawn anew at each use.
    pub(crate) epoch: u64,
    /// Where the segment before it ends.
    pub(crate) before: Option<Sealed>,
    /// The first batch it may hold.
    pub(crate) first_batch: u64,
    /// No id up to this one is given again: what had it may have left no trace in the log.
    pub(crate) last_id: u64,
}

/// Why a header can't be used.
#[derive(Debug)]
pub(crate) enum HeaderError {
    /// Written by a later version.
    Newer(u32),
    /// Neither copy verifies.
    Damaged,
    /// It can't be read.
    Io(io::Error),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut octets = [0; HEADER];
        octets[..8].copy_from_slice(MAGIC);
        octets[8..12].copy_from_slice(&VERSION.to_le_bytes());
        octets[16..20].copy_from_slice(&self.number.0.to_le_bytes());
        octets[24..32].copy_from_slice(&self.epoch.to_le_bytes());
        octets[32..40].copy_from_slice(&self.first_batch.to_le_bytes());
        if let Some(before) = self.before {
            octets[40..44].copy_from_slice(&before.number.0.to_le_bytes());
            octets[48..56].copy_from_slice(&before.end.to_le_bytes());
            let (from, to) = before.torn.unwrap_or_default();
            octets[64..72].copy_from_slice(&from.to_le_bytes());
            octets[72..80].copy_from_slice(&to.to_le_bytes());
        }
        octets[56..64].copy_from_slice(&self.last_id.to_le_bytes());
        let crc = crc32c(&octets);
        octets[12..16].copy_from_slice(&crc.to_le_bytes());
        octets
    }

    /// Reads one copy. Octets 0 to 15 (name, version, checksum) keep their place and meaning, and
    /// the header its length, in all versions to come.
    fn decode(octets: &[u8; HEADER]) -> Result<SegmentHeader, HeaderError> {
        let mut unsigned = *octets;
        unsigned[12..16].fill(0);
        if octets[..8] != MAGIC[..] || crc32c(&unsigned) != u32_at(octets, 12) {
            return Err(HeaderError::Damaged);
        }
        match u32_at(octets, 8) {
            VERSION => {}
            newer => return Err(HeaderError::Newer(newer)),
        }
        let before = Sealed {
            number: SegmentNo(u32_at(octets, 40)),
            end: u64_at(octets, 48),
            torn: Some((u64_at(octets, 64), u64_at(octets, 72))).filter(|(from, _)| *from != 0),
        };
        Ok(SegmentHeader {
            number: SegmentNo(u32_at(octets, 16)),
            epoch: u64_at(octets, 24),
            before: Some(before).filter(|before| before.number.0 != 0),
            first_batch: u64_at(octets, 32),
            last_id: u64_at(octets, 56),
        })
    }

    /// Reads the first copy that verifies. The second value is false if the other doesn't.
    pub(crate) fn read<F: DiskFile>(file: &F) -> Result<(SegmentHeader, bool), HeaderError> {
        let mut copies = [0, SECOND_COPY].map(|offset| {
            let mut octets = [0; HEADER];
            match file.read_exact_at(&mut octets, offset) {
                Ok(()) => SegmentHeader::decode(&octets),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(HeaderError::Damaged),
                Err(e) => Err(HeaderError::Io(e)),
            }
        });
        let second = std::mem::replace(&mut copies[1], Err(HeaderError::Damaged));
        let first = std::mem::replace(&mut copies[0], Err(HeaderError::Damaged));
        match (first, second) {
            (Err(HeaderError::Newer(v)), _) | (_, Err(HeaderError::Newer(v))) => {
                Err(HeaderError::Newer(v))
            }
            (Ok(header), second) => Ok((header, second.is_ok())),
            (Err(_), Ok(header)) => Ok((header, false)),
            (Err(HeaderError::Io(e)), _) | (_, Err(HeaderError::Io(e))) => Err(HeaderError::Io(e)),
            (Err(HeaderError::Damaged), Err(HeaderError::Damaged)) => Err(HeaderError::Damaged),
        }
    }
}

/// An open segment. Whoever holds it keeps it from being recycled.
#[derive(Debug)]
pub(crate) struct Segment<F> {
    /// Its number.
    pub(crate) number: SegmentNo,
    /// Its epoch.
    pub(crate) epoch: u64,
    /// Its file.
    pub(crate) file: F,
}

/// What the name of a file in the folder of segments says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileRole {
    /// Part of the log.
    Log(SegmentNo),
    /// Free for use: full length, its room taken.
    Free(SegmentNo),
    /// Being made when the process ended.
    Unfinished,
}

/// Reads a file's name; none if it is none of ours.
pub(crate) fn file_role(path: &Path) -> Option<FileRole> {
    let stem = path.file_stem()?.to_str()?;
    let number = u32::from_str_radix(stem, 16)
        .ok()
        .filter(|_| stem.len() == 8);
    match (path.extension()?.to_str()?, number) {
        ("seg", Some(number)) => Some(FileRole::Log(SegmentNo(number))),
        ("free", Some(number)) => Some(FileRole::Free(SegmentNo(number))),
        ("new", _) => Some(FileRole::Unfinished),
        _ => None,
    }
}

/// The path of a segment of the log.
pub(crate) fn log_path(folder: &Path, number: SegmentNo) -> PathBuf {
    folder.join(format!("{:08x}.seg", number.0))
}

/// The path of a free file.
pub(crate) fn free_path(folder: &Path, number: SegmentNo) -> PathBuf {
    folder.join(format!("{:08x}.free", number.0))
}

/// How the zeros of a free file are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zeros {
    /// Written: the sync of a batch then changes no metadata, and is one flush.
    Written,
    /// Only their room is taken, which takes a moment. The sync of a batch has the file system's journal
    /// flushed, too; where mail comes so fast that it can't wait for written ones, batches are long
    /// and flushes few.
    Reserved,
}

/// Makes a free file of `len` zeros. `number` must be new.
pub(crate) fn make_free<D: Disk>(
    disk: &D,
    folder: &Path,
    number: SegmentNo,
    len: u64,
    zeros: Zeros,
) -> io::Result<()> {
    let unfinished = folder.join(format!("{:08x}.new", number.0));
    let made = fill(disk, &unfinished, len, zeros);
    if let Err(e) = made {
        // What was allocated goes back; if even that fails, the next start removes it.
        let _ = disk.remove(&unfinished);
        return Err(e);
    }
    disk.rename(&unfinished, &free_path(folder, number))?;
    // Durability: the name may be lost here without harm (a start removes `.new` files). It is
    // made durable before the file's first frame, when `activate` syncs the folder.
    disk.sync_dir(folder)
}

/// So many octets that nobody waits for go to the disk at once.
pub(crate) const SYNCED: u64 = 4 << 20;

/// Fills a new file with zeros.
fn fill<D: Disk>(disk: &D, path: &Path, len: u64, how: Zeros) -> io::Result<()> {
    let file = disk.open(path, Open::CreateNew)?;
    file.allocate(len)?;
    let mut at = match how {
        Zeros::Written => 0,
        Zeros::Reserved => len,
    };
    while at < len {
        let end = len.min(at + SYNCED);
        file.write_zeros(at, end)?;
        // The disk takes one thing after another: behind a whole segment of zeros a batch of mail would
        // wait for as long as these take.
        file.sync_data()?;
        at = end;
    }
    // Durability: the length and the room are on disk before the first frame is, so that a start finds the
    // file whole and a batch has no room to run out of. The octets of a batch, and where they are first
    // written what says that they are no zeros any more, get there by the batch's own sync.
    file.sync_data()
}

/// Makes a free file the newest segment of the log.
pub(crate) fn activate<D: Disk>(
    disk: &D,
    folder: &Path,
    free: SegmentNo,
    header: &SegmentHeader,
) -> io::Result<Arc<Segment<D::File>>> {
    let from = free_path(folder, free);
    let file = disk.open(&from, Open::ReadWrite)?;
    let mut octets = header.encode().to_vec();
    octets.resize(SECOND_COPY as usize, 0);
    octets.extend_from_slice(&header.encode());
    octets.resize(DATA_START as usize, 0);
    // An empty frame header: what an earlier use left begins with nothing that is of this use.
    octets.resize(DATA_START as usize + FRAME_HEADER, 0);
    file.write_all_at(&octets, 0)?;
    // Durability: the header (the epoch, and where the segment before ends) is on disk before
    // the name is, and the name before any frame of it is acknowledged: a start never sees
    // frames without their epoch, nor takes frames behind the former segment's end for good.
    file.sync_data()?;
    disk.rename(&from, &log_path(folder, header.number))?;
    if let Err(e) = disk.sync_dir(folder) {
        // It holds no frames. If it is there at the next start all the same, it is found empty.
        let _ = disk.remove(&log_path(folder, header.number));
        return Err(e);
    }
    Ok(Arc::new(Segment {
        number: header.number,
        epoch: header.epoch,
        file,
    }))
}

/// Takes the oldest segment out of the log, for use again.
pub(crate) fn retire<D: Disk>(disk: &D, folder: &Path, number: SegmentNo) -> io::Result<()> {
    let path = log_path(folder, number);
    // Where the sync failed last time, the name has been changed already.
    if disk.exists(&path)? {
        disk.rename(&path, &free_path(folder, number))?;
    }
    // Durability: segments leave oldest first, and each departure is on disk before the next
    // begins. If a younger one could be gone while an older one came back after a crash, the
    // older one's frames would come back without the `done` frames that end them.
    disk.sync_dir(folder)
}

/// The epoch a free file had when it was last used, for a fault put in on purpose.
#[cfg(feature = "planted")]
pub(crate) fn epoch_of_free<D: Disk>(disk: &D, folder: &Path, free: SegmentNo) -> Option<u64> {
    let file = disk.open(&free_path(folder, free), Open::Read).ok()?;
    SegmentHeader::read(&file)
        .ok()
        .map(|(header, _)| header.epoch)
}
