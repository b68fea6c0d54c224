//! A disk in memory that fails as disks do, from a seed.
//!
//! It keeps what is durable apart from what was done since the last sync: for each file its
//! octets, for each folder its names. [`SimDisk::crash`] gives the disk that the machine finds when
//! it starts again: what was synced, and of the rest a random part.
//!
//! What it takes from real file systems:
//! * A sync of a file says nothing of its name, and a sync of a folder nothing of the octets: a
//!   renamed file whose octets were not synced may be there under its new name, empty.
//! * A write is lost, kept, or torn, at sectors of 512 octets or anywhere; the length may get
//!   there without the octets.
//! * A step in a folder (a new name, a name taken away, a rename) is lost or kept whole. A rename
//!   between two folders is two steps.
//! * A sync of a file that fails leaves nothing for the next one to do: that one succeeds, and what
//!   the first should have written is not safe. A sync of a folder that fails has no such effect:
//!   file systems with a journal write names later or stop altogether.

mod fate;
mod file;
mod log;
mod names;
mod octets;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use self::fate::Fate;
pub use self::file::SimFile;
use self::log::{Entry, Outcome};
use self::names::{Inode, Node};
use self::octets::BLOCK;
use self::state::{State, Turn};
use super::{DirEntry, Disk, Open, Space};
use crate::chance::Chance;

/// A simulated disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

/// What can be asked of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`Disk::open`] of a file that is there.
    Open,
    /// [`Disk::open`] of a new file, and [`Disk::lock`] where it makes one.
    Create,
    /// [`DiskFile::write_at`](super::DiskFile::write_at).
    Write,
    /// [`DiskFile::read_at`](super::DiskFile::read_at).
    Read,
    /// [`DiskFile::sync_data`](super::DiskFile::sync_data).
    Sync,
    /// [`DiskFile::set_len`](super::DiskFile::set_len).
    SetLen,
    /// [`DiskFile::allocate`](super::DiskFile::allocate).
    Allocate,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::remove`].
    Remove,
    /// [`Disk::create_dir_all`].
    CreateDir,
    /// [`Disk::sync_dir`].
    SyncDir,
    /// [`Disk::list`], [`Disk::exists`], [`Disk::space`], [`DiskFile::len`](super::DiskFile::len), and
    /// the lock itself.
    Look,
}

impl Call {
    /// Whether it changes what is on the disk. Only such calls are counted, and only in such calls
    /// does the machine go down: before any other is the same as before the next of these.
    pub fn changes(self) -> bool {
        !matches!(self, Call::Open | Call::Read | Call::Look)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// EIO, and nothing is done; but of a file's sync a random part is done, and the rest is never
    /// done again.
    Io,
    /// ENOSPC, and nothing is done; a sync does what it does in [`Wrong::Io`]. File systems that look
    /// for room late say so then.
    NoSpace,
    /// A write writes only a part, at least one octet; anything else goes well.
    Short,
}

/// Something that shall go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// In calls of this kind; in all that change something if none.
    pub on: Option<Call>,
    /// The how-manieth such call from now, the next being 1.
    pub nth: u64,
    /// In how many such calls from there on.
    pub times: u64,
    /// What.
    pub wrong: Wrong,
}

impl Fault {
    fn is_for(&self, call: Call) -> bool {
        self.on.map_or(call.changes(), |on| on == call)
    }
}

impl SimDisk {
    /// An empty disk without bounds. All its luck comes from `seed`.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State::new(Chance::from_seed(seed)))))
    }

    /// Bounds what its files can take, rounded down to blocks of 4096 octets. Names are free.
    pub fn set_capacity(&self, octets: u64) {
        self.state().blocks = octets / BLOCK;
    }

    /// In the `nth` call from now that changes something, the next being 1, the machine goes
    /// down; that call may still take effect, but like all after it it fails. 0 disarms.
    pub fn crash_after(&self, nth: u64) {
        self.state().crash_in = Some(nth).filter(|nth| *nth > 0);
    }

    /// Whether the machine went down.
    pub fn is_down(&self) -> bool {
        self.state().down
    }

    /// The disk that the machine finds when it starts again: nothing armed, nothing locked, the
    /// capacity the same. This one is down from now on.
    pub fn crash(&self, seed: u64) -> SimDisk {
        let mut state = self.state();
        state.down = true;
        SimDisk(Arc::new(Mutex::new(state.crash(Chance::from_seed(seed)))))
    }

    /// The machine did not go down, only the process that used the disk: the next one finds all that
    /// was done, synced or not, and what was not synced may still be lost. Nothing is armed and nothing
    /// locked, so nothing of the former process may be left.
    pub fn process_ends(&self) {
        let mut state = self.state();
        state.down = false;
        state.crash_in = None;
        state.faults.clear();
        state.locks.clear();
    }

    /// Lets something go wrong. Of several faults in one call, the one told first decides.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Takes back all faults that have not come yet.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Turns over one bit of a file, on the disk and in memory, as a disk that rots does. A place
    /// after its end is left.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find_file(path)?;
        state.octets(inode).flip(bit);
        Ok(())
    }

    /// How many calls that change something were made.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// A number made of all calls, what they wrote and how they went.
    pub fn trace_hash(&self) -> u64 {
        self.state().log.hash()
    }

    /// The last calls, a line each; looking, opening and reading only where it failed.
    pub fn log(&self) -> String {
        self.state().log.to_string()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked with the lock may still want to see the log.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call that changes something: it has its turn, takes effect or fails, and is logged.
    /// `effect` is told whether it must be short, and says how much it did.
    fn change(
        &self,
        ask: Ask<'_>,
        effect: impl FnOnce(&mut State, bool) -> io::Result<u64>,
    ) -> io::Result<u64> {
        let mut state = self.state();
        if state.down {
            return Err(gone_down());
        }
        let turn = state.turn(ask.call);
        let result = match turn {
            Turn::Go => effect(&mut state, false),
            Turn::Wrong(Wrong::Short) => effect(&mut state, true),
            Turn::Wrong(Wrong::Io) => ask.fail(&mut state, Errno::IO),
            Turn::Wrong(Wrong::NoSpace) => ask.fail(&mut state, Errno::NOSPC),
            Turn::Crash { done } => {
                if done {
                    // Whether it worked, nobody will hear.
                    let _ = effect(&mut state, false);
                }
                Err(gone_down())
            }
        };
        let outcome = match (&result, turn) {
            (_, Turn::Crash { done }) => Outcome::Crashed(done),
            (Ok(n), _) if ask.call == Call::Write && *n < ask.at.1 => Outcome::Short(*n),
            (Ok(_), _) => Outcome::Done,
            (Err(error), _) => failed(error),
        };
        state.log.add(ask.entry(outcome), ask.octets);
        result
    }

    /// One call that changes nothing. It is logged only if it is made to fail.
    fn look<T>(
        &self,
        ask: Ask<'_>,
        effect: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        if state.down {
            return Err(gone_down());
        }
        let errno = match state.turn(ask.call) {
            Turn::Wrong(Wrong::Io) => Errno::IO,
            Turn::Wrong(Wrong::NoSpace) => Errno::NOSPC,
            _ => return effect(&mut state),
        };
        let outcome = Outcome::Failed(errno.raw_os_error());
        state.log.add(ask.entry(outcome), ask.octets);
        Err(errno.into())
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}

/// What is asked in one call.
struct Ask<'a> {
    call: Call,
    path: &'a Path,
    inode: Option<Inode>,
    /// Where in the file, and how much; 0 and 0 where that means nothing.
    at: (u64, u64),
    octets: &'a [u8],
}

impl<'a> Ask<'a> {
    fn of(call: Call, path: &'a Path) -> Ask<'a> {
        Ask {
            call,
            path,
            inode: None,
            at: (0, 0),
            octets: &[],
        }
    }

    /// What an injected failure does.
    fn fail(&self, state: &mut State, errno: Errno) -> io::Result<u64> {
        let fate = Fate::draw(&state.chance);
        if let (Call::Sync, Some(inode)) = (self.call, self.inode) {
            state.octets(inode).fail_sync(&fate);
        }
        Err(errno.into())
    }

    fn entry(&self, outcome: Outcome) -> Entry {
        Entry {
            call: self.call,
            path: self.path.into(),
            at: self.at,
            outcome,
        }
    }
}

fn failed(error: &io::Error) -> Outcome {
    Outcome::Failed(error.raw_os_error().unwrap_or(0))
}

fn gone_down() -> io::Error {
    io::Error::other("the simulated machine is down")
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn open(&self, path: &Path, how: Open) -> io::Result<SimFile> {
        let inode = match how {
            Open::CreateNew => {
                let created = self.change(Ask::of(Call::Create, path), |state, _| {
                    let inode = state.create_file(path)?;
                    state.open(inode);
                    Ok(inode.0)
                });
                Inode(created?)
            }
            Open::Read | Open::ReadWrite => self.look(Ask::of(Call::Open, path), |state| {
                let inode = state.find_file(path)?;
                state.open(inode);
                Ok(inode)
            })?,
        };
        Ok(SimFile::new(self.clone(), inode, path, how))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let renamed = self.change(Ask::of(Call::Rename, from), |state, _| {
            state.rename(from, to).map(|()| 0)
        });
        renamed.map(drop)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.change(Ask::of(Call::Remove, path), |state, _| {
            state.remove(path).map(|()| 0)
        });
        removed.map(drop)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let created = self.change(Ask::of(Call::CreateDir, path), |state, _| {
            state.create_folders(path).map(|()| 0)
        });
        created.map(drop)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.look(Ask::of(Call::Look, path), |state| {
            let folder = state.find_folder(path)?;
            let entries = folder.names().map(|(name, node)| DirEntry {
                path: path.join(name),
                is_dir: matches!(node, Node::Folder(_)),
            });
            Ok(entries.collect())
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let synced = self.change(Ask::of(Call::SyncDir, path), |state, _| {
            state.find_folder(path)?.sync();
            Ok(0)
        });
        synced.map(drop)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.look(Ask::of(Call::Look, path), |state| {
            Ok(state.find(path)?.is_some())
        })
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.look(Ask::of(Call::Look, path), |state| {
            state.find_folder(path)?;
            Ok(Space {
                free_octets: state.free_blocks() * BLOCK,
                free_inodes: u64::MAX,
            })
        })
    }

    fn lock(&self, path: &Path) -> io::Result<SimLock> {
        let there = self.look(Ask::of(Call::Look, path), |state| state.find(path))?;
        if there.is_none() {
            self.change(Ask::of(Call::Create, path), |state, _| {
                state.create_file(path).map(|_| 0)
            })?;
        }
        self.look(Ask::of(Call::Look, path), |state| {
            let inode = state.find_file(path)?;
            if state.locks.contains(&inode) {
                return Err(Errno::WOULDBLOCK.into());
            }
            state.locks.push(inode);
            Ok(SimLock {
                disk: self.clone(),
                inode,
            })
        })
    }
}

/// A lock on a simulated disk, for as long as the machine runs.
#[derive(Debug)]
pub struct SimLock {
    disk: SimDisk,
    inode: Inode,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        state.locks.retain(|locked| *locked != self.inode);
    }
}
