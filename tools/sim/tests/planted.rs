//! Faults put into the spool on purpose: the simulation must find each of them.

use postroad_host::disk::sim::SimDisk;
use postroad_sim::{Hardships, Report, run};
use postroad_spool::{Planted, Spool};

/// In how many seeds a planted fault must be found.
const SEEDS: u64 = 300;

fn simulate(seed: u64, adjust: Option<fn(&mut postroad_spool::Options)>) -> Report {
    let hardships = Hardships {
        adjust,
        ..Hardships::default()
    };
    run::<Spool<SimDisk>>(seed, hardships)
}

/// Finds the fault, and that without it the same seeds are well.
fn is_found(adjust: fn(&mut postroad_spool::Options)) {
    let found = (0..SEEDS).find(|seed| !simulate(*seed, Some(adjust)).wrong.is_empty());
    let found = found.expect("the planted fault was not found");
    for seed in 0..=found {
        let wrong = simulate(seed, None).wrong;
        assert!(
            wrong.is_empty(),
            "without the fault: seed {seed}: {wrong:#?}"
        );
    }
}

#[test]
fn an_answer_before_the_sync_is_found() {
    is_found(|options| options.planted = Some(Planted::AnswerBeforeSync));
}

#[test]
fn a_directory_sync_that_is_skipped_is_found() {
    is_found(|options| options.planted = Some(Planted::SkipDirectorySync));
}

#[test]
fn a_segment_used_again_with_its_old_epoch_is_found() {
    is_found(|options| options.planted = Some(Planted::ReuseWithoutNewEpoch));
}
