//! A spool on a disk, without threads.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_host::chance::Chance;
use postroad_host::clock::SimClock;
use postroad_host::disk::sim::SimDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_message::Facts;
use postroad_queue::{
    ClientTrace, Envelope, Handover, NoticeState, Outcome, Recipient, RecipientIx,
};
use postroad_reply::QueueId;
use postroad_spool::{Committer, Housekeeper, OpenError, Opened, Options, Report, Spool};
use postroad_store::{Claim, Leased, Notice, QueueStore, Settled, Staged, Trouble};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;

pub(crate) const START: UnixMs = UnixMs(1_790_000_000_000);

pub(crate) struct Node {
    pub(crate) disk: SimDisk,
    pub(crate) spool: Spool<SimDisk>,
    pub(crate) committer: Committer<SimDisk>,
    pub(crate) housekeeper: Housekeeper<SimDisk>,
    pub(crate) reports: Vec<Report>,
    pub(crate) clock: Arc<SimClock>,
}

pub(crate) fn options() -> Options {
    Options {
        segment_octets: 32 * 1024,
        body_file_threshold: 4 * 1024,
        floor_octets: 0,
        floor_inodes: 0,
        checkpoint_octets: 1 << 40,
        checkpoint_piece: 2,
        ..Options::new(PathBuf::from("/spool"))
    }
}

impl Node {
    pub(crate) fn open(disk: SimDisk, seed: u64, options: Options) -> Result<Node, OpenError> {
        let clock = Arc::new(SimClock::new(START + Duration::from_secs(seed)));
        let chance = Chance::from_seed(seed);
        let opened = Spool::open(disk.clone(), options, chance, clock.clone())?;
        let Opened {
            spool,
            committer,
            housekeeper,
            reports,
        } = opened;
        Ok(Node {
            disk,
            spool,
            committer,
            housekeeper,
            reports,
            clock,
        })
    }

    pub(crate) fn new(options: Options) -> Node {
        Node::open(SimDisk::new(1), 1, options).unwrap()
    }

    /// Ends the process without a word, and starts it again.
    pub(crate) fn kill(self, seed: u64, options: Options) -> Node {
        let disk = self.disk.clone();
        drop(self);
        Node::open(disk, seed, options).unwrap()
    }

    pub(crate) fn step(&mut self) {
        self.committer.step();
        self.housekeeper.step();
    }

    /// Polls a future, and steps whenever it waits.
    pub(crate) fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        for _ in 0..1000 {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return done;
            }
            self.step();
        }
        panic!("it waits for ever");
    }

    pub(crate) fn accept(&mut self, octets: &Bytes) -> Result<Leased, Trouble> {
        let spool = self.spool.clone();
        let octets = octets.clone();
        self.run(async move {
            let mut staged = spool.stage(START).await?;
            staged.append(octets).await?;
            staged.commit_durably(envelope("a.example"), far()).await
        })
    }

    pub(crate) fn settle(&mut self, leased: &Leased, outcome: Outcome) -> Result<Settled, Trouble> {
        let spool = self.spool.clone();
        let outcomes = [(RecipientIx(0), outcome)];
        self.run(async { spool.settle(&leased.lease, &outcomes, None, START).await })
    }

    pub(crate) fn deliver(&mut self, leased: &Leased) -> Result<Settled, Trouble> {
        self.settle(
            leased,
            Outcome::Delivered {
                how: Handover::Delivered,
                report: "test".into(),
                notice: NoticeState::Unwanted,
            },
        )
    }

    /// Fails the recipient and commits the notice for it, in one settle.
    pub(crate) fn bounce(&mut self, leased: &Leased, octets: &Bytes) -> Result<Settled, Trouble> {
        let spool = self.spool.clone();
        let outcomes = [(RecipientIx(0), failed())];
        let notice = Notice {
            envelope: envelope("b.example"),
            octets: octets.clone(),
        };
        self.run(async {
            spool
                .settle(&leased.lease, &outcomes, Some(notice), START)
                .await
        })
    }

    pub(crate) fn claim(&mut self) -> Result<Vec<Leased>, Trouble> {
        let spool = self.spool.clone();
        let claim = Claim {
            now: far(),
            until: far(),
            most: 10_000,
            per_route: 10_000,
            skip: Vec::new(),
        };
        self.run(async move { spool.claim(claim).await })
    }

    pub(crate) fn body(&mut self, id: QueueId) -> Result<Bytes, Trouble> {
        let spool = self.spool.clone();
        self.run(async move { spool.body(id, 0, usize::MAX).await })
    }

    /// All messages that can be claimed, with their octets.
    pub(crate) fn contents(&mut self) -> BTreeMap<QueueId, Bytes> {
        let leased = self.claim().unwrap();
        leased
            .iter()
            .map(|leased| (leased.lease.id, self.body(leased.lease.id).unwrap()))
            .collect()
    }
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed {
        report: "no such user".into(),
        notice: NoticeState::Owed,
    }
}

pub(crate) fn far() -> UnixMs {
    START + Duration::from_secs(1_000_000)
}

pub(crate) fn envelope(domain: &str) -> Arc<Envelope> {
    let mailbox = |text: &str| Mailbox::parse(text, &Limits::default()).unwrap();
    Arc::new(Envelope {
        received_at: START,
        reverse_path: ReversePath::Mailbox(mailbox("sender@example.org")),
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: "account:sender".into(),
        recipients: vec![Recipient {
            target: mailbox(&format!("r@{domain}")),
            origin: mailbox("r@example.org"),
            original: None,
            notify: None,
        }],
        trace: Bytes::from_static(b"Received: by example.org\r\n"),
        edits: Vec::new(),
        facts: Facts::default(),
    })
}

/// Octets that tell their message from others.
pub(crate) fn octets(message: usize, len: usize) -> Bytes {
    (0..len)
        .map(|ix| (ix % 251) as u8 ^ message as u8)
        .collect()
}

pub(crate) fn read_file(disk: &SimDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Open::Read).unwrap();
    let mut octets = vec![0; file.len().unwrap() as usize];
    file.read_exact_at(&mut octets, 0).unwrap();
    octets
}

pub(crate) fn write_file(disk: &SimDisk, path: &Path, octets: &[u8]) {
    if disk.exists(path).unwrap() {
        disk.remove(path).unwrap();
    }
    let file = disk.open(path, Open::CreateNew).unwrap();
    file.write_all_at(octets, 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(path.parent().unwrap()).unwrap();
}

pub(crate) fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = disk
        .list(Path::new("/spool/segments"))
        .unwrap()
        .into_iter()
        .map(|entry| entry.path)
        .filter(|path| path.extension().is_some_and(|e| e == "seg"))
        .collect();
    paths.sort();
    paths
}
