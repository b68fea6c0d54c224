//! MAIL: a transaction begins.

use postroad_reply::{Answer, Closing, Command as Row, MailGate, MailReply, TransactionId};
use postroad_wire::address::ReversePath;
use postroad_wire::parameter::{BodyType, MailParameters};

use super::desk::Desk;
use super::event::Event;
use super::historic::delivery;
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
            smtputf8: parameters.smtputf8,
            binary: parameters.body == BodyType::BinaryMime,
            ..Open::new(transaction, Row::Mail)
        };
        desk.ask(|ticket| Event::Mail {
            ticket,
            transaction,
            reverse_path,
            parameters,
        });
        State::Asking(Asking::Mail(AskedMail {
            command: Row::Mail,
            hello: self.hello,
            open,
        }))
    }
}

impl Open {
    /// A transaction that a command opens.
    pub(super) fn new(id: TransactionId, by: Row) -> Open {
        Open {
            id,
            smtputf8: false,
            binary: false,
            tried: false,
            accepted: 0,
            put_off: 0,
            delivery: delivery(by),
        }
    }
}

impl AskedMail {
    pub(super) fn settle(self, answer: Answer<MailReply>, desk: &mut Desk) -> State {
        let is_open = *answer.said() == MailReply::Accepted;
        desk.say(answer);
        self.opened(is_open)
    }

    /// Where the session stands then.
    pub(super) fn opened(self, is_open: bool) -> State {
        let transaction = match is_open {
            true => Transaction::Open(self.open),
            false => Transaction::None,
        };
        State::Commands(Commands {
            hello: self.hello,
            transaction,
        })
    }
}
