//! Mail that the real binary hands to other servers.

// Tests from the outside have real time, files, sockets and processes, and print what they did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod binary;
mod down;
#[path = "../harness/mod.rs"]
mod harness;
mod liars;
mod on_demand;
mod once;
mod ways;
