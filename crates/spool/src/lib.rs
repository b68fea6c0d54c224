//! Keeps the queue safe on the local disk.
//!
//! One append-only log in segments, an index in memory, and one committer that makes all that
//! waits durable with one write and one sync. docs/spool.md has the format, and the argument why
//! a 250 means that the message is on disk.
//!
//! [`Spool::open`] gives the [`Spool`], which any number of tasks may ask, the [`Committer`] and the
//! [`Housekeeper`]. Production gives the last two a thread each (`run`); a simulation calls their
//! `step` by hand. Nothing here reads a clock or draws lots but through what `open` is given.

mod batch;
mod checkpoint;
mod committer;
mod damage;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod housekeeper;
mod index;
mod leases;
mod line;
mod open;
mod options;
mod prepare;
mod read;
mod recycle;
mod replay;
mod room;
mod routes;
mod scan;
mod segment;
mod shared;
mod spool;
mod staging;
mod trouble;

pub use committer::{Committer, Step};
pub use damage::{Report, What};
pub use housekeeper::Housekeeper;
pub use open::{OpenError, Opened};
pub use options::Options;
#[cfg(feature = "planted")]
pub use options::Planted;
pub use spool::Spool;
pub use staging::SpoolStaged;
