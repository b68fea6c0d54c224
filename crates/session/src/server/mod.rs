//! The server's half of a conversation.
//!
//! A [`ServerSession`] does nothing by itself: a driver hands it what comes from the socket,
//! answers its questions, and sends what it has to say. The driver's loop is
//!
//! 1. take and act on [`poll_event`](ServerSession::poll_event) until there is none;
//! 2. send what [`poll_transmit`](ServerSession::poll_transmit) gives;
//! 3. do what [`want`](ServerSession::want) says: read more, wait for an answer, hand in what
//!    was not consumed, do the TLS handshake, or close;
//! 4. at [`poll_timeout`](ServerSession::poll_timeout), call
//!    [`handle_timeout`](ServerSession::handle_timeout).
//!
//! What a session holds is bounded: one partial line, one line that waits for a run of RCPTs, 64
//! events and some more of the last step, 16 KiB of replies and one more. It holds no octets of
//! a message but in events.
//!
//! Each command is judged in this order: unreadable 500, closed listener (521, 503), unknown
//! verb 500, switched off 502, TLS needed 530, out of sequence 503 or 554, malformed 501 or 555,
//! authentication needed 530, then the handler. The legal phases stand in the reply table.

mod answer;
mod chunk;
mod command;
mod data;
mod desk;
mod event;
mod help;
mod historic;
mod inquiry;
mod line_ends;
mod lmtp;
mod output;
mod question;
mod recipients;
mod roles;
mod security;
mod settings;
mod state;
mod syntax;
mod terminals;
mod ticket;
mod timing;
mod transaction;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::mem;

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::{Answer, Closing, Command, ConnectLife, ConnectReply};

pub use event::{AuthStep, Closed, Event, Fault, Recipient, SaslMessage};
pub use historic::{Historic, Quirk};
pub use lmtp::Each;
pub use question::{Given, Question};
pub use security::challenge;
pub use settings::{
    AuthRule, BareLineEndRule, Limits, LookupRule, Offered, Roles, Settings, Timeouts, TlsRule,
};
pub use ticket::Ticket;

use desk::Desk;
use state::{Asking, State, Turned};

/// The number of a session, unique in the process; its transactions are named after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    /// How many low bits of a transaction's name count the transactions of one session. The
    /// others are the session's number.
    pub const TRANSACTION_BITS: u32 = 24;
}

/// One SMTP conversation, as its server.
#[derive(Debug)]
pub struct ServerSession {
    state: State,
    desk: Desk,
    started: Mono,
    /// When an open question was last looked after.
    looked_after: Mono,
    /// The driver still has input that was not consumed, so that more replies may follow.
    has_leftover: bool,
    /// Something has come from the client.
    has_heard: bool,
    /// The client sends no more.
    at_eof: bool,
    /// The last run ended for want of room, so that there may be more to do without more input:
    /// a line that was held, an end that was reached.
    cut_short: bool,
}

/// What [`ServerSession::handle_input`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Progress {
    /// How many octets were taken. The driver keeps the others, and hands them in again before
    /// what comes after them.
    pub consumed: usize,
    /// What has to happen next.
    pub want: Want,
}

/// What has to happen before a session can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Want {
    /// Input: first what was not consumed, then more from the socket.
    More,
    /// An answer to the question that is open. Input is not taken before.
    Answer,
    /// Room: take the events and send what there is to send, then hand in the input that was not
    /// consumed, even if there is none.
    Room,
    /// A TLS handshake: send what there is to send, throw away what was read and not yet handed in, do
    /// the handshake, and say so with [`ServerSession::tls_established`]. If it fails, the connection can
    /// only be closed: call [`ServerSession::handle_eof`].
    TlsHandshake,
    /// The end: send what there is to send, then close the connection.
    Close,
    /// The roles change: send what there is to send, then go on with
    /// [`into_client`](ServerSession::into_client). What the client has sent meanwhile is thrown
    /// away, for both sides begin anew.
    Reverse,
}

impl ServerSession {
    /// A session that begins now, on a connection that has just been made. Its first event is
    /// [`Event::Connected`].
    pub fn new(settings: Arc<Settings>, session: SessionId, now: Mono) -> ServerSession {
        let accepts_mail = settings.accepts_mail;
        let mut desk = Desk::new(settings, session, now);
        let state = if accepts_mail {
            desk.ask(|ticket| Event::Connected { ticket });
            State::Asking(Asking::Connect)
        } else {
            // The classic table knows no 521 in the greeting, and RFC 1846 3 has it anywhere.
            let settings = &desk.settings;
            if settings.strict_classic || settings.historic.has(Quirk::Late521) {
                desk.say(ConnectReply::Ready);
            } else {
                desk.say(ConnectLife::Mailless);
            }
            State::Turned(Turned::Mailless)
        };
        ServerSession {
            state,
            desk,
            started: now,
            looked_after: now,
            has_leftover: false,
            has_heard: false,
            at_eof: false,
            cut_short: false,
        }
    }

    /// Takes what came from the client, as much of it as can be acted on.
    pub fn handle_input(&mut self, bytes: Bytes, now: Mono) -> Progress {
        let mut input = bytes;
        let given = input.len();
        if let Some(first) = input.first() {
            self.refuse_early_talk();
            self.refuse_tls(*first);
        }
        self.run(&mut input, now);
        self.has_leftover = !input.is_empty();
        Progress {
            consumed: given - input.len(),
            want: self.want(),
        }
    }

    /// What has to happen before the session can go on.
    pub fn want(&self) -> Want {
        match self.state {
            State::Ended => Want::Close,
            State::Reversed => Want::Reverse,
            State::Asking(_) => Want::Answer,
            State::Handshake => Want::TlsHandshake,
            _ if self.cut_short => Want::Room,
            _ => Want::More,
        }
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.desk.events.pop_front();
        if event.is_none() {
            // What comes next is waited for, and most sessions wait: room for a few events is a sixth of what an idle
            // one would hold.
            self.desk.events = VecDeque::new();
        }
        event
    }

    /// Answers a question. The answer of a session that is over is ignored; so is one whose
    /// ticket is of another session or question, which is a [`Fault`].
    pub fn answer<R: Question>(
        &mut self,
        ticket: Ticket<R>,
        reply: impl Into<Answer<R::Reply>>,
        now: Mono,
    ) {
        if !matches!(self.state, State::Asking(_)) {
            return;
        }
        let Some(place) = self.desk.tickets.redeem(ticket) else {
            self.desk.fault(Fault::ForeignTicket);
            return;
        };
        self.settle(place, R::given(reply.into()).0);
        self.desk.since = now;
        self.run(&mut Bytes::new(), now);
    }

    /// Ends the session with 421: for a shutdown, or because a policy wants it ended. While an
    /// end of data waits for its answer the session ends after it, for a message that is being
    /// committed has to be answered for.
    pub fn disconnect(&mut self, why: Closing, now: Mono) {
        match &mut self.state {
            State::Ended | State::Reversed => {}
            State::Asking(Asking::EndOfData(asked)) => asked.then = Some(why),
            State::Handshake => {
                self.give_up_handshake(why);
                self.run(&mut Bytes::new(), now);
            }
            _ => {
                self.desk.end(self.state.command(), why);
                self.run(&mut Bytes::new(), now);
            }
        }
    }

    /// Puts what is to be sent at the end of `out`; whether there was any.
    ///
    /// Replies to pipelined commands are held back as long as there is input that was not consumed and no
    /// question is open, so that they go out together (RFC 2920 3.2).
    pub fn poll_transmit(&mut self, out: &mut BytesMut) -> bool {
        let waits_for_input = matches!(self.want(), Want::More | Want::Room);
        let more_follow = self.has_leftover && waits_for_input && !self.desk.is_full();
        if self.desk.output.is_empty() || more_follow {
            return false;
        }
        self.desk.output.take(out);
        true
    }

    /// Takes note that the client sends no more. Hand in all that came before first.
    pub fn handle_eof(&mut self, now: Mono) {
        self.at_eof = true;
        self.run(&mut Bytes::new(), now);
    }

    /// A client that doesn't wait for the greeting (RFC 5321 3.1, 4.3.1) is either broken or
    /// replays a script. It hears 421, not 554, so that honest mail can be tried again.
    fn refuse_early_talk(&mut self) {
        if matches!(self.state, State::Asking(Asking::Connect)) {
            self.desk.end(Command::Connect, Closing::LimitPassed);
        }
    }

    /// A client that begins with a TLS handshake (RFC 8446 5.1) means another port, and what its
    /// first octets carry may be a stranger's. No command begins so.
    fn refuse_tls(&mut self, first: u8) {
        const HANDSHAKE: u8 = 22;
        if mem::replace(&mut self.has_heard, true) || first != HANDSHAKE {
            return;
        }
        let is_over =
            matches!(self.state, State::Ended | State::Reversed) || self.desk.ending.is_some();
        if !is_over {
            self.desk.end(Command::Any, Closing::LimitPassed);
        }
    }

    /// Goes on as far as possible.
    fn run(&mut self, input: &mut Bytes, now: Mono) {
        self.replace_lost();
        self.leave_if_ending();
        while !self.desk.is_full() && self.step(input, now) {
            self.leave_if_ending();
        }
        self.cut_short = self.desk.is_full();
        let waits_for_client = !matches!(
            self.state,
            State::Asking(_) | State::Ended | State::Reversed
        );
        if self.at_eof && waits_for_client && !self.desk.is_full() {
            self.desk.ending = Some(Closed::Lost);
            self.leave_if_ending();
        }
    }

    /// Takes one step; false if input or an answer is needed first.
    fn step(&mut self, input: &mut Bytes, now: Mono) -> bool {
        let desk = &mut self.desk;
        // A step that leaves the input as it was and has nothing to tell does nothing.
        let before = (input.len(), desk.events.len());
        match mem::replace(&mut self.state, State::Ended) {
            State::Turned(turned) => match desk.next_line(input, now) {
                Some(line) => self.state = turned.take_line(line, desk),
                None => return self.stay(State::Turned(turned)),
            },
            State::Commands(commands) => match desk.next_line(input, now) {
                Some(line) => self.state = commands.take_line(line, desk),
                None => return self.stay(State::Commands(commands)),
            },
            State::Collecting(run) => self.state = run.collect(input, now, desk),
            State::Data(receiving) => {
                self.state = receiving.read(input, now, desk);
                return before != (input.len(), desk.events.len());
            }
            State::Chunk(chunk) => {
                self.state = chunk.read(input, now, desk);
                return before != (input.len(), desk.events.len());
            }
            State::Skipping(skipping) => {
                self.state = skipping.read(input, now, desk);
                return before != (input.len(), desk.events.len());
            }
            State::Exchange(mut exchange) => match exchange.next_line(input, now, desk) {
                Some(line) => self.state = exchange.take_line(line, desk),
                None => return self.stay(State::Exchange(exchange)),
            },
            // Nothing that came before the handshake is ever looked at (RFC 3207 4.2).
            State::Handshake => {
                input.clear();
                return self.stay(State::Handshake);
            }
            state @ (State::Asking(_) | State::Ended | State::Reversed) => {
                return self.stay(state);
            }
        }
        true
    }

    /// Nothing can be done in `state`.
    fn stay(&mut self, state: State) -> bool {
        self.state = state;
        false
    }

    /// Ends the session where something has asked for it.
    fn leave_if_ending(&mut self) {
        let Some(why) = self.desk.ending.take() else {
            return;
        };
        if let Some(transaction) = self.state.transaction() {
            self.desk.abandon(transaction);
        }
        self.state = State::Ended;
        self.desk.held = None;
        self.desk.lines.clear();
        self.desk.events.push_back(Event::Closed(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_reply::ConnectReply;
    use postroad_wire::address::{self, Domain};

    #[test]
    fn a_session_that_waits_holds_no_room_for_events() {
        let name = Domain::parse("mx.example", &address::Limits::default()).expect("a domain");
        let settings = Arc::new(Settings::new(name));
        let mut session = ServerSession::new(settings, SessionId(1), Mono::ZERO);
        let Some(Event::Connected { ticket }) = session.poll_event() else {
            panic!("it asks whether to greet");
        };
        session.answer(ticket, ConnectReply::Ready, Mono::ZERO);
        assert!(session.desk.events.capacity() > 0);
        while session.poll_event().is_some() {}
        assert_eq!(session.desk.events.capacity(), 0);
    }
}
