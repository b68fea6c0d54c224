//! What is said to a command that can't be read.

use alloc::format;

use postroad_reply::{
    Answer, AnySyntax, AtrnGate, AtrnSyntax, AuthSyntax, BdatSyntax, DataSyntax, EhloGate,
    EhloSyntax, EtrnSyntax, ExpnGate, ExpnSyntax, HeloGate, HeloSyntax, HelpSyntax, MailSyntax,
    QuitSyntax, RcptReply, RcptSyntax, Reply, RsetSyntax, Situated, StarttlsSyntax, Text,
    TurnSyntax, VrfyGate, VrfySyntax,
};
use postroad_wire::address::AddressError;
use postroad_wire::command::{SyntaxError, Verb};

/// The reply to arguments that can't be read, in the error's own words.
pub(super) fn reply(verb: Verb, error: &SyntaxError) -> Reply {
    match verb {
        Verb::Helo if is_unknown_literal(error) => told(HeloGate::LiteralNotImplemented, error),
        Verb::Helo => told(HeloSyntax::BadArgument, error),
        Verb::Ehlo if is_unknown_literal(error) => told(EhloGate::LiteralNotImplemented, error),
        Verb::Ehlo => told(EhloSyntax::BadArgument, error),
        Verb::Mail => mail(error),
        Verb::Rcpt => rcpt(error),
        Verb::Data => told(DataSyntax::HasArgument, error),
        Verb::Bdat => told(BdatSyntax::BadSize, error),
        Verb::Rset => told(RsetSyntax::HasArgument, error),
        Verb::Vrfy if is_unknown_parameter(error) => told(VrfyGate::ParameterNotImplemented, error),
        Verb::Vrfy => told(VrfySyntax::BadArgument, error),
        Verb::Expn if is_unknown_parameter(error) => told(ExpnGate::ParameterNotImplemented, error),
        Verb::Expn => told(ExpnSyntax::BadArgument, error),
        Verb::Turn => told(TurnSyntax::HasArgument, error),
        Verb::Etrn => told(EtrnSyntax::BadArgument, error),
        Verb::Atrn if is_unknown_parameter(error) => told(AtrnGate::ParameterNotImplemented, error),
        Verb::Atrn => told(AtrnSyntax::BadArgument, error),
        Verb::Help => told(HelpSyntax::BadArgument, error),
        Verb::Quit => told(QuitSyntax::HasArgument, error),
        Verb::StartTls => told(StarttlsSyntax::HasArgument, error),
        Verb::Auth => told(AuthSyntax::NotBase64, error),
        // NOOP has no arguments to be wrong, and the others are refused before they are read.
        Verb::Noop | Verb::Lhlo | Verb::Send | Verb::Soml | Verb::Saml => {
            told(AnySyntax::Unreadable, error)
        }
    }
}

fn mail(error: &SyntaxError) -> Reply {
    match error {
        SyntaxError::BadPath(_) => told(MailSyntax::BadPath, error),
        SyntaxError::BadParameter { .. } | SyntaxError::DuplicateParameter { .. } => {
            told(MailSyntax::BadParameter, error)
        }
        SyntaxError::UnknownParameter { .. } => told(MailSyntax::UnknownParameter, error),
        _ => told(MailSyntax::BadShape, error),
    }
}

fn rcpt(error: &SyntaxError) -> Reply {
    match error {
        // Well formed, and longer than is allowed here: 553 5.1.3.
        _ if error.is_too_long() => told(RcptReply::NameNotAllowed, error),
        SyntaxError::BadPath(_) => told(RcptSyntax::BadPath, error),
        SyntaxError::BadParameter { .. } | SyntaxError::DuplicateParameter { .. } => {
            told(RcptSyntax::BadParameter, error)
        }
        SyntaxError::UnknownParameter { .. } => told(RcptSyntax::UnknownParameter, error),
        _ => told(RcptSyntax::BadShape, error),
    }
}

/// The situation, and after its general words the error's particular ones.
fn told<S: Situated>(situation: S, error: &SyntaxError) -> Reply {
    let text = situation.situation().text;
    let general = text.split_once(':').map_or(text, |(general, _)| general);
    let text = Text::new(&format!("{general}: {error}"));
    Answer::from(situation).text(text).into()
}

fn is_unknown_literal(error: &SyntaxError) -> bool {
    matches!(error, SyntaxError::BadName(AddressError::LiteralTag))
}

fn is_unknown_parameter(error: &SyntaxError) -> bool {
    matches!(error, SyntaxError::ParameterNotImplemented { .. })
}
