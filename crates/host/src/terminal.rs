//! The terminals of users: who is logged in where, and how to write there.
//!
//! * `utmp` reads the system's list of who is logged in;
//! * `device` finds a terminal below `/dev` and makes sure that it is one, and whose;
//! * [`Terminals`] says what a user has; [`Terminal`] is one that is open.
//!
//! The list is only a hint: any program that may write it can put anything there. What counts is the
//! device: it has to lie below the folder of devices with no symbolic link on the way, be a
//! terminal, and belong to the user. Whether its user lets others write to it, its group may write
//! to it (`mesg`).

mod device;
mod utmp;

use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::unistd::{Uid, User};

pub use device::{Line, Terminal};
pub use utmp::NotUtmp;

use device::{Devices, Standing};

/// The name of a user of this machine, as a list of logins can have it: letters, digits, `_`, `-`, `.`,
/// no more than 32 octets, no `-` or `.` at the beginning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

impl UserName {
    /// How long it may be: what a login record holds.
    const LONGEST: usize = 32;

    /// Reads a name; none if no user can be called so.
    pub fn parse(name: &str) -> Option<UserName> {
        let within = |octet: u8| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet);
        let first = name.bytes().next()?;
        let fits = name.len() <= Self::LONGEST && name.bytes().all(within);
        (fits && !b"-.".contains(&first)).then(|| UserName(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where it stands who is logged in, and where terminals are.
#[derive(Debug, Clone)]
pub struct Terminals {
    /// The list of who is logged in, in the layout of the GNU C library.
    pub utmp: PathBuf,
    /// The folder of devices: `/dev`.
    pub devices: PathBuf,
}

/// What terminals a user has.
#[derive(Debug, Default)]
pub struct Found {
    /// Those that take messages.
    pub taking: Vec<Line>,
    /// How many are closed to messages (`mesg n`).
    pub refusing: usize,
    /// Those that can't be written to for another reason, and why.
    pub unusable: Vec<(String, io::Error)>,
}

impl Terminals {
    /// How many terminals of one user are written to at most.
    const MOST: usize = 16;

    /// Whether it can be said who is logged in. It reads a file.
    ///
    /// # Errors
    /// What the system said; `InvalidData` if the file is no such list.
    pub fn check(&self) -> io::Result<()> {
        utmp::read(&self.utmp).map(drop)
    }

    /// What terminals a user has. It reads files, and asks the system's user database, which may
    /// be slow.
    ///
    /// # Errors
    /// What the system said; `InvalidData` if the list of logins is none. A user who doesn't exist has
    /// no terminals.
    pub fn of(&self, user: &UserName) -> io::Result<Found> {
        let lines = utmp::read(&self.utmp)?.lines_of(user.as_str());
        let mut found = Found::default();
        if lines.is_empty() {
            return Ok(found);
        }
        let Some(owner) = uid(user)? else {
            return Ok(found);
        };
        let devices = Devices::open(&self.devices)?;
        for name in lines.into_iter().take(Self::MOST) {
            let shown = name.to_string();
            match devices.standing(name, owner) {
                Ok(Standing::Taking(line)) => found.taking.push(line),
                Ok(Standing::Refusing) => found.refusing += 1,
                Err(why) => found.unusable.push((shown, why)),
            }
        }
        Ok(found)
    }
}

fn uid(user: &UserName) -> io::Result<Option<u32>> {
    let entry = User::from_name(user.as_str())?;
    Ok(entry.map(|entry| Uid::as_raw(entry.uid)))
}

#[cfg(test)]
mod tests;
