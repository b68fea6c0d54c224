//! When to look into the store for what is due, and at how much of it.

use std::collections::BTreeSet;
use std::time::Duration;

use postroad_clock::Mono;
use postroad_reply::QueueId;

/// How many messages are claimed at once.
const CLAIM: usize = 1000;

/// After so many messages that were done, there is room enough to look again.
const MANY: usize = CLAIM / 4;

/// How many are claimed at once, of each route and in all, that a claim leaves alone else.
const FEW: (usize, usize) = (20, 100);

/// When to look.
///
/// At once after a look that brought something which was all taken; after a while, or when many
/// messages are done, after any other. So what is claimed in vain, whatever the cause, is claimed a
/// few times a second at most.
#[derive(Debug)]
pub(crate) struct Looks {
    pause: Duration,
    next: Mono,
    /// When to look next at what else is left alone.
    next_at_all: Mono,
    /// How many messages were done since the last look.
    done: usize,
    /// The look that is under way; what an operator changed meanwhile may have been read before.
    under_way: Option<BTreeSet<QueueId>>,
}

/// How much a claim is to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// At most so many messages.
    pub(crate) most: usize,
    /// At most so many of one route.
    pub(crate) per_route: usize,
    /// Routes that are left alone else are looked at as well.
    pub(crate) at_all: bool,
}

impl Looks {
    /// The first look is at `now`; the ones that bring nothing are a `pause` apart.
    pub(crate) fn new(pause: Duration, now: Mono) -> Looks {
        Looks {
            pause,
            next: now,
            next_at_all: now + pause,
            done: 0,
            under_way: None,
        }
    }

    /// When to look, unless a look is under way.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.under_way.is_none().then_some(self.next)
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// A look begins if it is time and there is `room`; `closed` if there is something that is left
    /// alone.
    ///
    /// Of what is left alone, because its site is closed or has enough, a few are taken now and
    /// then: they may have recipients elsewhere, or it may be time to give them up or to tell that
    /// they are late. Their site's closing puts them off to its end, so it is others the next time.
    pub(crate) fn begin(
        &mut self,
        now: Mono,
        room: usize,
        per_route: usize,
        closed: bool,
    ) -> Option<Look> {
        if self.under_way.is_some() || now < self.next {
            return None;
        }
        self.next = now + self.pause;
        self.done = 0;
        if room == 0 {
            return None;
        }
        self.under_way = Some(BTreeSet::new());
        let at_all = closed && now >= self.next_at_all;
        if at_all {
            self.next_at_all = now + self.pause;
            // It is no look at what else there is.
            self.next = now;
        }
        let (few_of_route, few) = if at_all { FEW } else { (usize::MAX, CLAIM) };
        Some(Look {
            most: room.min(few),
            per_route: per_route.min(few_of_route).max(1),
            at_all,
        })
    }

    /// An operator changed a message that isn't here.
    pub(crate) fn changed(&mut self, id: QueueId) {
        if let Some(changed) = &mut self.under_way {
            changed.insert(id);
        }
    }

    /// A look has ended: the messages that were changed while it was under way.
    pub(crate) fn end(&mut self) -> BTreeSet<QueueId> {
        self.under_way.take().unwrap_or_default()
    }

    /// All that a look brought was taken: there may be more.
    pub(crate) fn took_all(&mut self, now: Mono) {
        self.next = now;
    }

    /// A message is done.
    pub(crate) fn is_done(&mut self, now: Mono) {
        self.done += 1;
        if self.done >= MANY {
            self.next = self.next.min(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn look(looks: &mut Looks, now: Mono) -> Option<Look> {
        looks.begin(now, 5000, 300, false)
    }

    #[test]
    fn it_looks_again_at_once_only_after_it_took_all() {
        let mut now = Mono::ZERO;
        let mut looks = Looks::new(SECOND, now);
        assert!(look(&mut looks, now).is_some());
        assert_eq!(look(&mut looks, now + 9 * SECOND), None, "it is under way");
        looks.end();
        looks.took_all(now);
        assert!(look(&mut looks, now).is_some());
        looks.end();
        assert_eq!(look(&mut looks, now), None);
        assert_eq!(looks.next(), Some(now + SECOND));
        now = now + SECOND;
        assert!(look(&mut looks, now).is_some());
    }

    #[test]
    fn many_messages_done_are_a_reason_to_look() {
        let now = Mono::ZERO;
        let mut looks = Looks::new(SECOND, now);
        assert!(look(&mut looks, now).is_some());
        looks.end();
        (1..MANY).for_each(|_| looks.is_done(now));
        assert_eq!(look(&mut looks, now), None);
        looks.is_done(now);
        assert!(look(&mut looks, now).is_some());
        looks.end();
        assert_eq!(look(&mut looks, now), None);
    }

    #[test]
    fn without_room_nothing_is_claimed_and_it_looks_later() {
        let now = Mono::ZERO;
        let mut looks = Looks::new(SECOND, now);
        assert_eq!(looks.begin(now, 0, 9, true), None);
        assert!(!looks.is_under_way());
        assert_eq!(looks.next(), Some(now + SECOND));
    }

    #[test]
    fn a_few_of_what_is_closed_are_looked_at_each_pause() {
        let mut now = Mono::ZERO;
        let mut looks = Looks::new(SECOND, now);
        let mut at_all = Vec::new();
        for _ in 0..3 {
            while let Some(look) = looks.begin(now, 5000, 300, true) {
                looks.end();
                at_all.push(look.at_all);
                let much = if look.at_all { (100, 20) } else { (1000, 300) };
                assert_eq!((look.most, look.per_route), much);
            }
            now = now + SECOND;
        }
        assert_eq!(at_all, [false, true, false, true, false]);
    }

    #[test]
    fn what_is_changed_while_it_looks_is_known_at_the_end() {
        let now = Mono::ZERO;
        let mut looks = Looks::new(SECOND, now);
        looks.changed(QueueId(1));
        assert!(look(&mut looks, now).is_some());
        looks.changed(QueueId(2));
        assert_eq!(looks.end(), BTreeSet::from([QueueId(2)]));
        assert_eq!(looks.end(), BTreeSet::new());
    }
}
