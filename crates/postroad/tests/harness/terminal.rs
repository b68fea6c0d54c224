//! A terminal that the kernel makes (pty(7)), and a list of who is logged in there.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, User};
use rustix::fs::Mode;
use rustix::pty::OpenptFlags;
use rustix::termios::{InputModes, OptionalActions, OutputModes};

use super::PATIENCE;

/// How long a record of the list is (utmp(5)), as the GNU C library has it.
const RECORD: usize = match cfg!(target_arch = "aarch64") {
    true => 400,
    false => 384,
};

/// A terminal that the user of this test is logged in on.
pub struct Terminal {
    line: OwnedFd,
    name: String,
    seen: Arc<Mutex<Vec<u8>>>,
}

/// What the user of this test is called.
pub fn user() -> String {
    let user = User::from_uid(Uid::current()).expect("the user database");
    user.expect("somebody").name
}

/// Writes the list of who is logged in: this user, on these.
pub fn write_logins(file: &Path, terminals: &[Terminal]) {
    let mut list = Vec::new();
    for terminal in terminals {
        let mut record = vec![0; RECORD];
        record[..2].copy_from_slice(&7i16.to_ne_bytes());
        record[8..8 + terminal.name.len()].copy_from_slice(terminal.name.as_bytes());
        let user = user();
        record[44..44 + user.len()].copy_from_slice(user.as_bytes());
        list.extend(record);
    }
    std::fs::write(file, list).expect("write the list of logins");
}

impl Terminal {
    /// A terminal that takes messages, in UTF-8.
    pub fn open() -> Terminal {
        let screen = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        rustix::pty::grantpt(&screen).expect("granted");
        rustix::pty::unlockpt(&screen).expect("unlocked");
        let path = rustix::pty::ptsname(&screen, Vec::new()).expect("its name");
        let path = path.to_str().expect("ASCII").to_owned();
        let line = File::options().read(true).write(true).open(&path);
        let line = OwnedFd::from(line.expect("the terminal"));
        let mut modes = rustix::termios::tcgetattr(&line).expect("a terminal");
        modes.input_modes.insert(InputModes::IUTF8);
        modes.output_modes.remove(OutputModes::OPOST);
        rustix::termios::tcsetattr(&line, OptionalActions::Now, &modes).expect("set");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sees = Arc::clone(&seen);
        let mut screen = File::from(screen);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            // It ends with the line.
            while let Ok(read @ 1..) = screen.read(&mut piece) {
                sees.lock()
                    .expect("no reader panics")
                    .extend(&piece[..read]);
            }
        });
        let terminal = Terminal {
            line,
            name: path.strip_prefix("/dev/").expect("below /dev").to_owned(),
            seen,
        };
        terminal.mesg(true);
        terminal
    }

    /// Whether it takes messages.
    pub fn mesg(&self, on: bool) {
        let mode = if on { 0o620 } else { 0o600 };
        rustix::fs::fchmod(&self.line, Mode::from_raw_mode(mode)).expect("our own");
    }

    /// ^S, and ^Q.
    pub fn hold(&self, held: bool) {
        let action = match held {
            true => rustix::termios::Action::OOff,
            false => rustix::termios::Action::OOn,
        };
        rustix::termios::tcflow(self.line.as_fd(), action).expect("held");
    }

    /// What it shows.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("no reader panics")).into_owned()
    }

    /// Waits until it shows a text.
    pub fn wait_for(&self, text: &str) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while !self.seen().contains(text) {
            if Instant::now() > end {
                return Err(format!("the terminal shows {:?}", self.seen()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}
