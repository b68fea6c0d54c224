//! Random numbers, from the system or from a seed.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::{StdRng, SysRng};
use rand::{Rng, RngExt, SeedableRng};

/// A handle to a random generator. Clones draw from the same stream.
///
/// From a seed, the stream is the same in every run of one build.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<StdRng>>);

impl Chance {
    /// A generator seeded by the operating system. Fails where the system has no random numbers
    /// to give.
    pub fn from_os() -> io::Result<Chance> {
        let generator = StdRng::try_from_rng(&mut SysRng).map_err(io::Error::other)?;
        Ok(Chance(Arc::new(Mutex::new(generator))))
    }

    /// A generator whose stream depends on `seed` alone.
    pub fn from_seed(seed: u64) -> Chance {
        Chance(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A generator of its own stream, seeded from this one.
    pub fn fork(&self) -> Chance {
        Chance::from_seed(self.u64())
    }

    /// Any number.
    pub fn u64(&self) -> u64 {
        self.generator().next_u64()
    }

    /// Any number under `end`; 0 if `end` is 0.
    pub fn below(&self, end: u64) -> u64 {
        match end {
            0 => 0,
            _ => self.generator().random_range(0..end),
        }
    }

    /// Any place in a list of `len` things; 0 if there are none.
    pub fn index(&self, len: usize) -> usize {
        // Below `len`, so it fits.
        self.below(len as u64) as usize
    }

    /// Yes in one of `n` cases; never if `n` is 0.
    pub fn one_in(&self, n: u64) -> bool {
        n != 0 && self.below(n) == 0
    }

    /// Fills `into` with random octets.
    pub fn fill(&self, into: &mut [u8]) {
        self.generator().fill_bytes(into);
    }

    fn generator(&self) -> MutexGuard<'_, StdRng> {
        // A generator is in order after every call, whatever happened to its caller.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Chance {
    /// Says nothing of its state, from which the numbers to come could be told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_two_seeds_differ() {
        let draw = |chance: Chance| [chance.u64(), chance.below(10), chance.fork().u64()];
        assert_eq!(draw(Chance::from_seed(7)), draw(Chance::from_seed(7)));
        assert_ne!(draw(Chance::from_seed(7)), draw(Chance::from_seed(8)));
    }

    #[test]
    fn numbers_keep_to_their_bounds() -> io::Result<()> {
        let chance = Chance::from_os()?;
        assert!((0..100).all(|_| chance.below(3) < 3));
        assert_eq!((chance.below(0), chance.index(0)), (0, 0));
        assert!(chance.one_in(1) && !chance.one_in(0));
        Ok(())
    }
}
