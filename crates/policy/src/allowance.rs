//! How many messages somebody may send in an hour.

use std::collections::BTreeMap;
use std::time::Duration;

use postroad_clock::Mono;

const HOUR: Duration = Duration::from_secs(3600);

/// How many senders are remembered. Beyond them nothing is held against others.
const MOST: usize = 65_536;

/// What senders have used of their allowances. One that has been silent may send as many as an hour's
/// at once; what it has sent comes back to it evenly. So no hour has more than twice the number.
#[derive(Debug)]
pub struct Allowances<K: Ord> {
    /// When each of them has its whole allowance again.
    whole_at: BTreeMap<K, Mono>,
}

impl<K: Ord> Default for Allowances<K> {
    fn default() -> Allowances<K> {
        let whole_at = BTreeMap::new();
        Allowances { whole_at }
    }
}

impl<K: Ord> Allowances<K> {
    /// Whether a sender who may send so many messages an hour, one at least, may send another now.
    pub fn may_send(&self, sender: &K, an_hour: u32, now: Mono) -> bool {
        let used = self
            .whole_at
            .get(sender)
            .map_or(Duration::ZERO, |at| at.since(now));
        used + each(an_hour) <= HOUR
    }

    /// Notes that a sender has sent a message.
    pub fn sent(&mut self, sender: K, an_hour: u32, now: Mono) {
        if self.whole_at.len() >= MOST && !self.whole_at.contains_key(&sender) {
            self.whole_at.retain(|_, at| *at > now);
            if self.whole_at.len() >= MOST {
                return;
            }
        }
        let at = self.whole_at.entry(sender).or_insert(now);
        *at = (*at).max(now) + each(an_hour);
    }
}

/// How long it takes for one message to come back.
fn each(an_hour: u32) -> Duration {
    HOUR / an_hour.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn who_has_sent_all_of_it_waits_for_the_next() {
        let mut allowances = Allowances::default();
        let at = |seconds| Mono::ZERO + Duration::from_secs(seconds);
        for _ in 0..4 {
            assert!(allowances.may_send(&"anna", 4, at(0)));
            allowances.sent("anna", 4, at(0));
        }
        assert!(!allowances.may_send(&"anna", 4, at(0)));
        assert!(allowances.may_send(&"bert", 4, at(0)), "each has its own");
        assert!(!allowances.may_send(&"anna", 4, at(899)));
        assert!(allowances.may_send(&"anna", 4, at(900)));
        // A raised allowance holds for what was sent before.
        assert!(allowances.may_send(&"anna", 4000, at(1)));
    }

    proptest! {
        #[test]
        fn no_hour_has_more_than_twice_the_number(
            an_hour in 1u32..20,
            steps in proptest::collection::vec(0u64..1000, 0..200),
        ) {
            let mut allowances = Allowances::default();
            let mut now = 0;
            let mut sent = Vec::new();
            for step in steps {
                now += step;
                let at = Mono::ZERO + Duration::from_secs(now);
                if allowances.may_send(&(), an_hour, at) {
                    allowances.sent((), an_hour, at);
                    sent.push(now);
                }
            }
            for from in &sent {
                let hour = sent.iter().filter(|at| (*from..from + 3600).contains(at));
                prop_assert!(hour.count() <= 2 * an_hour as usize);
            }
        }
    }
}
