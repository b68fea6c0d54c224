//! Slows down who guesses passwords.
//!
//! Attempts from a network come one after the other, and each failure makes the next wait longer: after a few
//! there is one in half a minute, however many connections are used. What is guessed of one user from many
//! networks waits a little too, and no longer, so that nobody locks out somebody else. Where a user has
//! logged in before, that network and user are counted by themselves: strangers there, or a forgotten
//! telephone, cost them nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use postroad_clock::Mono;

/// Failures that cost nothing: fingers slip.
const FREE: u32 = 3;
/// The longest wait between two attempts of one network.
const LONGEST: Duration = Duration::from_secs(30);
/// Who would have to wait longer than this, for all that others try before, is told to come again.
const PATIENCE: Duration = Duration::from_secs(45);
/// Failures of one user's name, from wherever, that cost nothing.
const FREE_OF_NAME: u32 = 10;
/// What an attempt waits for a name that has many.
const FOR_NAME: Duration = Duration::from_secs(5);
/// Half of the failures are forgotten after this.
const HALF_LIFE: Duration = Duration::from_secs(600);
/// How many networks, names, and networks of users, are remembered.
const MOST: usize = 16_384;
/// What an attempt waits that can't be remembered.
const UNREMEMBERED: Duration = Duration::from_secs(1);

/// Who has guessed how often.
#[derive(Debug, Default)]
pub struct Guesses {
    networks: BTreeMap<IpNet, Failures>,
    names: BTreeMap<String, Failures>,
    /// Users where they have logged in.
    known: BTreeMap<(String, IpNet), Failures>,
}

/// Failures, and when the next attempt may be.
#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// Since when half of them are being forgotten.
    since: Mono,
    /// When the next attempt may be.
    next: Mono,
}

/// An attempt that was let in. It counts as a failure until it is told that it was none.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    name: String,
    network: IpNet,
    known: bool,
}

impl Guesses {
    /// Lets in an attempt to log in as `name` from `network`: how long it has to wait before it is looked
    /// at; or none, if that would be too long.
    pub fn begin(&mut self, name: &str, network: IpNet, now: Mono) -> Option<(Attempt, Duration)> {
        let attempt = Attempt {
            name: name.to_owned(),
            network,
            known: self.known.contains_key(&(name.to_owned(), network)),
        };
        if attempt.known {
            let own = (attempt.name.clone(), network);
            let wait = begin(&mut self.known, own, now)?;
            return Some((attempt, wait));
        }
        let wait = begin(&mut self.networks, network, now)?;
        let of_name = match remembered(&mut self.names, name.to_owned(), now) {
            Some(failures) => {
                failures.forget(now);
                failures.count = failures.count.saturating_add(1);
                match failures.count > FREE_OF_NAME {
                    true => FOR_NAME,
                    false => Duration::ZERO,
                }
            }
            None => UNREMEMBERED,
        };
        Some((attempt, wait.max(of_name)))
    }

    /// The attempt was none after all: nothing was found out by it.
    pub fn undecided(&mut self, attempt: &Attempt) {
        let taken_back = |failures: Option<&mut Failures>| {
            if let Some(failures) = failures {
                failures.count = failures.count.saturating_sub(1);
            }
        };
        if attempt.known {
            let own = (attempt.name.clone(), attempt.network);
            taken_back(self.known.get_mut(&own));
        } else {
            taken_back(self.networks.get_mut(&attempt.network));
            taken_back(self.names.get_mut(&attempt.name));
        }
    }

    /// The attempt was right. Other failures of its network stay: who has a user's password may still
    /// guess another's.
    pub fn right(&mut self, attempt: Attempt, now: Mono) {
        self.undecided(&attempt);
        let own = (attempt.name, attempt.network);
        if let Some(failures) = remembered(&mut self.known, own, now) {
            *failures = Failures::none(now);
        }
    }
}

/// Counts an attempt where it belongs, and says how long it waits.
fn begin<K: Ord>(of: &mut BTreeMap<K, Failures>, key: K, now: Mono) -> Option<Duration> {
    let Some(failures) = remembered(of, key, now) else {
        return Some(UNREMEMBERED);
    };
    failures.forget(now);
    let at = failures.next.max(now);
    let wait = at.since(now);
    if wait > PATIENCE {
        return None;
    }
    failures.count = failures.count.saturating_add(1);
    failures.next = at + pause(failures.count);
    Some(wait)
}

/// How long the attempt after so many failures waits.
fn pause(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(16)).min(LONGEST),
    }
}

/// What is remembered of a key; none if there is no room, and nothing that could be forgotten.
fn remembered<K: Ord>(of: &mut BTreeMap<K, Failures>, key: K, now: Mono) -> Option<&mut Failures> {
    if of.len() >= MOST && !of.contains_key(&key) {
        of.retain(|_, failures| {
            failures.forget(now);
            failures.count > 0
        });
        if of.len() >= MOST {
            return None;
        }
    }
    Some(of.entry(key).or_insert_with(|| Failures::none(now)))
}

impl Failures {
    fn none(now: Mono) -> Failures {
        Failures {
            count: 0,
            since: now,
            next: now,
        }
    }

    fn forget(&mut self, now: Mono) {
        let halvings = now.since(self.since).as_millis() / HALF_LIFE.as_millis();
        if halvings > 0 {
            self.count = self.count.checked_shr(halvings as u32).unwrap_or(0);
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNet {
        text.parse().expect("a network in a test")
    }

    fn at(seconds: u64) -> Mono {
        Mono::ZERO + Duration::from_secs(seconds)
    }

    fn wait(guesses: &mut Guesses, name: &str, from: &str, now: u64) -> Option<u64> {
        let begun = guesses.begin(name, network(from), at(now));
        begun.map(|(_, wait)| wait.as_secs())
    }

    #[test]
    fn many_guesses_at_once_are_one_after_the_other() {
        let mut guesses = Guesses::default();
        let waits: Vec<_> = (0..9)
            .map(|n| wait(&mut guesses, &format!("user{n}"), "192.0.2.0/24", 0))
            .collect();
        // 0, 0, 0, then a second after the third, two after the fourth, four, eight, sixteen.
        let expected = [0, 0, 0, 1, 3, 7, 15, 31].map(Some);
        assert_eq!(waits[..8], expected);
        assert_eq!(waits[8], None, "it is told to come again");
        assert_eq!(wait(&mut guesses, "user", "198.51.100.0/24", 0), Some(0));
    }

    #[test]
    fn a_day_of_guessing_gets_few_guesses() {
        let mut guesses = Guesses::default();
        let mut let_in = 0;
        for second in 0..86_400 {
            if wait(&mut guesses, "anna", "192.0.2.0/24", second).is_some() {
                let_in += 1;
            }
        }
        assert!((2000..4000).contains(&let_in), "{let_in}");
    }

    #[test]
    fn strangers_do_not_lock_a_user_out() {
        let mut guesses = Guesses::default();
        let home = "203.0.113.0/24";
        let (attempt, _) = guesses.begin("anna", network(home), at(0)).expect("let in");
        guesses.right(attempt, at(0));
        for n in 0..200 {
            let from = format!("10.0.{n}.0/24");
            assert!(
                wait(&mut guesses, "anna", &from, 1) <= Some(5),
                "from elsewhere a little"
            );
            let _ = wait(&mut guesses, "anna", "192.0.2.0/24", 1);
            let _ = wait(&mut guesses, "bert", home, 1);
        }
        assert_eq!(
            wait(&mut guesses, "anna", home, 1),
            Some(0),
            "at home not at all"
        );
        assert_eq!(wait(&mut guesses, "anna", "198.51.100.0/24", 1), Some(5));
    }

    #[test]
    fn who_knows_one_password_guesses_others_no_faster() {
        let mut guesses = Guesses::default();
        for n in 0..40 {
            let _ = wait(&mut guesses, "bert", "192.0.2.0/24", n);
            if let Some((attempt, _)) = guesses.begin("anna", network("192.0.2.0/24"), at(n)) {
                guesses.right(attempt, at(n));
            }
        }
        let next = wait(&mut guesses, "bert", "192.0.2.0/24", 40);
        assert!(next.is_none_or(|seconds| seconds > 10), "{next:?}");
    }

    #[test]
    fn logins_that_are_right_never_wait_and_failures_are_forgotten() {
        let mut guesses = Guesses::default();
        for n in 0..1000 {
            let name = format!("user{n}");
            let (attempt, wait) = guesses
                .begin(&name, network("192.0.2.0/24"), at(n))
                .expect("let in");
            assert_eq!(wait, Duration::ZERO);
            guesses.right(attempt, at(n));
        }
        for _ in 0..8 {
            let _ = wait(&mut guesses, "bert", "192.0.2.0/24", 2000);
        }
        let later = 2000 + 4 * 600;
        assert_eq!(wait(&mut guesses, "bert", "192.0.2.0/24", later), Some(0));
        assert_eq!(wait(&mut guesses, "bert", "192.0.2.0/24", later), Some(0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut guesses = Guesses::default();
        for n in 0..MOST as u32 + 100 {
            let from = IpNet::from(std::net::IpAddr::from(n.to_be_bytes()));
            let _ = guesses.begin(&n.to_string(), from, at(0));
        }
        assert_eq!((guesses.networks.len(), guesses.names.len()), (MOST, MOST));
        assert_eq!(wait(&mut guesses, "new", "192.0.2.0/24", 0), Some(1));
        assert_eq!(wait(&mut guesses, "new", "192.0.2.0/24", 6000), Some(0));
    }
}
