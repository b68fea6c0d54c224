//! What an operator does.

use postroad_queue::NoticeState;

use super::{
    Fixture, all_due, at, claim_ids, claim_one, deferred, entries, envelope, failed, notice,
    octets, put, put_due, route,
};
use crate::{Amendment, Claim, QueueStore, Trouble};

/// What is held is not claimed.
pub async fn hold_and_release<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(0), &["a.example"]).await;
    store.amend(id, Amendment::Hold, at(10)).await.unwrap();
    assert!(entries(store).await[0].state.held);
    assert!(claim_ids(store, all_due(at(9_000))).await.is_empty());
    store.amend(id, Amendment::Release, at(20)).await.unwrap();
    assert!(!entries(store).await[0].state.held);
    assert_eq!(claim_ids(store, all_due(at(20))).await, [id]);
}

/// Also what would wait for hours.
pub async fn retry_now<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(5_000_000), &["a.example"]).await;
    store.amend(id, Amendment::RetryNow, at(10)).await.unwrap();
    assert!(claim_ids(store, all_due(at(9))).await.is_empty());
    assert_eq!(claim_ids(store, all_due(at(10))).await, [id]);
}

/// Without a trace; said again, there is no such message.
pub async fn delete<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(0), &["a.example", "b.example"]).await;
    let other = put_due(store, at(0), &["a.example"]).await;
    store.amend(id, Amendment::Delete, at(10)).await.unwrap();
    let again = store.amend(id, Amendment::Delete, at(10)).await;
    assert_eq!(again, Err(Trouble::Unknown(id)));
    assert_eq!(store.body(id, 0, 10).await, Err(Trouble::Unknown(id)));
    assert_eq!(claim_ids(store, all_due(at(10))).await, [other]);
}

/// From then on it counts as the other route's.
pub async fn redirect<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(0), &["a.example"]).await;
    let to = Amendment::Redirect(route("relay.example"));
    store.amend(id, to, at(10)).await.unwrap();
    assert_eq!(
        entries(store).await[0].state.redirect,
        Some(route("relay.example"))
    );
    let skip = |domain| Claim {
        skip: vec![route(domain)],
        ..all_due(at(20))
    };
    assert!(claim_ids(store, skip("relay.example")).await.is_empty());
    let leased = store.claim(skip("a.example")).await.unwrap();
    assert_eq!(leased[0].lease.id, id);
    assert_eq!(leased[0].redirect, Some(route("relay.example")));
}

/// By the empty route: it is its recipients' own again.
pub async fn a_redirection_is_taken_away<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(0), &["a.example"]).await;
    for to in ["smtp://relay.example:25", ""] {
        let to = Amendment::Redirect(route(to));
        store.amend(id, to, at(10)).await.unwrap();
    }
    let leased = claim_one(store, at(10)).await;
    assert_eq!(leased.redirect, None);
}

/// The outcome comes first, then what the operator said.
pub async fn of_a_leased_message_it_waits_for_the_settle<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let id = leased.lease.id;
    store.amend(id, Amendment::Hold, at(10)).await.unwrap();
    store.amend(id, Amendment::RetryNow, at(20)).await.unwrap();
    assert!(!entries(store).await[0].state.held);
    let outcome = [deferred(0, 1, at(700))];
    store
        .settle(&leased.lease, &outcome, None, at(30))
        .await
        .unwrap();
    assert!(entries(store).await[0].state.held);
    store.release(leased.lease).await.unwrap();
    store.amend(id, Amendment::Release, at(40)).await.unwrap();
    assert_eq!(
        claim_ids(store, all_due(at(50))).await,
        [id],
        "retried now, not at 700"
    );
}

/// A delivery that didn't come to an outcome.
pub async fn of_a_leased_message_it_waits_for_the_release<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let id = leased.lease.id;
    store.amend(id, Amendment::Delete, at(10)).await.unwrap();
    assert_eq!(entries(store).await.len(), 1);
    assert!(store.body(id, 0, 10).await.is_ok(), "it may be on its way");
    store.release(leased.lease).await.unwrap();
    assert!(entries(store).await.is_empty());
    assert_eq!(store.body(id, 0, 10).await, Err(Trouble::Unknown(id)));
}

/// A delivery that was never heard of again.
pub async fn of_a_leased_message_it_waits_for_the_leases_end<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let held = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let deleted = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    store
        .amend(held.lease.id, Amendment::Hold, at(10))
        .await
        .unwrap();
    store
        .amend(deleted.lease.id, Amendment::Delete, at(10))
        .await
        .unwrap();
    assert!(claim_ids(store, all_due(at(1_000))).await.is_empty());
    let left = entries(store).await;
    assert_eq!(left.len(), 1);
    assert!(left[0].id == held.lease.id && left[0].state.held);
}

/// Nothing is sent about what was deleted.
pub async fn an_operator_who_deletes_wants_no_notice<F: Fixture>(fixture: F) {
    let store = fixture.store();
    put_due(store, at(0), &["a.example", "b.example"]).await;
    let leased = claim_one(store, at(0)).await;
    let id = leased.lease.id;
    let outcome = [failed(0, NoticeState::Owed)];
    store
        .settle(&leased.lease, &outcome, None, at(10))
        .await
        .unwrap();
    store.amend(id, Amendment::Delete, at(20)).await.unwrap();
    let settled = store
        .settle(&leased.lease, &[], Some(notice(at(30))), at(30))
        .await;
    let settled = settled.unwrap();
    assert!(settled.finished);
    assert_eq!(settled.notice, None);
    assert!(entries(store).await.is_empty());
}
