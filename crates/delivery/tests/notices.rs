//! When the loop makes a notice, and of what: one for all that has failed once nothing is in flight,
//! or after five minutes.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test starts servers and stands still for them"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use postroad_clock::{Mono, UnixMs};
use postroad_delivery::peer::{Peers, Settings, Timeouts};
use postroad_delivery::{
    Deliverer, Maildirs, NextHop, NextHops, NoMailbox, Notices, OnDemand, Pace, Patience, Runner,
};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::sim::SimDisk;
use postroad_host::tasks;
use postroad_message::Facts;
use postroad_queue::notice::{Action, owes};
use postroad_queue::{
    ClientTrace, Envelope, Life, NoticeState, Outcome, Recipient, RecipientIx, Report, RouteKey,
};
use postroad_store::memory::MemoryStore;
use postroad_store::{Entry, Leased, Pressure, QueueStore, Staged};
use postroad_wire::address::{HeloName, Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;

const OCTETS: &[u8] = b"Subject: x\r\n\r\nx\r\n";

/// The real time, moved on where a test wants it.
#[derive(Debug, Clone, Default)]
struct Ahead(Arc<AtomicU64>);

impl Clock for Ahead {
    fn mono(&self) -> Mono {
        RealClock.mono()
    }

    fn unix(&self) -> UnixMs {
        RealClock.unix() + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// A server that refuses every recipient: those of `slow.test` once it is let go on.
struct Refuser {
    address: SocketAddr,
    let_go: Arc<AtomicBool>,
    /// Told when a recipient of `slow.test` waits.
    waits: mpsc::Receiver<()>,
}

impl Refuser {
    fn start() -> Refuser {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let let_go = Arc::new(AtomicBool::new(false));
        let (told, waits) = mpsc::channel();
        let flag = Arc::clone(&let_go);
        thread::spawn(move || {
            for stream in listener.incoming().flatten().take(20) {
                let (flag, told) = (Arc::clone(&flag), told.clone());
                thread::spawn(move || refuse(stream, &flag, &told));
            }
        });
        Refuser {
            address,
            let_go,
            waits,
        }
    }
}

fn refuse(stream: TcpStream, let_go: &AtomicBool, told: &mpsc::Sender<()>) -> Option<()> {
    let lines = BufReader::new(stream.try_clone().ok()?).lines();
    let say = |text: &str| (&stream).write_all(text.as_bytes()).ok();
    say("220 hop.test\r\n")?;
    for line in lines.map_while(Result::ok) {
        if line.contains("@slow.test") {
            told.send(()).ok()?;
            while !let_go.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(2));
            }
        }
        match line.get(..4) {
            Some("RCPT") => say("550 5.1.1 nobody\r\n")?,
            _ => say("250 fine\r\n")?,
        }
    }
    Some(())
}

/// Both domains are at the one server, by two names, so that they are two sites.
#[derive(Debug, Clone)]
struct Ways(SocketAddr);

impl NextHops for Ways {
    fn next_hop(&self, route: &RouteKey) -> NextHop {
        let port = self.0.port();
        match &*route.0 {
            "fast.test" => NextHop::Peer(format!("smtp://127.0.0.1:{port}").parse().unwrap()),
            "slow.test" => NextHop::Peer(format!("smtp://localhost:{port}").parse().unwrap()),
            // So that a notice stays in the queue, to be looked at.
            _ => NextHop::Nowhere {
                why: "no way".to_owned(),
            },
        }
    }

    fn notice_to(&self, reverse_path: &Mailbox) -> Vec<Recipient> {
        vec![recipient(reverse_path.clone())]
    }

    fn may_be_made(&self, _: &Mailbox) -> Result<(), NoMailbox> {
        Ok(())
    }

    fn delivered(&self, _: &Mailbox, _: Option<u64>) {}

    fn failed(&self, _: &Mailbox, _: Mono) {}
}

fn recipient(target: Mailbox) -> Recipient {
    Recipient {
        origin: target.clone(),
        target,
        original: None,
        notify: None,
    }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).unwrap()
}

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        received_at: RealClock.unix(),
        reverse_path: ReversePath::Mailbox(mailbox("me@sender.test")),
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: String::new(),
        recipients: recipients.iter().map(|to| recipient(mailbox(to))).collect(),
        trace: Bytes::new(),
        edits: Vec::new(),
        facts: Facts {
            size: OCTETS.len() as u64,
            ..Facts::default()
        },
    }
}

async fn commit(store: &MemoryStore, envelope: Envelope) -> Leased {
    let now = envelope.received_at;
    let mut staged = store.stage(now).await.unwrap();
    staged.append(Bytes::from_static(OCTETS)).await.unwrap();
    let until = now + Duration::from_secs(300);
    staged
        .commit_durably(Arc::new(envelope), until)
        .await
        .unwrap()
}

/// What is in the queue: the message, and the text of each notice.
async fn queue(store: &MemoryStore) -> (Option<Entry>, Vec<String>) {
    let (mut message, mut notices) = (None, Vec::new());
    for entry in store.page(None, 100).await.unwrap() {
        if entry.envelope.reverse_path != ReversePath::Null {
            message = Some(entry);
            continue;
        }
        let octets = store.body(entry.id, 0, 100_000).await.unwrap();
        notices.push(String::from_utf8(octets.to_vec()).unwrap());
    }
    (message, notices)
}

/// Waits until the queue is so, and gives the notices in it.
async fn until(
    store: &MemoryStore,
    is_so: impl Fn(Option<&Entry>, &[String]) -> bool,
) -> Vec<String> {
    let wait = async {
        loop {
            let (message, notices) = queue(store).await;
            if is_so(message.as_ref(), &notices) {
                return notices;
            }
            tasks::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tasks::timeout(Duration::from_secs(30), wait).await;
    match waited {
        Ok(notices) => notices,
        Err(_) => panic!("{:#?}", queue(store).await),
    }
}

/// Of whom a notice tells.
fn told(notice: &str) -> Vec<&str> {
    let field = "Final-Recipient: rfc822; ";
    notice
        .lines()
        .filter_map(|line| line.strip_prefix(field))
        .collect()
}

/// Runs the loop while `work` looks at the store.
fn running<F, W>(work: W)
where
    F: Future<Output = ()>,
    W: FnOnce(Arc<MemoryStore>, tokio::sync::mpsc::Sender<Leased>, Refuser, Ahead) -> F,
{
    let (refuser, clock, store) = (
        Refuser::start(),
        Ahead::default(),
        Arc::new(MemoryStore::new()),
    );
    let disk = SimDisk::new(1);
    let name = HeloName::parse("mail.example.org", &Limits::default()).unwrap();
    let deliverer = Deliverer {
        store: store.clone(),
        maildirs: Maildirs::open(disk, std::path::Path::new("/mail")).unwrap(),
        peers: Peers::new(Settings::new(name), clock.clone()),
        on_demand: OnDemand::new(Timeouts::default(), clock.clone()),
        next_hops: Ways(refuser.address),
        clock: clock.clone(),
        chance: Chance::from_seed(1),
        patience: Arc::new(ArcSwap::from_pointee(Patience {
            lease: Duration::from_secs(20),
            ..Patience::default()
        })),
        notices: Notices {
            host_name: "mail.example.org".to_owned(),
            return_at_most: 1000,
        },
    };
    let pace = Pace {
        poll: Duration::from_millis(10),
        ..Pace::default()
    };
    tasks::run(1, async {
        let (sender, fresh) = tokio::sync::mpsc::channel(1);
        let (drain, draining) = tokio::sync::oneshot::channel::<()>();
        // On a thread of its own: this one is held up now and then.
        let runner = tasks::spread(
            0,
            Runner::new(deliverer, pace).run(fresh, async {
                let _ = draining.await;
            }),
        );
        work(store, sender, refuser, clock).await;
        assert!(drain.send(()).is_ok());
        assert!(runner.await.is_ok());
    })
    .unwrap();
}

fn has_failed(message: Option<&Entry>, ix: usize) -> bool {
    matches!(
        message.map(|entry| &entry.state.lives[ix]),
        Some(Life::Failed {
            notice: NoticeState::Owed,
            ..
        })
    )
}

#[test]
fn one_notice_tells_of_all_when_nothing_is_in_flight() {
    running(async |store, sender, refuser, _clock| {
        let leased = commit(&store, envelope(&["a@fast.test", "b@slow.test"])).await;
        sender.send(leased).await.unwrap();
        let notices = until(&store, |message, _| has_failed(message, 0)).await;
        assert_eq!(notices.len(), 0);
        // It is in flight, and so the notice waits.
        refuser.waits.recv_timeout(Duration::from_secs(30)).unwrap();
        tasks::sleep(Duration::from_millis(100)).await;
        assert_eq!(queue(&store).await.1.len(), 0);
        refuser.let_go.store(true, Ordering::SeqCst);
        let notices = until(&store, |message, _| message.is_none()).await;
        assert_eq!(notices.len(), 1);
        assert_eq!(told(&notices[0]), ["a@fast.test", "b@slow.test"]);
    });
}

#[test]
fn after_five_minutes_a_notice_waits_for_nobody_and_tells_of_nobody_twice() {
    running(async |store, sender, refuser, clock| {
        let leased = commit(&store, envelope(&["a@fast.test", "b@slow.test"])).await;
        sender.send(leased).await.unwrap();
        refuser.waits.recv_timeout(Duration::from_secs(30)).unwrap();
        until(&store, |message, _| has_failed(message, 0)).await;
        clock.0.store(290, Ordering::SeqCst);
        tasks::sleep(Duration::from_millis(100)).await;
        assert_eq!(queue(&store).await.1.len(), 0);
        // The first look at its lease after the five minutes.
        clock.0.store(320, Ordering::SeqCst);
        let notices = until(&store, |_, notices| !notices.is_empty()).await;
        assert_eq!(told(&notices[0]), ["a@fast.test"]);
        refuser.let_go.store(true, Ordering::SeqCst);
        let notices = until(&store, |message, _| message.is_none()).await;
        let all: Vec<Vec<&str>> = notices.iter().map(|notice| told(notice)).collect();
        assert_eq!(all, [["a@fast.test"], ["b@slow.test"]]);
    });
}

#[test]
fn a_notice_that_the_store_does_not_take_is_made_once_when_it_does() {
    running(async |store, sender, refuser, _clock| {
        refuser.let_go.store(true, Ordering::SeqCst);
        let leased = commit(&store, envelope(&["a@fast.test", "b@slow.test"])).await;
        store.set_pressure(Pressure::ReadOnly);
        sender.send(leased).await.unwrap();
        tasks::sleep(Duration::from_millis(500)).await;
        store.set_pressure(Pressure::None);
        let notices = until(&store, |message, _| message.is_none()).await;
        assert_eq!(notices.len(), 1);
        assert_eq!(told(&notices[0]), ["a@fast.test", "b@slow.test"]);
    });
}

#[test]
fn what_is_owed_since_before_a_crash_is_told_once() {
    running(async |store, _sender, _refuser, clock| {
        let envelope = envelope(&["a@fast.test", "b@fast.test"]);
        let leased = commit(&store, envelope.clone()).await;
        let failed = |ix| {
            let report = Report::plain("no way");
            let outcome = Outcome::failed(&envelope, RecipientIx(ix), report);
            (RecipientIx(ix), outcome)
        };
        assert_eq!(
            owes(&envelope, RecipientIx(0), Action::Failed),
            NoticeState::Owed
        );
        let outcomes = [failed(0), failed(1)];
        let settled = store
            .settle(&leased.lease, &outcomes, None, clock.unix())
            .await;
        assert!(settled.is_ok_and(|settled| settled.notice.is_none()));
        store.release(leased.lease).await.unwrap();
        let notices = until(&store, |message, _| message.is_none()).await;
        assert_eq!(notices.len(), 1);
        assert_eq!(told(&notices[0]), ["a@fast.test", "b@fast.test"]);
    });
}
