//! What a crash does to what was not synced.

use crate::chance::Chance;

/// The luck of one crash, or of one sync that fails.
///
/// A crash is of a kind: in some all is lost, in some all is kept, most are in between; and
/// names may fare otherwise than octets. Drawing each thing's luck alone would make the extreme
/// cases, in which mistakes show best, next to impossible.
#[derive(Debug)]
pub(super) struct Fate {
    chance: Chance,
    /// Of a hundred unsynced changes to octets, how many are kept whole.
    octets_kept: u64,
    /// Of a hundred unsynced changes to names, how many are kept.
    names_kept: u64,
}

impl Fate {
    pub(super) fn draw(chance: &Chance) -> Fate {
        let chance = chance.fork();
        let share = || match chance.below(4) {
            0 => 0,
            1 => 100,
            _ => chance.below(101),
        };
        Fate {
            octets_kept: share(),
            names_kept: share(),
            chance,
        }
    }

    pub(super) fn keeps_octets(&self) -> bool {
        self.chance.below(100) < self.octets_kept
    }

    pub(super) fn keeps_name(&self) -> bool {
        self.chance.below(100) < self.names_kept
    }

    /// Whether a write that is not kept whole is kept in part; never in a crash that loses all.
    pub(super) fn tears(&self) -> bool {
        self.octets_kept > 0 && self.coin()
    }

    pub(super) fn coin(&self) -> bool {
        self.chance.one_in(2)
    }

    pub(super) fn below(&self, end: u64) -> u64 {
        self.chance.below(end)
    }
}
