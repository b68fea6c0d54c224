//! The answer: what a reply means, and what it may have been.

use postroad_reply::{Code, Command, Enhanced, Severity, Situation};
use serde::Serialize;

use crate::advice::{self, Advice};
use crate::phrases::{self, Phrase};
use crate::question::{Asked, Question};
use crate::rank::{self, Fit};
use crate::registry;
use crate::specification::{plain, specification};
use crate::told::Told;

/// What a reply means.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// What was asked, as it was understood.
    pub asked: Asked,
    /// What the reply code says.
    pub code: Option<CodeMeaning>,
    /// What the enhanced code says.
    pub enhanced: Option<EnhancedMeaning>,
    /// What the words say.
    pub phrase: Option<Phrase>,
    /// What the sending side should do.
    pub advice: Advice,
    /// What is odd about it.
    pub remarks: Vec<String>,
    /// The situations of the table that it may be, the likeliest first.
    pub situations: Vec<Told>,
}

/// What a reply code says.
#[derive(Debug, Clone, Serialize)]
pub struct CodeMeaning {
    /// The code.
    pub code: u16,
    /// What its first digit says.
    pub class: &'static str,
    /// What its second digit says it is about (RFC 5321 4.2.1).
    pub topic: &'static str,
    /// The classic table's text, if that has the code.
    pub classic_text: Option<String>,
    /// What is to be known of it besides.
    pub note: Option<String>,
    /// The commands whose rows have it.
    pub commands: Vec<&'static str>,
}

/// What an enhanced code says.
#[derive(Debug, Clone, Serialize)]
pub struct EnhancedMeaning {
    /// The code.
    pub code: String,
    /// Whether IANA has registered it.
    pub registered: bool,
    /// Its name in the registry.
    pub name: Option<&'static str>,
    /// What it says.
    pub meaning: Option<&'static str>,
    /// What its subject is.
    pub subject: &'static str,
    /// Its document.
    pub rfc: Option<&'static str>,
}

impl Explanation {
    /// Explains a reply; one of which neither code is known is none.
    pub fn of(question: &Question) -> Option<Explanation> {
        let phrase = phrase(question);
        let advice = match (question.code, question.enhanced, phrase) {
            (Some(code), _, Some(phrase)) => advice::after_words(code, phrase.help),
            (Some(code), enhanced, None) => advice::after(code, enhanced),
            (None, Some(enhanced), _) => advice::after_enhanced(enhanced)?,
            (None, None, _) => return None,
        };
        let (fit, situations) = rank::candidates(question);
        Some(Explanation {
            asked: question.told(),
            code: question.code.map(CodeMeaning::of),
            enhanced: question.enhanced.map(EnhancedMeaning::of),
            phrase: phrase.copied(),
            advice,
            remarks: remarks(question, fit, phrase, &situations),
            situations: situations.into_iter().map(Told::of).collect(),
        })
    }
}

impl CodeMeaning {
    /// What the code says.
    pub fn of(code: Code) -> CodeMeaning {
        let text = specification().code(code.number());
        CodeMeaning {
            code: code.number(),
            class: class(code.severity()),
            topic: topic(code),
            classic_text: text.map(|text| text.text.clone()),
            note: text.and_then(|text| text.note.as_deref()).map(plain),
            commands: commands_with(code),
        }
    }
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Completed => "2yz: done.",
        Severity::Intermediate => "3yz: go on, more is awaited.",
        Severity::Transient => "4yz: not now; the same may succeed later.",
        Severity::Permanent => "5yz: no; the same will not succeed.",
    }
}

/// What the second digit says (RFC 5321 4.2.1).
fn topic(code: Code) -> &'static str {
    match code.number() / 10 % 10 {
        0 => "syntax: commands that are wrong, unknown or superfluous",
        1 => "information",
        2 => "the connection",
        3 => "authentication (RFC 4954)",
        5 => "the mail system: whether the mail is taken",
        _ => "nothing that RFC 5321 defines",
    }
}

fn commands_with(code: Code) -> Vec<&'static str> {
    let mut names: Vec<_> = Situation::all()
        .filter(|situation| situation.code == code)
        .map(|situation| situation.command.name())
        .collect();
    names.dedup();
    names
}

impl EnhancedMeaning {
    /// What the code says.
    pub fn of(code: Enhanced) -> EnhancedMeaning {
        let known = registry::registered(code);
        EnhancedMeaning {
            code: code.to_string(),
            registered: known.is_some(),
            name: known.map(|known| known.name),
            meaning: known.map(|known| known.meaning),
            subject: registry::subject(code),
            rfc: known.map(|known| known.rfc),
        }
    }
}

/// What the words say, where they tell of a failure.
fn phrase(question: &Question) -> Option<&'static Phrase> {
    let failed = |code: Code| matches!(code.severity(), Severity::Transient | Severity::Permanent);
    let has_failed = question.code.is_none_or(failed);
    phrases::said_in(&question.words).filter(|_| has_failed)
}

/// What is odd about a reply.
fn remarks(
    question: &Question,
    fit: Fit,
    phrase: Option<&Phrase>,
    candidates: &[&Situation],
) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(code) = question.code {
        remarks.extend(about_row(code, question.command, fit));
        if let Some(enhanced) = question.enhanced {
            remarks.extend(about_pair(code, enhanced, question.command));
        }
    }
    remarks.extend(phrase.and_then(|phrase| said_elsewhere(question, phrase, candidates)));
    if let Some(enhanced) = question.enhanced
        && registry::registered(enhanced).is_none()
    {
        remarks.push(format!(
            "{enhanced} is not in IANA's registry of enhanced status codes: only its first digit counts, and that it \
             is about {}.",
            registry::subject(enhanced)
        ));
    }
    remarks
}

/// With which code the table says what the words say, if it is another of the same class.
fn said_elsewhere(
    question: &Question,
    phrase: &Phrase,
    candidates: &[&Situation],
) -> Option<String> {
    let code = question.code?;
    let command = question.command.unwrap_or(Command::Rcpt);
    if candidates.iter().any(|s| phrase.speaks_for(s.name)) {
        return None;
    }
    let mut own = command.situations();
    let other = own.find(|s| phrase.speaks_for(s.name) && s.code.severity() == code.severity())?;
    let enhanced = other
        .enhanced
        .first()
        .map(|e| format!(" {e}"))
        .unwrap_or_default();
    Some(format!(
        "Servers say this with many codes. By the table it is {}{enhanced} in answer to {} ({}).",
        other.code,
        crate::names::in_words(command),
        other.name
    ))
}

fn about_row(code: Code, command: Option<Command>, fit: Fit) -> Option<String> {
    let commands = commands_with(code);
    let named = command.map_or("a command", Command::name);
    match fit {
        Fit::Row => None,
        Fit::OtherCommand => Some(format!(
            "The table has no {code} in answer to {named} where it was said: no RFC lets a server say that there. It \
             has {code} for {}. A client has to go by its first digit (RFC 5321 4.2.1).",
            commands.join(", ")
        )),
        Fit::EnhancedAlone | Fit::Nothing => Some(format!(
            "{code} is in no row of the table: no RFC that it is made from defines it. A client has to go by its first \
             digit (RFC 5321 4.2.1).{}{}",
            registered_with(code),
            near(code)
        )),
    }
}

/// What the registry has the code with.
fn registered_with(code: Code) -> String {
    let mut all = registry::REGISTRY.iter();
    let found = all.find(|entry| entry.codes.contains(&code.number()));
    found.map_or_else(String::new, |entry| {
        format!(
            " IANA's registry of enhanced codes names it with X.{}.{}: {}.",
            entry.subject, entry.detail, entry.name
        )
    })
}

/// The codes of the table that begin alike.
fn near(code: Code) -> String {
    let tens = |code: Code| code.number() / 10;
    let mut alike: Vec<_> = Situation::all()
        .map(|s| s.code)
        .filter(|c| tens(*c) == tens(code))
        .collect();
    alike.sort_unstable();
    alike.dedup();
    if alike.is_empty() {
        return String::new();
    }
    let alike: Vec<_> = alike.iter().map(ToString::to_string).collect();
    format!(
        " Of those that begin alike the table has {}.",
        alike.join(", ")
    )
}

fn about_pair(code: Code, enhanced: Enhanced, command: Option<Command>) -> Option<String> {
    if code.severity() == Severity::Intermediate {
        return Some("A 3yz reply carries no enhanced code (RFC 2034 4).".into());
    }
    if !enhanced.fits(code) {
        return Some(format!(
            "{enhanced} doesn't fit {code}: the first digits have to be the same (RFC 2034 4). Go by {code}."
        ));
    }
    let command = command.filter(|command| !command.enhanced_on_wire())?;
    Some(format!(
        "A reply to {} carries no enhanced code (RFC 2034 3, 4): here it belongs to the words.",
        crate::names::in_words(command)
    ))
}
