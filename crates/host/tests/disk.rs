//! What every disk does, the real one and the simulated one alike.

use std::io::{self, ErrorKind};
use std::path::Path;

use postroad_host::disk::real::RealDisk;
use postroad_host::disk::sim::SimDisk;
use postroad_host::disk::{Disk, DiskFile, Open};

/// Runs one contract on both disks, each with an empty folder.
macro_rules! on_both {
    ($($contract:ident)*) => {
        mod real {
            $(
                #[test]
                fn $contract() -> std::io::Result<()> {
                    let folder = tempfile::tempdir()?;
                    super::$contract(super::RealDisk, folder.path())
                }
            )*
        }
        mod simulated {
            $(
                #[test]
                fn $contract() -> std::io::Result<()> {
                    super::$contract(super::SimDisk::new(1), std::path::Path::new("/"))
                }
            )*
        }
    };
}

on_both! {
    octets_are_read_back_where_they_were_written
    a_file_can_be_cut_and_made_longer
    room_can_be_reserved
    names_are_given_taken_and_moved
    what_is_not_there_is_said_so
    folders_are_listed_in_order
    a_removed_file_that_is_open_can_still_be_read
    a_file_opened_to_be_read_cant_be_written
}

fn kind<T>(result: io::Result<T>) -> Result<(), ErrorKind> {
    result.map(drop).map_err(|error| error.kind())
}

fn octets_are_read_back_where_they_were_written(disk: impl Disk, folder: &Path) -> io::Result<()> {
    let path = folder.join("file");
    let file = disk.open(&path, Open::CreateNew)?;
    assert!(file.is_empty()?);
    file.write_all_at(b"world", 6)?;
    file.write_all_at(b"hello", 0)?;
    file.sync_data()?;
    assert_eq!(file.len()?, 11);
    let mut seen = [0xFF; 16];
    assert_eq!(disk.open(&path, Open::Read)?.read_at(&mut seen, 0)?, 11);
    assert_eq!(&seen[..11], b"hello\0world");
    assert_eq!(file.read_at(&mut seen, 11)?, 0);
    assert_eq!(file.read_at(&mut seen, 1 << 40)?, 0);
    assert_eq!(
        kind(file.read_exact_at(&mut seen, 0)),
        Err(ErrorKind::UnexpectedEof)
    );
    Ok(())
}

fn a_file_can_be_cut_and_made_longer(disk: impl Disk, folder: &Path) -> io::Result<()> {
    let file = disk.open(&folder.join("file"), Open::CreateNew)?;
    file.write_all_at(b"octets", 0)?;
    file.set_len(2)?;
    file.set_len(4)?;
    let mut seen = [0xFF; 4];
    file.read_exact_at(&mut seen, 0)?;
    assert_eq!((&seen, file.len()?), (b"oc\0\0", 4));
    Ok(())
}

fn room_can_be_reserved(disk: impl Disk, folder: &Path) -> io::Result<()> {
    let file = disk.open(&folder.join("file"), Open::CreateNew)?;
    file.allocate(0)?;
    assert_eq!(file.len()?, 0);
    file.allocate(10_000)?;
    assert_eq!(file.len()?, 10_000);
    file.allocate(10)?;
    assert_eq!(file.len()?, 10_000);
    Ok(())
}

fn names_are_given_taken_and_moved(disk: impl Disk, folder: &Path) -> io::Result<()> {
    let [one, two] = ["one", "two"].map(|name| folder.join(name));
    disk.open(&one, Open::CreateNew)?.write_all_at(b"1", 0)?;
    disk.open(&two, Open::CreateNew)?;
    assert_eq!(
        kind(disk.open(&one, Open::CreateNew)),
        Err(ErrorKind::AlreadyExists)
    );
    disk.rename(&one, &two)?;
    assert_eq!((disk.exists(&one)?, disk.exists(&two)?), (false, true));
    assert_eq!(disk.open(&two, Open::ReadWrite)?.len()?, 1);
    disk.sync_dir(folder)?;
    disk.remove(&two)?;
    assert!(!disk.exists(&two)?);
    Ok(())
}

fn what_is_not_there_is_said_so(disk: impl Disk, folder: &Path) -> io::Result<()> {
    let none = folder.join("none");
    let missing = Err(ErrorKind::NotFound);
    assert_eq!(kind(disk.open(&none, Open::Read)), missing);
    assert_eq!(
        kind(disk.open(&none.join("file"), Open::CreateNew)),
        missing
    );
    assert_eq!(kind(disk.rename(&none, &folder.join("other"))), missing);
    assert_eq!(kind(disk.remove(&none)), missing);
    assert_eq!(kind(disk.list(&none)), missing);
    assert_eq!(kind(disk.sync_dir(&none)), missing);
    assert_eq!(kind(disk.space(&none)), missing);
    assert!(!disk.exists(&none)?);
    Ok(())
}

fn folders_are_listed_in_order(disk: impl Disk, folder: &Path) -> io::Result<()> {
    disk.create_dir_all(&folder.join("b/c"))?;
    disk.create_dir_all(&folder.join("b"))?;
    disk.open(&folder.join("c"), Open::CreateNew)?;
    disk.open(&folder.join("a"), Open::CreateNew)?;
    let found = disk.list(folder)?.into_iter();
    let found: Vec<_> = found.map(|entry| (entry.path, entry.is_dir)).collect();
    let expected = [("a", false), ("b", true), ("c", false)];
    assert_eq!(
        found,
        expected.map(|(name, is_dir)| (folder.join(name), is_dir))
    );
    assert!(disk.list(&folder.join("b/c"))?.is_empty());
    assert_eq!(
        kind(disk.create_dir_all(&folder.join("a"))),
        Err(ErrorKind::AlreadyExists)
    );
    assert_eq!(
        kind(disk.list(&folder.join("a"))),
        Err(ErrorKind::NotADirectory)
    );
    Ok(())
}

fn a_removed_file_that_is_open_can_still_be_read(disk: impl Disk, folder: &Path) -> io::Result<()> {
    let path = folder.join("file");
    let file = disk.open(&path, Open::CreateNew)?;
    file.write_all_at(b"octets", 0)?;
    disk.remove(&path)?;
    let mut seen = [0; 6];
    file.read_exact_at(&mut seen, 0)?;
    assert_eq!(&seen, b"octets");
    Ok(())
}

fn a_file_opened_to_be_read_cant_be_written(disk: impl Disk, folder: &Path) -> io::Result<()> {
    let path = folder.join("file");
    disk.open(&path, Open::CreateNew)?;
    let file = disk.open(&path, Open::Read)?;
    assert!(file.write_at(b"x", 0).is_err() && file.set_len(9).is_err());
    assert_eq!(file.len()?, 0);
    Ok(())
}
