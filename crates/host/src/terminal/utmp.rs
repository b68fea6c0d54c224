//! The list of who is logged in, as the GNU C library lays it out (utmp(5)).

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use super::device::LineName;

/// How long a record is. Where `long` has 64 bits and no program of 32 bits shares the file, session and
/// time are wider. What is read of a record stands before them.
const RECORD: usize = match cfg!(any(target_arch = "aarch64", target_arch = "loongarch64")) {
    true => 400,
    false => 384,
};

/// The fields that are read: what kind of record it is, on which line, and who.
const KIND: std::ops::Range<usize> = 0..2;
const LINE: std::ops::Range<usize> = 8..40;
const USER: std::ops::Range<usize> = 44..76;

/// `USER_PROCESS`: somebody is logged in.
const LOGGED_IN: i16 = 7;
/// `ACCOUNTING`, the last kind there is.
const LAST_KIND: i16 = 9;

/// How much of a list is read: twenty thousand records.
const MOST: u64 = 8 << 20;

/// The octets are no list of logins: a record is of no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUtmp;

impl fmt::Display for NotUtmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a list of logins (utmp) of this machine's kind")
    }
}

impl std::error::Error for NotUtmp {}

/// Who is logged in where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logins(Vec<Login>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Login {
    user: Vec<u8>,
    line: LineName,
}

/// Reads the list in this file.
pub(super) fn read(path: &Path) -> io::Result<Logins> {
    // Without waiting, should somebody have put a pipe there.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    if kind != FileType::RegularFile {
        return Err(invalid());
    }
    let mut octets = Vec::new();
    std::fs::File::from(file)
        .take(MOST)
        .read_to_end(&mut octets)?;
    Logins::parse(&octets).map_err(|NotUtmp| invalid())
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, NotUtmp)
}

impl Logins {
    /// Reads records. A last one that isn't whole is being written, and is passed over; so are lines
    /// that name no device, such as those of a graphical session.
    fn parse(octets: &[u8]) -> Result<Logins, NotUtmp> {
        let mut logins = Vec::new();
        for record in octets.chunks_exact(RECORD) {
            let kind = record[KIND].try_into().map(i16::from_ne_bytes);
            match kind {
                Ok(LOGGED_IN) => {}
                Ok(0..=LAST_KIND) => continue,
                _ => return Err(NotUtmp),
            }
            let (user, line) = (text(&record[USER]), text(&record[LINE]));
            if let Some(line) = LineName::parse(line) {
                let user = user.to_vec();
                logins.push(Login { user, line });
            }
        }
        Ok(Logins(logins))
    }

    /// The lines a user is logged in on, each once.
    pub(super) fn lines_of(self, user: &str) -> BTreeSet<LineName> {
        let own = |login: Login| (login.user == user.as_bytes()).then_some(login.line);
        self.0.into_iter().filter_map(own).collect()
    }
}

/// A text that ends with its field, or before at the first NUL.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|octet| *octet == 0);
    &field[..end.unwrap_or(field.len())]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record as login(1) writes it.
    pub(crate) fn record(kind: i16, line: &str, user: &str) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        record[KIND].copy_from_slice(&kind.to_ne_bytes());
        record[LINE][..line.len()].copy_from_slice(line.as_bytes());
        record[USER][..user.len()].copy_from_slice(user.as_bytes());
        // The host, which nobody looks at.
        record[76..80].copy_from_slice(b"host");
        record
    }

    fn lines(octets: &[u8], user: &str) -> Result<Vec<String>, NotUtmp> {
        let lines = Logins::parse(octets)?.lines_of(user);
        Ok(lines.iter().map(LineName::to_string).collect())
    }

    #[test]
    fn the_lines_of_a_user_are_found_each_once() {
        let long = "u".repeat(32);
        let list = [
            record(2, "~", "reboot"),
            record(LOGGED_IN, "pts/3", "ada"),
            record(LOGGED_IN, "tty1", "bob"),
            record(LOGGED_IN, ":0", "ada"),
            record(LOGGED_IN, "tty2", "ada"),
            record(LOGGED_IN, "pts/3", "ada"),
            record(LOGGED_IN, "pts/4", &long),
            // Logged out.
            record(8, "pts/9", "ada"),
        ]
        .concat();
        let of = |user| lines(&list, user).expect("a list");
        assert_eq!(of("ada"), ["pts/3", "tty2"]);
        assert_eq!(of("bob"), ["tty1"]);
        assert_eq!(of(&long), ["pts/4"]);
        assert_eq!(of("ad"), [""; 0]);
        assert_eq!(of(""), [""; 0]);
        // The last record is being written.
        let cut = &list[..list.len() - 1];
        assert_eq!(lines(cut, "ada"), Ok(vec!["pts/3".into(), "tty2".into()]));
        assert_eq!(lines(b"", "ada"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_list_is_told() {
        assert_eq!(lines(&[0xff; 3 * RECORD], "ada"), Err(NotUtmp));
        let text = b"ada tty1 10:00\n".repeat(100);
        assert_eq!(lines(&text, "ada"), Err(NotUtmp));
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        let null = read(Path::new("/dev/null")).map_err(|error| error.kind());
        assert_eq!(null, Err(io::ErrorKind::InvalidData));
        let none = read(Path::new("/nowhere/utmp")).map_err(|error| error.kind());
        assert_eq!(none, Err(io::ErrorKind::NotFound));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_without_harm(octets: Vec<u8>, user: String) {
            let _ = lines(&octets, &user);
            let mut several = octets.repeat(1 + 3 * RECORD / octets.len().max(1));
            for record in several.chunks_mut(RECORD).filter(|record| record.len() > 2) {
                record[..2].copy_from_slice(&LOGGED_IN.to_ne_bytes());
            }
            let _ = lines(&several, &user);
        }
    }
}
