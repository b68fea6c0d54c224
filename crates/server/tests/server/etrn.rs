//! ETRN: who may call for which mail, what is due then, and what the client hears.

use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_directory::{Customer, Customers, RouteFor, Told};
use postroad_host::clock::{Clock, RealClock};
use postroad_host::tasks;
use postroad_queue::{NoticeState, Outcome, RecipientIx, Report};
use postroad_session::server::Roles;
use postroad_store::{Amendment, Claim, QueueStore, Trouble};

use crate::faulty::{Faulty, Step};
use crate::stand::{Plan, Stand, domain, run};

/// A server whose customer has `new.example`, and comes from loopback.
fn plan<S: QueueStore + Clone>(store: S, told: Told) -> Plan<S> {
    let mut plan = Plan::with_store(store);
    plan.session.roles = Roles {
        etrn: true,
        ..Roles::default()
    };
    plan.customers = Customers::new([Customer {
        name: "home".into(),
        domains: vec![RouteFor::Domain(domain("new.example"))],
        networks: vec!["127.0.0.1/32".parse().unwrap()],
        identities: Vec::new(),
        told,
    }]);
    plan
}

/// Takes in a message, and puts it off for an hour.
async fn put_off<S: QueueStore>(stand: &mut Stand<S>, to: &str) {
    let mut client = stand.greeted().await;
    client.expect("MAIL FROM:<me@client.example>", "250 ").await;
    client.expect(&format!("RCPT TO:<{to}>"), "250 ").await;
    client.expect("DATA", "354 ").await;
    client.expect("\r\nhello\r\n.", "250 ").await;
    let leased = stand.fresh.recv().await.expect("a fresh message");
    let later = Outcome::PutOff {
        attempts: 0,
        from: leased.envelope.received_at,
        due: in_an_hour(),
        report: Report::plain("it waits"),
        notice: NoticeState::Unwanted,
    };
    let now = RealClock.unix();
    let outcomes = [(RecipientIx(0), later)];
    let settled = stand.store.settle(&leased.lease, &outcomes, None, now);
    settled.await.unwrap();
    stand.store.release(leased.lease).await.unwrap();
}

fn in_an_hour() -> UnixMs {
    RealClock.unix() + Duration::from_secs(3600)
}

/// How many messages are due.
async fn due<S: QueueStore>(stand: &Stand<S>) -> usize {
    let now = RealClock.unix();
    let claim = Claim {
        now,
        until: now,
        most: 100,
        per_route: 100,
        skip: Vec::new(),
    };
    stand.store.claim(claim).await.unwrap().len()
}

/// Waits until the one message is due.
async fn becomes_due<S: QueueStore>(stand: &Stand<S>) {
    for _ in 0..500 {
        if due(stand).await == 1 {
            return;
        }
        tasks::sleep(Duration::from_millis(10)).await;
    }
    panic!("the run did not go on");
}

#[test]
fn what_waits_for_the_node_is_due_and_nothing_else() {
    run(async {
        let mut stand = plan(Faulty::new(), Told::Number).start();
        put_off(&mut stand, "a@new.example").await;
        put_off(&mut stand, "b@new.example").await;
        put_off(&mut stand, "ada@mx.example").await;
        put_off(&mut stand, "a@new.example").await;
        let held = stand.queued().await[3].id;
        let hold = Amendment::Hold;
        stand
            .store
            .amend(held, hold, RealClock.unix())
            .await
            .unwrap();
        assert_eq!(due(&stand).await, 0);

        let mut client = stand.greeted().await;
        let reply = client.say("ETRN NEW.example").await;
        let text = "253 2.0.0 OK, 2 pending messages for node NEW.example started";
        assert_eq!(reply, text);
        assert_eq!(due(&stand).await, 2);
        client.expect("NOOP", "250 ").await;
    });
}

#[test]
fn nothing_waits() {
    run(async {
        let mut stand = plan(Faulty::new(), Told::Number).start();
        put_off(&mut stand, "ada@mx.example").await;
        let mut client = stand.greeted().await;
        let reply = client.say("ETRN new.example").await;
        assert_eq!(
            reply,
            "251 2.0.0 OK, no messages waiting for node new.example"
        );
        assert_eq!(due(&stand).await, 0);
    });
}

#[test]
fn a_customer_may_be_told_less() {
    run(async {
        let cases = [
            (
                Told::Whether,
                "252 2.0.0 OK, pending messages for node new.example started",
            ),
            (
                Told::Nothing,
                "250 2.0.0 OK, queuing for node new.example started",
            ),
        ];
        for (told, text) in cases {
            let mut stand = plan(Faulty::new(), told).start();
            put_off(&mut stand, "a@new.example").await;
            let mut client = stand.greeted().await;
            assert_eq!(client.say("ETRN new.example").await, text);
            becomes_due(&stand).await;
        }
        // Whether there was anything isn't told either.
        let stand = plan(Faulty::new(), Told::Nothing).start();
        let mut client = stand.greeted().await;
        client.expect("ETRN new.example", "250 ").await;
        let stand = plan(Faulty::new(), Told::Whether).start();
        let mut client = stand.greeted().await;
        client.expect("ETRN new.example", "251 ").await;
    });
}

#[test]
fn nobody_waits_long_for_the_count_and_the_run_goes_on() {
    run(async {
        let store = Faulty::new();
        let mut stand = plan(store.clone(), Told::Number).start();
        put_off(&mut stand, "a@new.example").await;
        let pages = store.pages.forget_permits(usize::MAX);
        assert!(pages > 0);
        let mut client = stand.greeted().await;
        client
            .expect("ETRN new.example", "250 2.0.0 OK, queuing ")
            .await;
        store.pages.add_permits(1000);
        becomes_due(&stand).await;
    });
}

#[test]
fn who_is_not_listed_is_told_459_whatever_is_queued() {
    run(async {
        let mut plan = plan(Faulty::new(), Told::Number);
        plan.session.limits.errors = 100;
        let mut stand = plan.start();
        put_off(&mut stand, "ada@mx.example").await;
        let mut client = stand.greeted().await;
        for node in ["mx.example", "elsewhere.example", "@new.example", "#office"] {
            let text = format!("459 4.5.0 Node {node} not allowed: ");
            client.expect(&format!("ETRN {node}"), &text).await;
        }
        assert_eq!(due(&stand).await, 0);
        client.expect("ETRN #home", "251 ").await;
    });
}

#[test]
fn a_store_in_trouble_and_too_many_requests_are_458() {
    run(async {
        let store = Faulty::new();
        let stand = plan(store.clone(), Told::Number).start();
        store.fail(Step::Page, Trouble::Failed("no".into()));
        let mut client = stand.greeted().await;
        let unable = "458 4.5.0 Unable to queue messages for node new.example: ";
        client.expect("ETRN new.example", unable).await;
        store.heal();
        for _ in 1..10 {
            client.expect("ETRN new.example", "251 ").await;
        }
        client
            .expect("ETRN new.example", &format!("{unable}too many"))
            .await;
    });
}
