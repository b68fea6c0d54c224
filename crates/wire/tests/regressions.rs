//! Replays what fuzzing once found, and the inputs known to be delicate, through the bodies of
//! the fuzz targets.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)] // a test may panic, read its files, and say which

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/bodies/command_line.rs"]
mod command_line;
#[path = "../../../fuzz/bodies/data_framing.rs"]
mod data_framing;
#[path = "../../../fuzz/bodies/reply_reader.rs"]
mod reply_reader;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/regressions")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        println!("{}", file.display());
        run(&fs::read(&file).unwrap());
    }
}

#[test]
fn command_line() {
    replay("command_line", command_line::run);
}

#[test]
fn data_framing() {
    replay("data_framing", data_framing::run);
}

#[test]
fn reply_reader() {
    replay("reply_reader", reply_reader::run);
}
