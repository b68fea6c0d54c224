//! A server to be tested: settings that a test can change, and what came of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use ipnet::IpNet;
use postroad_directory::users::PasswordFile;
use postroad_directory::{Customers, Directory, LocalDomain, Mailboxes, Quotas, Routes, Usage};
use postroad_host::chance::Chance;
use postroad_host::clock::RealClock;
use postroad_host::dns::Resolver;
use postroad_host::net::Listener;
use postroad_host::tasks;
use postroad_host::tls::Acceptor;
use postroad_policy::ConnectionLimits;
use postroad_reply::QueueId;
use postroad_server::{
    Budget, Counter, Counts, Delivery, Limits, ListenerSettings, LoginGuard, QueueRuns, Rules,
    Sent, Server, Services, Turned, Work,
};
use postroad_session::server::Settings;
use postroad_store::{Entry, Leased, MemoryStore, QueueStore};
use postroad_wire::address::{self, Domain, LocalPart, Mailbox};
use tokio::sync::mpsc;

use crate::client::Client;

/// How long any test may take.
const AT_MOST: Duration = Duration::from_secs(40);
/// What each message takes of the budget.
pub(crate) const SHARE: u32 = 64 * 1024;

/// Runs a test, within bounded time.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let bounded = tasks::timeout(AT_MOST, test);
    tasks::run(2, bounded)
        .unwrap()
        .expect("the test takes too long");
}

/// Waits until something has become true.
pub(crate) async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_true() {
            return;
        }
        tasks::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &address::Limits::default()).unwrap()
}

pub(crate) fn local(text: &str) -> LocalPart {
    LocalPart::parse(text, &address::Limits::default()).unwrap()
}

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text, &address::Limits::default()).unwrap()
}

/// The usual directory: `mx.example` has mailboxes `ada` and `bob`, and the alias `both`; `new.example` makes any
/// mailbox. An alias `nowhere` is broken.
fn directory() -> Directory {
    let listed = LocalDomain {
        name: domain("mx.example"),
        mailboxes: vec![local("ada"), local("bob")],
        aliases: vec![
            (
                local("both"),
                vec![mailbox("bob@mx.example"), mailbox("ada@mx.example")],
            ),
            (local("nowhere"), vec![mailbox("gone@mx.example")]),
        ],
        create_mailboxes: false,
        recipient_delimiter: Some('+'),
        moved: Vec::new(),
        quotas: Quotas::default(),
    };
    let made = LocalDomain {
        name: domain("new.example"),
        mailboxes: Vec::new(),
        aliases: Vec::new(),
        create_mailboxes: true,
        recipient_delimiter: None,
        moved: Vec::new(),
        quotas: Quotas::default(),
    };
    Directory::new(vec![listed, made], None, Routes::default()).0
}

/// Nobody delivers what is accepted here.
#[derive(Debug)]
struct NoDelivery;

impl Delivery for NoDelivery {
    fn changed(&self, _: QueueId) {}

    fn retried(&self) {}

    fn serve(&self, turned: Turned) -> Work<usize> {
        // It hangs up.
        drop(turned);
        Box::pin(std::future::ready(0))
    }
}

/// What a server is started with.
pub(crate) struct Plan<S> {
    pub(crate) store: S,
    pub(crate) session: Settings,
    pub(crate) limits: Limits,
    pub(crate) directory: Directory,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) customers: Customers,
    pub(crate) trusted_networks: Vec<IpNet>,
    pub(crate) rules: Rules,
    pub(crate) tls: Option<Acceptor>,
    pub(crate) passwords: Option<Arc<PasswordFile>>,
    /// In octets.
    pub(crate) body_budget: usize,
    /// In octets.
    pub(crate) envelope_budget: usize,
    /// How many fresh leases wait.
    pub(crate) fresh: usize,
}

impl Plan<MemoryStore> {
    pub(crate) fn new() -> Plan<MemoryStore> {
        Plan::with_store(MemoryStore::new())
    }
}

impl<S: QueueStore + Clone> Plan<S> {
    pub(crate) fn with_store(store: S) -> Plan<S> {
        Plan {
            store,
            session: Settings::new(domain("mx.example")),
            limits: Limits {
                connections: ConnectionLimits {
                    total: 1000,
                    per_address: 1000,
                    per_network: 1000,
                },
                hops: 100,
                body_in_memory: SHARE,
                lease: Duration::from_secs(60),
                room: Duration::from_secs(60),
                write: Duration::from_secs(10),
                handshake: Duration::from_secs(10),
            },
            directory: directory(),
            mailboxes: Mailboxes::new(2, []),
            customers: Customers::default(),
            trusted_networks: Vec::new(),
            rules: Rules::default(),
            tls: None,
            passwords: None,
            body_budget: 1000 * SHARE as usize,
            envelope_budget: 64 << 20,
            fresh: 1000,
        }
    }

    /// Starts it on a port of its own.
    pub(crate) fn start(self) -> Stand<S> {
        let (fresh_to, fresh) = mpsc::channel(self.fresh);
        let store = self.store.clone();
        let mailboxes = self.mailboxes.clone();
        let services = Services {
            store: Arc::new(self.store),
            fresh: fresh_to,
            mailboxes: self.mailboxes,
            host_name: self.session.host_name.clone(),
            settings: Arc::new(ArcSwap::from_pointee(postroad_server::Settings {
                directory: Arc::new(self.directory),
                customers: self.customers,
                trusted_networks: self.trusted_networks,
                rules: self.rules,
                tls: self.tls,
                passwords: self.passwords,
                listeners: vec![ListenerSettings {
                    session: Arc::new(self.session),
                }],
                limits: self.limits,
            })),
            counter: Counter::new(Empty),
            sent: Sent::default(),
            sent_to_terminals: Sent::default(),
            resolver: Arc::new(Resolver::new(&[])),
            clock: Arc::new(RealClock),
            body_budget: Budget::new(self.body_budget),
            envelope_budget: Budget::new(self.envelope_budget),
            delivery: Arc::new(NoDelivery),
            queue_runs: QueueRuns::default(),
            login_guard: LoginGuard::new(1, [0; 32], Chance::from_seed(0)),
        };
        // On all of loopback, so that clients may come from other addresses of it.
        let listener = Listener::bind((Ipv4Addr::UNSPECIFIED, 0).into(), 1024).unwrap();
        let port = listener.local_address().unwrap().port();
        let services = Arc::new(services);
        let server = Server::default();
        server.accept(vec![(0, listener)], &services);
        Stand {
            server,
            services,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            store,
            mailboxes,
            fresh,
        }
    }
}

/// Mailboxes with nothing in them.
#[derive(Debug)]
struct Empty;

impl Counts for Empty {
    fn held(&self, _: &Mailbox) -> std::io::Result<Usage> {
        Ok(Usage::default())
    }
}

/// A server that runs.
pub(crate) struct Stand<S> {
    pub(crate) server: Server,
    pub(crate) services: Arc<Services<S>>,
    pub(crate) address: SocketAddr,
    pub(crate) store: S,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) fresh: mpsc::Receiver<Leased>,
}

impl<S: QueueStore> Stand<S> {
    /// A client that has been greeted.
    pub(crate) async fn connected(&self) -> Client {
        let mut client = Client::connect(self.address).await;
        let greeting = client.reply().await;
        assert!(greeting.starts_with("220 mx.example ESMTP"), "{greeting}");
        client
    }

    /// A client that has said EHLO.
    pub(crate) async fn greeted(&self) -> Client {
        let mut client = self.connected().await;
        let reply = client.say("EHLO client.example").await;
        assert!(reply.starts_with("250-mx.example"), "{reply}");
        client
    }

    /// A client with one accepted recipient.
    pub(crate) async fn with_recipient(&self) -> Client {
        let mut client = self.greeted().await;
        client.expect("MAIL FROM:<me@client.example>", "250 ").await;
        client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
        client
    }

    /// A client in the midst of a message, that has sent its first line.
    pub(crate) async fn in_data(&self) -> Client {
        let mut client = self.with_recipient().await;
        client.expect("DATA", "354 ").await;
        client.send(b"Subject: first line\r\n").await;
        client
    }

    /// What is in the queue.
    pub(crate) async fn queued(&self) -> Vec<Entry> {
        self.store.page(None, 10_000).await.unwrap()
    }

    /// The received octets of one message.
    pub(crate) async fn octets(&self, entry: &Entry) -> Bytes {
        self.store.body(entry.id, 0, usize::MAX).await.unwrap()
    }

    /// Waits until every connection has ended and given back what it held.
    pub(crate) async fn is_empty(&self) {
        until("the server is empty", || {
            let remaining = self.server.remaining();
            remaining.connections == 0 && remaining.receiving == 0
        })
        .await;
    }

    /// How much of the budget for message data is free.
    pub(crate) fn free_budget(&self) -> usize {
        self.services.body_budget.free()
    }

    /// How much of the budget for envelopes is free.
    pub(crate) fn free_for_envelopes(&self) -> usize {
        self.services.envelope_budget.free()
    }

    /// A client is served, whatever others have done.
    pub(crate) async fn still_serves(&self) {
        let before = self.queued().await.len();
        let mut client = self.in_data().await;
        client.expect("\r\nstill here\r\n.", "250 ").await;
        client.expect("QUIT", "221 ").await;
        client.ends().await;
        assert_eq!(self.queued().await.len(), before + 1);
    }
}
