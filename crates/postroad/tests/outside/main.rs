//! The real binary, seen from outside: each file is about one thing that people see of it.

// Tests from the outside have real time, files, sockets and processes, and print what they did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod broken_spool;
mod checking;
mod explaining;
mod full_disk;
#[path = "../harness/mod.rs"]
mod harness;
mod limits;
mod mailboxes;
mod metrics;
mod notices;
mod operating;
mod packaging;
mod peers;
mod probing;
mod reloading;
mod secrets;
mod sendmail;
mod service;
mod starting;
mod stopping;
