//! How attempts end.

use postroad_clock::UnixMs;
use postroad_queue::{Handover, Life, Mark, NoticeState, Outcome, RecipientIx};

use super::{
    Fixture, all_due, asking, at, claim_ids, claim_one, deferred, delivered, entries, envelope,
    failed, lives, notice, octets, put, read_body,
};
use crate::{QueueStore, Settled};

/// What [`delivered`] leaves of a recipient.
fn was_delivered(at: UnixMs) -> Life {
    Life::Delivered {
        at,
        how: Handover::Delivered,
        report: "test".into(),
        notice: NoticeState::Unwanted,
    }
}

const GONE: Settled = Settled {
    finished: true,
    notice: None,
};

const QUEUED: Settled = Settled {
    finished: false,
    notice: None,
};

/// Neither of what is queued nor of what is gone.
pub async fn a_settle_said_again_changes_nothing<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let two = envelope(at(0), &["a.example", "b.example"]);
    let leased = put(store, octets(10), two).await;
    let (lease, id) = (&leased.lease, leased.lease.id);
    let outcomes = [delivered(0), deferred(1, 1, at(500))];
    assert_eq!(
        store.settle(lease, &outcomes, None, at(10)).await,
        Ok(QUEUED)
    );
    let before = lives(store, id).await;
    assert_eq!(
        store.settle(lease, &outcomes, None, at(20)).await,
        Ok(QUEUED)
    );
    assert_eq!(lives(store, id).await, before);
    let last = [delivered(1)];
    assert_eq!(store.settle(lease, &last, None, at(30)).await, Ok(GONE));
    assert_eq!(store.settle(lease, &last, None, at(40)).await, Ok(GONE));
    assert!(entries(store).await.is_empty());
}

/// A delivered recipient is not made pending or failed by what is said later.
pub async fn what_is_settled_stays_settled<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let two = envelope(at(0), &["a.example", "b.example"]);
    let leased = put(store, octets(10), two).await;
    let lease = &leased.lease;
    store
        .settle(lease, &[delivered(0)], None, at(10))
        .await
        .unwrap();
    let other = [deferred(0, 1, at(500)), failed(0, NoticeState::Owed)];
    store.settle(lease, &other, None, at(20)).await.unwrap();
    assert_eq!(lives(store, lease.id).await[0], was_delivered(at(10)));
}

/// The others stay as they are, and a place that isn't there is passed over.
pub async fn part_of_the_recipients_can_be_settled<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let three = envelope(at(0), &["a.example", "b.example", "c.example"]);
    let leased = put(store, octets(10), three).await;
    let outcomes = [delivered(1), deferred(2, 1, at(700)), delivered(3)];
    let settled = store.settle(&leased.lease, &outcomes, None, at(10)).await;
    assert_eq!(settled, Ok(QUEUED));
    let id = leased.lease.id;
    store.release(leased.lease).await.unwrap();
    let expected = [
        leased.lives[0].clone(),
        was_delivered(at(10)),
        Life::Pending {
            attempts: 1,
            due: at(700),
            last: Some("451 attempt 1".into()),
            delay: Mark::None,
        },
    ];
    assert_eq!(lives(store, id).await, expected);
    assert_eq!(claim_one(store, at(10)).await.lives, expected);
}

/// Then neither entry nor body is left.
pub async fn a_message_ends_with_its_last_recipient<F: Fixture>(fixture: F) {
    let store = fixture.store();
    for size in [10, 2_000_000] {
        let leased = put(store, octets(size), envelope(at(0), &["a.example"])).await;
        let settled = store
            .settle(&leased.lease, &[delivered(0)], None, at(10))
            .await;
        assert_eq!(settled, Ok(GONE));
        assert!(entries(store).await.is_empty());
        assert!(read_body(store, leased.lease.id).await.is_err());
        store.release(leased.lease).await.unwrap();
        assert!(claim_ids(store, all_due(at(5_000))).await.is_empty());
    }
}

/// It is work for no next hop, so that whoever claims it makes the notice.
pub async fn a_failure_stays_until_its_notice_is_committed<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let id = leased.lease.id;
    let outcome = [failed(0, NoticeState::Owed)];
    let settled = store.settle(&leased.lease, &outcome, None, at(10)).await;
    assert_eq!(settled, Ok(QUEUED));
    store.release(leased.lease).await.unwrap();
    let leased = claim_one(store, at(10)).await;
    assert_eq!(leased.lease.id, id);
    let settled = store
        .settle(&leased.lease, &[], Some(notice(at(20))), at(20))
        .await;
    let settled = settled.unwrap();
    assert!(settled.finished);
    // The notice is a message of its own, and nobody has it.
    let its_own = claim_one(store, at(20)).await;
    assert_eq!(Some(its_own.lease.id), settled.notice);
    assert!(its_own.lease.id > id);
    assert_eq!(its_own.envelope, notice(at(20)).envelope);
    let body = read_body(store, its_own.lease.id).await;
    assert_eq!(body, Ok(notice(at(20)).octets));
    assert_eq!(entries(store).await.len(), 1);
}

/// Not while the message is queued for another recipient.
pub async fn a_notice_said_again_is_not_committed_again<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let two = envelope(at(0), &["a.example", "b.example"]);
    let leased = put(store, octets(10), two).await;
    let lease = &leased.lease;
    let outcome = [failed(0, NoticeState::Owed)];
    let first = store
        .settle(lease, &outcome, Some(notice(at(10))), at(10))
        .await
        .unwrap();
    assert!(first.notice.is_some() && !first.finished);
    let again = store
        .settle(lease, &outcome, Some(notice(at(20))), at(20))
        .await;
    assert_eq!(again, Ok(QUEUED));
    assert_eq!(entries(store).await.len(), 2);
    let life = lives(store, lease.id).await.remove(0);
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
}

/// One notice for all who failed.
pub async fn a_failure_and_its_notice_in_one_settle<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let three = envelope(at(0), &["a.example", "b.example", "c.example"]);
    let leased = put(store, octets(10), three).await;
    let lease = &leased.lease;
    let first = [failed(0, NoticeState::Owed), delivered(1)];
    store.settle(lease, &first, None, at(10)).await.unwrap();
    let last = [failed(2, NoticeState::Owed)];
    let settled = store
        .settle(lease, &last, Some(notice(at(20))), at(20))
        .await
        .unwrap();
    assert!(settled.finished);
    let left: Vec<_> = entries(store).await.iter().map(|entry| entry.id).collect();
    assert_eq!(left, Vec::from_iter(settled.notice));
}

/// The message is gone at once; a notice that nobody is owed is not committed.
pub async fn an_unwanted_notice_is_not_owed<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let outcome = [failed(0, NoticeState::Unwanted)];
    let settled = store
        .settle(&leased.lease, &outcome, Some(notice(at(10))), at(10))
        .await;
    assert_eq!(settled, Ok(GONE));
    assert!(entries(store).await.is_empty());
}

/// Of a next hop that sends none, say.
pub async fn success_can_be_owed_a_notice<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let relayed = Outcome::Delivered {
        how: Handover::Relayed,
        report: "250".into(),
        notice: NoticeState::Owed,
    };
    let outcome = [(RecipientIx(0), relayed)];
    let settled = store.settle(&leased.lease, &outcome, None, at(10)).await;
    assert_eq!(settled, Ok(QUEUED));
    let settled = store
        .settle(&leased.lease, &outcome, Some(notice(at(20))), at(20))
        .await
        .unwrap();
    assert!(settled.finished && settled.notice.is_some());
}

/// Though all its recipients are delivered, the message stays until its sender knows.
pub async fn an_alias_is_told_of_from_its_acceptance<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let two = asking(&envelope(at(0), &["a.example", "b.example"]));
    let leased = put(store, octets(10), two).await;
    assert_eq!(leased.expanded, Mark::Owed(at(0)));
    let outcomes = [delivered(0), delivered(1)];
    let settled = store.settle(&leased.lease, &outcomes, None, at(10)).await;
    assert_eq!(settled, Ok(QUEUED));
    store.release(leased.lease).await.unwrap();
    let leased = claim_one(store, at(10)).await;
    assert_eq!(leased.expanded, Mark::Owed(at(0)));
    let settled = store
        .settle(&leased.lease, &[], Some(notice(at(20))), at(20))
        .await
        .unwrap();
    assert!(settled.finished && settled.notice.is_some());
}

/// It is due at once for the notice, and then when the recipient is.
pub async fn a_delay_is_told_once_and_the_recipient_tried_on<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let leased = put(store, octets(10), envelope(at(0), &["a.example"])).await;
    let late = |attempt| Outcome::Deferred {
        attempt,
        due: at(5_000),
        report: "451".into(),
        notice: NoticeState::Owed,
    };
    let outcome = [(RecipientIx(0), late(1))];
    store
        .settle(&leased.lease, &outcome, None, at(10))
        .await
        .unwrap();
    store.release(leased.lease).await.unwrap();
    let leased = claim_one(store, at(10)).await;
    let settled = store
        .settle(&leased.lease, &[], Some(notice(at(20))), at(20))
        .await
        .unwrap();
    assert!(!settled.finished && settled.notice.is_some());
    let outcome = [(RecipientIx(0), late(2))];
    let settled = store
        .settle(&leased.lease, &outcome, Some(notice(at(30))), at(30))
        .await;
    assert_eq!(settled, Ok(QUEUED), "once");
    let id = leased.lease.id;
    store.release(leased.lease).await.unwrap();
    let notice = claim_one(store, at(4_999)).await;
    store
        .settle(&notice.lease, &[delivered(0)], None, at(4_999))
        .await
        .unwrap();
    assert_eq!(claim_one(store, at(5_000)).await.lease.id, id);
}

/// Each settled by itself, in an order of their own.
pub async fn five_hundred_recipients<F: Fixture>(fixture: F) {
    let store = fixture.store();
    let domains: Vec<String> = (0..500).map(|ix| format!("d{ix}.example")).collect();
    let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
    let leased = put(store, octets(10), envelope(at(0), &domains)).await;
    assert_eq!(leased.lives.len(), 500);
    for step in 0..499 {
        // 7 and 500 have no common divisor, so each comes once; the last is left out.
        let outcome = [delivered(step * 7 % 500)];
        let settled = store.settle(&leased.lease, &outcome, None, at(10)).await;
        assert_eq!(settled, Ok(QUEUED), "{step}");
    }
    let id = leased.lease.id;
    let pending = lives(store, id)
        .await
        .iter()
        .filter(|l| l.pending_due().is_some())
        .count();
    assert_eq!(pending, 1);
    let last = [delivered(499 * 7 % 500)];
    let settled = store.settle(&leased.lease, &last, None, at(10)).await;
    assert_eq!(settled, Ok(GONE));
}
