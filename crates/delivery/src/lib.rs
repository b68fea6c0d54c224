//! Carries one dispatch to its outcome.

pub mod attempt;
pub mod mailbox_name;
pub mod maildir;
pub mod next_hop;
pub mod peer;
pub mod runner;

pub use attempt::{Deliverer, Patience};
pub use maildir::Maildirs;
pub use next_hop::{NextHop, NextHops};
pub use runner::{InFlight, Pace, Runner};
