//! Simulations of the spool: some thousand runs within a minute. For more, and for the story of a
//! seed: `cargo run -p postroad-sim -- --help`.

use postroad_host::disk::sim::SimDisk;
use postroad_sim::{Hardships, Report, run};
use postroad_spool::Spool;

fn simulate(seed: u64, hardships: Hardships) -> Report {
    run::<Spool<SimDisk>>(seed, hardships)
}

/// Runs a range of seeds. A failure says the line that repeats the first seed that went wrong.
fn all_is_well(seeds: std::ops::Range<u64>, hardships: Hardships) {
    let mut accepted = 0;
    for seed in seeds {
        let report = simulate(seed, hardships);
        accepted += report.answers.accepted;
        let wrong = report.wrong;
        assert!(
            wrong.is_empty(),
            "{}: {wrong:#?}",
            hardships.command_line(seed)
        );
    }
    assert!(accepted > 0, "nothing was accepted, so nothing was tested");
}

/// A test for each part of the seeds, for they run side by side.
macro_rules! parts {
    ($($name:ident: $seeds:expr, $hardships:expr;)*) => {
        $(
            #[test]
            fn $name() {
                all_is_well($seeds, $hardships);
            }
        )*
    };
}

const NONE: Hardships = Hardships {
    faults: false,
    small_disk: false,
    rot: false,
    adjust: None,
};
const FAULTS: Hardships = Hardships {
    faults: true,
    ..NONE
};
const SMALL_DISK: Hardships = Hardships {
    small_disk: true,
    ..NONE
};
const FULL_AND_FAILING: Hardships = Hardships {
    small_disk: true,
    ..FAULTS
};
const ROT: Hardships = Hardships { rot: true, ..NONE };

parts! {
    nothing_is_lost_in_crashes_1: 0..400, NONE;
    nothing_is_lost_in_crashes_2: 400..800, NONE;
    nothing_is_lost_when_calls_fail_1: 0..400, FAULTS;
    nothing_is_lost_when_calls_fail_2: 400..800, FAULTS;
    nothing_is_lost_when_the_disk_is_full: 0..400, SMALL_DISK;
    nothing_is_lost_when_the_disk_is_full_and_fails: 0..300, FULL_AND_FAILING;
    a_rotten_octet_costs_one_message_at_most: 0..300, ROT;
}

#[test]
fn a_seed_repeats_to_the_last_call() {
    for seed in 0..5 {
        let [first, second] = [(); 2].map(|()| simulate(seed, FULL_AND_FAILING));
        assert_eq!(first.trace_hash, second.trace_hash);
        assert_eq!(first.story, second.story);
    }
    assert_ne!(simulate(1, NONE).trace_hash, simulate(2, NONE).trace_hash);
}
