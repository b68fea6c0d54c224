//! The lines of the password file.

use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nix::unistd::{Group, User as Account};
use postroad_directory::users::{
    Credentials, Kinds, LONGEST_NAME, Users, name_of, octets_of, prepared,
};
use postroad_host::chance::Chance;
use postroad_host::disk::real::{RealDisk, RealFile};
use postroad_host::disk::{Disk, DiskFile, Open};

use super::{Ended, Failure, say};
use crate::configuration;

/// What can be done with users.
#[derive(Debug, Args)]
pub(super) struct User {
    #[command(subcommand)]
    what: What,
    /// The configuration file that names the password file
    #[arg(
        long,
        short,
        value_name = "FILE",
        global = true,
        default_value = "postroad.toml"
    )]
    config: PathBuf,
    /// The password file, instead of the one that the configuration names
    #[arg(long, value_name = "FILE", global = true)]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Give a user a password, which is asked for twice; the user is made if there is none of that name
    Set {
        /// The user, such as anna or anna@example.com
        name: String,
        /// Read the password from standard input, one line
        #[arg(long)]
        stdin: bool,
        /// Print the line, and change no file
        #[arg(long)]
        print: bool,
        /// Keep only what SCRAM-SHA-256 needs: the user can't send the password then (534)
        #[arg(long, conflicts_with = "no_scram")]
        scram_only: bool,
        /// Keep only the argon2 hash, which is harder to guess a stolen password from; SCRAM doesn't work then
        #[arg(long)]
        no_scram: bool,
    },
    /// Take a user out; it can't log in any more
    Remove {
        /// The user
        name: String,
    },
    /// Show the users, and by which mechanisms each can log in
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A password file, and to whom a new one belongs.
struct Place {
    file: PathBuf,
    user: Option<String>,
    group: Option<String>,
}

/// Does it.
pub(super) fn run(user: User) -> Result<Ended, Failure> {
    let User { what, config, file } = user;
    match what {
        What::Set {
            name,
            stdin,
            print,
            scram_only,
            no_scram,
        } => {
            let kinds = match (scram_only, no_scram) {
                (true, _) => Kinds::ScramOnly,
                (_, true) => Kinds::HashOnly,
                _ => Kinds::Both,
            };
            let name = proper(&name)?;
            // Before somebody has typed a password in vain.
            let place = (!print).then(|| place(&config, file)).transpose()?;
            let line = format!("{name}:{}\n", made(&name, stdin, kinds)?);
            match place {
                None => say::print(&line)?,
                Some(place) => {
                    let was_there = change(&place, &name, Some(&line))?;
                    let done = if was_there {
                        "has another password"
                    } else {
                        "is there"
                    };
                    say::print(&format!("{name} {done} now, in {}\n", place.file.display()))?;
                }
            }
            Ok(Ended::Done)
        }
        What::Remove { name } => {
            let (name, place) = (proper(&name)?, place(&config, file)?);
            match change(&place, &name, None)? {
                true => {
                    say::print(&format!("{name} can't log in any more\n")).map(|()| Ended::Done)
                }
                false => {
                    let file = place.file.display();
                    Err(Failure::Cannot(format!(
                        "there is no user {name} in {file}"
                    )))
                }
            }
        }
        What::List { json } => list(&place(&config, file)?, json),
    }
}

fn list(place: &Place, json: bool) -> Result<Ended, Failure> {
    let text = read(&place.file)?;
    let (users, faults) = Users::read(&text);
    let mechanisms = |of: &Credentials| -> Vec<&str> {
        let hash = of.has_hash().then_some(["PLAIN", "LOGIN"]);
        let scram = of.scram().map(|_| "SCRAM-SHA-256");
        scram
            .into_iter()
            .chain(hash.into_iter().flatten())
            .collect()
    };
    let mut shown = String::new();
    if json {
        let all: Vec<_> = users
            .names()
            .map(|(name, of)| serde_json::json!({ "name": name, "mechanisms": mechanisms(of) }))
            .collect();
        shown = format!("{:#}\n", serde_json::Value::from(all));
    } else {
        let longest = users.names().map(|(name, _)| name.chars().count()).max();
        // No name is over `LONGEST_NAME`: it is a width that a format takes.
        let wide = longest.unwrap_or_default().max("USER".len());
        // Writing to a string can't fail.
        let _ = writeln!(shown, "{:wide$}  MECHANISMS", "USER");
        for (name, of) in users.names() {
            let _ = writeln!(
                shown,
                "{:wide$}  {}",
                say::clean(name),
                mechanisms(of).join(", ")
            );
        }
    }
    say::print(&shown)?;
    for fault in &faults {
        eprintln!("{}:{}: {}", place.file.display(), fault.line, fault.what);
    }
    Ok(if faults.is_empty() {
        Ended::Done
    } else {
        Ended::NotAll
    })
}

/// A name as the file has it.
fn proper(name: &str) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("the name {}: {why}", say::clean(name)));
    let name = prepared(name).map_err(|why| wrong(&why.to_string()))?;
    if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('#') {
        return Err(wrong("it is empty, too long, or begins with #"));
    }
    if name.contains(|c: char| c == ':' || c.is_whitespace()) {
        return Err(wrong("it can't have a colon or a blank in it"));
    }
    Ok(name)
}

/// What is kept of a password that is asked for.
fn made(name: &str, stdin: bool, kinds: Kinds) -> Result<Credentials, Failure> {
    let password = match stdin {
        true => from_stdin()?,
        false => asked_for(name)?,
    };
    if password.is_empty() {
        return Err(Failure::Cannot("an empty password is none".into()));
    }
    let password =
        prepared(&password).map_err(|why| Failure::Cannot(format!("the password {why}")))?;
    let no_chance = |error: io::Error| Failure::Cannot(format!("no random numbers: {error}"));
    let chance = Chance::from_os().map_err(no_chance)?;
    let mut salts = [[0; 16]; 2];
    salts.iter_mut().for_each(|salt| chance.fill(salt));
    Ok(Credentials::new(&password, salts, kinds))
}

fn from_stdin() -> Result<String, Failure> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::Cannot(format!("standard input: {error}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn asked_for(name: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        let words = "there is no terminal to ask for the password at; give it with --stdin";
        return Err(Failure::Usage(words.into()));
    }
    let ask = |words: &str| {
        rpassword::prompt_password(words)
            .map_err(|error| Failure::Cannot(format!("the terminal: {error}")))
    };
    let first = ask(&format!("Password of {name}: "))?;
    match ask("Once more: ")? == first {
        true => Ok(first),
        false => Err(Failure::Cannot(
            "these were two different passwords; nothing was changed".into(),
        )),
    }
}

/// Which file it is about.
fn place(config: &Path, file: Option<PathBuf>) -> Result<Place, Failure> {
    if let Some(file) = file {
        return Ok(Place {
            file,
            user: None,
            group: None,
        });
    }
    let loaded = configuration::load(Some(config)).map_err(|problems| {
        Failure::Cannot(format!(
            "can't use the configuration (--config names another, --file the password file):\n{problems}"
        ))
    })?;
    let server = loaded.config.server;
    match loaded.config.auth.passwords {
        Some(file) => Ok(Place {
            file,
            user: server.user,
            group: server.group,
        }),
        None => Err(Failure::Cannot(format!(
            "{} names no password file: set `passwords` in [auth], or name one with --file",
            config.display()
        ))),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let octets = match octets_of(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        read => read.map_err(|error| Failure::Cannot(format!("{}: {error}", file.display())))?,
    };
    String::from_utf8(octets)
        .map_err(|_| Failure::Cannot(format!("{} is not UTF-8", file.display())))
}

/// Puts a line in the place of the one that is about `name`, or takes it out; whether there was one. All
/// else in the file stays as it is. The server sees the old file or the new one, whole.
fn change(place: &Place, name: &str, line: Option<&str>) -> Result<bool, Failure> {
    let new = beside(&place.file);
    // Two that change it at the same time would lose one of the changes: the second finds this file.
    let file = RealDisk.open(&new, Open::CreateNew).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AlreadyExists => {
                "it is there: somebody is changing the passwords, or a change was broken off; remove it then"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        Failure::Cannot(format!("{}: {what}", new.display()))
    })?;
    let changed = read(&place.file).and_then(|text| {
        let (text, was_there) = with_line(&text, name, line);
        let replaced = replace(place, &file, &new, text.as_bytes());
        replaced.map_err(|error| Failure::Cannot(format!("{}: {error}", place.file.display())))?;
        Ok(was_there)
    });
    if changed.is_err() {
        // It says so itself when it is in the way.
        let _ = RealDisk.remove(&new);
    }
    changed
}

/// The text with a line in the place of the one about `name`, or behind all, or without it; and whether
/// there was one.
fn with_line(text: &str, name: &str, line: Option<&str>) -> (String, bool) {
    let (mut new, mut was_there) = (String::new(), false);
    for old in text.lines() {
        if name_of(old).as_deref() == Some(name) {
            new.push_str(line.filter(|_| !was_there).unwrap_or_default());
            was_there = true;
        } else {
            new.push_str(old);
            new.push('\n');
        }
    }
    new.push_str(line.filter(|_| !was_there).unwrap_or_default());
    (new, was_there)
}

/// The file that takes the place of a password file.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    file.with_file_name(name)
}

/// Writes a file anew, for whom the old one was, or else for the user that the server runs as. A crash
/// leaves the one or the other: the new one is on disk before it has the name.
fn replace(place: &Place, file: &RealFile, new: &Path, octets: &[u8]) -> io::Result<()> {
    file.write_all_at(octets, 0)?;
    give_to_reader(place, new)?;
    file.sync_data()?;
    RealDisk.rename(new, &place.file)?;
    let folder = match place.file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    RealDisk.sync_dir(folder)
}

fn give_to_reader(place: &Place, new: &Path) -> io::Result<()> {
    use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, stat};
    let (owner, group, mode) = match stat(&place.file) {
        Ok(old) => (
            Some(old.st_uid.into()),
            Some(old.st_gid.into()),
            old.st_mode & 0o777,
        ),
        Err(_) => match reader(place) {
            Some(group) => (None, Some(group), 0o640),
            None => return Ok(()),
        },
    };
    nix::unistd::chown(new, owner, group)?;
    let mode = Mode::from_bits_truncate(mode);
    Ok(fchmodat(
        nix::fcntl::AT_FDCWD,
        new,
        mode,
        FchmodatFlags::FollowSymlink,
    )?)
}

/// The group that has to be able to read a new file, where root makes it for a server that becomes somebody
/// else.
fn reader(place: &Place) -> Option<nix::unistd::Gid> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    match (&place.group, &place.user) {
        (Some(group), _) => Some(Group::from_name(group).ok()??.gid),
        (None, Some(user)) => Some(Account::from_name(user).ok()??.gid),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_the_place_of_the_one_about_the_same_user() {
        let text = "# users\nanna:one\n\nbert:two";
        let (set, was_there) = with_line(text, "anna", Some("anna:new\n"));
        assert_eq!(
            (set.as_str(), was_there),
            ("# users\nanna:new\n\nbert:two\n", true)
        );
        let (set, was_there) = with_line(text, "cora", Some("cora:new\n"));
        let expected = "# users\nanna:one\n\nbert:two\ncora:new\n";
        assert_eq!((set.as_str(), was_there), (expected, false));
        let (removed, was_there) = with_line(text, "bert", None);
        assert_eq!(
            (removed.as_str(), was_there),
            ("# users\nanna:one\n\n", true)
        );
        assert!(!with_line(text, "users", None).1);
    }
}
