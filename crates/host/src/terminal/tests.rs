//! With terminals that the kernel makes (pty(7)), and a list of logins of our own.

use super::*;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::pty::OpenptFlags;
use rustix::termios::{InputModes, OptionalActions, OutputModes};

/// A terminal of ours: the side a user would sit at.
struct Pty {
    screen: File,
    line: OwnedFd,
    name: String,
}

impl Pty {
    fn open() -> Pty {
        let screen = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        rustix::pty::grantpt(&screen).expect("granted");
        rustix::pty::unlockpt(&screen).expect("unlocked");
        let path = rustix::pty::ptsname(&screen, Vec::new()).expect("its name");
        let path = path.to_str().expect("ASCII").to_owned();
        let line = File::options().read(true).write(true).open(&path);
        let pty = Pty {
            screen: File::from(screen),
            line: line.expect("the terminal").into(),
            name: path.strip_prefix("/dev/").expect("below /dev").to_owned(),
        };
        pty.mesg(true);
        pty
    }

    fn mesg(&self, on: bool) {
        let mode = if on { 0o620 } else { 0o600 };
        rustix::fs::fchmod(&self.line, Mode::from_raw_mode(mode)).expect("our own");
    }

    fn set_modes(&self, utf8: bool) {
        let mut modes = rustix::termios::tcgetattr(&self.line).expect("a terminal");
        modes.input_modes.set(InputModes::IUTF8, utf8);
        modes.output_modes.remove(OutputModes::OPOST);
        rustix::termios::tcsetattr(&self.line, OptionalActions::Now, &modes).expect("set");
    }

    /// ^S, and ^Q.
    fn hold(&self, held: bool) {
        let action = match held {
            true => rustix::termios::Action::OOff,
            false => rustix::termios::Action::OOn,
        };
        rustix::termios::tcflow(self.line.as_fd(), action).expect("held");
    }

    fn read(&mut self, octets: usize) -> Vec<u8> {
        let mut seen = vec![0; octets];
        self.screen.read_exact(&mut seen).expect("it was written");
        seen
    }
}

/// A user, the one who runs this, who is logged in on these lines.
fn logged_in(folder: &Path, lines: &[&str]) -> (Terminals, UserName) {
    let user = User::from_uid(Uid::current()).expect("the user database");
    let user = UserName::parse(&user.expect("somebody").name).expect("a name");
    let records = lines
        .iter()
        .map(|line| utmp::tests::record(7, line, user.as_str()));
    let utmp = folder.join("utmp");
    fs::write(&utmp, records.collect::<Vec<_>>().concat()).expect("a list");
    let terminals = Terminals {
        utmp,
        devices: PathBuf::from("/dev"),
    };
    (terminals, user)
}

fn in_folder(test: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    test(folder.path());
}

#[test]
fn names_of_users() {
    for name in ["ada", "_apt", "systemd-x", "a.b", "Ada", "u2"] {
        assert_eq!(UserName::parse(name).expect(name).as_str(), name);
    }
    let long = "u".repeat(33);
    for name in ["", "-a", ".a", "a b", "a/b", "a\n", "jörg", "a@b", &long] {
        assert_eq!(UserName::parse(name), None, "{name:?}");
    }
}

#[test]
fn the_terminals_of_a_user_are_found_by_mesg() {
    in_folder(|folder| {
        let (open, closed) = (Pty::open(), Pty::open());
        closed.mesg(false);
        let (terminals, user) = logged_in(folder, &[&open.name, &closed.name, "pts/nothing"]);
        terminals.check().expect("a list");
        let found = terminals.of(&user).expect("a list");
        let taking: Vec<_> = found.taking.iter().map(Line::to_string).collect();
        assert_eq!(taking, [open.name.as_str()]);
        assert_eq!(found.refusing, 1);
        assert_eq!(found.unusable.len(), 1, "{:?}", found.unusable);
        assert_eq!(found.unusable[0].0, "pts/nothing");

        let nobody = UserName::parse("nobody-at-all").expect("a name");
        let found = terminals.of(&nobody).expect("a list");
        assert!(found.taking.is_empty() && found.refusing == 0 && found.unusable.is_empty());
        fs::remove_file(&terminals.utmp).expect("it is there");
        assert!(terminals.check().is_err() && terminals.of(&user).is_err());
    });
}

#[test]
fn what_is_written_arrives_and_more_than_the_terminal_holds_at_once() {
    in_folder(|folder| {
        let mut pty = Pty::open();
        pty.set_modes(true);
        let (terminals, user) = logged_in(folder, &[&pty.name]);
        let found = terminals.of(&user).expect("a list");
        let message: Vec<u8> = (0..100_000u32).map(|at| b'a' + (at % 23) as u8).collect();
        let expected = message.clone();
        let reader = std::thread::spawn(move || (pty.read(expected.len()) == expected, pty));
        let terminal = found.taking[0].open().expect("open");
        assert!(terminal.takes_utf8());
        let written = terminal.write_all(&message, Duration::from_secs(20));
        written.expect("it is read");
        let (same, pty) = reader.join().expect("no panic");
        assert!(same);
        pty.set_modes(false);
        let terminal = found.taking[0].open().expect("open");
        assert!(!terminal.takes_utf8());
    });
}

#[test]
fn a_held_terminal_takes_nothing_and_can_be_left() {
    in_folder(|folder| {
        let mut pty = Pty::open();
        pty.set_modes(true);
        pty.hold(true);
        let (terminals, user) = logged_in(folder, &[&pty.name]);
        let line = &terminals.of(&user).expect("a list").taking[0];
        let write = |octets, how_long| line.open().expect("open").write_all(octets, how_long);
        let began = Instant::now();
        let left = write(b"held", Duration::from_millis(100)).map_err(|error| error.kind());
        assert_eq!(left, Err(io::ErrorKind::TimedOut));
        assert!(began.elapsed() >= Duration::from_millis(100));
        pty.hold(false);
        write(b"free", Duration::from_secs(20)).expect("it is free");
        assert_eq!(pty.read(4), b"free");
    });
}

#[test]
fn a_terminal_that_nobody_reads_is_left_too() {
    in_folder(|folder| {
        let pty = Pty::open();
        pty.set_modes(true);
        let (terminals, user) = logged_in(folder, &[&pty.name]);
        let line = &terminals.of(&user).expect("a list").taking[0];
        let much = vec![b'x'; 1 << 20];
        let left = line.open().expect("open");
        let left = left.write_all(&much, Duration::from_millis(200));
        let left = left.map_err(|error| error.kind());
        assert_eq!(left, Err(io::ErrorKind::TimedOut));
    });
}

#[test]
fn mesg_is_looked_at_again_when_a_terminal_is_opened() {
    in_folder(|folder| {
        let pty = Pty::open();
        let (terminals, user) = logged_in(folder, &[&pty.name]);
        let found = terminals.of(&user).expect("a list");
        pty.mesg(false);
        let refused = found.taking[0].open().map_err(|error| error.kind());
        assert_eq!(refused.map(drop), Err(io::ErrorKind::PermissionDenied));
        drop(pty);
        // Nobody is logged in there any more.
        assert!(found.taking[0].open().is_err());
    });
}

/// Links, files, and devices that are no terminals, in a folder that is said to be that of devices.
#[test]
fn what_is_no_terminal_of_the_user_is_not_written_to() {
    in_folder(|folder| {
        let pty = Pty::open();
        let devices = folder.join("dev");
        fs::create_dir(&devices).expect("a folder");
        symlink(Path::new("/dev").join(&pty.name), devices.join("link")).expect("a link");
        symlink("/dev/pts", devices.join("pts")).expect("a link");
        fs::write(devices.join("file"), "kept").expect("a file");
        let names = ["link", &pty.name, "file", "none"];
        let (mut terminals, user) = logged_in(folder, &names);
        terminals.devices = devices.clone();
        let found = terminals.of(&user).expect("a list");
        assert!(found.taking.is_empty(), "{:?}", found.taking);
        assert_eq!(found.refusing, 0);
        assert_eq!(found.unusable.len(), names.len(), "{:?}", found.unusable);
        let kept = fs::read_to_string(devices.join("file")).expect("it is there");
        assert_eq!(kept, "kept");
    });
}

#[test]
fn devices_that_are_no_terminals_of_the_user_are_refused() {
    in_folder(|folder| {
        let (terminals, user) = logged_in(folder, &["null", "tty", "ptmx"]);
        let found = terminals.of(&user).expect("a list");
        for line in found.taking {
            // The null device belongs to root: whoever runs this may be root.
            assert!(line.open().is_err(), "{line}");
        }
        let names: Vec<_> = found.unusable.iter().map(|(name, _)| name).collect();
        assert!(names.contains(&&"tty".to_owned()), "{names:?}");
        assert!(names.contains(&&"ptmx".to_owned()), "{names:?}");
    });
}

#[test]
fn the_terminal_of_another_user_is_refused() {
    let pty = Pty::open();
    let devices = Devices::open(Path::new("/dev")).expect("the devices");
    let name = device::LineName::parse(pty.name.as_bytes()).expect("a name");
    let somebody_else = Uid::current().as_raw() + 1;
    let refused = devices.standing(name, somebody_else);
    let refused = refused.map_err(|error| error.kind());
    assert_eq!(refused.map(drop), Err(io::ErrorKind::PermissionDenied));
}
