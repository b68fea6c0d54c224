//! The binary: command line and wiring.
//!
//! * `cli`: what can be asked of it; `sendmail`: how programs of this machine send mail through it;
//! * `configuration`: reads the one file, and says all that is wrong with it;
//! * `wiring`: makes each crate's settings from the configuration;
//! * `secrets`: the files beside it that few may read, of certificates and passwords;
//! * `reload`: reads it again while the server runs;
//! * `privileges`: as whom it runs; `descriptors`: how many files and sockets it may have open;
//! * `listeners`: the sockets, and which settings each follows;
//! * `serve`: starts, waits for a signal, and ends in order; `node`: all that is behind the listeners;
//! * `next_hops`: where mail goes; `collections`: where it is collected, `calling`: what is said there;
//! * `operator`: what the control socket shows and does;
//! * `banner`, `reports`: what is told to people and to the log.

mod banner;
mod calling;
mod cli;
mod collections;
mod configuration;
mod descriptors;
mod listeners;
mod next_hops;
mod node;
mod operator;
mod privileges;
mod reload;
mod reports;
mod secrets;
mod sendmail;
mod serve;
mod site;
mod wiring;

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// After a million messages have come and gone the system's own takes longer to find room than all else takes, and it
/// takes more of it (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::run()
}
