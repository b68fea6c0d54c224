//! Replays inputs known to be delicate through the body of the fuzz target, and tries others.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "a test reads its files and stands in for the store"
)]

#[path = "../../../fuzz/bodies/session_operations.rs"]
mod session_operations;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn regressions() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions/session_operations");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of regressions") {
        let path = entry.expect("an entry").path();
        session_operations::run(&std::fs::read(&path).expect("a file"));
        count += 1;
    }
    assert!(count > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_operations(mode: u8, operations in proptest::collection::vec(any::<(u8, u8)>(), 0..200)) {
        let mut input = vec![mode];
        input.extend(operations.iter().flat_map(|(what, how)| [*what, *how]));
        session_operations::run(&input);
    }

    /// Mostly what an ordinary client and driver do, so that operations reach far.
    #[test]
    fn mostly_sensible_operations(
        mode in 0u8..32,
        places in proptest::collection::vec((0usize..12, 0u8..32, any::<u8>(), any::<bool>()), 0..120),
    ) {
        let mut input = vec![mode];
        // Greet, answer, EHLO, answer ...
        let script = [21, 0, 21, 2, 21, 4, 21, 6, 21, 13, 14, 21];
        let mut at = 0;
        for (jump, other, how, sensible) in places {
            if sensible || jump > 9 {
                input.extend([script[at % script.len()], how | 128]);
                at += 1;
            } else {
                input.extend([other, how]);
            }
        }
        session_operations::run(&input);
    }
}
