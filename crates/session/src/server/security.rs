//! STARTTLS and AUTH: the connection becomes private, and the client says who it is.

use alloc::string::String;

use bytes::Bytes;
use postroad_clock::Mono;
use postroad_reply::{
    Answer, AnyGate, AuthGate, AuthReply, AuthSyntax, Closing, Command as Row, MailGate, Reply,
    StarttlsGate, StarttlsReply, Text,
};
use postroad_wire::base64;
use postroad_wire::command::InitialResponse;
use postroad_wire::line::{LineLimits, LineReader, Unreadable};
use postroad_wire::sasl::Mechanism;

use super::ServerSession;
use super::desk::{Desk, Line};
use super::event::{AuthStep, Closed, Event, SaslMessage};
use super::settings::{AuthRule, TlsRule};
use super::state::{AskedAuth, Asking, Commands, Exchange, Hello, State};

impl ServerSession {
    /// Takes note that the TLS handshake is done that [`Want::TlsHandshake`](super::Want::TlsHandshake) asked for. The session is
    /// as it was after the greeting (RFC 3207 4.2): what the client said before, and whatever came with
    /// it, is forgotten, for who sent that isn't known.
    pub fn tls_established(&mut self, now: Mono) {
        if !matches!(self.state, State::Handshake) {
            return;
        }
        let desk = &mut self.desk;
        desk.security = Security {
            tls: true,
            authenticated: false,
        };
        desk.output.extended = false;
        desk.held = None;
        desk.lines.clear();
        desk.since = now;
        self.has_leftover = false;
        self.state = State::Commands(Commands::idle(Hello::None));
    }

    /// Ends a session that waits for a handshake: nothing can be said to the client, which awaits TLS.
    pub(super) fn give_up_handshake(&mut self, why: Closing) {
        self.desk.ending = Some(Closed::Ended(why));
    }
}

/// How far the connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) tls: bool,
    /// AUTH was answered 235.
    pub(super) authenticated: bool,
}

/// What stands against a command that wants TLS first (RFC 3207 4).
pub(super) fn tls_needed(row: Row, desk: &Desk) -> Option<Reply> {
    let needed = desk.settings.tls == TlsRule::Required && !desk.security.tls;
    match row {
        Row::Noop | Row::Ehlo | Row::Lhlo | Row::Starttls | Row::Quit => None,
        _ if !needed => None,
        Row::Mail => Some(MailGate::TlsNeeded.into()),
        _ => Some(Reply::from(AnyGate::TlsNeeded).answering(row)),
    }
}

/// What stands against STARTTLS under TLS (RFC 3207 4.2), and against AUTH once it was answered 235
/// (RFC 4954 4).
pub(super) fn had_before(row: Row, desk: &Desk) -> Option<Reply> {
    match row {
        Row::Starttls if desk.security.tls => Some(StarttlsGate::BadSequence.into()),
        Row::Auth if desk.security.authenticated => Some(AuthGate::BadSequence.into()),
        _ => None,
    }
}

impl Commands {
    pub(super) fn starttls(self, desk: &mut Desk) -> State {
        desk.ask(|ticket| Event::StartTls { ticket });
        State::Asking(Asking::StartTls(self))
    }

    pub(super) fn settle_starttls(self, answer: Answer<StarttlsReply>, desk: &mut Desk) -> State {
        let begins = *answer.said() == StarttlsReply::Ready;
        desk.say(answer);
        match begins {
            true => State::Handshake,
            false => State::Commands(self),
        }
    }

    pub(super) fn auth(
        self,
        mechanism: &str,
        initial_response: Option<InitialResponse>,
        desk: &mut Desk,
    ) -> State {
        let offered = desk.settings.mechanisms;
        let known = Mechanism::named(mechanism).filter(|mechanism| offered.has(*mechanism));
        let Some(mechanism) = known else {
            return self.refuse(Row::Auth, AuthGate::MechanismUnknown, desk);
        };
        if !desk.mechanisms().has(mechanism) {
            return self.refuse(Row::Auth, AuthGate::TlsNeeded, desk);
        }
        let initial = match initial_response.map(|response| response.decode()) {
            None => None,
            Some(Some(octets)) => Some(SaslMessage(octets)),
            Some(None) => return self.refuse(Row::Auth, AuthSyntax::NotBase64, desk),
        };
        self.ask_auth(AuthStep::Begin(mechanism, initial), desk)
    }

    fn ask_auth(self, step: AuthStep, desk: &mut Desk) -> State {
        desk.ask(|ticket| Event::Auth { ticket, step });
        State::Asking(Asking::Auth(AskedAuth { commands: self }))
    }

    /// Whether the client has to authenticate before a transaction may begin.
    pub(super) fn must_authenticate(desk: &Desk) -> bool {
        desk.settings.auth == AuthRule::Required && !desk.security.authenticated
    }
}

impl AskedAuth {
    pub(super) fn settle(self, answer: Answer<AuthReply>, desk: &mut Desk) -> State {
        let commands = self.commands;
        match answer.said() {
            AuthReply::Challenge(_) => {
                desk.say(answer);
                return State::Exchange(Exchange::new(commands));
            }
            AuthReply::Authenticated => desk.security.authenticated = true,
            // Not the client's fault.
            AuthReply::Unavailable => {}
            AuthReply::Invalid | AuthReply::TooWeak | AuthReply::TransitionNeeded => {
                desk.tally.failed_logins += 1;
                if desk.tally.failed_logins > desk.settings.limits.failed_logins {
                    desk.end(Row::Auth, Closing::LimitPassed);
                    return State::Commands(commands);
                }
            }
        }
        desk.say(answer);
        State::Commands(commands)
    }
}

impl Exchange {
    /// One that waits for the response to a challenge.
    fn new(commands: Commands) -> Exchange {
        Exchange {
            commands,
            lines: LineReader::new(LineLimits::of_exchange()),
        }
    }

    /// The next line, if there is a whole one.
    pub(super) fn next_line(
        &mut self,
        input: &mut Bytes,
        now: Mono,
        desk: &mut Desk,
    ) -> Option<Line> {
        let line = self.lines.read(input)?;
        desk.since = now;
        Some(line)
    }

    /// Takes the client's response (RFC 4954 4).
    pub(super) fn take_line(self, line: Line, desk: &mut Desk) -> State {
        let reply = match line.as_deref() {
            Err(Unreadable::TooLong) => AuthSyntax::LineTooLong,
            Err(_) => AuthSyntax::NotBase64,
            Ok(b"*") => AuthSyntax::Cancelled,
            Ok(line) => match base64::decode(line) {
                Some(octets) => {
                    let step = AuthStep::Response(SaslMessage(octets));
                    return self.commands.ask_auth(step, desk);
                }
                None => AuthSyntax::NotBase64,
            },
        };
        self.commands.refuse(Row::Auth, reply, desk)
    }
}

/// A challenge as AUTH carries it.
pub fn challenge(octets: &[u8]) -> AuthReply {
    let base64: String = base64::encode(octets);
    AuthReply::Challenge(Text::new(&base64))
}
