//! What the servers have in common: a folder, a port, a process that ends with the test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

use crate::harness::{PATIENCE, Server};

/// A folder that servers can enter which run as users of their own.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("open it");
    folder
}

/// A port nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

/// Makes a folder of a user.
pub fn make_for(user: &str, folder: &Path) {
    fs::create_dir_all(folder).expect("make a folder");
    let user = user_named(user);
    nix::unistd::chown(folder, Some(user.uid), Some(user.gid)).expect("give it away");
}

/// A user of the machine.
pub fn user_named(name: &str) -> User {
    let found = User::from_name(name).expect("look the user up");
    found.unwrap_or_else(|| panic!("there is no user {name}"))
}

/// Where a program is.
pub fn program_named(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join(name));
    let found = programs.find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("there is no program {name}"))
}

/// Whether a server can be started that wants root; if not, that is said.
pub fn may_start(server: &str) -> bool {
    let may = nix::unistd::geteuid().is_root();
    if !may {
        println!("left out: {server}: it is started as root");
    }
    may
}

/// A server's process in the foreground, ended with the test.
pub struct Process(Child);

impl Process {
    /// Starts it and waits until it listens at the port.
    pub fn start(mut command: Command, port: u16) -> Process {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let mut process = Process(child);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait_until(&format!("{command:?} to listen"), || {
            if let Some(status) = process.0.try_wait().expect("ask for its end") {
                panic!("{command:?}: {status}");
            }
            TcpStream::connect(address).is_ok()
        });
        process
    }

    /// Asks it to end and waits; one that doesn't is killed.
    pub fn end(&mut self) {
        let pid = i32::try_from(self.0.id()).expect("a pid");
        if self.0.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let end = Instant::now() + Duration::from_secs(5);
        while self.0.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > end {
                let _ = self.0.kill();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for something that the test is sure of, for a while.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The server under test, with routes, `here.test` for its own mail and short retries.
pub fn postroad(folder: &Path, more: &str) -> Server {
    let own = folder.join("postroad");
    fs::create_dir_all(&own).expect("make a folder");
    Server::start(&own, &settings(more))
}

/// What [`postroad`] is started with.
fn settings(more: &str) -> String {
    format!(
        "[[domain]]
name = \"here.test\"
create_mailboxes = true

[relay]
trusted_networks = [\"127.0.0.0/8\"]

[delivery]
retry_first = \"1s\"
retry_growth = 1
{more}"
    )
}

/// The setting for a route.
pub fn route(domain: &str, next_hop: &str) -> String {
    format!("\n[[route]]\ndomain = \"{domain}\"\nnext_hop = \"{next_hop}\"\n")
}
