//! The file systems of this machine.

use std::fmt;
use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, ReadWriteFlags, retry_on_intr};

use super::{DirEntry, Disk, DiskFile, Open, Space, ZEROS};

/// The unit in which [`RealFile::allocate`] asks for room where the file system can't be asked.
/// No file system in use has a smaller one than it reserves by.
const BLOCK: u64 = 512;
/// How many times [`ZEROS`] are written by one call: 256 KiB. The more a call writes, the larger are the pieces in
/// which the system's cache keeps it, and the less work is each page (docs/benchmarks.md).
const ZEROS_AT_ONCE: usize = 4;

/// The file systems of this machine. New files are 0600 and new folders 0700, or less under a
/// stricter umask.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = RealFile;
    type Lock = RealLock;

    fn open(&self, path: &Path, how: Open) -> io::Result<RealFile> {
        let flags = match how {
            Open::Read => OFlags::RDONLY,
            Open::ReadWrite => OFlags::RDWR,
            Open::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        open(path, flags).map(RealFile)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::rename(from, to)?)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlink(path)?)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = fs::read_dir(path)?
            .map(|entry| {
                let entry = entry?;
                Ok(DirEntry {
                    path: entry.path(),
                    is_dir: entry.file_type()?.is_dir(),
                })
            })
            .collect::<io::Result<Vec<_>>>()?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // fsync(2): the names of a folder are durable when the folder itself was synced.
        let folder = open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(retry_on_intr(|| rustix::fs::fsync(&folder))?)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = retry_on_intr(|| rustix::fs::statvfs(path))?;
        Ok(Space {
            free_octets: found.f_bavail.saturating_mul(found.f_frsize),
            // A file system that makes inodes as it goes (btrfs) says 0 of 0.
            free_inodes: match found.f_files {
                0 => u64::MAX,
                _ => found.f_favail,
            },
        })
    }

    fn lock(&self, path: &Path) -> io::Result<RealLock> {
        let file = open(path, OFlags::RDWR | OFlags::CREATE)?;
        retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive))?;
        Ok(RealLock { _file: file })
    }
}

fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let owner_only = Mode::RUSR | Mode::WUSR;
    let opened = retry_on_intr(|| rustix::fs::open(path, flags | OFlags::CLOEXEC, owner_only))?;
    Ok(opened)
}

/// An open file.
#[derive(Debug)]
pub struct RealFile(OwnedFd);

impl DiskFile for RealFile {
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| {
            rustix::io::pwrite(&self.0, octets, offset)
        })?)
    }

    fn write_zeros_at(&self, most: usize, offset: u64) -> io::Result<usize> {
        let zeros = [IoSlice::new(&ZEROS); ZEROS_AT_ONCE];
        match (most / ZEROS.len()).min(ZEROS_AT_ONCE) {
            0 => self.write_at(&ZEROS[..most], offset),
            whole => Ok(retry_on_intr(|| {
                rustix::io::pwritev(&self.0, &zeros[..whole], offset)
            })?),
        }
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| {
            rustix::io::pread(&self.0, &mut *into, offset)
        })?)
    }

    fn read_at_once(&self, into: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        let read = retry_on_intr(|| {
            let mut into = [IoSliceMut::new(&mut *into)];
            rustix::io::preadv2(&self.0, &mut into, offset, ReadWriteFlags::NOWAIT)
        });
        match read {
            Ok(n) => Ok(Some(n)),
            // preadv2(2): it isn't in memory, or the file system doesn't tell, or the kernel never does.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        // fdatasync(2) leaves out what reading back doesn't need, and the length isn't that. A
        // sync that was interrupted has told nothing of its pages, unlike one that failed.
        Ok(retry_on_intr(|| rustix::fs::fdatasync(&self.0))?)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::ftruncate(&self.0, len))?)
    }

    fn len(&self) -> io::Result<u64> {
        // A file's length is never negative.
        Ok(rustix::fs::fstat(&self.0)?.st_size.unsigned_abs())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        let asked =
            retry_on_intr(|| rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, len));
        match asked {
            Err(Errno::OPNOTSUPP) => self.write_every_block(len),
            other => Ok(other?),
        }
    }
}

impl RealFile {
    /// Takes room by writing: each block's last octet below `len` gets the value it has.
    fn write_every_block(&self, len: u64) -> io::Result<()> {
        for end in (BLOCK..len).step_by(BLOCK as usize).chain([len]) {
            let mut octet = [0];
            self.read_at(&mut octet, end - 1)?;
            self.write_all_at(&octet, end - 1)?;
        }
        Ok(())
    }
}

/// A lock, held by an open file: it ends with the process, however that ends.
pub struct RealLock {
    _file: OwnedFd,
}

impl fmt::Debug for RealLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RealLock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// `f_type` of ext4 (statfs(2)).
    const EXT4: rustix::fs::FsWord = 0xef53;

    #[test]
    fn files_and_folders_are_the_owners_alone() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let folder = root.path().join("a/b");
        RealDisk.create_dir_all(&folder)?;
        RealDisk.create_dir_all(&folder)?;
        RealDisk.open(&folder.join("file"), Open::CreateNew)?;
        let _lock = RealDisk.lock(&folder.join("lock"))?;
        let mode = |path: &str| {
            fs::metadata(root.path().join(path)).map(|found| found.permissions().mode() & 0o777)
        };
        assert_eq!(mode("a")?, 0o700);
        assert_eq!(mode("a/b")?, 0o700);
        assert_eq!(mode("a/b/file")?, 0o600);
        assert_eq!(mode("a/b/lock")?, 0o600);
        Ok(())
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_is_dropped() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let path = root.path().join("lock");
        let held = RealDisk.lock(&path)?;
        let second = RealDisk.lock(&path).map(drop).map_err(|error| error.kind());
        assert_eq!(second, Err(io::ErrorKind::WouldBlock));
        drop(held);
        RealDisk.lock(&path).map(drop)
    }

    #[test]
    fn room_is_taken_also_where_the_file_system_cant_be_asked() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let file = RealDisk.open(&root.path().join("file"), Open::CreateNew)?;
        file.write_all_at(b"kept", 510)?;
        file.write_every_block(3 * BLOCK + 1)?;
        assert_eq!(file.len()?, 3 * BLOCK + 1);
        let mut seen = [0; 4];
        file.read_exact_at(&mut seen, 510)?;
        assert_eq!(&seen, b"kept");
        Ok(())
    }

    #[test]
    fn zeros_are_written_from_here_to_there_and_nowhere_else() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let file = RealDisk.open(&root.path().join("file"), Open::CreateNew)?;
        // More than one call writes, and no multiple of what is there to write from.
        let len = (ZEROS_AT_ONCE + 2) * ZEROS.len() + 1000;
        file.write_all_at(&vec![b'x'; len], 0)?;
        file.write_zeros(3, len as u64 - 5)?;
        let mut seen = vec![0; len];
        file.read_exact_at(&mut seen, 0)?;
        let (before, zeros) = seen.split_at(3);
        let (zeros, behind) = zeros.split_at(zeros.len() - 5);
        assert_eq!((before, behind), (&b"xxx"[..], &b"xxxxx"[..]));
        assert!(zeros.iter().all(|octet| *octet == 0));
        assert_eq!(file.len()?, len as u64);
        Ok(())
    }

    #[test]
    fn what_was_just_written_can_be_read_at_once_or_not_told() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let file = RealDisk.open(&root.path().join("file"), Open::CreateNew)?;
        file.write_all_at(b"octets", 5)?;
        let mut seen = [0; 9];
        let read = file.read_at_once(&mut seen, 5)?;
        if let Some(n) = read {
            assert_eq!(&seen[..n], b"octets");
        }
        let tells = rustix::fs::fstatfs(&file.0)?.f_type == EXT4;
        assert!(read.is_some() || !tells, "ext4 tells (preadv2(2))");
        assert!(matches!(file.read_at_once(&mut seen, 11)?, None | Some(0)));
        Ok(())
    }

    #[test]
    fn space_is_told() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let space = RealDisk.space(root.path())?;
        assert!(space.free_octets > 0 && space.free_inodes > 0);
        Ok(())
    }
}
