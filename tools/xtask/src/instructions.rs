//! `cargo xtask instructions`: what the accept path takes a message, as a number that doesn't depend on
//! how fast or how busy a machine is (docs/benchmarks.md).

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::run::{self, Counts};

/// Where the number was written down, beside the program it is of.
const RECORD: &str = "tools/accept/instructions.txt";
/// The messages that the program sends between the two points.
const MESSAGES: u64 = 1000;
/// Functions of the program: callgrind begins to count when it enters the first, stops while it is in
/// one of the others, and ends when it leaves the first.
const COUNTED: [&str; 4] = [
    "accept::messages_counted*",
    "accept::client::Client::say",
    "accept::client::Client::say_data",
    "accept::client::Client::hears",
];

/// Instructions a message, and with what they were counted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Count {
    instructions: u64,
    /// Compiler, C library, valgrind and kind of machine. Only what was counted with the same can be
    /// compared to the last per cent.
    with: String,
}

/// What to do with the count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    record: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Result<Options, String> {
        match arguments {
            [] => Ok(Options { record: false }),
            ["--record"] => Ok(Options { record: true }),
            [other, ..] => Err(format!("there is no option `{other}`")),
        }
    }
}

/// Counts, and prints the count beside the recorded one, or records it.
pub(crate) fn instructions(root: &Path, options: &Options) -> ExitCode {
    let done = count(root).and_then(|now| {
        println!("{}", beside(&now, recorded(root).as_ref()));
        println!("where they go: callgrind_annotate {}", profile().display());
        match options.record {
            true => {
                fs::write(root.join(RECORD), now.to_string()).map_err(|e| format!("{RECORD}: {e}"))
            }
            false => Ok(()),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

/// The stage of `cargo xtask test`: prints the same, and fails only if nothing could be counted.
pub(crate) fn stage(root: &Path) -> Counts {
    if let Err(e) = valgrind() {
        let why = format!("instructions a message: {e}");
        println!("left out: {why}");
        return Counts {
            left_out: vec![why],
            ..Counts::default()
        };
    }
    match count(root) {
        Ok(now) => {
            println!("{}", beside(&now, recorded(root).as_ref()));
            Counts::PASSED
        }
        Err(e) => {
            println!("{e}");
            Counts::FAILED
        }
    }
}

/// The count and the recorded one in a line.
fn beside(now: &Count, recorded: Option<&Count>) -> String {
    let said = format!("accept path: {} instructions a message", now.instructions);
    let Some(recorded) = recorded else {
        return format!("{said} (nothing is recorded)");
    };
    // Both are far below 2^52.
    let change = now.instructions as f64 / recorded.instructions as f64 - 1.0;
    let with = match now.with == recorded.with {
        true => String::new(),
        false => format!(
            "; that was with {}, this is with {}",
            recorded.with, now.with
        ),
    };
    let before = recorded.instructions;
    format!(
        "{said} (recorded: {before}, {:+.1} %{with})",
        change * 100.0
    )
}

fn recorded(root: &Path) -> Option<Count> {
    Count::read(&fs::read_to_string(root.join(RECORD)).ok()?)
}

impl Count {
    fn read(text: &str) -> Option<Count> {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        Some(Count {
            instructions: field("instructions a message")?.parse().ok()?,
            with: field("with")?.to_owned(),
        })
    }
}

impl fmt::Display for Count {
    /// As it is recorded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { instructions, with } = self;
        writeln!(
            f,
            "# The accept path (docs/benchmarks.md). `cargo xtask instructions --record` writes this."
        )?;
        writeln!(f, "instructions a message: {instructions}\nwith: {with}")
    }
}

fn count(root: &Path) -> Result<Count, String> {
    let with = with(root)?;
    let mut build = run::cargo();
    build.args(["build", "--release", "-p", "postroad-accept"]);
    if !build.current_dir(root).status().is_ok_and(|s| s.success()) {
        return Err("the program to be counted can't be built".to_owned());
    }
    let mut callgrind = Command::new("valgrind");
    callgrind.arg("--tool=callgrind");
    callgrind.arg(format!("--callgrind-out-file={}", profile().display()));
    callgrind.args(COUNTED.map(|function| format!("--toggle-collect={function}")));
    callgrind.arg(run::target().join("release/accept"));
    let output = callgrind
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("valgrind: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match collected(&said) {
        Some(all) if all > 0 && output.status.success() => Ok(Count {
            instructions: all / MESSAGES,
            with,
        }),
        _ => Err(format!("callgrind has counted nothing:\n{said}")),
    }
}

/// Where callgrind writes which function took how many.
fn profile() -> PathBuf {
    run::target().join("accept.callgrind")
}

/// The number in the line that callgrind ends with: `==123== Collected : 456`.
fn collected(said: &str) -> Option<u64> {
    let (_, number) = said
        .lines()
        .find_map(|line| line.split_once("Collected :"))?;
    number.trim().parse().ok()
}

fn with(root: &Path) -> Result<String, String> {
    let mut rustc = Command::new("rustc");
    rustc.arg("--version").current_dir(root);
    let rustc = first_words(&mut rustc, 2)?;
    let mut libc = Command::new("getconf");
    let libc = first_words(libc.arg("GNU_LIBC_VERSION"), 2)?;
    let (valgrind, machine) = (valgrind()?, std::env::consts::ARCH);
    Ok(format!("{rustc}, {libc}, {valgrind}, {machine}"))
}

fn valgrind() -> Result<String, String> {
    first_words(Command::new("valgrind").arg("--version"), 1)
}

/// What a program says of itself, as far as it is wanted.
fn first_words(command: &mut Command, words: usize) -> Result<String, String> {
    let output = command.output();
    let output = output.map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = said.split_whitespace().take(words).collect();
    Ok(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(instructions: u64) -> Count {
        Count {
            instructions,
            with: "rustc 1.95.0, glibc 2.36, valgrind-3.19.0, x86_64".to_owned(),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let was = count(204_870);
        assert_eq!(Count::read(&was.to_string()), Some(was));
        assert_eq!(Count::read("instructions a message: many\nwith: x"), None);
        assert_eq!(Count::read(""), None);
    }

    #[test]
    fn what_is_recorded_in_the_repository_can_be_read() {
        assert!(recorded(crate::root()).is_some());
    }

    #[test]
    fn the_line_says_the_change_and_what_else_has_changed() {
        let said = beside(&count(103), Some(&count(100)));
        let expected = "accept path: 103 instructions a message (recorded: 100, +3.0 %)";
        assert_eq!(said, expected);
        let newer = Count {
            with: "rustc 1.96.0".to_owned(),
            ..count(99)
        };
        let said = beside(&newer, Some(&count(100)));
        assert!(
            said.contains("-1.0 %; that was with rustc 1.95.0"),
            "{said}"
        );
        assert!(beside(&newer, None).ends_with("(nothing is recorded)"));
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let said = "==7== Events    : Ir\n==7== Collected : 204871535\n==7== \n";
        assert_eq!(collected(said), Some(204_871_535));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        assert_eq!(Options::parse(&[]), Ok(Options { record: false }));
        assert_eq!(Options::parse(&["--record"]), Ok(Options { record: true }));
        assert!(Options::parse(&["--recor"]).is_err());
    }
}
