//! A message as a terminal shows it: nothing in it does anything but be seen.
//!
//! A terminal takes control characters for commands: to move, to change colours, to answer as if its user
//! had typed. None of a message's gets there; nor does what makes text look like other text (the marks of
//! writing direction). Lines and their number are bounded, so that nobody's screen is flooded.

use std::iter;

/// Characters of a line; a longer one goes on in the next.
const LINE: usize = 200;
/// Lines of a message.
const MOST_LINES: usize = 500;
/// Octets of a message that are looked at.
pub(crate) const MOST_OCTETS: usize = 16 << 10;
/// How wide a tab is.
const TAB: usize = 8;

/// The fields of a header section that are shown.
const FIELDS: [&str; 3] = ["from", "date", "subject"];

/// A message for a terminal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// What is written.
    pub(crate) octets: Vec<u8>,
    /// Whether it is all of the message.
    pub(crate) is_whole: bool,
}

/// What a terminal gets of a message: a heading, some fields, and its body. One that doesn't take UTF-8
/// gets ASCII.
pub(crate) fn text(heading: &str, message: &[u8], takes_utf8: bool) -> Shown {
    let seen = &message[..message.len().min(MOST_OCTETS)];
    let seen = String::from_utf8_lossy(seen);
    let (fields, body) = split(&seen);
    let lines = iter::once("")
        .chain(iter::once(heading))
        .chain(fields)
        .chain(body);
    let pieces = lines.flat_map(|line| pieces(line, takes_utf8));
    let mut text = String::new();
    let mut is_whole = message.len() <= MOST_OCTETS;
    for (number, piece) in pieces.enumerate() {
        if number >= MOST_LINES {
            is_whole = false;
            break;
        }
        text.push_str(&piece);
        text.push_str("\r\n");
    }
    text.push_str(if is_whole { "EOF\r\n" } else { "(cut off)\r\n" });
    Shown {
        octets: text.into_bytes(),
        is_whole,
    }
}

/// The fields that are shown, and the lines of the body. What doesn't begin with a header section is all
/// body.
fn split(message: &str) -> (Vec<&str>, Vec<&str>) {
    let lines: Vec<&str> = message.split_terminator("\r\n").collect();
    let header = lines.iter().take_while(|line| is_of_header(line)).count();
    let has_header = lines.first().is_some_and(|line| is_field(line));
    let ends = lines.get(header).is_none_or(|line| line.is_empty());
    if !has_header || !ends {
        return (Vec::new(), lines);
    }
    let mut shown = false;
    let fields = lines[..header].iter().filter(|line| {
        if is_field(line) {
            let name = line.split(':').next().unwrap_or_default().trim_end();
            shown = FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field));
        }
        shown
    });
    let fields = fields.copied().collect();
    (fields, lines.get(header..).unwrap_or_default().to_vec())
}

fn is_of_header(line: &str) -> bool {
    is_field(line) || line.starts_with([' ', '\t'])
}

fn is_field(line: &str) -> bool {
    let name = line.split_once(':').map(|(name, _)| name.trim_end());
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()))
}

/// A line in pieces that fit, with everything in it that is no character to be seen made one.
fn pieces(line: &str, takes_utf8: bool) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut width = 0;
    for c in line.chars().flat_map(|c| harmless(c, takes_utf8)) {
        if width >= LINE {
            pieces.push(String::new());
            width = 0;
        }
        // A tab becomes spaces, since a terminal's tab stops may be anywhere.
        let times = if c == '\t' { TAB - width % TAB } else { 1 };
        let c = if c == '\t' { ' ' } else { c };
        if let Some(piece) = pieces.last_mut() {
            piece.extend(iter::repeat_n(c, times));
        }
        width += times;
    }
    pieces
}

/// What is shown for a character: itself, `^[` and the like for a control character, or `?`.
fn harmless(c: char, takes_utf8: bool) -> impl Iterator<Item = char> {
    let caret = |c: u8| (Some('^'), char::from(c ^ 0x40));
    let (first, second) = match c {
        '\t' => (None, c),
        '\0'..='\x1f' | '\x7f' => caret(c as u8),
        // C1: some terminals obey them.
        '\u{80}'..='\u{9f}' => (None, '?'),
        c if !c.is_ascii() && (!takes_utf8 || is_unseen(c)) => (None, '?'),
        c => (None, c),
    };
    first.into_iter().chain(iter::once(second))
}

/// Whether a character is none to be seen, or changes how others are: marks of direction, joiners,
/// separators of lines, tags, what isn't assigned to a character for good.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(message: &str) -> String {
        let shown = text("Message:", message.as_bytes(), true);
        String::from_utf8(shown.octets).expect("UTF-8")
    }

    #[test]
    fn a_terminal_shows_the_heading_some_fields_and_the_body() {
        let message = "Received: by mx.example\r\n from there\r\nFrom: Ada <ada@a.example>\r\n\
                       Subject: lunch\r\n today\r\nX-Mailer: x\r\n\r\nAt one?\r\n";
        let expected = "\r\nMessage:\r\nFrom: Ada <ada@a.example>\r\nSubject: lunch\r\n today\r\n\
                        \r\nAt one?\r\nEOF\r\n";
        assert_eq!(shown(message), expected);
    }

    #[test]
    fn a_message_without_a_header_section_is_shown_whole() {
        assert_eq!(shown("At one?\r\n"), "\r\nMessage:\r\nAt one?\r\nEOF\r\n");
        let like = "Note: this is no header\r\nfor no empty line comes\r\n";
        assert!(shown(like).contains(like));
        assert_eq!(shown(""), "\r\nMessage:\r\nEOF\r\n");
    }

    #[test]
    fn control_characters_and_marks_of_direction_do_nothing() {
        let message = "\r\na\x1b[2Jb\x07c\x7fd\u{9b}e\u{202e}f\rg\nh\ti\u{fe0f}\r\n";
        let line = "a^[[2Jb^Gc^?d?e?f^Mg^Jh i?";
        assert!(shown(message).contains(line), "{}", shown(message));
    }

    #[test]
    fn a_terminal_that_does_not_take_utf8_gets_ascii() {
        let message = "\r\nGr\u{fc}\u{df}e\r\n".as_bytes();
        let ascii = text("M:", message, false);
        assert!(ascii.octets.is_ascii());
        assert!(String::from_utf8_lossy(&ascii.octets).contains("Gr??e"));
        let utf8 = text("M:", message, true);
        assert!(String::from_utf8_lossy(&utf8.octets).contains("Gr\u{fc}\u{df}e"));
    }

    #[test]
    fn a_long_line_goes_on_in_the_next_and_a_long_message_is_cut() {
        let long = shown(&"x".repeat(450));
        let widths: Vec<_> = long.lines().map(str::len).collect();
        assert_eq!(widths, [0, 8, 200, 200, 50, 3]);
        let many = text("M:", "x\r\n".repeat(2000).as_bytes(), true);
        assert!(!many.is_whole);
        assert!(many.octets.ends_with(b"(cut off)\r\n"));
        let big = text("M:", &vec![b'x'; MOST_OCTETS + 1], true);
        assert!(!big.is_whole);
    }

    proptest! {
        #[test]
        fn nothing_but_line_ends_commands_a_terminal(message: Vec<u8>, takes_utf8: bool) {
            let shown = text("Message:", &message, takes_utf8);
            let seen = String::from_utf8(shown.octets).expect("UTF-8");
            prop_assert!(seen.split("\r\n").all(|line| !line.chars().any(char::is_control)));
            prop_assert!(seen.lines().count() <= MOST_LINES + 1);
            prop_assert!(seen.lines().all(|line| line.chars().count() <= LINE + TAB));
        }
    }
}
