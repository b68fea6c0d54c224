//! The index written down, so that a start reads only what the log has grown by since.
//!
//! A checkpoint is never needed: what it says is in the log too. One that is missing, damaged, or
//! speaks of segments that are gone is passed over, and the whole log is read.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use crc32c::crc32c;
use postroad_clock::UnixMs;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_reply::QueueId;

use crate::damage;
use crate::frame::{Key, u32_at, u64_at};
use crate::index::{Held, Index, Place};
use crate::options::Options;
use crate::segment::SegmentNo;
use crate::shared::{Core, Shared};

const NAME: &str = "checkpoint";
const MAGIC: &[u8; 8] = b"PRSPCKPT";
/// The version of the format of checkpoints.
const VERSION: u32 = 1;
const HEADER: usize = 64;
/// An entry without its route: id, two places, due, flags, length of the route.
const ENTRY: usize = 42;

/// The index at one moment, as octets.
#[derive(Debug)]
pub(crate) struct Snapshot(Vec<u8>);

impl Snapshot {
    /// How long it is.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

/// A checkpoint that was read.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// The index.
    pub(crate) index: Index,
    /// From where on the log says more.
    pub(crate) covers: (SegmentNo, u64),
    /// The epochs of the segments there were.
    pub(crate) epochs: BTreeMap<SegmentNo, u64>,
    /// The first batch it knows nothing of.
    pub(crate) next_batch: u64,
    /// The greatest id ever given, as far as was known.
    pub(crate) last_id: u64,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum NoCheckpoint {
    /// There is no file.
    Missing,
    /// It doesn't verify, or can't be read.
    Damaged,
    /// Written by a later version.
    Newer(u32),
}

/// Where it is.
pub(crate) fn path(options: &Options) -> PathBuf {
    options.folder.join(NAME)
}

/// Takes the index down. All it says must be durable.
pub(crate) fn take<F>(
    core: &Core<F>,
    covers: (SegmentNo, u64),
    next_batch: u64,
    last_id: u64,
) -> Snapshot {
    let mut octets = vec![0; HEADER];
    octets[..8].copy_from_slice(MAGIC);
    octets[8..12].copy_from_slice(&VERSION.to_le_bytes());
    octets[16..20].copy_from_slice(&covers.0.0.to_le_bytes());
    octets[24..32].copy_from_slice(&covers.1.to_le_bytes());
    octets[32..40].copy_from_slice(&next_batch.to_le_bytes());
    octets[40..48].copy_from_slice(&last_id.to_le_bytes());
    octets[48..56].copy_from_slice(&(core.log.segments.len() as u64).to_le_bytes());
    octets[56..64].copy_from_slice(&(core.index.len() as u64).to_le_bytes());
    for (number, segment) in &core.log.segments {
        octets.extend_from_slice(&number.0.to_le_bytes());
        octets.extend_from_slice(&segment.epoch.to_le_bytes());
    }
    for (id, entry) in core.index.after(None) {
        let key = core.index.key(entry);
        let (due, route) = key
            .due
            .as_ref()
            .map_or((0, ""), |(due, route)| (due.0, route));
        let change = entry.change().unwrap_or(Held {
            len: 0,
            ..entry.base
        });
        octets.extend_from_slice(&id.0.to_le_bytes());
        for held in [entry.base, change] {
            octets.extend_from_slice(&held.place.segment.0.to_le_bytes());
            octets.extend_from_slice(&held.place.offset.to_le_bytes());
            octets.extend_from_slice(&held.len.to_le_bytes());
        }
        octets.extend_from_slice(&due.to_le_bytes());
        let flags = [
            key.due.is_some(),
            key.held,
            key.waiting,
            entry.has_body_file(),
        ];
        let flags = flags
            .iter()
            .rev()
            .fold(0u8, |bits, flag| bits << 1 | u8::from(*flag));
        // A route is a domain, at most 255 octets.
        let len = u8::try_from(route.len()).unwrap_or(u8::MAX);
        octets.extend_from_slice(&[flags, len]);
        octets.extend_from_slice(&route.as_bytes()[..usize::from(len)]);
    }
    let crc = crc32c(&octets);
    octets[12..16].copy_from_slice(&crc.to_le_bytes());
    Snapshot(octets)
}

/// Writes a checkpoint in the place of the former, which stays until the new one is whole.
pub(crate) fn write<D: Disk>(shared: &Shared<D>, snapshot: &Snapshot) -> io::Result<()> {
    damage::write_whole(&shared.disk, &shared.options.folder, NAME, &snapshot.0)
}

/// Reads the checkpoint.
pub(crate) fn read<D: Disk>(disk: &D, options: &Options) -> Result<Checkpoint, NoCheckpoint> {
    let path = path(options);
    if !disk.exists(&path).map_err(|_| NoCheckpoint::Damaged)? {
        return Err(NoCheckpoint::Missing);
    }
    let octets = || -> io::Result<Vec<u8>> {
        let file = disk.open(&path, Open::Read)?;
        let len = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut octets = vec![0; len];
        file.read_exact_at(&mut octets, 0)?;
        Ok(octets)
    };
    decode(octets().map_err(|_| NoCheckpoint::Damaged)?)
}

fn decode(mut octets: Vec<u8>) -> Result<Checkpoint, NoCheckpoint> {
    if octets.len() < HEADER || octets[..8] != MAGIC[..] {
        return Err(NoCheckpoint::Damaged);
    }
    let crc = u32_at(&octets, 12);
    octets[12..16].fill(0);
    if crc32c(&octets) != crc {
        return Err(NoCheckpoint::Damaged);
    }
    match u32_at(&octets, 8) {
        VERSION => {}
        newer => return Err(NoCheckpoint::Newer(newer)),
    }
    let mut rest = &octets[HEADER..];
    let mut epochs = BTreeMap::new();
    for _ in 0..u64_at(&octets, 48) {
        let (head, tail) = rest.split_at_checked(12).ok_or(NoCheckpoint::Damaged)?;
        epochs.insert(SegmentNo(u32_at(head, 0)), u64_at(head, 4));
        rest = tail;
    }
    let mut index = Index::default();
    for _ in 0..u64_at(&octets, 56) {
        rest = decode_entry(rest, &mut index).ok_or(NoCheckpoint::Damaged)?;
    }
    Ok(Checkpoint {
        index,
        covers: (SegmentNo(u32_at(&octets, 16)), u64_at(&octets, 24)),
        epochs,
        next_batch: u64_at(&octets, 32),
        last_id: u64_at(&octets, 40),
    })
}

fn decode_entry<'a>(octets: &'a [u8], index: &mut Index) -> Option<&'a [u8]> {
    let (fixed, rest) = octets.split_at_checked(ENTRY)?;
    let held = |at: usize| Held {
        place: Place {
            segment: SegmentNo(u32_at(fixed, at)),
            offset: u32_at(fixed, at + 4),
        },
        len: u32_at(fixed, at + 8),
    };
    let (flags, len) = (fixed[40], fixed[41]);
    let (route, rest) = rest.split_at_checked(usize::from(len))?;
    let route = std::str::from_utf8(route).ok()?.to_owned();
    let key = Key {
        due: (flags & 1 != 0).then(|| (UnixMs(u64_at(fixed, 32)), route)),
        held: flags & 2 != 0,
        waiting: flags & 4 != 0,
    };
    let id = QueueId(u64_at(fixed, 0));
    index.put(id, held(8), flags & 8 != 0, &key);
    let change = held(20);
    if change.len > 0 {
        index.change(id, change, &key);
    }
    Some(rest)
}

impl<D: Disk> crate::committer::Committer<D> {
    /// Takes a checkpoint if the log has grown enough.
    pub(crate) fn take_checkpoint_when_due(&mut self) {
        let interval = self
            .shared
            .options
            .checkpoint_octets
            .max(4 * self.last_checkpoint);
        if self.grown >= interval {
            self.take_checkpoint();
        }
    }

    /// Takes a checkpoint; the housekeeper writes it.
    pub fn take_checkpoint(&mut self) {
        let Some(current) = &self.current else {
            return;
        };
        let covers = (current.segment.number, current.end);
        let snapshot = {
            let core = self.shared.core();
            take(&core, covers, self.next_batch, core.last_id)
        };
        self.grown = 0;
        self.last_checkpoint = snapshot.len();
        self.shared.chores.write_checkpoint(snapshot);
    }
}
