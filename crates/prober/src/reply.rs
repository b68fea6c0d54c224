//! Takes a server's replies off the stream as they are, with all that is wrong with them.
//!
//! `postroad_wire::reply` reads replies to act on them and is lenient. Here nothing is mended, for each
//! flaw is to be told.

use postroad_reply::{Code, Enhanced};

use crate::octets::shown;

/// How many octets a reply may have before it is given up.
const MOST: usize = 1 << 17;

/// One line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its octets, without the line end.
    pub octets: Vec<u8>,
    /// Whether CR LF ended it, and not a bare LF.
    pub crlf: bool,
}

/// What a server said at once: one reply, or something that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its lines; one at least.
    pub lines: Vec<Line>,
}

impl Line {
    /// The code it begins with, if it has the shape of a reply's line.
    pub fn code(&self) -> Option<Code> {
        let digits = self.octets.get(..3)?;
        if !matches!(self.octets.get(3), None | Some(b' ' | b'-')) {
            return None;
        }
        let digits = std::str::from_utf8(digits).ok()?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
        plain
            .then(|| digits.parse().ok())
            .flatten()
            .and_then(Code::new)
    }

    /// Whether more lines follow it.
    pub fn goes_on(&self) -> bool {
        self.octets.get(3) == Some(&b'-')
    }

    /// What stands after the code.
    pub fn text(&self) -> &[u8] {
        self.octets.get(4..).unwrap_or_default()
    }

    /// The first word of the text, if it reads as an enhanced code of whatever class.
    pub fn enhanced(&self) -> Option<Enhanced> {
        let text = self.text();
        let word = text.split(|octet| *octet == b' ').next()?;
        Enhanced::parse(std::str::from_utf8(word).ok()?)
    }

    /// How long it was with its end.
    pub fn length(&self) -> usize {
        self.octets.len() + if self.crlf { 2 } else { 1 }
    }
}

impl Heard {
    /// The code of its first line; none where that is no reply.
    pub fn code(&self) -> Option<Code> {
        self.lines.first()?.code()
    }

    /// For people.
    pub fn shown(&self) -> String {
        let lines = self.lines.iter().map(|line| shown(&line.octets));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Cuts replies off what has come.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// Takes what has come.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Whether more came than any reply may have.
    pub fn is_flooded(&self) -> bool {
        self.buffer.len() > MOST
    }

    /// The next reply that is there whole. A line that is no reply's is one by itself; a reply whose
    /// lines differ in their codes goes on until one of them doesn't.
    pub fn cut(&mut self) -> Option<Heard> {
        let mut lines = Vec::new();
        let mut at = 0;
        while let Some(length) = self.buffer[at..].iter().position(|octet| *octet == b'\n') {
            let line = &self.buffer[at..at + length];
            at += length + 1;
            let (octets, crlf) = match line.strip_suffix(b"\r") {
                Some(octets) => (octets, true),
                None => (line, false),
            };
            let octets = octets.to_vec();
            let line = Line { octets, crlf };
            let ends = line.code().is_none() || !line.goes_on();
            lines.push(line);
            if ends {
                self.buffer.drain(..at);
                return Some(Heard { lines });
            }
        }
        None
    }

    /// What is left at the end of the stream, or when nothing more comes: the beginning of a reply.
    pub fn rest(&mut self) -> Option<Heard> {
        if self.buffer.is_empty() {
            return None;
        }
        let octets = std::mem::take(&mut self.buffer);
        let line = Line {
            octets,
            crlf: false,
        };
        Some(Heard { lines: vec![line] })
    }

    /// Whether anything came that wasn't taken.
    pub fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(octets: &[u8]) -> Vec<Heard> {
        let mut reader = Reader::default();
        reader.push(octets);
        std::iter::from_fn(|| reader.cut()).collect()
    }

    #[test]
    fn replies_are_cut_where_they_end() {
        let heard = all(b"250-mx\r\n250 SIZE 5\r\n250 2.1.0 ok\r\n354 go");
        assert_eq!(heard.len(), 2);
        assert_eq!(heard[0].lines.len(), 2);
        assert_eq!(heard[1].code(), Code::new(250));
        assert_eq!(heard[1].lines[0].enhanced(), Enhanced::parse("2.1.0"));
    }

    #[test]
    fn flaws_are_kept() {
        let heard = all(b"250-a\n251 b\r\nwhat\r\n250\r\n");
        assert_eq!(heard.len(), 3);
        assert!(!heard[0].lines[0].crlf);
        assert_eq!(heard[0].lines[1].code(), Code::new(251));
        assert_eq!(heard[1].code(), None);
        assert_eq!(heard[2].code(), Code::new(250), "a bare code is one");
    }

    #[test]
    fn a_reply_comes_in_any_pieces() {
        let mut reader = Reader::default();
        for octet in b"250-a\r\n250 b\r\n" {
            assert_eq!(reader.cut(), None);
            reader.push(&[*octet]);
        }
        assert!(reader.cut().is_some_and(|heard| heard.lines.len() == 2));
        assert!(!reader.has_more());
    }
}
