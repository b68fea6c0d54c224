//! Which situations of the table a reply may be, the likeliest first.

use std::collections::BTreeSet;

use postroad_reply::{Command, Enhanced, Phase, Reach, Situation, Speaker};

use crate::phrases::{self, Phrase};
use crate::question::Question;
use crate::state::State;

/// How well the candidates fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// They have the code, and answer the command that was given.
    Row,
    /// They have the code; the command that was given has no such row.
    OtherCommand,
    /// They have the enhanced code; the reply code isn't known, or no row has it.
    EnhancedAlone,
    /// There are none.
    Nothing,
}

/// The situations that a reply may be, the likeliest first.
pub(crate) fn candidates(question: &Question) -> (Fit, Vec<&'static Situation>) {
    let with_code = || Situation::all().filter(|s| question.code == Some(s.code));
    let in_state =
        |s: &&'static Situation| question.state.is_none_or(|state| can_be_said(s, state));
    let own = |s: &&'static Situation| {
        question
            .command
            .is_none_or(|c| s.command == c || s.command == Command::Any)
    };
    let with_enhanced =
        || Situation::all().filter(|s| question.enhanced.is_some_and(|e| s.enhanced.contains(&e)));
    let rows: Vec<_> = with_code().filter(own).filter(in_state).collect();
    let (fit, mut found) = if !rows.is_empty() {
        (Fit::Row, rows)
    } else if with_code().next().is_some() {
        (Fit::OtherCommand, with_code().collect())
    } else if with_enhanced().next().is_some() {
        (Fit::EnhancedAlone, with_enhanced().filter(own).collect())
    } else {
        (Fit::Nothing, Vec::new())
    };
    let phrase = phrases::said_in(&question.words);
    let words = significant(&question.words);
    let weight = |s: &&'static Situation| std::cmp::Reverse(weight(s, question, phrase, &words));
    found.sort_by_cached_key(weight);
    if let Some(name) = &question.situation
        && found.iter().any(|s| s.name == name)
    {
        // The log has said which it was.
        found.retain(|s| s.name == name);
    }
    (fit, found)
}

fn weight(
    situation: &Situation,
    question: &Question,
    phrase: Option<&Phrase>,
    words: &BTreeSet<String>,
) -> i32 {
    let mut weight = habit(situation);
    if let Some(enhanced) = question.enhanced {
        weight += nearness(situation, enhanced);
    }
    if let Some(place) = phrase.and_then(|phrase| phrase.place_of(situation.name)) {
        weight += 45 - 5 * i32::try_from(place).unwrap_or(5).min(5);
    }
    if !words.is_empty() {
        let own = significant(&format!("{} {}", situation.text, situation.about));
        let shared = words.intersection(&own).count();
        weight += 6 * i32::try_from(shared).unwrap_or(5).min(5);
        if question.words.contains(situation.text) && !situation.text.is_empty() {
            weight += 10 + i32::try_from(situation.text.len()).unwrap_or(120).min(120);
        }
    }
    if question.command == Some(situation.command) {
        weight += 10;
    }
    weight
}

/// How often replies are of this kind, where nothing more is known.
fn habit(situation: &Situation) -> i32 {
    let command = match situation.command {
        Command::Rcpt => 8,
        Command::Mail | Command::EndOfData => 6,
        Command::Connect | Command::Data => 5,
        Command::Any | Command::Ehlo | Command::Auth | Command::Starttls => 4,
        Command::Helo | Command::Bdat => 3,
        Command::Vrfy | Command::Expn => -4,
        Command::Send | Command::Soml | Command::Saml | Command::Turn => -8,
        _ => 0,
    };
    let speaker = match situation.speaker {
        Speaker::Handler | Speaker::Gate => 2,
        Speaker::Wire | Speaker::Life => 0,
    };
    let reach = match situation.reach {
        Reach::Default => 3,
        Reach::Config | Reach::Fault => 1,
        Reach::Historic => -6,
    };
    command + speaker + reach
}

fn nearness(situation: &Situation, enhanced: Enhanced) -> i32 {
    let same = situation.enhanced.iter().position(|e| *e == enhanced);
    let subject = situation
        .enhanced
        .iter()
        .any(|e| e.subject() == enhanced.subject());
    match same {
        Some(0) => 40,
        Some(_) => 30,
        None if subject => 10,
        None => 0,
    }
}

/// Words that say something, in small letters.
fn significant(text: &str) -> BTreeSet<String> {
    const NOT: [&str; 16] = [
        "requested",
        "action",
        "mail",
        "command",
        "this",
        "that",
        "from",
        "with",
        "your",
        "host",
        "taken",
        "https",
        "been",
        "have",
        "message",
        "address",
    ];
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 3 && !NOT.contains(word))
        // Singular and plural, "relay" and "relaying" shall be one.
        .map(|word| {
            word.trim_end_matches("ing")
                .trim_end_matches('s')
                .to_owned()
        })
        .collect()
}

/// Whether a situation can arise in a state.
pub(crate) fn can_be_said(situation: &Situation, state: State) -> bool {
    let State::Between(phase) = state else {
        let of_data = situation.command == Command::EndOfData;
        return of_data
            || (situation.command == Command::Any && situation.speaker == Speaker::Life);
    };
    match (situation.command, situation.name) {
        (Command::Connect | Command::EndOfData, _) => false,
        (Command::Any, "ChunkFailed") => phase == Phase::ChunkFailed,
        (_, "Mailless") => phase == Phase::Mailless,
        (_, "NoService") => phase == Phase::NoService,
        (Command::Any, _) => true,
        (command, _) => match command.gate(phase) {
            Some(reply) => reply.situation() == situation || comes_before_the_gate(situation),
            None => !is_about_sequence(situation),
        },
    }
}

/// What is said wherever the command stands: an unreadable line, what is switched off, what ends the session.
fn comes_before_the_gate(situation: &Situation) -> bool {
    let name = situation.name;
    situation.speaker == Speaker::Life
        || matches!(
            name,
            "Unreadable" | "SwitchedOff" | "WrongProtocol" | "TlsNeeded"
        )
}

/// What is said of a command that is out of its place and of nothing else. STARTTLS, AUTH and BDAT say it in their
/// place, too: a second time, or after DATA.
fn is_about_sequence(situation: &Situation) -> bool {
    let twice = matches!(
        situation.command,
        Command::Starttls | Command::Auth | Command::Bdat
    );
    situation.name == "NoValidRecipients" || (situation.name == "BadSequence" && !twice)
}
