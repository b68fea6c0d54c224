//! The password file on disk, read again whenever somebody logs in, so that a change of it holds at once.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use postroad_host::disk::real::RealDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_wire::base64;

use super::scram::{self, ITERATIONS, Scram};
use super::{LineFault, Users};

/// More octets than this are no password file: a line for each of some hundred thousand users.
const LARGEST: u64 = 32 << 20;

/// A password file, and what was learnt of passwords beside it. Its calls wait for the disk.
#[derive(Debug)]
pub struct PasswordFile {
    path: PathBuf,
    /// Where it is kept what SCRAM needs of users who have sent their passwords; none if nothing is learnt.
    learnt: Option<PathBuf>,
    held: Mutex<Held>,
}

/// What was read last.
#[derive(Default)]
struct Held {
    octets: Vec<u8>,
    users: Option<Arc<Users>>,
    /// By name: what was learnt, and of which hash.
    learnt: BTreeMap<String, Learnt>,
}

struct Learnt {
    /// Tells the hash of the password of which it was learnt: of another password it is worth nothing.
    of: String,
    scram: Scram,
}

/// A password file can't be read, and why.
#[derive(Debug)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

impl PasswordFile {
    /// The one at `path`. With a path for what is learnt, [`learn`](PasswordFile::learn) keeps it there.
    ///
    /// # Errors
    /// What was learnt before can't be read.
    pub fn new(path: PathBuf, learnt: Option<PathBuf>) -> Result<PasswordFile, Unusable> {
        let mut held = Held::default();
        if let Some(path) = &learnt {
            held.learnt = match octets_of(path) {
                Ok(octets) => learnt_before(&octets),
                Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
                Err(error) => return Err(unusable(path, &error)),
            };
        }
        Ok(PasswordFile {
            path,
            learnt,
            held: Mutex::new(held),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The users as it has them now; and what is wrong with its lines, if it has changed.
    ///
    /// # Errors
    /// It can't be read.
    pub fn users(&self) -> Result<(Arc<Users>, Vec<LineFault>), Unusable> {
        let octets = octets_of(&self.path).map_err(|error| unusable(&self.path, &error))?;
        let mut held = self.held();
        if let Some(users) = held.users.as_ref().filter(|_| held.octets == octets) {
            return Ok((Arc::clone(users), Vec::new()));
        }
        let (mut users, faults) = Users::read(&String::from_utf8_lossy(&octets));
        for (name, learnt) in &held.learnt {
            if let Some(of) = users.users.get_mut(name)
                && of.scram.is_none()
                && of.hash.as_deref().map(told).as_ref() == Some(&learnt.of)
            {
                of.scram = Some(learnt.scram.clone());
            }
        }
        let users = Arc::new(users);
        held.octets = octets;
        held.users = Some(Arc::clone(&users));
        Ok((users, faults))
    }

    /// Whether it is learnt from passwords that are sent what SCRAM needs.
    pub fn learns(&self) -> bool {
        self.learnt.is_some()
    }

    /// Keeps what SCRAM needs of a user who has sent the right password, prepared, if that is wanted and not
    /// there yet. `salt` is random. It takes some tens of milliseconds.
    ///
    /// # Errors
    /// It can't be written; it holds for this process all the same.
    pub fn learn(&self, name: &str, password: &str, salt: &[u8]) -> io::Result<()> {
        let Some(path) = &self.learnt else {
            return Ok(());
        };
        let of = |held: &Held| {
            let of = held.users.as_ref()?.of(name)?;
            of.hash.as_deref().filter(|_| of.scram.is_none()).map(told)
        };
        let Some(hash) = of(&self.held()) else {
            return Ok(());
        };
        let scram = Scram::new(password, salt, ITERATIONS);
        let mut held = self.held();
        if of(&held).as_ref() != Some(&hash) {
            return Ok(()); // The file has changed meanwhile.
        }
        held.learnt
            .insert(name.to_owned(), Learnt { of: hash, scram });
        if let Some(users) = held.users.take() {
            // What was learnt of other passwords than they have now.
            held.learnt.retain(|name, learnt| {
                let hash = users.of(name).and_then(|of| of.hash.as_deref());
                hash.map(told).as_ref() == Some(&learnt.of)
            });
        }
        let mut text = String::new();
        for (name, Learnt { of, scram }) in &held.learnt {
            text.push_str(&format!("{name}:{of} {scram}\n"));
        }
        replace(path, text.as_bytes())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // What is held is whole after each line.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

fn unusable(path: &Path, error: &io::Error) -> Unusable {
    Unusable(format!("{}: {error}", path.display()))
}

/// What tells one hash from another, without being of use to anybody.
fn told(hash: &str) -> String {
    base64::encode(digest::digest(&digest::SHA256, hash.as_bytes()).as_ref())
}

/// What this server has written before; what it can't have written is passed over.
fn learnt_before(octets: &[u8]) -> BTreeMap<String, Learnt> {
    let text = String::from_utf8_lossy(octets);
    let line = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let (of, scram) = rest.split_once(' ')?;
        let scram = Scram::read(scram.strip_prefix(scram::PREFIX)?)?;
        let of = of.to_owned();
        Some((name.to_owned(), Learnt { of, scram }))
    };
    text.lines().filter_map(line).collect()
}

/// What a password file holds.
///
/// # Errors
///
/// What the disk says, or that it is over 32 MiB.
pub fn octets_of(path: &Path) -> io::Result<Vec<u8>> {
    let file = RealDisk.open(path, Open::Read)?;
    let length = file.len()?;
    if length > LARGEST {
        return Err(io::Error::other(format!(
            "{length} octets are too many for a password file"
        )));
    }
    // The bound above fits every usize.
    let mut octets = vec![0; length as usize];
    file.read_exact_at(&mut octets, 0)?;
    Ok(octets)
}

/// Puts a file in the place of another. A crash leaves the one or the other: the new one is on disk before
/// it has the name.
fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    match RealDisk.remove(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = RealDisk.open(&new, Open::CreateNew)?;
    file.write_all_at(octets, 0)?;
    file.sync_data()?;
    RealDisk.rename(&new, path)?;
    match path.parent() {
        Some(folder) => RealDisk.sync_dir(folder),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    // It is about a real file.
    #![allow(clippy::disallowed_methods)]

    use super::super::{Checked, Credentials, Kinds};
    use super::*;

    fn line(name: &str, password: &str, kinds: Kinds) -> String {
        format!(
            "{name}:{}\n",
            Credentials::new(password, [[1; 16], [2; 16]], kinds)
        )
    }

    #[test]
    fn a_change_holds_at_once_and_an_unreadable_file_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passwords");
        let file = PasswordFile::new(path.clone(), None).expect("nothing learnt");
        assert!(file.users().is_err());
        std::fs::write(&path, line("anna", "one", Kinds::HashOnly)).expect("write");
        let (users, faults) = file.users().expect("readable");
        assert_eq!(
            (users.check("anna", "one"), faults.len()),
            (Checked::Right, 0)
        );
        assert!(Arc::ptr_eq(&users, &file.users().expect("readable").0));
        let changed = line("anna", "two", Kinds::HashOnly) + "broken\n";
        std::fs::write(&path, changed).expect("write");
        let (users, faults) = file.users().expect("readable");
        assert_eq!(
            (users.check("anna", "two"), faults.len()),
            (Checked::Right, 1)
        );
        assert_eq!(file.users().expect("readable").1, [], "it is told once");
        std::fs::remove_file(&path).expect("remove");
        assert!(file.users().is_err());
    }

    #[test]
    fn what_was_learnt_holds_for_that_password_and_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, learnt) = (
            folder.path().join("passwords"),
            folder.path().join("learnt"),
        );
        std::fs::write(&path, line("anna", "one", Kinds::HashOnly)).expect("write");
        let open = || PasswordFile::new(path.clone(), Some(learnt.clone())).expect("usable");
        let has_scram = |file: &PasswordFile| {
            let (users, _) = file.users().expect("readable");
            users.of("anna").and_then(Credentials::scram).is_some()
        };
        let file = open();
        assert!(!has_scram(&file));
        file.learn("anna", "one", &[3; 16]).expect("written");
        file.learn("bert", "one", &[3; 16])
            .expect("nothing to learn");
        assert!(has_scram(&file));
        let file = open();
        assert!(has_scram(&file));
        std::fs::write(&path, line("anna", "two", Kinds::HashOnly)).expect("write");
        assert!(!has_scram(&file), "it was of another password");
    }
}
