//! Runs the project's own chores: tests, checks of documents, the crate arrows.

// A tool for people at a terminal and for CI: it prints, starts processes and reads files.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod arrows;
mod bench;
mod beside;
mod deps;
mod instructions;
mod links;
mod metadata;
mod packages;
mod run;
mod test;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test [--no-install] [--kills N]
    Formatting, lints, the links in the code's documentation and between pages, crate arrows, all
    tests, doc tests, the tests with real clients and with SIGKILL (N times, 20 by default). As root
    it installs the Debian packages that these need, unless --no-install. Then the instructions of the
    accept path, beside the recorded ones. The last line is the count.
cargo xtask bench [--quick] [--cell NAME]... [--runs N] [--folder DIR] [--json]
    Postfix, Postroad and the floor of what a server must do, under the same load in turn
    (docs/benchmarks.md). The disk is an image in DIR when root, else DIR itself.
cargo xtask instructions [--record]
    How many instructions the accept path takes a message, and where they go (docs/benchmarks.md).
    With --record, the number becomes the one that others are compared with.
cargo xtask deps
    Do the crate arrows hold, and does docs/dependencies.md name every dependency?
cargo xtask links
    Do the links between the pages lead somewhere?
";

fn main() -> ExitCode {
    // What isn't UTF-8 is no chore and no option, and is said to be none.
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test", options @ ..] => match test::Options::parse(options) {
            Ok(options) => test::test(root(), &options),
            Err(wrong) => usage(&wrong),
        },
        ["bench", options @ ..] => match bench::Options::parse(options) {
            Ok(options) => bench::bench(root(), &options),
            Err(wrong) => usage(&wrong),
        },
        ["instructions", options @ ..] => match instructions::Options::parse(options) {
            Ok(options) => instructions::instructions(root(), &options),
            Err(wrong) => usage(&wrong),
        },
        ["deps"] => deps(),
        ["links"] => all_is_well(&links::problems(root()), "no link leads nowhere"),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        [] => usage("what shall be done?"),
        [other, ..] => usage(&format!("there is no chore `{other}`")),
    }
}

fn usage(wrong: &str) -> ExitCode {
    eprint!("{wrong}\n\n{USAGE}");
    ExitCode::from(2)
}

fn deps() -> ExitCode {
    print!("{}", arrows::table());
    let well = "the arrows hold, and docs/dependencies.md is complete";
    all_is_well(&deps::problems(root()), well)
}

/// Says all that was found wrong, or that all is well.
fn all_is_well(problems: &[String], well: &str) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        println!("{well}");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The folder of the workspace this was built in.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // This crate is two folders below it.
    here.ancestors().nth(2).unwrap_or(here)
}
