//! Hands mail to other servers by SMTP and LMTP.
//!
//! [`Peers::carry`] takes one message to one peer for some of its recipients, and says what became of each
//! and what is to be thought of the peer. Connections are kept for the next message.
//!
//! What is promised: a recipient is [`Delivered`](crate::Verdict::Delivered) only by a 2yz of the peer to the whole message. Whatever is
//! unclear, a connection lost after the final dot first of all, is deferred, so that a message may come
//! twice but is never lost (RFC 5321 4.2.5, 6.1). Once the peer was asked for the data, nothing is said again
//! within an attempt.
//!
//! * `carry` is an attempt: as many transactions as it takes, over kept connections and new ones;
//! * `open` finds an address that answers;
//! * `connection` moves octets between a socket and the pure session;
//! * `transaction` is one message over one connection, `told` what the replies to it mean;
//! * `kept` has the connections between messages;
//! * `words` makes reports of replies and failures.

pub(crate) mod carry;
pub mod connection;
mod kept;
mod open;
mod told;
mod transaction;
mod words;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use postroad_host::clock::Clock;
use postroad_session::client;
use postroad_store::QueueStore;
use postroad_wire::address::HeloName;
use postroad_wire::peer::Peer;

use crate::parcel::{Carried, Parcel};

/// How this server behaves as a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it calls itself in EHLO and LHLO (RFC 5321 4.1.4): its own name, by which a loop is noticed.
    pub name: HeloName,
    /// Which addresses it connects from.
    pub source: Source,
    /// How long it waits for what.
    pub timeouts: Timeouts,
    /// Which connections are kept for further messages.
    pub keep: Keep,
}

impl Settings {
    /// The defaults, for a server of this name.
    pub fn new(name: HeloName) -> Settings {
        Settings {
            name,
            source: Source::default(),
            timeouts: Timeouts::default(),
            keep: Keep::default(),
        }
    }
}

/// Addresses to connect from; where there is none of a family, the system chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Source {
    /// To IPv4 addresses.
    pub v4: Option<Ipv4Addr>,
    /// To IPv6 addresses.
    pub v6: Option<Ipv6Addr>,
}

/// How long a peer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the resolver.
    pub lookup: Duration,
    /// For one address to accept the connection.
    pub connect: Duration,
    /// Until a session is open, over all addresses that are tried one after another.
    pub opening: Duration,
    /// For each reply (RFC 5321 4.5.3.2).
    pub session: client::Timeouts,
    /// For the reply to QUIT, which changes nothing any more; and for that to RSET when a kept connection
    /// is wanted again, for which a new one will do.
    pub quit: Duration,
}

impl Default for Timeouts {
    /// What RFC 5321 4.5.3.2 gives; half a minute for the resolver and for a connection, and a quarter of an
    /// hour for all addresses together.
    fn default() -> Timeouts {
        Timeouts {
            lookup: Duration::from_secs(30),
            connect: Duration::from_secs(30),
            opening: Duration::from_secs(15 * 60),
            session: client::Timeouts::default(),
            quit: Duration::from_secs(10),
        }
    }
}

/// Which connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// For how long one is kept that nothing is sent over.
    pub idle: Duration,
    /// How many messages go over one, at least 1.
    pub messages: u32,
    /// How many unused ones are kept to one peer; 0 keeps none.
    pub most_idle: usize,
    /// How many unused ones are kept to all peers together.
    pub most_idle_in_all: usize,
}

impl Default for Keep {
    /// Ten seconds, a hundred messages, 20 to a peer and 200 in all. Ten seconds are less than any
    /// server's patience, so that few are found closed.
    fn default() -> Keep {
        Keep {
            idle: Duration::from_secs(10),
            messages: 100,
            most_idle: 20,
            most_idle_in_all: 200,
        }
    }
}

/// Connections to other servers. Clones share them. It needs a runtime.
#[derive(Debug)]
pub struct Peers<C> {
    settings: Arc<Settings>,
    clock: C,
    kept: kept::Kept<C>,
}

impl<C: Clone> Clone for Peers<C> {
    fn clone(&self) -> Peers<C> {
        Peers {
            settings: Arc::clone(&self.settings),
            clock: self.clock.clone(),
            kept: self.kept.clone(),
        }
    }
}

impl<C: Clock + Clone> Peers<C> {
    /// No connections yet. `clock` has to be one that [`tasks`](postroad_host::tasks) sleeps by.
    pub fn new(settings: Settings, clock: C) -> Peers<C> {
        Peers {
            kept: kept::Kept::new(settings.keep, settings.timeouts.quit, clock.clone()),
            settings: Arc::new(settings),
            clock,
        }
    }

    /// Takes a message to `peer`.
    ///
    /// It takes as long as the peer makes it, each reply within its time-out: renew the lease meanwhile. If the future
    /// is dropped the connection is closed without the end of the data; whether the peer has the message
    /// is unknown then.
    pub async fn carry<S: QueueStore>(&self, peer: &Peer, parcel: &Parcel<'_, S>) -> Carried {
        carry::carry(self, peer, parcel).await
    }

    /// Says QUIT on every connection that isn't in use, and keeps none from now on. Those in use are ended
    /// after their message.
    pub async fn drain(&self) {
        self.kept.drain().await;
    }

    /// How many connections are kept unused.
    pub fn idle(&self) -> usize {
        self.kept.count()
    }
}
