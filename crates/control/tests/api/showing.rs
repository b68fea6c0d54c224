//! `GET /v1/queue/{id}`: one message with its history.

use postroad_control::api::{Message, State, What};
use postroad_queue::{Amendment, Handover, NoticeState, Outcome, RecipientIx, RouteKey};
use postroad_reply::QueueId;
use postroad_store::{Claim, Leased, QueueStore};
use std::time::Duration;

use crate::stand::{NOW, Stand, ago, said, with_server};

async fn claim(stand: &Stand) -> Leased {
    let claim = Claim {
        now: NOW,
        until: NOW + Duration::from_secs(60),
        most: 1,
        per_route: 1,
        skip: Vec::new(),
    };
    stand.store.claim(claim).await.unwrap().pop().unwrap()
}

fn whats(message: &Message) -> Vec<What> {
    message
        .history
        .iter()
        .map(|happened| happened.what)
        .collect()
}

#[test]
fn the_whole_way_of_a_message_is_told() {
    with_server(async |mut served| {
        let to = ["bob@example.net", "carl@example.org"];
        let leased = served.stand.put("anna@example.com", &to, ago(3600)).await;
        let id = leased.lease.id;
        let deferred = Outcome::Deferred {
            attempt: 1,
            due: NOW + Duration::from_secs(90),
            report: said("452 4.2.2 Mailbox full"),
            notice: NoticeState::Unwanted,
        };
        let delivered = Outcome::Delivered {
            how: Handover::Relayed,
            report: said("250 2.0.0 Taken"),
            notice: NoticeState::Unwanted,
        };
        let outcomes = [(RecipientIx(0), deferred), (RecipientIx(1), delivered)];
        let store = &served.stand.store;
        let settled = store
            .settle(&leased.lease, &outcomes, None, ago(3500))
            .await;
        settled.unwrap();
        store.release(leased.lease).await.unwrap();
        let message = served.show(id).await;
        assert_eq!(
            whats(&message),
            [What::Received, What::Deferred, What::Relayed]
        );
        let attempt = &message.history[1];
        assert_eq!(attempt.at, "2026-11-24T05:01:40Z");
        assert_eq!(attempt.recipients, ["bob@example.net"]);
        assert_eq!(
            attempt.peer.as_deref(),
            Some("mx.example.net [192.0.2.25:25]")
        );
        assert_eq!(attempt.said, "452 4.2.2 Mailbox full");
        assert_eq!(
            message.plainly,
            [
                "It was received by ESMTP from client.example [192.0.2.1] at 2026-11-24T05:00:00Z, \
                 1 hour ago. Its sender is anna@example.com.",
                "Of 2 recipients, 1 delivered.",
                "The mail for bob@example.net was tried once: mx.example.net [192.0.2.25:25]: \
                 452 4.2.2 Mailbox full. It is tried next in 1 minute 30 seconds, at \
                 2026-11-24T06:01:30Z (next hop: smtp://mx.example.net:25).",
                "What is not delivered in 4 days 23 hours, by 2026-11-29T05:00:00Z, is given up \
                 then, and its sender is told, if it wants to be.",
            ]
        );
    });
}

#[test]
fn what_an_operator_does_is_told_too() {
    with_server(async |mut served| {
        let to = ["bob@example.net"];
        let id = served.stand.queue("", &to, ago(60)).await;
        let amendments = [
            Amendment::Hold,
            Amendment::Redirect(RouteKey("smtp://relay.example:25".into())),
        ];
        for amendment in amendments {
            served.stand.store.amend(id, amendment, NOW).await.unwrap();
        }
        let message = served.show(id).await;
        assert_eq!(
            whats(&message),
            [What::Received, What::Held, What::Redirected]
        );
        assert_eq!(
            message.history[2].said,
            "by an operator, to smtp://relay.example:25"
        );
        assert_eq!((message.state, message.next), (State::Held, None));
        assert!(
            message.plainly[0].contains("null sender"),
            "{:?}",
            message.plainly
        );
        let last = &message.plainly[message.plainly.len() - 2..];
        assert_eq!(
            last,
            [
                "An operator sends it to smtp://relay.example:25 instead of its recipients' own \
                 next hops.",
                "An operator holds it: nothing of it is tried until it is released.",
            ]
        );
        // What is said while it is under way waits.
        served
            .stand
            .store
            .amend(id, Amendment::Release, NOW)
            .await
            .unwrap();
        let _leased = claim(&served.stand).await;
        served
            .stand
            .store
            .amend(id, Amendment::Hold, ago(5))
            .await
            .unwrap();
        let message = served.show(id).await;
        assert_eq!((message.state, message.held), (State::Active, false));
        let said = message.plainly.join("\n");
        assert!(
            said.contains("said \"hold\" 5 seconds ago; that takes effect when"),
            "{said}"
        );
    });
}

/// Of a long history the middle is left out, and that is said at its place.
#[test]
fn a_long_history_says_what_is_left_out() {
    with_server(async |mut served| {
        let id = served.stand.queue("", &["bob@example.net"], ago(60)).await;
        for _ in 0..100 {
            served
                .stand
                .store
                .amend(id, Amendment::RetryNow, NOW)
                .await
                .unwrap();
        }
        let message = served.show(id).await;
        let whats = whats(&message);
        let kept = whats.iter().filter(|what| **what == What::Retried).count();
        let place = whats
            .iter()
            .position(|what| *what == What::Omitted)
            .unwrap();
        // The received event and the first eight.
        assert_eq!(place, 9);
        assert_eq!(message.history[place].others as usize + kept, 100);
    });
}

#[test]
fn many_recipients_have_few_sentences() {
    with_server(async |mut served| {
        let alike: Vec<String> = (0..100).map(|n| format!("r{n}@example.net")).collect();
        let to: Vec<&str> = alike.iter().map(String::as_str).collect();
        let id = served.stand.queue("anna@example.com", &to, ago(60)).await;
        let message = served.show(id).await;
        assert_eq!(message.recipients.len(), 100);
        let all = "The mail for r0@example.net and 99 others was not tried yet. It is due now \
                   (next hop: smtp://mx.example.net:25).";
        assert_eq!(message.plainly[1], all);
        let unlike: Vec<String> = (0..100).map(|n| format!("r@{n}.example.net")).collect();
        let to: Vec<&str> = unlike.iter().map(String::as_str).collect();
        let id = served.stand.queue("anna@example.com", &to, ago(60)).await;
        let message = served.show(id).await;
        assert_eq!(message.plainly.len(), 13, "{:?}", message.plainly);
        assert_eq!(message.plainly[11], "90 more recipients are pending.");
    });
}

#[test]
fn providers_are_shown_and_asked() {
    with_server(async |mut served| {
        let all = served.client.collections().await.unwrap();
        assert_eq!((all.len(), all[0].messages), (1, 3));
        assert_eq!(
            all[0].last_error.as_deref(),
            Some("AUTH was refused: 535 no")
        );
        let came = served.client.collect("provider").await.unwrap();
        assert_eq!((came.ok, came.messages), (true, 2));
        let refused = served.client.collect("nobody").await.unwrap_err();
        let words = refused.to_string();
        assert!(
            words.contains("no [[collect]] of the name \"nobody\""),
            "{words}"
        );
    });
}

/// An id tells when it was given out, so there is more to say than no.
#[test]
fn a_message_that_is_not_there_is_spoken_of() {
    with_server(async |mut served| {
        let there = served.stand.queue("", &["bob@example.net"], ago(60)).await;
        let before = QueueId(there.0 - 1).to_string();
        let refused = served.client.show(&before).await.unwrap_err().to_string();
        assert!(refused.contains("either it is done"), "{refused}");
        assert!(refused.contains("2026-11-24T05:58:59Z"), "{refused}");
        let tomorrow = QueueId::from_parts(NOW.0 + 86_400_000, 0, 0).to_string();
        let refused = served.client.show(&tomorrow).await.unwrap_err().to_string();
        assert!(refused.contains("and never was"), "{refused}");
    });
}
