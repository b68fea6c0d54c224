//! What can be seen.

use postroad_reply::QueueId;

use super::{
    Fixture, SOME_HISTORY, at, entries, envelope, octets, put, put_due, some_history, told,
};
use crate::{Amendment, QueueStore, Trouble};

/// Each message once, whatever the size of the page, and none after the last.
pub async fn pages_are_complete_and_in_order<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let mut ids = Vec::new();
    for ms in 0..25 {
        // Due in another order than that of ids.
        ids.push(put_due(store, at(1_000 - ms), &["a.example"]).await);
    }
    for most in [1, 4, 25, 100] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.page(cursor, most).await.unwrap();
            assert!(page.len() <= most);
            let Some(last) = page.last() else { break };
            cursor = Some(last.id);
            seen.extend(page.iter().map(|entry| entry.id));
        }
        assert_eq!(seen, ids, "{most}");
    }
    // The cursor's message may be gone by now.
    store
        .amend(ids[10], Amendment::Delete, at(2_000))
        .await
        .unwrap();
    assert_eq!(store.page(Some(ids[10]), 1).await.unwrap()[0].id, ids[11]);
    assert!(store.page(None, 0).await.unwrap().is_empty());
}

/// For those who ask why mail doesn't move.
pub async fn a_page_shows_leases_and_holds<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let entry = entries(store).await.remove(0);
    assert_eq!((entry.leased, entry.state.held), (Some(at(1_000)), false));
    store
        .amend(entry.id, Amendment::Hold, at(10))
        .await
        .unwrap();
    store.release(leased.lease).await.unwrap();
    let entry = entries(store).await.remove(0);
    assert_eq!((entry.leased, entry.state.held), (None, true));
}

/// By its name, and no other in its stead.
pub async fn one_message_is_shown<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let first = put_due(store, at(0), &["a.example"]).await;
    let id = put_due(store, at(0), &["b.example", "c.example"]).await;
    put_due(store, at(0), &["d.example"]).await;
    let entry = store.show(id).await.unwrap();
    assert_eq!((entry.id, entry.state.lives.len()), (id, 2));
    assert_eq!(store.show(first).await.unwrap().id, first);
    store.amend(id, Amendment::Delete, at(10)).await.unwrap();
    for id in [id, QueueId(0), QueueId(u64::MAX)] {
        let shown = store.show(id).await.map(|entry| entry.id);
        assert_eq!(shown, Err(Trouble::Unknown(id)));
    }
}

/// What was tried, what was said, and what an operator did.
pub async fn an_entry_tells_its_history<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = some_history(store).await;
    assert_eq!(told(store, id).await, SOME_HISTORY);
}

/// From any offset, of any size; empty at the end and after it.
pub async fn a_body_is_read_in_pieces<F: Fixture>(fixture: F) {
    let store = fixture.store();
    for size in [1_000, 3_000_000] {
        let body = octets(size);
        let id = put(store, body.clone(), envelope(at(0), &["a.example"]))
            .await
            .lease
            .id;
        for offset in [0, 1, size / 2, size - 1] {
            for most in [1, 100, 70_000] {
                // It may give less than is asked for, but not nothing.
                let piece = store.body(id, offset as u64, most).await.unwrap();
                assert!(!piece.is_empty() && piece.len() <= most);
                assert!(
                    piece == body.slice(offset..offset + piece.len()),
                    "{offset} {most}"
                );
            }
        }
        for offset in [size as u64, size as u64 + 1, u64::MAX] {
            assert!(
                store.body(id, offset, 10).await.unwrap().is_empty(),
                "{offset}"
            );
        }
        assert!(store.body(id, 0, 0).await.unwrap().is_empty());
    }
}

/// Are said to be unknown.
pub async fn unknown_messages<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let id = put_due(store, at(0), &["a.example"]).await;
    let unknown = postroad_reply::QueueId(id.0 + 1);
    assert_eq!(
        store.body(unknown, 0, 10).await,
        Err(Trouble::Unknown(unknown))
    );
    let amended = store.amend(unknown, Amendment::Hold, at(10)).await;
    assert_eq!(amended, Err(Trouble::Unknown(unknown)));
    assert!(store.page(Some(unknown), 10).await.unwrap().is_empty());
}
