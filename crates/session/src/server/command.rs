//! Command lines, in the order in which they are judged.

use bytes::Bytes;
use postroad_reply::{
    AnySyntax, AtrnGate, Closing, Command as Row, DataGate, EtrnGate, ExpnGate, HelpGate, Phase,
    QuitGate, Reply,
};
use postroad_wire::command::{Command, Verb, is_of_another_protocol};

use super::desk::{Desk, Line};
use super::event::Closed;
use super::historic::{greeting, obsolete};
use super::security::{had_before, tls_needed};
use super::settings::{AuthRule, LookupRule, Settings, TlsRule};
use super::state::{Commands, State, Transaction, Turned};
use super::syntax;

/// A line as far as its verb.
pub(super) enum Read {
    /// A verb, and what follows it.
    Verb(Verb, Bytes),
    /// A verb that is not known.
    Unknown,
    /// A line of another protocol.
    Foreign,
    /// No verb can be read.
    Unreadable,
}

impl Read {
    pub(super) fn of(line: &Line) -> Read {
        let Ok(line) = line else {
            return Read::Unreadable;
        };
        match Verb::of(line) {
            // What follows the verb is a part of the line, or empty.
            Ok((verb, arguments)) => Read::Verb(verb, line.slice_ref(arguments)),
            Err(_) if is_of_another_protocol(line) => Read::Foreign,
            Err(_) => Read::Unknown,
        }
    }
}

impl Turned {
    /// A closed listener answers everything but QUIT in one way (RFC 5321 3.1, RFC 7504 3).
    pub(super) fn take_line(self, line: Line, desk: &mut Desk) -> State {
        let phase = match self {
            Turned::Mailless => Phase::Mailless,
            Turned::NoService => Phase::NoService,
        };
        match Read::of(&line) {
            Read::Unreadable => desk.refuse(Row::Any, AnySyntax::Unreadable),
            Read::Unknown | Read::Foreign => {
                if let Some(reply) = Row::Any.gate(phase) {
                    desk.refuse(Row::Any, reply);
                }
            }
            Read::Verb(verb, arguments) => {
                let row = row(verb);
                match row.gate(phase) {
                    Some(reply) => desk.refuse(row, reply),
                    // Only QUIT is left.
                    None => match verb.parse(&arguments, &desk.settings.grammar(false)) {
                        Ok(_) => quit(desk),
                        Err(error) => {
                            let reply = syntax::reply(verb, &error, &desk.settings);
                            desk.refuse(row, reply);
                        }
                    },
                }
            }
        }
        State::Turned(self)
    }
}

impl Commands {
    /// Takes the next command.
    pub(super) fn take_line(mut self, line: Line, desk: &mut Desk) -> State {
        let (verb, arguments) = match Read::of(&line) {
            Read::Verb(verb, arguments) => (verb, arguments),
            Read::Unknown => return self.refuse(Row::Any, AnySyntax::UnknownVerb, desk),
            Read::Unreadable => return self.refuse(Row::Any, AnySyntax::Unreadable, desk),
            Read::Foreign => {
                // What comes behind it was not written by whoever made the connection.
                desk.end(Row::Any, Closing::LimitPassed);
                return State::Commands(self);
            }
        };
        let row = row(verb);
        if verb == Verb::Bdat {
            // Its octets have to be read whatever stands against it.
            return self.take_chunk(&arguments, desk);
        }
        if let Some(reply) = switched_off(verb, &desk.settings) {
            return self.refuse(row, reply, desk);
        }
        if let Some(reply) = tls_needed(row, desk) {
            return self.refuse(row, reply, desk);
        }
        let gate = self.needs_chunks(row).or_else(|| row.gate(self.phase()));
        if let Some(reply) = gate.or_else(|| had_before(row, desk)) {
            if reply == Reply::from(DataGate::NoValidRecipients) {
                // No fault of the client's: it pipelined DATA (RFC 2920 3.1). Another DATA is
                // out of sequence.
                if let Transaction::Open(open) = &mut self.transaction {
                    open.tried = false;
                }
                desk.say(reply);
                return State::Commands(self);
            }
            return self.refuse(row, reply, desk);
        }
        let grammar = desk.settings.grammar(self.hello.is_extended());
        match verb.parse(&arguments, &grammar) {
            Ok(command) => self.obey(command, desk),
            Err(error) => {
                if let (Verb::Rcpt, Transaction::Open(open)) = (verb, &mut self.transaction) {
                    open.was_tried(desk);
                }
                let reply = syntax::reply(verb, &error, &desk.settings);
                self.refuse(row, reply, desk)
            }
        }
    }

    /// What DATA hears where the message is binary, whoever it is for (RFC 3030 3).
    fn needs_chunks(&self, row: Row) -> Option<Reply> {
        let is_binary = matches!(&self.transaction, Transaction::Open(open) if open.binary);
        (row == Row::Data && is_binary).then(|| DataGate::BadSequence.into())
    }

    /// Refuses a command; everything stays as it was (RFC 5321 4.1.4).
    pub(super) fn refuse(self, row: Row, reply: impl Into<Reply>, desk: &mut Desk) -> State {
        desk.refuse(row, reply);
        State::Commands(self)
    }

    /// Does what a legal command says.
    fn obey(self, command: Command, desk: &mut Desk) -> State {
        match command {
            Command::Helo(name) => self.helo(name, desk),
            Command::Ehlo(name) => self.ehlo(name, desk),
            Command::Lhlo(name) => self.lhlo(name, desk),
            Command::Mail {
                reverse_path,
                parameters,
            } => self.mail(reverse_path, parameters, desk),
            Command::Rcpt {
                forward_path,
                parameters,
            } => self.rcpt(forward_path, parameters, desk),
            Command::Data => self.data(desk),
            Command::Rset => self.rset(desk),
            Command::Noop => self.noop(desk),
            Command::StartTls => self.starttls(desk),
            Command::Auth {
                mechanism,
                initial_response,
            } => self.auth(&mechanism, initial_response, desk),
            Command::Vrfy { string, smtputf8 } => self.vrfy(string, smtputf8, desk),
            Command::Expn { string, smtputf8 } => self.expn(string, smtputf8, desk),
            Command::Help { topic } => self.help(topic.as_deref(), desk),
            Command::Quit => {
                quit(desk);
                State::Commands(self)
            }
            Command::Etrn(node) => self.etrn(node, desk),
            Command::Atrn(domains) => self.atrn(domains, desk),
            Command::Turn => self.turn(desk),
            Command::Send(reverse_path) => self.terminals(Row::Send, reverse_path, desk),
            Command::Soml(reverse_path) => self.terminals(Row::Soml, reverse_path, desk),
            Command::Saml(reverse_path) => self.terminals(Row::Saml, reverse_path, desk),
            // It has its own way.
            Command::Bdat { .. } => self.refuse(Row::Any, AnySyntax::UnknownVerb, desk),
        }
    }
}

/// QUIT is answered and then the connection is closed (RFC 5321 4.1.1.10).
fn quit(desk: &mut Desk) {
    desk.say(QuitGate::Goodbye);
    desk.ending = Some(Closed::Quit);
}

/// What is said to a verb that is known and doesn't work here, whatever its arguments are.
pub(super) fn switched_off(verb: Verb, settings: &Settings) -> Option<Reply> {
    if let Some(reply) = greeting(verb, settings).or_else(|| obsolete(verb, settings)) {
        return Some(reply);
    }
    Some(match verb {
        Verb::Help if !settings.help => HelpGate::SwitchedOff.into(),
        Verb::Expn if settings.expn == LookupRule::NotImplemented => {
            ExpnGate::NotImplemented.into()
        }
        Verb::Bdat if !settings.offered.chunking => AnySyntax::UnknownVerb.into(),
        // Their rows have no reply for a server that doesn't offer them, so that they are unknown.
        Verb::StartTls if settings.tls == TlsRule::Off => AnySyntax::UnknownVerb.into(),
        Verb::Auth if settings.auth == AuthRule::Off => AnySyntax::UnknownVerb.into(),
        Verb::Etrn if !settings.roles.etrn => EtrnGate::SwitchedOff.into(),
        Verb::Atrn if !settings.roles.atrn => AtrnGate::SwitchedOff.into(),
        _ => return None,
    })
}

/// The row of the table that a verb has.
pub(super) fn row(verb: Verb) -> Row {
    match verb {
        Verb::Helo => Row::Helo,
        Verb::Ehlo => Row::Ehlo,
        Verb::Lhlo => Row::Lhlo,
        Verb::Mail => Row::Mail,
        Verb::Rcpt => Row::Rcpt,
        Verb::Data => Row::Data,
        Verb::Bdat => Row::Bdat,
        Verb::Rset => Row::Rset,
        Verb::Noop => Row::Noop,
        Verb::Vrfy => Row::Vrfy,
        Verb::Expn => Row::Expn,
        Verb::Help => Row::Help,
        Verb::Quit => Row::Quit,
        Verb::Send => Row::Send,
        Verb::Soml => Row::Soml,
        Verb::Saml => Row::Saml,
        Verb::Turn => Row::Turn,
        Verb::StartTls => Row::Starttls,
        Verb::Auth => Row::Auth,
        Verb::Etrn => Row::Etrn,
        Verb::Atrn => Row::Atrn,
    }
}
