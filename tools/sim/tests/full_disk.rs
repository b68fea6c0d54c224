//! A real file system that is full: a tmpfs of a few MiB, filled through the spool and then to its
//! last octet by somebody else.

// What a test leaves out, it says; and the body of a test fails by a panic.
#![allow(clippy::print_stderr, clippy::expect_used, clippy::unwrap_used)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::real::RealDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_host::tasks;
use postroad_message::Facts;
use postroad_queue::{
    ClientTrace, Envelope, Handover, NoticeState, Outcome, Recipient, RecipientIx,
};
use postroad_reply::{QueueId, TransactionId};
use postroad_spool::{Options, Spool};
use postroad_store::{Claim, Pressure, QueueStore, Staged, Trouble, commit};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;

/// How much the disk holds.
const SIZE: &str = "size=6m";
/// How long leases are: longer than the test.
const LEASE: Duration = Duration::from_secs(3600);

/// A small file system, for as long as this lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where nobody may mount.
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().expect("a folder to mount at");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "postroad-test"])
            .arg(folder.path())
            .output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        mounted.then(|| SmallDisk(folder))
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("spool")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "still mounted"
        );
    }
}

/// A spool with its threads.
struct Running {
    spool: Spool<RealDisk>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(folder: &Path) -> Running {
        let options = Options {
            segment_octets: 128 * 1024,
            body_file_threshold: 16 * 1024,
            floor_octets: 0,
            floor_inodes: 0,
            checkpoint_octets: 256 * 1024,
            probe_interval: Duration::from_millis(20),
            ..Options::new(folder.to_owned())
        };
        let chance = Chance::from_os().expect("random numbers");
        let opened = Spool::open(RealDisk, options, chance, Arc::new(RealClock)).unwrap();
        let (committer, housekeeper) = (opened.committer, opened.housekeeper);
        let threads = vec![
            tasks::thread("committer", move || committer.run()).unwrap(),
            tasks::thread("housekeeper", move || housekeeper.run()).unwrap(),
        ];
        Running {
            spool: opened.spool,
            threads,
        }
    }

    fn stop(self) {
        self.spool.close();
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

fn octets(number: u64, len: usize) -> Bytes {
    let mut octets = format!("Subject: {number}\r\n\r\n").into_bytes();
    octets.resize(octets.len() + len, b'a' + (number % 26) as u8);
    octets.into()
}

fn envelope(now: UnixMs, octets: &[u8]) -> Arc<Envelope> {
    let mailbox = Mailbox::parse("user@sim.example", &Limits::LEAST).unwrap();
    Arc::new(Envelope {
        received_at: now,
        reverse_path: ReversePath::Null,
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: "test".to_owned(),
        recipients: vec![Recipient {
            target: mailbox.clone(),
            origin: mailbox,
            original: None,
            notify: None,
        }],
        trace: Bytes::new(),
        edits: Vec::new(),
        facts: Facts {
            size: octets.len() as u64,
            ..Facts::default()
        },
    })
}

/// Takes one message in and leaves it to whoever claims it.
async fn accept(spool: &Spool<RealDisk>, number: u64, octets: Bytes) -> Result<QueueId, Trouble> {
    let now = RealClock.unix();
    let mut staged = spool.stage(now).await?;
    let envelope = envelope(now, &octets);
    for piece in octets.chunks(10_000) {
        staged.append(octets.slice_ref(piece)).await?;
    }
    let (_receipt, leased) = commit(staged, TransactionId(number), envelope, now + LEASE).await?;
    let id = leased.lease.id;
    spool.release(leased.lease).await?;
    Ok(id)
}

/// Sends messages of all lengths until none is taken for a while; gives those that were.
async fn fill(spool: &Spool<RealDisk>) -> Vec<(QueueId, Bytes)> {
    let mut taken = Vec::new();
    let mut refused_in_a_row = 0;
    for number in 0..20_000 {
        let octets = octets(number, [100, 3_000, 12_000, 40_000][number as usize % 4]);
        match accept(spool, number, octets.clone()).await {
            Ok(id) => {
                taken.push((id, octets));
                refused_in_a_row = 0;
            }
            Err(Trouble::Full) => refused_in_a_row += 1,
            Err(other) => panic!("a full disk refuses otherwise: {other}"),
        }
        if refused_in_a_row == 40 {
            return taken;
        }
    }
    panic!("the disk does not get full");
}

/// Takes what room is left.
fn fill_up(path: &Path) -> io::Result<()> {
    let file = RealDisk.open(path, Open::CreateNew)?;
    for block in 0.. {
        match file.write_at(&[1; 4096], block * 4096) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Every message is there, whole.
async fn check(spool: &Spool<RealDisk>, taken: &[(QueueId, Bytes)]) {
    for (id, octets) in taken {
        let mut seen = Vec::new();
        loop {
            let piece = spool.body(*id, seen.len() as u64, 64 * 1024).await.unwrap();
            if piece.is_empty() {
                break;
            }
            seen.extend_from_slice(&piece);
        }
        assert!(seen == octets[..], "{id} is not as it was taken");
    }
    assert_eq!(spool.len(), taken.len());
}

/// Delivers everything, as far as the spool knows.
async fn settle_all(spool: &Spool<RealDisk>) {
    loop {
        let now = RealClock.unix();
        let claim = Claim {
            now,
            until: now + LEASE,
            most: 16,
            per_route: 16,
            skip: Vec::new(),
        };
        let claimed = spool.claim(claim).await.unwrap();
        if claimed.is_empty() {
            return;
        }
        for leased in claimed {
            let outcome = Outcome::Delivered {
                how: Handover::Delivered,
                report: "test".into(),
                notice: NoticeState::Unwanted,
            };
            let outcomes = [(RecipientIx(0), outcome)];
            let settled = spool.settle(&leased.lease, &outcomes, None, now).await;
            assert!(settled.unwrap().finished);
        }
    }
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_empties_itself() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("left out: the spool on a real full disk (mounting a small tmpfs needs root)");
        return;
    };
    let running = Running::start(&disk.folder());
    let story = async {
        let spool = &running.spool;
        let taken = fill(spool).await;
        assert!(taken.len() > 100, "only {} were taken", taken.len());
        assert_eq!(spool.pressure(), Pressure::Full);
        check(spool, &taken).await;
        taken
    };
    let taken = tasks::run(0, story).unwrap();

    // Now to the last octet, by somebody who heeds no reserve; and a start on such a disk.
    let others = disk.0.path().join("others");
    fill_up(&others).unwrap();
    running.stop();
    let running = Running::start(&disk.folder());
    let story = async {
        let spool = &running.spool;
        check(spool, &taken).await;
        let refused = accept(spool, 0, octets(0, 40_000)).await;
        assert!(matches!(refused, Err(Trouble::Full)), "{refused:?}");
        settle_all(spool).await;
        assert!(spool.is_empty());
        assert!(spool.page(None, 1).await.unwrap().is_empty());
        RealDisk.remove(&others).unwrap();
        again(spool).await;
    };
    tasks::run(0, story).unwrap();
    running.stop();
}

/// Mail is taken again, within a few looks at the disk.
async fn again(spool: &Spool<RealDisk>) {
    for _ in 0..250 {
        match accept(spool, 1, octets(1, 40_000)).await {
            Ok(_) => return,
            Err(Trouble::Full) => tasks::sleep(Duration::from_millis(20)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("nothing is taken, though there is room again");
}
