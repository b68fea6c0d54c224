//! Faults put into the spool on purpose: the simulation must find each of them.

use postroad_host::disk::sim::SimDisk;
use postroad_sim::{Hardships, run};
use postroad_spool::{Options, Planted, Spool};

/// Among how many seeds a planted fault must be found.
const SEEDS: u64 = 300;
/// In how many of them: one could be luck.
const ENOUGH: usize = 3;

const PLAIN: Hardships = Hardships {
    faults: false,
    small_disk: false,
    rot: false,
    adjust: None,
};

fn wrong(seed: u64, hardships: Hardships) -> Vec<String> {
    run::<Spool<SimDisk>>(seed, hardships).wrong
}

/// Finds the fault in some seeds, and nothing in the same seeds without it.
fn is_found(hardships: Hardships, adjust: fn(&mut Options)) {
    let planted = Hardships {
        adjust: Some(adjust),
        ..hardships
    };
    let found: Vec<u64> = (0..SEEDS)
        .filter(|seed| !wrong(*seed, planted).is_empty())
        .take(ENOUGH)
        .collect();
    assert_eq!(found.len(), ENOUGH, "found in the seeds {found:?} alone");
    for seed in found {
        let wrong = wrong(seed, hardships);
        assert!(
            wrong.is_empty(),
            "without the fault: seed {seed}: {wrong:#?}"
        );
    }
}

#[test]
fn an_answer_before_the_sync_is_found() {
    is_found(PLAIN, |o| o.planted = Some(Planted::AnswerBeforeSync));
}

#[test]
fn a_directory_sync_that_is_skipped_is_found() {
    is_found(PLAIN, |o| o.planted = Some(Planted::SkipDirectorySync));
}

#[test]
fn a_segment_used_again_with_its_old_epoch_is_found() {
    is_found(PLAIN, |o| o.planted = Some(Planted::ReuseWithoutNewEpoch));
}

#[test]
fn a_notice_committed_without_its_marks_is_found() {
    is_found(PLAIN, |o| o.planted = Some(Planted::NoticeWithoutMarks));
}

#[test]
fn marks_committed_without_their_notice_are_found() {
    is_found(PLAIN, |o| o.planted = Some(Planted::MarksWithoutNotice));
}

#[test]
fn a_damaged_middle_that_is_cut_as_if_torn_is_found() {
    let rot = Hardships { rot: true, ..PLAIN };
    is_found(rot, |o| o.planted = Some(Planted::CutDamageAsTorn));
}
