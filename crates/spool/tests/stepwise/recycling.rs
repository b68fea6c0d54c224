//! Segments come and go; what lives stays, and what is dead stays dead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use postroad_queue::{NoticeState, Outcome};
use postroad_spool::{Options, Planted};
use postroad_store::{QueueStore, Staged};

use crate::node::{Node, START, envelope, far, octets, options, read_file, segments};

/// One message stays while many come and go: it is copied forward, and segments are used again.
fn churn(node: &mut Node, rounds: usize) {
    for message in 0..rounds {
        let leased = node.accept(&octets(message, 2500)).unwrap();
        assert!(node.deliver(&leased).unwrap().finished);
    }
}

#[test]
fn segments_are_used_again_and_what_lives_is_copied_forward() {
    let mut node = Node::new(options());
    let stays = octets(77, 3000);
    let large = octets(78, 30_000);
    let first = node.accept(&stays).unwrap();
    let second = node.accept(&large).unwrap();
    let deferred = Outcome::Deferred {
        attempt: 1,
        due: START + Duration::from_secs(5),
        report: "later".into(),
        notice: NoticeState::Unwanted,
    };
    node.settle(&first, deferred).unwrap();
    churn(&mut node, 400);
    let log = segments(&node.disk);
    assert!(log.len() < 12, "{} segments for two messages", log.len());
    for restart in 2..4 {
        node = node.kill(restart, options());
        assert_eq!(node.reports, []);
        let contents = node.contents();
        assert_eq!(contents.len(), 2);
        assert_eq!(contents[&first.lease.id], stays);
        assert_eq!(contents[&second.lease.id], large);
        churn(&mut node, 50);
    }
}

#[test]
fn an_empty_queue_leaves_one_segment() {
    let mut node = Node::new(options());
    churn(&mut node, 200);
    node.step();
    assert_eq!(segments(&node.disk).len(), 1);
    let mut node = node.kill(2, options());
    assert!(node.contents().is_empty());
}

#[test]
fn a_reader_keeps_its_segment() {
    let mut node = Node::new(options());
    let leased = node.accept(&octets(1, 3000)).unwrap();
    for message in 0..300 {
        assert_eq!(
            node.body(leased.lease.id).unwrap(),
            octets(1, 3000),
            "{message}"
        );
        churn(&mut node, 1);
    }
}

#[test]
fn many_restarts_take_no_room() {
    let mut node = Node::new(options());
    let leased = node.accept(&octets(1, 100)).unwrap();
    for restart in 2..60 {
        node = node.kill(restart, options());
        if restart % 3 == 0 {
            churn(&mut node, 1);
        }
        for _ in 0..4 {
            node.step();
        }
    }
    assert!(
        segments(&node.disk).len() < 12,
        "{:?}",
        segments(&node.disk)
    );
    assert_eq!(node.contents()[&leased.lease.id], octets(1, 100));
}

/// How many uses of segments had the epoch of another use.
fn repeated_epochs(planted: Option<Planted>) -> usize {
    let mut node = Node::new(Options {
        planted,
        ..options()
    });
    let mut seen: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for _ in 0..100 {
        churn(&mut node, 2);
        for path in segments(&node.disk) {
            let header = read_file(&node.disk, &path);
            seen.insert(path, header[24..32].to_vec());
        }
    }
    assert!(seen.len() > 10);
    let epochs: BTreeSet<&Vec<u8>> = seen.values().collect();
    seen.len() - epochs.len()
}

/// tools/sim shows what becomes of it: what an earlier use left comes back.
#[test]
fn a_planted_reuse_without_a_new_epoch_is_found() {
    assert_eq!(repeated_epochs(None), 0);
    assert!(repeated_epochs(Some(Planted::ReuseWithoutNewEpoch)) > 0);
}

#[test]
fn mail_that_comes_faster_than_segments_are_made_ahead_is_taken_all_the_same() {
    let mut node = Node::new(options());
    // Some twenty segments, and the clock stands still meanwhile.
    for message in 0..200 {
        let spool = node.spool.clone();
        let mut accepted = pin!(async move {
            let mut staged = spool.stage(START).await?;
            staged.append(octets(message, 3000)).await?;
            staged.commit_durably(envelope("a.example"), far()).await
        });
        let mut context = Context::from_waker(Waker::noop());
        assert!(accepted.as_mut().poll(&mut context).is_pending());
        // The housekeeper, who makes them ahead, doesn't come to it.
        node.committer.step();
        let Poll::Ready(accepted) = accepted.as_mut().poll(&mut context) else {
            panic!("message {message} is not answered");
        };
        assert!(accepted.is_ok(), "message {message}: {accepted:?}");
    }
}
