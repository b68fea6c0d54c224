//! What a server and all processes it started have spent, by /proc (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A process and all below it, at one moment.
pub(crate) struct Family(Vec<u32>);

/// What /proc/PID/stat says of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Of itself and of the children it has waited for.
    ticks: u64,
}

impl Family {
    pub(crate) fn of(first: u32) -> Family {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let parents: BTreeMap<u32, u32> = processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|process| Some((process, stat(process)?.parent)))
            .collect();
        Family(below(first, &parents))
    }

    pub(crate) fn processes(&self) -> &[u32] {
        &self.0
    }

    /// Seconds of processor time until now, those of children that are gone included.
    pub(crate) fn cpu_seconds(&self, ticks_a_second: f64) -> f64 {
        let ticks: u64 = self.0.iter().filter_map(|p| Some(stat(*p)?.ticks)).sum();
        ticks as f64 / ticks_a_second
    }

    /// Octets in memory, with shared pages counted once (the sum of Pss). At the peak: what each process had
    /// more at its own peak is added.
    pub(crate) fn memory(&self, at_peak: bool) -> u64 {
        let memory = |process: &u32| {
            let folder = Path::new("/proc").join(process.to_string());
            let share = kibibytes(&folder.join("smaps_rollup"), "Pss:")?;
            let status = folder.join("status");
            let more = kibibytes(&status, "VmHWM:")?.saturating_sub(kibibytes(&status, "VmRSS:")?);
            Some(share + if at_peak { more } else { 0 })
        };
        self.0.iter().filter_map(memory).sum::<u64>() * 1024
    }
}

/// A process and those below it.
fn below(first: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut found = vec![first];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, p)| **p == parent)
                .map(|(c, _)| *c),
        );
        at += 1;
    }
    found
}

fn stat(process: u32) -> Option<Stat> {
    read_stat(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

fn read_stat(line: &str) -> Option<Stat> {
    // The name, in parentheses, may hold anything.
    let rest: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| rest.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
    })
}

fn kibibytes(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// How many ticks of /proc make a second.
pub(crate) fn ticks_a_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output();
    let ticks = output.ok().and_then(|o| String::from_utf8(o.stdout).ok());
    // It is 100 wherever Linux runs on a machine with two cores or more.
    ticks.and_then(|t| t.trim().parse().ok()).unwrap_or(100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_strange_name_is_read() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 4 1 2 3 4 10 20 300 4000 20 0 1 0 5 6 7";
        let expected = Stat {
            parent: 3,
            ticks: 4330,
        };
        assert_eq!(read_stat(line), Some(expected));
        assert_eq!(read_stat("7 (a"), None);
    }

    #[test]
    fn those_below_are_found_however_deep() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 9)]);
        assert_eq!(below(2, &parents), [2, 3, 4]);
        assert_eq!(below(9, &parents), [9, 6]);
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let family = Family::of(std::process::id());
        assert!(family.memory(false) > 0);
        assert!(family.memory(true) >= family.memory(false) / 2);
        assert!(ticks_a_second() > 0.0);
    }
}
