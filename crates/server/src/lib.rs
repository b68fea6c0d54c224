//! Owns listeners and moves events between sessions, policy and the store.
//!
//! * [`Server`] accepts connections and ends them in order;
//! * `admission` counts them;
//! * `connection` moves octets between a socket and its session;
//! * `conversation` answers the session's questions;
//! * `transaction` is what it knows of the open transaction, `intake` the message that comes in;
//! * `memory` is what the envelope of a transaction takes of the memory;
//! * `lookup` is VRFY and EXPN;
//! * `queue_run` is ETRN, `collect` ATRN and TURN, `customer` the other side of ATRN;
//! * `domains` asks what a domain says of its mail;
//! * `quota` finds out what mailboxes hold;
//! * `sending` knows how much clients have sent of what they may;
//! * `logins` knows which mailboxes are users of this machine, with terminals;
//! * `rules` is what a site's own tables say;
//! * `login` is AUTH, and how guessing is slowed;
//! * `record` tells the log;
//! * [`Settings`] can be changed while it runs, and so can the size of each [`Budget`].

mod admission;
mod budget;
mod collect;
mod connection;
mod conversation;
mod customer;
mod domains;
mod intake;
mod listen;
mod login;
mod logins;
mod lookup;
mod memory;
mod queue_run;
mod quota;
mod record;
mod rules;
mod sending;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use postroad_directory::users::PasswordFile;
use postroad_directory::{Customers, Directory, Mailboxes};
use postroad_host::clock::Clock;
use postroad_host::dns::Resolver;
use postroad_host::tls::Acceptor;
use postroad_policy::ConnectionLimits;
use postroad_store::{Leased, QueueStore};
use postroad_wire::address::Domain;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

pub use budget::Budget;
pub use collect::{Turned, Work};
pub use customer::{Calling, Collected, Security, Uncollected};
pub use listen::{Remaining, Server};
pub use login::LoginGuard;
pub use logins::Logins;
pub use queue_run::{Delivery, QueueRuns};
pub use quota::{Counter, Counts};
pub use rules::{Inquiries, Lookups, Rules, Senders};
pub use sending::{SendingLimits, Sent};

/// A message for more mailboxes doesn't wait for its first delivery in memory, for no budget bounds
/// what the envelopes that wait there take.
const MOST_FRESH_RECIPIENTS: usize = 100;

/// What every session works with.
#[derive(Debug)]
pub struct Services<S> {
    /// Where messages are kept.
    pub store: Arc<S>,
    /// Takes the leases of messages that were just accepted. Where it has no room, or the message
    /// is for very many, it is released, and delivered when the store is next asked for what is
    /// due.
    pub fresh: mpsc::Sender<Leased>,
    /// Which mailboxes exist.
    pub mailboxes: Mailboxes,
    /// This server's own name, in trace fields.
    pub host_name: Domain,
    /// What holds now. Who stores others here changes what holds for the connections and
    /// transactions that begin after it.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Finds out what mailboxes hold.
    pub counter: Counter,
    /// What was sent by whom.
    pub sent: Sent,
    /// What was sent to terminals by whom.
    pub sent_to_terminals: Sent,
    /// Who is asked about domains.
    pub resolver: Arc<Resolver>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Room in memory for message data that isn't on disk yet, in octets. A client that would
    /// begin a message waits for room before it is told to go on, and never after.
    pub body_budget: Budget,
    /// Room in memory for the envelopes of open transactions, in octets. A MAIL or RCPT that finds
    /// none is refused for now.
    pub envelope_budget: Budget,
    /// Delivers what is queued.
    pub delivery: Arc<dyn Delivery>,
    /// What was asked of it by clients.
    pub queue_runs: QueueRuns,
    /// What sessions share of logging in.
    pub login_guard: LoginGuard,
}

/// What can be changed while sessions go on. A connection keeps what its listener has and the limit of
/// its writing from when it was opened; a transaction keeps the rest from its MAIL.
#[derive(Debug)]
pub struct Settings {
    /// Who is local, and where mail for others goes.
    pub directory: Arc<Directory>,
    /// Who may call for mail.
    pub customers: Customers,
    /// Whose clients may send mail to other servers' domains.
    pub trusted_networks: Vec<IpNet>,
    /// What the site's own tables say.
    pub rules: Rules,
    /// The server's side of TLS; none where there is no certificate, or none that can be used now.
    pub tls: Option<Acceptor>,
    /// Who can log in; none where nobody can.
    pub passwords: Option<Arc<PasswordFile>>,
    /// What is particular to each listener. A reload changes none of their places.
    pub listeners: Vec<ListenerSettings>,
    /// What one client may take.
    pub limits: Limits,
}

/// What is particular to the connections of one listener.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// What a session may do.
    pub session: Arc<postroad_session::server::Settings>,
}

/// What one client may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections, in all, from an address, from a network.
    pub connections: ConnectionLimits,
    /// How many Received fields are a loop (RFC 5321 6.3).
    pub hops: u32,
    /// Octets of a message that the store may hold in memory before it goes to a file: what
    /// each message takes of the budget.
    pub body_in_memory: u32,
    /// How long a fresh message is leased to its first delivery.
    pub lease: Duration,
    /// How long a client waits for that before it goes on without, so that few who hold room
    /// and send slowly can't keep out the others. It waits two minutes itself for the 354 (RFC
    /// 5321 4.5.3.2.4).
    pub room: Duration,
    /// How long a client may take to take its replies.
    pub write: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
}

impl<S: QueueStore> Services<S> {
    /// Gives a fresh message to delivery; or back to the store, which then has it as any other, due
    /// at once.
    async fn hand_over(&self, leased: Leased) {
        let left = if leased.envelope.recipients.len() > MOST_FRESH_RECIPIENTS {
            leased
        } else {
            match self.fresh.try_send(leased) {
                Ok(()) => return,
                Err(TrySendError::Full(leased) | TrySendError::Closed(leased)) => leased,
            }
        };
        // A lease that can't be released runs out by itself.
        let _ = self.store.release(left.lease).await;
    }
}
