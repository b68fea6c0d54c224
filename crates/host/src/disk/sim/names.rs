//! What a folder holds, and which of its names a crash leaves.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::fate::Fate;

/// The number of a file or folder, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Inode(pub(super) u64);

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    File(Inode),
    Folder(Inode),
}

/// The names of one folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// What a look at it gives.
    names: BTreeMap<OsString, Node>,
    /// What a sync of it has made safe.
    durable: BTreeMap<OsString, Node>,
    /// What was done since, in order.
    unsynced: Vec<Change>,
}

/// One step, kept or lost whole: a rename within the folder both takes a name and gives one.
#[derive(Debug)]
struct Change {
    gone: Option<OsString>,
    new: Option<(OsString, Node)>,
}

impl Folder {
    pub(super) fn get(&self, name: &OsString) -> Option<Node> {
        self.names.get(name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&OsString, Node)> {
        self.names.iter().map(|(name, node)| (name, *node))
    }

    /// Takes `gone` away and gives `new`, over what had that name.
    pub(super) fn change(&mut self, gone: Option<OsString>, new: Option<(OsString, Node)>) {
        let change = Change { gone, new };
        change.apply(&mut self.names);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What a crash leaves: each unsynced step is kept or lost by itself.
    pub(super) fn crash(&self, fate: &Fate) -> Folder {
        let mut left = self.durable.clone();
        for change in &self.unsynced {
            if fate.keeps_name() {
                change.apply(&mut left);
            }
        }
        Folder {
            names: left.clone(),
            durable: left,
            unsynced: Vec::new(),
        }
    }
}

impl Change {
    fn apply(&self, to: &mut BTreeMap<OsString, Node>) {
        if let Some(gone) = &self.gone {
            to.remove(gone);
        }
        if let Some((name, node)) = &self.new {
            to.insert(name.clone(), *node);
        }
    }
}
