//! Octets that are no frame where one should be: set aside and reported, never passed over.

use std::io;
use std::path::{Path, PathBuf};

use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_reply::QueueId;

use crate::segment::Segment;

/// At most so many octets of one gap are set aside; what is behind is what an earlier use of the
/// segment left.
const MOST: u64 = 4 * 1024 * 1024;

/// Something the operator needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub what: What,
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many octets.
    pub octets: u64,
    /// Where a copy of them is; none if it couldn't be made.
    pub set_aside: Option<PathBuf>,
}

/// What a [`Report`] is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The end of a batch that was being written when the process or the machine stopped.
    /// Nothing in it was acknowledged.
    Torn,
    /// Octets that were on disk have changed: what they said is lost, if their copy doesn't help.
    Damaged,
    /// A message can't be read. It is not delivered.
    Message(QueueId),
    /// A message's body file is missing or damaged.
    Body(QueueId),
    /// One of the two headers of a segment is damaged; the other serves.
    Header,
    /// A segment can't be read at all.
    Segment,
    /// A segment is missing.
    Missing,
    /// A checkpoint can't be used; the whole log was read instead.
    Checkpoint,
    /// A write or sync failed; the words are the system's.
    Disk(String),
    /// Nothing can be written any more.
    ReadOnly,
    /// Writing works again.
    Recovered,
}

/// Copies octets of a segment to the folder for damage. True if they were not there before.
pub(crate) fn set_aside<D: Disk>(
    disk: &D,
    folder: &Path,
    segment: &Segment<D::File>,
    at: u64,
    end: u64,
) -> io::Result<(PathBuf, bool)> {
    // The name says which use of which segment, so that the same gap is reported once only.
    let name = format!("{:08x}-{:016x}-{at:08x}", segment.number.0, segment.epoch);
    let path = folder.join(&name);
    if disk.exists(&path)? {
        return Ok((path, false));
    }
    let len = (end - at).min(MOST);
    let mut octets = vec![0; usize::try_from(len).unwrap_or(0)];
    let mut read = 0;
    while read < octets.len() {
        match segment.file.read_at(&mut octets[read..], at + read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    write_whole(disk, folder, &name, &octets[..read])?;
    Ok((path, true))
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole<D: Disk>(
    disk: &D,
    folder: &Path,
    name: &str,
    octets: &[u8],
) -> io::Result<()> {
    let file = begin_whole(disk, folder, name)?;
    file.write_all_at(octets, 0)?;
    end_whole(disk, folder, name, &file)
}

/// Begins a file that gets its name when it is whole.
pub(crate) fn begin_whole<D: Disk>(disk: &D, folder: &Path, name: &str) -> io::Result<D::File> {
    let unfinished = unfinished(folder, name);
    if disk.exists(&unfinished)? {
        disk.remove(&unfinished)?;
    }
    disk.open(&unfinished, Open::CreateNew)
}

/// Gives a file its name, in the place of what had it.
pub(crate) fn end_whole<D: Disk>(
    disk: &D,
    folder: &Path,
    name: &str,
    file: &D::File,
) -> io::Result<()> {
    // Durability: octets before their name, and both before the caller goes on.
    file.sync_data()?;
    disk.rename(&unfinished(folder, name), &folder.join(name))?;
    disk.sync_dir(folder)
}

fn unfinished(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.new"))
}
