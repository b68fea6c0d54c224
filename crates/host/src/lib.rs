//! Gives async crates time, chance, tasks, sockets and files, real or simulated.
//!
//! Nothing else may read a clock, draw lots, start a thread or open a file or socket: what a
//! node does is then a function of what this crate told it, and a simulation can tell it anything.
//!
//! * [`clock`]: what time it is; [`clock::SimClock`] is set by hand.
//! * [`chance`]: random numbers, from the system or from a seed.
//! * [`tasks`]: futures, threads, sleeping, time-outs, signals.
//! * [`net`]: listeners and connections. These have no simulated form.
//! * [`dns`]: questions to name servers. These have no simulated form.
//! * [`service`]: what the service manager is told.
//! * [`tls`]: the server's side of TLS.
//! * [`terminal`]: the terminals of users. These have no simulated form.
//! * [`disk`]: files; [`disk::sim::SimDisk`] loses at a crash what was not synced.

// This is the one crate that may call what clippy.toml bans everywhere else.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod chance;
pub mod clock;
pub mod disk;
pub mod dns;
pub mod net;
pub mod service;
pub mod tasks;
pub mod terminal;
pub mod tls;
