//! MAIL: a transaction begins.

use postroad_reply::{Answer, Closing, Command as Row, MailGate, MailReply};
use postroad_wire::address::ReversePath;
use postroad_wire::parameter::{BodyType, MailParameters};

use super::desk::Desk;
use super::event::Event;
use super::state::{AskedMail, Asking, Commands, Open, State, Transaction};

impl Commands {
    pub(super) fn mail(
        self,
        reverse_path: ReversePath,
        parameters: MailParameters,
        desk: &mut Desk,
    ) -> State {
        if Commands::must_authenticate(desk) {
            return self.refuse(Row::Mail, MailGate::AuthenticationNeeded, desk);
        }
        let Some(transaction) = desk.next_transaction() else {
            desk.end(Row::Mail, Closing::LimitPassed);
            return State::Commands(self);
        };
        // RFC 1870 6.1: on the declared size alone, before any data.
        if parameters.size > Some(desk.settings.limits.message_size) {
            desk.say(MailGate::TooBig);
            return State::Commands(self);
        }
        // RFC 6531 3.5.
        if !reverse_path.is_ascii() && !parameters.smtputf8 {
            desk.say(MailReply::SenderNotAscii);
            return State::Commands(self);
        }
        let open = Open {
            id: transaction,
            smtputf8: parameters.smtputf8,
            binary: parameters.body == BodyType::BinaryMime,
            tried: false,
            accepted: 0,
            put_off: 0,
        };
        desk.ask(|ticket| Event::Mail {
            ticket,
            transaction,
            reverse_path,
            parameters,
        });
        State::Asking(Asking::Mail(AskedMail {
            hello: self.hello,
            open,
        }))
    }
}

impl AskedMail {
    pub(super) fn settle(self, answer: Answer<MailReply>, desk: &mut Desk) -> State {
        let transaction = match answer.said() {
            MailReply::Accepted => Transaction::Open(self.open),
            _ => Transaction::None,
        };
        desk.say(answer);
        State::Commands(Commands {
            hello: self.hello,
            transaction,
        })
    }
}
