//! Maildirs on a disk that loses at a crash what was not synced, and that fails.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Barrier;

use postroad_delivery::mailbox_name;
use postroad_delivery::maildir::{Attempt, Begun, DeliveryName, Maildirs};
use postroad_host::disk::sim::{Call, Fault, SimDisk, Wrong};
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_queue::RecipientIx;
use postroad_reply::QueueId;
use postroad_wire::address::{Limits, Mailbox};

const ROOT: &str = "/data/mail";

/// Two messages for two mailboxes each.
const DELIVERIES: [(u64, u32, &str); 4] = [
    (1, 0, "Ada@example.org"),
    (1, 1, "grace@example.org"),
    (2, 0, "Ada@example.org"),
    (2, 1, "grace@other.example"),
];

fn octets(message: u64) -> Vec<u8> {
    let line = format!("message {message}, a line that says so again and again\r\n");
    line.repeat(40).into_bytes()
}

fn name(message: u64, recipient: u32) -> DeliveryName {
    DeliveryName {
        id: QueueId(message << 22),
        recipient: RecipientIx(recipient),
    }
}

fn deliver(
    maildirs: &Maildirs<SimDisk>,
    (message, recipient, to): (u64, u32, &str),
    attempt: Attempt,
) -> io::Result<()> {
    let to = Mailbox::parse(to, &Limits::default()).expect("the test wrote a mailbox");
    match maildirs.begin(&to, name(message, recipient), attempt)? {
        Begun::AlreadyThere => Ok(()),
        Begun::New(mut delivery) => {
            let octets = octets(message);
            let (first, rest) = octets.split_at(700);
            delivery.write(first)?;
            delivery.write(rest)?;
            delivery.finish()
        }
    }
}

/// Delivers all that isn't done yet, and says what is done.
fn deliver_all(
    disk: &SimDisk,
    attempt: Attempt,
    done: &mut BTreeSet<(u64, u32)>,
) -> io::Result<()> {
    let maildirs = Maildirs::open(disk.clone(), Path::new(ROOT))?;
    let mut result = Ok(());
    for delivery in DELIVERIES {
        let key = (delivery.0, delivery.1);
        if !done.contains(&key) {
            match deliver(&maildirs, delivery, attempt) {
                Ok(()) => {
                    done.insert(key);
                }
                Err(e) => result = Err(e),
            }
        }
    }
    result
}

/// What readers see, which is whole messages: each by its name, as often as it is there.
fn seen(disk: &SimDisk) -> Vec<(u64, u32)> {
    let mut seen = Vec::new();
    let mut folders = vec![Path::new(ROOT).to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in disk.list(&folder).unwrap_or_default() {
            if entry.is_dir {
                folders.push(entry.path);
            } else if folder.ends_with("new") {
                seen.push(read(disk, &entry.path));
            }
        }
    }
    seen.sort_unstable();
    seen
}

fn read(disk: &SimDisk, path: &Path) -> (u64, u32) {
    let file = disk.open(path, Open::Read).expect("it was listed");
    let mut found = vec![0; file.len().expect("it is open") as usize];
    file.read_exact_at(&mut found, 0).expect("it has as many");
    let name = path.file_name().and_then(|n| n.to_str()).expect("ASCII");
    let mut parts = name.split('.').skip(1);
    let id: QueueId = parts
        .next()
        .and_then(|p| p.parse().ok())
        .expect("a queue id");
    let recipient = parts.next().and_then(|p| p.parse().ok()).expect("a number");
    let message = id.unix_ms();
    assert!(found == octets(message), "{name} is not whole");
    (message, recipient)
}

fn all() -> Vec<(u64, u32)> {
    DELIVERIES.iter().map(|(m, r, _)| (*m, *r)).collect()
}

#[test]
fn what_was_delivered_survives_a_power_cut_at_any_step_and_the_rest_comes_once() {
    let whole = SimDisk::new(0);
    deliver_all(&whole, Attempt::First, &mut BTreeSet::new()).expect("nothing fails");
    let steps = whole.changes();
    assert!(steps > 20, "{steps}");
    for nth in 1..=steps {
        for seed in 0..40 {
            let disk = SimDisk::new(seed);
            disk.crash_after(nth);
            let mut done = BTreeSet::new();
            let _ = deliver_all(&disk, Attempt::First, &mut done);
            assert!(disk.is_down());

            let disk = disk.crash(seed + 1000);
            let found = seen(&disk);
            for key in &done {
                assert!(
                    found.contains(key),
                    "lost {key:?}, step {nth}, seed {seed}\n{}",
                    disk.log()
                );
            }
            // Nothing is settled: the queue had no time to record it.
            deliver_all(&disk, Attempt::Again(1), &mut BTreeSet::new()).expect("nothing fails");
            let disk = disk.crash(seed + 2000);
            assert_eq!(seen(&disk), all(), "step {nth}, seed {seed}");
        }
    }
}

#[test]
fn what_fails_is_delivered_later_and_then_survives_a_power_cut() {
    let calls = [
        Call::Create,
        Call::Write,
        Call::Sync,
        Call::Rename,
        Call::Remove,
        Call::CreateDir,
        Call::SyncDir,
        Call::Look,
    ];
    let mut failed = 0;
    for (on, wrong) in calls
        .iter()
        .flat_map(|call| [Wrong::Io, Wrong::NoSpace, Wrong::Short].map(|wrong| (*call, wrong)))
    {
        for nth in 1..=24 {
            let disk = SimDisk::new(nth);
            disk.inject(Fault {
                on: Some(on),
                nth,
                times: 2,
                wrong,
            });
            let mut done = BTreeSet::new();
            let mut attempt = Attempt::First;
            let mut tries = 0;
            while deliver_all(&disk, attempt, &mut done).is_err() || done.len() < DELIVERIES.len() {
                failed += 1;
                tries += 1;
                assert!(tries < 10, "{on:?} {wrong:?} {nth}\n{}", disk.log());
                attempt = Attempt::Again(tries);
            }
            let disk = disk.crash(nth + 500);
            assert_eq!(seen(&disk), all(), "{on:?} {wrong:?} {nth}\n{}", disk.log());
        }
    }
    assert!(failed > 100, "the faults hit nothing: {failed}");
}

/// Two mailboxes of a new domain are made at the same time, and a sync fails for one of them: what it
/// puts aside must not have the other one's message in it.
#[expect(
    clippy::disallowed_methods,
    reason = "deliveries block, each on a thread of its own"
)]
#[test]
fn a_mailbox_that_fails_to_be_made_takes_no_other_with_it() -> io::Result<()> {
    for seed in 0..1500 {
        let disk = SimDisk::new(seed);
        let maildirs = Maildirs::open(disk.clone(), Path::new(ROOT))?;
        disk.inject(Fault {
            on: Some(Call::SyncDir),
            nth: 1 + seed % 6,
            times: 1,
            wrong: Wrong::Io,
        });
        let together = Barrier::new(2);
        let run = |to: &str, recipient: u32| {
            together.wait();
            let delivered = deliver(&maildirs, (1, recipient, to), Attempt::First).is_ok();
            together.wait();
            let mailbox = Mailbox::parse(to, &Limits::default()).expect("the test wrote it");
            let new = Path::new(ROOT)
                .join(mailbox_name::folder(&mailbox))
                .join("new");
            let there = disk.list(&new).is_ok_and(|entries| entries.len() == 1);
            assert!(
                there || !delivered,
                "seed {seed}: {to} was delivered, and is not there"
            );
        };
        std::thread::scope(|scope| {
            scope.spawn(|| run("a@new.example", 0));
            scope.spawn(|| run("b@new.example", 1));
        });
    }
    Ok(())
}
