//! Puts a mail server under load and takes what it relays; and the least a server could do, to compare with.
//!
//! Each part is one thread on one epoll, and says at its end when it was itself the limit. The result
//! is one line of JSON on standard output.

// A tool for people at a terminal and for `cargo xtask bench`: it prints, keeps time, opens sockets and files.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod client;
mod floor;
mod generate;
mod hold;
mod letter;
mod pipe;
mod poll;
mod report;
mod served;
mod sink;

use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Puts a mail server under load and takes what it relays; and the least a server could do.
#[derive(Debug, Parser)]
enum Arguments {
    /// Send messages, and say how long each took from MAIL to the final 250
    Generate(generate::Arguments),
    /// Take messages, and count each by its number
    Sink(sink::Arguments),
    /// Append messages to a file, flush once a pass, answer; no policy, no log
    Floor(floor::Arguments),
    /// Hold sessions after EHLO, and say how soon new ones beside them are greeted
    Hold(hold::Arguments),
}

fn main() -> ExitCode {
    // Thousands of sessions are thousands of descriptors.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(e) = setrlimit(Resource::Nofile, limit) {
        eprintln!("load: the limit of open files stays as it is: {e}");
    }
    let done = match Arguments::parse() {
        Arguments::Generate(arguments) => generate::run(&arguments),
        Arguments::Sink(arguments) => sink::run(&arguments),
        Arguments::Floor(arguments) => floor::run(&arguments),
        Arguments::Hold(arguments) => hold::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(e) => {
            eprintln!("load: {e}");
            ExitCode::FAILURE
        }
    }
}
