//! A loop with a store that fails as it is told, next hops that take, refuse or are silent, and a count of what
//! each recipient got.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use postroad_clock::{Mono, UnixMs};
use postroad_delivery::peer::{Peers, Settings};
use postroad_delivery::{
    Deliverer, Handle, InFlight, Maildirs, NextHop, NextHops, NoMailbox, Notices, OnDemand, Pace,
    Patience, Runner,
};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::Disk;
use postroad_host::disk::sim::SimDisk;
use postroad_host::tasks::{self, Task};
use postroad_message::Facts;
use postroad_queue::scheduler::{Limits, Pause};
use postroad_queue::{
    Amendment, ClientTrace, Envelope, Outcome, Recipient, RecipientIx, RetryPlan, RouteKey,
};
use postroad_reply::QueueId;
use postroad_store::memory::{MemoryStaged, MemoryStore};
use postroad_store::{
    Claim, Entry, Lease, Leased, Notice, Pressure, QueueStore, Settled, Staged, Trouble,
};
use postroad_wire::address::{HeloName, Limits as AddressLimits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;
use tokio::sync::{mpsc, oneshot};

/// A store in memory that can be made to fail and to be slow, and counts what it is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) inner: MemoryStore,
    /// Settles fail, though the rest works.
    pub(crate) settles_fail: Arc<AtomicBool>,
    /// What was claimed is handed out so many milliseconds after it was leased.
    pub(crate) claims_take: Arc<AtomicU64>,
    /// Claims heed neither what is to be left alone nor how much of a route is wanted.
    pub(crate) claims_anything: Arc<AtomicBool>,
    pub(crate) claims: Arc<AtomicUsize>,
    /// The claims that leave something alone.
    pub(crate) skipping: Arc<AtomicUsize>,
    pub(crate) claimed: Arc<AtomicUsize>,
}

impl QueueStore for Store {
    type Staged = MemoryStaged;

    async fn stage(&self, now: UnixMs) -> Result<MemoryStaged, Trouble> {
        self.inner.stage(now).await
    }

    async fn claim(&self, mut claim: Claim) -> Result<Vec<Leased>, Trouble> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        let skips = usize::from(!claim.skip.is_empty());
        self.skipping.fetch_add(skips, Ordering::SeqCst);
        if self.claims_anything.load(Ordering::SeqCst) {
            claim.skip.clear();
            claim.per_route = usize::MAX;
        }
        let claimed = self.inner.claim(claim).await?;
        self.claimed.fetch_add(claimed.len(), Ordering::SeqCst);
        let take = self.claims_take.load(Ordering::SeqCst);
        if take > 0 && !claimed.is_empty() {
            tasks::sleep(Duration::from_millis(take)).await;
        }
        Ok(claimed)
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcomes: &[(RecipientIx, Outcome)],
        notice: Option<Notice>,
        now: UnixMs,
    ) -> Result<Settled, Trouble> {
        if self.settles_fail.load(Ordering::SeqCst) {
            return Err(Trouble::Failed("as the test wants it".to_owned()));
        }
        self.inner.settle(lease, outcomes, notice, now).await
    }

    async fn release(&self, lease: Lease) -> Result<(), Trouble> {
        self.inner.release(lease).await
    }

    async fn renew(&self, lease: &mut Lease, until: UnixMs) -> Result<(), Trouble> {
        self.inner.renew(lease, until).await
    }

    async fn amend(&self, id: QueueId, amendment: Amendment, now: UnixMs) -> Result<(), Trouble> {
        self.inner.amend(id, amendment, now).await
    }

    async fn body(&self, id: QueueId, offset: u64, most: usize) -> Result<Bytes, Trouble> {
        self.inner.body(id, offset, most).await
    }

    async fn page(&self, cursor: Option<QueueId>, most: usize) -> Result<Vec<Entry>, Trouble> {
        self.inner.page(cursor, most).await
    }

    fn pressure(&self) -> Pressure {
        self.inner.pressure()
    }
}

impl Store {
    /// All messages there are.
    pub(crate) async fn all(&self) -> Vec<Entry> {
        self.page(None, 10_000).await.expect("it is in memory")
    }

    /// Waits until the queue is as it should be.
    pub(crate) async fn wait_for(&self, what: &str, is_so: impl Fn(&[Entry]) -> bool) {
        let so = async {
            while !is_so(&self.all().await) {
                tasks::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tasks::timeout(Duration::from_secs(40), so).await;
        assert!(in_time.is_ok(), "{what}: {:?}", self.all().await);
    }

    pub(crate) async fn commit(&self, to: &[&str], octets: Bytes) -> Leased {
        self.commit_until(to, octets, Duration::from_secs(300))
            .await
    }

    /// Takes in a message from nobody, leased for `lease`.
    pub(crate) async fn commit_until(&self, to: &[&str], octets: Bytes, lease: Duration) -> Leased {
        let now = RealClock.unix();
        let mut staged = self.stage(now).await.expect("there is room");
        staged.append(octets.clone()).await.expect("there is room");
        let envelope = Arc::new(envelope(to, now, octets.len()));
        let leased = staged.commit_durably(envelope, now + lease).await;
        let mut leased = leased.expect("there is room");
        leased.fresh = Some(octets);
        leased
    }

    /// Takes in a message that nobody has.
    pub(crate) async fn put(&self, to: &[&str]) -> QueueId {
        let leased = self.commit(to, octets()).await;
        let id = leased.lease.id;
        self.release(leased.lease).await.expect("it is in memory");
        id
    }
}

pub(crate) fn octets() -> Bytes {
    Bytes::from_static(b"Subject: x\r\n\r\nx\r\n")
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &AddressLimits::default()).expect("the test wrote a mailbox")
}

fn envelope(to: &[&str], received_at: UnixMs, size: usize) -> Envelope {
    let recipient = |to: &&str| Recipient {
        origin: mailbox(to),
        target: mailbox(to),
        original: None,
        notify: None,
    };
    Envelope {
        received_at,
        reverse_path: ReversePath::Null,
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: String::from("somebody"),
        recipients: to.iter().map(recipient).collect(),
        trace: Bytes::new(),
        edits: Vec::new(),
        facts: Facts {
            size: size as u64,
            ..Facts::default()
        },
    }
}

/// Where each domain's mail goes; into Maildirs where nothing is said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways(Arc<Mutex<BTreeMap<String, String>>>);

impl Ways {
    pub(crate) fn set(&self, domain: &str, peer: &str) {
        let mut ways = self.0.lock().expect("no test panics in it");
        ways.insert(domain.to_owned(), peer.to_owned());
    }
}

impl NextHops for Ways {
    fn next_hop(&self, route: &RouteKey) -> NextHop {
        let ways = self.0.lock().expect("no test panics in it");
        match ways.get(&*route.0) {
            Some(peer) => NextHop::Peer(peer.parse().expect("the test wrote a peer")),
            None => NextHop::Maildirs,
        }
    }

    fn notice_to(&self, _: &Mailbox) -> Vec<Recipient> {
        Vec::new()
    }

    fn may_be_made(&self, _: &Mailbox) -> Result<(), NoMailbox> {
        Ok(())
    }

    fn delivered(&self, _: &Mailbox, _: Option<u64>) {}

    fn failed(&self, _: &Mailbox, _: Mono) {}
}

/// All that lasts over a restart, and what a loop is made of.
#[derive(Debug, Clone)]
pub(crate) struct Stand {
    pub(crate) store: Store,
    pub(crate) ways: Ways,
    pub(crate) disk: SimDisk,
    pub(crate) patience: Patience,
    pub(crate) pace: Pace,
}

/// A loop that runs.
pub(crate) struct Running {
    pub(crate) fresh: mpsc::Sender<Leased>,
    pub(crate) handle: Handle,
    pub(crate) in_flight: InFlight,
    drain: oneshot::Sender<()>,
    task: Task<()>,
}

impl Stand {
    /// Short times: a look each 20 ms, the next attempt after 30 ms, leases of 300 ms, a pause of 200 ms
    /// after one trouble.
    pub(crate) fn new() -> Stand {
        let patience = Patience {
            lease: Duration::from_millis(300),
            retry: RetryPlan {
                first: Duration::from_millis(30),
                longest: Duration::from_millis(60),
                ..RetryPlan::default()
            },
            ..Patience::default()
        };
        let pause = Pause {
            after: 1,
            first: Duration::from_millis(200),
            growth_percent: 100,
            longest: Duration::from_millis(200),
        };
        Stand {
            store: Store::default(),
            ways: Ways::default(),
            disk: SimDisk::new(1),
            patience,
            pace: Pace {
                limits: Limits {
                    pause,
                    ..Limits::default()
                },
                poll: Duration::from_millis(20),
                ..Pace::default()
            },
        }
    }

    pub(crate) fn start(&self) -> Running {
        let name = HeloName::parse("mail.example.org", &AddressLimits::default());
        let mut settings = Settings::new(name.expect("the test wrote a name"));
        settings.timeouts.session.greeting = Duration::from_secs(5);
        settings.timeouts.opening = Duration::from_secs(5);
        let deliverer = Deliverer {
            store: Arc::new(self.store.clone()),
            maildirs: Maildirs::open(self.disk.clone(), Path::new("/mail")).expect("it works"),
            on_demand: OnDemand::new(settings.timeouts, RealClock),
            peers: Peers::new(settings, RealClock),
            next_hops: self.ways.clone(),
            clock: RealClock,
            chance: Chance::from_seed(1),
            patience: Arc::new(ArcSwap::from_pointee(self.patience)),
            notices: Notices {
                host_name: "mail.example.org".to_owned(),
                return_at_most: 1000,
            },
        };
        let runner = Runner::new(deliverer, self.pace);
        let (fresh, leased) = mpsc::channel(1000);
        let (drain, draining) = oneshot::channel();
        let (handle, in_flight) = (runner.handle(), runner.in_flight());
        let task = tasks::spawn(runner.run(leased, async {
            let _ = draining.await;
        }));
        Running {
            fresh,
            handle,
            in_flight,
            drain,
            task,
        }
    }

    /// How many messages lie in a mailbox.
    pub(crate) fn mail(&self, folder: &str) -> usize {
        let new = Path::new("/mail").join(folder).join("new");
        self.disk.list(&new).map_or(0, |entries| entries.len())
    }
}

impl Running {
    /// Ends in order.
    pub(crate) async fn drain(self) {
        assert!(self.drain.send(()).is_ok(), "it still runs");
        let ended = tasks::timeout(Duration::from_secs(40), self.task).await;
        assert!(ended.is_ok_and(|task| task.is_ok()), "it ended in order");
        assert_eq!(self.in_flight.count(), 0);
    }

    /// Waits until so many attempts are under way.
    pub(crate) async fn until_under_way(&self, count: usize) {
        while self.in_flight.count() != count {
            tasks::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// A port where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    format!("smtp://{address}")
}

/// A port where somebody listens and never says a word.
pub(crate) fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    (listener, format!("smtp://{address}"))
}

/// What an SMTP server took: how often each recipient got each message, by the message's last line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<BTreeMap<(String, String), usize>>>);

impl Taken {
    pub(crate) fn counts(&self) -> BTreeMap<(String, String), usize> {
        self.0.lock().expect("no test panics in it").clone()
    }

    pub(crate) fn all(&self) -> usize {
        self.counts().values().sum()
    }
}

/// A server that takes all, and unlike a Maildir takes it again.
pub(crate) fn server() -> (Taken, String) {
    listen(|_| false)
}

/// A server that now and then refuses a recipient or a message for the moment, or hangs up before the
/// final reply without having taken it.
pub(crate) fn moody(seed: u64) -> (Taken, String) {
    let chance = Chance::from_seed(seed);
    listen(move |n| chance.one_in(n))
}

/// `mood` says whether to be difficult, once in so many times.
fn listen(mood: impl Fn(u64) -> bool + Clone + Send + 'static) -> (Taken, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let taken = Taken::default();
    let into = taken.clone();
    tasks::thread("server", move || {
        for stream in listener.incoming().flatten() {
            let (into, mood) = (into.clone(), mood.clone());
            // Its end is that of its connection.
            drop(tasks::thread("session", move || {
                drop(serve(&stream, &into, &mood));
            }));
        }
    })
    .expect("a thread");
    (taken, format!("smtp://{address}"))
}

fn serve(stream: &TcpStream, taken: &Taken, mood: &dyn Fn(u64) -> bool) -> io::Result<()> {
    let mut out = stream;
    let mut lines = BufReader::new(stream).lines();
    out.write_all(b"220 mx\r\n")?;
    let mut to: Vec<String> = Vec::new();
    while let Some(line) = lines.next().transpose()? {
        let reply: &[u8] = match line.split([' ', ':']).next() {
            Some("EHLO") => b"250-mx\r\n250 PIPELINING\r\n",
            Some("MAIL") => {
                to.clear();
                b"250 ok\r\n"
            }
            Some("RCPT") if mood(5) => b"451 4.2.0 not now\r\n",
            Some("RCPT") => {
                let from = line.find('<').map_or(0, |at| at + 1);
                let end = line.find('>').unwrap_or(line.len());
                to.push(line[from..end].to_owned());
                b"250 ok\r\n"
            }
            Some("DATA") if to.is_empty() => b"554 5.5.1 for nobody\r\n",
            Some("DATA") => {
                out.write_all(b"354 go\r\n")?;
                let mut last = String::new();
                loop {
                    match lines.next().transpose()? {
                        Some(line) if line == "." => break,
                        Some(line) => last = line,
                        None => return Ok(()),
                    }
                }
                if mood(20) {
                    return Ok(());
                }
                if mood(10) {
                    b"451 4.3.0 not now\r\n"
                } else {
                    let mut taken = taken.0.lock().expect("no test panics in it");
                    for to in &to {
                        *taken.entry((last.clone(), to.clone())).or_default() += 1;
                    }
                    b"250 2.0.0 taken\r\n"
                }
            }
            Some("QUIT") => {
                out.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        out.write_all(reply)?;
    }
    Ok(())
}
