//! The client's half of a conversation.
//!
//! A [`ClientSession`] carries one message after another over one connection, by SMTP or by LMTP
//! (RFC 2033). Its driver sends
//! what [`poll_transmit`](ClientSession::poll_transmit) gives, hands in what comes, and supplies a message
//! when [`Event::WantsBody`] asks for it.
//!
//! Commands are pipelined where the server offers it (RFC 2920), and messages go in chunks where
//! it offers that (RFC 3030). Replies are read by the reply table: what counts is the first digit,
//! whatever the code (RFC 5321 4.3.2).

mod envelope;
mod event;
mod replies;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::Command as Row;
use postroad_wire::address::HeloName;
use postroad_wire::command::Command;
use postroad_wire::data::DataWriter;
use postroad_wire::extension::Extensions;
use postroad_wire::peer::Protocol;
use postroad_wire::reply::ReplyReader;

pub use event::{Closed, Event, Finish, Outgoing, Unsupported};

/// How long a server is waited for (RFC 5321 4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the greeting (4.5.3.2.1).
    pub greeting: Duration,
    /// For the reply to a command (4.5.3.2.2, 4.5.3.2.3).
    pub command: Duration,
    /// For the 354 (4.5.3.2.4).
    pub data_begin: Duration,
    /// For the next part of a message to be supplied and sent (4.5.3.2.5).
    pub data_block: Duration,
    /// For the reply to the end of data (4.5.3.2.6).
    pub data_end: Duration,
}

impl Default for Timeouts {
    /// What RFC 5321 4.5.3.2 gives.
    fn default() -> Timeouts {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Timeouts {
            greeting: minutes(5),
            command: minutes(5),
            data_begin: minutes(2),
            data_block: minutes(3),
            data_end: minutes(10),
        }
    }
}

/// One SMTP or LMTP conversation, as its client.
#[derive(Debug)]
pub struct ClientSession {
    protocol: Protocol,
    name: HeloName,
    timeouts: Timeouts,
    offered: Extensions,
    stage: Stage,
    /// What has been sent and waits for its reply, in order.
    awaited: VecDeque<Awaited>,
    replies: ReplyReader,
    events: VecDeque<Event>,
    out: BytesMut,
    /// Since when the server, or the driver's next octets, have been waited for.
    since: Mono,
}

/// How far the conversation is.
#[derive(Debug)]
enum Stage {
    /// Greeting and EHLO.
    Opening,
    /// A message may be begun.
    Ready,
    /// Envelope commands are on their way.
    Envelope(envelope::Envelope),
    /// The message is on its way.
    Body {
        /// How it is sent.
        how: Body,
        /// The places of the recipients that were accepted.
        accepted: Vec<usize>,
    },
    /// All of a message is sent, or all that will be.
    Ending(Ending),
    /// RSET is on its way.
    Resetting,
    /// QUIT is on its way.
    Quitting,
    /// Over.
    Closed,
}

/// How the message is sent.
#[derive(Debug)]
enum Body {
    /// After 354.
    Data(DataWriter),
    /// In chunks.
    Chunks,
}

/// What will be told once all replies are in.
#[derive(Debug)]
enum Ending {
    /// The reply to the end of data.
    Answer,
    /// Something was refused before.
    Failed(Finish),
}

/// A reply that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Ehlo,
    Lhlo,
    Helo,
    Mail,
    Rcpt(usize),
    Data,
    Chunk,
    /// Of all recipients, or of the one of this place where LMTP is spoken.
    EndOfData(Option<usize>),
    Rset,
    Quit,
}

/// How many octets may wait to be sent before no more of a message is wanted.
const FULL: usize = 64 * 1024;

impl ClientSession {
    /// A session that begins now, on a connection that has just been made, for a client of this
    /// name (RFC 5321 4.1.4).
    pub fn new(protocol: Protocol, name: HeloName, timeouts: Timeouts, now: Mono) -> ClientSession {
        ClientSession {
            protocol,
            name,
            timeouts,
            offered: Extensions::default(),
            stage: Stage::Opening,
            awaited: VecDeque::from([Awaited::Greeting]),
            replies: ReplyReader::new(),
            events: VecDeque::new(),
            out: BytesMut::new(),
            since: now,
        }
    }

    /// Takes all that came from the server.
    pub fn handle_input(&mut self, bytes: Bytes, now: Mono) {
        let mut input = bytes;
        while !matches!(self.stage, Stage::Closed) {
            match self.replies.read(&mut input) {
                Some(Ok(reply)) => self.take_reply(reply, now),
                Some(Err(error)) => self.close(Closed::Unreadable(error)),
                None => return,
            }
        }
    }

    /// Takes note that the server closed the connection.
    pub fn handle_eof(&mut self) {
        let why = match self.stage {
            // It closes after 221; whether that came through doesn't matter.
            Stage::Quitting => Closed::Quit,
            _ => Closed::Lost,
        };
        self.close(why);
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts what is to be sent at the end of `out`; whether there was any.
    pub fn poll_transmit(&mut self, out: &mut BytesMut) -> bool {
        if self.out.is_empty() {
            return false;
        }
        out.extend_from_slice(&self.out);
        self.out = BytesMut::new();
        true
    }

    /// Whether the session is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Whether a part of the message may be supplied now with [`body`](ClientSession::body).
    /// False while enough waits to be sent, or a chunk to be answered; and for ever once a chunk was refused.
    pub fn wants_body(&self) -> bool {
        match self.stage {
            Stage::Body {
                how: Body::Data(_), ..
            } => self.out.len() < FULL,
            Stage::Body {
                how: Body::Chunks, ..
            } => self.out.len() < FULL && (self.pipelines_chunks() || self.awaited.is_empty()),
            _ => false,
        }
    }

    /// Supplies the next octets of the message: lines that end in CRLF, dots not stuffed. Those
    /// of a message that is refused already are dropped.
    pub fn body(&mut self, octets: &[u8], now: Mono) {
        let Stage::Body { how, .. } = &mut self.stage else {
            return;
        };
        match how {
            Body::Data(writer) => writer.write(octets, &mut self.out),
            // A chunk of no octets says nothing.
            Body::Chunks if !octets.is_empty() => {
                self.chunk(octets, false);
                self.awaited.push_back(Awaited::Chunk);
            }
            Body::Chunks => return,
        }
        self.since = now;
    }

    /// Ends the message with these last octets, which may be none.
    pub fn end_body(&mut self, octets: &[u8], now: Mono) {
        let accepted = match core::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Body { how, accepted } => {
                match how {
                    Body::Data(mut writer) => {
                        writer.write(octets, &mut self.out);
                        writer.finish(&mut self.out);
                    }
                    Body::Chunks => self.chunk(octets, true),
                }
                accepted
            }
            other => {
                self.stage = other;
                return;
            }
        };
        self.stage = Stage::Ending(Ending::Answer);
        match self.protocol {
            Protocol::Smtp => self.awaited.push_back(Awaited::EndOfData(None)),
            // RFC 2033 4.2, 4.3: one for each accepted recipient, in their order.
            Protocol::Lmtp => self.awaited.extend(
                accepted
                    .into_iter()
                    .map(|index| Awaited::EndOfData(Some(index))),
            ),
        }
        self.since = now;
    }

    /// Breaks off the message on its way: the session is closed without a word, which tells the
    /// server that the message isn't whole. What is over already stays so.
    pub fn abandon(&mut self) {
        self.close(Closed::Quit);
    }

    /// Whether a chunk may follow one that isn't answered. With LMTP it may not: how often a refused last
    /// chunk is answered that came after a refused one, RFC 2033 4.3 doesn't say.
    fn pipelines_chunks(&self) -> bool {
        self.offered.pipelining && self.protocol == Protocol::Smtp
    }

    /// Says QUIT (RFC 5321 4.1.1.10). In the middle of a message the session is closed without a
    /// word, which tells the server that the message isn't whole.
    pub fn quit(&mut self, now: Mono) {
        match self.stage {
            Stage::Ready => {
                self.stage = Stage::Quitting;
                self.command(&Command::Quit, Awaited::Quit, now);
            }
            Stage::Quitting | Stage::Closed => {}
            _ => self.close(Closed::Quit),
        }
    }

    /// When [`handle_timeout`](ClientSession::handle_timeout) is to be called; `None` while
    /// nothing is awaited.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let timeouts = &self.timeouts;
        let patience = match (self.awaited.front(), &self.stage) {
            (_, Stage::Closed) => return None,
            (Some(Awaited::Greeting), _) => timeouts.greeting,
            (Some(Awaited::Data), _) => timeouts.data_begin,
            (Some(Awaited::Chunk | Awaited::EndOfData(_)), _) => timeouts.data_end,
            (_, Stage::Body { .. }) => timeouts.data_block,
            (Some(_), _) => timeouts.command,
            (None, _) => return None,
        };
        Some(self.since + patience)
    }

    /// Gives the server up if its time has come.
    pub fn handle_timeout(&mut self, now: Mono) {
        if self.poll_timeout().is_some_and(|due| now >= due) {
            let awaited = self.awaited.front().copied();
            self.close(Closed::TimedOut(
                awaited.unwrap_or(Awaited::EndOfData(None)).row(),
            ));
        }
    }

    /// Sends a command.
    fn command(&mut self, command: &Command, awaited: Awaited, now: Mono) {
        self.out
            .extend_from_slice(format!("{command}\r\n").as_bytes());
        self.awaited.push_back(awaited);
        self.since = now;
    }

    fn chunk(&mut self, octets: &[u8], last: bool) {
        let size = octets.len() as u64;
        let line = format!("{}\r\n", Command::Bdat { size, last });
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(octets);
    }

    /// Ends the session; a message on its way is broken off.
    fn close(&mut self, why: Closed) {
        let stage = core::mem::replace(&mut self.stage, Stage::Closed);
        match stage {
            Stage::Closed => return,
            Stage::Envelope(envelope) => {
                let finish = envelope.failed.unwrap_or(Finish::Broken);
                self.events.push_back(Event::Finished(finish));
            }
            Stage::Body { .. } | Stage::Ending(Ending::Answer) => {
                self.events.push_back(Event::Finished(Finish::Broken));
            }
            Stage::Ending(Ending::Failed(finish)) => {
                self.events.push_back(Event::Finished(finish));
            }
            Stage::Opening | Stage::Ready | Stage::Resetting | Stage::Quitting => {}
        }
        self.awaited.clear();
        self.events.push_back(Event::Closed(why));
    }
}

impl Awaited {
    /// The row of the table its reply is read by.
    fn row(self) -> Row {
        match self {
            Awaited::Greeting => Row::Connect,
            Awaited::Ehlo => Row::Ehlo,
            Awaited::Lhlo => Row::Lhlo,
            Awaited::Helo => Row::Helo,
            Awaited::Mail => Row::Mail,
            Awaited::Rcpt(_) => Row::Rcpt,
            Awaited::Data => Row::Data,
            Awaited::Chunk => Row::Bdat,
            Awaited::EndOfData(_) => Row::EndOfData,
            Awaited::Rset => Row::Rset,
            Awaited::Quit => Row::Quit,
        }
    }
}
