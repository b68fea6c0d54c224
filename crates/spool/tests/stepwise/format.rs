//! A spool of format version 1 is kept beside this file, for this and all later versions to read.

use std::path::{Path, PathBuf};

use postroad_host::disk::Disk;
use postroad_host::disk::sim::SimDisk;
use postroad_queue::{NoticeState, Outcome};
use postroad_spool::OpenError;

use crate::node::{Node, START, octets, options, read_file, segments, write_file};

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1")
}

/// Three messages: one in a frame and deferred, one in a file of its own, one that is gone; and a
/// notice.
fn make() -> SimDisk {
    let mut node = Node::new(options());
    let deferred = node.accept(&octets(1, 700)).unwrap();
    let due = START + std::time::Duration::from_secs(5);
    let outcome = Outcome::Deferred {
        attempt: 1,
        due,
        report: "later".into(),
        notice: NoticeState::Unwanted,
    };
    node.settle(&deferred, outcome).unwrap();
    node.accept(&octets(2, 6000)).unwrap();
    let gone = node.accept(&octets(3, 70)).unwrap();
    node.deliver(&gone).unwrap();
    let bounced = node.accept(&octets(4, 70)).unwrap();
    node.bounce(&bounced, &octets(5, 80)).unwrap();
    node.disk.clone()
}

/// Not a test: `cargo test -p postroad-spool -- --ignored write_the_kept_spool` after the format has
/// got a new version, with a new folder.
#[test]
#[ignore = "writes the files that the test below reads"]
fn write_the_kept_spool() {
    let disk = make();
    std::fs::create_dir_all(kept()).unwrap();
    let segment = read_file(&disk, &segments(&disk)[0]);
    let used = segment.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    std::fs::write(kept().join("segment"), &segment[..used]).unwrap();
    let body = disk
        .list(Path::new("/spool/bodies"))
        .unwrap()
        .pop()
        .unwrap()
        .path;
    std::fs::write(
        kept().join(body.file_name().unwrap()),
        read_file(&disk, &body),
    )
    .unwrap();
}

/// The kept files, put on a simulated disk.
fn restore() -> SimDisk {
    let disk = SimDisk::new(5);
    for folder in ["/spool/segments", "/spool/bodies"] {
        disk.create_dir_all(Path::new(folder)).unwrap();
    }
    for entry in std::fs::read_dir(kept()).unwrap() {
        let path = entry.unwrap().path();
        let mut octets = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let to = if name == "segment" {
            octets.resize(32 * 1024, 0);
            PathBuf::from("/spool/segments/00000002.seg")
        } else {
            Path::new("/spool/bodies").join(name)
        };
        write_file(&disk, &to, &octets);
    }
    disk
}

#[test]
fn the_kept_spool_reads() {
    let mut node = Node::open(restore(), 7, options()).unwrap();
    assert_eq!(node.reports, []);
    let leased = node.claim().unwrap();
    let mut found: Vec<_> = Vec::new();
    for leased in &leased {
        let body = node.body(leased.lease.id).unwrap();
        found.push((leased.lease.id.to_string(), body.len(), leased.lives.len()));
        assert_eq!(leased.envelope.sender_key, "account:sender");
    }
    found.sort();
    let lengths: Vec<usize> = found.iter().map(|(_, len, _)| *len).collect();
    assert_eq!(lengths, [700, 6000, 80]);
}

#[test]
fn a_later_version_is_refused_with_its_name() {
    for version in [2, 77] {
        let disk = restore();
        let path = segments(&disk)[0].clone();
        let mut segment = read_file(&disk, &path);
        for copy in [0, 4096] {
            segment[copy + 8] = version;
            segment[copy + 12..copy + 16].fill(0);
            let crc = crc32c::crc32c(&segment[copy..copy + 128]);
            segment[copy + 12..copy + 16].copy_from_slice(&crc.to_le_bytes());
        }
        write_file(&disk, &path, &segment);
        let error = Node::open(disk, 7, options()).map(|_| ()).unwrap_err();
        assert!(
            matches!(error, OpenError::Newer(_, v) if v == u32::from(version)),
            "{error}"
        );
        assert!(error.to_string().contains("later version"), "{error}");
    }
}
