//! Each thing a simulated disk does to its node, seen over many seeds.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::{Call, Fault, SimDisk, SimFile, Wrong};
use crate::disk::{Disk, DiskFile, Open};

const SEEDS: u64 = 400;

fn at(path: &str) -> &Path {
    Path::new(path)
}

/// A file whose name and octets are safe.
fn safe_file(disk: &SimDisk, path: &str, octets: &[u8]) -> io::Result<SimFile> {
    let file = disk.open(at(path), Open::CreateNew)?;
    file.write_all_at(octets, 0)?;
    file.sync_data()?;
    disk.sync_dir(at(path).parent().unwrap_or(at("/")))?;
    Ok(file)
}

/// What a file holds; none if there is no such file.
fn contents(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(at(path), Open::Read).ok()?;
    let mut octets = vec![0; usize::try_from(file.len().ok()?).ok()?];
    file.read_exact_at(&mut octets, 0).ok()?;
    Some(octets)
}

/// What many crashes make of what `node` did and left open.
fn crashes<T: Ord, N>(
    node: impl Fn(&SimDisk) -> io::Result<N>,
    look: impl Fn(&SimDisk) -> T,
) -> io::Result<BTreeSet<T>> {
    let disk = SimDisk::new(0);
    let _open = node(&disk)?;
    Ok((0..SEEDS).map(|seed| look(&disk.crash(seed))).collect())
}

fn some(octets: &[u8]) -> Option<Vec<u8>> {
    Some(octets.to_vec())
}

#[test]
fn what_was_synced_is_there_after_every_crash() -> io::Result<()> {
    let seen = crashes(
        |disk| {
            disk.create_dir_all(at("/a/b"))?;
            disk.sync_dir(at("/"))?;
            disk.sync_dir(at("/a"))?;
            safe_file(disk, "/a/b/file", b"octets")
        },
        |disk| contents(disk, "/a/b/file"),
    )?;
    assert_eq!(seen, BTreeSet::from([some(b"octets")]));
    Ok(())
}

#[test]
fn a_sync_of_a_file_does_not_make_its_name_safe_nor_that_of_a_folder_the_octets() -> io::Result<()>
{
    let file_alone = crashes(
        |disk| {
            let file = disk.open(at("/file"), Open::CreateNew)?;
            file.write_all_at(b"octets", 0)?;
            file.sync_data()
        },
        |disk| contents(disk, "/file"),
    )?;
    assert_eq!(file_alone, BTreeSet::from([None, some(b"octets")]));

    let folder_alone = crashes(
        |disk| {
            let file = disk.open(at("/file"), Open::CreateNew)?;
            file.write_all_at(b"octets", 0)?;
            disk.sync_dir(at("/"))
        },
        |disk| contents(disk, "/file"),
    )?;
    assert!(folder_alone.contains(&some(b"octets")));
    assert!(folder_alone.contains(&some(b"")));
    assert!(
        folder_alone.contains(&some(&[0; 6])),
        "the length without the octets"
    );
    assert!(!folder_alone.contains(&None));
    Ok(())
}

#[test]
fn the_names_below_a_folder_go_with_it() -> io::Result<()> {
    let seen = crashes(
        |disk| {
            disk.create_dir_all(at("/a"))?;
            safe_file(disk, "/a/file", b"octets")
        },
        |disk| contents(disk, "/a/file"),
    )?;
    assert_eq!(seen, BTreeSet::from([None, some(b"octets")]));
    Ok(())
}

#[test]
fn a_write_is_kept_lost_or_torn_by_sectors_or_anywhere() -> io::Result<()> {
    let seen = crashes(
        |disk| {
            let file = safe_file(disk, "/file", &[b'o'; 2048])?;
            file.write_all_at(&[b'n'; 1500], 300)?;
            Ok(file)
        },
        |disk| contents(disk, "/file"),
    )?;
    let news = |range: std::ops::Range<usize>| {
        let mut octets = [b'o'; 2048];
        octets[range].fill(b'n');
        some(&octets)
    };
    assert!(seen.contains(&news(0..0)), "lost");
    assert!(seen.contains(&news(300..1800)), "kept");
    assert!(seen.contains(&news(300..1024)), "up to a sector's end");
    assert!(seen.contains(&news(512..1024)), "a sector in the middle");
    let ends = |octets: &Option<Vec<u8>>| {
        let octets = octets.as_deref().unwrap_or_default();
        octets
            .iter()
            .rposition(|octet| *octet == b'n')
            .map_or(0, |last| last + 1)
    };
    assert!(
        seen.iter()
            .map(ends)
            .any(|end| end % 512 != 0 && end != 1800),
        "anywhere"
    );
    let kept = |octets: &Option<Vec<u8>>| octets.as_ref().is_some_and(|o| o[..300] == [b'o'; 300]);
    assert!(
        seen.iter().all(kept),
        "what was not written is never touched"
    );
    Ok(())
}

#[test]
fn of_two_writes_to_one_place_any_may_be_lost() -> io::Result<()> {
    let seen = crashes(
        |disk| {
            let file = safe_file(disk, "/file", b"old")?;
            file.write_all_at(b"one", 0)?;
            file.write_all_at(b"two", 0)?;
            Ok(file)
        },
        |disk| contents(disk, "/file"),
    )?;
    assert!(
        [b"old", b"one", b"two"]
            .iter()
            .all(|octets| seen.contains(&some(*octets)))
    );
    Ok(())
}

#[test]
fn a_length_is_kept_or_lost_apart_from_the_octets() -> io::Result<()> {
    let cut = crashes(
        |disk| safe_file(disk, "/file", b"octets")?.set_len(2),
        |disk| contents(disk, "/file"),
    )?;
    assert_eq!(cut, BTreeSet::from([some(b"oc"), some(b"octets")]));

    let reserved = crashes(
        |disk| {
            let file = safe_file(disk, "/file", b"octets")?;
            file.allocate(8)?;
            file.allocate(3)
        },
        |disk| contents(disk, "/file"),
    )?;
    assert_eq!(
        reserved,
        BTreeSet::from([some(b"octets"), some(b"octets\0\0")])
    );
    Ok(())
}

#[test]
fn a_rename_in_a_folder_is_kept_or_lost_whole_and_carries_what_was_synced() -> io::Result<()> {
    let look = |disk: &SimDisk| (contents(disk, "/old"), contents(disk, "/new"));
    let synced = crashes(
        |disk| {
            safe_file(disk, "/new", b"before")?;
            let file = safe_file(disk, "/old", b"after")?;
            disk.rename(at("/old"), at("/new"))?;
            Ok(file)
        },
        look,
    )?;
    let lost = (some(b"after"), some(b"before"));
    let kept = (None, some(b"after"));
    assert_eq!(synced, BTreeSet::from([lost, kept]));

    let unsynced = crashes(
        |disk| {
            safe_file(disk, "/new", b"before")?;
            let file = disk.open(at("/old"), Open::CreateNew)?;
            file.write_all_at(b"after", 0)?;
            disk.rename(at("/old"), at("/new"))?;
            disk.sync_dir(at("/"))
        },
        look,
    )?;
    assert!(
        unsynced.contains(&(None, some(b""))),
        "the new name, and the old octets gone"
    );
    assert!(!unsynced.iter().any(|(_, new)| *new == some(b"before")));
    Ok(())
}

#[test]
fn a_rename_between_folders_may_leave_both_names_or_neither() -> io::Result<()> {
    let seen = crashes(
        |disk| {
            disk.create_dir_all(at("/tmp"))?;
            disk.create_dir_all(at("/new"))?;
            disk.sync_dir(at("/"))?;
            let file = safe_file(disk, "/tmp/mail", b"octets")?;
            disk.rename(at("/tmp/mail"), at("/new/mail"))?;
            Ok(file)
        },
        |disk| {
            let there = |path| contents(disk, path).is_some();
            (there("/tmp/mail"), there("/new/mail"))
        },
    )?;
    assert_eq!(seen.len(), 4, "{seen:?}");
    Ok(())
}

#[test]
fn a_removed_name_may_come_back_until_its_folder_is_synced() -> io::Result<()> {
    let node = |disk: &SimDisk| {
        drop(safe_file(disk, "/file", b"octets")?);
        disk.remove(at("/file"))
    };
    let seen = crashes(node, |disk| contents(disk, "/file"))?;
    assert_eq!(seen, BTreeSet::from([None, some(b"octets")]));
    let synced = |disk: &SimDisk| node(disk).and_then(|()| disk.sync_dir(at("/")));
    let seen = crashes(synced, |disk| contents(disk, "/file"))?;
    assert_eq!(seen, BTreeSet::from([None]));
    Ok(())
}

#[test]
fn after_the_crash_every_call_fails_and_the_last_may_have_worked() -> io::Result<()> {
    let mut last_worked = BTreeSet::new();
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        let file = safe_file(&disk, "/file", b"old")?;
        file.write_all_at(b"new", 0)?;
        disk.crash_after(2);
        file.set_len(3)?;
        assert!(!disk.is_down());
        assert!(file.sync_data().is_err() && disk.is_down());
        assert!(file.read_at(&mut [0], 0).is_err() && file.len().is_err());
        assert!(disk.list(at("/")).is_err() && disk.lock(at("/lock")).is_err());
        let after = disk.crash(seed);
        assert!(!after.is_down());
        last_worked.insert(contents(&after, "/file"));
    }
    assert_eq!(
        last_worked.len(),
        2 + 2,
        "old, new, and torn at either place: {last_worked:?}"
    );
    Ok(())
}

#[test]
fn a_sync_that_failed_is_not_made_good_by_one_that_works() -> io::Result<()> {
    let (mut safe, mut lost, mut forgotten) = (0, 0, 0);
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        let file = safe_file(&disk, "/file", b"old")?;
        file.write_all_at(b"new", 0)?;
        disk.inject(Fault {
            on: Some(Call::Sync),
            nth: 1,
            times: 1,
            wrong: Wrong::Io,
        });
        let failed = file.sync_data().map_err(|error| error.raw_os_error());
        assert_eq!(failed, Err(Some(rustix::io::Errno::IO.raw_os_error())));
        file.sync_data()?;
        forgotten += u32::from(contents(&disk, "/file") != some(b"new"));
        match contents(&disk.crash(seed), "/file") {
            octets if octets == some(b"new") => safe += 1,
            _ => lost += 1,
        }
    }
    assert!(
        safe > 0 && lost > 0 && forgotten > 0,
        "{safe} {lost} {forgotten}"
    );
    Ok(())
}

#[test]
fn a_sync_of_a_folder_that_failed_can_be_made_good() -> io::Result<()> {
    let (mut without, mut with) = (BTreeSet::new(), BTreeSet::new());
    let fault = Fault {
        on: Some(Call::SyncDir),
        nth: 1,
        times: 1,
        wrong: Wrong::Io,
    };
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        disk.open(at("/file"), Open::CreateNew)?;
        disk.inject(fault);
        assert!(disk.sync_dir(at("/")).is_err());
        // Without another try; then with one, on a machine where the first fails as well.
        without.insert(contents(&disk.crash(seed), "/file").is_some());
        let disk = SimDisk::new(seed);
        disk.open(at("/file"), Open::CreateNew)?;
        disk.inject(fault);
        assert!(disk.sync_dir(at("/")).is_err());
        disk.sync_dir(at("/"))?;
        with.insert(contents(&disk.crash(seed), "/file").is_some());
    }
    assert_eq!(without, BTreeSet::from([false, true]));
    assert_eq!(with, BTreeSet::from([true]));
    Ok(())
}

#[test]
fn faults_come_at_their_call_as_often_as_told() -> io::Result<()> {
    let disk = SimDisk::new(1);
    let file = safe_file(&disk, "/file", b"octets")?;
    disk.inject(Fault {
        on: Some(Call::Write),
        nth: 2,
        times: 2,
        wrong: Wrong::NoSpace,
    });
    let write = || file.write_at(b"x", 0).map_err(|error| error.kind());
    let full = Err(io::ErrorKind::StorageFull);
    assert_eq!(
        [write(), write(), write(), write()],
        [Ok(1), full, full, Ok(1)]
    );

    disk.inject(Fault {
        on: Some(Call::Read),
        nth: 1,
        times: 1,
        wrong: Wrong::Io,
    });
    assert!(file.read_at(&mut [0], 0).is_err());
    assert_eq!(file.read_at(&mut [0], 0)?, 1);

    disk.inject(Fault {
        on: None,
        nth: 2,
        times: 1,
        wrong: Wrong::Io,
    });
    assert_eq!(
        file.read_at(&mut [0], 0)?,
        1,
        "not a call that changes something"
    );
    file.set_len(3)?;
    assert!(disk.rename(at("/file"), at("/other")).is_err());
    disk.rename(at("/file"), at("/other"))?;

    disk.inject(Fault {
        on: None,
        nth: 1,
        times: 9,
        wrong: Wrong::Io,
    });
    disk.heal();
    file.sync_data()
}

#[test]
fn a_short_write_writes_something_but_not_all() -> io::Result<()> {
    let disk = SimDisk::new(1);
    let file = safe_file(&disk, "/file", b"")?;
    disk.inject(Fault {
        on: Some(Call::Write),
        nth: 1,
        times: 50,
        wrong: Wrong::Short,
    });
    for _ in 0..50 {
        let written = file.write_at(b"octets", 0)?;
        assert!((1..6).contains(&written), "{written}");
    }
    disk.inject(Fault {
        on: Some(Call::Write),
        nth: 1,
        times: 2,
        wrong: Wrong::Short,
    });
    file.write_all_at(b"octets", 0)?;
    assert_eq!(contents(&disk, "/file"), some(b"octets"));
    Ok(())
}

#[test]
fn a_full_disk_writes_what_fits_and_has_room_again_when_a_file_is_gone() -> io::Result<()> {
    let disk = SimDisk::new(1);
    disk.set_capacity(3 * 4096);
    let file = safe_file(&disk, "/file", &[1; 4096])?;
    assert_eq!(disk.space(at("/"))?.free_octets, 2 * 4096);
    let reserved = disk.open(at("/reserved"), Open::CreateNew)?;
    reserved.allocate(4096)?;
    assert_eq!(file.write_at(&[2; 8192], 4000)?, 4192);
    let full = file.write_at(&[2], 8192).map_err(|error| error.kind());
    assert_eq!(full, Err(io::ErrorKind::StorageFull));
    assert!(reserved.allocate(4097).is_err());
    assert_eq!(
        reserved.write_at(&[3; 4096], 0)?,
        4096,
        "reserved room is there"
    );

    disk.remove(at("/reserved"))?;
    assert_eq!(disk.space(at("/"))?.free_octets, 0, "still open");
    drop(reserved);
    assert_eq!(disk.space(at("/"))?.free_octets, 4096);
    file.set_len(1)?;
    assert_eq!(disk.space(at("/"))?.free_octets, 2 * 4096);
    Ok(())
}

#[test]
fn a_lock_holds_until_it_is_dropped_or_the_machine_goes_down() -> io::Result<()> {
    let disk = SimDisk::new(1);
    let held = disk.lock(at("/lock"))?;
    let second = disk.lock(at("/lock")).map_err(|error| error.kind());
    assert!(matches!(second, Err(io::ErrorKind::WouldBlock)));
    disk.sync_dir(at("/"))?;
    disk.crash(1).lock(at("/lock"))?;
    drop(held);
    SimDisk::new(1).lock(at("/lock")).map(drop)
}

#[test]
fn a_flipped_bit_stays_flipped() -> io::Result<()> {
    let disk = SimDisk::new(1);
    safe_file(&disk, "/file", b"abc")?;
    disk.flip_bit(at("/file"), 9)?;
    assert_eq!(contents(&disk, "/file"), some(b"a`c"));
    assert_eq!(contents(&disk.crash(1), "/file"), some(b"a`c"));
    Ok(())
}

#[test]
fn the_same_calls_have_the_same_trace_and_the_log_names_them() -> io::Result<()> {
    let run = |octets: &[u8]| -> io::Result<(u64, String)> {
        let disk = SimDisk::new(1);
        disk.inject(Fault {
            on: Some(Call::Sync),
            nth: 1,
            times: 1,
            wrong: Wrong::Io,
        });
        assert!(safe_file(&disk, "/file", octets).is_err());
        Ok((disk.trace_hash(), disk.log()))
    };
    let (hash, log) = run(b"octets")?;
    assert_eq!(log, "Create /file\nWrite /file 0+6\nSync /file: errno 5\n");
    assert_eq!(run(b"octets")?.0, hash);
    assert_ne!(run(b"octetz")?.0, hash);
    Ok(())
}

#[test]
fn a_process_that_ends_alone_leaves_what_it_did_and_no_lock() -> io::Result<()> {
    let disk = SimDisk::new(1);
    let _held = disk.lock(at("/lock"))?;
    let file = disk.open(at("/file"), Open::CreateNew)?;
    disk.crash_after(2);
    file.write_all_at(b"written", 0)?;
    assert!(file.sync_data().is_err());
    disk.process_ends();
    disk.lock(at("/lock"))?;
    assert_eq!(contents(&disk, "/file"), some(b"written"));
    disk.sync_dir(at("/"))?;
    let lost = (0..SEEDS).any(|seed| contents(&disk.crash(seed), "/file") != some(b"written"));
    assert!(lost, "it was never synced");
    Ok(())
}
