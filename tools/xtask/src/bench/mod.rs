//! `cargo xtask bench`: Postfix, Postroad and the floor under the same load, in turn (docs/benchmarks.md).

mod calls;
mod cells;
mod memory;
mod peers;
mod processes;
mod results;
mod run;
mod scratch;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use self::cells::{CELLS, Cell};
use self::memory::Warm;
use self::peers::{PEERS, Peer, Programs};
use self::results::Results;
use self::run::Bench;
use self::scratch::Scratch;

/// Runs of each peer in a cell.
const RUNS: u32 = 3;

/// What to measure, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    is_quick: bool,
    is_json: bool,
    cells: Vec<&'static Cell>,
    folder: PathBuf,
    runs: u32,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            is_quick: false,
            is_json: false,
            cells: Vec::new(),
            folder: std::env::temp_dir(),
            runs: RUNS,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match *argument {
                "--quick" => options.is_quick = true,
                "--json" => options.is_json = true,
                "--cell" => options.cells.push(cell(value()?)?),
                "--folder" => options.folder = PathBuf::from(value()?),
                "--runs" => {
                    let runs = value()?.parse().ok().filter(|runs| *runs > 0);
                    options.runs = runs.ok_or("--runs needs a number")?;
                }
                other => return Err(format!("there is no option `{other}`")),
            }
        }
        if options.cells.is_empty() {
            options.cells = CELLS.iter().collect();
        }
        Ok(options)
    }
}

fn cell(name: &str) -> Result<&'static Cell, String> {
    let names = || CELLS.iter().map(|cell| cell.name).collect::<Vec<_>>();
    let cell = CELLS.iter().find(|cell| cell.name == name);
    cell.ok_or_else(|| format!("there is no cell `{name}`, but {}", names().join(", ")))
}

/// Measures, prints each cell when it is done, and fails if a run failed.
pub(crate) fn bench(root: &Path, options: &Options) -> ExitCode {
    scratch::apart();
    match measure(root, options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn measure(root: &Path, options: &Options) -> Result<bool, String> {
    let programs = build(root)?;
    let scratch = Scratch::make(&options.folder, options.is_quick)?;
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let mut said = vec![format!(
        "Disk: {}; {cores} cores; {} run(s) a cell",
        scratch.said, options.runs
    )];
    // Behind the disk, whose image takes memory, too.
    let warm = Warm::make();
    said.extend(warm.said.clone());
    let is_there = |peer: &Peer| match peer.is_missing() {
        None => true,
        Some(why) => {
            said.push(format!("{} is left out: {why}", peer.name()));
            false
        }
    };
    let peers: Vec<Peer> = PEERS.into_iter().filter(is_there).collect();
    if !options.is_json {
        println!("{}\n", said.join("\n"));
    }
    let bench = Bench {
        scratch: &scratch,
        programs: &programs,
        is_quick: options.is_quick,
    };
    let mut all = Vec::new();
    for cell in &options.cells {
        let results = bench_cell(&bench, cell, &peers, options.runs);
        if !options.is_json {
            println!("{}", results.table());
        }
        all.push(results);
    }
    if options.is_json {
        let cells: Vec<_> = all.iter().map(Results::json).collect();
        println!("{}", json!({ "said": said, "cells": cells }));
    }
    Ok(!all.iter().any(Results::failed))
}

/// Runs a cell: the peers in turn, so that whatever slows the machine for a while falls to all.
fn bench_cell(bench: &Bench<'_>, cell: &'static Cell, peers: &[Peer], runs: u32) -> Results {
    let mut results = Results::new(cell, cell.messages(bench.is_quick));
    for run in 0..runs {
        for peer in peers.iter().filter(|peer| cell.has(**peer)) {
            eprintln!("{}: {}, run {} of {runs}", cell.name, peer.name(), run + 1);
            // Calls don't vary like times: once is enough.
            results.add(*peer, bench.run(cell, *peer, run == 0));
        }
    }
    results
}

/// Builds what is measured as what is installed is built.
fn build(root: &Path) -> Result<Programs, String> {
    let mut build = crate::run::cargo();
    build.args([
        "build",
        "--profile",
        "dist",
        "-p",
        "postroad",
        "-p",
        "postroad-load",
    ]);
    let status = build
        .current_dir(root)
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        return Err("it can't be built".to_owned());
    }
    let built = crate::run::target().join("dist");
    Ok(Programs {
        postroad: built.join("postroad"),
        load: built.join("load"),
    })
}

/// Sends a process a signal and waits until it has ended; it is killed if it takes too long.
fn stop(child: &mut Child, signal: &str) {
    let process = child.id().to_string();
    let kill = Command::new("kill").args(["-s", signal, &process]).status();
    let until = Instant::now() + Duration::from_secs(20);
    while kill.as_ref().is_ok_and(ExitStatus::success) && Instant::now() < until {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let all = Options::parse(&[]).expect("they are well");
        assert_eq!(
            (all.cells.len(), all.runs, all.is_quick),
            (CELLS.len(), 3, false)
        );
        let some = [
            "--quick", "--cell", "relay", "--cell", "idle", "--runs", "1", "--folder", "/x",
        ];
        let some = Options::parse(&some).expect("they are well");
        let names: Vec<&str> = some.cells.iter().map(|cell| cell.name).collect();
        assert_eq!(names, ["relay", "idle"]);
        assert_eq!((some.runs, some.folder), (1, PathBuf::from("/x")));
        for wrong in [
            &["--cell", "x"][..],
            &["--cell"],
            &["--runs", "0"],
            &["--x"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
