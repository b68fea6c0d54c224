//! What was asked of a simulated disk, for the people who read a failing run.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::Call;

/// How many of the last calls are kept to be printed. All of them are in the hash.
const KEPT: usize = 4096;

/// FNV-1a, 64 bits: its offset basis and its prime.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The calls to a disk.
#[derive(Debug, Clone)]
pub(super) struct Log {
    hash: u64,
    last: VecDeque<Entry>,
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) call: Call,
    pub(super) path: Arc<Path>,
    /// Where in the file, and how much; 0 and 0 where that means nothing.
    pub(super) at: (u64, u64),
    pub(super) outcome: Outcome,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Short(u64),
    Failed(i32),
    /// The machine went down in it; whether it still took effect.
    Crashed(bool),
}

impl Default for Log {
    fn default() -> Log {
        Log {
            hash: BASIS,
            last: VecDeque::new(),
        }
    }
}

impl Log {
    /// Adds a call and what was written in it.
    pub(super) fn add(&mut self, entry: Entry, octets: &[u8]) {
        self.mix(&[entry.call as u8]);
        self.mix(entry.path.as_os_str().as_encoded_bytes());
        self.mix(&entry.at.0.to_le_bytes());
        self.mix(&entry.at.1.to_le_bytes());
        let (kind, number) = match entry.outcome {
            Outcome::Done => (0, 0),
            Outcome::Short(n) => (1, n),
            Outcome::Failed(errno) => (2, u64::from(errno.unsigned_abs())),
            Outcome::Crashed(done) => (3, u64::from(done)),
        };
        self.mix(&[kind]);
        self.mix(&number.to_le_bytes());
        self.mix(octets);
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(entry);
    }

    /// A number that tells one run of calls from another.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    fn mix(&mut self, octets: &[u8]) {
        for octet in octets {
            self.hash = (self.hash ^ u64::from(*octet)).wrapping_mul(PRIME);
        }
    }
}

impl fmt::Display for Log {
    /// A line for each call.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry {
            call,
            path,
            at: (offset, len),
            outcome,
        } in &self.last
        {
            write!(f, "{call:?} {}", path.display())?;
            if *len > 0 {
                write!(f, " {offset}+{len}")?;
            }
            match outcome {
                Outcome::Done => writeln!(f)?,
                Outcome::Short(n) => writeln!(f, ": only {n}")?,
                Outcome::Failed(errno) => writeln!(f, ": errno {errno}")?,
                Outcome::Crashed(true) => writeln!(f, ": done, then the machine went down")?,
                Outcome::Crashed(false) => writeln!(f, ": the machine went down")?,
            }
        }
        Ok(())
    }
}
