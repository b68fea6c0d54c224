//! Moves octets between a socket and its session.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_host::net::{Accepted, Stream};
use postroad_host::tasks::{self, Alarm, User};
use postroad_policy::Relay;
use postroad_reply::Closing;
use postroad_session::server::{ServerSession, SessionId, TlsRule, Want};
use postroad_store::QueueStore;
use postroad_telemetry::Event;
use tokio::sync::watch;

use crate::Services;
use crate::admission::Permit;
use crate::collect::{self, Collection, Turned};
use crate::conversation::Conversation;
use crate::listen::{Running, reached};

/// How much is read from a socket at once.
pub(crate) const READ: usize = 16 * 1024;
/// How much of a message is: fewer calls for a long one.
const READ_DATA: usize = 64 * 1024;
/// For how long a connection that was ended is still read, so that its last reply isn't lost.
const LINGER: Duration = Duration::from_secs(2);
/// How many octets are read from it then.
const LINGER_OCTETS: usize = 16 << 20;

/// Counts the sessions that are in the midst of a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Receiving(Arc<AtomicUsize>);

impl Receiving {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that was accepted.
pub(crate) struct Arrived {
    /// The place of its listener in [`Settings`](crate::Settings).
    pub(crate) place: usize,
    pub(crate) id: SessionId,
    pub(crate) accepted: Accepted,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: Permit,
}

/// Serves one connection to its end.
pub(crate) async fn serve<S: QueueStore>(
    services: Arc<Services<S>>,
    arrived: Arrived,
    running: watch::Receiver<Running>,
    receiving: Receiving,
) {
    let Arrived {
        place,
        id,
        accepted,
        peer,
        permit,
    } = arrived;
    let Ok(stream) = accepted.stream() else {
        return;
    };
    let settings = services.settings.load_full();
    let of_listener = &settings.listeners[place]; // It was there at the start, and a reload moves none.
    let of_session = Arc::clone(&of_listener.session);
    let session = ServerSession::new(Arc::clone(&of_session), id, services.clock.mono());
    let is_implicit = of_session.tls == TlsRule::Implicit;
    let Ok(listener) = stream.local_address() else {
        return;
    };
    let conversation = Conversation::new(
        Arc::clone(&services),
        (id, of_session),
        peer,
        listener,
        permit.open,
        running.clone(),
    );
    let mut connection = Connection {
        write: settings.limits.write,
        is_implicit,
        services,
        stream,
        session,
        conversation,
        input: Bytes::new(),
        running,
        receiving: Counted::of(receiving),
        alarm: Alarm::default(),
        _user: User::here(),
    };
    if connection.conversation.relay() == Relay::Allowed {
        connection.session.trusted();
    }
    // An error is a peer that has gone; the conversation has told the log by then.
    let ran = connection.run().await;
    if ran.is_ok() && connection.session.want() == Want::Reverse {
        // Few sessions do, and none has to hold the room for it.
        Box::pin(connection.turn()).await;
    }
    drop(permit);
}

/// A connection that this side has made, whose roles have changed since.
pub(crate) struct Begun<S: QueueStore> {
    pub(crate) stream: Stream,
    pub(crate) session: ServerSession,
    pub(crate) conversation: Conversation<S>,
    /// What was read and belongs to the session.
    pub(crate) input: Bytes,
    pub(crate) permit: Permit,
}

/// Serves a connection that was made from here to its end: so many messages were accepted, and so many
/// commands refused.
pub(crate) async fn carry_on<S: QueueStore>(
    services: Arc<Services<S>>,
    begun: Begun<S>,
    running: watch::Receiver<Running>,
    receiving: Receiving,
) -> (u64, u64) {
    let mut connection = Connection {
        write: services.settings.load().limits.write,
        // It has come to pass, if it was to.
        is_implicit: false,
        services,
        stream: begun.stream,
        session: begun.session,
        conversation: begun.conversation,
        input: begun.input,
        running,
        receiving: Counted::of(receiving),
        alarm: Alarm::default(),
        _user: User::here(),
    };
    // An error is a peer that has gone; the conversation has told the log by then.
    let _ = connection.run().await;
    drop(begun.permit);
    connection.conversation.counts()
}

struct Connection<S: QueueStore> {
    services: Arc<Services<S>>,
    /// How long the client may take to take its replies.
    write: Duration,
    /// It begins with a TLS handshake.
    is_implicit: bool,
    stream: Stream,
    session: ServerSession,
    conversation: Conversation<S>,
    /// Read and not yet taken by the session.
    input: Bytes,
    running: watch::Receiver<Running>,
    receiving: Counted,
    /// Rings when the client has been silent for too long.
    alarm: Alarm,
    /// It isn't to wait for what others do on its thread.
    _user: User,
}

impl<S: QueueStore> Connection<S> {
    async fn run(&mut self) -> io::Result<()> {
        // Who was accepted when the drain had begun isn't greeted first and sent away then.
        if *self.running.borrow() >= Running::Draining {
            self.session.disconnect(Closing::Stopping, self.now());
        }
        let mut begun = Ok(());
        if self.is_implicit {
            begun = Box::pin(self.shake_hands()).await;
        }
        loop {
            let mut done = std::mem::replace(&mut begun, Ok(()));
            if done.is_ok() {
                done = self.act().await;
            }
            if done.is_ok() {
                done = self.send().await;
            }
            if done.is_ok() {
                match self.session.want() {
                    Want::Close => break,
                    Want::Reverse => return Ok(()),
                    _ => {}
                }
                done = self.go_on().await;
                // The runtime lets a task go on that always finds its socket ready, and a piece of
                // input can be thousands of commands.
                tasks::give_way().await;
            }
            if let Err(error) = done {
                // The peer has gone: the session must hear it, so that a message is rolled back
                // and the log told.
                self.session.handle_eof(self.now());
                let _ = self.act().await;
                return Err(error);
            }
        }
        self.close().await
    }

    /// Hands the connection over to the delivery, which goes on as the client. What was read and not yet
    /// taken is thrown away: both sides begin anew (RFC 821 4.1.1).
    async fn turn(self) {
        let began = self.now();
        let Connection {
            services,
            stream,
            session,
            mut conversation,
            mut running,
            ..
        } = self;
        // Nothing but a collection changes the roles.
        let Some((Collection { called, wanted }, name)) = conversation.collection() else {
            return;
        };
        let customer = called.customer.clone();
        let (connection, peer) = conversation.client();
        let waiting = wanted.len();
        let mut draining = running.clone();
        let turned = Turned {
            connection: stream.into_connection(),
            session,
            peer,
            name,
            called,
            begin: Box::pin(collect::begin(Arc::clone(&services), wanted.clone())),
            wanted,
            enough: Box::pin(async move { reached(&mut draining, Running::Draining).await }),
        };
        let tried = tokio::select! {
            tried = services.delivery.serve(turned) => tried,
            () = reached(&mut running, Running::Ending) => 0,
        };
        Event::MailCollected {
            connection,
            peer,
            customer: &customer,
            waiting,
            tried,
            took: services.clock.mono().since(began),
        }
        .emit();
    }

    /// Acts on what the session tells and asks.
    async fn act(&mut self) -> io::Result<()> {
        while let Some(event) = self.session.poll_event() {
            // Nothing is kept from the client while another is waited for (RFC 2920 3.2, 7).
            let sent = if self.conversation.has_to_wait_for_room(&event) {
                self.send().await
            } else {
                Ok(())
            };
            self.conversation.handle(event, &mut self.session).await;
            sent?;
        }
        self.receiving.set(self.conversation.is_receiving());
        Ok(())
    }

    /// Sends what the session has to say. A peer that doesn't take it within the time-out is
    /// gone; at the very end of the server nobody is waited for.
    async fn send(&mut self) -> io::Result<()> {
        let mut output = BytesMut::new();
        if !self.session.poll_transmit(&mut output) {
            return Ok(());
        }
        let written = tasks::timeout(self.write, self.stream.write(&mut output));
        tokio::select! {
            biased;
            written = written => written.unwrap_or_else(|tasks::TimedOut| too_slow()),
            () = reached(&mut self.running, Running::Ending) => too_slow(),
        }
    }

    /// Does what the session wants next.
    async fn go_on(&mut self) -> io::Result<()> {
        match self.session.want() {
            // Every question was answered; a lost ticket answers itself here.
            Want::Answer => self.session.handle_timeout(self.now()),
            // Asked before each piece of input, or a client that never stops sending is never told.
            _ if *self.running.borrow() >= self.enough() => {
                self.session.disconnect(Closing::Stopping, self.now());
            }
            Want::More if self.input.is_empty() => return self.wait().await,
            Want::More | Want::Room => self.take_input(),
            Want::TlsHandshake => return Box::pin(self.shake_hands()).await,
            // `Want` may grow; a driver that doesn't know what is wanted can only end.
            _ => self.session.disconnect(Closing::Stopping, self.now()),
        }
        Ok(())
    }

    /// Does the TLS handshake. What was read before it is thrown away: who sent that isn't known, and nothing
    /// of it may be taken for what the client says under TLS (RFC 3207 4.2).
    async fn shake_hands(&mut self) -> io::Result<()> {
        self.input = Bytes::new();
        let settings = self.services.settings.load_full();
        let shaken = match &settings.tls {
            None => Err(io::Error::other("there is no certificate that can be used")),
            Some(acceptor) => tokio::select! {
                biased;
                () = reached(&mut self.running, Running::Draining) => {
                    Err(io::Error::other("the server stops"))
                }
                shaken = tasks::timeout(settings.limits.handshake, self.stream.secure(acceptor)) => {
                    shaken.unwrap_or_else(|tasks::TimedOut| Err(io::ErrorKind::TimedOut.into()))
                }
            },
        };
        match shaken {
            Ok(secured) => {
                self.conversation.secured(secured, &mut self.session);
                let now = self.now();
                self.session.tls_established(now);
                Ok(())
            }
            Err(error) => {
                self.conversation.unsecured(&error);
                Err(error)
            }
        }
    }

    /// What ends this session: a drain; but one in the midst of a message goes on until the
    /// server's patience ends.
    fn enough(&self) -> Running {
        if self.conversation.is_receiving() {
            Running::Ending
        } else {
            Running::Draining
        }
    }

    /// Hands in what was read before.
    fn take_input(&mut self) {
        let progress = self.session.handle_input(self.input.clone(), self.now());
        // No more is consumed than was handed in.
        self.input = self.input.slice(progress.consumed..);
    }

    /// Waits for the client, for the time-out, or for the server to stop.
    async fn wait(&mut self) -> io::Result<()> {
        let until = self.session.poll_timeout().unwrap_or(Mono(u64::MAX));
        let enough = self.enough();
        tokio::select! {
            biased;
            () = reached(&mut self.running, enough) => {
                self.session.disconnect(Closing::Stopping, self.now());
            }
            readable = self.stream.readable() => {
                readable?;
                self.read().await?;
            }
            () = self.alarm.until(until) => {}
        }
        // Looked at after reading as well: a client that always has something more to send must
        // not outlast its time.
        let now = self.now();
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
        }
        Ok(())
    }

    /// Reads what there is, and hands it in.
    async fn read(&mut self) -> io::Result<()> {
        // The buffer is made only now, so that an idle session holds none.
        let most = if self.conversation.is_receiving() {
            READ_DATA
        } else {
            READ
        };
        let mut buffer = BytesMut::with_capacity(most);
        match self.stream.try_read(&mut buffer).await {
            Ok(0) => self.session.handle_eof(self.now()),
            Ok(_) => {
                self.input = fitted(buffer, most);
                self.take_input();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Closes the connection without losing the last reply: a socket that is closed over unread
    /// input is reset, and the reset may overtake what was sent. So the rest of the input is thrown
    /// away until the client closes too, within bounds. A client that was turned away at the
    /// greeting has nothing to send yet, and isn't worth the wait.
    async fn close(&mut self) -> io::Result<()> {
        // Under TLS there is something to say, which a client may not take.
        let shut = tasks::timeout(LINGER, self.stream.shutdown()).await;
        shut.unwrap_or_else(|tasks::TimedOut| too_slow())?;
        if self.conversation.was_turned_away() {
            return Ok(());
        }
        tasks::timeout(LINGER, discard(&mut self.stream))
            .await
            .unwrap_or(Ok(()))
    }

    fn now(&self) -> Mono {
        self.services.clock.mono()
    }
}

fn too_slow() -> io::Result<()> {
    Err(io::ErrorKind::TimedOut.into())
}

/// What was read, in a buffer of about its size: slices of it may be kept, and a client that sends
/// octet by octet must not make each of them hold a whole buffer.
fn fitted(buffer: BytesMut, capacity: usize) -> Bytes {
    if buffer.len() < capacity / 4 {
        Bytes::copy_from_slice(&buffer)
    } else {
        buffer.freeze()
    }
}

/// Throws away what comes, to the end of the stream.
async fn discard(stream: &mut Stream) -> io::Result<()> {
    let mut junk = BytesMut::with_capacity(READ);
    let mut read = 0;
    while read < LINGER_OCTETS {
        stream.readable().await?;
        junk.clear();
        match stream.try_read(&mut junk).await {
            Ok(0) => break,
            Ok(octets) => read += octets,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        tasks::give_way().await;
    }
    Ok(())
}

/// This connection's part in the count of those in the midst of a message.
struct Counted {
    receiving: Receiving,
    counted: bool,
}

impl Counted {
    /// Not counted yet.
    fn of(receiving: Receiving) -> Counted {
        Counted {
            receiving,
            counted: false,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    /// How much room a task takes that runs what this returns.
    fn room<A, B, C, D, T>(_: fn(A, B, C, D) -> T) -> usize {
        size_of::<T>()
    }

    #[test]
    fn an_idle_session_takes_little_memory() {
        let room = room(serve::<postroad_store::MemoryStore>);
        assert!(
            room <= 3 * 1024,
            "{room} octets: box what only a few sessions need"
        );
    }

    #[test]
    fn a_small_read_does_not_hold_a_large_buffer() {
        for read in [1, 100, READ / 4, READ] {
            let mut buffer = BytesMut::with_capacity(READ);
            buffer.resize(read, b'x');
            let kept = fitted(buffer, READ)
                .try_into_mut()
                .expect("nobody shares it");
            assert_eq!(kept.len(), read);
            assert!(kept.capacity() <= 4 * read, "{}", kept.capacity());
        }
    }
}
