//! Replays what fuzzing once found, and the inputs known to be delicate.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)] // a test may panic, read its files, and say which

use std::fs;
use std::path::Path;

#[test]
fn spool_frames() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions/spool_frames");
    let entries = fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        println!("{}", file.display());
        postroad_spool::fuzzing::spool_frames(&fs::read(&file).unwrap());
    }
}
