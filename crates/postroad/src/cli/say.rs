//! Text for people: lines of the terminal's width, short times and sizes, nothing that moves a cursor.

use std::io::{self, IsTerminal, Write};

use super::Failure;

/// Writes to standard output.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::Cannot(format!("can't write to standard output: {error}")),
    })
}

/// How wide the lines of standard output are; none where it is no terminal, and nothing is cut.
pub(super) fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    // A terminal that doesn't know its size says 0.
    Some(match size.ws_col {
        0 => 80,
        columns => columns.into(),
    })
}

/// Whether somebody looks on and can answer.
pub(super) fn is_dialogue() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What a peer wrote must not move the cursor, nor turn the direction of what stands beside it.
pub(super) fn clean(text: &str) -> String {
    let harmless = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns { ' ' } else { c }
    };
    text.chars().map(harmless).collect()
}

/// `text` in at most `width` characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `text` after `first` spaces, in lines of at most `width` characters, the further ones after
/// `indent` spaces.
pub(super) fn wrap(text: &str, width: Option<usize>, first: usize, indent: usize) -> String {
    let mut lines = " ".repeat(first);
    let mut length = first;
    for (nth, word) in text.split(' ').enumerate() {
        let long = word.chars().count();
        let fits = width.is_none_or(|width| length + 1 + long <= width);
        if nth > 0 && fits {
            lines.push(' ');
            length += 1;
        } else if nth > 0 {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            length = indent;
        }
        lines.push_str(word);
        length += long;
    }
    lines
}

/// So many seconds, in the largest unit that fits: `45s`, `12m`, `3h`, `9d`.
pub(super) fn short_span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// So many octets: `512`, `1.2K`, `34M`.
pub(super) fn short_size(octets: u64) -> String {
    const UNITS: [&str; 4] = ["", "K", "M", "G"];
    let (mut tenths, mut unit) = (octets.saturating_mul(10), 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match (unit, tenths) {
        (0, _) => octets.to_string(),
        (_, 0..100) => format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{}{}", tenths / 10, UNITS[unit]),
    }
}

/// `1 message`, `2 messages`, `12,345 messages`.
pub(super) fn messages(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} message{plural}", number(count))
}

/// A number with its thousands apart.
pub(super) fn number(count: usize) -> String {
    let digits = count.to_string();
    let mut apart = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// Shows that work which takes its time goes on; dropped, it makes room for what comes next.
#[derive(Default)]
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    /// So many were looked at, and so many of them are `what`.
    pub(super) fn show(&mut self, examined: usize, matched: usize, what: &str) {
        if io::stderr().is_terminal() {
            let (examined, matched) = (number(examined), number(matched));
            eprint!("\r{examined} looked at, {matched} {what} ");
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let spans = [
            (0, "0s"),
            (59, "59s"),
            (3599, "59m"),
            (3600, "1h"),
            (172_800, "2d"),
        ];
        for (seconds, expected) in spans {
            assert_eq!(short_span(seconds), expected);
        }
        let sizes = [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1300, "1.2K"),
            (10_240, "10K"),
            (1 << 20, "1.0M"),
            (u64::MAX, "1717986918G"),
        ];
        for (octets, expected) in sizes {
            assert_eq!(short_size(octets), expected);
        }
        assert_eq!(messages(1), "1 message");
        assert_eq!(messages(1_234_567), "1,234,567 messages");
    }

    #[test]
    fn lines_have_the_width_of_the_terminal() {
        assert_eq!(wrap("one two three", Some(8), 1, 2), " one two\n  three");
        assert_eq!(wrap("one two three", None, 0, 2), "one two three");
        assert_eq!(wrap("longerthanthat x", Some(5), 0, 0), "longerthanthat\nx");
        assert_eq!(cut("12345", 5), "12345");
        assert_eq!(cut("123456", 5), "1234…");
    }

    #[test]
    fn what_others_wrote_moves_nothing() {
        assert_eq!(clean("a\x1b[2J\r\nb\u{202e}c"), "a [2J  b c");
    }
}
