//! The customer's part of on-demand mail relay (RFC 2645): it says who it is, asks for its mail by ATRN, and
//! becomes the server.
//!
//! A [`Collector`] is driven as a [`ClientSession`](crate::client::ClientSession) is. Its
//! [`want`](Collector::want) says when a TLS handshake is to be done, and when the roles have changed, for
//! [`into_server`](Collector::into_server).

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::{Command as Row, Severity};
use postroad_wire::address::{Domain, HeloName};
use postroad_wire::base64;
use postroad_wire::command::{Command, InitialResponse};
use postroad_wire::extension::Extensions;
use postroad_wire::reply::{PeerReply, ReplyReader, UnreadableReply};
use postroad_wire::sasl::Mechanism;

use crate::server::{ServerSession, SessionId, Settings};

/// For the reply to ATRN: the provider may have to look through its queue (RFC 2645 5.2.1 wants ten minutes
/// at least).
const ATRN: Duration = Duration::from_secs(11 * 60);
/// For any other reply (RFC 5321 4.5.3.2).
const COMMAND: Duration = Duration::from_secs(5 * 60);

/// What is to be collected, and how.
#[derive(Debug, Clone)]
pub struct Errand {
    /// What this side calls itself.
    pub name: HeloName,
    /// Whether TLS is started first; not where the connection is TLS from its beginning.
    pub start_tls: bool,
    /// Who this side is; none where its certificate says so.
    pub login: Option<Login>,
    /// Whose mail; none means all that the provider has for it.
    pub domains: Vec<Domain>,
}

/// A name and a password, which [`Debug`](fmt::Debug) doesn't show.
#[derive(Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}, ..)", self.user)
    }
}

/// One conversation, as the customer, until the roles change.
#[derive(Debug)]
pub struct Collector {
    errand: Errand,
    stage: Stage,
    is_tls: bool,
    replies: ReplyReader,
    /// What came behind the reply to ATRN.
    leftover: Bytes,
    out: BytesMut,
    since: Mono,
}

/// Which reply is awaited.
#[derive(Debug)]
enum Stage {
    Greeting,
    Ehlo,
    StartTls,
    Handshake,
    Auth(Exchange),
    Atrn,
    Quit(Ended),
    Reversed,
    Closed(Ended),
}

/// What a challenge is answered with.
#[derive(Debug, Clone, Copy)]
enum Exchange {
    /// With nothing: all was said.
    Said,
    /// LOGIN asks for the name, and then for the password.
    User,
    Password,
}

/// What has to happen before a collector can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Input.
    More,
    /// A TLS handshake, then [`Collector::tls_established`]. What was read before it is worth nothing.
    TlsHandshake,
    /// The roles have changed: [`Collector::into_server`].
    Reverse,
    /// The end: see [`Collector::ended`].
    Close,
}

/// Why nothing was collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// There is no mail (453).
    NoMail,
    /// The provider refused something, the greeting included.
    Refused {
        /// What.
        command: Row,
        /// In its words.
        reply: PeerReply,
    },
    /// It doesn't offer STARTTLS, without which it isn't told who we are.
    NoTls,
    /// It offers no mechanism of AUTH that we have.
    NoMechanism,
    /// The connection was lost.
    Lost,
    /// This wasn't answered in time.
    TimedOut(Row),
    /// What came is no reply.
    Unreadable(UnreadableReply),
    /// Something came that nobody had asked for.
    Unasked,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::NoMail => f.write_str("there is no mail"),
            Ended::Refused { command, reply } => {
                write!(f, "{} was refused: {}", command.name(), reply.code)?;
                reply.lines.iter().try_for_each(|line| write!(f, " {line}"))
            }
            Ended::NoTls => f.write_str("it doesn't offer STARTTLS"),
            Ended::NoMechanism => f.write_str("it offers neither AUTH PLAIN nor AUTH LOGIN"),
            Ended::Lost => f.write_str("the connection was lost"),
            Ended::TimedOut(command) => write!(f, "no reply in time to {}", command.name()),
            Ended::Unreadable(error) => error.fmt(f),
            Ended::Unasked => f.write_str("it said something that nobody had asked for"),
        }
    }
}

impl Collector {
    /// A conversation that begins now, on a connection that has just been made.
    pub fn new(errand: Errand, now: Mono) -> Collector {
        Collector {
            errand,
            stage: Stage::Greeting,
            is_tls: false,
            replies: ReplyReader::new(),
            leftover: Bytes::new(),
            out: BytesMut::new(),
            since: now,
        }
    }

    /// What has to happen next.
    pub fn want(&self) -> Want {
        match self.stage {
            Stage::Handshake => Want::TlsHandshake,
            Stage::Reversed => Want::Reverse,
            Stage::Closed(_) => Want::Close,
            _ => Want::More,
        }
    }

    /// Takes all that came from the provider.
    pub fn handle_input(&mut self, bytes: Bytes, now: Mono) {
        let mut input = bytes;
        while self.want() == Want::More {
            match self.replies.read(&mut input) {
                Some(Ok(reply)) => self.take_reply(reply, now),
                Some(Err(error)) => self.close(Ended::Unreadable(error)),
                None => return,
            }
        }
        match self.stage {
            // Whoever put it there did so without TLS (RFC 3207 4.2).
            Stage::Handshake if !input.is_empty() => self.close(Ended::Unasked),
            Stage::Reversed => self.leftover = input,
            _ => {}
        }
    }

    /// Takes note that the TLS handshake is done: what was said before it is forgotten (RFC 3207 4.2).
    pub fn tls_established(&mut self, now: Mono) {
        if let Stage::Handshake = self.stage {
            self.is_tls = true;
            self.replies = ReplyReader::new();
            self.ehlo(now);
        }
    }

    /// Takes note that the provider closed the connection.
    pub fn handle_eof(&mut self) {
        match core::mem::replace(&mut self.stage, Stage::Closed(Ended::Lost)) {
            Stage::Quit(ended) | Stage::Closed(ended) => self.stage = Stage::Closed(ended),
            _ => {}
        }
    }

    /// Puts what is to be sent at the end of `out`; whether there was any.
    pub fn poll_transmit(&mut self, out: &mut BytesMut) -> bool {
        let any = !self.out.is_empty();
        out.extend_from_slice(&self.out);
        self.out.clear();
        any
    }

    /// When [`handle_timeout`](Collector::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let patience = match self.stage {
            Stage::Reversed | Stage::Closed(_) => return None,
            Stage::Atrn => ATRN,
            _ => COMMAND,
        };
        Some(self.since + patience)
    }

    /// Gives the provider up if its time has come.
    pub fn handle_timeout(&mut self, now: Mono) {
        if self.poll_timeout().is_some_and(|due| now >= due) {
            let command = self.row();
            self.close(Ended::TimedOut(command));
        }
    }

    /// Why nothing was collected, once that is so.
    pub fn ended(&self) -> Option<&Ended> {
        match &self.stage {
            Stage::Closed(ended) => Some(ended),
            _ => None,
        }
    }

    /// The other half of the conversation, once the roles have changed: it greets, and goes on as any server
    /// (RFC 2645 5.3). With it what came too early, to be handed in first; `None` before.
    pub fn into_server(
        self,
        settings: Arc<Settings>,
        session: SessionId,
        now: Mono,
    ) -> Option<(ServerSession, Bytes)> {
        let Stage::Reversed = self.stage else {
            return None;
        };
        Some((ServerSession::new(settings, session, now), self.leftover))
    }

    fn take_reply(&mut self, reply: PeerReply, now: Mono) {
        self.since = now;
        let command = self.row();
        let severity = command.meaning(reply.code).severity();
        match (
            core::mem::replace(&mut self.stage, Stage::Greeting),
            severity,
        ) {
            (Stage::Quit(ended), _) => self.stage = Stage::Closed(ended),
            (Stage::Greeting, Severity::Completed) => self.ehlo(now),
            (Stage::Ehlo, Severity::Completed) => {
                let keywords = reply.lines.iter().skip(1).map(String::as_str);
                self.go_on(&Extensions::read(keywords), now);
            }
            (Stage::StartTls, Severity::Completed) => self.stage = Stage::Handshake,
            (Stage::Auth(_), Severity::Completed) => self.atrn(now),
            (Stage::Auth(exchange), Severity::Intermediate) => self.respond(exchange, now),
            (Stage::Atrn, Severity::Completed) => self.stage = Stage::Reversed,
            (Stage::Atrn, _) if reply.code.number() == NO_MAIL => self.quit(Ended::NoMail, now),
            (_, _) => self.quit(Ended::Refused { command, reply }, now),
        }
    }

    /// EHLO is answered: TLS, who we are, and what we want, in this order.
    fn go_on(&mut self, offered: &Extensions, now: Mono) {
        if self.errand.start_tls && !self.is_tls {
            return match offered.starttls {
                true => self.say(&Command::StartTls, Stage::StartTls, now),
                false => self.quit(Ended::NoTls, now),
            };
        }
        let Some(Login { user, password }) = &self.errand.login else {
            return self.atrn(now);
        };
        let mechanisms = offered.auth.unwrap_or_default();
        let (mechanism, initial_response, exchange) = if mechanisms.has(Mechanism::Plain) {
            // RFC 4616 2: no other identity to act as, then the name and the password.
            let message = format!("\0{user}\0{password}");
            let message = InitialResponse(base64::encode(message.as_bytes()));
            (Mechanism::Plain, Some(message), Exchange::Said)
        } else if mechanisms.has(Mechanism::Login) {
            (Mechanism::Login, None, Exchange::User)
        } else {
            return self.quit(Ended::NoMechanism, now);
        };
        let auth = Command::Auth {
            mechanism: mechanism.name().into(),
            initial_response,
        };
        self.say(&auth, Stage::Auth(exchange), now);
    }

    /// Answers a challenge.
    fn respond(&mut self, exchange: Exchange, now: Mono) {
        let (response, next) = match (exchange, &self.errand.login) {
            (Exchange::User, Some(login)) => {
                (base64::encode(login.user.as_bytes()), Exchange::Password)
            }
            (Exchange::Password, Some(login)) => {
                (base64::encode(login.password.as_bytes()), Exchange::Said)
            }
            // There is nothing more to say, so the exchange is cancelled (RFC 4954 4).
            _ => ("*".into(), Exchange::Said),
        };
        self.out
            .extend_from_slice(format!("{response}\r\n").as_bytes());
        self.stage = Stage::Auth(next);
        self.since = now;
    }

    fn atrn(&mut self, now: Mono) {
        let domains = self.errand.domains.clone();
        self.say(&Command::Atrn(domains), Stage::Atrn, now);
    }

    fn ehlo(&mut self, now: Mono) {
        let ehlo = Command::Ehlo(self.errand.name.clone());
        self.say(&ehlo, Stage::Ehlo, now);
    }

    fn quit(&mut self, ended: Ended, now: Mono) {
        self.say(&Command::Quit, Stage::Quit(ended), now);
    }

    fn close(&mut self, ended: Ended) {
        self.stage = Stage::Closed(ended);
    }

    fn say(&mut self, command: &Command, awaited: Stage, now: Mono) {
        self.out
            .extend_from_slice(format!("{command}\r\n").as_bytes());
        self.stage = awaited;
        self.since = now;
    }

    /// The row by which the next reply is read.
    fn row(&self) -> Row {
        match self.stage {
            Stage::Greeting => Row::Connect,
            Stage::Ehlo => Row::Ehlo,
            Stage::StartTls | Stage::Handshake => Row::Starttls,
            Stage::Auth(_) => Row::Auth,
            Stage::Atrn => Row::Atrn,
            Stage::Quit(_) | Stage::Reversed | Stage::Closed(_) => Row::Quit,
        }
    }
}

/// RFC 2645 7.
const NO_MAIL: u16 = 453;
