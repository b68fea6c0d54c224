//! Writes replies.

use alloc::string::String;

use bytes::BufMut;
use postroad_reply::{Code, Enhanced, Reply};

/// The longest reply line, with its code and CRLF (RFC 5321 4.5.3.1.5).
pub(super) const LINE_OCTETS: usize = 512;

/// Who speaks, and how: what a reply needs from the session to become lines.
#[derive(Debug, Clone, Copy)]
pub struct ReplyWriter<'a> {
    /// The server's own name, the first word of replies that begin with it.
    pub domain: &'a str,
    /// Whether EHLO or LHLO opened the session, with ENHANCEDSTATUSCODES among its lines: then
    /// the rows that may carry an enhanced code do (RFC 2034 3).
    pub enhanced: bool,
}

impl ReplyWriter<'_> {
    /// Writes all lines of `reply` to `out`.
    pub fn write(&self, reply: &Reply, out: &mut impl BufMut) {
        let enhanced = reply.enhanced_on_wire().filter(|_| self.enhanced);
        let domain = reply.domain_first().then_some(self.domain);
        write_lines(reply.code(), enhanced, domain, reply.lines(), out);
    }
}

/// Writes lines of text with what stands before each: the code, a hyphen on all but the last, the enhanced
/// code (RFC 2034 4: on each line), and on the first the domain.
///
/// A text over its line is split. That no text has a line end in it is what the type of a
/// reply's texts is for.
pub(super) fn write_lines<'a>(
    code: Code,
    enhanced: Option<Enhanced>,
    domain: Option<&str>,
    lines: impl Iterator<Item = &'a str>,
    out: &mut impl BufMut,
) {
    let enhanced = enhanced.map_or(String::new(), |enhanced| {
        let mut text = String::with_capacity("5.999.999 ".len());
        put_number(&mut text, code.number() / 100);
        for part in [enhanced.subject(), enhanced.detail()] {
            text.push('.');
            put_number(&mut text, part);
        }
        text.push(' ');
        text
    });
    let first_word = domain.map_or(String::new(), |domain| [domain, " "].concat());
    // Three digits, the mark, CRLF; a name that leaves no room leaves a little.
    let room = LINE_OCTETS.saturating_sub(3 + 1 + enhanced.len() + first_word.len() + 2);
    let mut pieces = lines.flat_map(|line| split(line, room.max(64))).peekable();
    let mut digits = String::with_capacity(3);
    put_number(&mut digits, code.number());
    let mut before = first_word.as_str();
    while let Some(piece) = pieces.next() {
        let mark = if pieces.peek().is_some() { "-" } else { " " };
        for part in [&digits, mark, &enhanced, before, piece, "\r\n"] {
            out.put_slice(part.as_bytes());
        }
        before = "";
    }
}

/// Writes a number below 1,000: each reply has some, and formatting takes several times as long.
fn put_number(text: &mut String, number: u16) {
    for (least, divisor) in [(100, 100), (10, 10), (0, 1)] {
        if number >= least {
            text.push(char::from(b'0' + (number / divisor % 10) as u8));
        }
    }
}

/// Cuts a text into pieces of at most `room` octets, between characters. An empty text is one
/// empty piece.
fn split(text: &str, room: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest?;
        let (piece, after) = text.split_at(text.floor_char_boundary(room));
        rest = Some(after).filter(|after| !after.is_empty());
        Some(piece)
    })
}
