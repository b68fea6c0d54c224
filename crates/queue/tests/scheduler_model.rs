//! Whatever is told to a scheduler, in whatever order: each recipient leaves it once, each message
//! is done once, no window is exceeded, and nothing is stuck.

// A test that can't go on says where.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use postroad_clock::Mono;
use postroad_queue::scheduler::{
    Action, Cause, Dispatch, DispatchId, Feedback, Limits, Offer, Pause, PutBack, Resolved,
    Scheduler, SiteKey, Standing,
};
use postroad_queue::{RecipientIx, RouteKey};
use postroad_reply::QueueId;
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Debug, Clone)]
enum Op {
    Offer {
        message: u64,
        sender: u8,
        routes: Vec<(u8, u32)>,
    },
    Poll(u8),
    Resolve(Index, Answer),
    ResolveUnasked(u8, Answer),
    Finish(Index, u8),
    TakeBack(u64),
    ProbeClosed,
    Wait(u64),
}

#[derive(Debug, Clone)]
enum Answer {
    Site {
        site: u8,
        lifetime: u64,
        largest: Option<u32>,
    },
    Unknown {
        ask_again: u64,
    },
    Nowhere {
        ask_again: u64,
    },
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => (0u8..4, 0u64..100, prop::option::weighted(0.3, 0u32..5))
            .prop_map(|(site, lifetime, largest)| Answer::Site { site, lifetime, largest }),
        1 => (0u64..30).prop_map(|ask_again| Answer::Unknown { ask_again }),
        1 => (0u64..30).prop_map(|ask_again| Answer::Nowhere { ask_again }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0u64..40, 0u8..4, prop::collection::vec((0u8..8, 0u32..10), 0..12))
            .prop_map(|(message, sender, routes)| Op::Offer { message, sender, routes }),
        8 => (1u8..20).prop_map(Op::Poll),
        5 => (any::<Index>(), answer()).prop_map(|(which, answer)| Op::Resolve(which, answer)),
        1 => (0u8..8, answer()).prop_map(|(route, answer)| Op::ResolveUnasked(route, answer)),
        8 => (any::<Index>(), 0u8..8).prop_map(|(which, how)| Op::Finish(which, how)),
        1 => (0u64..40).prop_map(Op::TakeBack),
        1 => Just(Op::ProbeClosed),
        3 => (0u64..40).prop_map(Op::Wait),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (
        1usize..12,
        1usize..40,
        1usize..5,
        0u32..4,
        0u32..6,
        1usize..8,
        0u32..4,
        0usize..6,
    )
        .prop_map(
            |(messages, recipients, per_dispatch, first, largest, sum, after, remembered)| Limits {
                most_messages: messages,
                most_recipients: recipients,
                recipients_per_dispatch: per_dispatch,
                first_window: first,
                largest_window: largest,
                most_under_way: sum,
                pause: Pause {
                    after,
                    first: Duration::from_secs(10),
                    growth_percent: 150,
                    longest: Duration::from_secs(60),
                },
                remember: Duration::from_secs(30),
                most_remembered: remembered,
            },
        )
}

fn route(n: u8) -> RouteKey {
    RouteKey(format!("r{n}").into())
}

fn site(n: u8) -> SiteKey {
    SiteKey(format!("s{n}").into())
}

/// What the driver knows of a message.
#[derive(Debug)]
struct Known {
    waiting: BTreeMap<RecipientIx, RouteKey>,
    under_way: usize,
}

/// A driver that remembers everything and believes nothing.
struct World {
    limits: Limits,
    scheduler: Scheduler,
    now: Mono,
    messages: BTreeMap<QueueId, Known>,
    asked: Vec<RouteKey>,
    under_way: Vec<Dispatch>,
    dispatched: BTreeSet<DispatchId>,
    answers: BTreeMap<RouteKey, Resolved>,
    /// How far a site's window can have grown: its first, and one for each success.
    could_be: BTreeMap<SiteKey, u32>,
    largest: BTreeMap<SiteKey, u32>,
}

impl World {
    fn new(limits: Limits) -> World {
        World {
            limits,
            scheduler: Scheduler::new(limits),
            now: Mono::ZERO,
            messages: BTreeMap::new(),
            asked: Vec::new(),
            under_way: Vec::new(),
            dispatched: BTreeSet::new(),
            answers: BTreeMap::new(),
            could_be: BTreeMap::new(),
            largest: BTreeMap::new(),
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Offer {
                message,
                sender,
                routes,
            } => self.offer(message, sender, &routes),
            Op::Poll(times) => {
                for _ in 0..times {
                    self.poll();
                }
            }
            Op::Resolve(which, answer) => {
                if !self.asked.is_empty() {
                    let route = self.asked.remove(which.index(self.asked.len()));
                    self.resolve(&route, &answer);
                }
            }
            Op::ResolveUnasked(n, answer) => self.resolve(&route(n), &answer),
            Op::Finish(which, how) => {
                if !self.under_way.is_empty() {
                    let dispatch = self.under_way.remove(which.index(self.under_way.len()));
                    self.finish(&dispatch, how);
                }
            }
            Op::TakeBack(message) => self.take_back(QueueId(message)),
            Op::ProbeClosed => self.scheduler.probe_closed(self.now),
            Op::Wait(secs) => self.now = self.now + Duration::from_secs(secs),
        }
        self.check();
    }

    fn offer(&mut self, message: u64, sender: u8, routes: &[(u8, u32)]) {
        let message = QueueId(message);
        let recipients: Vec<_> = routes
            .iter()
            .map(|(n, ix)| (route(*n), RecipientIx(*ix)))
            .collect();
        let offer = Offer {
            message,
            sender: Arc::from(format!("sender{sender}")),
            recipients: recipients.clone(),
        };
        let room = self.scheduler.room();
        let here = self.messages.contains_key(&message);
        let taken = self.scheduler.offer(offer.clone(), self.now);
        assert!(taken.is_err() || (room > 0 && !here));
        let mut waiting = BTreeMap::new();
        for (route, ix) in recipients {
            waiting.entry(ix).or_insert(route);
        }
        let left_out = match taken {
            Ok(left_out) => left_out,
            Err(back) => {
                assert_eq!(back, offer);
                // There was room, but not where any of them goes.
                let not_there = !waiting.is_empty() && waiting.values().all(|r| self.is_busy(r));
                assert!(room == 0 || here || not_there);
                return;
            }
        };
        for ix in left_out {
            let route = waiting.remove(&ix).unwrap();
            assert!(self.is_busy(&route));
        }
        self.messages.insert(
            message,
            Known {
                waiting,
                under_way: 0,
            },
        );
    }

    /// Something waits where `route` leads.
    fn is_busy(&self, route: &RouteKey) -> bool {
        match self.scheduler.site_of(route) {
            Some(site) => self.view(site).waiting_messages > 0,
            None => self.waits().any(|waits| waits == route),
        }
    }

    fn waits(&self) -> impl Iterator<Item = &RouteKey> {
        self.messages
            .values()
            .flat_map(|known| known.waiting.values())
    }

    fn poll(&mut self) -> bool {
        match self.scheduler.poll(self.now) {
            None => {
                self.check_stuck();
                return false;
            }
            Some(Action::Resolve(route)) => self.asked.push(route),
            Some(Action::Dispatch(dispatch)) => self.dispatch(dispatch),
            Some(Action::PutBack(put_back)) => self.put_back(&put_back),
            Some(Action::Done(message)) => {
                let known = self.messages.remove(&message).unwrap();
                assert!(
                    known.waiting.is_empty() && known.under_way == 0,
                    "{known:?}"
                );
            }
        }
        self.check();
        true
    }

    fn dispatch(&mut self, dispatch: Dispatch) {
        assert!(self.dispatched.insert(dispatch.id), "an id twice");
        assert!(!dispatch.recipients.is_empty());
        assert!(dispatch.recipients.len() <= self.limits.recipients_per_dispatch);
        for route in self.leave(dispatch.message, &dispatch.recipients) {
            let leads = self.answers.get(&route);
            assert!(
                matches!(leads, Some(Resolved::Site { site, .. }) if *site == dispatch.site),
                "{route:?} leads to {leads:?}"
            );
        }
        self.messages.get_mut(&dispatch.message).unwrap().under_way += 1;
        self.under_way.push(dispatch.clone());
        let to_site = self
            .under_way
            .iter()
            .filter(|d| d.site == dispatch.site)
            .count();
        let to_site = u32::try_from(to_site).unwrap();
        assert!(to_site <= self.largest[&dispatch.site].max(1));
        assert!(to_site <= self.could_be[&dispatch.site]);
        let view = self.view(&dispatch.site);
        assert!(to_site <= view.window, "{view:?}");
        assert!(!matches!(view.standing, Standing::Closed { .. }));
        assert!(self.under_way.len() <= self.limits.most_under_way);
    }

    fn put_back(&mut self, put_back: &PutBack) {
        assert!(put_back.until > self.now && !put_back.recipients.is_empty());
        for way in self.leave(put_back.message, &put_back.recipients) {
            let leads = self.answers.get(&way);
            match (&put_back.cause, leads) {
                (Cause::Closed { site, words }, Some(Resolved::Site { site: leads, .. })) => {
                    assert_eq!(site, leads);
                    // Unless that was the last that waited, and no more sites are remembered.
                    if let Some(view) = self.scheduler.sites().find(|view| view.site == *site) {
                        let until = put_back.until;
                        assert_eq!(view.standing, Standing::Closed { until });
                        let said = view.last_trouble.map(|(_, words)| words);
                        assert_eq!(Some(words), said.as_ref());
                    }
                }
                (Cause::Unknown { route, .. }, Some(Resolved::Unknown { .. }))
                | (Cause::Nowhere { route, .. }, Some(Resolved::Nowhere { .. })) => {
                    assert_eq!(*route, way);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Each of `recipients` leaves, for the first time; by which routes.
    fn leave(&mut self, message: QueueId, recipients: &[RecipientIx]) -> Vec<RouteKey> {
        let known = self.messages.get_mut(&message).unwrap();
        let left = recipients.iter().map(|ix| known.waiting.remove(ix));
        left.map(|route| route.expect("it has left before"))
            .collect()
    }

    fn resolve(&mut self, route: &RouteKey, answer: &Answer) {
        let after = |secs: u64| self.now + Duration::from_secs(secs);
        let words = Arc::from("SERVFAIL");
        let resolved = match *answer {
            Answer::Site {
                site: n,
                lifetime,
                largest,
            } => {
                let bound = largest.unwrap_or(self.limits.largest_window);
                self.largest.insert(site(n), bound);
                self.could_be
                    .entry(site(n))
                    .or_insert(self.limits.first_window.max(1));
                Resolved::Site {
                    site: site(n),
                    lifetime: Duration::from_secs(lifetime),
                    largest_window: largest,
                }
            }
            Answer::Unknown { ask_again } => Resolved::Unknown {
                words,
                ask_again: after(ask_again),
            },
            Answer::Nowhere { ask_again } => Resolved::Nowhere {
                words,
                ask_again: after(ask_again),
            },
        };
        self.scheduler.resolved(route, resolved.clone(), self.now);
        self.answers.insert(route.clone(), resolved);
    }

    fn finish(&mut self, dispatch: &Dispatch, how: u8) {
        let feedback = match how {
            0..4 => Feedback::Worked,
            4 => Feedback::Neutral,
            5 => Feedback::Busy("421 4.7.0 too many".into()),
            _ => Feedback::Trouble("no route to host".into()),
        };
        if feedback == Feedback::Worked {
            *self.could_be.get_mut(&dispatch.site).unwrap() += 1;
        }
        self.messages.get_mut(&dispatch.message).unwrap().under_way -= 1;
        self.scheduler.finished(dispatch.id, feedback, self.now);
        self.scheduler
            .finished(dispatch.id, Feedback::Worked, self.now);
    }

    fn take_back(&mut self, message: QueueId) {
        let taken = self.scheduler.take_back(message, self.now);
        if let Some(known) = self.messages.get_mut(&message) {
            assert_eq!(taken.len(), known.waiting.len());
            for ix in taken {
                known.waiting.remove(&ix).unwrap();
            }
        } else {
            assert_eq!(taken, []);
        }
    }

    fn view(&self, key: &SiteKey) -> postroad_queue::scheduler::SiteView {
        self.scheduler
            .sites()
            .find(|view| view.site == *key)
            .unwrap()
    }

    /// What holds at any time.
    fn check(&self) {
        let counts = self.scheduler.counts();
        assert_eq!(counts.messages, self.messages.len());
        assert!(counts.messages <= self.limits.most_messages);
        let waiting: usize = self.messages.values().map(|m| m.waiting.len()).sum();
        let under_way: usize = self.under_way.iter().map(|d| d.recipients.len()).sum();
        assert_eq!(counts.recipients, waiting + under_way);
        assert_eq!(counts.under_way, self.under_way.len());
        assert!(
            counts.routes <= waiting + self.limits.most_remembered,
            "{counts:?}"
        );
        let busy = waiting + self.under_way.len();
        assert!(
            counts.sites <= busy + self.limits.most_remembered,
            "{counts:?}"
        );
        assert_eq!(self.scheduler.sites().count(), counts.sites);
        if counts.sites + counts.routes == 0 {
            assert_eq!(self.scheduler.poll_timeout(), None);
        }
        for view in self.scheduler.sites() {
            let here = self
                .under_way
                .iter()
                .filter(|d| d.site == view.site)
                .count();
            assert_eq!(view.under_way as usize, here);
            assert!(view.waiting_messages <= view.waiting_recipients);
        }
    }

    /// What holds when there is nothing to do: everything that waits has something to wait for.
    fn check_stuck(&self) {
        for (message, known) in &self.messages {
            assert!(
                known.under_way > 0 || !known.waiting.is_empty(),
                "{message} isn't done"
            );
        }
        let full = self.under_way.len() == self.limits.most_under_way;
        for view in self
            .scheduler
            .sites()
            .filter(|view| view.waiting_messages > 0)
        {
            assert!(full || view.under_way >= view.window, "{view:?}");
            assert!(
                !matches!(view.standing, Standing::Closed { .. }),
                "{view:?}"
            );
        }
        let at_sites: usize = self
            .scheduler
            .sites()
            .map(|view| view.waiting_recipients)
            .sum();
        let elsewhere = self
            .messages
            .values()
            .flat_map(|known| known.waiting.values())
            .filter(|route| self.scheduler.site_of(route).is_none())
            .inspect(|route| assert!(self.asked.contains(route), "{route:?} isn't asked for"))
            .count();
        let waiting: usize = self.messages.values().map(|m| m.waiting.len()).sum();
        assert_eq!(waiting, at_sites + elsewhere);
    }

    /// What a claim leaves alone is closed, or leads nowhere, or something waits there already;
    /// and what is closed is left alone.
    fn check_skip(&self) {
        let skipped = self.scheduler.closed_routes(self.now, usize::MAX);
        let closed = |site: &SiteKey| match self.view(site).standing {
            Standing::Closed { until } => until > self.now,
            Standing::Open { .. } | Standing::Probing => false,
        };
        for route in &skipped {
            let known = self.answers.get(route);
            assert!(match self.scheduler.site_of(route) {
                Some(site) => closed(site) || self.is_busy(route),
                None => !matches!(known, Some(Resolved::Site { .. })) || self.is_busy(route),
            });
        }
        for route in (0u8..8).map(route) {
            if self.scheduler.site_of(&route).is_some_and(closed) {
                assert_eq!(skipped.iter().filter(|s| **s == route).count(), 1);
            }
        }
        assert!(self.scheduler.closed_routes(self.now, 2).len() <= 2);
    }

    /// From here on everything works: all leases end, and in the end nothing is remembered.
    fn end(&mut self) {
        for _ in 0..10_000 {
            if self.poll() {
                continue;
            }
            if let Some(route) = self.asked.pop() {
                let (site, lifetime, largest) = (0, 1000, None);
                self.resolve(
                    &route,
                    &Answer::Site {
                        site,
                        lifetime,
                        largest,
                    },
                );
            } else if let Some(dispatch) = self.under_way.pop() {
                self.finish(&dispatch, 0);
            } else if let Some(next) = self.scheduler.poll_timeout() {
                assert!(self.messages.is_empty(), "{:?}", self.messages);
                assert!(next > self.now);
                self.now = next;
            } else {
                let counts = self.scheduler.counts();
                assert_eq!(
                    (counts.messages, counts.recipients, counts.under_way),
                    (0, 0, 0)
                );
                assert_eq!((counts.sites, counts.routes), (0, 0));
                return;
            }
        }
        panic!("it does not end: {:?}", self.scheduler);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_recipient_leaves_once_and_each_message_is_done_once(
        limits in limits(), ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut world = World::new(limits);
        for op in ops {
            world.run(op);
            world.check_skip();
        }
        world.end();
    }
}
