//! What is left after a restart.

use postroad_queue::{Life, NoticeState};

use super::{
    Fixture, SOME_HISTORY, all_due, at, claim_ids, claim_one, deferred, delivered, entries,
    envelope, failed, lives, notice, octets, put, put_due, read_body, route, some_history, told,
};
use crate::{Amendment, QueueStore, Staged};

/// Envelope and octets, whatever the size.
pub async fn what_was_acknowledged_is_there<F: Fixture>(fixture: F) {
    let sizes = [0, 1, 5_000, 100_000, 1_100_000];
    let envelope = envelope(at(0), &["A.example", "b.example"]);
    let mut ids = Vec::new();
    for size in sizes {
        let leased = put(fixture.store(), octets(size), envelope.clone()).await;
        ids.push(leased.lease.id);
    }
    let fixture = fixture.reopen().await;
    let store = fixture.store();
    let left: Vec<_> = entries(store).await.iter().map(|entry| entry.id).collect();
    assert_eq!(left, ids);
    for (id, size) in ids.into_iter().zip(sizes) {
        assert!(
            read_body(store, id).await.unwrap() == octets(size),
            "{size}"
        );
    }
    for leased in store.claim(all_due(at(0))).await.unwrap() {
        assert_eq!(leased.envelope, envelope);
    }
}

/// Neither in parts.
pub async fn what_was_not_committed_is_not_there<F: Fixture>(fixture: F) {
    let id = put_due(fixture.store(), at(0), &["a.example"]).await;
    let mut staged = fixture.store().stage(at(0)).await.unwrap();
    staged.append(octets(2_000_000)).await.unwrap();
    drop(staged);
    let fixture = fixture.reopen().await;
    let left: Vec<_> = entries(fixture.store())
        .await
        .iter()
        .map(|e| e.id)
        .collect();
    assert_eq!(left, [id]);
}

/// So that mail whose carrier died is carried by another.
pub async fn leases_are_gone<F: Fixture>(fixture: F) {
    let fresh = put(fixture.store(), octets(10), envelope(at(0), &["a.example"])).await;
    let fixture = fixture.reopen().await;
    assert_eq!(entries(fixture.store()).await[0].leased, None);
    assert_eq!(
        claim_ids(fixture.store(), all_due(at(1))).await,
        [fresh.lease.id]
    );
    let fixture = fixture.reopen().await;
    assert_eq!(
        claim_ids(fixture.store(), all_due(at(2))).await,
        [fresh.lease.id]
    );
}

/// And what was deferred is due when it was said.
pub async fn what_was_settled_stays_settled<F: Fixture>(fixture: F) {
    let three = envelope(at(0), &["a.example", "b.example", "c.example"]);
    let leased = put(fixture.store(), octets(10), three).await;
    let id = leased.lease.id;
    let outcomes = [delivered(0), deferred(1, 1, at(600))];
    let store = fixture.store();
    store
        .settle(&leased.lease, &outcomes, None, at(10))
        .await
        .unwrap();
    let more = [deferred(1, 2, at(900)), deferred(2, 1, at(800))];
    store
        .settle(&leased.lease, &more, None, at(20))
        .await
        .unwrap();
    let before = lives(store, id).await;
    assert!(matches!(before[0], Life::Delivered { .. }));
    let fixture = fixture.reopen().await;
    let store = fixture.store();
    assert_eq!(lives(store, id).await, before);
    assert!(claim_ids(store, all_due(at(799))).await.is_empty());
    assert_eq!(claim_one(store, at(800)).await.lives, before);
}

/// Delivered, deleted, or discarded: it doesn't come back.
pub async fn what_was_finished_stays_away<F: Fixture>(fixture: F) {
    let store = fixture.store();
    for size in [10, 2_000_000] {
        let leased = put(store, octets(size), envelope(at(0), &["a.example"])).await;
        store
            .settle(&leased.lease, &[delivered(0)], None, at(10))
            .await
            .unwrap();
    }
    let id = put_due(store, at(0), &["a.example"]).await;
    store.amend(id, Amendment::Delete, at(10)).await.unwrap();
    let fixture = fixture.reopen().await;
    assert!(entries(fixture.store()).await.is_empty());
}

/// An operator's word counts after a restart as well.
pub async fn amendments_are_kept<F: Fixture>(fixture: F) {
    let id = put_due(fixture.store(), at(0), &["a.example"]).await;
    let to = Amendment::Redirect(route("relay.example"));
    fixture.store().amend(id, to, at(10)).await.unwrap();
    fixture
        .store()
        .amend(id, Amendment::Hold, at(10))
        .await
        .unwrap();
    let fixture = fixture.reopen().await;
    let entry = entries(fixture.store()).await.remove(0);
    assert!(entry.state.held);
    assert_eq!(entry.state.redirect, Some(route("relay.example")));
}

/// For there is no lease any more that it could wait for.
pub async fn a_waiting_amendment_takes_effect<F: Fixture>(fixture: F) {
    let held = put(fixture.store(), octets(10), envelope(at(0), &["a.example"])).await;
    let deleted = put(fixture.store(), octets(10), envelope(at(0), &["a.example"])).await;
    let store = fixture.store();
    store
        .amend(held.lease.id, Amendment::Hold, at(10))
        .await
        .unwrap();
    store
        .amend(deleted.lease.id, Amendment::Delete, at(10))
        .await
        .unwrap();
    let fixture = fixture.reopen().await;
    let left = entries(fixture.store()).await;
    assert_eq!(left.len(), 1);
    assert!(left[0].id == held.lease.id && left[0].state.held);
}

/// Neither lost nor doubled.
pub async fn a_notice_is_kept_and_not_owed_again<F: Fixture>(fixture: F) {
    let two = envelope(at(0), &["a.example", "b.example"]);
    let leased = put(fixture.store(), octets(10), two).await;
    let id = leased.lease.id;
    let outcomes = [failed(0, NoticeState::Owed), deferred(1, 1, at(900))];
    let lease = &leased.lease;
    let settled = fixture
        .store()
        .settle(lease, &outcomes, Some(notice(at(10))), at(10))
        .await
        .unwrap();
    let fixture = fixture.reopen().await;
    let store = fixture.store();
    let life = lives(store, id).await.remove(0);
    assert!(
        matches!(
            life,
            Life::Failed {
                notice: NoticeState::Sent,
                ..
            }
        ),
        "{life:?}"
    );
    let its_own = claim_one(store, at(10)).await;
    assert_eq!(Some(its_own.lease.id), settled.notice);
    assert_eq!(its_own.envelope, notice(at(10)).envelope);
    let body = read_body(store, its_own.lease.id).await;
    assert_eq!(body, Ok(notice(at(10)).octets));
}

/// Events that came before the restart are told after it.
pub async fn the_history_is_kept<F: Fixture>(fixture: F) {
    let id = some_history(fixture.store()).await;
    let fixture = fixture.reopen().await;
    assert_eq!(told(fixture.store(), id).await, SOME_HISTORY);
}

/// Whoever claims the message after the restart has to make it.
pub async fn a_notice_owed_is_still_owed<F: Fixture>(fixture: F) {
    let leased = put(fixture.store(), octets(10), envelope(at(0), &["a.example"])).await;
    let outcome = [failed(0, NoticeState::Owed)];
    fixture
        .store()
        .settle(&leased.lease, &outcome, None, at(10))
        .await
        .unwrap();
    let fixture = fixture.reopen().await;
    let store = fixture.store();
    let leased = claim_one(store, at(10)).await;
    let settled = store
        .settle(&leased.lease, &[], Some(notice(at(20))), at(20))
        .await;
    assert!(settled.unwrap().notice.is_some());
}

/// Even if the clock was set back while it was down.
pub async fn ids_go_on_increasing<F: Fixture>(fixture: F) {
    let before = put_due(fixture.store(), at(5_000), &["a.example"]).await;
    let fixture = fixture.reopen().await;
    let after = put_due(fixture.store(), at(0), &["a.example"]).await;
    assert!(after > before, "{before} {after}");
}
