//! What is said to a command that can't be read.

use alloc::format;

use postroad_reply::{
    Answer, AnySyntax, AtrnGate, AtrnSyntax, AuthSyntax, BdatSyntax, DataSyntax, EhloGate,
    EhloSyntax, EtrnSyntax, ExpnGate, ExpnSyntax, HeloGate, HeloSyntax, HelpSyntax, LhloGate,
    LhloSyntax, MailSyntax, QuitSyntax, RcptReply, RcptSyntax, Reply, RsetGate, RsetSyntax,
    SamlSyntax, SendSyntax, Situated, SomlSyntax, StarttlsSyntax, Text, TurnSyntax, VrfyGate,
    VrfySyntax,
};
use postroad_wire::address::AddressError;
use postroad_wire::command::{SyntaxError, Verb};

use super::historic::Quirk;
use super::settings::Settings;

/// The reply to arguments that can't be read, in the error's own words.
pub(super) fn reply(verb: Verb, error: &SyntaxError, settings: &Settings) -> Reply {
    match verb {
        Verb::Helo if is_unknown_literal(error) => told(HeloGate::LiteralNotImplemented, error),
        Verb::Helo => told(HeloSyntax::BadArgument, error),
        Verb::Ehlo if is_unknown_literal(error) => told(EhloGate::LiteralNotImplemented, error),
        Verb::Ehlo => told(EhloSyntax::BadArgument, error),
        Verb::Mail => mail(error),
        Verb::Rcpt => rcpt(error),
        Verb::Data => told(DataSyntax::HasArgument, error),
        Verb::Bdat => told(BdatSyntax::BadSize, error),
        Verb::Rset if settings.historic.has(Quirk::Rset504) => {
            told(RsetGate::ParameterNotImplemented, error)
        }
        Verb::Rset => told(RsetSyntax::HasArgument, error),
        Verb::Lhlo if is_unknown_literal(error) => told(LhloGate::NameNotImplemented, error),
        Verb::Lhlo => told(LhloSyntax::BadArgument, error),
        Verb::Send => match about(error) {
            About::Path => told(SendSyntax::BadPath, error),
            About::Parameter => told(SendSyntax::BadParameter, error),
            About::Shape => told(SendSyntax::BadShape, error),
        },
        Verb::Soml => match about(error) {
            About::Path => told(SomlSyntax::BadPath, error),
            About::Parameter => told(SomlSyntax::BadParameter, error),
            About::Shape => told(SomlSyntax::BadShape, error),
        },
        Verb::Saml => match about(error) {
            About::Path => told(SamlSyntax::BadPath, error),
            About::Parameter => told(SamlSyntax::BadParameter, error),
            About::Shape => told(SamlSyntax::BadShape, error),
        },
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
        // It has no arguments to be wrong.
        Verb::Noop => told(AnySyntax::Unreadable, error),
    }
}

/// What of SEND, SOML or SAML can't be read.
enum About {
    Path,
    Parameter,
    Shape,
}

/// RFC 821 4.1.2: a reverse-path, and nothing after it.
fn about(error: &SyntaxError) -> About {
    match error {
        SyntaxError::BadPath(_) => About::Path,
        SyntaxError::UnexpectedArgument => About::Parameter,
        _ => About::Shape,
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
