//! What a service manager hears: sd_notify(3).

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::harness::{PATIENCE, Server, configuration};

const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

/// The command that serves in a folder, with its configuration written there.
fn serves(folder: &Path, settings: &str) -> Command {
    let file = folder.join("postroad.toml");
    let text = configuration(&folder.join("data"), settings);
    std::fs::write(&file, text).expect("write the configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_postroad"));
    command.args(["serve", "--config"]).arg(file);
    command
}

/// The socket of a service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Manager {
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("set its patience");
        Manager(socket)
    }

    /// The next word that isn't about the watchdog.
    fn told(&self) -> BTreeMap<String, String> {
        loop {
            let mut buffer = [0; 4096];
            let octets = self.0.recv(&mut buffer).expect("a word");
            let words = std::str::from_utf8(&buffer[..octets]).expect("UTF-8");
            let pairs = words.lines().map(|line| {
                let (name, value) = line.split_once('=').expect("an assignment");
                (name.to_owned(), value.to_owned())
            });
            let told: BTreeMap<_, _> = pairs.collect();
            if !told.contains_key("WATCHDOG") {
                return told;
            }
        }
    }
}

#[test]
fn the_service_manager_is_told_of_start_reload_and_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let manager = Manager::at(&path);
    let mut command = serves(folder.path(), SETTINGS);
    command.env("NOTIFY_SOCKET", &path);
    let mut server = Server::spawn(command, folder.path().join("data"));
    let told = manager.told();
    assert_eq!(told["READY"], "1");
    assert_eq!(told["STATUS"], format!("serving at {}", server.address));

    let micros = || {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec * 1_000_000 + now.tv_nsec / 1000
    };
    let before = micros();
    server.signal(Signal::SIGHUP);
    let told = manager.told();
    assert_eq!(told["RELOADING"], "1");
    let at: i64 = told["MONOTONIC_USEC"].parse().expect("a number");
    assert!((before..=micros()).contains(&at), "{before} {at}");
    let told = manager.told();
    assert_eq!(told["READY"], "1");
    assert!(told["STATUS"].contains("read again"), "{told:?}");

    std::fs::write(folder.path().join("postroad.toml"), "nonsense").expect("write it");
    server.signal(Signal::SIGHUP);
    assert_eq!(manager.told()["RELOADING"], "1");
    let told = manager.told();
    assert_eq!(told["READY"], "1");
    assert!(told["STATUS"].contains("refused"), "{told:?}");

    server.tell_to_end();
    assert_eq!(manager.told()["STOPPING"], "1");
    assert!(server.wait().success());
}

#[test]
fn the_watchdog_hears_from_it_if_it_wants_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let manager = Manager::at(&path);
    let mut command = serves(folder.path(), SETTINGS);
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000");
    let _server = Server::spawn(command, folder.path().join("data"));
    let mut buffer = [0; 4096];
    let mut beats = 0;
    while beats < 5 {
        let octets = manager.0.recv(&mut buffer).expect("a word");
        beats += usize::from(&buffer[..octets] == b"WATCHDOG=1\n");
        let patience = Some(Duration::from_secs(5));
        manager.0.set_read_timeout(patience).expect("set it");
    }
}
