//! What it takes to keep a message: put, made durable, and deleted later. This spool beside fjall and redb,
//! each fed by one committer that takes all that waits (docs/benchmarks.md, The parts).
//!
//! A deletion rides on a later batch, as a delivery's record does. Each bench stands twice: by the clock
//! and by the CPU time of all threads. `TMPDIR` says on which disk.

// A bench opens files and starts threads of its own; it fails by a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

use std::future::Future;
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use postroad_clock::UnixMs;
use postroad_host::chance::Chance;
use postroad_host::clock::RealClock;
use postroad_host::disk::real::RealDisk;
use postroad_host::tasks::{self, Home};
use postroad_message::Facts;
use postroad_queue::{
    ClientTrace, Envelope, Handover, NoticeState, Outcome, Recipient, RecipientIx,
};
use postroad_spool::{Options, Spool};
use postroad_store::{QueueStore, Staged};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;
use redb::TableDefinition;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

const NOW: UnixMs = UnixMs(1_790_000_000_000);

/// Keeps messages.
trait Keeper: Clone + Send + 'static {
    /// Puts a message, returns when it is durable, and deletes it some time after.
    fn keep(&self, octets: Bytes) -> impl Future<Output = ()> + Send;
}

/// This spool, with its threads.
struct OwnLog {
    spool: Spool<RealDisk>,
    threads: Vec<JoinHandle<()>>,
}

impl OwnLog {
    fn open(folder: &Path) -> OwnLog {
        let options = Options::new(folder.join("spool"));
        let chance = Chance::from_seed(1);
        let opened = Spool::open(RealDisk, options, chance, Arc::new(RealClock)).unwrap();
        let (committer, housekeeper) = (opened.committer, opened.housekeeper);
        OwnLog {
            spool: opened.spool,
            threads: vec![
                tasks::thread("committer", move || committer.run()).unwrap(),
                tasks::thread("housekeeper", move || housekeeper.run()).unwrap(),
            ],
        }
    }

    fn close(self) {
        self.spool.close();
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

impl Keeper for Spool<RealDisk> {
    async fn keep(&self, octets: Bytes) {
        let envelope = envelope(octets.len());
        let mut staged = self.stage(NOW).await.unwrap();
        staged.append(octets).await.unwrap();
        let until = NOW + Duration::from_secs(300);
        let leased = staged.commit_durably(envelope, until).await.unwrap();
        let spool = self.clone();
        tasks::spawn(async move {
            let delivered = Outcome::Delivered {
                how: Handover::Delivered,
                report: "delivered".into(),
                notice: NoticeState::Unwanted,
            };
            let outcomes = [(RecipientIx(0), delivered)];
            let settled = spool.settle(&leased.lease, &outcomes, None, NOW).await;
            assert!(settled.unwrap().finished);
        });
    }
}

fn envelope(size: usize) -> Arc<Envelope> {
    let mailbox = |text: &str| Mailbox::parse(text, &Limits::default()).unwrap();
    Arc::new(Envelope {
        received_at: NOW,
        reverse_path: ReversePath::Mailbox(mailbox("sender@client.example")),
        delivery: DeliveryKind::Mailbox,
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        sender_key: "192.0.2.1".into(),
        recipients: vec![Recipient {
            target: mailbox("ada@mx.example"),
            origin: mailbox("ada@mx.example"),
            original: None,
            notify: None,
        }],
        trace: Bytes::from_static(b"Received: from client.example by mx.example\r\n"),
        edits: Vec::new(),
        facts: Facts {
            size: size as u64,
            ..Facts::default()
        },
    })
}

/// A store that has no committer of its own.
trait Store: Send + 'static {
    /// Does it all at once, durably.
    fn write(&mut self, put: &[Put], delete: &[u64]);
}

/// A message to be put, and whom to tell.
struct Put {
    id: u64,
    octets: Bytes,
    home: Home,
    done: oneshot::Sender<()>,
}

struct Fjall {
    database: Database,
    messages: Keyspace,
}

impl Fjall {
    fn open(folder: &Path) -> Fjall {
        let database = Database::builder(folder.join("fjall")).open().unwrap();
        let messages = database
            .keyspace("messages", KeyspaceCreateOptions::default)
            .unwrap();
        Fjall { database, messages }
    }
}

impl Store for Fjall {
    fn write(&mut self, put: &[Put], delete: &[u64]) {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for message in put {
            batch.insert(
                &self.messages,
                message.id.to_be_bytes(),
                &message.octets[..],
            );
        }
        for id in delete {
            batch.remove(&self.messages, id.to_be_bytes());
        }
        batch.commit().unwrap();
    }
}

const MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("messages");

struct Redb(redb::Database);

impl Redb {
    fn open(folder: &Path) -> Redb {
        Redb(redb::Database::create(folder.join("redb")).unwrap())
    }
}

impl Store for Redb {
    fn write(&mut self, put: &[Put], delete: &[u64]) {
        // Immediate durability is its default.
        let transaction = self.0.begin_write().unwrap();
        {
            let mut messages = transaction.open_table(MESSAGES).unwrap();
            for message in put {
                messages.insert(message.id, &message.octets[..]).unwrap();
            }
            for id in delete {
                messages.remove(id).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}

/// A store with a committer that takes all that waits.
#[derive(Clone)]
struct Grouped {
    ask: mpsc::Sender<Put>,
    deletions: Arc<Mutex<Vec<u64>>>,
    ids: Arc<AtomicU64>,
}

impl Grouped {
    fn start(mut store: impl Store) -> (Grouped, JoinHandle<()>) {
        let (ask, asked) = mpsc::channel::<Put>();
        let deletions = Arc::new(Mutex::new(Vec::new()));
        let grouped = Grouped {
            ask,
            deletions: Arc::clone(&deletions),
            ids: Arc::default(),
        };
        let commit = move || {
            while let Ok(first) = asked.recv() {
                let mut put = vec![first];
                put.extend(asked.try_iter());
                let delete = mem::take(&mut *deletions.lock().unwrap());
                store.write(&put, &delete);
                // All of them wait on one thread.
                let home = put[0].home.clone();
                home.run(move || put.into_iter().for_each(|put| _ = put.done.send(())));
            }
        };
        (grouped, tasks::thread("committer", commit).unwrap())
    }
}

impl Keeper for Grouped {
    async fn keep(&self, octets: Bytes) {
        let (done, is_done) = oneshot::channel();
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let put = Put {
            id,
            octets,
            home: Home::here(),
            done,
        };
        self.ask.send(put).unwrap();
        is_done.await.unwrap();
        self.deletions.lock().unwrap().push(id);
    }
}

/// Keeps so many messages, with so many waiting at once.
fn keep_all(keeper: &impl Keeper, octets: &Bytes, messages: u64, at_once: u64) {
    let all = async {
        let left = Arc::new(AtomicU64::new(messages));
        let clients = (0..at_once).map(|_| {
            let (keeper, octets, left) = (keeper.clone(), octets.clone(), Arc::clone(&left));
            // Where sessions are, and as they are: one that is alone may do the committer's work.
            tasks::spread(0, async move {
                let _user = tasks::User::here();
                let one_less = |left: u64| left.checked_sub(1);
                while left
                    .try_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                    .is_ok()
                {
                    keeper.keep(octets.clone()).await;
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    };
    tasks::run(1, all).unwrap();
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

fn bench(criterion: &mut Criterion, name: &str, keeper: &impl Keeper) {
    for (size_name, size) in [("4 KiB", 4 << 10), ("64 KiB", 64 << 10)] {
        let octets = Bytes::from(vec![b'x'; size]);
        for at_once in [1, 50] {
            let mut group = criterion.benchmark_group(format!("{size_name}, {at_once} waiting"));
            group.sample_size(10);
            group.warm_up_time(Duration::from_millis(500));
            group.measurement_time(Duration::from_secs(2));
            group.bench_function(format!("{name}, time"), |bencher| {
                bencher.iter_custom(|messages| {
                    let began = Instant::now();
                    keep_all(keeper, &octets, messages, at_once);
                    began.elapsed()
                });
            });
            group.bench_function(format!("{name}, CPU"), |bencher| {
                bencher.iter_custom(|messages| {
                    let before = cpu_time();
                    keep_all(keeper, &octets, messages, at_once);
                    cpu_time() - before
                });
            });
        }
    }
}

fn own_log(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let log = OwnLog::open(folder.path());
    bench(criterion, "Postroad", &log.spool);
    log.close();
}

fn others(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (fjall, committer) = Grouped::start(Fjall::open(folder.path()));
    bench(criterion, "fjall", &fjall);
    drop(fjall);
    committer.join().unwrap();
    let (redb, committer) = Grouped::start(Redb::open(folder.path()));
    bench(criterion, "redb", &redb);
    drop(redb);
    committer.join().unwrap();
}

criterion_group!(parts, own_log, others);
criterion_main!(parts);
