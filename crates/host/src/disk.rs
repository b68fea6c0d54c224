//! The seam under everything that must survive a power cut.
//!
//! Calls block; callers are threads of their own. A simulated disk keeps what is not yet
//! synced apart from what is, and at a crash loses or tears the former.

pub mod real;
pub mod sim;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file system, or the part of one below a folder.
///
/// A name made, moved or removed is durable only after [`sync_dir`](Disk::sync_dir) of its folder;
/// octets only after [`sync_data`](DiskFile::sync_data) of their file.
pub trait Disk: Clone + fmt::Debug + Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;
    /// Held for as long as this process owns a folder; dropped, it is free.
    type Lock: fmt::Debug + Send + Sync + 'static;

    /// Opens a file for reading and, unless `how` is [`Open::Read`], writing.
    fn open(&self, path: &Path, how: Open) -> io::Result<Self::File>;
    /// Gives a file another name in the same file system, over what had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a file's name away; `NotFound` if there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder, and those above it, readable by the owner alone. Those that are there are
    /// left as they are. A new folder's name is durable after a sync of the folder above it.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The entries of a folder, sorted by name.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// Makes the names of a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Whether there is a file or folder of that name.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// What is free on the file system that holds the folder.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Locks the file, made if it is missing, against other processes; `WouldBlock` if one has it.
    fn lock(&self, path: &Path) -> io::Result<Self::Lock>;
}

/// An open file. Writes at an offset don't move anything else.
pub trait DiskFile: fmt::Debug + Send + Sync + 'static {
    /// Writes some of `octets`; how many, as the system call says (it may be fewer).
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<usize>;
    /// Reads some octets; 0 at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Reads some octets as [`read_at`](Self::read_at) does, if the disk needn't be waited for; none if it has to be, or
    /// if that can't be told.
    fn read_at_once(&self, into: &mut [u8], offset: u64) -> io::Result<Option<usize>>;
    /// Makes the octets, and the length, durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts the file or makes it longer with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// How long it is.
    fn len(&self) -> io::Result<u64>;
    /// Reserves room for the first `len` octets, so that writing there can't run out of it. A
    /// shorter file becomes so long, with zeros. Nobody else may write there meanwhile.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Whether it has no octets.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes all of `octets`, going on after short writes.
    fn write_all_at(&self, mut octets: &[u8], mut offset: u64) -> io::Result<()> {
        while !octets.is_empty() {
            match self.write_at(octets, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    octets = &octets[n..];
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Writes some zeros, at most `most`; how many.
    fn write_zeros_at(&self, most: usize, offset: u64) -> io::Result<usize> {
        self.write_at(&ZEROS[..ZEROS.len().min(most)], offset)
    }

    /// Writes zeros from `from` up to `to`, going on after short writes.
    fn write_zeros(&self, mut from: u64, to: u64) -> io::Result<()> {
        while from < to {
            let left = usize::try_from(to - from).unwrap_or(usize::MAX);
            match self.write_zeros_at(left, from) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => from += n as u64,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Fills `into`; `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !into.is_empty() {
            match self.read_at(into, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    into = &mut into[n..];
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// What files are filled with, piece by piece. It is part of the program, so that no memory is taken for it.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// An existing one, to read.
    Read,
    /// An existing one, to read and write.
    ReadWrite,
    /// A new one, readable by the owner alone; `AlreadyExists` if the name is taken.
    CreateNew,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The whole path.
    pub path: PathBuf,
    /// A folder, not a file.
    pub is_dir: bool,
}

/// What is free on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Octets an unprivileged writer can still use.
    pub free_octets: u64,
    /// Files that can still be made; `u64::MAX` where the file system has no such limit.
    pub free_inodes: u64,
}
