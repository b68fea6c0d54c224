//! The states of a conversation, by the names that people know them by.

use postroad_reply::{Command, Phase};

/// A state of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Between two commands.
    Between(Phase),
    /// After 354: the message comes.
    InData,
}

/// Every state, with its names, the first being the one that is shown, and what it is.
const STATES: [(State, &[&str], &str); 10] = [
    (
        State::Between(Phase::Connected),
        &[
            "after-connect",
            "connected",
            "after-greeting",
            "after-starttls",
            "before-ehlo",
        ],
        "The server has greeted; the client has not said its name yet, or has to say it again after STARTTLS.",
    ),
    (
        State::Between(Phase::Ready),
        &[
            "after-ehlo",
            "ready",
            "after-helo",
            "after-lhlo",
            "after-rset",
            "after-auth",
        ],
        "The client has said its name; no transaction is open.",
    ),
    (
        State::Between(Phase::Mail),
        &["after-mail", "mail", "before-rcpt"],
        "MAIL was accepted; no recipient was named yet.",
    ),
    (
        State::Between(Phase::RecipientsRefused),
        &["after-refused-rcpt", "recipients-refused"],
        "MAIL was accepted, and every recipient was refused.",
    ),
    (
        State::Between(Phase::Rcpt),
        &["after-rcpt", "rcpt", "before-data"],
        "MAIL was accepted, and at least one recipient.",
    ),
    (
        State::InData,
        &["in-data", "after-data", "after-354"],
        "DATA was answered with 354: what comes is the message, until a line with a dot alone.",
    ),
    (
        State::Between(Phase::Chunking),
        &["after-bdat", "chunking"],
        "A BDAT was accepted that is not the last.",
    ),
    (
        State::Between(Phase::ChunkFailed),
        &["after-failed-bdat", "chunk-failed"],
        "A BDAT has failed: only what resets, does nothing or ends is legal (RFC 3030 2).",
    ),
    (
        State::Between(Phase::Mailless),
        &["after-521", "mailless"],
        "The greeting was 521: this host takes no mail (RFC 7504 3).",
    ),
    (
        State::Between(Phase::NoService),
        &["after-554", "no-service"],
        "The greeting was 554: no service to this client (RFC 5321 3.1).",
    ),
];

impl State {
    /// All of them.
    pub fn all() -> impl Iterator<Item = State> {
        STATES.iter().map(|(state, ..)| *state)
    }

    /// The state that people mean by a name.
    pub fn named(name: &str) -> Option<State> {
        let name = name.trim().to_ascii_lowercase().replace([' ', '_'], "-");
        STATES
            .iter()
            .find(|(_, names, _)| names.contains(&name.as_str()))
            .map(|(state, ..)| *state)
    }

    fn entry(self) -> &'static (State, &'static [&'static str], &'static str) {
        // Every state stands in the table, which a test makes sure of.
        STATES
            .iter()
            .find(|(state, ..)| *state == self)
            .unwrap_or(&STATES[0])
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        // Each has one at least, as the same test shows.
        self.entry().1[0]
    }

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        self.entry().2
    }

    /// Whether a client can give a command in it, and what it gets if it is out of place.
    pub(crate) fn gate(self, command: Command) -> Option<postroad_reply::Reply> {
        match self {
            State::Between(phase) => command.gate(phase),
            State::InData => None,
        }
    }
}

/// The commands that a client can give.
pub(crate) fn given() -> impl Iterator<Item = Command> {
    Command::ALL.into_iter().filter(|command| {
        !matches!(
            command,
            Command::Connect | Command::EndOfData | Command::Any
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_is_a_state_and_every_name_leads_to_its_state_alone() {
        for phase in Phase::ALL {
            assert!(
                State::all().any(|state| state == State::Between(phase)),
                "{phase:?}"
            );
        }
        for (state, names, _) in STATES {
            for name in names {
                assert_eq!(State::named(name), Some(state), "{name}");
            }
            assert_eq!(State::named(state.name()), Some(state));
        }
        assert_eq!(
            State::named("After Mail"),
            Some(State::Between(Phase::Mail))
        );
        assert_eq!(State::named("after-lunch"), None);
    }
}
