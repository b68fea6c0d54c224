//! The pages of all rows: `docs/replies.md` and `docs/replies.html`.
//!
//! They show the classic table row by row in its own order and words, with the additions marked, and with each row its
//! cause, what the sending side should do, and how this server is brought to say it.

mod html;
mod markdown;

use postroad_reply::{Command, Situation};

use crate::names;
use crate::specification::{Row, plain, specification};
use crate::told::Told;

pub use html::html;
pub use markdown::markdown;

/// Where the pages look for the dialogues.
const DIALOGUES: &str = "../crates/postroad/tests/dialogues";

/// A command with all its rows.
struct Block {
    command: Command,
    /// What stands above it in the classic table; empty where that was lost, none where it isn't there.
    classic_heading: Option<&'static str>,
    note: Option<String>,
    rows: Vec<Line>,
}

/// A row of the table, or an addition to it.
struct Line {
    row: &'static Row,
    is_classic: bool,
    situations: Vec<Told>,
}

/// The commands in the classic order, then those that the classic table lacks.
fn blocks() -> Vec<Block> {
    let specification = specification();
    let is_classic = |command: &Command| specification.command(command.name()).is_some();
    let (classic, added): (Vec<_>, Vec<_>) = Command::ALL.into_iter().partition(is_classic);
    classic.into_iter().chain(added).map(block).collect()
}

fn block(command: Command) -> Block {
    let specification = specification();
    let classic = specification.command(command.name());
    let own = classic.into_iter().flat_map(|rows| &rows.reply);
    let added = specification.additions(command.name()).map(|a| &a.row);
    Block {
        command,
        classic_heading: classic.map(|rows| rows.classic_heading.as_str()),
        note: classic.and_then(|rows| rows.note.as_deref()).map(plain),
        rows: own
            .map(|row| line(command, row, true))
            .chain(added.map(|row| line(command, row, false)))
            .collect(),
    }
}

fn line(command: Command, row: &'static Row, is_classic: bool) -> Line {
    let is_own = |situation: &&Situation| {
        let own = specification().row(situation);
        own.is_some_and(|own| std::ptr::eq(own, row))
    };
    Line {
        row,
        is_classic,
        situations: command.situations().filter(is_own).map(Told::of).collect(),
    }
}

impl Block {
    /// What stands above it.
    fn heading(&self) -> &'static str {
        self.command.name()
    }

    fn about(&self) -> &'static str {
        names::about(self.command)
    }
}

impl Line {
    /// What the sending side should do; with several answers each is told with its enhanced codes.
    fn advice(&self) -> Vec<(String, &str)> {
        let mut advice: Vec<(String, &str)> = Vec::new();
        for told in &self.situations {
            let enhanced = told.enhanced.first().cloned().unwrap_or_default();
            match advice
                .iter_mut()
                .find(|(_, text)| *text == told.advice.text)
            {
                Some((codes, _)) if codes.split(", ").any(|code| code == enhanced) => {}
                Some((codes, _)) => {
                    codes.push_str(", ");
                    codes.push_str(&enhanced);
                }
                None => advice.push((enhanced, &told.advice.text)),
            }
        }
        if let [(codes, _)] = advice.as_mut_slice() {
            codes.clear();
        }
        advice
    }

    /// The settings that have a part in it, each once.
    fn settings(&self) -> Vec<&'static str> {
        let mut settings: Vec<&'static str> = Vec::new();
        for setting in self.situations.iter().flat_map(|told| told.here.settings) {
            if !settings.contains(setting) {
                settings.push(setting);
            }
        }
        settings
    }

    /// The dialogues that show it, each once.
    fn dialogues(&self) -> Vec<&str> {
        let mut files: Vec<&str> = Vec::new();
        for file in self
            .situations
            .iter()
            .filter_map(|told| told.here.dialogue.as_deref())
        {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }

    /// Whether this server says it, in any of its situations.
    fn is_said(&self) -> bool {
        self.situations.iter().any(|told| told.here.says)
    }

    /// Where it comes from.
    fn sources(&self) -> String {
        if let Some(rfc) = &self.row.rfc {
            return rfc.clone();
        }
        let mut sources: Vec<&str> = Vec::new();
        for told in &self.situations {
            if !sources.contains(&told.rfc) {
                sources.push(told.rfc);
            }
        }
        sources.join(", ")
    }
}

/// Text as a sentence: with a capital, and a full stop.
fn sentence(text: &str) -> String {
    let text = plain(text);
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>());
    let end = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.unwrap_or_default(), chars.as_str())
}
