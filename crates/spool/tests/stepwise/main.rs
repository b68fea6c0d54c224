//! The spool stepped by hand on the simulated disk: faults, damage, checkpoints, recycling, the kept format.

// The body of a test fails by a panic. Files kept with the tests are read from the real disk.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod checkpoint;
mod damage;
mod faults;
mod format;
mod node;
mod recycling;
