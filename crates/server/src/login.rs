//! Logging in: what all sessions share of it, and how far one exchange is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use postroad_clock::Mono;
use postroad_directory::users::ServerFirst;
use postroad_host::chance::Chance;
use postroad_policy::guesses::{Attempt, Guesses};
use postroad_wire::base64;
use postroad_wire::sasl::Mechanism;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many passwords may wait to be checked, for each that is.
const WAITING: usize = 32;

/// What all sessions share of logging in.
#[derive(Debug)]
pub struct LoginGuard {
    guesses: Mutex<Guesses>,
    /// How many passwords may be checked at once: each takes a core for some tens of milliseconds, and 19 MiB.
    at_once: Semaphore,
    /// How many may be checked or wait for it.
    room: Semaphore,
    chance: Chance,
    /// By it a user who doesn't exist is made up for SCRAM, the same each time.
    secret: [u8; 32],
}

/// A place among those whose passwords are checked.
pub(crate) struct Place<'a> {
    _room: SemaphorePermit<'a>,
    _at_once: SemaphorePermit<'a>,
}

impl LoginGuard {
    /// `at_once` passwords are checked at the same time, one at least. `secret` is random, this server's
    /// own, and the same after a restart.
    pub fn new(at_once: usize, secret: [u8; 32], chance: Chance) -> LoginGuard {
        let at_once = at_once.max(1);
        LoginGuard {
            guesses: Mutex::default(),
            at_once: Semaphore::new(at_once),
            room: Semaphore::new(at_once * (WAITING + 1)),
            chance,
            secret,
        }
    }

    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Random octets.
    pub(crate) fn salt(&self) -> [u8; 16] {
        let mut salt = [0; 16];
        self.chance.fill(&mut salt);
        salt
    }

    /// A nonce that nobody can guess, in printable characters without a comma (RFC 5802 5.1).
    pub(crate) fn nonce(&self) -> String {
        let mut octets = [0; 18];
        self.chance.fill(&mut octets);
        base64::encode(&octets)
    }

    /// Waits for a place among those whose passwords are checked; none if too many wait.
    pub(crate) async fn place(&self) -> Option<Place<'_>> {
        let room = self.room.try_acquire().ok()?;
        // Nobody closes it.
        let at_once = self.at_once.acquire().await.ok()?;
        Some(Place {
            _room: room,
            _at_once: at_once,
        })
    }

    /// As [`Guesses::begin`].
    pub(crate) fn begin(
        &self,
        name: &str,
        network: IpNet,
        now: Mono,
    ) -> Option<(Attempt, Duration)> {
        self.guesses().begin(name, network, now)
    }

    /// As [`Guesses::undecided`].
    pub(crate) fn undecided(&self, attempt: &Attempt) {
        self.guesses().undecided(attempt);
    }

    /// As [`Guesses::right`].
    pub(crate) fn right(&self, attempt: Attempt, now: Mono) {
        self.guesses().right(attempt, now);
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        // Counts are whole after each line.
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far an exchange is: what the client's next message is.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// The one message of PLAIN.
    Plain,
    /// The name of LOGIN.
    LoginName,
    /// The password of LOGIN, for this name.
    LoginPassword(Vec<u8>),
    /// The first message of SCRAM.
    ScramFirst,
    /// Its last one.
    ScramFinal { answered: ServerFirst, login: Login },
    /// The empty answer to the server's proof: the client is who it says.
    ScramProved(Login),
}

/// Somebody who would log in.
#[derive(Debug)]
pub(crate) struct Login {
    /// As whom; prepared, as far as it can be.
    pub(crate) name: String,
    pub(crate) mechanism: Mechanism,
    pub(crate) attempt: Attempt,
    /// How long it had to wait.
    pub(crate) waited: Duration,
}

impl Exchange {
    /// The beginning of one.
    pub(crate) fn new(mechanism: Mechanism) -> Exchange {
        match mechanism {
            Mechanism::Plain => Exchange::Plain,
            Mechanism::Login => Exchange::LoginName,
            Mechanism::ScramSha256 => Exchange::ScramFirst,
        }
    }

    /// What the client is asked for its first message, if AUTH itself had none (RFC 4954 4). For LOGIN,
    /// which has no specification, some clients look for these words.
    pub(crate) fn first_challenge(&self) -> &'static [u8] {
        match self {
            Exchange::LoginName => b"Username:",
            _ => b"",
        }
    }
}

/// The name and the password of PLAIN (RFC 4616 2); none if it is malformed, or the client would act for
/// somebody else.
pub(crate) fn plain(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = message.split(|octet| *octet == 0);
    let (acting_for, name, password) = (parts.next()?, parts.next()?, parts.next()?);
    let is_one = parts.next().is_none() && !name.is_empty() && !password.is_empty();
    let for_itself = acting_for.is_empty() || acting_for == name;
    (is_one && for_itself).then_some((name, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_plain_has_three_parts() {
        for (message, expected) in [
            (&b"\0anna\0secret"[..], Some((&b"anna"[..], &b"secret"[..]))),
            (b"anna\0anna\0secret", Some((b"anna", b"secret"))),
            (b"bert\0anna\0secret", None),
            (b"\0anna\0secret\0", None),
            (b"\0anna\0", None),
            (b"\0\0secret", None),
            (b"anna\0secret", None),
            (b"", None),
        ] {
            assert_eq!(plain(message), expected, "{message:?}");
        }
    }
}
