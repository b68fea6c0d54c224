//! How this server is brought to say a situation: by what a client sends, by which settings, by what fails.
//!
//! A test reads the program's source: a situation that is said to be never said must not be said there.

mod inquiries;
mod mail;
mod session;

use postroad_reply::{Command, Situation, Speaker};

/// How this server is brought to say something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// What brings it, in a sentence.
    pub(crate) how: &'static str,
    /// The settings that have a part in it, as the reference of the configuration names them.
    pub(crate) settings: &'static [&'static str],
    /// Whether it says it at all.
    pub(crate) said: Said,
}

/// Whether this server says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It does.
    Yes,
    /// It could, and nothing brings it to that.
    Idle,
    /// No part of it does.
    Never,
}

const fn by(how: &'static str, settings: &'static [&'static str]) -> Way {
    Way {
        how,
        settings,
        said: Said::Yes,
    }
}

/// What no part of the server says.
const fn never(how: &'static str) -> Way {
    Way {
        how,
        settings: &[],
        said: Said::Never,
    }
}

/// What a part of the server would say, and nothing brings it to that.
const fn idle(how: &'static str) -> Way {
    Way {
        how,
        settings: &[],
        said: Said::Idle,
    }
}

/// How a situation is brought about. Total: a test asks it for every situation.
pub(crate) fn way(situation: &Situation) -> Option<Way> {
    if situation.name == "Unreadable" {
        return Some(unreadable());
    }
    let name = situation.name;
    match (situation.command, situation.speaker) {
        (command, Speaker::Life) => life(command, name),
        (Command::Connect, _) => session::connect(name),
        (Command::Helo | Command::Ehlo | Command::Lhlo, _) => session::hello(situation),
        (Command::Rset | Command::Noop | Command::Quit, _) => session::simple(situation),
        (Command::Any, _) => session::any(name),
        (Command::Starttls, _) => session::starttls(name),
        (Command::Auth, _) => session::auth(name),
        (Command::Mail, _) => mail::mail(name),
        (Command::Rcpt, _) => mail::rcpt(name),
        (Command::Data, _) => mail::data(name),
        (Command::EndOfData, _) => mail::end_of_data(name),
        (Command::Bdat, _) => mail::bdat(name),
        (Command::Vrfy, _) => inquiries::vrfy(name),
        (Command::Expn, _) => inquiries::expn(name),
        (Command::Help, _) => inquiries::help(name),
        (Command::Send | Command::Soml | Command::Saml, _) => session::terminal(situation),
        (Command::Turn, _) => session::turn(name),
        (Command::Etrn, _) => session::etrn(name),
        (Command::Atrn, _) => session::atrn(name),
    }
}

fn unreadable() -> Way {
    by(
        "A client sends a line that is longer than a command may be, or has NUL, a bare CR or LF or another control \
         octet in it. The log calls it `any: Unreadable`, for the verb isn't read.",
        &["limits.command_line"],
    )
}

/// What ends or stops a session, whatever the command was.
fn life(command: Command, name: &str) -> Option<Way> {
    Some(match name {
        "Stopping" if command == Command::EndOfData => by(
            "The server is told to stop, and the message doesn't end in time; or a client goes on sending a message \
             that was refused.",
            &["timeouts.drain", "limits.refused_data"],
        ),
        "Stopping" => by(
            "The server is told to stop (SIGTERM, Ctrl-C) while the connection is open.",
            &["timeouts.drain"],
        ),
        "TimedOut" if matches!(command, Command::EndOfData | Command::Bdat) => by(
            "A client stops sending in the midst of a message.",
            &["timeouts.data_block"],
        ),
        "TimedOut" => by(
            "A client is silent for too long. The log calls it `any: TimedOut`.",
            &["timeouts.command"],
        ),
        "LimitPassed" => limit_passed(command),
        "OutOfStep" => by(
            "A BDAT has no size that can be read, or refused octets are more than are read and dropped.",
            &["limits.refused_data"],
        ),
        "NoService" => by(
            "The greeting was 554, by a rule of access, and the client goes on all the same.",
            &["access.then"],
        ),
        "Mailless" => session::mailless(),
        _ => return None,
    })
}

fn limit_passed(command: Command) -> Way {
    match command {
        Command::Any => by(
            "A client makes too many errors, is connected for too long, speaks HTTP or TLS where SMTP is wanted, or \
             a rule of access sends it away.",
            &["limits.errors", "limits.session_lifetime", "access.then"],
        ),
        Command::Mail => by(
            "A client opens too many transactions over one connection, or makes too many errors, or a rule of access \
             sends it away.",
            &["limits.transactions", "limits.errors", "access.then"],
        ),
        Command::Rcpt => by(
            "A client asks for too many recipients that don't exist, or makes too many errors, or a rule of access \
             sends it away.",
            &["limits.refused_recipients", "limits.errors", "access.then"],
        ),
        Command::Rset | Command::Noop | Command::Vrfy | Command::Expn | Command::Help => by(
            "A client gives too many commands that bring no message forward, or makes too many errors.",
            &["limits.junk_commands", "limits.errors"],
        ),
        Command::Helo | Command::Ehlo => by(
            "A client greets again and again, or makes too many errors, or a rule of access sends it away.",
            &["limits.junk_commands", "limits.errors", "access.then"],
        ),
        _ => by("A client makes too many errors.", &["limits.errors"]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::disallowed_methods)] // A test reads files, and may fail.
mod tests {
    use std::path::Path;

    use super::*;

    /// The code of all crates that may say something.
    fn sources() -> String {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut text = String::new();
        for folder in std::fs::read_dir(crates).unwrap() {
            let folder = folder.unwrap().path();
            if !folder.ends_with("reply") && !folder.ends_with("explain") {
                read(&folder.join("src"), &mut text);
            }
        }
        text
    }

    fn read(folder: &Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, into);
            } else {
                into.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    /// How the code names a situation.
    fn named(situation: &Situation) -> String {
        let kind = match situation.speaker {
            Speaker::Handler => "Reply",
            Speaker::Gate => "Gate",
            Speaker::Wire => "Syntax",
            Speaker::Life => "Life",
        };
        format!("{:?}{kind}::{}", situation.command, situation.name)
    }

    /// Whether the code names it, and not one whose name only begins so.
    fn is_named(source: &str, name: &str) -> bool {
        source.match_indices(name).any(|(at, _)| {
            let next = source[at + name.len()..].chars().next();
            next.is_none_or(|c| !c.is_alphanumeric())
        })
    }

    #[test]
    fn what_is_never_said_stands_nowhere_in_the_server() {
        let sources = sources();
        let said: Vec<String> = Situation::all()
            .filter(|situation| way(situation).is_some_and(|way| way.said == Said::Never))
            .map(named)
            .filter(|name| is_named(&sources, name))
            .collect();
        assert!(
            said.is_empty(),
            "crates/explain/src/ways says that these are never said: {said:?}"
        );
    }

    #[test]
    fn every_situation_has_a_way() {
        let without: Vec<_> = Situation::all()
            .filter(|s| way(s).is_none())
            .map(named)
            .collect();
        assert!(
            without.is_empty(),
            "crates/explain/src/ways knows nothing of {without:?}"
        );
    }
}
