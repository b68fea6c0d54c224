//! The specification of the table, as it stands in `spec/smtp-reply-table.toml`.

use std::sync::LazyLock;

use postroad_reply::{Situation, Source};
use serde::Deserialize;

/// The file: the classic tables as they are, the causes, and the additions.
#[derive(Debug, Deserialize)]
pub struct Specification {
    /// What the classic tables cite.
    pub references: References,
    /// Words that causes use.
    pub terms: Terms,
    /// Every code with its text, in the classic order.
    pub code: Vec<CodeText>,
    /// Every command with its rows, in the classic order.
    pub command: Vec<CommandRows>,
    /// What today's RFCs add.
    pub addition: Vec<Addition>,
}

/// What the classic tables cite.
#[derive(Debug, Deserialize)]
pub struct References {
    /// For the codes.
    pub basic: String,
    /// Beside them.
    pub additional: String,
    /// For the enhanced codes.
    pub enhanced: String,
}

/// Words that causes use.
#[derive(Debug, Deserialize)]
pub struct Terms {
    /// What ends a session.
    pub shut: String,
    /// What makes a line unreadable.
    pub too_long: String,
    /// What the historic mode is.
    pub historic_mode: String,
}

/// A code and its text.
#[derive(Debug, Deserialize)]
pub struct CodeText {
    /// The code.
    pub code: u16,
    /// The classic table's text.
    pub text: String,
    /// What is to be known of it besides.
    pub note: Option<String>,
}

/// A command and its rows.
#[derive(Debug, Deserialize)]
pub struct CommandRows {
    /// Its name.
    pub name: String,
    /// What stands above it in the classic table; empty where that was lost.
    pub classic_heading: String,
    /// What is to be known of it besides.
    pub note: Option<String>,
    /// Its rows, in the classic order.
    pub reply: Vec<Row>,
}

/// A row: what answers a command with one code, and why.
#[derive(Debug, Deserialize)]
pub struct Row {
    /// The code.
    pub code: u16,
    /// The text; of a classic row as the classic table has it.
    pub text: String,
    /// When a server says it.
    pub cause: String,
    /// The enhanced codes that fit, likeliest first.
    pub enhanced: Vec<String>,
    /// What it takes to see it.
    pub reach: String,
    /// What is to be known of it besides.
    pub note: Option<String>,
    /// Of an addition: the section it comes from.
    pub rfc: Option<String>,
}

/// A row that the classic table lacks.
#[derive(Debug, Deserialize)]
pub struct Addition {
    /// The command it answers.
    pub command: String,
    /// The rest of it.
    #[serde(flatten)]
    pub row: Row,
}

const TEXT: &str = include_str!("../../../spec/smtp-reply-table.toml");

static SPECIFICATION: LazyLock<Specification> = LazyLock::new(|| {
    // It is a part of the program, and every test of this crate reads it.
    toml::from_str(TEXT).expect("the specification has the form that its tests want")
});

/// The specification that the table is checked against.
pub fn specification() -> &'static Specification {
    &SPECIFICATION
}

impl Specification {
    /// The row a situation is of. Each has one, which the tests of `reply` prove.
    pub fn row(&self, situation: &Situation) -> Option<&Row> {
        let (command, code) = (situation.command.name(), situation.code.number());
        match situation.source {
            Source::Row => {
                let mut rows = self.command.iter().filter(|c| c.name == command);
                rows.find_map(|c| c.reply.iter().find(|row| row.code == code))
            }
            Source::Addition => self
                .additions(command)
                .map(|addition| &addition.row)
                .find(|row| row.code == code),
        }
    }

    /// The additions to a command.
    pub fn additions<'a>(&'a self, command: &'a str) -> impl Iterator<Item = &'a Addition> {
        self.addition.iter().filter(move |a| a.command == command)
    }

    /// The classic text of a code, and what is to be known of it.
    pub fn code(&self, code: u16) -> Option<&CodeText> {
        self.code.iter().find(|text| text.code == code)
    }

    /// The rows of a classic command.
    pub fn command(&self, name: &str) -> Option<&CommandRows> {
        self.command.iter().find(|command| command.name == name)
    }
}

/// A cause or note without the marks by which the file refers to its own terms.
pub(crate) fn plain(text: &str) -> String {
    text.replace(" (terms.shut)", "")
        .replace(" (terms.too_long)", "")
        .replace(
            "terms.shut",
            "the service stops, the idle time-out ran out, or a limit of the session was passed",
        )
        .replace("terms.too_long", "the line is too long or unreadable")
        .replace(" (both under [[addition]])", "")
        .replace(": see [[addition]]", ": see the additions")
        .replace("; [[addition]]", "; see the additions")
}
