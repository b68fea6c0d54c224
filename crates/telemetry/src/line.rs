//! Lines of the log: text for people, JSON for programs.

use std::fmt::{self, Write};

use postroad_clock::UnixMs;
use tracing::field::{Field, Visit};

use crate::table::Rfc3339;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-23T12:00:00.000Z INFO  message.accepted queue_id=06G... size=1234`
    Text,
    /// One JSON object a line.
    Json,
}

/// How many characters of a value are written; a peer may have sent more.
const MOST: usize = 500;

/// A line in the making.
pub(crate) struct Line {
    format: Format,
    text: String,
    level: &'static str,
}

impl Line {
    /// A line that has a time and a level so far; its event's name is the first field.
    pub(crate) fn new(format: Format, now: UnixMs, level: &'static str) -> Line {
        // Writing to a string can't fail, here and below.
        let mut text = String::with_capacity(512);
        let _ = match format {
            Format::Text => write!(text, "{} {level:<5}", Rfc3339(now)),
            Format::Json => write!(text, "{{\"time\":\"{}\"", Rfc3339(now)),
        };
        Line {
            format,
            text,
            level,
        }
    }

    /// The event's name, which comes from the catalogue.
    pub(crate) fn event(&mut self, name: &str) {
        let level = self.level;
        let _ = match self.format {
            Format::Text => write!(self.text, " {name}"),
            Format::Json => write!(self.text, ",\"level\":\"{level}\",\"event\":\"{name}\""),
        };
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        let _ = match self.format {
            Format::Text => write!(self.text, " {name}={value}"),
            Format::Json => write!(self.text, ",\"{name}\":{value}"),
        };
    }

    /// Anything else, wherever it comes from.
    fn words(&mut self, name: &str, value: fmt::Arguments<'_>) {
        let mut cut = Cut {
            text: String::with_capacity(64),
            room: MOST,
        };
        // Its error only says that it was cut.
        let _ = cut.write_fmt(value);
        let value = cut.text;
        let _ = match self.format {
            Format::Text if is_one_word(&value) => write!(self.text, " {name}={value}"),
            Format::Text => write!(self.text, " {name}=\"{}\"", Escaped(&value, text_escape)),
            Format::Json => {
                write!(
                    self.text,
                    ",\"{name}\":\"{}\"",
                    Escaped(&value, json_escape)
                )
            }
        };
    }

    /// The line with its end.
    pub(crate) fn finish(mut self) -> String {
        if self.format == Format::Json {
            self.text.push('}');
        }
        self.text.push('\n');
        self.text
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.words(field.name(), format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "event" => self.event(value),
            name => self.words(name, format_args!("{value}")),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field.name(), value);
    }
}

/// Takes so many characters, and an ellipsis for the rest.
struct Cut {
    text: String,
    room: usize,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Almost every value.
        if text.is_ascii() && text.len() <= self.room {
            self.room -= text.len();
            self.text.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if self.room == 0 {
                self.text.push('…');
                return Err(fmt::Error);
            }
            self.room -= 1;
            self.text.push(c);
        }
        Ok(())
    }
}

/// Whether a value can stand in a line of text without quotes, and be taken for nothing else.
fn is_one_word(value: &str) -> bool {
    let harmless = |c: char| !c.is_whitespace() && !matches!(c, '"' | '=' | '\\') && !is_hidden(c);
    !value.is_empty() && value.chars().all(harmless)
}

/// Whether a character could steer a terminal, break a line or turn the direction of text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A value with each character that needs it written by `.1`.
struct Escaped<'a>(&'a str, fn(char, &mut fmt::Formatter<'_>) -> fmt::Result);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Almost every value.
        if self
            .0
            .bytes()
            .all(|octet| matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\'))
        {
            return f.write_str(self.0);
        }
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                c if is_hidden(c) => (self.1)(c, f)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn text_escape(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c => write!(f, "{}", c.escape_unicode()),
    }
}

/// All that is hidden lies in the first plane, and so is one unit of UTF-16 (RFC 8259 7).
fn json_escape(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\\u{:04x}", u32::from(c))
}
