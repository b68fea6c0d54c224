//! Octets that rot, ends that tear, senders who send frames.

use std::path::Path;

use bytes::Bytes;
use postroad_host::disk::Disk;
use postroad_host::disk::sim::{Call, Fault, SimDisk, Wrong};
use postroad_spool::{OpenError, Options, Planted, What};
use postroad_store::{QueueStore, Staged, Trouble};

use crate::node::{Node, envelope, far, octets, options, read_file, segments, write_file};

/// A disk with `messages` small ones, each a batch of its own, and what they are.
fn filled(messages: usize) -> (SimDisk, Vec<(postroad_reply::QueueId, Bytes)>) {
    let mut node = Node::new(options());
    let sent = (0..messages)
        .map(|message| {
            let body = octets(message, 40);
            (node.accept(&body).unwrap().lease.id, body)
        })
        .collect();
    (node.disk.clone(), sent)
}

/// Makes this the only segment, with these octets, and nothing set aside.
fn leave_only(disk: &SimDisk, path: &Path, octets: &[u8]) {
    write_file(disk, path, octets);
    for other in segments(disk).into_iter().filter(|other| other != path) {
        disk.remove(&other).unwrap();
    }
    for entry in disk.list(Path::new("/spool/damage")).unwrap() {
        disk.remove(&entry.path).unwrap();
    }
}

#[test]
fn a_flipped_bit_anywhere_costs_at_most_one_message_and_is_reported() {
    let (disk, sent) = filled(4);
    let path = segments(&disk).pop().unwrap();
    let original = read_file(&disk, &path);
    let used = original.iter().rposition(|octet| *octet != 0).unwrap();
    let frames = 8192..used + 1;
    let headers = (0..128).chain(4096..4096 + 128);
    for at in headers.chain(frames) {
        let mut damaged = original.clone();
        damaged[at] ^= 1 << (at % 8);
        leave_only(&disk, &path, &damaged);
        let mut node = Node::open(disk.clone(), 2, options()).unwrap();
        let contents = node.contents();
        let lost = sent
            .iter()
            .filter(|(id, _)| !contents.contains_key(id))
            .count();
        assert!(lost <= 1, "octet {at}: {lost} messages lost");
        for (id, body) in sent.iter().filter(|(id, _)| contents.contains_key(id)) {
            assert_eq!(contents[id], body, "octet {at}");
        }
        assert_eq!(contents.len() + lost, sent.len(), "octet {at}");
        // Padding between frames is nobody's, and damage to it is harmless.
        assert!(lost == 0 || !node.reports.is_empty(), "octet {at}: silent");
        for report in &node.reports {
            if lost == 1 {
                assert!(report.set_aside.is_some(), "octet {at}: {report:?}");
            }
        }
    }
}

#[test]
fn damage_is_told_from_a_torn_end_and_reported_once() {
    let (disk, sent) = filled(5);
    let path = segments(&disk).pop().unwrap();
    let mut damaged = read_file(&disk, &path);
    // In the middle of the first frame's payload.
    damaged[8192 + 120] ^= 4;
    write_file(&disk, &path, &damaged);
    let mut node = Node::open(disk.clone(), 2, options()).unwrap();
    let reports = &node.reports;
    assert_eq!(
        reports.iter().map(|r| &r.what).collect::<Vec<_>>(),
        [&What::Damaged]
    );
    let kept = reports[0].set_aside.clone().unwrap();
    assert_eq!(read_file(&disk, &kept).len() as u64, reports[0].octets);
    assert_eq!(node.contents().len(), sent.len() - 1);
    let node = node.kill(3, options());
    assert_eq!(node.reports, []);
}

/// Where the folder for damage can't be written there is no copy by which the next start knows what was
/// reported. It has a successor of that segment by then, whose header says what was torn.
#[test]
fn what_was_torn_is_not_called_damage_later() {
    let mut node = Node::new(options());
    let spool = node.spool.clone();
    let ids = node.run(async {
        let commit = |message: usize| {
            let spool = spool.clone();
            async move {
                let mut staged = spool.stage(crate::node::START).await.unwrap();
                staged.append(octets(message, 60)).await.unwrap();
                let leased = staged.commit_durably(envelope("a.example"), far()).await;
                leased.unwrap().lease.id
            }
        };
        futures_util::future::join_all([1, 2, 3].map(commit)).await
    });
    let disk = node.disk.clone();
    drop((node, spool));
    let path = segments(&disk).pop().unwrap();
    let mut torn = read_file(&disk, &path);
    // In the first frame's payload; the others of the batch are whole.
    torn[8192 + 120] ^= 4;
    write_file(&disk, &path, &torn);
    disk.inject(Fault {
        on: Some(Call::Create),
        nth: 1,
        times: 1,
        wrong: Wrong::NoSpace,
    });
    let mut node = Node::open(disk.clone(), 2, options()).unwrap();
    for (seed, set_aside) in [(3, false), (4, true)] {
        let reports = &node.reports;
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert_eq!(reports[0].what, What::Torn);
        assert_eq!(reports[0].set_aside.is_some(), set_aside);
        assert!(ids[1..].iter().eq(node.contents().keys()));
        node = node.kill(seed, options());
    }
    assert_eq!(node.reports, []);
    // What a start made of it is the log's from then on: there, damage is damage.
    torn[8192 + 120] ^= 4;
    let last = torn.iter().rposition(|octet| *octet != 0).unwrap();
    torn[last - 20] ^= 4;
    write_file(&disk, &path, &torn);
    let node = node.kill(5, options());
    let whats: Vec<_> = node.reports.iter().map(|report| &report.what).collect();
    assert_eq!(whats, [&What::Damaged]);
}

#[test]
fn a_planted_cut_of_damage_as_torn_is_found() {
    let (disk, sent) = filled(5);
    let path = segments(&disk).pop().unwrap();
    let mut damaged = read_file(&disk, &path);
    damaged[8192 + 120] ^= 4;
    write_file(&disk, &path, &damaged);
    let planted = Options {
        planted: Some(Planted::CutDamageAsTorn),
        ..options()
    };
    let mut node = Node::open(disk, 2, planted).unwrap();
    assert!(
        node.contents().len() < sent.len() - 1,
        "the planted fault does nothing"
    );
}

#[test]
fn an_end_torn_anywhere_costs_only_the_last_batch() {
    // Two settled batches, then one of three messages that is cut at every octet.
    let mut node = Node::new(options());
    let first = node.accept(&octets(1, 40)).unwrap().lease.id;
    let second = node.accept(&octets(2, 40)).unwrap().lease.id;
    let path = segments(&node.disk).pop().unwrap();
    let before = read_file(&node.disk, &path);
    let start = before.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    let spool = node.spool.clone();
    let ids = node.run(async {
        let commit = |message: usize| {
            let spool = spool.clone();
            async move {
                let mut staged = spool.stage(crate::node::START).await.unwrap();
                staged.append(octets(message, 60)).await.unwrap();
                staged
                    .commit_durably(envelope("a.example"), far())
                    .await
                    .unwrap()
                    .lease
                    .id
            }
        };
        futures_util::future::join_all([3, 4, 5].map(commit)).await
    });
    let whole = read_file(&node.disk, &path);
    let end = whole.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    let disk = node.disk.clone();
    drop((node, spool));
    for cut in start..end {
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        leave_only(&disk, &path, &torn);
        let mut node = Node::open(disk.clone(), 2, options()).unwrap();
        let contents = node.contents();
        assert!(
            contents.contains_key(&first) && contents.contains_key(&second),
            "cut at {cut}"
        );
        assert!(
            !contents.contains_key(&ids[2]) || cut + 16 > end,
            "cut at {cut}"
        );
        assert!(
            node.reports.iter().all(|r| r.what == What::Torn),
            "cut at {cut}: {:?}",
            node.reports
        );
        // Within a frame there is something to report; between frames nothing is left of it.
        if torn[cut - 1] != 0 && !contents.contains_key(&ids[0]) && cut > start + 48 {
            assert_eq!(node.reports.len(), 1, "cut at {cut}");
        }
    }
}

#[test]
fn frames_in_a_body_are_no_frames() {
    // The hostile body is a true copy of the segment's own frames, epoch and all (as if a sender
    // had read the disk), and of frames of an earlier use of the file.
    let (disk, _) = filled(3);
    let path = segments(&disk).pop().unwrap();
    let frames = read_file(&disk, &path)[8192..12000].to_vec();
    let mut node = Node::open(
        disk.clone(),
        2,
        Options {
            body_file_threshold: 8000,
            ..options()
        },
    )
    .unwrap();
    let before = node.contents().len();
    for shift in 0..16 {
        let mut hostile = vec![b'x'; shift];
        hostile.extend_from_slice(&frames);
        node.accept(&Bytes::from(hostile)).unwrap();
    }
    // Even where the frames around the hostile bodies are damaged, so that a scan looks into them.
    let disk = node.disk.clone();
    drop(node);
    let paths = segments(&disk);
    for path in &paths[1..] {
        let mut damaged = read_file(&disk, path);
        let mut at = 8192;
        while at + 48 < damaged.len() {
            let len = u32::from_le_bytes(damaged[at + 4..at + 8].try_into().unwrap()) as usize;
            if len == 0 {
                break;
            }
            damaged[at] ^= 1;
            at += (48 + len).next_multiple_of(16);
        }
        write_file(&disk, path, &damaged);
    }
    let mut node = Node::open(disk, 3, options()).unwrap();
    assert_eq!(node.contents().len(), before, "a frame in a body counted");
    assert!(!node.reports.is_empty());
}

#[test]
fn two_spools_on_one_folder() {
    let node = Node::new(options());
    let second = Node::open(node.disk.clone(), 2, options());
    assert!(matches!(second, Err(OpenError::Locked(_))));
    let disk = node.disk.clone();
    drop(node);
    assert!(Node::open(disk, 3, options()).is_ok());
}

#[test]
fn a_checkpoint_that_is_bad_stale_or_missing_costs_nothing() {
    let checkpoint = Path::new("/spool/checkpoint");
    let mut node = Node::new(options());
    let first = node.accept(&octets(1, 100)).unwrap();
    node.committer.take_checkpoint();
    node.step();
    let early = read_file(&node.disk, checkpoint);
    let second = node.accept(&octets(2, 100)).unwrap();
    assert!(node.deliver(&first).unwrap().finished);
    node.committer.take_checkpoint();
    node.step();
    let disk = node.disk.clone();
    drop(node);
    let good = read_file(&disk, checkpoint);
    let mut variants = vec![Some(good.clone()), Some(early), None, Some(Vec::new())];
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        variants.push(Some(bad));
    }
    for (which, variant) in variants.into_iter().enumerate() {
        match &variant {
            Some(octets) => write_file(&disk, checkpoint, octets),
            None => disk.remove(checkpoint).unwrap(),
        }
        let mut node = Node::open(disk.clone(), 10 + which as u64, options()).unwrap();
        let ids: Vec<_> = node.contents().into_keys().collect();
        assert_eq!(ids, [second.lease.id], "variant {which}");
        let reported = node.reports.iter().any(|r| r.what == What::Checkpoint);
        assert_eq!(reported, which >= 3, "variant {which}: {:?}", node.reports);
    }
}

#[test]
fn a_body_file_that_rots_is_reported_and_not_delivered() {
    let mut node = Node::new(options());
    let leased = node.accept(&octets(1, 200_000)).unwrap();
    let id = leased.lease.id;
    assert_eq!(node.body(id).unwrap(), octets(1, 200_000));
    let path = Path::new("/spool/bodies").join(id.to_string());
    node.disk.flip_bit(&path, 8 * 150_000).unwrap();
    assert!(matches!(node.body(id), Err(Trouble::Damaged(_))));
    assert_eq!(node.spool.take_reports()[0].what, What::Body(id));
    node.disk.remove(&path).unwrap();
    let mut node = node.kill(2, options());
    assert_eq!(node.reports[0].what, What::Body(id));
    assert!(node.contents().is_empty());
}

#[test]
fn a_sealed_end_that_reads_as_zeros_is_damage() {
    let (disk, sent) = filled(4);
    // A second start seals the first segment at its end.
    drop(Node::open(disk.clone(), 2, options()).unwrap());
    let path = segments(&disk).remove(0);
    let mut damaged = read_file(&disk, &path);
    let used = damaged.iter().rposition(|octet| *octet != 0).unwrap();
    damaged[used - 150..=used].fill(0);
    let start = damaged.iter().rposition(|octet| *octet != 0).unwrap();
    damaged[start - 500..].fill(0);
    write_file(&disk, &path, &damaged);
    let mut node = Node::open(disk, 3, options()).unwrap();
    assert!(node.contents().len() < sent.len());
    assert!(
        node.reports.iter().any(|r| r.what == What::Damaged),
        "{:?}",
        node.reports
    );
}

#[test]
fn the_body_file_of_a_damaged_record_is_set_aside() {
    let mut node = Node::new(options());
    let id = node.accept(&octets(1, 9000)).unwrap().lease.id;
    node.accept(&octets(2, 10)).unwrap();
    let disk = node.disk.clone();
    drop(node);
    disk.flip_bit(&segments(&disk)[0], 8 * (8192 + 60)).unwrap();
    let node = Node::open(disk.clone(), 2, options()).unwrap();
    assert!(node.reports.iter().any(|r| r.what == What::Damaged));
    let kept = Path::new("/spool/damage").join(id.to_string());
    assert_eq!(read_file(&disk, &kept), octets(1, 9000));
}
