//! Exceptions that are read, and reports that are written.

use std::path::Path;

use postroad_host::disk::real::RealDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_prober::exceptions::Exceptions;

use super::super::Failure;

/// No file of exceptions is longer.
const LARGEST: u64 = 1 << 20;

/// Reads a file of exceptions.
pub(super) fn exceptions(file: &Path) -> Result<Exceptions, Failure> {
    let wrong = |what: String| Failure::Usage(format!("{}: {what}", file.display()));
    let text = read(file).map_err(wrong)?;
    Exceptions::parse(&text).map_err(wrong)
}

fn read(file: &Path) -> Result<String, String> {
    let words = |error: std::io::Error| error.to_string();
    let open = RealDisk.open(file, Open::Read).map_err(words)?;
    let length = open.len().map_err(words)?;
    if length > LARGEST {
        return Err(format!("{length} octets are too many for exceptions"));
    }
    // The bound above fits every usize.
    let mut octets = vec![0; length as usize];
    open.read_exact_at(&mut octets, 0).map_err(words)?;
    String::from_utf8(octets).map_err(|error| format!("not UTF-8: {error}"))
}

/// Writes a report, over one that was there.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let opened = match RealDisk.open(file, Open::CreateNew) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            RealDisk.open(file, Open::ReadWrite)
        }
        opened => opened,
    };
    let written = opened.and_then(|open| {
        open.set_len(0)?;
        open.write_all_at(text.as_bytes(), 0)
    });
    written.map_err(|error| Failure::Cannot(format!("{}: {error}", file.display())))
}
