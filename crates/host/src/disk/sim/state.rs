//! The whole of a simulated disk: files, folders, what is to go wrong.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::fate::Fate;
use super::log::Log;
use super::names::{Folder, Inode, Node};
use super::octets::{BLOCK, Octets};
use super::{Call, Fault, Wrong};
use crate::chance::Chance;

/// The folder above all.
const ROOT: Inode = Inode(0);

/// A simulated disk.
#[derive(Debug)]
pub(super) struct State {
    /// None is taken out: a crash may bring an old name back.
    files: BTreeMap<Inode, File>,
    /// With the root. One is put in before it has a name, and none is taken out, so each that a name
    /// leads to is here.
    folders: BTreeMap<Inode, Folder>,
    next_inode: u64,
    /// Those of `files` that take room, in blocks.
    blocks_taken: u64,
    pub(super) blocks: u64,
    pub(super) locks: Vec<Inode>,
    pub(super) chance: Chance,
    pub(super) log: Log,
    pub(super) faults: Vec<Fault>,
    pub(super) crash_in: Option<u64>,
    pub(super) down: bool,
    /// How many calls that change something were made.
    pub(super) changes: u64,
}

#[derive(Debug, Default)]
struct File {
    octets: Octets,
    names: usize,
    handles: usize,
}

/// How the next call shall go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Go,
    /// The machine goes down in it; whether it takes effect still.
    Crash {
        done: bool,
    },
    Wrong(Wrong),
}

impl State {
    pub(super) fn new(chance: Chance) -> State {
        State {
            files: BTreeMap::new(),
            folders: BTreeMap::from([(ROOT, Folder::default())]),
            next_inode: ROOT.0 + 1,
            blocks_taken: 0,
            blocks: u64::MAX / BLOCK,
            locks: Vec::new(),
            chance,
            log: Log::default(),
            faults: Vec::new(),
            crash_in: None,
            down: false,
            changes: 0,
        }
    }

    /// What happens to the call that is made now.
    pub(super) fn turn(&mut self, call: Call) -> Turn {
        if call.changes() {
            self.changes += 1;
            if let Some(left) = &mut self.crash_in {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.down = true;
                    let done = self.chance.one_in(2);
                    return Turn::Crash { done };
                }
            }
        }
        let mut wrong = None;
        for fault in self.faults.iter_mut().filter(|fault| fault.is_for(call)) {
            fault.nth = fault.nth.saturating_sub(1);
            if fault.nth == 0 && fault.times > 0 {
                fault.times -= 1;
                fault.nth = 1;
                wrong = wrong.or(Some(fault.wrong));
            }
        }
        self.faults.retain(|fault| fault.times > 0);
        wrong.map_or(Turn::Go, Turn::Wrong)
    }

    /// What the machine finds when it starts again.
    pub(super) fn crash(&self, chance: Chance) -> State {
        let fate = Fate::draw(&chance);
        let mut after = State::new(chance);
        after.next_inode = self.next_inode;
        after.blocks = self.blocks;
        let mut reached = vec![ROOT];
        while let Some(folder) = reached.pop() {
            let left = self.folders[&folder].crash(&fate);
            for (_, node) in left.names() {
                match node {
                    Node::Folder(inode) => reached.push(inode),
                    Node::File(inode) => {
                        let crash = || File {
                            octets: self.files[&inode].octets.crash(&fate),
                            ..File::default()
                        };
                        after.files.entry(inode).or_insert_with(crash).names += 1;
                    }
                }
            }
            after.folders.insert(folder, left);
        }
        let taken = after.files.values().map(|file| file.octets.taken());
        after.blocks_taken = taken.sum();
        after
    }

    pub(super) fn free_blocks(&self) -> u64 {
        self.blocks.saturating_sub(self.blocks_taken)
    }

    /// The folder that a path's last name is in, and that name.
    fn place(&self, path: &Path) -> io::Result<(Inode, OsString)> {
        let mut names = names_of(path)?;
        let last = names.pop().ok_or(Errno::INVAL)?;
        let mut folder = ROOT;
        for name in names {
            folder = match self.folders[&folder].get(&name) {
                Some(Node::Folder(below)) => below,
                Some(Node::File(_)) => return Err(Errno::NOTDIR.into()),
                None => return Err(Errno::NOENT.into()),
            };
        }
        Ok((folder, last))
    }

    /// What a path stands for, if anything.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<Node>> {
        if names_of(path)?.is_empty() {
            return Ok(Some(Node::Folder(ROOT)));
        }
        match self.place(path) {
            Ok((folder, name)) => Ok(self.folders[&folder].get(&name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn find_file(&self, path: &Path) -> io::Result<Inode> {
        match self.find(path)? {
            Some(Node::File(inode)) => Ok(inode),
            Some(Node::Folder(_)) => Err(Errno::ISDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    pub(super) fn find_folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        match self.find(path)? {
            // A name never outlives its folder.
            Some(Node::Folder(inode)) => Ok(self.folders.entry(inode).or_default()),
            Some(Node::File(_)) => Err(Errno::NOTDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    /// Changes the names of one folder, which exists.
    fn change(&mut self, folder: Inode, gone: Option<OsString>, new: Option<(OsString, Node)>) {
        self.folders.entry(folder).or_default().change(gone, new);
    }

    pub(super) fn create_file(&mut self, path: &Path) -> io::Result<Inode> {
        let (folder, name) = self.place(path)?;
        if self.folders[&folder].get(&name).is_some() {
            return Err(Errno::EXIST.into());
        }
        let inode = self.new_inode();
        let file = File {
            names: 1,
            ..File::default()
        };
        self.files.insert(inode, file);
        self.change(folder, None, Some((name, Node::File(inode))));
        Ok(inode)
    }

    pub(super) fn create_folders(&mut self, path: &Path) -> io::Result<()> {
        let mut above = PathBuf::new();
        for name in names_of(path)? {
            above.push(name);
            let (folder, name) = self.place(&above)?;
            match self.folders[&folder].get(&name) {
                Some(Node::Folder(_)) => {}
                Some(Node::File(_)) => return Err(Errno::EXIST.into()),
                None => {
                    let inode = self.new_inode();
                    self.folders.insert(inode, Folder::default());
                    self.change(folder, None, Some((name, Node::Folder(inode))));
                }
            }
        }
        Ok(())
    }

    /// Within one folder a rename is one step; between two, the folders don't know of each other,
    /// and a crash may leave both names or neither.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_folder, from) = self.place(from)?;
        let (to_folder, to) = self.place(to)?;
        let node = self.folders[&from_folder].get(&from).ok_or(Errno::NOENT)?;
        let over = self.folders[&to_folder].get(&to);
        match over {
            Some(same) if same == node => return Ok(()),
            Some(Node::Folder(_)) => return Err(Errno::ISDIR.into()),
            _ => {}
        }
        if from_folder == to_folder {
            self.change(to_folder, Some(from), Some((to, node)));
        } else {
            self.change(to_folder, None, Some((to, node)));
            self.change(from_folder, Some(from), None);
        }
        if let Some(Node::File(over)) = over {
            self.update(over, |file| file.names -= 1);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let inode = self.find_file(path)?;
        let (folder, name) = self.place(path)?;
        self.change(folder, Some(name), None);
        self.update(inode, |file| file.names -= 1);
        Ok(())
    }

    pub(super) fn open(&mut self, inode: Inode) {
        self.update(inode, |file| file.handles += 1);
    }

    pub(super) fn close(&mut self, inode: Inode) {
        self.update(inode, |file| file.handles -= 1);
    }

    /// Changes who knows a file; its room is free when nobody does. Its octets stay: a crash may
    /// bring an old name back.
    fn update(&mut self, inode: Inode, change: impl FnOnce(&mut File)) {
        if let Some(file) = self.files.get_mut(&inode) {
            change(file);
            if file.names == 0 && file.handles == 0 {
                self.blocks_taken -= file.octets.taken();
            }
        }
    }

    /// What a file that is open, or has a name, holds.
    pub(super) fn octets(&mut self, inode: Inode) -> &mut Octets {
        &mut self.files.entry(inode).or_default().octets
    }

    /// Writes as much as there is room for; says how much that is.
    pub(super) fn write(&mut self, inode: Inode, octets: &[u8], offset: u64) -> io::Result<u64> {
        let free = self.free_blocks();
        let file = self.octets(inode);
        let (room, taken) = file.take_room(offset, octets.len() as u64, free);
        file.write(&octets[..room as usize], offset);
        self.blocks_taken += taken;
        match room {
            0 if !octets.is_empty() => Err(Errno::NOSPC.into()),
            _ => Ok(room),
        }
    }

    pub(super) fn set_len(&mut self, inode: Inode, len: u64) {
        let freed = self.octets(inode).set_len(len);
        self.blocks_taken -= freed;
    }

    /// Too little room is taken nevertheless, and given back when the length is set.
    pub(super) fn allocate(&mut self, inode: Inode, len: u64) -> io::Result<()> {
        let free = self.free_blocks();
        let file = self.octets(inode);
        let (room, taken) = file.take_room(0, len, free);
        if room >= len {
            file.extend(len);
        }
        self.blocks_taken += taken;
        match room >= len {
            true => Ok(()),
            false => Err(Errno::NOSPC.into()),
        }
    }

    fn new_inode(&mut self) -> Inode {
        let inode = Inode(self.next_inode);
        self.next_inode += 1;
        inode
    }
}

/// The names in a path. Relative paths start at the root as well.
fn names_of(path: &Path) -> io::Result<Vec<OsString>> {
    path.components()
        .filter(|part| !matches!(part, Component::RootDir | Component::CurDir))
        .map(|part| match part {
            Component::Normal(name) => Ok(name.to_owned()),
            _ => Err(Errno::INVAL.into()),
        })
        .collect()
}
