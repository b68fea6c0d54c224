//! How much clients have sent of what they may.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use postroad_clock::Mono;
use postroad_policy::allowance::Allowances;
use postroad_policy::{Verdict, rule};

use crate::transaction::Client;

/// How many messages may be sent in an hour.
#[derive(Debug, Clone, Copy, Default)]
pub struct SendingLimits {
    /// By a user who has authenticated, from wherever.
    pub per_user: Option<u32>,
    /// By all clients of a network that have not.
    pub per_network: Option<u32>,
    /// Whether one message more is refused for good (552), and not for now (450).
    pub is_final: bool,
}

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Sender {
    User(String),
    Network(IpNet),
}

/// What was sent by whom.
#[derive(Debug, Default)]
pub struct Sent(Mutex<Allowances<Sender>>);

impl Sent {
    /// Whether a client may begin another message.
    pub(crate) fn judge(&self, limits: SendingLimits, client: &Client, now: Mono) -> Verdict {
        match limits.of(client) {
            Some((sender, an_hour)) => {
                let may_send = self.allowances().may_send(&sender, an_hour, now);
                rule::allowance(may_send, limits.is_final)
            }
            None => Verdict::Accept,
        }
    }

    /// Notes that a message of a client was taken.
    pub(crate) fn note(&self, limits: SendingLimits, client: &Client, now: Mono) {
        if let Some((sender, an_hour)) = limits.of(client) {
            self.allowances().sent(sender, an_hour, now);
        }
    }

    fn allowances(&self) -> MutexGuard<'_, Allowances<Sender>> {
        // A map is in order after every call, whatever happened to its caller.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SendingLimits {
    /// As whom a client sends, and how much that one may; none where it may send what it likes.
    fn of(self, client: &Client) -> Option<(Sender, u32)> {
        match client.user() {
            Some(user) => Some((Sender::User(user.to_owned()), self.per_user?)),
            None => Some((Sender::Network(client.network()), self.per_network?)),
        }
    }
}
