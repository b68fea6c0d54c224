//! `GET /v1/queue`: filters and pages.

use std::collections::BTreeSet;

use postroad_control::Filter;
use postroad_control::api::{Place, State};
use postroad_queue::{Amendment, NoticeState, Outcome};
use postroad_store::QueueStore;

use crate::stand::{NOW, Stand, ago, said, with_server};

/// One message of each kind that a filter can tell apart; its id stands at the name's place.
async fn various(stand: &Stand) -> [String; 6] {
    let fresh = ("anna@example.com", ["bob@example.net"]);
    let queued = stand.queue(fresh.0, &fresh.1, ago(10)).await;
    let two = ["carl@example.org", "dora@example.net"];
    let full = "452 4.2.2 Mailbox full";
    let deferred = stand.defer("Anna@Example.COM", &two, ago(7200), full).await;
    let held = stand
        .queue("eve@sub.example.com", &["carl@example.org"], ago(3600))
        .await;
    stand.store.amend(held, Amendment::Hold, NOW).await.unwrap();
    let active = stand.put("", &["anna@example.com"], ago(5)).await.lease.id;
    let greylisted = "451 4.7.1 Greylisted";
    let to_self = ["anna@example.com"];
    let bounce = stand.defer("", &to_self, ago(90_000), greylisted).await;
    let failing = stand
        .put("frank@example.com", &["gone@example.net"], ago(600))
        .await;
    let failed = failing.lease.id;
    let outcome = |_: &_| Outcome::Failed {
        report: said("550 5.1.1 No such user"),
        notice: NoticeState::Owed,
    };
    stand.settle(failing, outcome, ago(500)).await;
    [queued, deferred, held, active, bounce, failed].map(|id| id.to_string())
}

#[test]
fn each_filter_finds_its_messages_and_no_others() {
    with_server(async |mut served| {
        let ids = various(&served.stand).await;
        let [queued, deferred, held, active, bounce, failed] = &ids;
        let none = Filter::default;
        let text = |text: &str| Some(text.to_owned());
        let cases = [
            (none(), vec![queued, deferred, held, active, bounce, failed]),
            (
                Filter {
                    sender: text("anna@example.com"),
                    ..none()
                },
                vec![queued, deferred],
            ),
            (
                Filter {
                    sender: text("@example.com"),
                    ..none()
                },
                vec![queued, deferred, failed],
            ),
            (
                Filter {
                    sender: text("*@*example.com"),
                    ..none()
                },
                vec![queued, deferred, held, failed],
            ),
            (
                Filter {
                    sender: text("<>"),
                    ..none()
                },
                vec![active, bounce],
            ),
            (
                Filter {
                    recipient: text("dora@example.net"),
                    ..none()
                },
                vec![deferred],
            ),
            (
                Filter {
                    recipient: text("carl@*"),
                    ..none()
                },
                vec![deferred, held],
            ),
            (
                Filter {
                    domain: text("EXAMPLE.net"),
                    ..none()
                },
                vec![queued, deferred, failed],
            ),
            // What is settled goes nowhere any more.
            (
                Filter {
                    site: text("smtp://mx.example.net:25"),
                    ..none()
                },
                vec![queued, deferred],
            ),
            (
                Filter {
                    state: Some(State::Queued),
                    ..none()
                },
                vec![queued],
            ),
            (
                Filter {
                    state: Some(State::Deferred),
                    ..none()
                },
                vec![deferred, bounce],
            ),
            (
                Filter {
                    state: Some(State::Held),
                    ..none()
                },
                vec![held],
            ),
            (
                Filter {
                    state: Some(State::Active),
                    ..none()
                },
                vec![active],
            ),
            (
                Filter {
                    state: Some(State::Notice),
                    ..none()
                },
                vec![failed],
            ),
            (
                Filter {
                    reason: text("mailbox FULL"),
                    ..none()
                },
                vec![deferred],
            ),
            (
                Filter {
                    reason: text("192.0.2.25"),
                    ..none()
                },
                vec![deferred, bounce, failed],
            ),
            (
                Filter {
                    older: Some(3600),
                    ..none()
                },
                vec![deferred, held, bounce],
            ),
            (
                Filter {
                    newer: Some(10),
                    ..none()
                },
                vec![queued, active],
            ),
            (
                Filter {
                    older: Some(10),
                    newer: Some(600),
                    ..none()
                },
                vec![queued, failed],
            ),
            (
                Filter {
                    sender: text("<>"),
                    state: Some(State::Deferred),
                    ..none()
                },
                vec![bounce],
            ),
            (
                Filter {
                    sender: text("a&b=c+d%20@example.com"),
                    ..none()
                },
                vec![],
            ),
        ];
        for (filter, expected) in cases {
            let found: BTreeSet<String> = served.ids(filter.clone()).await.into_iter().collect();
            let expected: BTreeSet<String> = expected.into_iter().cloned().collect();
            assert_eq!(found, expected, "{filter:?}");
        }
    });
}

#[test]
fn what_is_shown_is_what_is_stored() {
    with_server(async |mut served| {
        let reply = "452 4.2.2 Mailbox full";
        let to = ["bob@example.net"];
        let id = served
            .stand
            .defer("anna@example.com", &to, ago(60), reply)
            .await;
        let (messages, _) = served.all(&Filter::default(), None).await;
        let [message] = messages.as_slice() else {
            panic!("{messages:?}");
        };
        assert_eq!(message.id, id.to_string());
        assert_eq!((message.age, message.size, message.wait), (60, 7, Some(90)));
        assert_eq!(message.received, "2026-11-24T05:59:00Z");
        assert_eq!(message.next.as_deref(), Some("2026-11-24T06:01:30Z"));
        assert_eq!((message.state, message.held), (State::Deferred, false));
        let recipient = &message.recipients[0];
        assert_eq!(recipient.site, "smtp://mx.example.net:25");
        assert_eq!(recipient.attempts, 1);
        let last = "mx.example.net [192.0.2.25:25]: 452 4.2.2 Mailbox full";
        assert_eq!(recipient.last.as_deref(), Some(last));
        assert!(message.history.is_empty() && message.plainly.is_empty());
    });
}

/// However long the pages are, each message is on one of them, and the pages know how much they
/// looked at.
#[test]
fn pages_are_complete_in_order_and_bounded() {
    with_server(async |mut served| {
        let mut ids = Vec::new();
        for n in 0..2_350u64 {
            let sender = if n % 47 == 0 {
                "rare@example.com"
            } else {
                "often@example.com"
            };
            let id = served
                .stand
                .queue(sender, &["bob@example.net"], ago(5000 - n))
                .await;
            ids.push(id.to_string());
        }
        for (most, pages_expected) in [
            (None, 3),
            (Some(100), 24),
            (Some(999), 3),
            (Some(1_000_000), 1),
        ] {
            let (messages, pages) = served.all(&Filter::default(), most).await;
            let found: Vec<String> = messages.into_iter().map(|m| m.id).collect();
            assert_eq!(found, ids, "{most:?}");
            assert_eq!(pages.len(), pages_expected, "{most:?}");
            let examined: usize = pages.iter().map(|page| page.examined).sum();
            assert_eq!(examined, ids.len(), "{most:?}");
        }
        let rare = Filter {
            sender: Some("rare@example.com".into()),
            ..Filter::default()
        };
        let (messages, pages) = served.all(&rare, Some(10)).await;
        let expected: Vec<String> = ids.iter().step_by(47).cloned().collect();
        let found: Vec<String> = messages.into_iter().map(|m| m.id).collect();
        assert_eq!(found, expected);
        assert!(
            pages
                .iter()
                .any(|page| page.messages.is_empty() && page.next.is_some())
        );
        // A cursor whose message has gone holds its place.
        let gone: postroad_reply::QueueId = ids[99].parse().unwrap();
        served
            .stand
            .store
            .amend(gone, Amendment::Delete, NOW)
            .await
            .unwrap();
        let place = Place {
            cursor: Some(ids[99].clone()),
            most: Some(1),
        };
        let page = served
            .client
            .page(&Filter::default(), &place)
            .await
            .unwrap();
        assert_eq!(page.messages[0].id, ids[100]);
    });
}
