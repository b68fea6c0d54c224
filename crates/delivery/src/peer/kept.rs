//! Connections between messages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use postroad_clock::Mono;
use postroad_host::clock::Clock;
use postroad_host::tasks;
use postroad_wire::peer::Peer;

use super::Keep;
use super::connection::Connection;

/// The unused connections, and the task that ends them when their time is over. Clones share them.
#[derive(Debug)]
pub(super) struct Kept<C>(Arc<Shared<C>>);

#[derive(Debug)]
struct Shared<C> {
    keep: Keep,
    /// For the reply to QUIT, and to RSET when the connection is wanted again.
    patience: Duration,
    clock: C,
    idle: Mutex<Idle>,
}

#[derive(Debug)]
struct Idle {
    /// In the order in which their time is over.
    connections: Vec<Unused>,
    /// Whether the task runs.
    watched: bool,
    /// No more are kept.
    drained: bool,
}

#[derive(Debug)]
struct Unused {
    peer: Peer,
    until: Mono,
    connection: Connection,
}

impl<C> Clone for Kept<C> {
    fn clone(&self) -> Kept<C> {
        Kept(Arc::clone(&self.0))
    }
}

impl<C: Clock + Clone> Kept<C> {
    pub(super) fn new(keep: Keep, patience: Duration, clock: C) -> Kept<C> {
        Kept(Arc::new(Shared {
            keep,
            patience,
            clock,
            idle: Mutex::new(Idle {
                connections: Vec::new(),
                watched: false,
                drained: false,
            }),
        }))
    }

    pub(super) fn count(&self) -> usize {
        self.idle().connections.len()
    }

    /// A connection to `peer` that seems to be alive: the one used last.
    pub(super) async fn take(&self, peer: &Peer) -> Option<Connection> {
        loop {
            let mut connection = self.pop(peer)?;
            if !connection.look(&self.0.clock) {
                // It was closed meanwhile.
                continue;
            }
            // It may wait for the reply to RSET yet. A new connection is there sooner than the time-out
            // of a command, and nothing was said of this message.
            let ready = connection.until_ready(&self.0.clock);
            if let Ok(Ok(())) = tasks::timeout(self.0.patience, ready).await {
                return Some(connection);
            }
        }
    }

    fn pop(&self, peer: &Peer) -> Option<Connection> {
        let now = self.0.clock.mono();
        let mut idle = self.idle();
        let of_peer = |unused: &Unused| unused.peer == *peer && unused.until > now;
        let at = idle.connections.iter().rposition(of_peer)?;
        Some(idle.connections.remove(at).connection)
    }

    /// Keeps a connection for the next message, or ends it where that is enough.
    pub(super) fn put(&self, peer: &Peer, mut connection: Connection) {
        if !connection.look(&self.0.clock) {
            return;
        }
        let keep = &self.0.keep;
        let limits = connection.offered.limits.unwrap_or_default();
        // MAILMAX (RFC 9422) is the peer's own bound.
        let most = keep.messages.min(limits.mail_max.unwrap_or(u32::MAX));
        let mut idle = self.idle();
        let of_peer = idle
            .connections
            .iter()
            .filter(|unused| unused.peer == *peer);
        let has_room = of_peer.count() < keep.most_idle
            && idle.connections.len() < keep.most_idle_in_all
            && !idle.drained;
        if !has_room || connection.messages >= most {
            drop(idle);
            let kept = self.clone();
            tasks::spawn(async move { kept.quit(connection).await });
            return;
        }
        idle.connections.push(Unused {
            peer: peer.clone(),
            until: self.0.clock.mono() + keep.idle,
            connection,
        });
        if !idle.watched {
            idle.watched = true;
            let kept = self.clone();
            tasks::spawn(async move { kept.watch().await });
        }
    }

    /// Ends the connections whose time is over, until none is left.
    async fn watch(self) {
        while let Some(next) = self.next_end() {
            tasks::sleep_until(next).await;
            let now = self.0.clock.mono();
            let over: Vec<Unused> = {
                let mut idle = self.idle();
                let still = idle
                    .connections
                    .partition_point(|unused| unused.until <= now);
                idle.connections.drain(..still).collect()
            };
            self.quit_all(over).await;
        }
    }

    /// When the first one's time is over. Where there is none, the task that asked ends.
    fn next_end(&self) -> Option<Mono> {
        let mut idle = self.idle();
        let next = idle.connections.first().map(|unused| unused.until);
        idle.watched = next.is_some();
        next
    }

    pub(super) async fn drain(&self) {
        let all = {
            let mut idle = self.idle();
            idle.drained = true;
            std::mem::take(&mut idle.connections)
        };
        self.quit_all(all).await;
    }

    async fn quit_all(&self, unused: Vec<Unused>) {
        join_all(
            unused
                .into_iter()
                .map(|unused| self.quit(unused.connection)),
        )
        .await;
    }

    /// Says QUIT. What the peer says to it, if anything, changes nothing.
    async fn quit(&self, connection: Connection) {
        let _ = tasks::timeout(self.0.patience, connection.quit(&self.0.clock)).await;
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // No change stops half-way, so a panic elsewhere leaves the list whole.
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
