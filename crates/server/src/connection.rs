//! Moves octets between a socket and its session.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_host::net::Stream;
use postroad_host::tasks;
use postroad_reply::Closing;
use postroad_session::server::{ServerSession, SessionId, Want};
use postroad_store::QueueStore;
use tokio::sync::watch;

use crate::Services;
use crate::admission::Permit;
use crate::conversation::Conversation;
use crate::listen::Running;

/// How much is read from a socket at once.
const READ: usize = 16 * 1024;

/// Counts the sessions that are in the midst of a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Receiving(Arc<AtomicUsize>);

impl Receiving {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve<S: QueueStore>(
    services: Arc<Services<S>>,
    stream: Stream,
    peer: SocketAddr,
    permit: Permit,
    running: watch::Receiver<Running>,
    receiving: Receiving,
) {
    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    let id = SessionId(SESSIONS.fetch_add(1, Ordering::Relaxed));
    let session = ServerSession::new(Arc::clone(&services.session), id, services.clock.mono());
    let Ok(listener) = stream.local_address() else {
        return;
    };
    let conversation = Conversation::new(Arc::clone(&services), id, peer, listener, permit.open);
    let connection = Connection {
        services,
        stream,
        session,
        conversation,
        input: Bytes::new(),
        output: BytesMut::new(),
        running,
        receiving: Counted {
            receiving,
            counted: false,
        },
    };
    // An error is a peer that has gone; the conversation has told the log by then.
    let _ = connection.run().await;
    drop(permit);
}

struct Connection<S: QueueStore> {
    services: Arc<Services<S>>,
    stream: Stream,
    session: ServerSession,
    conversation: Conversation<S>,
    /// Read and not yet taken by the session.
    input: Bytes,
    output: BytesMut,
    running: watch::Receiver<Running>,
    receiving: Counted,
}

/// What a connection that waits was woken by.
enum Woken {
    Readable(io::Result<()>),
    TimeOut,
    Stopping,
}

impl<S: QueueStore> Connection<S> {
    async fn run(mut self) -> io::Result<()> {
        loop {
            self.act().await;
            if let Err(error) = self.send().await {
                self.lose().await;
                return Err(error);
            }
            match self.session.want() {
                Want::Close => return self.stream.shutdown().await,
                Want::More if self.input.is_empty() => self.wait().await?,
                Want::More | Want::Room => self.take_input(),
                // Every question was answered above; a lost ticket answers itself here.
                Want::Answer => self.session.handle_timeout(self.now()),
                // `Want` may grow; a driver that doesn't know what is wanted can only end.
                _ => self.session.disconnect(Closing::Stopping, self.now()),
            }
        }
    }

    /// Acts on what the session tells and asks.
    async fn act(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.conversation.handle(event, &mut self.session).await;
        }
        self.receiving.set(self.conversation.is_receiving());
    }

    /// Sends what the session has to say. A peer that doesn't take it within the time-out is
    /// gone.
    async fn send(&mut self) -> io::Result<()> {
        if !self.session.poll_transmit(&mut self.output) {
            return Ok(());
        }
        let patience = self.services.limits.write;
        match tasks::timeout(patience, self.stream.write(&mut self.output)).await {
            Ok(sent) => sent,
            Err(tasks::TimedOut) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The peer has gone: the session must hear it, so that a message is rolled back and the log
    /// told.
    async fn lose(&mut self) {
        self.session.handle_eof(self.now());
        self.act().await;
    }

    /// Hands in what was read before.
    fn take_input(&mut self) {
        let progress = self
            .session
            .handle_input(self.input.clone(), self.services.clock.mono());
        self.input = self.input.slice(progress.consumed..);
    }

    /// Waits for the client, for the time-out, or for the server to stop.
    async fn wait(&mut self) -> io::Result<()> {
        let until = self.session.poll_timeout().unwrap_or(Mono(u64::MAX));
        let woken = tokio::select! {
            // A stopping server goes first, or a client that never stops sending is never told.
            biased;
            () = ending(&mut self.running, self.conversation.is_receiving()) => Woken::Stopping,
            readable = self.stream.readable() => Woken::Readable(readable),
            () = tasks::sleep_until(until) => Woken::TimeOut,
        };
        let now = self.now();
        match woken {
            Woken::Stopping => self.session.disconnect(Closing::Stopping, now),
            Woken::TimeOut => self.session.handle_timeout(now),
            Woken::Readable(readable) => {
                // The buffer is made only now, so that an idle session holds none.
                let mut buffer = BytesMut::with_capacity(READ);
                match readable.and_then(|()| self.stream.try_read(&mut buffer)) {
                    Ok(0) => self.session.handle_eof(now),
                    Ok(_) => {
                        self.input = buffer.freeze();
                        self.take_input();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => {
                        self.lose().await;
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    fn now(&self) -> Mono {
        self.services.clock.mono()
    }
}

/// Waits until this session has to end: at once when the server drains; but a session in the midst
/// of a message goes on until the server's patience ends.
async fn ending(running: &mut watch::Receiver<Running>, receiving: bool) {
    let enough = if receiving {
        Running::Ending
    } else {
        Running::Draining
    };
    // An error says that the server was dropped without a drain: that ends it as well.
    let _ = running.wait_for(|now| *now >= enough).await;
}

/// This connection's part in the count of those in the midst of a message.
struct Counted {
    receiving: Receiving,
    counted: bool,
}

impl Counted {
    fn set(&mut self, is_receiving: bool) {
        match (self.counted, is_receiving) {
            (false, true) => self.receiving.0.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.receiving.0.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.counted = is_receiving;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set(false);
    }
}
