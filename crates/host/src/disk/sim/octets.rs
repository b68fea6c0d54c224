//! What a file holds, and what of it a crash leaves.

use super::fate::Fate;

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// The unit in which a file takes room.
pub(super) const BLOCK: u64 = 4096;

/// The octets of one file.
#[derive(Debug, Default)]
pub(super) struct Octets {
    /// What a read gives.
    cached: Vec<u8>,
    /// What a sync has made safe.
    durable: Vec<u8>,
    /// What was done since, in order.
    unsynced: Vec<Change>,
    /// Which blocks have room on the disk.
    blocks: Vec<bool>,
}

#[derive(Debug)]
enum Change {
    Write { offset: u64, octets: Vec<u8> },
    Length(u64),
    AtLeast(u64),
}

impl Octets {
    /// A file as a crash left it.
    fn clean(octets: Vec<u8>) -> Octets {
        let blocks = vec![true; blocks_of(octets.len() as u64)];
        Octets {
            cached: octets.clone(),
            durable: octets,
            unsynced: Vec::new(),
            blocks,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.cached.len() as u64
    }

    /// How many blocks it takes.
    pub(super) fn taken(&self) -> u64 {
        self.blocks.iter().filter(|taken| **taken).count() as u64
    }

    pub(super) fn read(&self, into: &mut [u8], offset: u64) -> usize {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(there) = self.cached.get(from..) else {
            return 0;
        };
        let n = there.len().min(into.len());
        into[..n].copy_from_slice(&there[..n]);
        n
    }

    /// Takes room for a write, block by block, while `free` blocks are left. Says how much of the
    /// write has room, and how many blocks were taken.
    pub(super) fn take_room(&mut self, offset: u64, len: u64, free: u64) -> (u64, u64) {
        let end = offset + len;
        let (first, last) = (offset / BLOCK, blocks_of(end));
        if self.blocks.len() < last {
            self.blocks.resize(last, false);
        }
        let mut taken = 0;
        for (at, block) in self.blocks.iter_mut().enumerate().skip(first as usize) {
            if at >= last {
                break;
            }
            if !*block {
                if taken == free {
                    return ((at as u64 * BLOCK).saturating_sub(offset), taken);
                }
                *block = true;
                taken += 1;
            }
        }
        (len, taken)
    }

    pub(super) fn write(&mut self, octets: &[u8], offset: u64) {
        self.change(Change::Write {
            offset,
            octets: octets.to_vec(),
        });
    }

    /// Says how many blocks became free.
    pub(super) fn set_len(&mut self, len: u64) -> u64 {
        self.change(Change::Length(len));
        let before = self.taken();
        self.blocks.truncate(blocks_of(len));
        before - self.taken()
    }

    /// Makes it at least so long.
    pub(super) fn extend(&mut self, len: u64) {
        self.change(Change::AtLeast(len));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.cached);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync that fails writes some of it and takes all of it for written: it is no longer
    /// unsynced, so that the next sync succeeds without it. Where the system then needs the
    /// memory, what is read back is what is on the disk.
    pub(super) fn fail_sync(&mut self, fate: &Fate) {
        self.durable = self.after_crash(fate);
        self.unsynced.clear();
        if fate.coin() {
            self.cached = self.durable.clone();
        }
    }

    /// What a crash leaves: all that is durable, and of the rest whatever the disk had got to.
    /// Each sector is kept or lost by itself, so every order the disk may write in is covered.
    pub(super) fn crash(&self, fate: &Fate) -> Octets {
        Octets::clean(self.after_crash(fate))
    }

    fn after_crash(&self, fate: &Fate) -> Vec<u8> {
        let mut left = self.durable.clone();
        for change in &self.unsynced {
            match change {
                _ if fate.keeps_octets() => change.apply(&mut left),
                Change::Write { offset, octets } if fate.tears() => {
                    tear(&mut left, octets, *offset, fate);
                }
                Change::Write { offset, octets } if fate.tears() => {
                    // The length got there, the octets didn't.
                    at_least(&mut left, offset + octets.len() as u64);
                }
                _ => {}
            }
        }
        left
    }

    /// Turns one bit over, on the disk and in memory.
    pub(super) fn flip(&mut self, bit: u64) {
        let (at, mask) = ((bit / 8) as usize, 1 << (bit % 8));
        for copy in [&mut self.cached, &mut self.durable] {
            if let Some(octet) = copy.get_mut(at) {
                *octet ^= mask;
            }
        }
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write { offset, octets } => put(to, octets, *offset),
            Change::Length(len) => to.resize(*len as usize, 0),
            Change::AtLeast(len) => at_least(to, *len),
        }
    }
}

/// Writes a part: up to any octet, up to a sector's end, or any of the sectors.
fn tear(to: &mut Vec<u8>, octets: &[u8], offset: u64, fate: &Fate) {
    let end = offset + octets.len() as u64;
    let part = |from: u64, until: u64| &octets[(from - offset) as usize..(until - offset) as usize];
    if fate.coin() {
        let cut = offset + fate.below(octets.len() as u64);
        let whole_sectors = (cut / SECTOR * SECTOR).max(offset);
        let until = if fate.coin() { cut } else { whole_sectors };
        put(to, part(offset, until), offset);
        return;
    }
    let mut from = offset;
    while from < end {
        let until = (from / SECTOR * SECTOR + SECTOR).min(end);
        if fate.coin() {
            put(to, part(from, until), from);
        }
        from = until;
    }
}

fn put(to: &mut Vec<u8>, octets: &[u8], offset: u64) {
    if octets.is_empty() {
        return;
    }
    at_least(to, offset + octets.len() as u64);
    let from = offset as usize;
    to[from..from + octets.len()].copy_from_slice(octets);
}

fn at_least(to: &mut Vec<u8>, len: u64) {
    if (to.len() as u64) < len {
        to.resize(len as usize, 0);
    }
}

fn blocks_of(len: u64) -> usize {
    len.div_ceil(BLOCK) as usize
}
