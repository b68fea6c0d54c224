//! The classic table alone: what stands in the stead of every addition to it.
//!
//! A listener that is held to the classic rows (`strict_classic`) offers no extension that brings other
//! replies. What today's RFCs add to the rows all the same (503 to MAIL, 252 to VRFY, 555, 556 ...)
//! is said as the row of the same command that comes nearest.

use crate::answer::Reply;
use crate::code::Code;
use crate::command::Command;
use crate::situation::Source;
use crate::table::{
    ConnectReply, DataReply, DataSyntax, EhloGate, EhloSyntax, EndOfDataReply, ExpnGate, ExpnReply,
    ExpnSyntax, HeloSyntax, HelpGate, HelpSyntax, MailReply, MailSyntax, NoopSyntax, QuitGate,
    QuitSyntax, RcptReply, RcptSyntax, RsetSyntax, SamlReply, SamlSyntax, SendReply, SendSyntax,
    SomlReply, SomlSyntax, TurnReply, TurnSyntax, VrfyGate, VrfyReply, VrfySyntax,
};

/// What a reply outside the classic rows is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    /// The command has no place here: 500, 503.
    Unrecognised,
    /// Something of it can't be read or isn't known: 501, 504, 555.
    Malformed,
    /// It is refused for good.
    Refused,
    /// Nothing is told: 252.
    Hidden,
    /// It is refused for now.
    Later,
    /// The session ends: 421.
    Closing,
}

impl Reply {
    /// The same by the classic table alone: itself where it is one of the 111 rows, else the row of
    /// the command it answers that comes nearest. What answers no command of the classic table is
    /// as any of its commands has it: 500, or the 421 of the connection.
    ///
    /// The words are kept where they say nothing untrue. A reply that comes to close the connection by
    /// this ([`Reply::closes`]) has to close it.
    pub fn classic(self) -> Reply {
        if self.situation().source == Source::Row {
            return self;
        }
        let answers = self.answers();
        let row = nearest(answers, sense(self.code()));
        let has_same_form = row.domain_first() == self.domain_first();
        let has_same_class = row.code().severity() == self.code().severity();
        let row = if has_same_form && has_same_class {
            row.in_the_words_of(self)
        } else {
            row
        };
        row.answering(answers)
    }
}

fn sense(code: Code) -> Sense {
    match code.number() {
        421 => Sense::Closing,
        400..=499 => Sense::Later,
        501 | 504 | 555 => Sense::Malformed,
        252 => Sense::Hidden,
        502 | 521 | 530..=554 | 556 => Sense::Refused,
        // Beside 500 and 503: what goes well with a command that this listener then doesn't have.
        _ => Sense::Unrecognised,
    }
}

/// The row of a command that says this, or what comes nearest to it.
fn nearest(command: Command, sense: Sense) -> Reply {
    match command {
        // The greeting has no other refusal (RFC 821 4.3).
        Command::Connect => ConnectReply::Unavailable.into(),
        Command::Helo => match sense {
            Sense::Closing | Sense::Later => closing(command),
            Sense::Unrecognised => HeloSyntax::Unreadable.into(),
            _ => HeloSyntax::BadArgument.into(),
        },
        Command::Ehlo => match sense {
            Sense::Closing | Sense::Later => closing(command),
            Sense::Unrecognised => EhloSyntax::Unreadable.into(),
            Sense::Malformed => EhloSyntax::BadArgument.into(),
            Sense::Refused | Sense::Hidden => EhloGate::SwitchedOff.into(),
        },
        Command::Mail | Command::Rcpt | Command::Data | Command::EndOfData => {
            of_transaction(command, sense)
        }
        Command::Send | Command::Soml | Command::Saml => of_terminals(command, sense),
        Command::Vrfy | Command::Expn | Command::Help => of_inquiry(command, sense),
        Command::Rset => match sense {
            Sense::Closing | Sense::Later => closing(command),
            Sense::Malformed => RsetSyntax::HasArgument.into(),
            _ => RsetSyntax::Unreadable.into(),
        },
        Command::Noop => match sense {
            Sense::Closing | Sense::Later => closing(command),
            _ => NoopSyntax::Unreadable.into(),
        },
        // Its row has no 421: the connection is closed with 221 as well.
        Command::Quit => match sense {
            Sense::Closing | Sense::Later => QuitGate::Goodbye.into(),
            _ => QuitSyntax::Unreadable.into(),
        },
        // Nor has this one.
        Command::Turn => match sense {
            Sense::Unrecognised | Sense::Malformed => TurnSyntax::Unreadable.into(),
            _ => TurnReply::Refused.into(),
        },
        Command::Lhlo
        | Command::Bdat
        | Command::Starttls
        | Command::Auth
        | Command::Etrn
        | Command::Atrn
        | Command::Any => match sense {
            // What comes unasked is the connection's (RFC 821 4.3).
            Sense::Closing => ConnectReply::Unavailable.into(),
            _ => NoopSyntax::Unreadable.into(),
        },
    }
}

fn of_transaction(command: Command, sense: Sense) -> Reply {
    match (command, sense) {
        // The message is answered for before the connection is closed.
        (Command::EndOfData, Sense::Closing | Sense::Later) => EndOfDataReply::LocalError.into(),
        (Command::EndOfData, _) => EndOfDataReply::ContentRefused.into(),
        (_, Sense::Closing) => closing(command),
        (Command::Mail, Sense::Unrecognised) => MailSyntax::Unreadable.into(),
        (Command::Mail, Sense::Malformed) => MailSyntax::BadParameter.into(),
        (Command::Mail, Sense::Later) => MailReply::LocalError.into(),
        // RFC 821 4.3 has no 550 for MAIL: who may not send has a sender that isn't taken.
        (Command::Mail, _) => MailSyntax::BadPath.into(),
        (Command::Rcpt, Sense::Unrecognised) => RcptSyntax::Unreadable.into(),
        (Command::Rcpt, Sense::Malformed) => RcptSyntax::BadParameter.into(),
        (Command::Rcpt, Sense::Later) => RcptReply::LocalError.into(),
        (Command::Rcpt, _) => RcptReply::PolicyRefused.into(),
        (_, Sense::Unrecognised) => DataSyntax::Unreadable.into(),
        (_, Sense::Malformed) => DataSyntax::HasArgument.into(),
        (_, Sense::Later) => DataReply::LocalError.into(),
        (_, Sense::Refused | Sense::Hidden) => DataReply::TransactionRefused.into(),
    }
}

fn of_terminals(command: Command, sense: Sense) -> Reply {
    match (command, sense) {
        (_, Sense::Closing) => closing(command),
        (Command::Send, Sense::Unrecognised) => SendSyntax::Unreadable.into(),
        (Command::Send, Sense::Malformed) => SendSyntax::BadParameter.into(),
        (Command::Send, Sense::Later) => SendReply::LocalError.into(),
        (Command::Send, _) => SendReply::Refused.into(),
        (Command::Soml, Sense::Unrecognised) => SomlSyntax::Unreadable.into(),
        (Command::Soml, Sense::Malformed) => SomlSyntax::BadParameter.into(),
        (Command::Soml, Sense::Later) => SomlReply::LocalError.into(),
        (Command::Soml, _) => SomlReply::Refused.into(),
        (_, Sense::Unrecognised) => SamlSyntax::Unreadable.into(),
        (_, Sense::Malformed) => SamlSyntax::BadParameter.into(),
        (_, Sense::Later) => SamlReply::LocalError.into(),
        (_, Sense::Refused | Sense::Hidden) => SamlReply::Refused.into(),
    }
}

fn of_inquiry(command: Command, sense: Sense) -> Reply {
    match (command, sense) {
        (_, Sense::Closing | Sense::Later) => closing(command),
        (Command::Vrfy, Sense::Unrecognised) => VrfySyntax::Unreadable.into(),
        (Command::Vrfy, Sense::Malformed) => VrfySyntax::BadArgument.into(),
        // A site of RFC 821 that tells nothing hides the command.
        (Command::Vrfy, Sense::Hidden) => VrfyGate::NotImplemented.into(),
        (Command::Vrfy, Sense::Refused) => VrfyReply::Refused.into(),
        (Command::Expn, Sense::Unrecognised) => ExpnSyntax::Unreadable.into(),
        (Command::Expn, Sense::Malformed) => ExpnSyntax::BadArgument.into(),
        (Command::Expn, Sense::Hidden) => ExpnGate::NotImplemented.into(),
        (Command::Expn, Sense::Refused) => ExpnReply::Refused.into(),
        (_, Sense::Unrecognised) => HelpSyntax::Unreadable.into(),
        (_, Sense::Malformed) => HelpSyntax::BadArgument.into(),
        (_, Sense::Refused | Sense::Hidden) => HelpGate::SwitchedOff.into(),
    }
}

/// The 421 of a command whose row has one.
fn closing(command: Command) -> Reply {
    crate::closing::Closing::Stopping.reply(command)
}

#[cfg(test)]
mod tests;
