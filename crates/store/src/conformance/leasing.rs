//! Whose a message is.

use super::{
    Fixture, all_due, at, claim_ids, claim_one, deferred, delivered, entries, envelope, lives,
    octets, put, put_due,
};
use crate::{Lease, QueueStore, Trouble};

/// When its recipients say so.
pub async fn a_release_makes_it_due_again<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let id = leased.lease.id;
    let outcome = [deferred(0, 1, at(300))];
    store
        .settle(&leased.lease, &outcome, None, at(10))
        .await
        .unwrap();
    assert!(
        claim_ids(store, all_due(at(400))).await.is_empty(),
        "still leased"
    );
    store.release(leased.lease).await.unwrap();
    assert!(claim_ids(store, all_due(at(299))).await.is_empty());
    assert_eq!(claim_ids(store, all_due(at(300))).await, [id]);
}

/// Then another gets it, with a token of its own, and the first has lost it.
pub async fn a_lease_runs_out<F: Fixture>(fixture: F) {
    let store = fixture.store();
    put_due(store, at(0), &["a.example"]).await;
    let first = claim_one(store, at(0)).await.lease;
    assert!(claim_ids(store, all_due(at(999))).await.is_empty());
    let second = claim_one(store, at(1_000)).await.lease;
    assert_eq!(first.id, second.id);
    assert_ne!(first.token, second.token);
    let late = store.settle(&first, &[delivered(0)], None, at(1_001)).await;
    assert_eq!(late, Err(Trouble::LeaseLost));
    store
        .settle(&second, &[delivered(0)], None, at(1_002))
        .await
        .unwrap();
    assert!(entries(store).await.is_empty());
}

/// Neither its settle nor its release nor its renewal touches the other's lease.
pub async fn a_lost_lease_changes_nothing<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(0), &["a.example"]).await;
    let mut first = claim_one(store, at(0)).await.lease;
    let second = claim_one(store, at(1_000)).await;
    let outcome = [deferred(0, 1, at(1_100))];
    let late = store.settle(&first, &outcome, None, at(1_001)).await;
    assert_eq!(late, Err(Trouble::LeaseLost));
    assert_eq!(
        store.renew(&mut first, at(9_000)).await,
        Err(Trouble::LeaseLost)
    );
    assert_eq!(store.release(first).await, Ok(()));
    assert_eq!(lives(store, id).await, second.lives);
    assert!(claim_ids(store, all_due(at(1_999))).await.is_empty());
    assert_eq!(claim_ids(store, all_due(at(2_000))).await, [id]);
}

/// So that a delivery that took too long isn't made twice for nothing.
pub async fn a_lease_that_ran_out_still_settles_if_nobody_took_it<F: Fixture>(fixture: F) {
    let store = fixture.store();
    put_due(store, at(0), &["a.example"]).await;
    let lease = claim_one(store, at(0)).await.lease;
    // A claim that takes nothing is not a claim of this one.
    let none = crate::Claim {
        most: 0,
        ..all_due(at(5_000))
    };
    assert!(claim_ids(store, none).await.is_empty());
    let settled = store.settle(&lease, &[delivered(0)], None, at(5_000)).await;
    assert!(settled.unwrap().finished);
    assert!(entries(store).await.is_empty());
}

/// Also one that has run out, if nobody has taken the message.
pub async fn a_renewed_lease_lasts_longer<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(0), &["a.example"]).await;
    let mut lease = claim_one(store, at(0)).await.lease;
    store.renew(&mut lease, at(5_000)).await.unwrap();
    assert_eq!(lease.until, at(5_000));
    assert!(claim_ids(store, all_due(at(4_999))).await.is_empty());
    let none = crate::Claim {
        most: 0,
        ..all_due(at(6_000))
    };
    assert!(claim_ids(store, none).await.is_empty());
    store.renew(&mut lease, at(8_000)).await.unwrap();
    assert!(claim_ids(store, all_due(at(7_999))).await.is_empty());
    assert_eq!(claim_ids(store, all_due(at(8_000))).await, [id]);
}

/// It can't be renewed; to settle or release it is to say what was said.
pub async fn what_is_gone_has_no_lease<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let mut lease: Lease = leased.lease;
    store
        .settle(&lease, &[delivered(0)], None, at(10))
        .await
        .unwrap();
    assert_eq!(
        store.renew(&mut lease, at(9_000)).await,
        Err(Trouble::LeaseLost)
    );
    assert!(
        store
            .settle(&lease, &[], None, at(20))
            .await
            .unwrap()
            .finished
    );
    assert_eq!(store.release(lease).await, Ok(()));
}
