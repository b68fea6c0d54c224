//! What is told to the service manager that started the process, by the protocol of sd_notify(3).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// For how long a word to the service manager may take. It reads its socket at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager, if there is one that wants to be told.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the process's environment names: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and
    /// `WATCHDOG_PID`. Where there is none, nobody is told anything.
    ///
    /// # Errors
    /// There is one, and it can't be reached.
    pub fn from_environment() -> io::Result<ServiceManager> {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(ServiceManager::default());
        };
        let address = address(&name)?;
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(ServiceManager {
            socket: Some(socket),
            watchdog: watchdog(),
        })
    }

    /// How often it wants to hear that the process lives, if it does; half of what it waits.
    pub fn heartbeat(&self) -> Option<Duration> {
        self.watchdog.map(|within| within / 2)
    }

    /// The process serves, or serves again after [`reloading`](ServiceManager::reloading).
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\n{}", status_line(status)));
    }

    /// The process reads its configuration again; [`ready`](ServiceManager::ready) says when it
    /// has.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    }

    /// The process ends in order.
    pub fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\n{}", status_line(status)));
    }

    /// The process lives.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1\n");
    }

    fn tell(&self, words: &str) {
        if let Some(socket) = &self.socket {
            // It can't be told that it can't be told.
            let _ = socket.send(words.as_bytes());
        }
    }
}

/// A path, or a name without a file after an `@`, which only Linux has.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some((b'@', name)) = name.as_bytes().split_first() {
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(name)
}

/// A line of its own, whatever is in it.
fn status_line(status: &str) -> String {
    let one_line = status.replace(char::is_control, " ");
    format!("STATUS={one_line}\n")
}

fn watchdog() -> Option<Duration> {
    let read = |name| std::env::var(name).ok();
    let meant = read("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
    let micros = read("WATCHDOG_USEC")?
        .parse()
        .ok()
        .filter(|micros| *micros > 0)?;
    meant.then(|| Duration::from_micros(micros))
}
