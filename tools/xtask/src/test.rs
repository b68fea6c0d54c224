//! Everything that CI checks, in one command.
//!
//! Tests that need a program of the machine stand in `tests/real_*.rs`, are ignored in an ordinary run,
//! and have the program in their name ([`Program`] says how); those whose program is missing are
//! left out. The tests with SIGKILL read `POSTROAD_KILLS`.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::packages::{self, Program};
use crate::run::{self, Counts};
use crate::{deps, instructions, links};

/// How often the server is killed where nothing else is asked for.
const KILLS: u32 = 20;

/// How to test.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    install: bool,
    kills: u32,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            install: true,
            kills: KILLS,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--no-install" => options.install = false,
                "--kills" => {
                    options.kills = arguments
                        .next()
                        .and_then(|number| number.parse().ok())
                        .ok_or("--kills needs a number")?;
                }
                other => return Err(format!("there is no option `{other}`")),
            }
        }
        Ok(options)
    }
}

/// Runs all stages, whatever fails, and ends with the line of counts.
pub(crate) fn test(root: &Path, options: &Options) -> ExitCode {
    let mut stages = Stages::new();
    stages.run("clients", || {
        packages::install_missing(options.install);
        Counts::default()
    });
    stages.run("formatting", || {
        run::check(
            run::cargo()
                .args(["fmt", "--all", "--check"])
                .current_dir(root),
        )
    });
    stages.run("lints", || {
        let clippy = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        run::check(run::cargo().args(clippy).current_dir(root))
    });
    stages.run("documentation of the code", || {
        let mut doc = run::cargo();
        doc.args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ]);
        // A link that leads nowhere is the one thing it would only warn of.
        run::check(doc.env("RUSTDOCFLAGS", "-D warnings").current_dir(root))
    });
    stages.run("crate arrows", || none_of(&deps::problems(root)));
    stages.run("links between pages", || none_of(&links::problems(root)));

    let runner = Runner::find(root);
    println!("\nthe server is killed {} times", options.kills);
    let ordinary = stages.run("tests", || runner.ordinary(options.kills));
    stages.run("doc tests", || {
        run::tests(
            run::cargo()
                .args(["test", "--workspace", "--doc"])
                .current_dir(root),
        )
    });
    let real = stages.run("real clients", || runner.real_clients());
    stages.run("instructions of the accept path", || {
        instructions::stage(root)
    });
    // What an ordinary run ignores, and the other has not run, was left out.
    let ran = real.passed + real.failed;
    stages.end(ordinary.skipped.saturating_sub(ran))
}

/// A check that says all that it finds wrong.
fn none_of(problems: &[String]) -> Counts {
    for problem in problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        Counts::PASSED
    } else {
        Counts::FAILED
    }
}

/// What runs the tests.
struct Runner<'a> {
    root: &'a Path,
    nextest: bool,
}

impl Runner<'_> {
    fn find(root: &Path) -> Runner<'_> {
        let mut ask = run::cargo();
        ask.args(["nextest", "--version"]);
        let answer = ask.stdout(Stdio::null()).stderr(Stdio::null()).status();
        Runner {
            root,
            nextest: answer.is_ok_and(|status| status.success()),
        }
    }

    fn command(&self) -> Command {
        let mut command = run::cargo();
        command.current_dir(self.root);
        command.args(match self.nextest {
            true => ["nextest", "run"].as_slice(),
            false => ["test"].as_slice(),
        });
        command.arg("--no-fail-fast");
        command
    }

    /// All that is not ignored.
    fn ordinary(&self, kills: u32) -> Counts {
        let mut command = self.command();
        command.arg("--workspace");
        command.env("POSTROAD_KILLS", kills.to_string());
        if !self.nextest {
            // Not the doc tests, which have their own stage.
            command.args(["--lib", "--bins", "--tests", "--examples"]);
            // What they left out stands in the output of tests that passed.
            command.args(["--", "--show-output"]);
        }
        run::tests(&mut command)
    }

    /// The tests with other people's programs, as far as these are there.
    fn real_clients(&self) -> Counts {
        let missing: Vec<&Program> = packages::programs().filter(|p| !p.is_there()).collect();
        for program in &missing {
            println!("left out, for the program is missing: {}", program.name);
        }
        // The whole workspace again: for one package alone its dependencies would be built anew,
        // with fewer features.
        let mut command = self.command();
        command.args(["--workspace", "--test", "real_*"]);
        if self.nextest {
            command.args(["--run-ignored", "only", "--no-tests", "pass", "--"]);
        } else {
            command.args(["--", "--ignored", "--show-output"]);
        }
        for program in &missing {
            command.args(["--skip", program.in_test_names]);
        }
        if let Some(libraries) = packages::libraries_of_python() {
            command.env("PYTHONPATH", libraries);
        }
        let mut counts = run::tests(command.env("PATH", packages::path()));
        // What it skips was already counted among the ordinary tests.
        counts.skipped = 0;
        counts
    }
}

/// The stages so far.
struct Stages {
    total: Counts,
    failed: Vec<&'static str>,
}

impl Stages {
    fn new() -> Stages {
        Stages {
            total: Counts::default(),
            failed: Vec::new(),
        }
    }

    fn run(&mut self, name: &'static str, stage: impl FnOnce() -> Counts) -> Counts {
        println!("\n== {name}");
        let start = Instant::now();
        let counts = stage();
        println!(
            "-- {name}: {counts}, {:.1} s",
            start.elapsed().as_secs_f64()
        );
        self.total.passed += counts.passed;
        self.total.failed += counts.failed;
        self.total.left_out.extend(counts.left_out.clone());
        if counts.failed > 0 {
            self.failed.push(name);
        }
        counts
    }

    fn end(mut self, skipped: u64) -> ExitCode {
        self.total.skipped = skipped;
        println!();
        for what in &self.total.left_out {
            println!("left out: {what}");
        }
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        println!("{}", self.total);
        match self.total.failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let options = |install, kills| Ok(Options { install, kills });
        assert_eq!(Options::parse(&[]), options(true, KILLS));
        assert_eq!(
            Options::parse(&["--kills", "3", "--no-install"]),
            options(false, 3)
        );
        for wrong in [&["--kills"][..], &["--kills", "x"], &["--fast"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
