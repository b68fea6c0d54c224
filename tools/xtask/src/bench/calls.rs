//! Counts system calls of running processes, with perf: it slows a server far less than strace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::stop;

/// Each system call, and those that flush.
const ALL: &str = "raw_syscalls:sys_enter";
const FLUSHES: [&str; 4] = [
    "syscalls:sys_enter_fsync",
    "syscalls:sys_enter_fdatasync",
    "syscalls:sys_enter_sync_file_range",
    "syscalls:sys_enter_syncfs",
];

/// How many of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Calls {
    pub(crate) all: u64,
    pub(crate) flushes: u64,
}

/// A perf that counts.
pub(crate) struct Counter {
    perf: Child,
    report: PathBuf,
}

impl Counter {
    /// Begins to count what these processes call, and those they start from now on.
    pub(crate) fn start(processes: &[u32], folder: &Path) -> Result<Counter, String> {
        let report = folder.join("perf.txt");
        let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
        let mut perf = Command::new("perf");
        perf.args(["stat", "-x", ";", "-e", ALL, "-e", &FLUSHES.join(",")]);
        perf.arg("-o")
            .arg(&report)
            .args(["-p", &processes.join(",")]);
        perf.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut perf = perf.spawn().map_err(|e| format!("perf: {e}"))?;
        // It says nothing once it has attached itself.
        thread::sleep(Duration::from_secs(1));
        if let Ok(Some(status)) = perf.try_wait() {
            return Err(format!("perf ended at once: {status}"));
        }
        Ok(Counter { perf, report })
    }

    pub(crate) fn end(mut self) -> Result<Calls, String> {
        stop(&mut self.perf, "INT");
        let text = fs::read_to_string(&self.report).map_err(|e| format!("perf: {e}"))?;
        read(&text).ok_or_else(|| format!("perf said something else: {text}"))
    }
}

/// Reads `perf stat -x ;`: a line for each event, with its count first and its name third.
fn read(text: &str) -> Option<Calls> {
    let count = |name: &str| {
        let mut lines = text.lines().map(|line| line.split(';').collect::<Vec<_>>());
        let line = lines.find(|fields| fields.get(2) == Some(&name))?;
        // It has a third field, so it has a first.
        line[0].parse::<u64>().ok()
    };
    Some(Calls {
        all: count(ALL)?,
        flushes: FLUSHES
            .iter()
            .map(|name| count(name))
            .sum::<Option<u64>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_perf_writes_is_read() {
        let text = "# started on x\n\n109;;raw_syscalls:sys_enter;1;100.00;;\n\
                    2;;syscalls:sys_enter_fsync;1;100.00;;\n30;;syscalls:sys_enter_fdatasync;1;100.00;;\n\
                    0;;syscalls:sys_enter_sync_file_range;1;100.00;;\n0;;syscalls:sys_enter_syncfs;1;1;;\n";
        let expected = Calls {
            all: 109,
            flushes: 32,
        };
        assert_eq!(read(text), Some(expected));
        assert_eq!(read("<not counted>;;raw_syscalls:sys_enter;0;0;;\n"), None);
    }
}
