//! The index written down, so that a start reads only what the log has grown by since.
//!
//! It is written in pieces, and mail goes on between them: a message may be in it as it is when its
//! piece is written, or not be in it, though the log says otherwise up to the place where the checkpoint
//! began. What the log says behind that place is read after the checkpoint, from there on and in its
//! order, and says again what the pieces saw of it: the last frames of a message decide, whatever
//! of it was known before.
//!
//! A checkpoint is never needed: what it says is in the log too. One that is missing, damaged, or
//! speaks of segments that are gone is passed over, and the whole log is read.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use crc32c::{crc32c, crc32c_append, crc32c_combine};
use postroad_clock::UnixMs;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_reply::QueueId;

use crate::damage;
use crate::frame::{Key, u32_at, u64_at};
use crate::index::{Entry, Held, Index, Place};
use crate::options::Options;
use crate::segment::{self, SegmentNo};
use crate::shared::{Core, Shared};

const NAME: &str = "checkpoint";
const MAGIC: &[u8; 8] = b"PRSPCKPT";
/// The version of the format of checkpoints.
const VERSION: u32 = 1;
const HEADER: usize = 64;
/// An entry without its route: id, two places, due, flags, length of the route.
const ENTRY: usize = 42;
/// The octet of flags has four, and above them four bits of the route's length.
const LENGTH_BITS: u32 = 4;
/// A route is a domain, which `limits.domain` keeps to 1024 octets, or names one with a few octets more.
const LONGEST_ROUTE: usize = 0xFFF;

/// What a checkpoint begins with.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The header and the list of segments. The number of entries and the checksum are not in it yet.
    head: Vec<u8>,
    /// No message with a later id is written: the log says all of it.
    last: QueueId,
    /// How many messages there are.
    messages: usize,
}

impl Begun {
    /// How long the checkpoint will be, without the names of routes.
    pub(crate) fn least_len(&self) -> u64 {
        (self.head.len() + self.messages * ENTRY) as u64
    }
}

/// A checkpoint on its way to the disk.
#[derive(Debug)]
pub(crate) struct Writing<F> {
    file: F,
    begun: Begun,
    /// The last message that was written.
    cursor: Option<QueueId>,
    entries: u64,
    /// The length and the checksum of the entries.
    len: u64,
    crc: u32,
    /// How much of them was synced.
    synced: u64,
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

/// Begins a checkpoint of all that the log says before `covers`, which must be durable.
pub(crate) fn begin<F>(core: &Core<F>, covers: (SegmentNo, u64), next_batch: u64) -> Begun {
    let mut head = vec![0; HEADER];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[16..20].copy_from_slice(&covers.0.0.to_le_bytes());
    head[24..32].copy_from_slice(&covers.1.to_le_bytes());
    head[32..40].copy_from_slice(&next_batch.to_le_bytes());
    head[40..48].copy_from_slice(&core.last_id.to_le_bytes());
    head[48..56].copy_from_slice(&(core.log.segments.len() as u64).to_le_bytes());
    for (number, segment) in &core.log.segments {
        head.extend_from_slice(&number.0.to_le_bytes());
        head.extend_from_slice(&segment.epoch.to_le_bytes());
    }
    Begun {
        head,
        last: QueueId(core.last_id),
        messages: core.index.len(),
    }
}

impl<F: DiskFile> Writing<F> {
    /// Starts to write beside the former checkpoint, which stays until this one is whole.
    pub(crate) fn start<D>(shared: &Shared<D>, begun: Begun) -> io::Result<Writing<F>>
    where
        D: Disk<File = F>,
    {
        let file = damage::begin_whole(&shared.disk, &shared.options.folder, NAME)?;
        file.write_all_at(&begun.head, 0)?;
        Ok(Writing {
            file,
            begun,
            cursor: None,
            entries: 0,
            len: 0,
            crc: 0,
            synced: 0,
        })
    }

    /// Writes the next piece; true once that was the last.
    pub(crate) fn go_on<D: Disk<File = F>>(&mut self, shared: &Shared<D>) -> io::Result<bool> {
        let most = shared.options.checkpoint_piece;
        let (octets, written) = self.next_piece(&shared.core().index, most);
        let at = self.begun.head.len() as u64 + self.len;
        self.file.write_all_at(&octets, at)?;
        self.entries += written as u64;
        self.len += octets.len() as u64;
        self.crc = crc32c_append(self.crc, &octets);
        if written == most {
            if self.len - self.synced >= segment::SYNCED {
                // As with zeros: behind all of it at once a batch of mail would wait for long.
                self.file.sync_data()?;
                self.synced = self.len;
            }
            return Ok(false);
        }
        let head = self.whole_head();
        self.file.write_all_at(&head, 0)?;
        damage::end_whole(&shared.disk, &shared.options.folder, NAME, &self.file)?;
        Ok(true)
    }

    /// At most so many entries as octets, and how many they are.
    fn next_piece(&mut self, index: &Index, most: usize) -> (Vec<u8>, usize) {
        let mut octets = Vec::new();
        let mut written = 0;
        let last = self.begun.last;
        let entries = index.after(self.cursor).take_while(|(id, _)| *id <= last);
        for (id, entry) in entries.take(most) {
            encode_entry(&mut octets, id, entry, index);
            self.cursor = Some(id);
            written += 1;
        }
        (octets, written)
    }

    fn whole_head(&self) -> Vec<u8> {
        let mut head = self.begun.head.clone();
        head[56..64].copy_from_slice(&self.entries.to_le_bytes());
        // What is in memory fits a usize.
        let crc = crc32c_combine(crc32c(&head), self.crc, self.len as usize);
        head[12..16].copy_from_slice(&crc.to_le_bytes());
        head
    }
}

fn encode_entry(octets: &mut Vec<u8>, id: QueueId, entry: &Entry, index: &Index) {
    let due = index.due_by(entry);
    let (at, route) = due.map_or((0, ""), |(at, route)| (at.0, route));
    let change = entry.change().unwrap_or(Held {
        len: 0,
        ..entry.base
    });
    let flags = [
        due.is_some(),
        entry.is_held(),
        entry.is_waiting(),
        entry.has_body_file(),
    ];
    let flags = flags
        .iter()
        .rev()
        .fold(0u8, |bits, flag| bits << 1 | u8::from(*flag));
    let route = &route[..route.floor_char_boundary(LONGEST_ROUTE)];
    let [len, high] = (route.len() as u16).to_le_bytes();
    let mut fixed = [0; ENTRY];
    fixed[..8].copy_from_slice(&id.0.to_le_bytes());
    for (held, fixed) in [entry.base, change].iter().zip(fixed[8..].chunks_mut(12)) {
        fixed[..4].copy_from_slice(&held.place.segment.0.to_le_bytes());
        fixed[4..8].copy_from_slice(&held.place.offset.to_le_bytes());
        fixed[8..].copy_from_slice(&held.len.to_le_bytes());
    }
    fixed[32..40].copy_from_slice(&at.to_le_bytes());
    fixed[40..].copy_from_slice(&[flags | high << LENGTH_BITS, len]);
    octets.extend_from_slice(&fixed);
    octets.extend_from_slice(route.as_bytes());
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
    let flags = fixed[40];
    let len = u16::from_le_bytes([fixed[41], flags >> LENGTH_BITS]);
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
        let begun = begin(&self.shared.core(), covers, self.next_batch);
        self.grown = 0;
        self.last_checkpoint = begun.least_len();
        self.shared.chores.write_checkpoint(begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A route may be longer than a domain: `smtp://host:port` names one, and `limits.domain` may be raised.
    #[test]
    fn an_entry_is_read_as_it_was_written_whatever_its_route() {
        for len in [0, 1, 255, 256, 1100, LONGEST_ROUTE] {
            let key = Key {
                due: Some((UnixMs(7), "r".repeat(len))),
                held: true,
                waiting: len == 256,
            };
            let id = QueueId(5);
            let base = Held {
                place: Place {
                    segment: SegmentNo(3),
                    offset: 8192,
                },
                len: 40,
            };
            let mut index = Index::default();
            index.put(id, base, true, &key);
            let mut octets = Vec::new();
            let entry = index.get(id).expect("it was put there");
            encode_entry(&mut octets, id, entry, &index);
            let mut read = Index::default();
            let rest = decode_entry(&octets, &mut read);
            assert_eq!(rest, Some(&[][..]), "{len}");
            let entry = read.get(id).expect("it was read");
            assert_eq!((read.key(entry), entry.base), (key, base), "{len}");
            assert!(entry.has_body_file(), "{len}");
        }
    }
}
