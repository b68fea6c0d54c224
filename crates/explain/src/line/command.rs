//! Which command a line says was answered.

use postroad_reply::{Code, Command};

use super::field;
use crate::names;

/// What names the command that follows it, and whether the last such place counts rather than the first: in a transcript
/// the last command is the one that the reply is for.
const MARKS: &[(&str, bool)] = &[
    ("in reply to ", false),
    ("in answer to ", false),
    ("in response to ", false),
    ("error from remote mail server after ", false),
    ("error after ", false),
    ("smtp error from remote server after ", false),
    ("milter-reject: ", false),
    ("reject: ", false),
    ("rejected ", false),
    ("ruleset=check_", false),
    ("command=\"", false),
    (">>> ", true),
    ("-> ", true),
    ("~> ", true),
    ("\nc: ", true),
    ("> ", true),
];

/// What names of commands begin with; the longer first.
const NAMES: &[(&str, Command)] = &[
    ("end of data", Command::EndOfData),
    ("end-of-data", Command::EndOfData),
    ("end of message", Command::EndOfData),
    ("end-of-message", Command::EndOfData),
    ("end of body", Command::EndOfData),
    ("the end of the data", Command::EndOfData),
    ("received data", Command::EndOfData),
    ("after data", Command::EndOfData),
    ("eom", Command::EndOfData),
    ("eoh", Command::EndOfData),
    ("sending data block", Command::EndOfData),
    ("initial connection", Command::Connect),
    ("initial server greeting", Command::Connect),
    ("the connection", Command::Connect),
    ("connection", Command::Connect),
    ("connect", Command::Connect),
    ("greeting", Command::Connect),
    ("relay ", Command::Connect),
    ("relay,", Command::Connect),
    ("ehlo or helo", Command::Ehlo),
    ("helo/ehlo", Command::Ehlo),
];

/// The command that was answered, as far as the line says it.
pub(super) fn find(text: &str, code: Option<Code>) -> Option<Command> {
    let own = field(text, "command").and_then(|name| starts(&name.to_ascii_lowercase()));
    let lower = text.to_ascii_lowercase();
    own.or_else(|| marked(&lower))
        .or_else(|| named(&lower))
        .or_else(|| taken(&lower, code))
}

fn marked(lower: &str) -> Option<Command> {
    MARKS.iter().find_map(|(mark, last)| {
        let rest = if *last {
            lower.rsplit_once(mark)?.1
        } else {
            lower.split_once(mark)?.1
        };
        starts(rest)
    })
}

/// The command that a text begins with.
fn starts(rest: &str) -> Option<Command> {
    let mut rest = rest.trim_start();
    for skipped in ["pipelined ", "last ", "a ", "the command "] {
        rest = rest.strip_prefix(skipped).unwrap_or(rest);
    }
    if rest == "." || rest.starts_with(". ") || rest.starts_with(".\r") || rest.starts_with(".\n") {
        return Some(Command::EndOfData);
    }
    let listed = NAMES.iter().find(|(name, _)| rest.starts_with(name));
    if let Some((_, command)) = listed {
        return Some(*command);
    }
    let end = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let verb = &rest[..end];
    // What people call so is rarely a command.
    let command = names::command(verb).filter(|_| !verb.is_empty())?;
    (command != Command::Any).then_some(command)
}

/// A command line quoted anywhere.
fn named(lower: &str) -> Option<Command> {
    let quoted = [("rcpt to:", Command::Rcpt), ("mail from:", Command::Mail)];
    let places = quoted
        .iter()
        .filter_map(|(line, command)| Some((lower.rfind(line)?, *command)));
    places.max_by_key(|(at, _)| *at).map(|(_, command)| command)
}

/// A message that was taken: what answers so is the end of the data.
fn taken(lower: &str, code: Option<Code>) -> Option<Command> {
    let done = code.is_some_and(|code| code.number() == 250);
    let said = [
        "queued as",
        "status=sent (250",
        "c=\"250",
        "queued mail for delivery",
        "stat=sent",
    ];
    (done && said.iter().any(|words| lower.contains(words))).then_some(Command::EndOfData)
}
