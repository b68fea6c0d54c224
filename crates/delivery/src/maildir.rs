//! Delivery into Maildirs: one folder a mailbox with `tmp`, `new` and `cur`, one file a message.
//!
//! A file is written in `tmp`, made durable, renamed into `new`, and the new name is made durable; a
//! reader sees whole messages only. Its name is made from queue id and recipient, so that whoever
//! tries again after a crash finds what was delivered, in `new` or where a reader has moved it in `cur`.
//!
//! A file holds the Return-Path line, this server's trace fields and the octets as they were
//! received, with their edits. Lines end with CRLF, as they came: the message in the mailbox is the
//! message that was sent, byte for byte.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use postroad_host::disk::{DirEntry, Disk, DiskFile, Open};
use postroad_queue::RecipientIx;
use postroad_reply::QueueId;
use postroad_wire::address::Mailbox;

use crate::mailbox_name;

/// How many mailboxes' folders are remembered as durable, so that a delivery need not sync them
/// again. With more, all are forgotten, which costs a few syncs.
const REMEMBERED: usize = 4096;

/// The Maildirs below one folder. Clones are the same ones.
///
/// All calls block.
#[derive(Debug, Clone)]
pub struct Maildirs<D: Disk> {
    disk: D,
    root: PathBuf,
    /// The folders known to be durable with all that is above them.
    durable: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Held while folders are made. Where that fails they are put aside, so until they are durable
    /// nobody else may have made something in them.
    making: Arc<Mutex<()>>,
}

/// What a delivery is called: the same in every attempt of the same recipient of the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryName {
    /// The message.
    pub id: QueueId,
    /// Its recipient.
    pub recipient: RecipientIx,
}

/// Whether there may be something of an earlier attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// No: the message was committed by this process a moment ago and never tried.
    First,
    /// There may be. The number is of this attempt alone, such as its lease's token: two attempts
    /// at the same time, where a lease ran out, must not write the same file.
    Again(u64),
}

/// What [`Maildirs::begin`] found.
#[derive(Debug)]
pub enum Begun<D: Disk> {
    /// Nothing: write the message.
    New(Delivery<D>),
    /// An earlier attempt delivered it, and that is durable.
    AlreadyThere,
}

/// What a mailbox holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Octets of all its messages.
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

impl<D: Disk> Maildirs<D> {
    /// The Maildirs below `root`, a folder that is made if it is missing.
    pub fn open(disk: D, root: &Path) -> io::Result<Maildirs<D>> {
        // The root's own name is durable before anything is delivered below it.
        let made = create_synced(&disk, &[root.to_owned()], &[])?;
        if !made {
            // It may be from a run of ours that ended before it could sync. Where we may not read
            // the folder above, another has made the root, and long ago.
            match disk.sync_dir(above(root)) {
                Err(e) if e.kind() != io::ErrorKind::PermissionDenied => return Err(e),
                _ => {}
            }
        }
        Ok(Maildirs {
            disk,
            root: root.to_owned(),
            durable: Arc::default(),
            making: Arc::default(),
        })
    }

    /// Whose Maildirs there are: local-part, without quoting, and domain. What is not a Maildir made
    /// here is passed over.
    pub fn owners(&self) -> io::Result<Vec<(String, String)>> {
        let mut owners = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let relative = folder.strip_prefix(&self.root).unwrap_or(&folder);
            if let Some(owner) = mailbox_name::owner(relative) {
                owners.push(owner);
                continue;
            }
            let inner = self.disk.list(&folder)?;
            folders.extend(inner.into_iter().filter(|e| e.is_dir).map(|e| e.path));
        }
        owners.sort_unstable();
        Ok(owners)
    }

    /// Whether the mailbox has a folder. One that can't be read may be there.
    pub fn has(&self, of: &Mailbox) -> bool {
        let folder = self.root.join(mailbox_name::folder(of));
        self.disk.exists(&folder).unwrap_or(true)
    }

    /// What the mailbox holds, its subfolders included (Maildir++); nothing where it has no folder. A
    /// message whose name says its size (`,S=`) isn't looked at.
    ///
    /// # Errors
    /// What the disk said. A message that a reader takes away while it is counted is none.
    pub fn held(&self, of: &Mailbox) -> io::Result<Held> {
        let folder = self.root.join(mailbox_name::folder(of));
        let mut held = Held::default();
        let mut folders = vec![folder.clone()];
        let inner = or_nothing(self.disk.list(&folder))?;
        let is_subfolder = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            name.as_encoded_bytes().starts_with(b".")
        };
        let subfolders = inner.into_iter().filter(|e| e.is_dir);
        folders.extend(subfolders.map(|e| e.path).filter(|path| is_subfolder(path)));
        for folder in folders {
            for inner in ["new", "cur"] {
                for entry in or_nothing(self.disk.list(&folder.join(inner)))? {
                    if let Some(octets) = self.size(&entry.path)? {
                        held.messages += 1;
                        held.octets += octets;
                    }
                }
            }
        }
        Ok(held)
    }

    /// How many octets a message has; none if it is gone.
    fn size(&self, message: &Path) -> io::Result<Option<u64>> {
        let name = message.file_name().and_then(|name| name.to_str());
        let said = name.and_then(|name| {
            let (_, size) = name.split_once(",S=")?;
            size.split([',', ':']).next()?.parse().ok()
        });
        if said.is_some() {
            return Ok(said);
        }
        match self.disk.open(message, Open::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file?.len().map(Some),
        }
    }

    /// Makes the mailbox's Maildir if it is missing, and begins a message in it.
    ///
    /// # Errors
    /// What the disk said. Nothing of the message is there, and a later attempt may begin again.
    pub fn begin(
        &self,
        to: &Mailbox,
        name: DeliveryName,
        attempt: Attempt,
    ) -> io::Result<Begun<D>> {
        let folder = self.root.join(mailbox_name::folder(to));
        let mut made = self.make_durable(&folder)?;
        let begun = match self.begin_in(&folder, name, attempt) {
            // Somebody has taken the Maildir away since it was made.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.remembered().remove(&folder);
                made = self.make_durable(&folder)?;
                self.begin_in(&folder, name, attempt)?
            }
            done => done?,
        };
        Ok(match begun {
            Begun::New(mut delivery) => {
                delivery.made = made.then_some(folder);
                Begun::New(delivery)
            }
            Begun::AlreadyThere => Begun::AlreadyThere,
        })
    }

    fn begin_in(
        &self,
        folder: &Path,
        name: DeliveryName,
        attempt: Attempt,
    ) -> io::Result<Begun<D>> {
        let name = name.file_name();
        let written_as = match attempt {
            Attempt::First => name.clone(),
            Attempt::Again(number) => {
                if self.find_delivered(folder, &name)? {
                    return Ok(Begun::AlreadyThere);
                }
                self.clear_leftovers(&folder.join("tmp"), &name)?;
                format!("{name}.{number}")
            }
        };
        let tmp = folder.join("tmp").join(written_as);
        let file = self.disk.open(&tmp, Open::CreateNew)?;
        Ok(Begun::New(Delivery {
            disk: self.disk.clone(),
            file,
            written: 0,
            tmp: Some(tmp),
            new: folder.join("new"),
            name,
            made: None,
        }))
    }

    /// Looks for the message where an earlier attempt may have put it.
    fn find_delivered(&self, folder: &Path, name: &str) -> io::Result<bool> {
        // First `new`, then `cur`, as a reader moves it: one that moves it in between is seen.
        let new = folder.join("new");
        let cur = folder.join("cur");
        let place = if self.disk.exists(&new.join(name))? {
            new
        } else if self.is_in_cur(&cur, name)? {
            cur
        } else {
            return Ok(false);
        };
        // Its octets were durable before it had this name. The name may not be yet, if the earlier
        // attempt was this process and got no further.
        self.disk.sync_dir(&place)?;
        Ok(true)
    }

    /// Whether a reader has it. It has been given flags, and perhaps its size, so its name is sought
    /// among all.
    fn is_in_cur(&self, cur: &Path, name: &str) -> io::Result<bool> {
        let entries = self.disk.list(cur)?;
        Ok(entries
            .iter()
            .any(|entry| is_of(&entry.path, name, &[":", ","])))
    }

    /// Takes away what an attempt left that didn't come to its end.
    fn clear_leftovers(&self, tmp: &Path, name: &str) -> io::Result<()> {
        for entry in self.disk.list(tmp)? {
            if is_of(&entry.path, name, &["."]) {
                match self.disk.remove(&entry.path) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Makes a Maildir if it is missing, which it tells, and sees to it that its folders survive a
    /// power cut.
    fn make_durable(&self, folder: &Path) -> io::Result<bool> {
        if self.remembered().contains(folder) {
            return Ok(false);
        }
        // There is nothing in it that a panic could have left half changed.
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.remembered().contains(folder) {
            return Ok(false);
        }
        let inner = ["tmp", "new", "cur"].map(|inner| folder.join(inner));
        // A message is as durable as every name on the way to it. That the folders are there says
        // nothing: another may have made them a moment ago.
        let mut way: Vec<&Path> = Vec::new();
        for above in folder.ancestors() {
            way.push(above);
            if above == self.root {
                break;
            }
        }
        let made = create_synced(&self.disk, &inner, &way)?;
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(folder.to_owned());
        Ok(made)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        // A set is in order after every call, whatever happened to its caller.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeliveryName {
    /// The file name: seconds, so that readers sort by time, queue id, recipient. A reader adds its
    /// flags after a `:`, and some put sizes in between after a `,`.
    fn file_name(self) -> String {
        format!(
            "{}.{}.{}",
            self.id.unix_ms() / 1000,
            self.id,
            self.recipient.0
        )
    }
}

/// Makes folders, syncs the names of what it made and the folders `also`; true if it made any.
fn create_synced<D: Disk>(disk: &D, wanted: &[PathBuf], also: &[&Path]) -> io::Result<bool> {
    let mut missing = BTreeSet::new();
    for folder in wanted.iter().flat_map(|folder| folder.ancestors()) {
        if !folder.as_os_str().is_empty() && !disk.exists(folder)? {
            missing.insert(folder);
        }
    }
    let made = wanted
        .iter()
        .try_for_each(|folder| disk.create_dir_all(folder));
    let to_sync: BTreeSet<&Path> = missing
        .iter()
        .copied()
        .map(above)
        .chain(also.iter().copied())
        .collect();
    let synced = made.and_then(|()| to_sync.iter().try_for_each(|folder| disk.sync_dir(folder)));
    if let Err(e) = synced {
        // A second sync may succeed without having written what the first lost, so what was made
        // must not be used: it is put aside, empty, and the next attempt makes it again.
        for folder in missing
            .iter()
            .filter(|folder| !missing.contains(above(folder)))
        {
            put_aside(disk, folder);
        }
        return Err(e);
    }
    Ok(!missing.is_empty())
}

/// Gives a folder another name beside it, one that no mailbox has.
fn put_aside<D: Disk>(disk: &D, folder: &Path) {
    let free = (0..1000)
        .map(|n| folder.with_file_name(format!(".unsynced-{n}")))
        .find(|name| disk.exists(name).is_ok_and(|taken| !taken));
    if let Some(name) = free {
        // If this fails too, there is nothing left to do about it; the caller has its error.
        let _ = disk.rename(folder, &name);
    }
}

/// What a folder has in it; nothing where it isn't there.
fn or_nothing(listed: io::Result<Vec<DirEntry>>) -> io::Result<Vec<DirEntry>> {
    match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

/// The folder that has the name of `folder` in it.
fn above(folder: &Path) -> &Path {
    match folder.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => folder,
    }
}

/// Whether the path's file name is `name`, or `name` with something after one of `marks`.
fn is_of(path: &Path, name: &str, marks: &[&str]) -> bool {
    path.file_name()
        .and_then(|found| found.to_str())
        .and_then(|found| found.strip_prefix(name))
        .is_some_and(|rest| rest.is_empty() || marks.iter().any(|mark| rest.starts_with(mark)))
}

/// A message being written. Dropped before its end, nothing of it is seen by a reader.
#[derive(Debug)]
pub struct Delivery<D: Disk> {
    disk: D,
    file: D::File,
    written: u64,
    /// Where it is written; none when it has another name.
    tmp: Option<PathBuf>,
    new: PathBuf,
    name: String,
    made: Option<PathBuf>,
}

impl<D: Disk> Delivery<D> {
    /// The folder of the mailbox, if it was made for this message.
    pub fn made_mailbox(&self) -> Option<&Path> {
        self.made.as_deref()
    }

    /// Writes the next octets.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_all_at(octets, self.written)?;
        self.written += octets.len() as u64;
        Ok(())
    }

    /// Makes the message durable and shows it to readers. When it returns, a power cut can't take
    /// the message away.
    ///
    /// # Errors
    /// What the disk said. The message counts as not delivered, though a reader may have seen it; a
    /// later attempt writes it anew.
    pub fn finish(mut self) -> io::Result<()> {
        // The octets before the name: after a crash, a name in `new` is of a whole message.
        self.file.sync_data()?;
        let new = self.new.join(&self.name);
        if let Some(tmp) = &self.tmp {
            self.disk.rename(tmp, &new)?;
            self.tmp = None;
        }
        // Until here a crash loses the name, and the recipient is still pending in the queue. That the
        // old name in `tmp` may come back beside the new one does no harm.
        let synced = self.disk.sync_dir(&self.new);
        if synced.is_err() {
            // Whether the name is on disk is not known, and a second sync would not tell: it may
            // succeed without having written what the first lost. So the next attempt must not
            // find it. A reader who was quicker gets it twice.
            let _ = self.disk.remove(&new);
        }
        synced
    }
}

impl<D: Disk> Drop for Delivery<D> {
    fn drop(&mut self) {
        if let Some(tmp) = &self.tmp {
            // What can't be removed is cleared by the next attempt.
            let _ = self.disk.remove(tmp);
        }
    }
}
