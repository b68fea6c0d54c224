//! From a leased message to a settled one.

#![allow(
    clippy::disallowed_methods,
    reason = "they look at the files as a reader does"
)]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use postroad_clock::{Mono, UnixMs};
use postroad_delivery::notice::About;
use postroad_delivery::outcome::Again;
use postroad_delivery::peer::{Peers, Settings, Timeouts};
use postroad_delivery::{
    Deliverer, Maildirs, NextHop, NextHops, NoMailbox, Notices, OnDemand, Pace, Parcel, Patience,
    Runner,
};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock, SimClock};
use postroad_host::disk::real::RealDisk;
use postroad_host::disk::sim::SimDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_host::tasks;
use postroad_message::{Edit, Facts};
use postroad_queue::{ClientTrace, Envelope, Life, Recipient, RecipientIx, RouteKey};
use postroad_store::memory::MemoryStore;
use postroad_store::{Claim, Leased, Pressure, QueueStore, Staged, Trouble};
use postroad_telemetry::{Format, Level, log};
use postroad_wire::address::{HeloName, Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;

const START: UnixMs = UnixMs(1_790_000_000_000);
const OCTETS: &[u8] = b"Subject: x\r\n\r\n.one\r\n\xff\r\n";
const HEAD: &[u8] = b"Return-Path: <me@example.net>\r\nReceived: a trace\r\n";

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).expect("the test wrote a mailbox")
}

/// Knows `example.org`, and `gone.example` once it is told to; keeps what it hears of mailboxes.
#[derive(Debug, Clone, Default)]
struct Domains {
    knows_all: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl NextHops for Domains {
    fn next_hop(&self, route: &RouteKey) -> NextHop {
        match &*route.0 == "example.org" || self.knows_all.load(Ordering::SeqCst) {
            true => NextHop::Maildirs,
            false => NextHop::Nowhere {
                why: "no such domain here".to_owned(),
            },
        }
    }

    fn notice_to(&self, reverse_path: &Mailbox) -> Vec<Recipient> {
        vec![recipient(reverse_path.clone())]
    }

    fn may_be_made(&self, mailbox: &Mailbox) -> Result<(), NoMailbox> {
        match mailbox.local.as_str() {
            "ghost" => Err(NoMailbox::Unknown),
            "late" => Err(NoMailbox::NotNow),
            _ => Ok(()),
        }
    }

    fn delivered(&self, mailbox: &Mailbox, _: Option<u64>) {
        self.hear(format!("{mailbox} took it"));
    }

    fn failed(&self, mailbox: &Mailbox, now: Mono) {
        self.hear(format!("{mailbox} failed at {}", now.0));
    }
}

impl Domains {
    fn hear(&self, what: String) {
        self.heard.lock().expect("no test panics in it").push(what);
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().expect("no test panics in it"))
    }
}

/// What the log says while `work` runs: the events, without what a test doesn't look at.
fn log_of<T>(work: impl FnOnce() -> T) -> Vec<String> {
    let (log, drain) = log(Format::Json, Level::Info, || START);
    log.during(work);
    let mut lines = Vec::new();
    drain.run(&mut lines);
    let lines = String::from_utf8(lines).expect("the log is in UTF-8");
    lines.lines().map(words).collect()
}

fn words(line: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).expect("the log is in JSON");
    ["event", "recipient", "mailbox", "by", "reason", "cause"]
        .iter()
        .filter_map(|field| line[field].as_str())
        .collect::<Vec<_>>()
        .join("|")
}

fn envelope(recipients: &[&str], received_at: UnixMs, size: usize) -> Envelope {
    Envelope {
        received_at,
        reverse_path: ReversePath::Mailbox(mailbox("me@example.net")),
        body_type: BodyType::EightBitMime,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: String::new(),
        recipients: recipients.iter().map(|to| recipient(mailbox(to))).collect(),
        trace: Bytes::from_static(b"Received: a trace\r\n"),
        edits: Vec::new(),
        facts: Facts {
            size: size as u64,
            ..Facts::default()
        },
    }
}

fn recipient(target: Mailbox) -> Recipient {
    Recipient {
        origin: target.clone(),
        target,
        original: None,
        notify: None,
    }
}

async fn commit(store: &MemoryStore, envelope: Envelope, octets: &[u8]) -> Leased {
    let now = envelope.received_at;
    let mut staged = store.stage(now).await.expect("there is room");
    for piece in octets.chunks(100_000) {
        let piece = Bytes::copy_from_slice(piece);
        staged.append(piece).await.expect("there is room");
    }
    let until = now + Duration::from_secs(300);
    let leased = staged.commit_durably(Arc::new(envelope), until).await;
    leased.expect("there is room")
}

async fn claim(store: &MemoryStore, now: UnixMs) -> Vec<Leased> {
    let claim = Claim {
        now,
        until: now + Duration::from_secs(300),
        most: 10,
        per_route: 10,
        skip: Vec::new(),
    };
    store.claim(claim).await.expect("it is in memory")
}

async fn queued(store: &MemoryStore) -> usize {
    store.page(None, 100).await.expect("it is in memory").len()
}

struct Node<D: Disk, C> {
    deliverer: Deliverer<MemoryStore, D, Domains, C>,
    store: Arc<MemoryStore>,
    domains: Domains,
    root: PathBuf,
    disk: D,
}

impl<D: Disk, C: Clock + Clone> Node<D, C> {
    fn new(disk: D, root: &Path, store: MemoryStore, clock: C) -> io::Result<Node<D, C>> {
        let store = Arc::new(store);
        let domains = Domains::default();
        Ok(Node {
            deliverer: Deliverer {
                store: store.clone(),
                maildirs: Maildirs::open(disk.clone(), root)?,
                peers: Peers::new(Settings::new(name()), clock.clone()),
                on_demand: OnDemand::new(Timeouts::default(), clock.clone()),
                next_hops: domains.clone(),
                clock,
                chance: Chance::from_seed(1),
                patience: Arc::new(ArcSwap::from_pointee(Patience::default())),
                notices: Notices {
                    host_name: "mail.example.org".to_owned(),
                    return_at_most: 1000,
                },
            },
            store,
            domains,
            root: root.to_owned(),
            disk,
        })
    }

    /// Delivers to each recipient that is due, one after the other, and settles.
    async fn attempt(&self, leased: Leased) -> Result<(), Trouble> {
        let id = leased.lease.id;
        let (envelope, mut lives) = (&leased.envelope, leased.lives.clone());
        let due = self.deliverer.clock.unix();
        let mut outcomes = Vec::new();
        for (ix, life) in (0..).map(RecipientIx).zip(&mut lives) {
            if life.pending_due().is_none_or(|at| at > due) {
                continue;
            }
            let target = &envelope.recipients[ix.0 as usize].target;
            let hop = self.domains.next_hop(&RouteKey::of(&target.host));
            let parcel = Parcel {
                id,
                token: leased.lease.token,
                envelope,
                fresh: leased.fresh.clone(),
                store: &*self.store,
                recipients: vec![ix],
            };
            let carried = self.deliverer.carry(&hop, &parcel).await;
            for (ix, verdict) in carried.recipients {
                let again = Again {
                    began: due,
                    not_before: None,
                    chance: 1,
                };
                let outcome = self
                    .deliverer
                    .outcome(id, envelope, (ix, life), verdict, again);
                life.apply(&outcome, due);
                outcomes.push((ix, outcome));
            }
        }
        let about = About {
            id,
            envelope: envelope.clone(),
            lives,
            expanded: leased.expanded,
            fresh: leased.fresh.clone(),
        };
        let settled = self
            .deliverer
            .settle(&leased.lease, &outcomes, Some(&about))
            .await;
        self.deliverer.hand_back(leased.lease).await;
        settled.map(drop)
    }

    /// What is in a mailbox.
    fn mail(&self, folder: &str) -> Vec<Vec<u8>> {
        let new = self.root.join(folder).join("new");
        let entries = self.disk.list(&new).unwrap_or_default();
        let read = |path: &Path| {
            let file = self.disk.open(path, Open::Read)?;
            let mut octets = vec![0; file.len()? as usize];
            file.read_exact_at(&mut octets, 0)?;
            io::Result::Ok(octets)
        };
        entries
            .iter()
            .map(|entry| read(&entry.path).expect("it was listed"))
            .collect()
    }
}

fn sim(disk: &SimDisk) -> Node<SimDisk, Arc<SimClock>> {
    let clock = Arc::new(SimClock::new(START));
    Node::new(disk.clone(), Path::new("/mail"), MemoryStore::new(), clock)
        .expect("nothing fails yet")
}

fn name() -> HeloName {
    HeloName::parse("mail.example.org", &Limits::default()).expect("the test wrote a name")
}

/// Runs a future whose every step is done at once.
fn now<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("a simulated node waits for nothing"),
    }
}

#[test]
fn a_fresh_message_lies_in_its_mailboxes_and_is_gone_from_the_queue() {
    let node = sim(&SimDisk::new(1));
    let envelope = envelope(&["Ada@example.org", "b@example.org"], START, OCTETS.len());
    let leased = now(commit(&node.store, envelope, OCTETS));
    assert!(leased.fresh.is_some());
    let said = log_of(|| now(node.attempt(leased)));
    assert_eq!(now(queued(&node.store)), 0);
    for folder in ["example.org/%41da", "example.org/b"] {
        assert_eq!(node.mail(folder), [[HEAD, OCTETS].concat()]);
    }
    assert_eq!(
        said,
        [
            "mailbox.created|Ada@example.org",
            "delivery.delivered|Ada@example.org|the Maildir of Ada@example.org",
            "mailbox.created|b@example.org",
            "delivery.delivered|b@example.org|the Maildir of b@example.org",
        ]
    );
}

#[test]
fn a_stored_message_is_read_in_pieces_and_is_the_same() {
    let octets: Vec<u8> = (0..700_001u32).map(|n| (n % 251) as u8).collect();
    let node = sim(&SimDisk::new(1));
    now(async {
        let envelope = envelope(&["b@example.org"], START, octets.len());
        let mut leased = commit(&node.store, envelope, &octets).await;
        leased.fresh = None;
        assert_eq!(node.attempt(leased).await, Ok(()));
        assert_eq!(queued(&node.store).await, 0);
    });
    let [mail] = &node.mail("example.org/b")[..] else {
        panic!("one message was sent");
    };
    assert!(*mail == [HEAD, &octets].concat());
}

#[test]
fn edits_are_made_below_the_trace_fields() {
    for fresh in [true, false] {
        let node = sim(&SimDisk::new(1));
        now(async {
            let mut envelope = envelope(&["b@example.org"], START, OCTETS.len());
            envelope.edits = vec![Edit::AddField {
                index: 0,
                name: "X".to_owned(),
                value: b" y".to_vec(),
            }];
            let mut leased = commit(&node.store, envelope, OCTETS).await;
            leased.fresh = leased.fresh.filter(|_| fresh);
            assert_eq!(node.attempt(leased).await, Ok(()));
        });
        assert_eq!(
            node.mail("example.org/b"),
            [[HEAD, b"X: y\r\n", OCTETS].concat()]
        );
    }
}

#[test]
fn it_is_told_which_mailbox_fails_and_which_works() {
    let disk = SimDisk::new(1);
    let node = sim(&disk);
    let to = ["a@gone.example", "b@example.org"];
    let commit = |size| now(commit(&node.store, envelope(&to, START, size), OCTETS));
    node.deliverer.clock.advance(Duration::from_nanos(7));
    disk.set_capacity(0);
    assert_eq!(now(node.attempt(commit(OCTETS.len()))), Ok(()));
    // That there is no way to the other is no fault of a mailbox.
    assert_eq!(node.domains.heard(), ["b@example.org failed at 7"]);
    disk.set_capacity(u64::MAX);
    // Nor is it one of the mailbox that the store hasn't got the whole message.
    let mut stored = commit(OCTETS.len() + 1);
    stored.fresh = None;
    assert_eq!(now(node.attempt(stored)), Ok(()));
    assert!(node.domains.heard().is_empty());
    assert_eq!(now(node.attempt(commit(OCTETS.len()))), Ok(()));
    assert_eq!(node.domains.heard(), ["b@example.org took it"]);
}

#[test]
fn a_mailbox_that_nobody_has_is_not_made_and_one_that_is_there_takes_mail() {
    let disk = SimDisk::new(1);
    let node = sim(&disk);
    let there = Path::new("/mail/example.org/late");
    disk.create_dir_all(there).expect("nothing fails");
    let mut message = envelope(
        &["ghost@example.org", "late@example.org"],
        START,
        OCTETS.len(),
    );
    message.reverse_path = ReversePath::Null;
    let leased = now(commit(&node.store, message.clone(), OCTETS));
    let said = log_of(|| now(node.attempt(leased)));
    assert_eq!(
        said[0],
        "delivery.failed|ghost@example.org|nobody has this mailbox"
    );
    assert!(node.mail("example.org/ghost").is_empty());
    assert_eq!(node.mail("example.org/late").len(), 1);
    assert_eq!(now(queued(&node.store)), 0);

    let node = sim(&SimDisk::new(1));
    let leased = now(commit(&node.store, message, OCTETS));
    let said = log_of(|| now(node.attempt(leased)));
    assert_eq!(
        said[1],
        "delivery.deferred|late@example.org|the mailbox can't be made now"
    );
    assert_eq!(now(queued(&node.store)), 1);
}

#[test]
fn a_recipient_without_a_next_hop_waits_alone_until_there_is_one() {
    let node = sim(&SimDisk::new(1));
    let envelope = envelope(&["a@gone.example", "b@example.org"], START, OCTETS.len());
    let leased = now(commit(&node.store, envelope, OCTETS));
    let said = log_of(|| now(node.attempt(leased)));
    assert_eq!(
        said[0],
        "delivery.deferred|a@gone.example|no such domain here"
    );
    assert!(
        said[2].starts_with("delivery.delivered|b@example.org"),
        "{said:?}"
    );

    let page = now(node.store.page(None, 1)).expect("it is in memory");
    let Life::Pending {
        attempts,
        due,
        last: Some(last),
        ..
    } = &page[0].state.lives[0]
    else {
        panic!("{:?}", page[0].state.lives);
    };
    assert_eq!((*attempts, last.words()), (1, "no such domain here"));
    assert!(*due > START);

    node.domains.knows_all.store(true, Ordering::SeqCst);
    assert!(now(claim(&node.store, START)).is_empty());
    node.deliverer.clock.advance(due.since(START));
    let said = log_of(|| {
        now(async {
            for leased in claim(&node.store, *due).await {
                assert_eq!(node.attempt(leased).await, Ok(()));
            }
        });
    });
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[1].starts_with("delivery.delivered|a@gone.example"),
        "{said:?}"
    );
    assert_eq!(now(queued(&node.store)), 0);
    assert_eq!(node.mail("example.org/b").len(), 1);
}

#[test]
fn a_message_is_given_up_when_its_time_is_up_and_its_sender_is_told() {
    let node = sim(&SimDisk::new(1));
    now(async {
        let envelope = envelope(&["a@gone.example"], START, OCTETS.len());
        let leased = commit(&node.store, envelope, OCTETS).await;
        node.deliverer
            .clock
            .advance(Duration::from_secs(30 * 24 * 3600));
        assert_eq!(node.attempt(leased).await, Ok(()));
        let page = node.store.page(None, 2).await.expect("it is in memory");
        let [notice] = &page[..] else {
            panic!("{page:?}");
        };
        assert_eq!(notice.envelope.reverse_path, ReversePath::Null);
        let to = recipient(mailbox("me@example.net"));
        assert_eq!(notice.envelope.recipients, [to]);
        let octets = node.store.body(notice.id, 0, 10_000).await;
        let octets = octets.expect("it is in memory");
        let text = String::from_utf8_lossy(&octets);
        for part in [
            "To: <me@example.net>",
            "Action: failed",
            "Status: 4.3.0",
            "no such domain here; given up after 5 days",
            "Content-Type: message/rfc822",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    });
}

#[test]
fn what_could_not_be_settled_is_found_and_not_delivered_again() {
    let node = sim(&SimDisk::new(1));
    let envelope = envelope(&["b@example.org"], START, OCTETS.len());
    let leased = now(commit(&node.store, envelope, OCTETS));
    node.store.set_pressure(Pressure::ReadOnly);
    assert_eq!(now(node.attempt(leased)), Err(Trouble::ReadOnly));

    node.store.set_pressure(Pressure::None);
    let later = START + Duration::from_secs(301);
    assert!(now(claim(&node.store, START)).is_empty(), "it is leased");
    node.deliverer.clock.advance(later.since(START));
    let said = log_of(|| {
        now(async {
            for leased in claim(&node.store, later).await {
                assert_eq!(node.attempt(leased).await, Ok(()));
            }
        });
    });
    let expected =
        "delivery.delivered|b@example.org|the Maildir of b@example.org, by an earlier attempt";
    assert_eq!(said, [expected]);
    assert_eq!(now(queued(&node.store)), 0);
    assert_eq!(node.mail("example.org/b").len(), 1);
}

#[test]
fn half_a_message_is_not_delivered() {
    let node = sim(&SimDisk::new(1));
    for fresh in [true, false] {
        now(async {
            let envelope = envelope(&["b@example.org"], START, OCTETS.len() + 1);
            let mut leased = commit(&node.store, envelope, OCTETS).await;
            leased.fresh = leased.fresh.filter(|_| fresh);
            assert_eq!(node.attempt(leased).await, Ok(()));
        });
    }
    assert_eq!(now(queued(&node.store)), 2);
    assert!(node.mail("example.org/b").is_empty());
}

#[test]
fn a_lease_that_ran_out_settles_and_one_that_was_lost_does_not() {
    let node = sim(&SimDisk::new(1));
    let message = || envelope(&["b@example.org"], START, OCTETS.len());
    let leased = now(commit(&node.store, message(), OCTETS));
    node.deliverer.clock.advance(Duration::from_secs(301));
    // Nobody has taken it, so it still settles.
    assert_eq!(now(node.attempt(leased)), Ok(()));
    assert_eq!(now(queued(&node.store)), 0);

    let first = now(commit(&node.store, message(), OCTETS));
    let others = now(claim(&node.store, node.deliverer.clock.unix()));
    assert_eq!(others.len(), 1);
    assert_eq!(now(node.attempt(first)), Err(Trouble::LeaseLost));
    for leased in others {
        // It finds what the other delivered.
        assert_eq!(now(node.attempt(leased)), Ok(()));
    }
    assert_eq!(now(queued(&node.store)), 0);
    assert_eq!(node.mail("example.org/b").len(), 2);
}

#[test]
fn after_a_power_cut_at_any_step_each_recipient_has_the_message_once() {
    let to = ["a@example.org", "b@example.org"];
    for nth in 1..40 {
        for seed in 0..10 {
            let disk = SimDisk::new(seed);
            let node = sim(&disk);
            let leased = now(commit(
                &node.store,
                envelope(&to, START, OCTETS.len()),
                OCTETS,
            ));
            disk.crash_after(nth);
            // What it comes to is lost with the power.
            let _ = now(node.attempt(leased));
            let store = (*node.store).clone().reopen();
            let clock = Arc::new(SimClock::new(START + Duration::from_secs(3600)));
            let node = Node::new(disk.crash(seed + 99), Path::new("/mail"), store, clock)
                .expect("nothing fails any more");
            now(async {
                for leased in claim(&node.store, node.deliverer.clock.unix()).await {
                    assert_eq!(node.attempt(leased).await, Ok(()));
                }
                assert_eq!(queued(&node.store).await, 0, "step {nth}, seed {seed}");
            });
            for folder in ["example.org/a", "example.org/b"] {
                let mail = node.mail(folder);
                assert_eq!(mail, [[HEAD, OCTETS].concat()], "step {nth}, seed {seed}");
            }
        }
    }
}

#[test]
fn the_loop_takes_fresh_mail_claims_what_is_due_and_drains() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("mail");
    let node = Node::new(RealDisk, &root, MemoryStore::new(), RealClock)?;
    let store = node.store.clone();
    let received = RealClock.unix();
    let message = || envelope(&["b@example.org"], received, OCTETS.len());
    tasks::run(2, async {
        // Ten that wait from before, then ten fresh ones.
        for _ in 0..10 {
            let leased = commit(&store, message(), OCTETS).await;
            store.release(leased.lease).await.expect("it is in memory");
        }
        let (sender, fresh) = tokio::sync::mpsc::channel(4);
        let (drain, draining) = tokio::sync::oneshot::channel::<()>();
        let pace = Pace {
            into_maildirs: 3,
            per_route: 3,
            poll: Duration::from_millis(5),
            ..Pace::default()
        };
        let runner = Runner::new(node.deliverer, pace);
        let in_flight = runner.in_flight();
        let running = tasks::spawn(runner.run(fresh, async {
            let _ = draining.await;
        }));
        for _ in 0..10 {
            let leased = commit(&store, message(), OCTETS).await;
            sender.send(leased).await.expect("it runs");
        }
        let emptied = async {
            while queued(&store).await > 0 {
                tasks::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tasks::timeout(Duration::from_secs(30), emptied).await;
        assert_eq!(in_time, Ok(()));
        assert!(drain.send(()).is_ok());
        let ended = tasks::timeout(Duration::from_secs(30), running).await;
        assert!(ended.is_ok_and(|task| task.is_ok()));
        assert_eq!(in_flight.count(), 0);
    })?;
    assert_eq!(
        std::fs::read_dir(root.join("example.org/b/new"))?.count(),
        20
    );
    Ok(())
}

#[test]
fn what_waits_at_a_drain_is_handed_back() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let node = Node::new(RealDisk, folder.path(), MemoryStore::new(), RealClock)?;
    let store = node.store.clone();
    tasks::run(0, async {
        let (sender, fresh) = tokio::sync::mpsc::channel(4);
        let received = RealClock.unix();
        let leased = commit(&store, envelope(&["b@example.org"], received, 3), b"a\r\n").await;
        sender.send(leased).await.expect("there is room");
        let runner = Runner::new(node.deliverer, Pace::default());
        runner.run(fresh, std::future::ready(())).await;
        assert_eq!(claim(&store, received).await.len(), 1);
        assert!(sender.is_closed());
    })
}

#[test]
fn a_store_that_is_read_only_for_long_is_told_of_once() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let node = Node::new(RealDisk, folder.path(), MemoryStore::new(), RealClock)?;
    node.store.set_pressure(Pressure::ReadOnly);
    let pace = Pace {
        poll: Duration::from_millis(1),
        ..Pace::default()
    };
    let said = log_of(|| {
        tasks::run(0, async {
            let (_sender, fresh) = tokio::sync::mpsc::channel(1);
            let runner = Runner::new(node.deliverer, pace);
            let drain = tasks::sleep(Duration::from_millis(50));
            runner.run(fresh, drain).await;
        })
    });
    assert_eq!(said, ["delivery.trouble|the spool is read-only"]);
    Ok(())
}

#[test]
fn recipients_that_were_deferred_together_are_tried_together() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let node = Node::new(RealDisk, folder.path(), MemoryStore::new(), RealClock)?;
    // Where each mailbox should be stands a file, so that none takes the message.
    std::fs::create_dir_all(folder.path().join("example.org"))?;
    let to: Vec<String> = (0..20).map(|n| format!("b{n}@example.org")).collect();
    for n in 0..20 {
        std::fs::write(
            folder.path().join(format!("example.org/b{n}")),
            "in the way",
        )?;
    }
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let store = node.store.clone();
    tasks::run(0, async {
        let (sender, fresh) = tokio::sync::mpsc::channel(1);
        let received = RealClock.unix();
        let leased = commit(&store, envelope(&to, received, OCTETS.len()), OCTETS).await;
        sender.send(leased).await.expect("there is room");
        let runner = Runner::new(node.deliverer, Pace::default());
        runner
            .run(fresh, tasks::sleep(Duration::from_millis(500)))
            .await;
        let page = store.page(None, 1).await.expect("it is in memory");
        let lives = &page[0].state.lives;
        let due: Vec<_> = lives.iter().map(Life::pending_due).collect();
        assert!(due[0] > Some(RealClock.unix()), "{lives:?}");
        assert!(due.iter().all(|at| *at == due[0]), "{due:?}");
    })
}
