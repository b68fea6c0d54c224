//! A scheduler at work, in virtual time: who waits for whom, and for how long.

// A test that can't go on says where.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use postroad_clock::Mono;
use postroad_queue::scheduler::{
    Action, Dispatch, DispatchId, Feedback, Limits, Offer, PutBack, Resolved, Scheduler, SiteKey,
    SiteView, Standing,
};
use postroad_queue::{RecipientIx, RouteKey};
use postroad_reply::QueueId;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn route(name: &str) -> RouteKey {
    RouteKey(name.into())
}

fn site(name: &str) -> SiteKey {
    SiteKey(name.into())
}

fn offer(message: u64, sender: &str, recipients: &[(&str, u32)]) -> Offer {
    Offer {
        message: QueueId(message),
        sender: sender.into(),
        recipients: recipients
            .iter()
            .map(|(name, ix)| (route(name), RecipientIx(*ix)))
            .collect(),
    }
}

fn leads_to(name: &str) -> Resolved {
    Resolved::Site {
        site: site(name),
        lifetime: 1000 * SECOND,
        largest_window: None,
    }
}

/// What is to happen at some time.
#[derive(Debug)]
enum Event {
    Offer(Offer),
    Finished(DispatchId, Feedback),
}

/// How a peer behaves: so long for each dispatch, and whether it can be reached.
#[derive(Debug, Clone, Copy)]
struct Peer {
    takes: Duration,
    dead: bool,
}

/// A store, peers and name servers. Each route leads to a site of its name, at once.
struct World {
    scheduler: Scheduler,
    now: Mono,
    events: BTreeMap<(Mono, u64), Event>,
    count: u64,
    peers: BTreeMap<SiteKey, Peer>,
    senders: BTreeMap<QueueId, Arc<str>>,
    log: Vec<(Mono, Dispatch)>,
    turns: Turns,
}

impl World {
    fn new(limits: Limits, peers: BTreeMap<SiteKey, Peer>) -> World {
        World {
            scheduler: Scheduler::new(limits),
            now: Mono::ZERO,
            events: BTreeMap::new(),
            count: 0,
            peers,
            senders: BTreeMap::new(),
            log: Vec::new(),
            turns: Turns::default(),
        }
    }

    fn at(&mut self, when: Mono, event: Event) {
        self.count += 1;
        self.events.insert((when, self.count), event);
    }

    /// Runs until nothing is left to do, or `end`.
    fn run(&mut self, end: Mono) {
        loop {
            while self.poll() {}
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = event.into_iter().chain(self.scheduler.poll_timeout()).min() else {
                return;
            };
            if next > end {
                return;
            }
            self.now = next;
            while let Some(entry) = self.events.first_entry()
                && entry.key().0 == self.now
            {
                match entry.remove() {
                    Event::Offer(offer) => self.offer(offer),
                    Event::Finished(id, feedback) => {
                        self.scheduler.finished(id, feedback, self.now)
                    }
                }
            }
        }
    }

    fn offer(&mut self, offer: Offer) {
        self.senders.insert(offer.message, offer.sender.clone());
        self.turns.offered(&offer);
        assert_eq!(self.scheduler.offer(offer, self.now), Ok(vec![]));
    }

    fn poll(&mut self) -> bool {
        let views: Vec<SiteView> = self.scheduler.sites().collect();
        match self.scheduler.poll(self.now) {
            None => return false,
            Some(Action::Done(_)) => {}
            Some(Action::Resolve(route)) => {
                self.scheduler
                    .resolved(&route, leads_to(&route.0), self.now);
            }
            Some(Action::PutBack(back)) => self.put_back(back),
            Some(Action::Dispatch(dispatch)) => {
                self.turns
                    .dispatched(&dispatch, &self.senders[&dispatch.message], &views);
                let peer = self.peers[&dispatch.site];
                let feedback = match peer.dead {
                    true => Feedback::Trouble("timed out".into()),
                    false => Feedback::Worked,
                };
                self.at(
                    self.now + peer.takes,
                    Event::Finished(dispatch.id, feedback),
                );
                self.log.push((self.now, dispatch));
            }
        }
        true
    }

    /// As the store does, offers it again when it is due; as another lease, so by another name.
    fn put_back(&mut self, back: PutBack) {
        let sender = self.senders[&back.message].clone();
        self.turns.put_back(&back);
        self.count += 1;
        let again = Offer {
            message: QueueId(1_000_000 + self.count),
            sender,
            recipients: back
                .recipients
                .iter()
                .map(|ix| (route("dead"), *ix))
                .collect(),
        };
        self.at(back.until, Event::Offer(again));
    }

    /// What was dispatched to others than `site`, and when.
    fn log_without(&self, site: &SiteKey) -> Vec<(Mono, QueueId, Vec<RecipientIx>, SiteKey)> {
        self.log
            .iter()
            .filter(|(_, dispatch)| dispatch.site != *site)
            .map(|(at, d)| (*at, d.message, d.recipients.clone(), d.site.clone()))
            .collect()
    }
}

/// Recipients of a message that wait.
type Waiting = (QueueId, BTreeSet<RecipientIx>);

/// Checks that whoever has to wait sees each of the others go first once at most.
#[derive(Default)]
struct Turns {
    /// What waits at a site, by sender, in the order it was offered.
    waiting: BTreeMap<(SiteKey, Arc<str>), Vec<Waiting>>,
    /// How often the second was dispatched while the first had to wait.
    senders: BTreeMap<(SiteKey, Arc<str>, Arc<str>), u32>,
    sites: BTreeMap<(SiteKey, SiteKey), u32>,
}

impl Turns {
    fn offered(&mut self, offer: &Offer) {
        for (route, ix) in &offer.recipients {
            let key = (SiteKey(route.0.clone()), offer.sender.clone());
            let line = self.waiting.entry(key).or_default();
            match line.last_mut() {
                Some((message, recipients)) if *message == offer.message => {
                    recipients.insert(*ix);
                }
                _ => line.push((offer.message, BTreeSet::from([*ix]))),
            }
        }
    }

    fn put_back(&mut self, back: &PutBack) {
        for line in self.waiting.values_mut() {
            line.retain(|(message, _)| *message != back.message);
        }
        self.waiting.retain(|_, line| !line.is_empty());
    }

    fn dispatched(&mut self, dispatch: &Dispatch, sender: &Arc<str>, views: &[SiteView]) {
        let line = self
            .waiting
            .get_mut(&(dispatch.site.clone(), sender.clone()))
            .unwrap();
        let (message, recipients) = line.first_mut().unwrap();
        assert_eq!(*message, dispatch.message, "not the first of its sender");
        for ix in &dispatch.recipients {
            assert!(recipients.remove(ix));
        }
        if recipients.is_empty() {
            line.remove(0);
        }
        self.waiting.retain(|_, line| !line.is_empty());
        self.senders
            .retain(|(at, waits, _), _| *at != dispatch.site || waits != sender);
        for (at, waits) in self.waiting.keys() {
            if *at == dispatch.site && waits != sender {
                let key = (at.clone(), waits.clone(), sender.clone());
                let times = self.senders.entry(key).or_default();
                *times += 1;
                assert!(*times <= 1, "{waits} waits for {sender} twice");
            }
        }
        let ready: BTreeSet<&SiteKey> = views
            .iter()
            .filter(|view| view.waiting_messages > 0 && view.under_way < view.window)
            .map(|view| &view.site)
            .collect();
        self.sites
            .retain(|(waits, _), _| *waits != dispatch.site && ready.contains(waits));
        for waits in ready.into_iter().filter(|waits| **waits != dispatch.site) {
            let key = (waits.clone(), dispatch.site.clone());
            let times = self.sites.entry(key).or_default();
            *times += 1;
            assert!(*times <= 1, "{waits} waits for {} twice", dispatch.site);
        }
    }
}

/// Messages for up to four sites: when, from whom, to which site, how many recipients.
fn mail() -> impl Strategy<Value = Vec<(u64, u8, u8, u32)>> {
    prop::collection::vec((0u64..30, 0u8..5, 0u8..4, 1u32..8), 1..120)
}

fn peers(takes: &[u64]) -> BTreeMap<SiteKey, Peer> {
    let live = takes.iter().enumerate().map(|(n, secs)| {
        let takes = Duration::from_secs(*secs);
        (site(&format!("live{n}")), Peer { takes, dead: false })
    });
    let takes = 30 * SECOND;
    live.chain([(site("dead"), Peer { takes, dead: true })])
        .collect()
}

fn post(world: &mut World, mail: &[(u64, u8, u8, u32)]) {
    for (n, (at, sender, to, recipients)) in mail.iter().enumerate() {
        let to = route(&format!("live{to}"));
        let offer = Offer {
            message: QueueId(n as u64),
            sender: format!("sender{sender}").into(),
            recipients: (0..*recipients)
                .map(|ix| (to.clone(), RecipientIx(ix)))
                .collect(),
        };
        world.at(Mono::ZERO + Duration::from_secs(*at), Event::Offer(offer));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nobody_waits_for_another_twice(
        mail in mail(),
        takes in prop::collection::vec(1u64..9, 4),
        first_window in 1u32..4,
        largest_window in 1u32..6,
        most_under_way in 1usize..10,
    ) {
        let limits = Limits {
            recipients_per_dispatch: 3,
            first_window,
            largest_window,
            most_under_way,
            ..Limits::default()
        };
        let mut world = World::new(limits, peers(&takes));
        post(&mut world, &mail);
        world.run(Mono(u64::MAX));
        let sent: usize = world.log.iter().map(|(_, d)| d.recipients.len()).sum();
        let posted: u32 = mail.iter().map(|(.., recipients)| recipients).sum();
        prop_assert_eq!(sent, posted as usize);
    }

    #[test]
    fn a_dead_site_costs_the_others_nothing(
        mail in mail(),
        takes in prop::collection::vec(1u64..9, 4),
        dead in prop::collection::vec((0u64..30, 0u8..5, 1u32..3), 1..150),
    ) {
        let end = Mono::ZERO + 1000 * SECOND;
        let mut without = World::new(Limits::default(), peers(&takes));
        post(&mut without, &mail);
        without.run(end);
        let mut with = World::new(Limits::default(), peers(&takes));
        post(&mut with, &mail);
        for (n, (at, sender, recipients)) in dead.iter().enumerate() {
            let offer = Offer {
                message: QueueId(100_000 + n as u64),
                sender: format!("sender{sender}").into(),
                recipients: (0..*recipients).map(|ix| (route("dead"), RecipientIx(ix))).collect(),
            };
            with.at(Mono::ZERO + Duration::from_secs(*at), Event::Offer(offer));
        }
        with.run(end);
        let dead = site("dead");
        prop_assert_eq!(without.log_without(&dead), with.log_without(&dead));
        // Five at first, then one a probe: at 30 s and then after 1, 2, 4, and 8 minutes.
        let tried = with.log.iter().filter(|(_, d)| d.site == dead).count();
        prop_assert!((1..=9).contains(&tried), "{} attempts", tried);
    }
}

/// What a scheduler says until it has nothing more to say; routes lead to the site of their name.
fn poll_all(scheduler: &mut Scheduler, now: Mono) -> Vec<Action> {
    let mut actions = Vec::new();
    while let Some(action) = scheduler.poll(now) {
        match action {
            Action::Resolve(route) => scheduler.resolved(&route, leads_to(&route.0), now),
            action => actions.push(action),
        }
    }
    actions
}

fn dispatches(actions: &[Action]) -> Vec<Dispatch> {
    let dispatches = actions.iter().filter_map(|action| match action {
        Action::Dispatch(dispatch) => Some(dispatch.clone()),
        _ => None,
    });
    dispatches.collect()
}

fn put_backs(actions: &[Action]) -> Vec<PutBack> {
    let put_backs = actions.iter().filter_map(|action| match action {
        Action::PutBack(back) => Some(back.clone()),
        _ => None,
    });
    put_backs.collect()
}

fn messages(dispatches: &[Dispatch]) -> Vec<u64> {
    dispatches
        .iter()
        .map(|dispatch| dispatch.message.0)
        .collect()
}

#[test]
fn a_sender_with_a_hundred_thousand_messages_delays_another_by_one() {
    let now = Mono::ZERO;
    let limits = Limits {
        first_window: 1,
        ..Limits::default()
    };
    let mut scheduler = Scheduler::new(limits);
    scheduler.resolved(&route("a"), leads_to("a"), now);
    let taken = (0..100_000)
        .filter(|n| scheduler.offer(offer(*n, "many", &[("a", 0)]), now).is_ok())
        .count();
    // A third of what may be here: as much again is for other senders, and for other sites.
    assert_eq!(taken, 3_334);
    assert!(
        scheduler
            .offer(offer(200_000, "one", &[("a", 0)]), now)
            .is_ok()
    );
    let first = dispatches(&poll_all(&mut scheduler, now));
    assert_eq!(messages(&first), [0]);
    scheduler.finished(first[0].id, Feedback::Neutral, now);
    let second = dispatches(&poll_all(&mut scheduler, now));
    assert_eq!(messages(&second), [200_000]);
}

#[test]
fn a_slow_site_does_not_fill_the_set() {
    let now = Mono::ZERO;
    let mut scheduler = Scheduler::new(Limits::default());
    scheduler.resolved(&route("slow"), leads_to("slow"), now);
    let mut refused_after_skip = 0;
    for n in 0..100_000 {
        let skip = scheduler.closed_routes(now, 10);
        match scheduler.offer(offer(n, &format!("{}", n % 7), &[("slow", 0)]), now) {
            Ok(_) => {}
            Err(_) if skip == [route("slow")] => refused_after_skip += 1,
            Err(_) => panic!("refused, though a claim was not told"),
        }
    }
    assert!(refused_after_skip > 90_000);
    // Its messages for others are taken without it.
    for n in 100_000..100_100 {
        let taken = scheduler.offer(offer(n, "0", &[("slow", 0), ("quick", 1)]), now);
        assert_eq!(taken, Ok(vec![RecipientIx(0)]));
    }
    let to_quick = dispatches(&poll_all(&mut scheduler, now));
    assert!(to_quick.iter().any(|d| d.site == site("quick")));
    assert!(scheduler.room() > 1000);
}

#[test]
fn a_site_is_closed_after_troubles_and_probed_with_one_dispatch() {
    let mut now = Mono::ZERO;
    let mut scheduler = Scheduler::new(Limits::default());
    for n in 0..8 {
        scheduler.offer(offer(n, "s", &[("a", 0)]), now).unwrap();
    }
    let first = dispatches(&poll_all(&mut scheduler, now));
    assert_eq!(first.len(), 5);
    for dispatch in &first[..4] {
        scheduler.finished(dispatch.id, Feedback::Trouble("refused".into()), now);
    }
    assert_eq!(put_backs(&poll_all(&mut scheduler, now)), []);
    scheduler.finished(first[4].id, Feedback::Trouble("refused".into()), now);
    let mut until = now + 60 * SECOND;
    assert_eq!(scheduler.closed_routes(now, 10), [route("a")]);
    for minutes in [2, 4] {
        let backs = put_backs(&poll_all(&mut scheduler, now));
        assert_eq!(
            backs.iter().map(|back| back.until).collect::<BTreeSet<_>>(),
            [until].into()
        );
        // Time comes, and with it everything again.
        now = until;
        for n in 10..20 {
            scheduler.offer(offer(n, "s", &[("a", 0)]), now).unwrap();
        }
        let probe = dispatches(&poll_all(&mut scheduler, now));
        assert_eq!(probe.len(), 1);
        scheduler.finished(probe[0].id, Feedback::Trouble("refused".into()), now);
        until = now + minutes * 60 * SECOND;
    }
    assert_eq!(put_backs(&poll_all(&mut scheduler, now)).len(), 9);
    now = until;
    for n in 20..30 {
        scheduler.offer(offer(n, "s", &[("a", 0)]), now).unwrap();
    }
    assert_eq!(
        scheduler.sites().next().unwrap().standing,
        Standing::Probing
    );
    let probe = dispatches(&poll_all(&mut scheduler, now));
    assert_eq!(probe.len(), 1);
    scheduler.finished(probe[0].id, Feedback::Worked, now);
    let two = dispatches(&poll_all(&mut scheduler, now));
    assert_eq!(two.len(), 2);
    let view = scheduler.sites().next().unwrap();
    assert_eq!(view.standing, Standing::Open { troubles: 0 });
    assert_eq!(scheduler.closed_routes(now, 10), []);
    // The next pause is a first one again.
    let mut under_way = two;
    for _ in 0..5 {
        let dispatch = under_way.pop().unwrap();
        scheduler.finished(dispatch.id, Feedback::Trouble("refused".into()), now);
        under_way.append(&mut dispatches(&poll_all(&mut scheduler, now)));
    }
    let until = now + 60 * SECOND;
    let view = scheduler.sites().next().unwrap();
    assert_eq!(view.standing, Standing::Closed { until });
}

#[test]
fn a_closed_site_is_probed_before_its_time_if_that_is_wanted() {
    let now = Mono::ZERO;
    let mut scheduler = Scheduler::new(Limits::default());
    let mut number = 0;
    let mut offer_ten = |scheduler: &mut Scheduler| {
        for n in number..number + 10 {
            scheduler.offer(offer(n, "s", &[("a", 0)]), now).unwrap();
        }
        number += 10;
    };
    offer_ten(&mut scheduler);
    for dispatch in dispatches(&poll_all(&mut scheduler, now)) {
        scheduler.finished(dispatch.id, Feedback::Trouble("refused".into()), now);
    }
    assert_eq!(put_backs(&poll_all(&mut scheduler, now)).len(), 5);
    assert_eq!(scheduler.closed_routes(now, 10), [route("a")]);

    // One goes, and the others wait for what it comes to.
    scheduler.probe_closed(now);
    assert_eq!(scheduler.closed_routes(now, 10), []);
    offer_ten(&mut scheduler);
    let actions = poll_all(&mut scheduler, now);
    let probe = dispatches(&actions);
    assert_eq!((probe.len(), put_backs(&actions).len()), (1, 0));

    // It was too early: the next pause is the second one.
    scheduler.finished(probe[0].id, Feedback::Trouble("refused".into()), now);
    let backs = put_backs(&poll_all(&mut scheduler, now));
    assert_eq!(backs.len(), 9);
    assert!(backs.iter().all(|back| back.until == now + 120 * SECOND));

    scheduler.probe_closed(now);
    offer_ten(&mut scheduler);
    let probe = dispatches(&poll_all(&mut scheduler, now));
    scheduler.finished(probe[0].id, Feedback::Worked, now);
    assert_eq!(dispatches(&poll_all(&mut scheduler, now)).len(), 2);
    // Where nothing is closed it does nothing.
    scheduler.probe_closed(now);
    let view = scheduler.sites().next().unwrap();
    assert_eq!(view.standing, Standing::Open { troubles: 0 });
}

#[test]
fn what_was_under_way_when_a_site_was_closed_does_not_lengthen_the_pause() {
    let now = Mono::ZERO;
    let mut limits = Limits::default();
    limits.pause.after = 2;
    let mut scheduler = Scheduler::new(limits);
    for n in 0..5 {
        scheduler.offer(offer(n, "s", &[("a", 0)]), now).unwrap();
    }
    let first = dispatches(&poll_all(&mut scheduler, now));
    for dispatch in &first[..4] {
        scheduler.finished(dispatch.id, Feedback::Trouble("lost".into()), now);
    }
    let until = now + 60 * SECOND;
    let standing = |scheduler: &Scheduler| scheduler.sites().next().unwrap().standing;
    assert_eq!(standing(&scheduler), Standing::Closed { until });
    // One that was slower has got through.
    scheduler.finished(first[4].id, Feedback::Worked, now);
    assert_eq!(standing(&scheduler), Standing::Open { troubles: 0 });
    assert_eq!(scheduler.closed_routes(now, 10), []);
}

#[test]
fn a_peer_that_is_busy_gets_less_and_with_one_connection_none_for_a_while() {
    let now = Mono::ZERO;
    let mut limits = Limits::default();
    limits.pause.after = 2;
    let mut scheduler = Scheduler::new(limits);
    let mut windows = Vec::new();
    for n in 0..6 {
        scheduler.offer(offer(n, "s", &[("a", 0)]), now).unwrap();
        for dispatch in dispatches(&poll_all(&mut scheduler, now)) {
            scheduler.finished(dispatch.id, Feedback::Busy("421 busy".into()), now);
        }
        windows.push(scheduler.sites().next().unwrap().window);
    }
    assert_eq!(windows, [2, 1, 1, 0, 0, 0]);
}

#[test]
fn routes_to_one_site_share_its_dispatches() {
    let now = Mono::ZERO;
    let mut scheduler = Scheduler::new(Limits::default());
    scheduler.resolved(&route("a"), leads_to("mx"), now);
    scheduler.resolved(&route("b"), leads_to("mx"), now);
    scheduler
        .offer(
            offer(1, "s", &[("a", 0), ("b", 1), ("a", 2), ("b", 2)]),
            now,
        )
        .unwrap();
    let sent = dispatches(&poll_all(&mut scheduler, now));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].recipients, [0, 2, 1].map(RecipientIx));
}

#[test]
fn a_route_is_asked_for_again_and_takes_what_waits_along() {
    let mut now = Mono::ZERO;
    let limits = Limits {
        first_window: 1,
        largest_window: 1,
        ..Limits::default()
    };
    let mut scheduler = Scheduler::new(limits);
    scheduler.resolved(&route("a"), leads_to("old"), now);
    for n in 0..3 {
        scheduler.offer(offer(n, "s", &[("a", 0)]), now).unwrap();
    }
    assert_eq!(dispatches(&poll_all(&mut scheduler, now)).len(), 1);
    assert_eq!(scheduler.poll_timeout(), Some(now + 1000 * SECOND));
    now = now + 1000 * SECOND;
    assert_eq!(scheduler.poll(now), Some(Action::Resolve(route("a"))));
    assert_eq!(scheduler.site_of(&route("a")), Some(&site("old")));
    scheduler.resolved(&route("a"), leads_to("new"), now);
    let sent = dispatches(&poll_all(&mut scheduler, now));
    assert_eq!((sent[0].message, &sent[0].site), (QueueId(1), &site("new")));
    let waits = |name: &str| {
        let view = scheduler
            .sites()
            .find(|view| view.site == site(name))
            .unwrap();
        (
            view.waiting_messages,
            view.waiting_recipients,
            view.under_way,
        )
    };
    assert_eq!((waits("old"), waits("new")), ((0, 0, 1), (1, 1, 1)));
}

#[test]
fn what_nobody_uses_is_forgotten() {
    let mut now = Mono::ZERO;
    let limits = Limits {
        most_remembered: 10,
        ..Limits::default()
    };
    let mut scheduler = Scheduler::new(limits);
    for n in 0..1000 {
        let name = format!("r{n}");
        scheduler.offer(offer(n, "s", &[(&name, 0)]), now).unwrap();
        for dispatch in dispatches(&poll_all(&mut scheduler, now)) {
            scheduler.finished(dispatch.id, Feedback::Worked, now);
        }
        let counts = scheduler.counts();
        assert!(counts.sites <= 10 && counts.routes <= 10, "{counts:?}");
    }
    poll_all(&mut scheduler, now);
    now = now + limits.remember;
    poll_all(&mut scheduler, now);
    let counts = scheduler.counts();
    assert_eq!((counts.sites, counts.routes, counts.messages), (0, 0, 0));
    assert_eq!(scheduler.poll_timeout(), None);
}

#[test]
fn dispatches_and_put_backs_do_not_wait_for_one_another() {
    let now = Mono::ZERO;
    let mut limits = Limits::default();
    limits.pause.after = 1;
    let mut scheduler = Scheduler::new(limits);
    for n in 0..20 {
        scheduler.offer(offer(n, "s", &[("dead", 0)]), now).unwrap();
    }
    let dead = dispatches(&poll_all(&mut scheduler, now));
    scheduler.finished(dead[0].id, Feedback::Trouble("refused".into()), now);
    scheduler.resolved(&route("live"), leads_to("live"), now);
    for n in 20..40 {
        scheduler.offer(offer(n, "s", &[("live", 0)]), now).unwrap();
    }
    let mut dispatched = Vec::new();
    while dispatched.len() < 20 {
        match scheduler.poll(now).unwrap() {
            Action::Dispatch(dispatch) => {
                scheduler.finished(dispatch.id, Feedback::Worked, now);
                dispatched.push(true);
            }
            Action::PutBack(_) => dispatched.push(false),
            Action::Resolve(_) | Action::Done(_) => {}
        }
    }
    assert!(
        dispatched.windows(2).all(|two| two[0] != two[1]),
        "{dispatched:?}"
    );
}
