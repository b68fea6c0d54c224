//! Memory that the host of a virtual machine takes away while it is free.
//!
//! A virtual machine may report its free memory, in blocks of 2 MiB and more, and the host takes that. Who
//! takes a page of it next waits until the host has given it back: 5 to 9 µs on the machine of
//! docs/benchmarks.md, where to fill it takes 0.2. Whom that meets is chance, and with messages of
//! 1 MiB it was more than all else. So the measurement takes memory first, and keeps a page of each MiB of
//! it: what lies between is free, for whoever comes first, and in pieces that are too small to be reported.

use std::fs;

/// At most so much, and at most so many hundredths of what is free.
const MOST: usize = 8192;
const PERCENT: usize = 75;

/// Keeps memory from being taken away.
pub(crate) struct Warm {
    _kept: Vec<Vec<u8>>,
    /// What was done, for the reader.
    pub(crate) said: Option<String>,
}

impl Warm {
    /// Takes memory and gives it back, if this machine is one that reports what is free.
    pub(crate) fn make() -> Warm {
        let mebibytes = match fs::read_to_string("/proc/meminfo") {
            Ok(said) if reports_free_memory() => (free(&said) * PERCENT / 100).min(MOST),
            _ => 0,
        };
        // All of it before any is given back, or the same would be taken again.
        let mut kept: Vec<Vec<u8>> = (0..mebibytes).map(|_| vec![1; 1 << 20]).collect();
        for piece in &mut kept {
            piece.truncate(1);
            piece.shrink_to_fit();
        }
        let said = format!(
            "Memory: {mebibytes} MiB taken and given back, so that the host has none of it to give during a run"
        );
        Warm {
            _kept: kept,
            said: (mebibytes > 0).then_some(said),
        }
    }
}

/// Whether a virtio balloon has agreed on free page reporting (feature 5 in the virtio specification, 5.5.3).
fn reports_free_memory() -> bool {
    let Ok(balloons) = fs::read_dir("/sys/bus/virtio/drivers/virtio_balloon") else {
        return false;
    };
    let mut features = balloons
        .flatten()
        .filter_map(|balloon| fs::read(balloon.path().join("features")).ok());
    features.any(|features| features.get(5) == Some(&b'1'))
}

/// How many MiB are free, by /proc/meminfo.
fn free(said: &str) -> usize {
    let free = said.lines().find_map(|line| line.strip_prefix("MemFree:"));
    let kibibytes = free.and_then(|free| free.trim().strip_suffix(" kB"));
    kibibytes.map_or(0, |free| free.parse().unwrap_or(0) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_read() {
        let said = "MemTotal:       24683656 kB\nMemFree:        19317352 kB\n";
        assert_eq!(free(said), 18864);
        assert_eq!(free("MemTotal: 1 kB\n"), 0);
    }
}
