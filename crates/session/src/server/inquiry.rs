//! HELO, EHLO, LHLO, RSET, NOOP, VRFY, EXPN: what opens a session, and what never disturbs one.

use postroad_reply::{
    Answer, Command as Row, EhloGate, EhloReply, ExpnGate, ExpnReply, HeloGate, HeloReply,
    LhloGate, LhloReply, Lines, NoopGate, Reply, RsetGate, Situated, Text, VrfyGate, VrfyReply,
};
use postroad_wire::address::HeloName;
use postroad_wire::command::Lookup;

use super::desk::Desk;
use super::event::Event;
use super::historic::Quirk;
use super::settings::LookupRule;
use super::state::{AskedHello, AskedLookup, Asking, Commands, Hello, State};

impl Commands {
    pub(super) fn helo(self, name: HeloName, desk: &mut Desk) -> State {
        if is_refused(&name, desk) {
            return self.refuse(Row::Helo, HeloGate::NameNotQualified, desk);
        }
        if self.hello != Hello::None && desk.is_too_much_junk(Row::Helo) {
            return State::Commands(self);
        }
        desk.ask(|ticket| Event::Helo { ticket, name });
        self.asking_hello(Hello::Helo)
    }

    pub(super) fn ehlo(self, name: HeloName, desk: &mut Desk) -> State {
        if is_refused(&name, desk) {
            return self.refuse(Row::Ehlo, EhloGate::NameNotQualified, desk);
        }
        if self.hello != Hello::None && desk.is_too_much_junk(Row::Ehlo) {
            return State::Commands(self);
        }
        desk.ask(|ticket| Event::Ehlo { ticket, name });
        self.asking_hello(Hello::Ehlo)
    }

    /// The EHLO of LMTP (RFC 2033 4.1).
    pub(super) fn lhlo(self, name: HeloName, desk: &mut Desk) -> State {
        if is_refused(&name, desk) {
            return self.refuse(Row::Lhlo, LhloGate::NameNotImplemented, desk);
        }
        if self.hello != Hello::None && desk.is_too_much_junk(Row::Lhlo) {
            return State::Commands(self);
        }
        desk.ask(|ticket| Event::Lhlo { ticket, name });
        self.asking_hello(Hello::Lhlo)
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
        match desk.settings.historic.has(Quirk::Rset200) {
            true => desk.say(RsetGate::Nonstandard),
            false => desk.say(RsetGate::Done),
        }
        State::Commands(Commands::idle(self.hello))
    }

    pub(super) fn noop(self, desk: &mut Desk) -> State {
        if !desk.is_too_much_junk(Row::Noop) {
            match desk.settings.historic.has(Quirk::Noop200) {
                true => desk.say(NoopGate::Nonstandard),
                false => desk.say(NoopGate::Done),
            }
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
}

/// Whether a name has to be fully qualified, and isn't. One who is known may call itself as it likes.
fn is_refused(name: &HeloName, desk: &Desk) -> bool {
    let is_known = desk.is_trusted || desk.is_identified || desk.security.authenticated;
    let is_qualified = name.as_str().contains('.') || name.as_str().starts_with('[');
    desk.settings.qualified_names && !is_known && !is_qualified
}

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
                let greeting = Text::new(answer.said().situation().text);
                let lines = greeting_and_keywords(greeting, desk);
                self.open(answer.lines(lines), desk)
            }
            EhloReply::Refused => self.refuse(answer, desk),
        }
    }

    pub(super) fn settle_lhlo(self, answer: Answer<LhloReply>, desk: &mut Desk) -> State {
        let LhloReply::Greeted = answer.said();
        let greeting = Text::new(answer.said().situation().text);
        let lines = greeting_and_keywords(greeting, desk);
        self.open(answer.lines(lines), desk)
    }

    /// Opens the session anew, which drops any transaction (RFC 5321 4.1.4).
    fn open(self, reply: impl Into<Reply>, desk: &mut Desk) -> State {
        if let Some(transaction) = self.commands.transaction() {
            desk.abandon(transaction);
        }
        desk.say(reply);
        // RFC 2034 3: to who was offered them.
        desk.output.extended = self.to.is_extended() && !desk.settings.strict_classic;
        State::Commands(Commands::idle(self.to))
    }

    /// The state stays what it was (RFC 5321 4.1.4).
    fn refuse(self, reply: impl Into<Reply>, desk: &mut Desk) -> State {
        desk.say(reply);
        State::Commands(self.commands)
    }
}

/// The lines of the reply to EHLO and LHLO (RFC 5321 4.1.1.1).
fn greeting_and_keywords(greeting: Text, desk: &Desk) -> Lines {
    let keywords = desk.extensions().keywords();
    Lines::new(greeting, keywords.iter().map(|keyword| Text::new(keyword)))
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
