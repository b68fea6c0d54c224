//! An open file of a simulated disk.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use super::names::Inode;
use super::state::State;
use super::{Ask, Call, SimDisk};
use crate::disk::{DiskFile, Open};

/// An open file of a simulated disk.
pub struct SimFile {
    disk: SimDisk,
    inode: Inode,
    /// The name it was opened by, for the log.
    path: Arc<Path>,
    writable: bool,
}

impl SimFile {
    pub(super) fn new(disk: SimDisk, inode: Inode, path: &Path, how: Open) -> SimFile {
        SimFile {
            disk,
            inode,
            path: path.into(),
            writable: how != Open::Read,
        }
    }

    fn ask(&self, call: Call, offset: u64, len: u64) -> Ask<'_> {
        Ask {
            call,
            path: &self.path,
            inode: Some(self.inode),
            at: (offset, len),
            octets: &[],
        }
    }

    /// A file that was opened to be read only can't be changed.
    fn change(
        &self,
        ask: Ask<'_>,
        effect: impl FnOnce(&mut State, bool) -> io::Result<u64>,
    ) -> io::Result<u64> {
        if !self.writable {
            return Err(Errno::BADF.into());
        }
        self.disk.change(ask, effect)
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<usize> {
        let len = octets.len() as u64;
        let ask = Ask {
            octets,
            ..self.ask(Call::Write, offset, len)
        };
        let written = self.change(ask, |state, short| {
            let most = match short && len > 1 {
                true => 1 + state.chance.index(octets.len() - 1),
                false => octets.len(),
            };
            state.write(self.inode, &octets[..most], offset)
        })?;
        // No more than there were.
        Ok(written as usize)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let ask = self.ask(Call::Read, offset, into.len() as u64);
        self.disk
            .look(ask, |state| Ok(state.octets(self.inode).read(into, offset)))
    }

    fn read_at_once(&self, into: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        // By the place alone, so that both ways are taken.
        match (offset / 16).is_multiple_of(2) {
            true => self.read_at(into, offset).map(Some),
            false => Ok(None),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.disk.change(self.ask(Call::Sync, 0, 0), |state, _| {
            state.octets(self.inode).sync();
            Ok(0)
        });
        synced.map(drop)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let set = self.change(self.ask(Call::SetLen, 0, len), |state, _| {
            state.set_len(self.inode, len);
            Ok(0)
        });
        set.map(drop)
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.look(self.ask(Call::Look, 0, 0), |state| {
            Ok(state.octets(self.inode).len())
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let allocated = self.change(self.ask(Call::Allocate, 0, len), |state, _| {
            state.allocate(self.inode, len).map(|()| 0)
        });
        allocated.map(drop)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.state().close(self.inode);
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.path.display())
    }
}
