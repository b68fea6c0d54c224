//! Octets between a socket and a client session.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use postroad_host::clock::Clock;
use postroad_host::{net, tasks};
use postroad_queue::Peer;
use postroad_session::client::{ClientSession, Closed, Event};
use postroad_wire::extension::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of what a peer says is read at once.
const READ: usize = 4096;

/// A connection and its session.
#[derive(Debug)]
pub struct Connection {
    io: net::Connection,
    /// What both sides have said.
    pub session: ClientSession,
    /// What is to be sent next.
    out: BytesMut,
    /// What the peer offers.
    pub(super) offered: Extensions,
    /// Whether a message may be begun.
    ready: bool,
    /// To whom, for reports.
    pub(super) peer: Peer,
    /// How many messages were begun.
    pub(super) messages: u32,
}

impl Connection {
    /// A connection that has just been made, with a session that has just begun.
    pub fn new(io: net::Connection, session: ClientSession, peer: Peer) -> Connection {
        Connection {
            io,
            session,
            out: BytesMut::new(),
            offered: Extensions::default(),
            ready: false,
            peer,
            messages: 0,
        }
    }

    /// Waits until a message may be begun.
    pub async fn until_ready<C: Clock>(&mut self, clock: &C) -> Result<(), Closed> {
        loop {
            while let Some(event) = self.poll_event() {
                if let Event::Closed(why) = event {
                    return Err(why);
                }
            }
            if self.ready {
                return Ok(());
            }
            self.step(clock).await;
        }
    }

    /// Does what can be done without waiting: sends what is to be sent, hears what the peer has said
    /// meanwhile. Whether the session goes on.
    pub(super) fn look<C: Clock>(&mut self, clock: &C) -> bool {
        while !self.session.is_closed() && self.step(clock).now_or_never().is_some() {}
        !self.session.is_closed()
    }

    /// The session's next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.session.poll_event();
        if let Some(Event::Ready(offered)) = &event {
            self.offered = offered.clone();
            self.ready = true;
        }
        event
    }

    /// A message is begun: until it is over, and the session reset, there can't be another.
    pub(super) fn is_taken(&mut self) {
        self.ready = false;
        self.messages = self.messages.saturating_add(1);
    }

    /// Whether another message may follow on it: the peer has not ended it, and takes one more
    /// (MAILMAX of RFC 9422).
    pub(crate) fn may_go_on(&self) -> bool {
        let limits = self.offered.limits.unwrap_or_default();
        !self.session.is_closed() && limits.mail_max.is_none_or(|most| self.messages < most)
    }

    /// Says QUIT and waits for the reply (RFC 5321 4.1.1.10).
    pub async fn quit<C: Clock>(mut self, clock: &C) {
        if self.until_ready(clock).await.is_ok() {
            self.session.quit(clock.mono());
        }
        while !self.session.is_closed() {
            self.step(clock).await;
        }
    }

    /// Waits for one thing: something was read or written, or a time-out has come.
    pub async fn step<C: Clock>(&mut self, clock: &C) {
        if self.out.is_empty() {
            self.session.poll_transmit(&mut self.out);
        }
        let due = self.session.poll_timeout();
        let time = async {
            match due {
                Some(due) => tasks::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            read = moved(&mut self.io, &mut self.out) => match read {
                Some(octets) if octets.is_empty() => self.session.handle_eof(),
                Some(octets) => self.session.handle_input(octets, clock.mono()),
                None => {}
            },
            () = time => self.session.handle_timeout(clock.mono()),
        }
    }
}

/// Reads, or writes some of `out`, whichever can be done; what was read, none of it at the end of the stream.
///
/// Reading comes first, so that a peer that refuses a message while it is being sent is heard. When
/// writing fails, what the peer said before it closed is still to be read: the connection's end will
/// be found there.
async fn moved(io: &mut net::Connection, out: &mut BytesMut) -> Option<Bytes> {
    poll_fn(|context| {
        let mut buffer = [0; READ];
        let mut read = ReadBuf::new(&mut buffer);
        match Pin::new(&mut *io).poll_read(context, &mut read) {
            Poll::Ready(Ok(())) => return Poll::Ready(Some(Bytes::copy_from_slice(read.filled()))),
            Poll::Ready(Err(_)) => return Poll::Ready(Some(Bytes::new())),
            Poll::Pending => {}
        }
        if out.is_empty() {
            return Poll::Pending;
        }
        match Pin::new(&mut *io).poll_write(context, out) {
            Poll::Ready(Ok(written)) if written > 0 => {
                let _ = out.split_to(written);
                Poll::Ready(None)
            }
            Poll::Ready(Ok(_)) => Poll::Ready(Some(Bytes::new())),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                Poll::Ready(None)
            }
            Poll::Ready(Err(_)) => {
                out.clear();
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
