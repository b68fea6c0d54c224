//! How mail comes in.

use futures_util::future::join_all;
use postroad_reply::TransactionId;

use super::{Fixture, at, claim_one, commit, entries, envelope, octets, put, read_body};
use crate::{QueueStore, Staged, Trouble};

/// Sizes around the edges at which stores change how they keep a body.
const SIZES: [usize; 15] = [
    0, 1, 511, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 262_144, 262_145, 1_048_575, 1_048_576,
    1_048_577, 5_000_003,
];

/// Each is read as it was appended.
pub async fn a_body_reads_back_whatever_its_size<F: Fixture>(fixture: F) {
    let store = fixture.store();
    for size in SIZES {
        let body = octets(size);
        let leased = put(store, body.clone(), envelope(at(0), &["a.example"])).await;
        assert!(
            read_body(store, leased.lease.id).await.unwrap() == body,
            "{size}"
        );
        assert!(leased.fresh.is_none_or(|fresh| fresh == body), "{size}");
    }
}

/// How the octets come in makes no difference.
pub async fn pieces_of_any_size_make_one_body<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let body = octets(1_500_000);
    for piece in [1_000, 4_096, 65_536, 100_003, 1_048_577] {
        let mut staged = store.stage(at(0)).await.unwrap();
        for start in (0..body.len()).step_by(piece) {
            let end = (start + piece).min(body.len());
            staged.append(body.slice(start..end)).await.unwrap();
            staged.append(octets(0)).await.unwrap();
        }
        let id = staged.queue_id();
        let envelope = envelope(at(0), &["a.example"]);
        let done = commit(staged, TransactionId(1), envelope, at(1_000)).await;
        assert_eq!(done.unwrap().0.queue_id(), id);
        assert!(read_body(store, id).await.unwrap() == body, "{piece}");
    }
}

/// The receipt is the message's, and the lease too.
pub async fn a_receipt_names_its_transaction_and_its_message<F: Fixture>(fixture: F) {
    let staged = fixture.store().stage(at(0)).await.unwrap();
    let id = staged.queue_id();
    let envelope = envelope(at(0), &["a.example"]);
    let (receipt, leased) = commit(staged, TransactionId(77), envelope, at(500))
        .await
        .unwrap();
    assert_eq!(receipt.transaction(), TransactionId(77));
    assert_eq!(receipt.queue_id(), id);
    assert_eq!((leased.lease.id, leased.lease.until), (id, at(500)));
}

/// Nothing of a message is in the queue before its commit, nor ever without one.
pub async fn what_is_dropped_is_not_kept<F: Fixture>(fixture: F) {
    let store = fixture.store();
    for size in [0, 100, 2_000_000] {
        let mut staged = store.stage(at(0)).await.unwrap();
        staged.append(octets(size)).await.unwrap();
        let id = staged.queue_id();
        assert!(entries(store).await.is_empty());
        assert_eq!(store.body(id, 0, 10).await, Err(Trouble::Unknown(id)));
        drop(staged);
        assert!(entries(store).await.is_empty());
        assert_eq!(store.body(id, 0, 10).await, Err(Trouble::Unknown(id)));
    }
}

/// Whatever time is told.
pub async fn ids_increase_even_if_the_clock_goes_back<F: Fixture>(fixture: F) {
    let mut last = None;
    for now in [at(0), at(0), at(5_000), at(10), at(10), at(6_000)] {
        let id = fixture.store().stage(now).await.unwrap().queue_id();
        assert!(last < Some(id), "{last:?} {id}");
        last = Some(id);
    }
}

/// Their octets come in turns, and they are committed together.
pub async fn messages_staged_at_once_stay_apart<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let mut staged = Vec::new();
    for _ in 0..20 {
        staged.push(store.stage(at(0)).await.unwrap());
    }
    for round in 0..3 {
        for (ix, staged) in staged.iter_mut().enumerate() {
            let piece = vec![(16 * round + ix) as u8; 30_000 * (ix % 3)];
            staged.append(piece.into()).await.unwrap();
        }
    }
    let envelope = envelope(at(0), &["a.example"]);
    let commits = staged
        .into_iter()
        .rev()
        .map(|staged| commit(staged, TransactionId(1), envelope.clone(), at(1_000)));
    let mut ids: Vec<_> = join_all(commits)
        .await
        .into_iter()
        .map(|done| done.unwrap().1.lease.id)
        .collect();
    ids.reverse();
    for (ix, id) in ids.into_iter().enumerate() {
        let body = (0..3).flat_map(|round| vec![(16 * round + ix) as u8; 30_000 * (ix % 3)]);
        let body: Vec<u8> = body.collect();
        assert!(read_body(store, id).await.unwrap() == body, "{ix}");
    }
}

/// By the commit, and by a claim that reads it from where it is kept.
pub async fn the_envelope_is_kept<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let envelope = envelope(at(0), &["A.example", "b.example"]);
    let leased = put(store, octets(10), envelope.clone()).await;
    assert_eq!(leased.envelope, envelope);
    assert_eq!(leased.lives.len(), 2);
    store.release(leased.lease).await.unwrap();
    assert_eq!(claim_one(store, at(0)).await.envelope, envelope);
    assert_eq!(entries(store).await[0].envelope, envelope);
}
