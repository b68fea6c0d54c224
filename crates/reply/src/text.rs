//! The words of a reply, made so that they can't forge another reply.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use crate::receipt::Receipt;

/// One line of a reply's text: no CR, LF or other control character, at most
/// [`Text::MAX_OCTETS`] octets.
///
/// Making one can't fail: what may not stand in it is replaced by `?` (a tab by a space), what
/// is too long is cut. Only the encoder splits, prefixes and ends lines.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Cow<'static, str>);

impl Text {
    /// A path (256 octets, RFC 5321 4.5.3.1.3) fits, and with a code, an enhanced code and the
    /// words of a situation before it the line stays within the 512 octets of RFC 5321 4.5.3.1.5.
    /// Only behind a domain of more than 190 octets may the encoder have to split it.
    pub const MAX_OCTETS: usize = 300;

    /// An ASCII text. Whatever is not ASCII becomes `?`: without SMTPUTF8 on the command a reply
    /// is ASCII (RFC 6531 3.7.4.2).
    pub fn new(text: &str) -> Text {
        Text::made(text, |c| c.is_ascii())
    }

    /// A text that may hold UTF-8; for replies to a VRFY or EXPN that carried SMTPUTF8 (RFC 6531
    /// 3.7.4.2).
    pub fn with_utf8(text: &str) -> Text {
        Text::made(text, |_| true)
    }

    fn made(text: &str, allowed: fn(char) -> bool) -> Text {
        // Almost every text.
        if text.len() <= Text::MAX_OCTETS && text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
        {
            return Text(Cow::Owned(text.into()));
        }
        let mut made = String::new();
        for c in text.chars() {
            let c = match c {
                '\t' => ' ',
                // The line and paragraph separators end a line for some readers of logs.
                '\u{2028}' | '\u{2029}' => '?',
                c if c.is_control() || !allowed(c) => '?',
                c => c,
            };
            if made.len() + c.len_utf8() > Text::MAX_OCTETS {
                break;
            }
            made.push(c);
        }
        Text(Cow::Owned(made))
    }

    /// A text of the table, checked by a test.
    pub(crate) const fn literal(text: &'static str) -> Text {
        Text(Cow::Borrowed(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it holds more than ASCII, so that it may be sent only where SMTPUTF8 was given.
    pub fn needs_utf8(&self) -> bool {
        !self.0.is_ascii()
    }
}

/// The lines of a reply's text: one at least, [`Lines::MAX`] at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    first: Text,
    rest: Vec<Text>,
}

impl Lines {
    /// How many lines one reply may have. More are cut.
    pub const MAX: usize = 256;

    /// The first line, then the others as far as they fit.
    pub fn new(first: Text, rest: impl IntoIterator<Item = Text>) -> Lines {
        Lines {
            first,
            rest: rest.into_iter().take(Lines::MAX - 1).collect(),
        }
    }

    /// The lines in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Text> {
        LinesIter { lines: self, at: 0 }
    }
}

struct LinesIter<'a> {
    lines: &'a Lines,
    at: usize,
}

impl<'a> Iterator for LinesIter<'a> {
    type Item = &'a Text;

    fn next(&mut self) -> Option<&'a Text> {
        let line = match self.at {
            0 => Some(&self.lines.first),
            n => self.lines.rest.get(n - 1),
        };
        self.at += usize::from(line.is_some());
        line
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = 1 + self.lines.rest.len() - self.at;
        (left, Some(left))
    }
}

impl ExactSizeIterator for LinesIter<'_> {}

impl From<Text> for Lines {
    fn from(text: Text) -> Lines {
        Lines {
            first: text,
            rest: Vec::new(),
        }
    }
}

/// The name of the rule by which a message was discarded: for the record, never for the client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule(pub Text);

impl From<Infallible> for Rule {
    /// Where no rule discards, there is none to name.
    fn from(never: Infallible) -> Rule {
        match never {}
    }
}

/// What a situation carries, as words for the client.
pub(crate) trait Told {
    /// The lines of the reply, given the situation's own text.
    fn told(self, text: &'static str) -> Lines;
}

impl Told for Receipt {
    fn told(self, text: &'static str) -> Lines {
        Text::new(&format!("{text}, queued as {}", self.queue_id())).into()
    }
}

impl Told for Rule {
    /// The client isn't told of the rule: its 250 is that of any accepted message.
    fn told(self, text: &'static str) -> Lines {
        Text::literal(text).into()
    }
}

impl Told for Text {
    /// The text stands after the situation's own: a forward-path, a challenge.
    fn told(self, text: &'static str) -> Lines {
        if text.is_empty() {
            return self.into();
        }
        // Both were made, so nothing has to be replaced, and a path must not be cut.
        Text(Cow::Owned(format!("{text} {}", self.as_str()))).into()
    }
}

impl Told for Lines {
    /// The lines stand for themselves: members of a list, help.
    fn told(self, _: &'static str) -> Lines {
        self
    }
}
