//! ETRN, ATRN and TURN: a client calls for its mail.

use alloc::vec::Vec;

use postroad_clock::Mono;
use postroad_reply::{Answer, AtrnGate, AtrnReply, Command as Row, EtrnReply, TurnReply};
use postroad_wire::address::{Domain, HeloName};
use postroad_wire::command::Node;
use postroad_wire::peer::Protocol;

use super::ServerSession;
use super::desk::Desk;
use super::event::{Closed, Event};
use super::state::{AskedRole, Asking, Commands, State};
use crate::client::{ClientSession, Timeouts};

impl ServerSession {
    /// Takes note that the client has proved who it is by other means than AUTH: its certificate.
    pub fn identified(&mut self) {
        self.desk.is_identified = true;
    }

    /// Takes note that the client is of a network that the site trusts.
    pub fn trusted(&mut self) {
        self.desk.is_trusted = true;
    }

    /// The other half of the conversation, once the roles have changed
    /// ([`Want::Reverse`](super::Want::Reverse)); `None` before. It waits for the peer's greeting, as on a
    /// connection that has just been made (RFC 821 4.1.1, RFC 2645 5.3).
    pub fn into_client(self, timeouts: Timeouts, now: Mono) -> Option<ClientSession> {
        let State::Reversed = self.state else {
            return None;
        };
        let name = HeloName::from(self.desk.settings.host_name.clone());
        Some(ClientSession::new(Protocol::Smtp, name, timeouts, now))
    }
}

impl Commands {
    /// Asks for a queue run (RFC 1985 5).
    pub(super) fn etrn(self, node: Node, desk: &mut Desk) -> State {
        if desk.is_too_much_junk(Row::Etrn) {
            return State::Commands(self);
        }
        desk.ask(|ticket| Event::Etrn { ticket, node });
        self.asking_role(Row::Etrn)
    }

    /// Asks for the mail of some domains over this connection (RFC 2645 5.2.1).
    pub(super) fn atrn(self, domains: Vec<Domain>, desk: &mut Desk) -> State {
        if !desk.security.authenticated && !desk.is_identified {
            return self.refuse(Row::Atrn, AtrnGate::AuthenticationNeeded, desk);
        }
        if desk.is_too_much_junk(Row::Atrn) {
            return State::Commands(self);
        }
        desk.ask(|ticket| Event::Atrn { ticket, domains });
        self.asking_role(Row::Atrn)
    }

    /// Asks for the mail of the client's domains over this connection (RFC 821 3.8). Who has not proved who
    /// it is hears the handler's 502.
    pub(super) fn turn(self, desk: &mut Desk) -> State {
        if desk.is_too_much_junk(Row::Turn) {
            return State::Commands(self);
        }
        desk.ask(|ticket| Event::Turn { ticket });
        self.asking_role(Row::Turn)
    }

    fn asking_role(self, command: Row) -> State {
        State::Asking(Asking::Role(AskedRole {
            commands: self,
            command,
        }))
    }
}

impl AskedRole {
    pub(super) fn settle_etrn(self, answer: Answer<EtrnReply>, desk: &mut Desk) -> State {
        desk.say(answer);
        State::Commands(self.commands)
    }

    pub(super) fn settle_atrn(self, answer: Answer<AtrnReply>, desk: &mut Desk) -> State {
        let reversed = matches!(answer.said(), AtrnReply::RolesChanged);
        desk.say(answer);
        self.turned(reversed, desk)
    }

    pub(super) fn settle_turn(self, answer: Answer<TurnReply>, desk: &mut Desk) -> State {
        let reversed = matches!(answer.said(), TurnReply::RolesChanged);
        desk.say(answer);
        self.turned(reversed, desk)
    }

    fn turned(self, reversed: bool, desk: &mut Desk) -> State {
        match reversed {
            true => reverse(desk),
            false => State::Commands(self.commands),
        }
    }
}

/// The roles change. What was pipelined behind the command is not kept: the peer speaks next as a server,
/// and only after our reply.
fn reverse(desk: &mut Desk) -> State {
    desk.held = None;
    desk.lines.clear();
    desk.events.push_back(Event::Closed(Closed::Reversed));
    State::Reversed
}
