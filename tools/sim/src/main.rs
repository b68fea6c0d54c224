//! Runs simulations from a range of seeds, and prints those that found something wrong.

// This is a command: what it finds, it prints.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;

use clap::Parser;
use postroad_host::disk::sim::SimDisk;
use postroad_sim::{Hardships, Report, run};
use postroad_spool::Spool;
use postroad_store::memory::MemoryStore;

/// Crashes a node on a simulated disk, again and again, and checks what it promised.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run this seed alone and tell its story
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1000)]
    runs: u64,
    /// Let calls to the disk fail: EIO, ENOSPC, short writes, failed syncs
    #[arg(long)]
    faults: bool,
    /// Give the disk too little room
    #[arg(long)]
    small_disk: bool,
    /// Turn over a bit of the log now and then
    #[arg(long)]
    rot: bool,
    /// Simulate the model in memory in place of the spool
    #[arg(long)]
    model: bool,
}

impl Arguments {
    fn hardships(&self) -> Hardships {
        Hardships {
            faults: self.faults,
            small_disk: self.small_disk,
            rot: self.rot,
            adjust: None,
        }
    }

    fn run(&self, seed: u64) -> Report {
        match self.model {
            true => run::<MemoryStore>(seed, self.hardships()),
            false => run::<Spool<SimDisk>>(seed, self.hardships()),
        }
    }

    /// The line that repeats a run.
    fn line(&self, seed: u64) -> String {
        let line = self.hardships().command_line(seed);
        if self.model { line + " --model" } else { line }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        let report = arguments.run(seed);
        for line in &report.story {
            println!("{line}");
        }
        println!(
            "{:?}, {} starts, trace {:016x}",
            report.answers, report.starts, report.trace_hash
        );
        return end(report.wrong.is_empty());
    }
    let mut failed = 0;
    let mut accepted = 0;
    for seed in arguments.from..arguments.from + arguments.runs {
        let report = arguments.run(seed);
        accepted += report.answers.accepted;
        if let Some(first) = report.wrong.first() {
            failed += 1;
            println!("{}   # {first}", arguments.line(seed));
        }
    }
    let runs = arguments.runs;
    println!("{runs} runs, {accepted} messages acknowledged, {failed} runs found something wrong");
    end(failed == 0)
}

fn end(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
