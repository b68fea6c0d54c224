//! A checkpoint is written in pieces, and mail goes on between them.

use std::collections::BTreeSet;
use std::time::Duration;

use postroad_queue::{NoticeState, Outcome};
use postroad_reply::QueueId;
use postroad_spool::Options;
use postroad_store::Leased;

use crate::node::{Node, START, octets, options, segments};

/// One message at a time.
fn piecemeal() -> Options {
    Options {
        checkpoint_piece: 1,
        ..options()
    }
}

fn later() -> Outcome {
    Outcome::Deferred {
        attempt: 1,
        due: START + Duration::from_secs(9),
        report: "later".into(),
        notice: NoticeState::Unwanted,
    }
}

#[test]
fn what_changes_while_a_checkpoint_is_written_is_as_it_was_last() {
    for pieces_before in 0..=8 {
        let mut node = Node::new(piecemeal());
        let gone = node.accept(&octets(9, 100)).unwrap();
        node.deliver(&gone).unwrap();
        let first: Vec<Leased> = (0..6)
            .map(|message| node.accept(&octets(message, 100)).unwrap())
            .collect();
        node.committer.take_checkpoint();
        for _ in 0..pieces_before {
            node.housekeeper.step();
        }
        // Each in what is written already, and in what is not.
        let mut there: BTreeSet<QueueId> = first.iter().map(|leased| leased.lease.id).collect();
        for at in [0, 4] {
            assert!(node.deliver(&first[at]).unwrap().finished);
            there.remove(&first[at].lease.id);
            node.settle(&first[at + 1], later()).unwrap();
        }
        let new = node.accept(&octets(7, 100)).unwrap();
        there.insert(new.lease.id);
        while node.housekeeper.step() {}

        // Read whole, the log would tell of this: it is of a message from before the checkpoint.
        let disk = node.disk.clone();
        drop(node);
        disk.flip_bit(&segments(&disk)[0], 8 * (8192 + 60)).unwrap();
        let mut node = Node::open(disk, 2, piecemeal()).unwrap();
        assert_eq!(node.reports, [], "{pieces_before} pieces");
        let found: BTreeSet<QueueId> = node.contents().into_keys().collect();
        assert_eq!(found, there, "{pieces_before} pieces");
    }
}
