//! The loop that offers leased messages to the scheduler, does what that says, and tells the store.
//!
//! Fresh messages come by a channel from whoever committed them; what is due again is claimed from the
//! store. What was delivered is told to the store until it has taken it, so that nothing is
//! delivered twice without a crash between; what isn't settled stays in the store, so that nothing is
//! lost.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use postroad_clock::Mono;
use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_host::tasks;
use postroad_queue::scheduler::{Action, Cause, Dispatch, PutBack, Resolved, Scheduler, SiteView};
use postroad_queue::{Outcome, RecipientIx, Report, RouteKey};
use postroad_reply::QueueId;
use postroad_store::{Claim, Lease, Leased, QueueStore, Trouble};
use tokio::sync::{mpsc, oneshot};

use crate::active::{Active, ActiveSet, Renewals, Saying};
use crate::deliverer::{Deliverer, trouble_with};
use crate::next_hop::{NextHop, NextHops};
use crate::notice::About;
use crate::outcome::Again;
use crate::parcel::{Carried, Verdict, enhanced};

/// How much the loop takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How much the scheduler holds, and how hard it presses a site.
    pub limits: postroad_queue::scheduler::Limits,
    /// How many deliveries into Maildirs are under way at once.
    pub into_maildirs: u32,
    /// How many messages of one route are claimed at once.
    pub per_route: usize,
    /// How long to wait between looking for what is due.
    pub poll: Duration,
}

impl Default for Pace {
    /// The scheduler's limits, 20 deliveries into Maildirs, and a look each second.
    fn default() -> Pace {
        Pace {
            limits: postroad_queue::scheduler::Limits::default(),
            into_maildirs: 20,
            per_route: 1000,
            poll: Duration::from_secs(1),
        }
    }
}

/// For how long it is believed where a route leads: to ask costs a look into the configuration.
const RESOLVED_FOR: Duration = Duration::from_secs(5);

/// How many messages are claimed at once.
const CLAIM: usize = 1000;

/// How many routes of closed sites a claim leaves alone.
const MOST_SKIPPED: usize = 1000;

/// How many words to the loop may wait to be heard.
const WORDS: usize = 10_000;

/// How long to wait before what the store could not take is said again, at first and at most.
const SAY_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How many deliveries are under way, for whoever wants to say what a shutdown waits for.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Talks to a running loop.
#[derive(Debug, Clone)]
pub struct Handle(mpsc::Sender<Word>);

/// What is said to a running loop.
#[derive(Debug)]
enum Word {
    /// An operator changed a message.
    Changed(QueueId),
    /// Somebody wants to see the sites.
    Sites(oneshot::Sender<Vec<SiteView>>),
}

impl Handle {
    /// Tells that an operator changed a message: what of it only waits for its turn is given back, so
    /// that the change takes effect when what is under way has ended.
    pub fn changed(&self, id: QueueId) {
        // Without a loop there is nothing that waits. A loop that has much to hear lets the message
        // have its turn, and the change takes effect after that.
        let _ = self.0.try_send(Word::Changed(id));
    }

    /// Each site, in the order of their names; none if the loop has ended.
    pub async fn sites(&self) -> Vec<SiteView> {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Word::Sites(answer)).await.is_err() {
            return Vec::new();
        }
        answered.await.unwrap_or_default()
    }
}

/// The loop.
#[derive(Debug)]
pub struct Runner<S, D: Disk, H, C> {
    deliverer: Deliverer<S, D, H, C>,
    pace: Pace,
    in_flight: InFlight,
    handle: Handle,
    words: mpsc::Receiver<Word>,
}

impl<S, D, H, C> Runner<S, D, H, C>
where
    S: QueueStore,
    D: Disk,
    H: NextHops,
    C: Clock + Clone,
{
    /// A loop around `deliverer`.
    pub fn new(deliverer: Deliverer<S, D, H, C>, pace: Pace) -> Runner<S, D, H, C> {
        let (handle, words) = mpsc::channel(WORDS);
        Runner {
            deliverer,
            pace,
            in_flight: InFlight::default(),
            handle: Handle(handle),
            words,
        }
    }

    /// How many deliveries are under way at any time.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// Talks to the loop while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Works until `drain` is done, then finishes what is under way and returns. What only waits
    /// is handed back to the store, due at once.
    ///
    /// Needs a runtime for its clock.
    pub async fn run(mut self, mut fresh: mpsc::Receiver<Leased>, drain: impl Future<Output = ()>) {
        let mut drain = pin!(drain);
        let mut work = Work {
            deliverer: &self.deliverer,
            pace: self.pace,
            scheduler: Scheduler::new(self.pace.limits),
            active: ActiveSet::new(),
            under_way: 0,
            renewals: Renewals::default(),
            claiming: false,
            next_look: self.deliverer.clock.mono(),
            draining: false,
            in_trouble: false,
            tasks: FuturesUnordered::new(),
        };
        let mut fresh_open = true;
        loop {
            work.turn();
            self.in_flight.0.store(work.under_way, Ordering::Relaxed);
            if work.draining && work.active.is_empty() && !work.claiming {
                break;
            }
            let takes = !work.draining && work.scheduler.room() > 0;
            let wake = work.wake();
            tokio::select! {
                biased;
                () = &mut drain, if !work.draining => work.drain(),
                Some(done) = work.tasks.next() => work.done(done),
                Some(word) = self.words.recv() => work.hear(word),
                () = tasks::sleep_until(wake) => {}
                leased = fresh.recv(), if takes && fresh_open => match leased {
                    Some(leased) => work.take(leased),
                    None => fresh_open = false,
                },
            }
        }
        fresh.close();
        while let Some(leased) = fresh.recv().await {
            self.deliverer.hand_back(leased.lease).await;
        }
        while let Some(done) = work.tasks.next().await {
            work.done(done);
        }
        self.deliverer.peers.drain().await;
        self.in_flight.0.store(0, Ordering::Relaxed);
    }
}

/// What the loop works with.
struct Work<'r, S, D: Disk, H, C> {
    deliverer: &'r Deliverer<S, D, H, C>,
    pace: Pace,
    scheduler: Scheduler,
    active: ActiveSet,
    /// How many dispatches are under way.
    under_way: usize,
    renewals: Renewals,
    /// A claim is on its way.
    claiming: bool,
    /// When to look for what is due.
    next_look: Mono,
    draining: bool,
    /// The last claim failed.
    in_trouble: bool,
    tasks: FuturesUnordered<BoxFuture<'r, Done>>,
}

/// What a piece of the work came to.
enum Done {
    Claimed(Result<Vec<Leased>, Trouble>),
    Carried(Dispatch, Carried),
    Said(QueueId, Said),
    Renewed(QueueId, Lease, Result<(), Trouble>),
    HandedBack,
}

/// What the store said to what was said to it.
enum Said {
    /// It is recorded, and what a notice was made of is told.
    Taken(Lease, Option<About>),
    /// It is recorded, and the lease has ended.
    Last,
    /// The lease is another's, or the message is gone; this is not recorded.
    NotOurs(Vec<(RecipientIx, Outcome)>),
}

impl<'r, S, D, H, C> Work<'r, S, D, H, C>
where
    S: QueueStore,
    D: Disk,
    H: NextHops,
    C: Clock + Clone,
{
    /// Does all there is to do at the moment.
    fn turn(&mut self) {
        let now = self.now();
        while let Some(action) = self.scheduler.poll(now) {
            self.act(action, now);
        }
        self.renew();
        if !self.draining && !self.claiming && now >= self.next_look {
            self.claim(now);
        }
    }

    fn act(&mut self, action: Action, now: Mono) {
        match action {
            Action::Resolve(route) => {
                let resolved = self.resolve(&route, now);
                self.scheduler.resolved(&route, resolved, now);
            }
            Action::Dispatch(dispatch) => self.dispatch(dispatch, now),
            Action::PutBack(put_back) => self.put_back(put_back, now),
            Action::Done(id) => {
                if let Some(active) = self.active.get_mut(&id) {
                    active.is_done();
                }
                self.say(id);
                self.forget_lost(id);
            }
        }
    }

    /// A message that isn't ours any more is forgotten once nothing of it is in flight.
    fn forget_lost(&mut self, id: QueueId) {
        if self.active.get(&id).is_some_and(Active::is_over) {
            self.active.remove(&id);
        }
    }

    fn resolve(&self, route: &RouteKey, now: Mono) -> Resolved {
        let hop = self.deliverer.next_hops.next_hop(route);
        match (hop.site(), hop) {
            (Some(site), hop) => Resolved::Site {
                site,
                lifetime: RESOLVED_FOR,
                largest_window: (hop == NextHop::Maildirs).then_some(self.pace.into_maildirs),
            },
            (None, NextHop::Nowhere { why }) => Resolved::Nowhere {
                words: why.into(),
                ask_again: now + RESOLVED_FOR,
            },
            (None, _) => Resolved::Nowhere {
                words: "the next hop has no name".into(),
                ask_again: now + RESOLVED_FOR,
            },
        }
    }

    fn dispatch(&mut self, dispatch: Dispatch, now: Mono) {
        let Some(active) = self.active.get(&dispatch.message) else {
            // The scheduler has what is active, and nothing else.
            let feedback = Carried::nothing().feedback;
            self.scheduler.finished(dispatch.id, feedback, now);
            return;
        };
        let deliverer = self.deliverer;
        let (envelope, fresh) = (Arc::clone(&active.envelope), active.fresh.clone());
        let token = active.token;
        self.under_way += 1;
        self.tasks.push(
            async move {
                let hop = NextHop::of_site(&dispatch.site);
                let recipients = dispatch.recipients.clone();
                let id = dispatch.message;
                let parcel = deliverer.parcel(id, token, &envelope, fresh, recipients);
                let carried = deliverer.carry(&hop, &parcel).await;
                Done::Carried(dispatch, carried)
            }
            .boxed(),
        );
    }

    /// Recipients that can't be tried now.
    fn put_back(&mut self, put_back: PutBack, now: Mono) {
        let PutBack {
            message,
            recipients,
            cause,
            until,
        } = put_back;
        let unix = self.deliverer.clock.unix();
        let (report, not_before) = match cause {
            Cause::Closed { site, words } => {
                let words = format!("{site} is left alone for a while after trouble: {words}");
                let report = Report::plain(&words).with_status(enhanced("4.4.1"));
                (report, Some(unix + until.since(now)))
            }
            Cause::Unknown { words, .. } => {
                let report = Report::plain(&words).with_status(enhanced("4.4.3"));
                (report, Some(unix + until.since(now)))
            }
            // It takes a change of the configuration, which takes its time.
            Cause::Nowhere { words, .. } => {
                (Report::plain(&words).with_status(enhanced("4.4.4")), None)
            }
        };
        let again = self.deliverer.again(not_before);
        for ix in recipients {
            let verdict = Verdict::Deferred(report.clone());
            self.came_to(message, ix, verdict, again);
        }
        self.say(message);
    }

    fn came_to(&mut self, id: QueueId, ix: RecipientIx, verdict: Verdict, again: Again) {
        let Some(active) = self.active.get_mut(&id) else {
            return;
        };
        let Some(life) = active.life(ix) else { return };
        let of = (ix, life);
        let outcome = self
            .deliverer
            .outcome(id, &active.envelope, of, verdict, again);
        active.came_to(ix, outcome, self.deliverer.clock.unix());
    }

    /// Tells the store what a message has come to, if there is something to tell.
    fn say(&mut self, id: QueueId) {
        let now = self.deliverer.clock.unix();
        let saying = self.active.get_mut(&id).and_then(|active| active.say(now));
        if let Some(saying) = saying {
            let said = say(self.deliverer, saying).map(move |said| Done::Said(id, said));
            self.tasks.push(said.boxed());
        }
    }

    fn done(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Claimed(claimed) => self.claimed(claimed, now),
            Done::Carried(dispatch, carried) => {
                self.under_way -= 1;
                let Carried {
                    recipients,
                    feedback,
                } = carried;
                let again = self.deliverer.again(None);
                for (ix, verdict) in recipients {
                    self.came_to(dispatch.message, ix, verdict, again);
                }
                self.scheduler.finished(dispatch.id, feedback, now);
                // If that was the last of the message, the scheduler says so, and all is said at
                // once.
                while let Some(action) = self.scheduler.poll(now) {
                    self.act(action, now);
                }
                self.say(dispatch.message);
            }
            Done::Said(id, said) => self.said(id, said),
            Done::Renewed(id, lease, renewed) => {
                if let Err(trouble) = renewed {
                    trouble_with(Some(id), &trouble);
                }
                if let Some(active) = self.active.get_mut(&id) {
                    active.give_back(lease);
                    self.look_after(id);
                }
                self.say(id);
            }
            Done::HandedBack => {}
        }
    }

    fn said(&mut self, id: QueueId, said: Said) {
        let Some(active) = self.active.get_mut(&id) else {
            return;
        };
        match said {
            Said::Last => {
                self.active.remove(&id);
            }
            Said::Taken(lease, about) => {
                if let Some(about) = about {
                    active.told(about);
                }
                active.give_back(lease);
                self.say(id);
            }
            // With a lease that a claim brought meanwhile it can be said again. Without one the
            // message is gone, or somebody else's.
            Said::NotOurs(outcomes) if active.has_lease() => {
                active.unsay(outcomes);
                self.say(id);
            }
            Said::NotOurs(_) => {
                active.lose();
                let now = self.now();
                let _ = self.scheduler.take_back(id, now);
                self.forget_lost(id);
            }
        }
    }

    /// Puts a leased message among the active ones.
    fn take(&mut self, leased: Leased) {
        let id = leased.lease.id;
        if let Some(active) = self.active.get_mut(&id) {
            active.take_lease(leased.lease);
            self.say(id);
            return;
        }
        let mut active = Active::new(leased);
        let offer = active.offer(self.deliverer.clock.unix());
        // Of what is due, there may be nothing left but a notice.
        let waits = !offer.recipients.is_empty();
        if waits && self.scheduler.offer(offer, self.now()).is_err() {
            if let Some(lease) = active.lend() {
                self.hand_back(lease);
            }
            return;
        }
        if !waits {
            active.is_done();
        }
        self.active.insert(id, active);
        self.look_after(id);
        self.say(id);
    }

    fn hand_back(&mut self, lease: Lease) {
        let deliverer = self.deliverer;
        let handed_back = async move {
            deliverer.hand_back(lease).await;
            Done::HandedBack
        };
        self.tasks.push(handed_back.boxed());
    }

    fn claim(&mut self, now: Mono) {
        let room = self.scheduler.room().min(CLAIM);
        if room == 0 {
            self.next_look = now + self.pace.poll;
            return;
        }
        let (deliverer, unix) = (self.deliverer, self.deliverer.clock.unix());
        let claim = Claim {
            now: unix,
            until: unix + deliverer.patience.load().lease,
            most: room,
            per_route: self.pace.per_route,
            skip: self.scheduler.closed_routes(now, MOST_SKIPPED),
        };
        self.claiming = true;
        self.next_look = now + self.pace.poll;
        let claimed = async move { Done::Claimed(deliverer.store.claim(claim).await) };
        self.tasks.push(claimed.boxed());
    }

    fn claimed(&mut self, claimed: Result<Vec<Leased>, Trouble>, now: Mono) {
        self.claiming = false;
        match claimed {
            Ok(leases) => {
                self.in_trouble = false;
                if !leases.is_empty() {
                    // There may be more.
                    self.next_look = now;
                }
                for leased in leases {
                    match self.draining {
                        true => self.hand_back(leased.lease),
                        false => self.take(leased),
                    }
                }
            }
            Err(trouble) => {
                // Said once, not at every look, however long the trouble lasts.
                if !self.in_trouble {
                    trouble_with(None, &trouble);
                }
                self.in_trouble = true;
            }
        }
    }

    /// Leases that are half over are renewed, and notices that have waited long enough are sent.
    fn renew(&mut self) {
        let now = self.deliverer.clock.unix();
        while let Some(id) = self.renewals.pop(now) {
            self.say(id);
            let Some(active) = self.active.get_mut(&id) else {
                continue;
            };
            let Some(mut lease) = active.lend() else {
                // Something is being said; what it comes to, the next look finds.
                self.look_after(id);
                continue;
            };
            let deliverer = self.deliverer;
            let until = now + deliverer.patience.load().lease;
            let renewed = async move {
                let renewed = deliverer.store.renew(&mut lease, until).await;
                Done::Renewed(id, lease, renewed)
            };
            self.tasks.push(renewed.boxed());
        }
    }

    /// Its lease is looked after when half of it is over.
    fn look_after(&mut self, id: QueueId) {
        let half = self.deliverer.patience.load().lease / 2;
        self.renewals.at(self.deliverer.clock.unix() + half, id);
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Changed(id) => {
                if self.active.contains_key(&id) {
                    // They stay pending, and are due when they were.
                    let _ = self.scheduler.take_back(id, self.now());
                }
            }
            Word::Sites(answer) => {
                // Who asked may have gone.
                let _ = answer.send(self.scheduler.sites().collect());
            }
        }
    }

    /// Takes on nothing more, and gives back what isn't under way.
    fn drain(&mut self) {
        self.draining = true;
        let now = self.now();
        for id in self.active.keys() {
            let _ = self.scheduler.take_back(*id, now);
        }
    }

    /// When there is something to do though nothing has happened.
    fn wake(&self) -> Mono {
        let now = self.now();
        let mut wake = now + self.pace.poll;
        if !self.draining && !self.claiming {
            wake = wake.min(self.next_look);
        }
        if let Some(at) = self.scheduler.poll_timeout() {
            wake = wake.min(at);
        }
        if let Some(at) = self.renewals.next() {
            wake = wake.min(now + at.since(self.deliverer.clock.unix()));
        }
        wake
    }

    fn now(&self) -> Mono {
        self.deliverer.clock.mono()
    }
}

/// Tells the store, until it has taken it: what was delivered must not be delivered again. It is given up
/// only where the message isn't ours any more.
async fn say<S, D, H, C>(deliverer: &Deliverer<S, D, H, C>, saying: Saying) -> Said
where
    S: QueueStore,
    D: Disk,
    H: NextHops,
    C: Clock + Clone,
{
    let Saying {
        lease,
        outcomes,
        told,
        last,
    } = saying;
    let mut pause = SAY_AGAIN.0;
    while !outcomes.is_empty() || told.is_some() {
        let trouble = match deliverer.settle(&lease, &outcomes, told.as_ref()).await {
            Ok(_) => break,
            Err(trouble) => trouble,
        };
        trouble_with(Some(lease.id), &trouble);
        match trouble {
            Trouble::LeaseLost | Trouble::Unknown(_) | Trouble::Damaged(_) => {
                return Said::NotOurs(outcomes);
            }
            Trouble::Full | Trouble::Failed(_) | Trouble::ReadOnly => tasks::sleep(pause).await,
        }
        pause = (pause * 2).min(SAY_AGAIN.1);
    }
    if last {
        deliverer.hand_back(lease).await;
        return Said::Last;
    }
    Said::Taken(lease, told)
}
