//! A server around a queue in memory, and a client of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_control::api::{Came, Collection, Health, Message, Page, Place, Reloaded, Site};
use postroad_control::socket::Socket;
use postroad_control::{Client, Control, Filter, Server, Sites};
use postroad_host::tasks;
use postroad_message::Facts;
use postroad_queue::{
    ClientTrace, Envelope, Life, NoticeState, Outcome, Peer, Recipient, RecipientIx, Report,
    RouteKey,
};
use postroad_reply::{QueueId, TransactionId};
use postroad_store::{Leased, MemoryStore, QueueStore, Staged, commit};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;

/// The present of every test.
pub(crate) const NOW: UnixMs = UnixMs(1_795_500_000_000);

/// So many seconds before it.
pub(crate) fn ago(seconds: u64) -> UnixMs {
    UnixMs(NOW.0 - seconds * 1000)
}

/// What the routes are put around.
pub(crate) struct Stand {
    pub(crate) store: MemoryStore,
    /// What the delivery was told of.
    pub(crate) changed: Mutex<Vec<QueueId>>,
    /// How often it was told that messages were made due.
    pub(crate) retried: AtomicUsize,
    /// What the answers to `ready` and `reload` are.
    pub(crate) answer: Mutex<Result<(), String>>,
}

impl Sites for Stand {
    fn given_up_after(&self) -> Duration {
        Duration::from_secs(5 * 86_400)
    }

    fn site(&self, target: &Mailbox, redirect: Option<&RouteKey>) -> String {
        match redirect {
            Some(route) => route.0.to_string(),
            None => format!("smtp://mx.{}:25", target.host),
        }
    }
}

impl Server for Stand {
    type Store = MemoryStore;

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn now(&self) -> UnixMs {
        NOW
    }

    async fn sites(&self) -> Vec<Site> {
        vec![Site {
            site: "smtp://mx.example.net:25".into(),
            window: 5,
            under_way: 1,
            waiting: 70,
            last_error: Some("no connection".into()),
            paused_until: None,
        }]
    }

    fn collections(&self) -> Vec<Collection> {
        vec![Collection {
            name: "provider".into(),
            provider: "mx.provider.example:366".into(),
            busy: false,
            messages: 3,
            failures: 1,
            last: Some("2026-11-30T12:00:00Z".into()),
            last_error: Some("AUTH was refused: 535 no".into()),
            next: None,
        }]
    }

    async fn collect(&self, name: &str) -> Option<Came> {
        (name == "provider").then(|| Came {
            name: name.into(),
            ok: true,
            messages: 2,
            said: "2 messages".into(),
        })
    }

    fn health(&self) -> Health {
        let problem = self.answer.lock().unwrap().clone().err();
        Health {
            ok: problem.is_none(),
            problems: problem.into_iter().collect(),
            version: "1.2.3".into(),
            queued: 0,
            uptime: 10,
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.answer.lock().unwrap().clone()
    }

    async fn metrics(&self) -> String {
        "# EOF\n".into()
    }

    async fn reload(&self) -> Result<Reloaded, String> {
        let answer = self.answer.lock().unwrap().clone();
        answer.map(|()| Reloaded {
            changed: vec!["limits.hops".into()],
        })
    }

    fn changed(&self, id: QueueId) {
        self.changed.lock().unwrap().push(id);
    }

    fn retried(&self) {
        self.retried.fetch_add(1, Ordering::SeqCst);
    }
}

/// A served stand with a client.
pub(crate) struct Served {
    pub(crate) stand: Arc<Stand>,
    pub(crate) client: Client,
    pub(crate) socket: PathBuf,
    _folder: tempfile::TempDir,
}

/// Runs a test with a runtime, a served queue and a client.
pub(crate) fn with_server<F: Future<Output = ()>>(test: impl FnOnce(Served) -> F) {
    let whole = async {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let stand = Arc::new(Stand {
            store: MemoryStore::new(),
            changed: Mutex::default(),
            retried: AtomicUsize::new(0),
            answer: Mutex::new(Ok(())),
        });
        let routes = Control::new(Arc::clone(&stand)).router();
        let listening = Socket::bind(&socket).unwrap();
        tasks::spawn(listening.serve(routes, std::future::pending()));
        let client = Client::connect(&socket).await.unwrap();
        test(Served {
            stand,
            client,
            socket,
            _folder: folder,
        })
        .await;
    };
    let limited = tasks::timeout(Duration::from_secs(60), whole);
    tasks::run(1, limited).unwrap().unwrap();
}

impl Served {
    /// All messages that match, page by page.
    pub(crate) async fn all(
        &mut self,
        filter: &Filter,
        most: Option<usize>,
    ) -> (Vec<Message>, Vec<Page>) {
        let mut place = Place { cursor: None, most };
        let (mut messages, mut pages) = (Vec::new(), Vec::new());
        loop {
            let page = self.client.page(filter, &place).await.unwrap();
            messages.extend(page.messages.clone());
            place.cursor = page.next.clone();
            pages.push(page);
            if place.cursor.is_none() {
                return (messages, pages);
            }
        }
    }

    /// The ids of all messages that match.
    pub(crate) async fn ids(&mut self, filter: Filter) -> Vec<String> {
        let (messages, _) = self.all(&filter, None).await;
        messages.into_iter().map(|message| message.id).collect()
    }

    /// A message as it is now.
    pub(crate) async fn show(&mut self, id: QueueId) -> Message {
        self.client.show(&id.to_string()).await.unwrap()
    }
}

impl Stand {
    /// Commits a message that was received then; leased from then on.
    pub(crate) async fn put(
        &self,
        sender: &str,
        recipients: &[&str],
        received_at: UnixMs,
    ) -> Leased {
        let mut staged = self.store.stage(received_at).await.unwrap();
        staged
            .append(Bytes::from_static(b"hello\r\n"))
            .await
            .unwrap();
        let envelope = Arc::new(envelope(sender, recipients, received_at));
        let until = NOW + Duration::from_secs(300);
        let transaction = TransactionId(1);
        let (_, leased) = commit(staged, transaction, envelope, until).await.unwrap();
        leased
    }

    /// The same, and nobody has it.
    pub(crate) async fn queue(
        &self,
        sender: &str,
        recipients: &[&str],
        received_at: UnixMs,
    ) -> QueueId {
        let leased = self.put(sender, recipients, received_at).await;
        let id = leased.lease.id;
        self.store.release(leased.lease).await.unwrap();
        id
    }

    /// The same, deferred once for all its recipients, with what a peer replied.
    pub(crate) async fn defer(
        &self,
        sender: &str,
        recipients: &[&str],
        received_at: UnixMs,
        reply: &str,
    ) -> QueueId {
        let leased = self.put(sender, recipients, received_at).await;
        let id = leased.lease.id;
        let outcome = Outcome::Deferred {
            attempt: 1,
            due: NOW + Duration::from_secs(90),
            report: said(reply),
            notice: NoticeState::Unwanted,
        };
        self.settle(leased, |_| outcome.clone(), received_at).await;
        id
    }

    /// Settles all recipients and ends the lease.
    pub(crate) async fn settle(
        &self,
        leased: Leased,
        outcome: impl Fn(&Life) -> Outcome,
        at: UnixMs,
    ) {
        let lives = leased.lives.iter().zip(0u32..);
        let outcomes: Vec<_> = lives
            .map(|(life, ix)| (RecipientIx(ix), outcome(life)))
            .collect();
        let settled = self.store.settle(&leased.lease, &outcomes, None, at).await;
        settled.unwrap();
        self.store.release(leased.lease).await.unwrap();
    }
}

/// What a peer replied.
pub(crate) fn said(reply: &str) -> Report {
    let address: SocketAddr = "192.0.2.25:25".parse().unwrap();
    let peer = Peer::new("mx.example.net", Some(address));
    Report::default().with_peer(peer).with_reply(reply)
}

fn envelope(sender: &str, recipients: &[&str], received_at: UnixMs) -> Envelope {
    let recipient = |address: &&str| Recipient {
        target: mailbox(address),
        origin: mailbox(address),
        original: None,
        notify: None,
    };
    Envelope {
        received_at,
        reverse_path: match sender {
            "" => ReversePath::Null,
            sender => ReversePath::Mailbox(mailbox(sender)),
        },
        body_type: BodyType::EightBitMime,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace {
            address: Some([192, 0, 2, 1].into()),
            hello: "client.example".into(),
            protocol: "ESMTP".into(),
        },
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: "client".into(),
        recipients: recipients.iter().map(recipient).collect(),
        trace: Bytes::new(),
        edits: Vec::new(),
        facts: Facts {
            size: 7,
            ..Facts::default()
        },
    }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).unwrap()
}
