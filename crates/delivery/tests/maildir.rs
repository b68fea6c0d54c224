//! Maildirs on a real file system: what a reader sees, and what a second attempt does.

#![allow(
    clippy::disallowed_methods,
    reason = "they look at the files as a reader does"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use postroad_delivery::maildir::{Attempt, Begun, DeliveryName, Held, Maildirs};
use postroad_host::disk::real::RealDisk;
use postroad_queue::RecipientIx;
use postroad_reply::QueueId;
use postroad_wire::address::{Limits, Mailbox};

const NAME: DeliveryName = DeliveryName {
    id: QueueId::from_parts(1_790_000_000_123, 1, 2),
    recipient: RecipientIx(1),
};

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).expect("the test wrote a mailbox")
}

struct Fixture {
    _folder: tempfile::TempDir,
    root: PathBuf,
    maildirs: Maildirs<RealDisk>,
}

impl Fixture {
    fn new() -> io::Result<Fixture> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("data").join("mail");
        let maildirs = Maildirs::open(RealDisk, &root)?;
        Ok(Fixture {
            _folder: folder,
            root,
            maildirs,
        })
    }

    fn deliver(&self, to: &str, name: DeliveryName, attempt: Attempt) -> io::Result<bool> {
        match self.maildirs.begin(&mailbox(to), name, attempt)? {
            Begun::New(mut delivery) => {
                delivery.write(b"Subject: x\r\n\r\n")?;
                delivery.write(b"one\r\ntwo\r\n")?;
                delivery.finish()?;
                Ok(true)
            }
            Begun::AlreadyThere => Ok(false),
        }
    }

    fn files(&self, folder: &str) -> Vec<String> {
        files(&self.root.join(folder))
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").file_name())
        .map(|name| name.into_string().expect("it is ASCII"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_message_is_in_new_whole_and_alone() -> io::Result<()> {
    let fixture = Fixture::new()?;
    assert!(fixture.deliver("Ada@Example.org", NAME, Attempt::First)?);
    let name = format!("1790000000.{}.1", NAME.id);
    assert_eq!(fixture.files("example.org/%41da/new"), [name.as_str()]);
    assert!(fixture.files("example.org/%41da/tmp").is_empty());
    assert!(fixture.files("example.org/%41da/cur").is_empty());
    let path = fixture.root.join("example.org/%41da/new").join(name);
    assert_eq!(fs::read(path)?, b"Subject: x\r\n\r\none\r\ntwo\r\n");
    Ok(())
}

#[test]
fn until_its_end_a_message_is_not_seen_and_nothing_stays_of_one_dropped() -> io::Result<()> {
    let fixture = Fixture::new()?;
    let Begun::New(mut delivery) =
        fixture
            .maildirs
            .begin(&mailbox("ada@example.org"), NAME, Attempt::First)?
    else {
        panic!("the mailbox is empty");
    };
    delivery.write(b"half")?;
    assert!(fixture.files("example.org/ada/new").is_empty());
    drop(delivery);
    assert!(fixture.files("example.org/ada/tmp").is_empty());
    Ok(())
}

#[test]
fn a_second_attempt_finds_the_first_wherever_a_reader_has_put_it() -> io::Result<()> {
    let fixture = Fixture::new()?;
    fixture.deliver("ada@example.org", NAME, Attempt::First)?;
    assert!(!fixture.deliver("ada@example.org", NAME, Attempt::Again(2))?);

    let folder = fixture.root.join("example.org/ada");
    let name = format!("1790000000.{}.1", NAME.id);
    for read_as in [
        format!("{name}:2,S"),
        name.clone(),
        format!("{name},S=24:2,RS"),
    ] {
        let _ = fs::remove_dir_all(folder.join("cur"));
        fs::create_dir_all(folder.join("cur"))?;
        let _ = fs::remove_file(folder.join("new").join(&name));
        fs::write(folder.join("cur").join(&read_as), b"")?;
        let again = fixture.deliver("ada@example.org", NAME, Attempt::Again(3))?;
        assert!(!again, "{read_as}");
    }
    Ok(())
}

#[test]
fn another_recipient_with_a_longer_number_is_another() -> io::Result<()> {
    let fixture = Fixture::new()?;
    let eleventh = DeliveryName {
        recipient: RecipientIx(11),
        ..NAME
    };
    fixture.deliver("ada@example.org", eleventh, Attempt::First)?;
    assert!(fixture.deliver("ada@example.org", NAME, Attempt::Again(1))?);
    assert_eq!(fixture.files("example.org/ada/new").len(), 2);
    Ok(())
}

#[test]
fn what_a_crash_left_in_tmp_is_cleared_by_the_next_attempt() -> io::Result<()> {
    let fixture = Fixture::new()?;
    for attempt in [Attempt::First, Attempt::Again(7)] {
        let begun = fixture
            .maildirs
            .begin(&mailbox("ada@example.org"), NAME, attempt)?;
        // A crash: nothing is dropped in order.
        std::mem::forget(begun);
    }
    assert_eq!(fixture.files("example.org/ada/tmp").len(), 1);
    assert!(fixture.deliver("ada@example.org", NAME, Attempt::Again(8))?);
    assert!(fixture.files("example.org/ada/tmp").is_empty());
    assert_eq!(fixture.files("example.org/ada/new").len(), 1);
    Ok(())
}

#[test]
fn a_maildir_that_was_taken_away_is_made_again() -> io::Result<()> {
    let fixture = Fixture::new()?;
    fixture.deliver("ada@example.org", NAME, Attempt::First)?;
    fs::remove_dir_all(fixture.root.join("example.org"))?;
    assert!(fixture.deliver("ada@example.org", NAME, Attempt::First)?);
    fs::remove_dir_all(fixture.root.join("example.org"))?;
    assert!(fixture.deliver("ada@example.org", NAME, Attempt::Again(1))?);
    Ok(())
}

#[test]
fn the_owners_are_those_of_the_folders() -> io::Result<()> {
    let fixture = Fixture::new()?;
    assert_eq!(fixture.maildirs.owners()?, []);
    let long = format!("{}@example.org", "L".repeat(64));
    for to in [
        "Ada@example.org",
        "\"a/../b\"@b.example",
        "cur@new.example",
        &long,
    ] {
        fixture.deliver(to, NAME, Attempt::First)?;
    }
    fs::create_dir_all(fixture.root.join("lost+found"))?;
    let owner = |local: &str, domain: &str| (local.to_owned(), domain.to_owned());
    assert_eq!(
        fixture.maildirs.owners()?,
        [
            owner("Ada", "example.org"),
            owner(&"L".repeat(64), "example.org"),
            owner("a/../b", "b.example"),
            owner("cur", "new.example"),
        ]
    );
    Ok(())
}

#[test]
fn what_a_mailbox_holds_is_counted_with_its_subfolders() -> io::Result<()> {
    let fixture = Fixture::new()?;
    let ada = mailbox("ada@example.org");
    assert_eq!(fixture.maildirs.held(&ada)?, Held::default(), "no folder");
    fixture.deliver("ada@example.org", NAME, Attempt::First)?;
    let held = |octets, messages| Held { octets, messages };
    assert_eq!(fixture.maildirs.held(&ada)?, held(24, 1));
    let folder = fixture.root.join("example.org").join("ada");
    // As readers leave it: a size in the name, a subfolder, and what is no message.
    fs::write(
        folder.join("cur").join("1.a.host,S=1000,W=1020:2,S"),
        "short",
    )?;
    fs::create_dir_all(folder.join(".Sent").join("cur"))?;
    fs::write(
        folder.join(".Sent").join("cur").join("2.b.host:2,S"),
        "12345",
    )?;
    fs::write(folder.join("tmp").join("3.c.host"), "not yet there")?;
    fs::write(folder.join("dovecot.index"), "no message")?;
    assert_eq!(fixture.maildirs.held(&ada)?, held(1029, 3));
    Ok(())
}
