//! What one run does, as its seed says.

use postroad_host::chance::Chance;
use postroad_spool::Options;

/// What a run is to have besides crashes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hardships {
    /// EIO, ENOSPC, short writes and failed syncs, at any call.
    pub faults: bool,
    /// A disk that may be too small for all the mail.
    pub small_disk: bool,
    /// A bit of the log turned over at each start but the first.
    pub rot: bool,
    /// What else is to be changed in the options of the spool.
    pub adjust: Option<fn(&mut Options)>,
}

impl Hardships {
    /// The line that repeats a run, as far as it can be said in one: not `adjust`.
    pub fn command_line(&self, seed: u64) -> String {
        let flags = [
            (self.faults, " --faults"),
            (self.small_disk, " --small-disk"),
            (self.rot, " --rot"),
        ];
        let said = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag);
        format!(
            "cargo run -p postroad-sim -- --seed {seed}{}",
            said.collect::<String>()
        )
    }
}

/// What one run does.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// For each start but the last: after how many changes to the disk the power goes.
    pub(crate) crashes: Vec<u64>,
    /// How many clients send at the same time, in each start.
    pub(crate) clients: u64,
    /// How many messages each of them sends in each start.
    pub(crate) messages: u64,
    /// How many messages are delivered at the same time.
    pub(crate) carriers: u64,
    /// The longest message, in octets.
    pub(crate) longest: u64,
    /// How many faults are put in each start but the last.
    pub(crate) faults: u64,
    /// How much the disk holds, in octets.
    pub(crate) capacity: Option<u64>,
    /// A bit of the log is turned over at each start but the first.
    pub(crate) rot: bool,
    /// How the store is set.
    pub store: StorePlan,
}

/// How a store is set, as far as stores have such a thing.
#[derive(Debug, Clone)]
pub struct StorePlan {
    /// The length of a segment, in octets.
    pub segment: u64,
    /// From how many octets on a body is a file of its own.
    pub body_file: usize,
    /// After how many octets of log there is a checkpoint.
    pub checkpoint: u64,
    /// How many octets of messages may be in memory.
    pub memory: usize,
    /// Calls to its disk may fail.
    pub faults: bool,
    /// What else is to be changed in the options of the spool.
    pub adjust: Option<fn(&mut Options)>,
}

impl Plan {
    pub(crate) fn draw(chance: &Chance, hardships: Hardships) -> Plan {
        let crashes = 1 + chance.below(5);
        // Some crashes come while the store starts or has hardly begun, most in its midst.
        let crash = |_| match chance.below(4) {
            0 => 1 + chance.below(30),
            _ => 1 + chance.below(500),
        };
        Plan {
            crashes: (0..crashes).map(crash).collect(),
            clients: 1 + chance.below(6),
            messages: 1 + chance.below(12),
            carriers: 1 + chance.below(3),
            longest: 1 << (6 + chance.below(8)),
            faults: if hardships.faults {
                1 + chance.below(4)
            } else {
                0
            },
            rot: hardships.rot,
            capacity: hardships
                .small_disk
                .then(|| 192 * 1024 + chance.below(256 * 1024)),
            store: StorePlan {
                segment: (32 * 1024) << chance.below(3),
                body_file: 512 << chance.below(5),
                checkpoint: (8 * 1024) << chance.below(5),
                memory: 1024 << chance.below(12),
                faults: hardships.faults,
                adjust: hardships.adjust,
            },
        }
    }
}
