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
    let mut messages = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of regressions") {
        let path = entry.expect("an entry").path();
        messages += session_operations::run(&std::fs::read(&path).expect("a file"));
    }
    assert_eq!(messages, 3, "they reach the end of data");
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
        mode in 0u8..64,
        chunked: bool,
        steps in proptest::collection::vec(
            (proptest::bool::weighted(0.93), 0u8..32, any::<u8>()),
            0..120,
        ),
    ) {
        // Each answer follows its question: the greeting, EHLO, MAIL, RCPT, the message's place,
        // its octets or chunks, its end.
        let script: &[u8] = if chunked {
            &[21, 0, 21, 2, 21, 4, 21, 7, 21, 29, 21, 8, 21, 10, 21]
        } else {
            &[21, 0, 21, 2, 21, 4, 21, 6, 21, 13, 15, 21]
        };
        let mut script = script.iter().cycle();
        let mut input = vec![mode];
        for (is_sensible, other, how) in steps {
            match script.next() {
                Some(step) if is_sensible => input.extend([*step, how | 128]),
                _ => input.extend([other, how]),
            }
        }
        session_operations::run(&input);
    }
}
