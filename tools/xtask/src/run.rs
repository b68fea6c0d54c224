//! Runs programs, shows what they say, and counts what they tested.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// How many tests came to what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Parts of tests that passed, which they say they left out, and why.
    pub(crate) left_out: Vec<String>,
}

/// Begins a line by which a test says what it left out.
const LEFT_OUT: &str = "left out: ";

impl Counts {
    pub(crate) const PASSED: Counts = Counts {
        passed: 1,
        failed: 0,
        skipped: 0,
        left_out: Vec::new(),
    };
    pub(crate) const FAILED: Counts = Counts {
        passed: 0,
        failed: 1,
        skipped: 0,
        left_out: Vec::new(),
    };
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.left_out.extend(other.left_out);
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts {
            passed,
            failed,
            skipped,
            left_out,
        } = self;
        let skipped = skipped + left_out.len() as u64;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.stdin(Stdio::null());
    command
}

/// Where cargo puts what it builds, and where other things that are made belong.
pub(crate) fn target() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let set = std::env::var_os("CARGO_TARGET_DIR");
    // This crate is two folders below the workspace.
    set.map_or(here.join("../../target"), PathBuf::from)
}

/// Runs a check that passes or fails as a whole.
pub(crate) fn check(command: &mut Command) -> Counts {
    match command.status() {
        Ok(status) if status.success() => Counts::PASSED,
        Ok(_) => Counts::FAILED,
        Err(e) => {
            eprintln!("{command:?}: {e}");
            Counts::FAILED
        }
    }
}

/// Runs tests and counts them. What failed without a count, such as a build, counts as one.
pub(crate) fn tests(command: &mut Command) -> Counts {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            eprintln!("{command:?}: {e}");
            return Counts::FAILED;
        }
    };
    let errors = child.stderr.take();
    let errors = thread::spawn(move || show(errors, |line| eprintln!("{line}")));
    let mut counts = show(child.stdout.take(), |line| println!("{line}"));
    counts += errors.join().unwrap_or(Counts::FAILED);
    let succeeded = child.wait().is_ok_and(|status| status.success());
    if !succeeded && counts.failed == 0 {
        counts.failed = 1;
    }
    counts
}

/// Shows what a program says, and adds up its summaries.
fn show(said: Option<impl Read>, print: impl Fn(&str)) -> Counts {
    let mut counts = Counts::default();
    let Some(said) = said else { return counts };
    let mut said = BufReader::new(said);
    let mut line = Vec::new();
    while said.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        print(text);
        if let Some(summary) = summary(text) {
            counts += summary;
        }
        if let Some(what) = text.trim_start().strip_prefix(LEFT_OUT) {
            counts.left_out.push(what.to_owned());
        }
        line.clear();
    }
    counts
}

/// Reads the line with which nextest or libtest ends, such as
/// `     Summary [ 1.2s] 3/4 tests run: 2 passed (1 slow), 1 failed, 5 skipped` or
/// `test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
///
/// Nextest shows what libtest said of a test that failed, further in: that is counted already.
fn summary(line: &str) -> Option<Counts> {
    let items = match line.trim_start().strip_prefix("Summary [") {
        Some(rest) => rest.split_once("run: ")?.1,
        None => line.strip_prefix("test result: ")?.split_once(". ")?.1,
    };
    let mut counts = Counts::default();
    for item in items.split([',', ';']) {
        let mut words = item.split_whitespace();
        let (Some(number), Some(what)) = (words.next(), words.next()) else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        match what {
            "passed" => counts.passed += number,
            // nextest: "2 timed out", "1 exec failed".
            "failed" | "timed" | "exec" => counts.failed += number,
            "skipped" | "ignored" => counts.skipped += number,
            _ => {}
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Option<Counts> {
        Some(Counts {
            passed,
            failed,
            skipped,
            left_out: Vec::new(),
        })
    }

    #[test]
    fn both_runners_summaries_are_read() {
        for (line, expected) in [
            (
                "     Summary [   4.573s] 25 tests run: 25 passed, 0 skipped",
                counts(25, 0, 0),
            ),
            (
                "Summary [ 1s] 3/4 tests run: 2 passed (1 slow), 1 failed, 5 skipped",
                counts(2, 1, 5),
            ),
            (
                "Summary [ 1s] 2 tests run: 1 passed, 1 timed out, 0 skipped",
                counts(1, 1, 0),
            ),
            (
                "test result: FAILED. 2 passed; 1 failed; 3 ignored; 0 measured; 4 filtered out; \
                 finished in 0.00s",
                counts(2, 1, 3),
            ),
            ("test result_is_read ... ok", None),
            ("a Summary [", None),
            (
                "    test result: FAILED. 0 passed; 1 failed; 0 ignored",
                None,
            ),
        ] {
            assert_eq!(summary(line), expected, "{line}");
        }
    }

    #[test]
    fn what_fails_without_a_count_counts_as_one() {
        let failed = |script: &str| tests(Command::new("sh").args(["-c", script])).failed;
        assert_eq!(failed("exit 1"), 1);
        assert_eq!(
            failed("echo 'test result: FAILED. 1 passed; 2 failed; '; exit 1"),
            2
        );
        assert_eq!(failed("exit 0"), 0);
    }

    #[test]
    fn what_a_test_left_out_counts_as_skipped() {
        let script =
            "echo '    left out: swaks, empty: it can not'; echo 'test result: ok. 1 passed; '";
        let counts = tests(Command::new("sh").args(["-c", script]));
        assert_eq!(counts.to_string(), "1 passed, 0 failed, 1 skipped");
    }
}
