//! One terminal: found, made sure of, opened, written to.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Access, AtFlags, Dev, FileType, Mode, OFlags, Stat, major, minor};
use rustix::io::Errno;
use rustix::termios::InputModes;

/// Whose terminal one has, `/dev/tty`, and what makes new ones, `/dev/ptmx`: they are opened as something
/// else than they are.
const NOBODYS: [(u32, u32); 2] = [(5, 0), (5, 2)];

/// The name of a terminal's device below the folder of devices, as in `tty1` or `pts/3`: it leads nowhere
/// else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LineName(String);

impl LineName {
    /// Reads a name; none if it could lead out of the folder, or names no file.
    pub(super) fn parse(name: &[u8]) -> Option<LineName> {
        let name = str::from_utf8(name).ok()?;
        let plain = |part: &str| {
            let within = |octet: u8| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet);
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part.bytes().all(within)
        };
        let is_line = name.split('/').all(plain);
        is_line.then(|| LineName(name.to_owned()))
    }

    /// The folders on the way, and the device.
    fn parts(&self) -> (impl Iterator<Item = &str>, &str) {
        let (folders, device) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        (folders.split('/').filter(|name| !name.is_empty()), device)
    }
}

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder of devices.
#[derive(Debug, Clone)]
pub(super) struct Devices(Arc<OwnedFd>);

/// Whether a terminal takes messages.
#[derive(Debug)]
pub(super) enum Standing {
    Taking(Line),
    /// Its user doesn't want any (`mesg n`).
    Refusing,
}

/// A terminal of a user that took messages when it was looked at.
#[derive(Debug)]
pub struct Line {
    devices: Devices,
    name: LineName,
    owner: u32,
    device: Dev,
}

/// A terminal that is open for writing.
#[derive(Debug)]
pub struct Terminal {
    file: OwnedFd,
    takes_utf8: bool,
}

impl Devices {
    pub(super) fn open(path: &Path) -> io::Result<Devices> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Devices(Arc::new(folder)))
    }

    /// Whether the terminal of this name takes messages for the user with this number.
    pub(super) fn standing(&self, name: LineName, owner: u32) -> io::Result<Standing> {
        let (folders, device) = name.parts();
        let folder = self.folder(folders)?;
        let found = rustix::fs::statat(&*folder, device, AtFlags::SYMLINK_NOFOLLOW)?;
        if !takes(&found, owner)? {
            return Ok(Standing::Refusing);
        }
        // As who this process is: it may lack the group of terminals.
        rustix::fs::accessat(&*folder, device, Access::WRITE_OK, AtFlags::empty())?;
        Ok(Standing::Taking(Line {
            devices: self.clone(),
            name,
            owner,
            device: found.st_rdev,
        }))
    }

    /// The folder a device is in, with no link on the way.
    fn folder<'n>(&self, names: impl Iterator<Item = &'n str>) -> io::Result<Arc<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut folder = Arc::clone(&self.0);
        for name in names {
            let next = rustix::fs::openat(&*folder, name, flags, Mode::empty())?;
            folder = Arc::new(next);
        }
        Ok(folder)
    }
}

/// Whether what was found takes messages for this user.
///
/// # Errors
/// It is no terminal of the user's.
fn takes(found: &Stat, owner: u32) -> io::Result<bool> {
    let refused = |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if FileType::from_raw_mode(found.st_mode) != FileType::CharacterDevice {
        return refused("not a character device");
    }
    if NOBODYS.contains(&(major(found.st_rdev), minor(found.st_rdev))) {
        return refused("not the terminal of one user");
    }
    if found.st_uid != owner {
        return refused("the terminal belongs to somebody else");
    }
    // What mesg(1) changes and write(1) looks at.
    Ok(Mode::from_raw_mode(found.st_mode).contains(Mode::WGRP))
}

impl Line {
    /// Opens it, so that it doesn't become the terminal of this process, and nothing waits for it.
    /// Whatever was made sure of before is made sure of again, on what is open now.
    ///
    /// # Errors
    /// What the system said; `PermissionDenied` if the terminal is not what it was, or its user takes no
    /// messages any more.
    pub fn open(&self) -> io::Result<Terminal> {
        let refused = |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        let (folders, device) = self.name.parts();
        let folder = self.devices.folder(folders)?;
        let flags =
            OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&*folder, device, flags, Mode::empty())?;
        let found = rustix::fs::fstat(&file)?;
        if found.st_rdev != self.device {
            return refused("another device has come to its place");
        }
        if !takes(&found, self.owner)? {
            return refused("its user takes no messages any more");
        }
        // Fails where it is no terminal.
        let modes = rustix::termios::tcgetattr(&file)?;
        Ok(Terminal {
            takes_utf8: modes.input_modes.contains(InputModes::IUTF8),
            file,
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl Terminal {
    /// Whether it is set for UTF-8 (`stty iutf8`). Another one may take octets of a character for
    /// control codes.
    pub fn takes_utf8(&self) -> bool {
        self.takes_utf8
    }

    /// Writes all of it and closes it. While the terminal takes nothing (^S), the thread waits, but no
    /// longer than `how_long` in all.
    ///
    /// # Errors
    /// `TimedOut` if the terminal didn't take all of it in time: then it may show some of it. Else what
    /// the system said.
    pub fn write_all(self, mut octets: &[u8], how_long: Duration) -> io::Result<()> {
        let until = Instant::now() + how_long;
        while !octets.is_empty() {
            match rustix::io::write(&self.file, octets) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => octets = &octets[written..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait(until)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits until it may take something.
    fn wait(&self, until: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut polled = [PollFd::new(&self.file, PollFlags::OUT)];
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match rustix::event::poll(&mut polled, Some(&left)) {
            Ok(0) | Err(Errno::INTR) => Ok(()),
            // What else the system calls ready may take nothing all the same: to try again and again
            // would keep a processor busy.
            Ok(_) => {
                std::thread::sleep(Duration::from_millis(1));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        let fine = [
            "tty1",
            "pts/3",
            "pts/12345",
            "ttyS0",
            "tts/usb/0",
            "vc_1",
            "a.b-c",
        ];
        for name in fine {
            let line = LineName::parse(name.as_bytes()).expect(name);
            let (folders, device) = line.parts();
            let whole: Vec<_> = folders.chain([device]).collect();
            assert_eq!(whole.join("/"), name);
        }
        let bad: [&[u8]; 12] = [
            b"",
            b"/",
            b"/tty1",
            b"tty1/",
            b"../etc",
            b"pts/../tty1",
            b"pts//3",
            b".",
            b"..",
            b":0",
            b"tty\n1",
            b"tty\xff",
        ];
        for name in bad {
            assert_eq!(LineName::parse(name), None, "{name:?}");
        }
    }
}
