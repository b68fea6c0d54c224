//! `POST /v1/queue/do/{action}`: what is done to whom, and what is said of it.

use std::sync::atomic::Ordering;

use postroad_control::Filter;
use postroad_control::api::{Action, Done, Order, Place, State};
use postroad_reply::QueueId;

use crate::stand::{NOW, Served, ago, with_server};

async fn do_it(served: &mut Served, action: Action, order: Order) -> Done {
    served.client.act(action, &order).await.unwrap()
}

fn from(sender: &str) -> Filter {
    Filter {
        sender: Some(sender.into()),
        ..Filter::default()
    }
}

fn named(ids: &[QueueId]) -> Order {
    Order {
        ids: ids.iter().map(ToString::to_string).collect(),
        ..Order::default()
    }
}

/// Twelve messages, every third from carl.
async fn twelve(served: &Served) -> Vec<QueueId> {
    let mut ids = Vec::new();
    for n in 0..12 {
        let sender = if n % 3 == 0 {
            "carl@example.com"
        } else {
            "anna@example.com"
        };
        let to = ["bob@example.net"];
        ids.push(served.stand.queue(sender, &to, ago(100 - n)).await);
    }
    ids
}

#[test]
fn a_dry_run_counts_and_does_nothing() {
    with_server(async |mut served| {
        let ids = twelve(&served).await;
        for action in [Action::Hold, Action::Retry, Action::Delete] {
            let order = Order {
                filter: from("carl@*"),
                dry_run: true,
                ..Order::default()
            };
            let done = do_it(&mut served, action, order).await;
            assert_eq!((done.examined, done.matched, done.changed), (12, 4, 0));
        }
        let gone = QueueId(ids[0].0 - 1);
        let order = Order {
            dry_run: true,
            ..named(&[ids[0], gone])
        };
        let done = do_it(&mut served, Action::Delete, order).await;
        assert_eq!((done.matched, done.failed.len()), (1, 1));
        assert_eq!(done.failed[0].id, gone.to_string());
        for id in &ids {
            let message = served.show(*id).await;
            assert_eq!((message.state, message.history.len()), (State::Queued, 1));
        }
        assert!(served.stand.changed.lock().unwrap().is_empty());
    });
}

#[test]
fn what_a_filter_finds_is_held_and_released() {
    with_server(async |mut served| {
        let ids = twelve(&served).await;
        let order = Order {
            filter: from("carl@*"),
            ..Order::default()
        };
        let done = do_it(&mut served, Action::Hold, order).await;
        assert_eq!((done.examined, done.matched, done.changed), (12, 4, 4));
        assert_eq!(done.next, None);
        let held = Filter {
            state: Some(State::Held),
            ..Filter::default()
        };
        let carls: Vec<String> = ids.iter().step_by(3).map(ToString::to_string).collect();
        assert_eq!(served.ids(held.clone()).await, carls);
        let told = served.stand.changed.lock().unwrap().clone();
        assert_eq!(told, ids.iter().copied().step_by(3).collect::<Vec<_>>());
        // Of all, those that are held are let go, and no more are counted.
        let order = Order {
            all: true,
            ..Order::default()
        };
        let done = do_it(&mut served, Action::Release, order).await;
        assert_eq!((done.examined, done.matched, done.changed), (12, 4, 4));
        assert!(served.ids(held).await.is_empty());
    });
}

#[test]
fn named_messages_are_retried_redirected_and_deleted() {
    with_server(async |mut served| {
        let to = ["bob@example.net"];
        let reply = "451 4.7.1 Later";
        let id = served
            .stand
            .defer("anna@example.com", &to, ago(60), reply)
            .await;
        let other = served
            .stand
            .defer("anna@example.com", &to, ago(60), reply)
            .await;
        assert_eq!(served.show(id).await.wait, Some(90));
        assert_eq!(served.stand.retried.load(Ordering::SeqCst), 0);
        let done = do_it(&mut served, Action::Retry, named(&[id])).await;
        assert_eq!((done.matched, done.changed), (1, 1));
        assert_eq!(served.stand.retried.load(Ordering::SeqCst), 1);
        assert_eq!(served.show(id).await.wait, Some(0));
        assert_eq!(served.show(other).await.wait, Some(90));

        let order = Order {
            to: Some("smtp://relay.example".into()),
            ..named(&[id])
        };
        do_it(&mut served, Action::Redirect, order).await;
        let message = served.show(id).await;
        assert_eq!(message.redirect.as_deref(), Some("smtp://relay.example:25"));
        assert_eq!(message.recipients[0].site, "smtp://relay.example:25");
        let order = Order {
            to: Some(String::new()),
            ..named(&[id])
        };
        do_it(&mut served, Action::Redirect, order).await;
        assert_eq!(served.show(id).await.redirect, None);

        let done = do_it(&mut served, Action::Delete, named(&[id, id])).await;
        assert_eq!((done.changed, done.failed.len()), (1, 1));
        assert_eq!(served.ids(Filter::default()).await, [other.to_string()]);
    });
}

/// An order goes on page by page, whatever it does to the pages.
#[test]
fn a_large_queue_is_deleted_page_by_page() {
    with_server(async |mut served| {
        for n in 0..250 {
            served
                .stand
                .queue("a@example.com", &["b@example.net"], ago(1000 - n))
                .await;
        }
        let keep = served
            .stand
            .queue("keep@example.com", &["b@example.net"], NOW)
            .await;
        let mut order = Order {
            filter: from("a@example.com"),
            place: Place {
                cursor: None,
                most: Some(60),
            },
            ..Order::default()
        };
        let mut changed = Vec::new();
        loop {
            let done = do_it(&mut served, Action::Delete, order.clone()).await;
            changed.push(done.changed);
            order.place.cursor = done.next;
            if order.place.cursor.is_none() {
                break;
            }
        }
        assert_eq!(changed, [60, 60, 60, 60, 10]);
        assert_eq!(served.ids(Filter::default()).await, [keep.to_string()]);
    });
}
