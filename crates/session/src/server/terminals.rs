//! SEND, SOML, SAML: a transaction whose message goes to terminals (RFC 821 3.4).

use postroad_reply::{
    Answer, Closing, Command as Row, SamlReply, SamlSyntax, SendReply, SendSyntax, SomlReply,
    SomlSyntax,
};
use postroad_wire::address::ReversePath;

use super::desk::Desk;
use super::event::Event;
use super::state::{AskedMail, Asking, Commands, Open, State};

impl Commands {
    /// Opens a transaction as MAIL does, by one of the three.
    pub(super) fn terminals(self, by: Row, reverse_path: ReversePath, desk: &mut Desk) -> State {
        // They have no parameters, so SMTPUTF8 can't be asked for (RFC 6531 3.4).
        if !reverse_path.is_ascii() {
            return match by {
                Row::Send => self.refuse(by, SendSyntax::BadPath, desk),
                Row::Soml => self.refuse(by, SomlSyntax::BadPath, desk),
                _ => self.refuse(by, SamlSyntax::BadPath, desk),
            };
        }
        let Some(transaction) = desk.next_transaction() else {
            desk.end(by, Closing::LimitPassed);
            return State::Commands(self);
        };
        match by {
            Row::Send => desk.ask(|ticket| Event::Send {
                ticket,
                transaction,
                reverse_path,
            }),
            Row::Soml => desk.ask(|ticket| Event::Soml {
                ticket,
                transaction,
                reverse_path,
            }),
            _ => desk.ask(|ticket| Event::Saml {
                ticket,
                transaction,
                reverse_path,
            }),
        }
        State::Asking(Asking::Mail(AskedMail {
            command: by,
            hello: self.hello,
            open: Open::new(transaction, by),
        }))
    }
}

impl AskedMail {
    pub(super) fn settle_send(self, answer: Answer<SendReply>, desk: &mut Desk) -> State {
        let is_open = *answer.said() == SendReply::Accepted;
        desk.say(answer);
        self.opened(is_open)
    }

    pub(super) fn settle_soml(self, answer: Answer<SomlReply>, desk: &mut Desk) -> State {
        let is_open = *answer.said() == SomlReply::Accepted;
        desk.say(answer);
        self.opened(is_open)
    }

    pub(super) fn settle_saml(self, answer: Answer<SamlReply>, desk: &mut Desk) -> State {
        let is_open = *answer.said() == SamlReply::Accepted;
        desk.say(answer);
        self.opened(is_open)
    }
}
