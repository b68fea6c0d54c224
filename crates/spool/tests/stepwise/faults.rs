//! One fault at every call to the disk: nothing acknowledged is lost, nothing refused comes back,
//! and the spool recovers or says that it is read-only.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use postroad_host::disk::sim::{Call, Fault, SimDisk, Wrong};
use postroad_queue::{NoticeState, Outcome};
use postroad_reply::QueueId;
use postroad_spool::Options;
use postroad_store::{Pressure, QueueStore, Settled, Trouble};

use crate::node::{Node, START, octets, options, segments};

/// What must be so after the next start.
#[derive(Default)]
struct Promised {
    /// Acknowledged: these are in the queue.
    there: BTreeMap<QueueId, Bytes>,
    /// Refused or finished: these are not.
    gone: Vec<QueueId>,
    /// Settled with an error, or refused while nothing could be written: either way.
    doubt: Vec<QueueId>,
}

/// Takes mail in, delivers, defers, bounces, copies forward and writes checkpoints. Stops at
/// nothing.
fn work(node: &mut Node, promised: &mut Promised) {
    for message in 0..24usize {
        let body = octets(
            message,
            if message % 5 == 4 {
                9000
            } else {
                300 * (message % 7)
            },
        );
        let leased = match node.accept(&body) {
            Ok(leased) => leased,
            Err(_) => continue,
        };
        let id = leased.lease.id;
        let settled = match message % 4 {
            0 => Ok(Settled {
                finished: false,
                notice: None,
            }),
            1 => node.deliver(&leased),
            2 => node.settle(
                &leased,
                Outcome::Deferred {
                    attempt: 1,
                    due: START + Duration::from_secs(9),
                    report: "later".into(),
                    notice: NoticeState::Unwanted,
                },
            ),
            _ => node.bounce(&leased, &octets(message, 5000)),
        };
        match settled {
            Ok(settled) => {
                if settled.finished {
                    promised.gone.push(id);
                } else {
                    promised.there.insert(id, body);
                }
                if let Some(notice) = settled.notice {
                    promised.there.insert(notice, octets(message, 5000));
                }
            }
            Err(_) => promised.doubt.push(id),
        }
        if message % 8 == 7 {
            node.committer.take_checkpoint();
            node.step();
        }
    }
    for _ in 0..20 {
        node.clock.advance(Duration::from_secs(2));
        node.step();
    }
}

/// Two messages stay while many come and go, until the two have been copied forward.
fn churn(node: &mut Node, promised: &mut Promised) {
    for message in 0..90usize {
        let body = octets(message, if message == 1 { 9000 } else { 2600 });
        let Ok(leased) = node.accept(&body) else {
            continue;
        };
        let id = leased.lease.id;
        if message < 2 {
            promised.there.insert(id, body);
            continue;
        }
        match node.deliver(&leased) {
            Ok(_) => promised.gone.push(id),
            Err(_) => promised.doubt.push(id),
        }
    }
    for _ in 0..20 {
        node.clock.advance(Duration::from_secs(2));
        node.step();
    }
}

fn check(disk: SimDisk, promised: &Promised, story: &str) {
    let mut node = Node::open(disk, 99, options()).unwrap();
    for report in &node.reports {
        use postroad_spool::What;
        assert!(
            !matches!(
                report.what,
                What::Damaged | What::Message(_) | What::Segment
            ),
            "{story}: {report:?}"
        );
    }
    let contents = node.contents();
    for (id, body) in &promised.there {
        assert_eq!(
            contents.get(id),
            Some(body),
            "{story}: {id} is lost or changed"
        );
    }
    for id in contents.keys() {
        assert!(!promised.gone.contains(id), "{story}: {id} came back");
        assert!(
            promised.there.contains_key(id) || promised.doubt.contains(id),
            "{story}: {id} was never acknowledged"
        );
    }
    assert!(
        node.accept(&octets(1, 10)).is_ok(),
        "{story}: nothing is taken after the restart"
    );
}

type Work = fn(&mut Node, &mut Promised);

fn with_fault(fault: Fault, work: Work) {
    let disk = SimDisk::new(fault.nth);
    let mut node = Node::open(disk.clone(), 1, options()).unwrap();
    disk.inject(fault);
    let mut promised = Promised::default();
    work(&mut node, &mut promised);
    disk.heal();
    node.clock.advance(Duration::from_secs(60));
    node.step();
    node.step();
    let story = format!("{fault:?}");
    assert_eq!(
        node.spool.pressure(),
        Pressure::None,
        "{story}: it doesn't recover"
    );
    drop(node);
    // With the process alone gone, and with the power gone.
    check(disk.crash(fault.nth), &promised, &story);
}

fn sweep(on: Option<Call>, wrong: Wrong, times: u64, work: Work, stride: usize) {
    // Until the fault comes too late to be met.
    let calls = {
        let disk = SimDisk::new(1);
        let mut node = Node::open(disk.clone(), 1, options()).unwrap();
        let before = disk.changes();
        work(&mut node, &mut Promised::default());
        disk.changes() - before
    };
    assert!(calls > 100);
    for nth in (1..=calls + 3).step_by(stride) {
        with_fault(
            Fault {
                on,
                nth,
                times,
                wrong,
            },
            work,
        );
    }
}

#[test]
fn eio_at_every_call() {
    sweep(None, Wrong::Io, 1, work, 1);
}

#[test]
fn no_space_at_every_call() {
    sweep(None, Wrong::NoSpace, 1, work, 1);
}

#[test]
fn a_short_write_at_every_call() {
    sweep(None, Wrong::Short, 1, work, 1);
}

#[test]
fn failed_syncs_from_every_call_on() {
    sweep(Some(Call::Sync), Wrong::Io, 3, work, 1);
}

#[test]
fn no_space_for_long() {
    sweep(None, Wrong::NoSpace, 25, work, 1);
}

#[test]
fn faults_while_copying_forward() {
    let mut node = Node::new(options());
    let mut promised = Promised::default();
    churn(&mut node, &mut promised);
    let first = segments(&node.disk).remove(0);
    assert!(
        first.as_path() > Path::new("/spool/segments/00000008.seg"),
        "nothing was copied: {first:?}"
    );
    assert_eq!(node.contents(), promised.there);
    // Every fifth call: the pattern of calls has another period, so each kind of call is met.
    sweep(None, Wrong::Io, 1, churn, 5);
    sweep(None, Wrong::NoSpace, 1, churn, 7);
}

#[test]
fn a_dead_disk_is_read_only_and_gives_nothing_out() {
    let mut node = Node::new(options());
    let kept = node.accept(&octets(1, 100)).unwrap();
    node.disk.inject(Fault {
        on: None,
        nth: 1,
        times: u64::MAX,
        wrong: Wrong::Io,
    });
    assert!(matches!(
        node.accept(&octets(2, 100)),
        Err(Trouble::Failed(_))
    ));
    assert_eq!(node.spool.pressure(), Pressure::ReadOnly);
    assert!(matches!(
        node.accept(&octets(3, 100)),
        Err(Trouble::ReadOnly)
    ));
    assert!(matches!(node.claim(), Err(Trouble::ReadOnly)));
    assert!(matches!(node.deliver(&kept), Err(Trouble::ReadOnly)));
    node.disk.heal();
    node.clock.advance(Duration::from_secs(5));
    node.step();
    assert_eq!(node.spool.pressure(), Pressure::None);
    assert!(node.deliver(&kept).unwrap().finished);
    let mut node = node.kill(2, options());
    assert!(node.contents().is_empty(), "what was refused came back");
}

#[test]
fn a_full_disk_empties_itself() {
    let disk = SimDisk::new(3);
    disk.set_capacity(400 * 1024);
    let mut node = Node::open(disk.clone(), 1, options()).unwrap();
    let mut leases = Vec::new();
    loop {
        match node.accept(&octets(leases.len(), 2000)) {
            Ok(leased) => leases.push(leased),
            Err(Trouble::Full) => break,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(leases.len() > 50, "{}", leases.len());
    assert_eq!(node.spool.pressure(), Pressure::Full);
    // Everything is deferred, twice, and at last delivered, newest first: the worst order for a log.
    for attempt in 1..=2 {
        for leased in &leases {
            let due = START + Duration::from_secs(u64::from(attempt));
            let outcome = Outcome::Deferred {
                attempt,
                due,
                report: "later".into(),
                notice: NoticeState::Unwanted,
            };
            node.settle(leased, outcome).unwrap();
        }
    }
    for leased in leases.iter().rev() {
        assert!(node.deliver(leased).unwrap().finished);
    }
    for _ in 0..50 {
        node.clock.advance(Duration::from_secs(2));
        node.step();
    }
    assert_eq!(node.spool.pressure(), Pressure::None);
    assert!(node.accept(&octets(0, 2000)).is_ok());
}

/// Who comes before the first step has to hear it.
#[test]
fn a_spool_without_room_says_so_from_its_opening() {
    let floor = Options {
        floor_octets: 1 << 20,
        ..options()
    };
    let disk = SimDisk::new(1);
    disk.set_capacity(1 << 20);
    let node = Node::open(disk.clone(), 1, floor.clone()).unwrap();
    assert_eq!(node.spool.pressure(), Pressure::Full);
    disk.set_capacity(4 << 20);
    let node = node.kill(2, floor);
    assert_eq!(node.spool.pressure(), Pressure::None);
}

/// A segment that couldn't be begun may still be in the folder after a power cut, and its header says
/// where the one before ends: so nothing may have been acknowledged behind that end.
#[test]
fn a_segment_that_could_not_be_begun_cuts_nothing() {
    for seed in 0..40 {
        let disk = SimDisk::new(seed);
        let mut node = Node::open(disk.clone(), 1, options()).unwrap();
        let mut kept = Vec::new();
        disk.inject(Fault {
            on: Some(Call::SyncDir),
            nth: 1 + seed % 2,
            times: 1,
            wrong: Wrong::Io,
        });
        for message in 0..12 {
            // Large ones, for which the segment has no room, and small ones, for which it has.
            let body = octets(message, if message % 2 == 0 { 3900 } else { 100 });
            if let Ok(leased) = node.accept(&body) {
                kept.push((leased.lease.id, body));
            }
        }
        drop(node);
        let mut node = Node::open(disk.crash(seed), 2, options()).unwrap();
        let contents = node.contents();
        for (id, body) in &kept {
            assert_eq!(contents.get(id), Some(body), "seed {seed}");
        }
    }
}

/// A disk on which a message is, and its name, after another was refused: a sync failed, and so did
/// each call of kind `then` from the `nth` on, so that the spool became read-only.
fn after_a_refusal(seed: u64, then: Call, nth: u64) -> (SimDisk, QueueId) {
    let disk = SimDisk::new(seed);
    let mut node = Node::open(disk.clone(), 1, options()).unwrap();
    let kept = node.accept(&octets(1, 700)).unwrap().lease.id;
    for (on, nth, times) in [(Call::Sync, 1, 1), (then, nth, u64::MAX)] {
        disk.inject(Fault {
            on: Some(on),
            nth,
            times,
            wrong: Wrong::Io,
        });
    }
    assert!(matches!(
        node.accept(&octets(2, 700)),
        Err(Trouble::Failed(_))
    ));
    assert_eq!(node.spool.pressure(), Pressure::ReadOnly);
    (disk, kept)
}

/// A sync fails, its octets can't be made zeros, no segment can be begun, and the process ends. What
/// the next start finds of that batch may be in the page cache alone, where no sync minds it any
/// more. What that start gives out must be on the disk all the same.
#[test]
fn what_a_start_has_found_outlives_the_power() {
    let mut found = 0;
    for seed in 0..40 {
        let (disk, kept) = after_a_refusal(seed, Call::Write, 2);
        disk.process_ends();
        let mut node = Node::open(disk.clone(), 2, options()).unwrap();
        let given_out = node.contents();
        assert_eq!(given_out.get(&kept), Some(&octets(1, 700)), "seed {seed}");
        found += given_out.len() - 1;
        drop(node);
        let mut node = Node::open(disk.crash(seed), 3, options()).unwrap();
        assert_eq!(node.contents(), given_out, "seed {seed}");
        assert_eq!(node.reports.len(), 0, "seed {seed}: {:?}", node.reports);
    }
    assert!(found > 5, "the start found the batch {found} times only");
}

/// The same while copying forward: the start finds copies, and uses the segments that they were
/// made from again.
#[test]
fn no_segment_is_used_again_for_a_copy_that_is_not_on_the_disk() {
    let calls = {
        let mut node = Node::new(options());
        let before = node.disk.changes();
        churn(&mut node, &mut Promised::default());
        node.disk.changes() - before
    };
    for nth in 1..calls {
        let disk = SimDisk::new(nth);
        let mut node = Node::open(disk.clone(), 1, options()).unwrap();
        disk.inject(Fault {
            on: None,
            nth,
            times: u64::MAX,
            wrong: Wrong::Io,
        });
        let mut promised = Promised::default();
        churn(&mut node, &mut promised);
        drop(node);
        disk.process_ends();
        let mut node = Node::open(disk.clone(), 2, options()).unwrap();
        // What is empty now leaves the log.
        node.step();
        drop(node);
        let mut node = Node::open(disk.crash(nth), 3, options()).unwrap();
        let contents = node.contents();
        for (id, body) in &promised.there {
            assert!(contents.get(id) == Some(body), "call {nth}: {id} is lost");
        }
        for id in &promised.gone {
            assert!(!contents.contains_key(id), "call {nth}: {id} came back");
        }
    }
}

/// No segment can be begun to say where the log ends, so the octets themselves are taken back before
/// anybody hears that the message was refused.
#[test]
fn what_was_refused_is_gone_where_its_octets_can_be_taken_back() {
    for seed in 0..40 {
        let (disk, kept) = after_a_refusal(seed, Call::Rename, 1);
        let mut node = Node::open(disk.crash(seed), 2, options()).unwrap();
        let contents = node.contents();
        assert_eq!(contents.len(), 1, "seed {seed}");
        assert!(contents.contains_key(&kept), "seed {seed}");
    }
}
