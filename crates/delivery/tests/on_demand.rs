//! Mail that waits until its owner comes for it, over a connection whose other end the test plays.

#![allow(
    clippy::disallowed_methods,
    reason = "the other end is a test's, and has its own time"
)]

use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use postroad_clock::{Mono, UnixMs};
use postroad_delivery::peer::{Peers, Settings, Timeouts};
use postroad_delivery::{
    Call, Deliverer, Maildirs, NextHop, NextHops, NoMailbox, Notices, OnDemand, Pace, Patience,
    Runner,
};
use postroad_directory::{Called, Customer, Customers, RouteFor, Told};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::sim::SimDisk;
use postroad_host::tasks;
use postroad_message::Facts;
use postroad_queue::{Amendment, ClientTrace, Envelope, Life, Peer, Recipient, RouteKey};
use postroad_reply::QueueId;
use postroad_session::client::{self, ClientSession};
use postroad_store::memory::MemoryStore;
use postroad_store::{Entry, Leased, QueueStore, Staged};
use postroad_wire::address::{Domain, HeloName, Limits, Mailbox, ReversePath};
use postroad_wire::command::{DeliveryKind, Node};
use postroad_wire::parameter::BodyType;
use postroad_wire::peer::Protocol;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::{mpsc, oneshot};

/// How long any test may take.
const AT_MOST: Duration = Duration::from_secs(30);

/// What each message is.
const OCTETS: &[u8] = b"Subject: x\r\n\r\nhello\r\n";

/// All mail is held, and nobody has a mailbox.
#[derive(Debug, Clone)]
struct Held;

impl NextHops for Held {
    fn next_hop(&self, route: &RouteKey) -> NextHop {
        NextHop::OnDemand {
            domain: Arc::clone(&route.0),
        }
    }

    fn notice_to(&self, reverse_path: &Mailbox) -> Vec<Recipient> {
        vec![recipient(reverse_path.clone())]
    }

    fn may_be_made(&self, _: &Mailbox) -> Result<(), NoMailbox> {
        Err(NoMailbox::Unknown)
    }

    fn delivered(&self, _: &Mailbox, _: Option<u64>) {}

    fn failed(&self, _: &Mailbox, _: Mono) {}
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).expect("the test wrote a mailbox")
}

fn recipient(target: Mailbox) -> Recipient {
    Recipient {
        origin: target.clone(),
        target,
        original: None,
        notify: None,
    }
}

/// A running delivery.
struct Stand {
    store: Arc<MemoryStore>,
    on_demand: OnDemand<RealClock>,
    fresh: mpsc::Sender<Leased>,
    _stop: oneshot::Sender<()>,
}

/// Runs a test with a delivery, in bounded time.
fn with_stand<F: Future<Output = ()>>(test: impl FnOnce(Stand) -> F) {
    let work = async {
        let store = Arc::new(MemoryStore::new());
        let timeouts = Timeouts::default();
        let on_demand = OnDemand::new(timeouts, RealClock);
        let name = HeloName::parse("mail.example.org", &Limits::default()).expect("a name");
        let disk = SimDisk::new(1);
        let deliverer = Deliverer {
            store: Arc::clone(&store),
            maildirs: Maildirs::open(disk, "/mail".as_ref()).expect("it works"),
            peers: Peers::new(Settings::new(name), RealClock),
            on_demand: on_demand.clone(),
            next_hops: Held,
            clock: RealClock,
            chance: Chance::from_seed(1),
            patience: Arc::new(ArcSwap::from_pointee(Patience::default())),
            notices: Notices {
                host_name: "mail.example.org".to_owned(),
                return_at_most: 1000,
            },
        };
        let pace = Pace {
            poll: Duration::from_millis(10),
            ..Pace::default()
        };
        let runner = Runner::new(deliverer, pace);
        let (fresh, leased) = mpsc::channel(100);
        let (stop, stopped) = oneshot::channel();
        tasks::spawn(runner.run(leased, async {
            let _ = stopped.await;
        }));
        let stand = Stand {
            store,
            on_demand,
            fresh,
            _stop: stop,
        };
        tasks::timeout(AT_MOST, test(stand)).await
    };
    tasks::run(2, work)
        .expect("a runtime")
        .expect("it takes too long");
}

impl Stand {
    /// Accepts a message, and gives it to the delivery.
    async fn accept(&self, to: &[&str], received_at: UnixMs) -> QueueId {
        let envelope = Envelope {
            received_at,
            reverse_path: ReversePath::Mailbox(mailbox("me@example.net")),
            body_type: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            client: ClientTrace::default(),
            priority: 0,
            delivery: DeliveryKind::Mailbox,
            sender_key: String::new(),
            recipients: to.iter().map(|to| recipient(mailbox(to))).collect(),
            trace: Bytes::from_static(b"Received: a trace\r\n"),
            edits: Vec::new(),
            facts: Facts {
                size: OCTETS.len() as u64,
                ..Facts::default()
            },
        };
        let now = RealClock.unix();
        let mut staged = self.store.stage(now).await.expect("there is room");
        let octets = Bytes::from_static(OCTETS);
        staged.append(octets).await.expect("there is room");
        let until = now + Duration::from_secs(300);
        let leased = staged.commit_durably(Arc::new(envelope), until).await;
        let leased = leased.expect("there is room");
        let id = leased.lease.id;
        self.fresh.send(leased).await.expect("the loop runs");
        id
    }

    async fn entries(&self) -> Vec<Entry> {
        self.store.page(None, 100).await.expect("it is in memory")
    }

    /// Waits until the queue is as it should be.
    async fn until(&self, what: &str, is_so: impl Fn(&[Entry]) -> bool) {
        for _ in 0..1000 {
            if is_so(&self.entries().await) {
                return;
            }
            tasks::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}: {:?}", self.entries().await);
    }

    /// Waits until a message waits for its owner.
    async fn is_held(&self, id: QueueId) {
        let waits = |entry: &Entry| entry.id == id && waits(&entry.state.lives[0], 0);
        self.until("it is held", |entries| entries.iter().any(waits))
            .await;
    }

    /// Its owner comes for these messages, and says `script`: what it hears and says by turns. How many
    /// were tried.
    async fn comes_for(&self, domain: &str, wanted: Vec<QueueId>, script: Vec<Turn>) -> usize {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let name = HeloName::parse("mail.example.org", &Limits::default()).expect("a name");
        let timeouts = client::Timeouts::default();
        let call = Call {
            connection: Box::new(ours),
            session: ClientSession::new(Protocol::Smtp, name, timeouts, RealClock.mono()),
            peer: Peer::new("home.example", None),
            called: called(domain),
            wanted: wanted.clone(),
        };
        let store = Arc::clone(&self.store);
        let begin = async move {
            for id in wanted {
                let now = RealClock.unix();
                let amended = store.amend(id, Amendment::RetryNow, now).await;
                amended.expect("it is there");
            }
        };
        let served = self.on_demand.serve(call, begin, pending());
        let (tried, ()) = tokio::join!(served, play(theirs, script));
        tried
    }
}

/// Whether a recipient waits, tried so often, and not due for a while.
fn waits(life: &Life, tried: u32) -> bool {
    let later = RealClock.unix() + Duration::from_secs(600);
    matches!(life, Life::Pending { attempts, due, last: Some(report), .. }
        if *attempts == tried && *due > later && report.words().contains("calls for it"))
}

fn called(domain: &str) -> Called {
    let domain = Domain::parse(domain, &Limits::default()).expect("a domain");
    let customers = Customers::new([Customer {
        name: "home".into(),
        domains: vec![RouteFor::Domain(domain.clone())],
        networks: vec!["127.0.0.1/32".parse().expect("a network")],
        identities: Vec::new(),
        told: Told::default(),
    }]);
    let here = "127.0.0.1".parse().expect("an address");
    let called = customers.node(&Node::Domain(domain), here, &[]);
    called.expect("the domain is the customer's")
}

/// What the other end does next.
enum Turn {
    Says(&'static str),
    /// A line that begins so, after any others.
    Hears(&'static str),
    Leaves,
}
use Turn::{Hears, Leaves, Says};

async fn play(end: DuplexStream, script: Vec<Turn>) {
    let mut end = BufReader::new(end);
    for turn in script {
        match turn {
            Says(line) => {
                let line = format!("{line}\r\n");
                end.write_all(line.as_bytes()).await.expect("it is read");
            }
            Hears(beginning) => loop {
                let mut line = String::new();
                let read = end.read_line(&mut line).await.expect("it is written");
                assert!(read > 0, "the end came before {beginning:?}");
                if line.starts_with(beginning) {
                    break;
                }
            },
            Leaves => return,
        }
    }
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut end, &mut rest).await;
    assert_eq!(String::from_utf8_lossy(&rest), "", "nothing more is said");
}

/// Opening, then one message.
fn takes_one(to: &'static str) -> Vec<Turn> {
    vec![
        Says("220 home.example"),
        Hears("EHLO mail.example.org"),
        Says("250 home.example"),
        Hears("MAIL FROM:<me@example.net>"),
        Says("250 ok"),
        Hears(to),
        Says("250 ok"),
        Hears("DATA"),
        Says("354 go"),
        Hears("."),
        Says("250 taken"),
    ]
}

#[test]
fn mail_is_held_without_attempts_until_its_owner_comes() {
    with_stand(|stand| async move {
        let now = RealClock.unix();
        let id = stand.accept(&["ada@home.example"], now).await;
        let other = stand.accept(&["bob@office.example"], now).await;
        stand.is_held(id).await;
        stand.is_held(other).await;

        let mut script = takes_one("RCPT TO:<ada@home.example>");
        script.extend([Hears("QUIT"), Says("221 bye")]);
        assert_eq!(stand.comes_for("home.example", vec![id], script).await, 1);
        stand
            .until("it is gone", |entries| entries.len() == 1)
            .await;
        stand.is_held(other).await;
    });
}

#[test]
fn a_message_that_comes_while_the_line_is_open_goes_as_well() {
    with_stand(|stand| async move {
        let now = RealClock.unix();
        let first = stand.accept(&["ada@home.example"], now).await;
        stand.is_held(first).await;
        let mut script = vec![
            Says("220 home.example"),
            Hears("EHLO mail.example.org"),
            Says("250 home.example"),
            Hears("MAIL FROM:<me@example.net>"),
            Says("250 ok"),
            Hears("RCPT TO:<ada@home.example>"),
        ];
        let (tried, ()) = tokio::join!(
            stand.comes_for("home.example", vec![first], {
                script.extend([
                    Says("250 ok"),
                    Hears("DATA"),
                    Says("354 go"),
                    Hears("."),
                    Says("250 taken"),
                    Hears("MAIL FROM:<me@example.net>"),
                    Says("250 ok"),
                    Hears("RCPT TO:<eve@home.example>"),
                    Says("250 ok"),
                    Hears("DATA"),
                    Says("354 go"),
                    Hears("."),
                    Says("250 taken"),
                    Hears("QUIT"),
                    Says("221 bye"),
                ]);
                script
            }),
            async {
                tasks::sleep(Duration::from_millis(200)).await;
                stand.accept(&["eve@home.example"], now).await;
            }
        );
        assert_eq!(tried, 1);
        stand.until("all are gone", <[Entry]>::is_empty).await;
    });
}

#[test]
fn what_was_not_taken_when_the_line_is_lost_waits_for_the_next_one() {
    with_stand(|stand| async move {
        let now = RealClock.unix();
        let id = stand.accept(&["ada@home.example"], now).await;
        stand.is_held(id).await;
        let mut script = takes_one("RCPT TO:<ada@home.example>");
        script.truncate(9);
        script.push(Leaves);
        stand.comes_for("home.example", vec![id], script).await;
        let lost =
            |entry: &Entry| matches!(&entry.state.lives[0], Life::Pending { attempts: 1, .. });
        stand
            .until("an attempt was made", |entries| entries.iter().any(lost))
            .await;

        let mut script = takes_one("RCPT TO:<ada@home.example>");
        script.extend([Hears("QUIT"), Says("221 bye")]);
        assert_eq!(stand.comes_for("home.example", vec![id], script).await, 1);
        stand.until("it is gone", <[Entry]>::is_empty).await;
    });
}

#[test]
fn who_comes_and_is_not_ready_gets_nothing() {
    with_stand(|stand| async move {
        let id = stand.accept(&["ada@home.example"], RealClock.unix()).await;
        stand.is_held(id).await;
        let script = vec![Says("554 not today"), Leaves];
        assert_eq!(stand.comes_for("home.example", vec![id], script).await, 0);
        stand.is_held(id).await;
    });
}

#[test]
fn nobody_is_waited_for_longer_than_it_is_worth() {
    with_stand(|stand| async move {
        // What is wanted is another's, or gone: there is nothing to send.
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let name = HeloName::parse("mail.example.org", &Limits::default()).expect("a name");
        let timeouts = client::Timeouts::default();
        let call = Call {
            connection: Box::new(ours),
            session: ClientSession::new(Protocol::Smtp, name, timeouts, RealClock.mono()),
            peer: Peer::new("home.example", None),
            called: called("home.example"),
            wanted: vec![QueueId(1)],
        };
        let served = stand.on_demand.serve(call, ready(()), ready(()));
        let script = vec![
            Says("220 home.example"),
            Hears("EHLO"),
            Says("250 home.example"),
            Hears("QUIT"),
            Says("221 bye"),
        ];
        let (tried, ()) = tokio::join!(served, play(theirs, script));
        assert_eq!(tried, 0);
    });
}

#[test]
fn held_mail_is_given_up_when_its_time_is_over() {
    with_stand(|stand| async move {
        let long_ago = UnixMs(RealClock.unix().0 - 6 * 24 * 60 * 60 * 1000);
        let id = stand.accept(&["ada@home.example"], long_ago).await;
        // Its sender is told, by a message that is held as well.
        stand
            .until("only the notice is left", |entries| {
                entries.len() == 1
                    && entries[0].id != id
                    && matches!(entries[0].envelope.reverse_path, ReversePath::Null)
            })
            .await;
    });
}
