//! Other people's servers as next hops of the real binary, and as its clients: whole ones, each in a
//! folder of the test.
//!
//! Ignored by default because they need programs that not every machine has, and root, as which
//! these servers start; `cargo xtask test` installs the programs and runs these tests. What can't be tested is
//! printed as `left out: ...`.

// Tests from the outside have real time, files, sockets and processes, and print what they did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    unreachable_pub
)]

mod aiosmtpd;
mod by_lmtp;
mod certificate;
mod dovecot;
mod exim;
mod from_postfix;
#[path = "../harness/mod.rs"]
mod harness;
mod mails;
mod opensmtpd;
mod postfix;
mod probed;
mod program;
mod to_dovecot;
mod to_exim;
mod to_postfix;
