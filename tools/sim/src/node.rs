//! One run: a node is started, sent mail, crashed and started again, and in the end emptied.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_delivery::mailbox_name;
use postroad_delivery::maildir::Maildirs;
use postroad_host::chance::Chance;
use postroad_host::clock::SimClock;
use postroad_host::disk::sim::SimDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_store::{Leased, Pressure, QueueStore};

use crate::executor::{Executor, turn};
use crate::ledger::{Answers, Found, Ledger};
use crate::plan::{Hardships, Plan};
use crate::stores::{Simulated, Start, Started};
use crate::{carrier, client, letter, operator, trouble};

/// How long a lease is.
pub(crate) const LEASE: Duration = Duration::from_secs(60);
/// When the simulation begins: 2026-09-21T14:13:20Z.
const BEGIN: UnixMs = UnixMs(1_790_000_000_000);
/// After how many steps a node that doesn't come to its end is said to hang.
const PATIENCE: u64 = 400_000;

/// What the clients and carriers of a node share.
pub(crate) struct Shared<'a> {
    pub(crate) disk: SimDisk,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) chance: Chance,
    pub(crate) ledger: &'a RefCell<Ledger>,
    /// Messages accepted and leased, not yet taken by a carrier.
    pub(crate) fresh: RefCell<VecDeque<Leased>>,
    /// The disk was made to fail, or may be full.
    pub(crate) may_fail: bool,
    /// How many clients have something to send.
    sending: Cell<u64>,
    /// Nothing is left to send or to deliver.
    idle: Cell<bool>,
    /// What was left in the queue at the last look.
    left: RefCell<String>,
}

/// What a run has come to.
#[derive(Debug)]
pub struct Report {
    /// From what it was made.
    pub seed: u64,
    /// What the clients were told.
    pub answers: Answers,
    /// How often the node was started.
    pub starts: u64,
    /// How many calls changed something on the disk.
    pub changes: u64,
    /// The same in every run of the same seed.
    pub trace_hash: u64,
    /// What must not have happened; empty if all is well.
    pub wrong: Vec<String>,
    /// What happened, a line each, and the last calls to the disk.
    pub story: Vec<String>,
}

/// Runs a store of kind `S` as `seed` says.
pub fn run<S: Simulated>(seed: u64, hardships: Hardships) -> Report {
    let chance = Chance::from_seed(seed);
    let plan = Plan::draw(&chance, hardships);
    let mut run = Run {
        disk: SimDisk::new(chance.u64()),
        clock: Arc::new(SimClock::new(BEGIN)),
        ledger: RefCell::new(Ledger::default()),
        chance,
        plan,
        starts: 0,
        changes: 0,
        trace_hash: 0,
    };
    if let Some(capacity) = run.plan.capacity {
        run.disk.set_capacity(capacity);
    }
    run.all_starts::<S>();
    run.report(seed)
}

struct Run {
    disk: SimDisk,
    clock: Arc<SimClock>,
    ledger: RefCell<Ledger>,
    chance: Chance,
    plan: Plan,
    starts: u64,
    changes: u64,
    trace_hash: u64,
}

impl Run {
    fn all_starts<S: Simulated>(&mut self) {
        let mut kept = S::Kept::default();
        for crash in self.plan.crashes.clone() {
            self.disk.crash_after(crash);
            for fault in trouble::faults(self.plan.faults, &self.chance) {
                self.ledger.borrow_mut().tell(format!("{fault:?}"));
                self.disk.inject(fault);
            }
            self.start::<S>(&mut kept, false);
            if !self.ledger.borrow().wrong.is_empty() {
                return self.note_disk();
            }
            self.end_of_start();
        }
        // The last start has no crash and no fault, and must deliver all there is.
        self.disk.set_capacity(u64::MAX);
        self.start::<S>(&mut kept, true);
        self.look_into_mailboxes();
        self.note_disk();
    }

    /// The process ends: mostly with the power, sometimes alone.
    fn end_of_start(&mut self) {
        if self.chance.one_in(3) {
            // In the midst of a call, or when nothing is left to do. What it did not sync is not lost
            // yet, but may be when the power goes.
            self.ledger
                .borrow_mut()
                .tell("the process was killed".to_owned());
            self.disk.process_ends();
            return;
        }
        self.note_disk();
        self.ledger.borrow_mut().tell("the power went".to_owned());
        self.disk = self.disk.crash(self.chance.u64());
        if self.plan.rot
            && let Some(place) = trouble::rot(&self.disk, &self.chance)
        {
            self.ledger.borrow_mut().rot(place);
        }
    }

    fn note_disk(&mut self) {
        self.changes += self.disk.changes();
        self.trace_hash = self.trace_hash.rotate_left(7) ^ self.disk.trace_hash();
        let log = self.disk.log();
        let mut ledger = self.ledger.borrow_mut();
        log.lines()
            .for_each(|line| ledger.tell(format!("    {line}")));
    }

    /// From start to crash or, the last time, until nothing is left to do.
    fn start<S: Simulated>(&mut self, kept: &mut S::Kept, last: bool) {
        self.starts += 1;
        self.ledger.borrow_mut().start();
        // No machine starts in no time.
        self.clock
            .advance(Duration::from_millis(500 + self.chance.below(5000)));
        let may_fail = !last && (self.plan.faults > 0 || self.plan.capacity.is_some());
        let Some((store, mut worker, mailboxes)) = self.open::<S>(kept, may_fail) else {
            return;
        };
        let shared = Shared {
            disk: self.disk.clone(),
            clock: self.clock.clone(),
            chance: self.chance.fork(),
            ledger: &self.ledger,
            fresh: RefCell::default(),
            may_fail,
            sending: Cell::new(if last { 0 } else { self.plan.clients }),
            idle: Cell::new(false),
            left: RefCell::default(),
        };
        let came_to_its_end = self.turns::<S>(&shared, &store, &mut worker, &mailboxes, last);
        if !last {
            return;
        }
        // A message that rotted stays in the queue until somebody looks after it.
        if !came_to_its_end && !self.plan.rot {
            let left = shared.left.borrow();
            let mut ledger = self.ledger.borrow_mut();
            ledger.complain(format!("the queue was not emptied in the end: {left}"));
        }
        // What was delivered is swept up behind it.
        (0..64).for_each(|_| S::step(&mut worker));
        self.look_into_empty_store(&*store);
    }

    /// The store and the mailboxes; none where they don't open, which is complained of where nothing
    /// excuses it.
    fn open<S: Simulated>(
        &self,
        kept: &mut S::Kept,
        may_fail: bool,
    ) -> Option<(Arc<S>, S::Worker, Maildirs<SimDisk>)> {
        let complain_unless_excused = |what: String| {
            if !self.disk.is_down() && !may_fail {
                self.ledger.borrow_mut().complain(what);
            }
        };
        let start = Start {
            disk: self.disk.clone(),
            folder: Path::new("/spool"),
            plan: &self.plan.store,
            clock: self.clock.clone(),
            chance: self.chance.fork(),
        };
        let opened = S::open(kept, start)
            .map_err(|why| complain_unless_excused(format!("the store does not start: {why}")));
        let Started {
            store,
            worker,
            damage,
        } = opened.ok()?;
        // Without power all reading fails, which looks like damage.
        for damage in damage
            .into_iter()
            .filter(|_| !self.disk.is_down() && !self.plan.rot)
        {
            let mut ledger = self.ledger.borrow_mut();
            ledger.complain(format!("damage where there can be none: {damage}"));
        }
        let mailboxes = Maildirs::open(self.disk.clone(), Path::new("/mail")).map_err(|why| {
            complain_unless_excused(format!("the mailboxes can't be opened: {why}"))
        });
        Some((Arc::new(store), worker, mailboxes.ok()?))
    }

    fn look_into_empty_store(&self, store: &impl QueueStore) {
        let mut ledger = self.ledger.borrow_mut();
        let bodies = self
            .disk
            .list(Path::new("/spool/bodies"))
            .unwrap_or_default();
        if !self.plan.rot && !bodies.is_empty() {
            ledger.complain(format!("an empty store keeps {bodies:?}"));
        }
        if store.pressure() != Pressure::None {
            ledger.complain(format!("an empty store says {:?}", store.pressure()));
        }
    }

    /// Lets clients, carriers and the store's worker take turns until nothing is left to do, which
    /// is said, or the power goes.
    fn turns<S: Simulated>(
        &self,
        shared: &Shared<'_>,
        store: &Arc<S>,
        worker: &mut S::Worker,
        mailboxes: &Maildirs<SimDisk>,
        last: bool,
    ) -> bool {
        let mut tasks = Executor::new();
        tasks.spawn(watch(shared, &**store));
        tasks.spawn(operator::run(shared, &**store, last));
        for _ in 0..self.plan.carriers {
            tasks.spawn(carrier::run(shared, store, mailboxes));
        }
        for _ in 0..shared.sending.get() {
            let sent = client::run(shared, &**store, self.plan.messages, self.plan.longest);
            tasks.spawn(async {
                sent.await;
                shared.sending.set(shared.sending.get() - 1);
            });
        }
        let patience = if self.plan.rot {
            PATIENCE / 10
        } else {
            PATIENCE
        };
        for _ in 0..patience {
            self.clock
                .advance(Duration::from_millis(self.chance.below(40)));
            if self.chance.one_in(3) {
                S::step(worker);
            }
            tasks.step(&self.chance);
            if self.disk.is_down() {
                // What was answered before the power went is still on its way to the clients.
                for _ in 0..tasks.running() * 24 {
                    tasks.step(&self.chance);
                }
                return false;
            }
            if shared.idle.get() {
                return true;
            }
        }
        false
    }

    fn look_into_mailboxes(&self) {
        let mut found = Vec::new();
        for mailbox in letter::mailboxes() {
            let folder = Path::new("/mail")
                .join(mailbox_name::folder(&mailbox))
                .join("new");
            let Ok(entries) = self.disk.list(&folder) else {
                continue;
            };
            for entry in entries {
                let file = read(&self.disk, &entry.path).unwrap_or_default();
                match letter::read(&file) {
                    Some((number, notice, octets)) => found.push(Found {
                        mailbox: mailbox.clone(),
                        number,
                        notice,
                        octets,
                    }),
                    None => {
                        let mut ledger = self.ledger.borrow_mut();
                        ledger.complain(format!("{} was never sent", entry.path.display()));
                    }
                }
            }
        }
        self.ledger.borrow_mut().settle_accounts(&found);
    }

    fn report(self, seed: u64) -> Report {
        let ledger = self.ledger.into_inner();
        Report {
            seed,
            answers: ledger.answers(),
            starts: self.starts,
            changes: self.changes,
            trace_hash: self.trace_hash,
            wrong: ledger.wrong,
            story: ledger.story,
        }
    }
}

/// Sees when nothing is left to do.
async fn watch<S: QueueStore>(shared: &Shared<'_>, store: &S) {
    loop {
        for _ in 0..16 {
            turn().await;
        }
        if shared.sending.get() == 0 && shared.fresh.borrow().is_empty() {
            let page = store.page(None, 1).await;
            *shared.left.borrow_mut() = format!("{page:?}");
            shared.idle.set(page.is_ok_and(|page| page.is_empty()));
        }
    }
}

/// What a file holds.
pub(crate) fn read(disk: &SimDisk, path: &Path) -> std::io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    // Files here are some KiB long.
    let mut octets = vec![0; file.len()? as usize];
    file.read_exact_at(&mut octets, 0)?;
    Ok(octets)
}
