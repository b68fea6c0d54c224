//! Simulations of the model in memory: what they find is wrong in the mailboxes, or here.

use postroad_sim::{Hardships, Report, run};
use postroad_store::memory::MemoryStore;

const FAULTS: Hardships = Hardships {
    faults: true,
    small_disk: false,
    rot: false,
    adjust: None,
};

/// The report of the first seed under which something went wrong.
fn first_wrong(seeds: u64, hardships: Hardships) -> Option<Report> {
    let mut reports = (0..seeds).map(|seed| run::<MemoryStore>(seed, hardships));
    reports.find(|report| !report.wrong.is_empty())
}

#[test]
fn mailboxes_keep_what_was_delivered_through_crashes() {
    let wrong = first_wrong(300, Hardships::default());
    assert!(
        wrong.is_none(),
        "{:#?}",
        wrong.map(|report| (report.seed, report.wrong))
    );
}

#[test]
fn mailboxes_keep_what_was_delivered_through_crashes_and_faults() {
    let wrong = first_wrong(300, FAULTS);
    assert!(
        wrong.is_none(),
        "{:#?}",
        wrong.map(|report| (report.seed, report.wrong))
    );
}

#[test]
fn a_seed_repeats_and_another_differs() {
    let trace = |seed| {
        let report = run::<MemoryStore>(seed, FAULTS);
        (report.trace_hash, report.story)
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3).0, trace(4).0);
}
