//! What the loop works with, and each step of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use postroad_clock::{Mono, UnixMs};
use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_queue::scheduler::{Action, Cause, Dispatch, PutBack, Resolved, Scheduler};
use postroad_queue::{RecipientIx, Report, RouteKey};
use postroad_reply::{Enhanced, QueueId};
use postroad_store::{Claim, Lease, Leased, QueueStore, Trouble};

use super::Pace;
use super::fresh::Fresh;
use crate::active::{Active, ActiveSet};
use crate::deliverer::{Deliverer, trouble_with};
use crate::handle::Word;
use crate::looks::{Look, Looks};
use crate::next_hop::{NextHop, NextHops};
use crate::parcel::{Carried, OURS, Verdict};
use crate::say::{Said, say};

/// For how long it is believed where a route leads: to ask costs a look into the configuration.
const RESOLVED_FOR: Duration = Duration::from_secs(5);

/// How many messages are shown on terminals at once.
const TERMINALS_AT_ONCE: u32 = 4;

/// How many routes of closed sites a claim leaves alone.
const MOST_SKIPPED: usize = 1000;

/// Recipients of a message that are due within this part of the first wait of one another are tried
/// together: it takes a moment to record what an attempt for many came to.
const TOGETHER: u32 = 10;

/// What the loop works with.
pub(super) struct Work<'r, S, D: Disk, H, C> {
    deliverer: &'r Deliverer<S, D, H, C>,
    pace: Pace,
    scheduler: Scheduler,
    pub(super) active: ActiveSet,
    /// How many dispatches are under way.
    pub(super) under_way: usize,
    fresh: Fresh,
    pub(super) looks: Looks,
    /// Messages whose lease was lost while a claim was under way, which may have it.
    orphans: Vec<QueueId>,
    pub(super) draining: bool,
    /// The last claim failed.
    in_trouble: bool,
    pub(super) tasks: FuturesUnordered<BoxFuture<'r, Done>>,
}

/// What a piece of the work came to.
pub(super) enum Done {
    Claimed(Result<Vec<Leased>, Trouble>),
    Carried(Dispatch, Carried),
    Said(QueueId, Said),
    Renewed(QueueId, Lease, Result<(), Trouble>),
    HandedBack,
}

impl<'r, S, D, H, C> Work<'r, S, D, H, C>
where
    S: QueueStore,
    D: Disk,
    H: NextHops,
    C: Clock + Clone,
{
    /// With nothing in it.
    pub(super) fn new(deliverer: &'r Deliverer<S, D, H, C>, pace: Pace) -> Work<'r, S, D, H, C> {
        Work {
            deliverer,
            pace,
            scheduler: Scheduler::new(pace.limits),
            active: ActiveSet::default(),
            under_way: 0,
            fresh: Fresh::default(),
            looks: Looks::new(pace.poll, deliverer.clock.mono()),
            orphans: Vec::new(),
            draining: false,
            in_trouble: false,
            tasks: FuturesUnordered::new(),
        }
    }

    /// Does all there is to do at the moment.
    pub(super) fn turn(&mut self) {
        let now = self.now();
        while let Some(action) = self.scheduler.poll(now) {
            self.act(action, now);
        }
        self.renew();
        self.claim(now);
        while let Some(id) = self.fresh.next_over(now) {
            if let Some(active) = self.active.get_mut(id) {
                active.forget_octets();
            }
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
                if let Some(active) = self.active.get_mut(id) {
                    active.is_done();
                }
                self.looks.is_done(now);
                self.say(id);
                self.forget_lost(id);
            }
        }
    }

    /// A message that isn't ours any more is forgotten once nothing of it is in flight.
    fn forget_lost(&mut self, id: QueueId) {
        if self.active.get(id).is_some_and(Active::is_over) {
            self.active.remove(id);
        }
    }

    fn resolve(&self, route: &RouteKey, now: Mono) -> Resolved {
        let hop = self.deliverer.next_hops.next_hop(route);
        match (hop.site(), hop) {
            (Some(site), hop) => Resolved::Site {
                site,
                lifetime: RESOLVED_FOR,
                largest_window: match hop {
                    NextHop::Maildirs => Some(self.pace.into_maildirs),
                    // A stuck one holds a thread for some seconds.
                    NextHop::Terminals { .. } => Some(TERMINALS_AT_ONCE),
                    // Its owner comes over one connection.
                    NextHop::OnDemand { .. } => Some(1),
                    NextHop::Peer(_) | NextHop::Nowhere { .. } => None,
                },
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
        let Some(active) = self.active.get(dispatch.message) else {
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
            // Nothing was tried, which is no attempt.
            Cause::Closed { site, words } => {
                let words = format!("{site} is left alone for a while after trouble: {words}");
                let report =
                    Report::plain(&words).with_status(const { Enhanced::literal("4.4.1") });
                (report, Some(unix + until.since(now)))
            }
            Cause::Unknown { words, .. } => (
                Report::plain(&words).with_status(const { Enhanced::literal("4.4.3") }),
                None,
            ),
            // It takes a change of the configuration, which takes its time.
            Cause::Nowhere { words, .. } => (
                Report::plain(&words).with_status(const { Enhanced::literal("4.4.4") }),
                None,
            ),
        };
        for ix in recipients {
            let verdict = Verdict::Deferred(report.clone());
            self.came_to(message, ix, verdict, not_before);
        }
        self.say(message);
    }

    fn came_to(
        &mut self,
        id: QueueId,
        ix: RecipientIx,
        verdict: Verdict,
        not_before: Option<UnixMs>,
    ) {
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        let Some(life) = active.life(ix) else { return };
        let (of, again) = ((ix, life), active.again(not_before));
        let outcome = self
            .deliverer
            .outcome(id, &active.envelope, of, verdict, again);
        active.came_to(ix, outcome, self.deliverer.clock.unix());
    }

    /// Tells the store what a message has come to, if there is something to tell.
    fn say(&mut self, id: QueueId) {
        let now = self.deliverer.clock.unix();
        let saying = self.active.get_mut(id).and_then(|active| active.say(now));
        if let Some(saying) = saying {
            let said = say(self.deliverer, saying).map(move |said| Done::Said(id, said));
            self.tasks.push(said.boxed());
        }
    }

    pub(super) fn done(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Claimed(claimed) => self.claimed(claimed, now),
            Done::Carried(dispatch, carried) => {
                self.under_way -= 1;
                let Carried {
                    recipients,
                    feedback,
                } = carried;
                let unsaid = dispatch.recipients.iter().filter(|ix| {
                    let said = recipients.iter().any(|(said, _)| said == *ix);
                    !said
                });
                let unsaid: Vec<RecipientIx> = unsaid.copied().collect();
                for (ix, verdict) in recipients {
                    self.came_to(dispatch.message, ix, verdict, None);
                }
                // Undecided they would be due, and tried, again at once and for ever.
                for ix in unsaid {
                    let report = Report::plain("nobody said what became of it").with_status(OURS);
                    self.came_to(dispatch.message, ix, Verdict::Deferred(report), None);
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
            Done::Renewed(id, lease, renewed) => self.renewed(id, lease, renewed),
            Done::HandedBack => {}
        }
    }

    fn said(&mut self, id: QueueId, said: Said) {
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        active.has_said();
        match said {
            Said::Last => {
                // One that a claim brought meanwhile.
                let newer = self.active.remove(id).and_then(|mut active| active.lend());
                if let Some(lease) = newer {
                    self.hand_back(lease);
                }
            }
            Said::Taken { lease, told, gone } => {
                if let Some(about) = told {
                    active.told(about);
                }
                active.give_back(lease);
                if gone {
                    let _ = self.scheduler.take_back(id, self.now());
                }
                self.say(id);
            }
            Said::NotOurs(outcomes) => {
                active.unsay(outcomes);
                self.lost(id);
            }
        }
    }

    fn renewed(&mut self, id: QueueId, lease: Lease, renewed: Result<(), Trouble>) {
        if let Some(active) = self.active.get_mut(id) {
            active.has_renewed();
        }
        if let Err(trouble) = renewed {
            trouble_with(Some(id), &trouble);
            if let Trouble::LeaseLost | Trouble::Unknown(_) | Trouble::Damaged(_) = trouble {
                return self.lost(id);
            }
            // It may work the next time; until then the lease stays as it was.
        }
        let soon = self.deliverer.clock.unix() + self.deliverer.patience.load().lease / 10;
        let look_at = self.half_over(lease.until).max(soon);
        if let Some(active) = self.active.get_mut(id) {
            active.give_back(lease);
        }
        self.active.look_after(id, look_at);
        self.say(id);
    }

    /// A lease was lost: that of a claim, if there is one, takes its place. Else the message is gone,
    /// or somebody else's, and what isn't under way of it is not tried.
    fn lost(&mut self, id: QueueId) {
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        if active.has_lease() {
            return self.say(id);
        }
        if self.looks.is_under_way() {
            // It may have been claimed a moment ago, for its lease had run out.
            self.orphans.push(id);
            return;
        }
        active.lose();
        let _ = self.scheduler.take_back(id, self.now());
        self.forget_lost(id);
    }

    pub(super) fn takes_fresh(&self) -> bool {
        !self.draining && self.room() > 0
    }

    /// How many more messages may be here. Those that can't be told to the store count, too, so that
    /// what is delivered and not settled is bounded.
    fn room(&self) -> usize {
        let most = self.pace.limits.most_messages.max(1);
        let room = most.saturating_sub(self.active.len());
        room.min(self.scheduler.room())
    }

    /// Takes a message that was committed a while ago.
    pub(super) fn take_fresh(&mut self, leased: Leased) {
        if leased.lease.until <= self.deliverer.clock.unix() {
            // It waited too long, and a claim may have brought it since: it may be delivered.
            return self.hand_back(leased.lease);
        }
        let id = leased.lease.id;
        if let Some(octets) = &leased.fresh {
            self.fresh.came(self.now(), id, octets.len());
        }
        let _ = self.take(leased);
    }

    /// Puts a leased message among the active ones; false if that is of no use now.
    fn take(&mut self, leased: Leased) -> bool {
        let id = leased.lease.id;
        if let Some(active) = self.active.get_mut(id) {
            active.take_lease(leased.lease);
            self.say(id);
            return true;
        }
        let look_at = self.half_over(leased.lease.until);
        let now = self.deliverer.clock.unix();
        let mut active = Active::new(leased, now, self.deliverer.chance.u64());
        let soon = self.deliverer.patience.load().retry.first / TOGETHER;
        let offer = active.offer(soon);
        // Of what is due, there may be nothing left but a notice.
        let waits = !offer.recipients.is_empty();
        if waits && self.scheduler.offer(offer, self.now()).is_err() {
            if let Some(lease) = active.lend() {
                self.hand_back(lease);
            }
            return false;
        }
        if !waits {
            active.is_done();
        }
        self.active.insert(active, look_at);
        self.say(id);
        waits
    }

    fn hand_back(&mut self, lease: Lease) {
        let deliverer = self.deliverer;
        let handed_back = async move {
            deliverer.hand_back(lease).await;
            Done::HandedBack
        };
        self.tasks.push(handed_back.boxed());
    }

    /// Looks for what is due, if it is time.
    fn claim(&mut self, now: Mono) {
        if self.draining || self.looks.next().is_none_or(|next| now < next) {
            return;
        }
        let mut skip = self.scheduler.closed_routes(now, MOST_SKIPPED);
        let tenth = (self.pace.limits.most_messages / 10).max(1);
        let per_route = self.pace.per_route.min(tenth);
        let room = self.room();
        let look = self.looks.begin(now, room, per_route, !skip.is_empty());
        let Some(Look {
            most,
            per_route,
            at_all,
        }) = look
        else {
            return;
        };
        if at_all {
            skip.clear();
        }
        let (deliverer, unix) = (self.deliverer, self.deliverer.clock.unix());
        let claim = Claim {
            now: unix,
            until: unix + deliverer.patience.load().lease,
            most,
            per_route,
            skip,
        };
        let claimed = async move { Done::Claimed(deliverer.store.claim(claim).await) };
        self.tasks.push(claimed.boxed());
    }

    fn claimed(&mut self, claimed: Result<Vec<Leased>, Trouble>, now: Mono) {
        let changed = self.looks.end();
        match claimed {
            Ok(leases) => {
                self.in_trouble = false;
                let mut took_all = !leases.is_empty();
                for leased in leases {
                    let id = leased.lease.id;
                    let unwanted = self.draining || changed.contains(&id);
                    // What is here needs its new lease, whatever else.
                    took_all &= match unwanted && !self.active.has(id) {
                        true => {
                            self.hand_back(leased.lease);
                            false
                        }
                        false => self.take(leased),
                    };
                }
                if took_all {
                    self.looks.took_all(now);
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
        for id in std::mem::take(&mut self.orphans) {
            self.lost(id);
        }
    }

    /// Leases that are half over are renewed, and notices that have waited long enough are sent.
    fn renew(&mut self) {
        let now = self.deliverer.clock.unix();
        while let Some(id) = self.active.pop_look(now) {
            self.say(id);
            let Some(active) = self.active.get_mut(id) else {
                continue;
            };
            let Some(mut lease) = active.lend_to_renew() else {
                // Something is being said, which renews the lease if it takes long.
                let half = self.deliverer.patience.load().lease / 2;
                self.active.look_after(id, now + half);
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

    /// When half of a lease is over that ends then.
    fn half_over(&self, until: UnixMs) -> UnixMs {
        let half = self.deliverer.patience.load().lease / 2;
        let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
        UnixMs(until.0.saturating_sub(millis))
    }

    pub(super) fn hear(&mut self, word: Word) {
        match word {
            Word::Changed(id) => {
                if self.active.has(id) {
                    // They stay pending, and are due when they were.
                    let _ = self.scheduler.take_back(id, self.now());
                } else {
                    self.looks.changed(id);
                }
            }
            Word::TryClosed => {
                let now = self.now();
                self.scheduler.probe_closed(now);
            }
            Word::Sites(answer) => {
                // Who asked may have gone.
                let _ = answer.send(self.scheduler.sites().collect());
            }
        }
    }

    /// Takes on nothing more, and gives back what isn't under way.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        let now = self.now();
        for id in self.active.ids() {
            let _ = self.scheduler.take_back(id, now);
        }
    }

    /// When there is something to do though nothing has happened.
    pub(super) fn wake(&self) -> Mono {
        let now = self.now();
        let mut wake = now + self.pace.poll;
        if let Some(at) = self.looks.next().filter(|_| !self.draining) {
            wake = wake.min(at);
        }
        if let Some(at) = self.fresh.next_end() {
            wake = wake.min(at);
        }
        if let Some(at) = self.scheduler.poll_timeout() {
            wake = wake.min(at);
        }
        if let Some(at) = self.active.next_look() {
            wake = wake.min(now + at.since(self.deliverer.clock.unix()));
        }
        wake
    }

    fn now(&self) -> Mono {
        self.deliverer.clock.mono()
    }
}
