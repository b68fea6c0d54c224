//! What the loop promises however long it lasts: leases that run out, stores that fail, sites that are closed
//! or slow, operators, drains.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "servers that misbehave have sockets and threads of their own"
)]

mod stand;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::tasks;
use postroad_queue::{Amendment, Life};
use postroad_store::{Claim, Entry, Pressure, QueueStore};

use stand::{Stand, moody, nobody, octets, server, silent};

const MS: Duration = Duration::from_millis(1);

fn run(test: impl Future<Output = ()>) {
    tasks::run(2, test).expect("a runtime");
}

fn is_empty(queue: &[Entry]) -> bool {
    queue.is_empty()
}

#[test]
fn a_fresh_message_that_waited_until_another_could_have_it_is_not_taken() {
    run(async {
        let stand = Stand::new();
        let (taken, peer) = server();
        stand.ways.set("away.example", &peer);
        // Its lease runs out while it waits for its turn; a claim brings it.
        let leased = stand.store.commit_until(&["b@away.example"], octets(), MS);
        let leased = leased.await;
        tasks::sleep(5 * MS).await;
        let running = stand.start();
        stand.store.wait_for("it is claimed", is_empty).await;
        running.fresh.send(leased).await.expect("it runs");
        tasks::sleep(100 * MS).await;
        running.drain().await;
        assert_eq!(taken.all(), 1);
    });
}

#[test]
fn what_was_delivered_while_settles_failed_for_long_is_not_delivered_again() {
    for claims_take in [0, 300] {
        run(async {
            let stand = Stand::new();
            let (taken, peer) = server();
            stand.ways.set("away.example", &peer);
            let store = &stand.store;
            store.settles_fail.store(true, Ordering::SeqCst);
            store.claims_take.store(claims_take, Ordering::SeqCst);
            for _ in 0..5 {
                store.put(&["b@away.example"]).await;
            }
            let running = stand.start();
            // The lease runs out before it is said again, and the message is claimed while it is.
            tasks::sleep(1500 * MS).await;
            assert!(store.claimed.load(Ordering::SeqCst) > 5);
            store.settles_fail.store(false, Ordering::SeqCst);
            store.wait_for("all is settled", is_empty).await;
            running.drain().await;
            assert_eq!(taken.all(), 5);
        });
    }
}

#[test]
fn what_cannot_be_settled_takes_room() {
    run(async {
        let mut stand = Stand::new();
        stand.pace.limits.most_messages = 10;
        stand.store.settles_fail.store(true, Ordering::SeqCst);
        for _ in 0..40 {
            stand.store.put(&["b@example.org"]).await;
        }
        let running = stand.start();
        while stand.mail("example.org/b") < 5 {
            tasks::sleep(5 * MS).await;
        }
        tasks::sleep(300 * MS).await;
        assert!((5..=10).contains(&stand.mail("example.org/b")));
        stand.store.settles_fail.store(false, Ordering::SeqCst);
        stand.store.wait_for("all is settled", is_empty).await;
        running.drain().await;
        assert_eq!(stand.mail("example.org/b"), 40);
    });
}

#[test]
fn what_is_refused_is_not_claimed_in_circles() {
    run(async {
        let mut stand = Stand::new();
        let (_listener, peer) = silent();
        stand.ways.set("slow.example", &peer);
        stand.pace.limits.most_messages = 30;
        stand.pace.limits.largest_window = 1;
        stand.store.claims_anything.store(true, Ordering::SeqCst);
        // So that a loop in circles lets others have a turn.
        stand.store.claims_take.store(1, Ordering::SeqCst);
        for _ in 0..100 {
            stand.store.put(&["b@slow.example"]).await;
        }
        let began = RealClock.unix();
        let running = stand.start();
        tasks::sleep(500 * MS).await;
        let claims = stand.store.claims.load(Ordering::SeqCst);
        let millis = RealClock.unix().since(began).as_millis() as usize;
        // Each 20 ms, and once more for what is left alone else; and what finds room at first.
        assert!(claims < 20 + millis / 10, "{claims} claims in {millis} ms");
        let sites = running.handle.sites().await;
        assert!(sites[0].waiting_messages >= 5, "{sites:?}");
        let claimed = stand.store.claimed.load(Ordering::SeqCst);
        assert!(claimed > 100, "{claimed} claimed: some were refused");
        // Those that are here, and those of a claim whose end is near: the others were given back.
        let queue = stand.store.all().await;
        let leased = queue.iter().filter(|entry| entry.leased.is_some()).count();
        assert!(leased < 70, "{leased} are leased");
    });
}

#[test]
fn an_idle_loop_looks_now_and_then() {
    run(async {
        let stand = Stand::new();
        let running = stand.start();
        tasks::sleep(500 * MS).await;
        let claims = stand.store.claims.load(Ordering::SeqCst);
        assert!((2..=26).contains(&claims), "{claims} claims");
        running.drain().await;
    });
}

/// Three messages for a site that nobody serves, tried one at a time.
async fn at_a_closed_site(stand: &mut Stand) {
    stand.ways.set("dead.example", &nobody());
    stand.pace.limits.first_window = 1;
    stand.pace.limits.largest_window = 1;
    stand.pace.limits.pause.first = Duration::from_secs(3600);
    stand.pace.limits.pause.longest = Duration::from_secs(3600);
    for _ in 0..3 {
        stand.store.put(&["b@dead.example"]).await;
    }
}

#[test]
fn what_a_closed_site_keeps_waiting_was_not_attempted() {
    run(async {
        let mut stand = Stand::new();
        at_a_closed_site(&mut stand).await;
        let running = stand.start();
        let put_off = |entry: &Entry| match &entry.state.lives[0] {
            Life::Pending {
                attempts: 0,
                due,
                last: Some(last),
                ..
            } => last.words().contains("left alone") && *due > entry.envelope.received_at,
            _ => false,
        };
        let are_put_off = |queue: &[Entry]| queue.iter().filter(|e| put_off(e)).count() == 2;
        stand.store.wait_for("two are put off", are_put_off).await;
        running.drain().await;
        let queue = stand.store.all().await;
        let hour = RealClock.unix() + Duration::from_secs(3500);
        for entry in queue.iter().filter(|entry| put_off(entry)) {
            assert!(entry.state.lives[0].pending_due() > Some(hour));
        }
        assert!(queue.iter().all(|entry| entry.leased.is_none()));
    });
}

#[test]
fn a_closed_site_keeps_no_message_beyond_its_time() {
    run(async {
        let mut stand = Stand::new();
        at_a_closed_site(&mut stand).await;
        stand.patience.retry.give_up_after = 700 * MS;
        let running = stand.start();
        let is_tried = |queue: &[Entry]| {
            let pending =
                |e: &Entry| matches!(&e.state.lives[0], Life::Pending { last: Some(_), .. });
            queue.iter().all(pending)
        };
        stand.store.wait_for("they wait", is_tried).await;
        let store = &stand.store;
        let skipping = store.skipping.load(Ordering::SeqCst);
        let looks = store.claims.load(Ordering::SeqCst);
        for _ in 0..60 {
            store.put(&["b@dead.example"]).await;
        }
        store.wait_for("all are given up", is_empty).await;
        // Every other look leaves the site alone, and the ones between don't: a site's routes are
        // forgotten after some seconds, and what waits by them is claimed then, whatever else.
        let looks = store.claims.load(Ordering::SeqCst) - looks;
        let skipping = store.skipping.load(Ordering::SeqCst) - skipping;
        let some = looks / 4..=looks * 3 / 4;
        assert!(some.contains(&skipping), "{skipping} of {looks} looks");
        running.drain().await;
    });
}

#[test]
fn a_closed_site_keeps_back_no_recipient_elsewhere() {
    run(async {
        let mut stand = Stand::new();
        at_a_closed_site(&mut stand).await;
        let running = stand.start();
        let is_tried = |queue: &[Entry]| {
            let pending =
                |e: &Entry| matches!(&e.state.lives[0], Life::Pending { last: Some(_), .. });
            queue.iter().all(pending)
        };
        stand.store.wait_for("the site is closed", is_tried).await;
        let looks = stand.store.claims.load(Ordering::SeqCst);
        let id = stand.store.put(&["a@dead.example", "b@example.org"]).await;
        let is_there = |queue: &[Entry]| {
            let entry = queue.iter().find(|entry| entry.id == id);
            entry.is_some_and(|entry| entry.state.lives[1].pending_due().is_none())
        };
        stand.store.wait_for("the other has it", is_there).await;
        let looks = stand.store.claims.load(Ordering::SeqCst) - looks;
        // It would have it after some 250 looks at the latest, when the site's routes are forgotten.
        assert!(looks < 120, "after {looks} looks");
        running.drain().await;
        assert_eq!(stand.mail("example.org/b"), 1);
    });
}

/// Says when it is dropped.
struct Told(Bytes, Arc<AtomicBool>);

impl AsRef<[u8]> for Told {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

#[test]
fn the_octets_of_what_waits_long_are_not_kept_in_memory() {
    run(async {
        let mut stand = Stand::new();
        let (_listener, peer) = silent();
        stand.ways.set("slow.example", &peer);
        stand.pace.limits.first_window = 1;
        let running = stand.start();
        let forgotten = Arc::new(AtomicBool::new(false));
        let first = stand.store.commit(&["a@slow.example"], octets()).await;
        running.fresh.send(first).await.expect("it runs");
        running.until_under_way(1).await;
        let mut second = stand.store.commit(&["b@slow.example"], octets()).await;
        second.fresh = Some(Bytes::from_owner(Told(octets(), forgotten.clone())));
        running.fresh.send(second).await.expect("it runs");
        tasks::sleep(500 * MS).await;
        assert!(!forgotten.load(Ordering::SeqCst), "it may be its turn soon");
        tasks::sleep(2500 * MS).await;
        assert!(forgotten.load(Ordering::SeqCst));
        assert_eq!(running.handle.sites().await[0].waiting_messages, 1);
    });
}

#[test]
fn leases_are_renewed_while_it_waits_and_while_it_is_tried() {
    run(async {
        let mut stand = Stand::new();
        let (_listener, peer) = silent();
        stand.ways.set("slow.example", &peer);
        stand.pace.limits.first_window = 1;
        stand.patience.lease = 800 * MS;
        for _ in 0..2 {
            stand.store.put(&["b@slow.example"]).await;
        }
        let running = stand.start();
        running.until_under_way(1).await;
        for _ in 0..26 {
            tasks::sleep(50 * MS).await;
            // Long before they run out.
            let now = RealClock.unix() + 150 * MS;
            for entry in stand.store.all().await {
                assert!(entry.leased > Some(now), "{entry:?} at {now:?}");
            }
        }
        assert_eq!(stand.store.claimed.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn what_another_has_is_not_tried_any_more() {
    run(async {
        let mut stand = Stand::new();
        let (_listener, peer) = silent();
        stand.ways.set("slow.example", &peer);
        stand.pace.limits.first_window = 1;
        for _ in 0..3 {
            stand.store.put(&["b@slow.example"]).await;
        }
        let running = stand.start();
        running.until_under_way(1).await;
        while running.handle.sites().await[0].waiting_messages < 2 {
            tasks::sleep(5 * MS).await;
        }
        // Another node, by whose clock the leases have run out.
        let claim = Claim {
            now: RealClock.unix() + Duration::from_secs(3600),
            until: UnixMs(u64::MAX),
            most: 10,
            per_route: 10,
            skip: Vec::new(),
        };
        let theirs = stand.store.inner.claim(claim).await;
        assert_eq!(theirs.map(|leases| leases.len()), Ok(3));
        let none_waits = async {
            while running.handle.sites().await[0].waiting_messages > 0 {
                tasks::sleep(5 * MS).await;
            }
        };
        let in_time = tasks::timeout(Duration::from_secs(5), none_waits).await;
        assert!(in_time.is_ok(), "{:?}", running.handle.sites().await);
        assert_eq!(running.in_flight.count(), 1);
    });
}

#[test]
fn an_operators_word_takes_effect_at_once_where_a_message_waits_and_after_the_attempt_else() {
    run(async {
        let mut stand = Stand::new();
        let (listener, peer) = silent();
        stand.ways.set("slow.example", &peer);
        stand.pace.limits.first_window = 1;
        let tried = stand.store.put(&["a@slow.example"]).await;
        let running = stand.start();
        running.until_under_way(1).await;
        let held = stand.store.put(&["b@slow.example"]).await;
        let deleted = stand.store.put(&["c@slow.example"]).await;
        let redirected = stand.store.put(&["d@slow.example"]).await;
        while running.handle.sites().await[0].waiting_messages < 3 {
            tasks::sleep(5 * MS).await;
        }
        let to = postroad_queue::RouteKey("example.org".into());
        for (id, amendment) in [
            (tried, Amendment::Delete),
            (held, Amendment::Hold),
            (deleted, Amendment::Delete),
            (redirected, Amendment::Redirect(to)),
        ] {
            let amended = stand.store.amend(id, amendment, RealClock.unix()).await;
            assert_eq!(amended, Ok(()));
            running.handle.changed(id);
        }
        let only_two = |queue: &[Entry]| {
            queue.iter().map(|entry| entry.id).collect::<Vec<_>>() == [tried, held]
        };
        stand.store.wait_for("it is done", only_two).await;
        assert_eq!(stand.mail("slow.example/d"), 1);
        let queue = stand.store.all().await;
        assert!(queue[0].leased.is_some(), "it is under way");
        assert!(queue[1].state.held && queue[1].leased.is_none());
        // It hangs up, and the message that was deleted meanwhile is not tried again.
        drop(listener);
        let one = |queue: &[Entry]| queue.len() == 1;
        stand.store.wait_for("the first is gone", one).await;
        running.drain().await;
    });
}

/// Domains of two ways, each message with some recipients of each, to a server that refuses now and
/// then and to Maildirs, while the store is read-only now and then and the loop is drained and started
/// again.
#[test]
fn each_recipient_gets_each_message_once_whatever_the_store_does() {
    for seed in 0..4 {
        run(async {
            let mut stand = Stand::new();
            stand.pace.limits.recipients_per_dispatch = 2;
            stand.pace.limits.most_messages = 25;
            stand.pace.limits.pause.after = 3;
            stand.pace.limits.pause.first = 20 * MS;
            let (taken, peer) = moody(seed);
            stand.ways.set("away.example", &peer);
            let chance = Chance::from_seed(seed);
            let mut expected = BTreeMap::new();
            let mut here = BTreeMap::new();
            let mut running = stand.start();
            for n in 0..60 {
                let count = 1 + chance.index(6);
                let to: Vec<String> = (0..count)
                    .map(|r| match chance.one_in(2) {
                        true => format!("m{n}r{r}@away.example"),
                        false => format!("m{n}r{r}@example.org"),
                    })
                    .collect();
                for to in &to {
                    match to.strip_suffix("@example.org") {
                        Some(local) => here.insert(local.to_owned(), 1),
                        None => expected.insert((n.to_string(), to.clone()), 1),
                    };
                }
                let to: Vec<&str> = to.iter().map(String::as_str).collect();
                let octets = Bytes::from(format!("Subject: x\r\n\r\n{n}\r\n"));
                // A lease that a store can't release runs out by itself, which the test waits for.
                let lease = Duration::from_secs(2);
                let leased = stand.store.commit_until(&to, octets, lease).await;
                match chance.one_in(2) {
                    true => stand.store.release(leased.lease).await.expect("it works"),
                    false => running.fresh.send(leased).await.expect("it runs"),
                }
                if chance.one_in(8) {
                    stand.store.inner.set_pressure(Pressure::ReadOnly);
                    tasks::sleep(chance.below(30) as u32 * MS).await;
                    stand.store.inner.set_pressure(Pressure::None);
                }
                if chance.one_in(8) {
                    let stall = chance.below(100);
                    stand.store.claims_take.store(stall, Ordering::SeqCst);
                }
                if chance.one_in(20) {
                    running.drain().await;
                    running = stand.start();
                }
                tasks::sleep(chance.below(10) as u32 * MS).await;
            }
            stand.store.wait_for("all is done", is_empty).await;
            running.drain().await;
            let mut counts = taken.counts();
            counts.retain(|to, count| expected.get(to) != Some(count));
            assert_eq!(counts, BTreeMap::new(), "seed {seed}");
            assert_eq!(taken.counts().len(), expected.len());
            let there = |(local, _): (&String, &usize)| {
                (local.clone(), stand.mail(&format!("example.org/{local}")))
            };
            assert_eq!(here.iter().map(there).collect::<BTreeMap<_, _>>(), here);
        });
    }
}

#[test]
fn a_drain_at_any_moment_leaves_no_lease() {
    for after in [0, 1, 3, 10, 30, 60] {
        run(async {
            let mut stand = Stand::new();
            stand.ways.set("dead.example", &nobody());
            stand.pace.limits.most_messages = 15;
            for _ in 0..20 {
                stand.store.put(&["a@dead.example", "b@example.org"]).await;
            }
            let running = stand.start();
            for _ in 0..20 {
                let to = ["a@dead.example", "b@example.org"];
                let leased = stand.store.commit(&to, octets()).await;
                running.fresh.send(leased).await.expect("it runs");
            }
            tasks::sleep(after * MS).await;
            running.drain().await;
            let queue = stand.store.all().await;
            assert_eq!(queue.len(), 40);
            assert!(queue.iter().all(|entry| entry.leased.is_none()));
            let delivered = |entry: &&Entry| entry.state.lives[1].pending_due().is_none();
            let delivered = queue.iter().filter(delivered).count();
            assert_eq!(delivered, stand.mail("example.org/b"));
        });
    }
}
