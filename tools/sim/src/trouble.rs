//! What goes wrong with a disk besides the power.

use std::path::Path;

use postroad_host::chance::Chance;
use postroad_host::disk::Disk;
use postroad_host::disk::sim::{Call, Fault, SimDisk, Wrong};

use crate::node::read;

/// The calls that are made to fail; any that changes something, if none.
const CALLS: [Option<Call>; 10] = [
    None,
    Some(Call::Write),
    Some(Call::Sync),
    Some(Call::SyncDir),
    Some(Call::Rename),
    Some(Call::Create),
    Some(Call::Allocate),
    Some(Call::SetLen),
    Some(Call::Remove),
    Some(Call::Read),
];

/// So many faults, some of which come once and some for a while.
pub(crate) fn faults(how_many: u64, chance: &Chance) -> Vec<Fault> {
    let fault = |_| {
        let on = CALLS[chance.index(CALLS.len())];
        let wrong = match (on, chance.below(4)) {
            (Some(Call::Read), _) => Wrong::Io,
            (_, 0) => Wrong::NoSpace,
            (_, 1) => Wrong::Short,
            _ => Wrong::Io,
        };
        Fault {
            on,
            nth: 1 + chance.below(if on.is_none() { 300 } else { 60 }),
            times: [1, 1, 2, 5, 40][chance.index(5)],
            wrong,
        }
    };
    (0..how_many).map(fault).collect()
}

/// Turns over a bit of the log, in a place where something was written. Says where.
pub(crate) fn rot(disk: &SimDisk, chance: &Chance) -> Option<String> {
    let mut segments = disk.list(Path::new("/spool/segments")).ok()?;
    segments.retain(|entry| entry.path.extension().is_some_and(|end| end == "seg"));
    let path = &segments.get(chance.index(segments.len()))?.path;
    let octets = read(disk, path).ok()?;
    // The headers are there twice, and are the spool's own tests' business.
    let written = octets.iter().enumerate().skip(8192);
    let written = written.filter(|(_, octet)| **octet != 0);
    let written: Vec<usize> = written.map(|(at, _)| at).collect();
    let at = *written.get(chance.index(written.len()))? as u64;
    disk.flip_bit(path, at * 8 + chance.below(8)).ok()?;
    Some(format!("octet {at} of {} rots", path.display()))
}
