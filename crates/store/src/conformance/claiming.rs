//! How mail is taken for delivery.

use super::{Fixture, all_due, at, claim_ids, deferred, envelope, octets, put, put_due, route};
use crate::{Claim, QueueStore};

/// No claim gets it before its first lease ends.
pub async fn fresh_mail_is_born_leased<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    assert!(claim_ids(store, all_due(at(0))).await.is_empty());
    assert!(claim_ids(store, all_due(at(999))).await.is_empty());
    assert_eq!(
        claim_ids(store, all_due(at(1_000))).await,
        [leased.lease.id]
    );
}

/// By due time, then by id.
pub async fn the_oldest_due_comes_first<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let late = put_due(store, at(300), &["a.example"]).await;
    let early = put_due(store, at(100), &["b.example"]).await;
    let middle = put_due(store, at(200), &["c.example"]).await;
    let middle_too = put_due(store, at(200), &["a.example"]).await;
    let first = claim_ids(
        store,
        Claim {
            most: 3,
            ..all_due(at(500))
        },
    )
    .await;
    assert_eq!(first, [early, middle, middle_too]);
    assert_eq!(claim_ids(store, all_due(at(500))).await, [late]);
}

/// Not a millisecond early; and nothing is claimed where nothing is asked for.
pub async fn what_is_not_due_is_not_claimed<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(500), &["a.example"]).await;
    assert!(claim_ids(store, all_due(at(499))).await.is_empty());
    let none = Claim {
        most: 0,
        ..all_due(at(500))
    };
    assert!(claim_ids(store, none).await.is_empty());
    assert_eq!(claim_ids(store, all_due(at(500))).await, [id]);
}

/// A thousand messages to a dead site leave room for others.
pub async fn one_route_cannot_fill_a_claim<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let mut dead = Vec::new();
    for ms in 0..50 {
        dead.push(put_due(store, at(ms), &["Dead.example"]).await);
    }
    let alive = put_due(store, at(60), &["alive.example"]).await;
    let capped = || Claim {
        most: 10,
        per_route: 3,
        ..all_due(at(100))
    };
    let got = claim_ids(store, capped()).await;
    assert_eq!(got, [dead[0], dead[1], dead[2], alive]);
    // The cap is one claim's.
    assert_eq!(claim_ids(store, capped()).await, dead[3..6]);
}

/// Until they are asked for. The route of a message is that of its next work.
pub async fn skipped_routes_are_left_alone<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let slow = put_due(store, at(0), &["SLOW.example"]).await;
    let good = put_due(store, at(1), &["good.example"]).await;
    let both = put(
        store,
        octets(1),
        envelope(at(2), &["slow.example", "good.example"]),
    )
    .await;
    let both_id = both.lease.id;
    let outcome = [deferred(0, 1, at(90))];
    store
        .settle(&both.lease, &outcome, None, at(3))
        .await
        .unwrap();
    store.release(both.lease).await.unwrap();
    let skip = vec![route("slow.example"), route("other.example")];
    let got = claim_ids(
        store,
        Claim {
            skip,
            ..all_due(at(100))
        },
    )
    .await;
    assert_eq!(got, [good, both_id]);
    assert_eq!(claim_ids(store, all_due(at(100))).await, [slow]);
}

/// Two that claim get different messages.
pub async fn what_is_claimed_is_not_claimed_again<F: Fixture>(fixture: F) {
    let store = fixture.store();
    for ms in 0..40 {
        put_due(store, at(ms), &["a.example"]).await;
    }
    let few = || Claim {
        most: 5,
        ..all_due(at(100))
    };
    let claims = (0..10).map(|_| claim_ids(store, few()));
    let mut got: Vec<_> = futures_util::future::join_all(claims).await.concat();
    assert_eq!(got.len(), 40);
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 40);
}
