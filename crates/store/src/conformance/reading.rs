//! What can be seen.

use super::{Fixture, at, entries, envelope, octets, put, put_due};
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
