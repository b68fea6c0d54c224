//! A situation with words of one's own, and the reply the encoder takes.

use core::fmt;

use alloc::vec::Vec;

use crate::code::{Code, Enhanced};
use crate::command::Command;
use crate::situation::{Situated, Situation};
use crate::text::{Lines, Text};

/// A situation of one command's enum, with an own text or enhanced code where one is wanted.
///
/// Words can change, the code can't: it is the situation's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an answer not given leaves the client waiting"]
pub struct Answer<S> {
    said: S,
    enhanced: Option<Enhanced>,
    lines: Option<Lines>,
}

impl<S> Answer<S> {
    /// The situation as a value: what was decided, and what it carries.
    pub const fn said(&self) -> &S {
        &self.said
    }

    /// The same with a text of its own, in place of the situation's.
    pub fn text(self, text: Text) -> Answer<S> {
        self.lines(text.into())
    }

    /// The same with several lines of text, in place of the situation's.
    pub fn lines(self, lines: Lines) -> Answer<S> {
        Answer {
            lines: Some(lines),
            ..self
        }
    }
}

impl<S: Situated> Answer<S> {
    /// The same with another enhanced code of the same class.
    ///
    /// # Errors
    /// [`WrongClass`] if its class isn't the first digit of the situation's code (RFC 2034 4).
    pub fn enhanced(self, enhanced: Enhanced) -> Result<Answer<S>, WrongClass> {
        let code = self.said.situation().code;
        if !enhanced.fits(code) {
            return Err(WrongClass { code, enhanced });
        }
        Ok(Answer {
            enhanced: Some(enhanced),
            ..self
        })
    }

    /// The same said as a situation of another command, words and enhanced code kept where the
    /// class is the same.
    pub(crate) fn said_as<T: Situated + From<S>>(self) -> Answer<T> {
        let from = self.said.situation();
        let enhanced = self.enhanced.or(from.enhanced.first().copied());
        let said = T::from(self.said);
        let to = said.situation();
        let enhanced = enhanced.filter(|e| e.fits(to.code));
        // A value that carries words of its own (a receipt) says them by itself, and those of
        // another class (354 for a chunk that is taken) don't fit.
        let keeps = from.text != to.text && from.code.severity() == to.code.severity();
        let lines = self
            .lines
            .or_else(|| keeps.then(|| Text::literal(from.text).into()));
        Answer {
            said,
            enhanced,
            lines,
        }
    }
}

impl<S: Situated> From<S> for Answer<S> {
    fn from(said: S) -> Answer<S> {
        Answer {
            said,
            enhanced: None,
            lines: None,
        }
    }
}

/// An enhanced code whose class isn't the first digit of the reply code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongClass {
    /// The reply's code.
    pub code: Code,
    /// The enhanced code that doesn't fit it.
    pub enhanced: Enhanced,
}

impl fmt::Display for WrongClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} can't stand beside {}", self.enhanced, self.code)
    }
}

impl core::error::Error for WrongClass {}

/// What the encoder writes: a situation of the table, and its words.
///
/// It is made from an [`Answer`] or a situation's value, and in no other way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a reply not sent leaves the client waiting"]
pub struct Reply {
    answers: Command,
    situation: &'static Situation,
    enhanced: Option<Enhanced>,
    lines: Option<Lines>,
}

impl Reply {
    /// A situation in its own words.
    pub(crate) fn of(situation: &'static Situation) -> Reply {
        Reply {
            answers: situation.command,
            situation,
            enhanced: situation.enhanced.first().copied(),
            lines: None,
        }
    }

    /// The same as an answer to `command`, when its situation is one of any command: what EHLO
    /// gets carries no enhanced code, wherever it stands in the table.
    pub fn answering(self, command: Command) -> Reply {
        Reply {
            answers: command,
            ..self
        }
    }

    /// The same in the words that another would have been said in.
    pub(crate) fn in_the_words_of(self, other: Reply) -> Reply {
        let words = other.situation.text;
        let lines = other.lines.or_else(|| Some(Text::literal(words).into()));
        Reply { lines, ..self }
    }

    /// The command it answers.
    pub const fn answers(&self) -> Command {
        self.answers
    }

    /// The line of the table it comes from.
    pub const fn situation(&self) -> &'static Situation {
        self.situation
    }

    /// The reply code.
    pub const fn code(&self) -> Code {
        self.situation.code
    }

    /// The enhanced code, for logs and metrics.
    pub const fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// The enhanced code as far as the row lets it on the wire: never in a greeting or in a reply
    /// to HELO or EHLO. The caller still has to know that EHLO or LHLO opened the session
    /// (RFC 2034 3, 4).
    pub fn enhanced_on_wire(&self) -> Option<Enhanced> {
        self.enhanced.filter(|_| self.answers.enhanced_on_wire())
    }

    /// Whether the server's own domain stands first in the first line.
    pub const fn domain_first(&self) -> bool {
        self.situation.domain_first
    }

    /// Whether the connection is closed after it.
    pub const fn closes(&self) -> bool {
        self.situation.closes
    }

    /// The lines of text in order, one at least, without code and domain.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let own = self.lines.as_ref();
        let table = own.is_none().then_some(self.situation.text);
        table
            .into_iter()
            .chain(own.into_iter().flat_map(Lines::iter).map(Text::as_str))
    }

    /// Whether it may be sent only where the command carried SMTPUTF8 (RFC 6531 3.7.4.2).
    pub fn needs_utf8(&self) -> bool {
        self.lines
            .iter()
            .flat_map(Lines::iter)
            .any(Text::needs_utf8)
    }
}

impl<S: Situated> From<Answer<S>> for Reply {
    fn from(answer: Answer<S>) -> Reply {
        let situation = answer.said.situation();
        Reply {
            answers: situation.command,
            situation,
            enhanced: answer.enhanced.or(situation.enhanced.first().copied()),
            lines: answer.lines.or_else(|| answer.said.into_lines()),
        }
    }
}

impl<S: Situated> From<S> for Reply {
    fn from(said: S) -> Reply {
        Answer::from(said).into()
    }
}

/// The lines of an EHLO reply and the like: a first line, then one text a line.
impl FromIterator<Text> for Lines {
    fn from_iter<I: IntoIterator<Item = Text>>(texts: I) -> Lines {
        let mut texts = texts.into_iter();
        let first = texts.next().unwrap_or_default();
        Lines::new(first, texts.collect::<Vec<_>>())
    }
}
