//! HELO, EHLO, RSET, NOOP, VRFY, EXPN, HELP: what opens a session, and what never disturbs one.

use alloc::vec::Vec;

use postroad_reply::{
    Answer, Command as Row, EhloReply, ExpnGate, ExpnReply, HeloReply, HelpReply, Lines, NoopGate,
    Reply, RsetGate, Situated, Text, VrfyGate, VrfyReply,
};
use postroad_wire::address::HeloName;
use postroad_wire::command::Lookup;

use super::desk::Desk;
use super::event::Event;
use super::settings::LookupRule;
use super::state::{AskedHello, AskedLookup, Asking, Commands, Hello, State};

impl Commands {
    pub(super) fn helo(self, name: HeloName, desk: &mut Desk) -> State {
        if self.hello != Hello::None && desk.is_too_much_junk(Row::Helo) {
            return State::Commands(self);
        }
        desk.ask(|ticket| Event::Helo { ticket, name });
        self.asking_hello(Hello::Helo)
    }

    pub(super) fn ehlo(self, name: HeloName, desk: &mut Desk) -> State {
        if self.hello != Hello::None && desk.is_too_much_junk(Row::Ehlo) {
            return State::Commands(self);
        }
        desk.ask(|ticket| Event::Ehlo { ticket, name });
        self.asking_hello(Hello::Ehlo)
    }

    fn asking_hello(self, to: Hello) -> State {
        State::Asking(Asking::Hello(AskedHello { commands: self, to }))
    }

    /// RSET drops the transaction, and nothing else (RFC 5321 4.1.1.5).
    pub(super) fn rset(self, desk: &mut Desk) -> State {
        if desk.is_too_much_junk(Row::Rset) {
            return State::Commands(self);
        }
        if let Some(transaction) = self.transaction() {
            desk.abandon(transaction);
        }
        desk.say(RsetGate::Done);
        State::Commands(Commands::idle(self.hello))
    }

    pub(super) fn noop(self, desk: &mut Desk) -> State {
        if !desk.is_too_much_junk(Row::Noop) {
            desk.say(NoopGate::Done);
        }
        State::Commands(self)
    }

    pub(super) fn vrfy(self, string: Lookup, smtputf8: bool, desk: &mut Desk) -> State {
        if desk.is_too_much_junk(Row::Vrfy) {
            return State::Commands(self);
        }
        match desk.settings.vrfy {
            LookupRule::Undisclosed => {
                desk.say(VrfyGate::SwitchedOff);
                State::Commands(self)
            }
            // `switched_off` has answered.
            LookupRule::NotImplemented => self.refuse(Row::Vrfy, VrfyGate::NotImplemented, desk),
            LookupRule::Asked => {
                desk.ask(|ticket| Event::Vrfy {
                    ticket,
                    string,
                    smtputf8,
                });
                self.asking_lookup(Row::Vrfy, smtputf8)
            }
        }
    }

    pub(super) fn expn(self, string: Lookup, smtputf8: bool, desk: &mut Desk) -> State {
        if desk.is_too_much_junk(Row::Expn) {
            return State::Commands(self);
        }
        match desk.settings.expn {
            LookupRule::Undisclosed => {
                desk.say(ExpnGate::SwitchedOff);
                State::Commands(self)
            }
            // `switched_off` has answered.
            LookupRule::NotImplemented => self.refuse(Row::Expn, ExpnGate::NotImplemented, desk),
            LookupRule::Asked => {
                desk.ask(|ticket| Event::Expn {
                    ticket,
                    string,
                    smtputf8,
                });
                self.asking_lookup(Row::Expn, smtputf8)
            }
        }
    }

    fn asking_lookup(self, command: Row, smtputf8: bool) -> State {
        State::Asking(Asking::Lookup(AskedLookup {
            commands: self,
            command,
            smtputf8,
        }))
    }

    pub(super) fn help(self, topic: Option<&str>, desk: &mut Desk) -> State {
        if desk.is_too_much_junk(Row::Help) {
            return State::Commands(self);
        }
        let known = HELP.iter().filter(|(verb, _)| match *verb {
            "BDAT" => desk.settings.offered.chunking,
            "STARTTLS" => desk.extensions().starttls,
            "AUTH" => desk.extensions().auth.is_some(),
            _ => true,
        });
        let reply = match topic {
            None => {
                let verbs = known.map(|(verb, _)| *verb).collect::<Vec<_>>().join(" ");
                HelpReply::Help(Text::new(&verbs).into())
            }
            Some(topic) => known
                .into_iter()
                .find(|(verb, _)| verb.eq_ignore_ascii_case(topic))
                .map_or(HelpReply::TopicUnknown, |(_, help)| {
                    HelpReply::Help(Text::new(help).into())
                }),
        };
        desk.say(reply);
        State::Commands(self)
    }
}

/// The commands that hold here, and how they are written.
const HELP: [(&str, &str); 14] = [
    ("HELO", "HELO <domain>"),
    ("EHLO", "EHLO <domain or address literal>"),
    ("MAIL", "MAIL FROM:<reverse-path> [parameters]"),
    ("RCPT", "RCPT TO:<forward-path> [parameters]"),
    ("DATA", "DATA, then the message, ended by a line with a dot"),
    ("BDAT", "BDAT <size> [LAST], then so many octets"),
    ("RSET", "RSET"),
    ("NOOP", "NOOP [string]"),
    ("VRFY", "VRFY <user or mailbox>"),
    ("EXPN", "EXPN <list>"),
    ("HELP", "HELP [command]"),
    ("STARTTLS", "STARTTLS"),
    ("AUTH", "AUTH <mechanism> [initial response]"),
    ("QUIT", "QUIT"),
];

impl AskedHello {
    pub(super) fn settle_helo(self, answer: Answer<HeloReply>, desk: &mut Desk) -> State {
        match answer.said() {
            HeloReply::Greeted => self.open(answer, desk),
            HeloReply::Refused => self.refuse(answer, desk),
        }
    }

    pub(super) fn settle_ehlo(self, answer: Answer<EhloReply>, desk: &mut Desk) -> State {
        match answer.said() {
            EhloReply::Greeted => {
                let keywords = desk.extensions().keywords();
                let keywords = keywords.iter().map(|keyword| Text::new(keyword));
                let greeting = Text::new(answer.said().situation().text);
                self.open(answer.lines(Lines::new(greeting, keywords)), desk)
            }
            EhloReply::Refused => self.refuse(answer, desk),
        }
    }

    /// Opens the session anew, which drops any transaction (RFC 5321 4.1.4).
    fn open(self, reply: impl Into<Reply>, desk: &mut Desk) -> State {
        if let Some(transaction) = self.commands.transaction() {
            desk.abandon(transaction);
        }
        desk.say(reply);
        desk.output.extended = self.to == Hello::Ehlo;
        State::Commands(Commands::idle(self.to))
    }

    /// The state stays what it was (RFC 5321 4.1.4).
    fn refuse(self, reply: impl Into<Reply>, desk: &mut Desk) -> State {
        desk.say(reply);
        State::Commands(self.commands)
    }
}

impl AskedLookup {
    pub(super) fn settle_vrfy(self, answer: Answer<VrfyReply>, desk: &mut Desk) -> State {
        self.say(answer, VrfyReply::NotVerifiedUtf8, desk)
    }

    pub(super) fn settle_expn(self, answer: Answer<ExpnReply>, desk: &mut Desk) -> State {
        self.say(answer, ExpnReply::NotExpandedUtf8, desk)
    }

    /// Says the answer, or `instead` where it has UTF-8 in it and the client can't take that
    /// (RFC 6531 3.7.4.2).
    fn say(self, answer: impl Into<Reply>, instead: impl Into<Reply>, desk: &mut Desk) -> State {
        let reply = answer.into();
        if reply.needs_utf8() && !self.smtputf8 {
            desk.say(instead);
        } else {
            desk.say(reply);
        }
        State::Commands(self.commands)
    }
}
