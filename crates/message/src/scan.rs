//! Finds out, in one pass and in any pieces, what has to be known of a message.
//!
//! The scan remembers where it stands, never the octets: its memory doesn't grow with the message.
//! Lines end with CRLF and with nothing else (RFC 5321 2.3.8). The header section ends at the first
//! empty line, or before the first line that is neither a field nor the continuation of one; such a
//! message has a body and no line between it and the header section, and that is not refused here.

use memchr::{memchr, memchr2, memrchr};

use crate::facts::Facts;

/// The name of the field that counts hops, in lower case (RFC 5321 6.3).
const RECEIVED: &[u8] = b"received";

/// Reads a message piece by piece and makes its [`Facts`].
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    facts: Facts,
    place: Place,
    /// How long the line is so far.
    line: u64,
    /// The last octet was a CR, and what follows decides what it is.
    after_cr: bool,
    /// There was a field, so that a line may continue it.
    any_field: bool,
}

/// Where in the message the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// At the start of a line of the header section.
    #[default]
    LineStart,
    /// In what is a field name if a colon comes.
    Name {
        /// How many octets of it agree with [`RECEIVED`]; none if one did not.
        matched: Option<usize>,
        /// White space has come, and only a colon may follow (RFC 5322 4.5).
        ended: bool,
    },
    /// After the colon of a field, or in a line that continues it.
    Value,
    /// In the body.
    Body,
}

impl Scanner {
    /// A scan that has seen nothing.
    pub fn new() -> Scanner {
        Scanner::default()
    }

    /// Takes the next received octets.
    pub fn push(&mut self, mut octets: &[u8]) {
        self.facts.size = self.facts.size.saturating_add(octets.len() as u64);
        let mut is_clean = true;
        while let Some(first) = octets.first() {
            if self.after_cr {
                self.after_cr = false;
                if *first == b'\n' {
                    self.end_line();
                    octets = &octets[1..];
                } else {
                    self.stray_line_end();
                }
                continue;
            }
            if self.place == Place::Body && is_clean {
                let taken = self.body_lines(octets);
                octets = &octets[taken..];
                if taken > 0 {
                    continue;
                }
                // It is not looked through again at each line.
                is_clean = false;
            }
            let run = memchr2(b'\r', b'\n', octets).unwrap_or(octets.len());
            self.text(&octets[..run]);
            match octets.get(run) {
                Some(b'\r') => self.after_cr = true,
                Some(_) => self.stray_line_end(),
                None => return,
            }
            octets = &octets[run + 1..];
        }
    }

    /// What the whole message was like.
    pub fn finish(mut self) -> Facts {
        if self.after_cr {
            self.stray_line_end();
        }
        self.facts.longest_line = self.facts.longest_line.max(self.line);
        self.facts
    }

    /// Takes all the lines of the body at the front of `octets` at once, if each ends with CRLF and none has
    /// another CR or LF, as is usual: several times as fast as one by one. Gives how many octets these were.
    fn body_lines(&mut self, octets: &[u8]) -> usize {
        let Some(end) = memrchr(b'\n', octets) else {
            return 0;
        };
        let lines = &octets[..=end];
        // Many octets at a time, so each with the one behind it.
        let (mut has_bare, mut all, mut has_nul) = (lines[0] == b'\n', 0, false);
        for (one, next) in lines.iter().zip(&lines[1..]) {
            has_bare |= (*one == b'\r') != (*next == b'\n');
            has_nul |= *one == 0;
            all |= one;
        }
        if has_bare {
            return 0;
        }
        self.facts.eight_bit_body |= !all.is_ascii();
        self.facts.binary |= has_nul;
        let first = memchr(b'\n', lines).unwrap_or(end);
        let first_line = self.line.saturating_add(first as u64 - 1);
        let longest = longest_line(lines) as u64;
        self.facts.longest_line = self.facts.longest_line.max(first_line).max(longest);
        self.line = 0;
        lines.len()
    }

    /// Takes octets without CR and LF.
    fn text(&mut self, octets: &[u8]) {
        self.line = self.line.saturating_add(octets.len() as u64);
        let mut rest = octets;
        while let [octet, after @ ..] = rest {
            match self.place {
                Place::LineStart | Place::Name { .. } => {
                    self.place = self.name_octet(*octet);
                    // An octet that made the line one of the body is looked at as such.
                    if self.place != Place::Body {
                        rest = after;
                    }
                }
                Place::Value => {
                    self.facts.eight_bit_header |= !rest.is_ascii();
                    return;
                }
                Place::Body => {
                    self.facts.eight_bit_body |= !rest.is_ascii();
                    self.facts.binary |= memchr(0, rest).is_some();
                    return;
                }
            }
        }
    }

    /// Where the next octet of a line of the header section leads, that has no colon yet.
    ///
    /// Until then all of the line was printable ASCII, so that nothing is owed to the facts of the
    /// body when it turns out to be a line of it.
    fn name_octet(&mut self, octet: u8) -> Place {
        let (matched, ended) = match self.place {
            Place::Name { matched, ended } => (matched, ended),
            _ => match octet {
                b' ' | b'\t' if self.any_field => return Place::Value,
                b' ' | b'\t' | b':' => return Place::Body,
                _ => (Some(0), false),
            },
        };
        match octet {
            b':' => {
                self.any_field = true;
                if matched == Some(RECEIVED.len()) {
                    self.facts.received_count = self.facts.received_count.saturating_add(1);
                }
                Place::Value
            }
            b' ' | b'\t' => Place::Name {
                matched,
                ended: true,
            },
            // RFC 5322 3.6.8: ftext.
            33..=126 if !ended => Place::Name {
                matched: matched.and_then(|n| {
                    (RECEIVED.get(n) == Some(&octet.to_ascii_lowercase())).then_some(n + 1)
                }),
                ended,
            },
            _ => Place::Body,
        }
    }

    /// Takes a CRLF.
    fn end_line(&mut self) {
        self.facts.longest_line = self.facts.longest_line.max(self.line);
        self.line = 0;
        self.place = match self.place {
            Place::Value => Place::LineStart,
            // An empty line, or one without a colon.
            Place::LineStart | Place::Name { .. } | Place::Body => Place::Body,
        };
    }

    /// Takes a CR or LF that is not of a CRLF: an octet of its line like any other.
    fn stray_line_end(&mut self) {
        self.line = self.line.saturating_add(1);
        // In a header section it is what no way of lines may carry either (RFC 5321 2.3.8).
        self.facts.binary = true;
        if self.place != Place::Value {
            self.place = Place::Body;
        }
    }
}

/// How long the longest of these lines is, which all end with CRLF, without that.
fn longest_line(lines: &[u8]) -> usize {
    // Where the LF of a line is at the most if that is no longer than all before.
    let mut longest = 0;
    let mut start = 0;
    // Looked for from behind: all the shorter lines before the one found need no look, and of lines of the
    // same length each needs one.
    while let Some(window) = lines.get(start..=start + longest) {
        start += if window[longest] == b'\n' {
            longest + 1
        } else if let Some(end) = memrchr(b'\n', window) {
            end + 1
        } else {
            // The lines end with one: it is there.
            longest += memchr(b'\n', &lines[start + longest..]).unwrap_or(0);
            longest + 1
        };
    }
    longest.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn scan(pieces: &[&[u8]]) -> Facts {
        let mut scanner = Scanner::new();
        for piece in pieces {
            scanner.push(piece);
        }
        scanner.finish()
    }

    /// The same facts from the whole message at once, with nothing in common but the definitions.
    fn reference(message: &[u8]) -> Facts {
        let lines = lines_of(message);
        let mut header_lines = 0;
        let mut received_count = 0;
        for line in &lines {
            let continues = matches!(line.first(), Some(b' ' | b'\t')) && header_lines > 0;
            match field_name(line) {
                _ if continues => {}
                Some(name) => {
                    received_count += u32::from(name.eq_ignore_ascii_case(b"Received"));
                }
                None => break,
            }
            header_lines += 1;
        }
        let header: Vec<u8> = lines[..header_lines].concat();
        let body_lines = &lines[header_lines..];
        let stray = |line: &Vec<u8>| line.iter().any(|o| [0, b'\r', b'\n'].contains(o));
        Facts {
            size: message.len() as u64,
            eight_bit_header: header.iter().any(|o| *o > 127),
            eight_bit_body: body_lines.concat().iter().any(|o| *o > 127),
            binary: body_lines.iter().any(stray)
                || header.iter().any(|o| [b'\r', b'\n'].contains(o)),
            longest_line: lines.iter().map(Vec::len).max().unwrap_or(0) as u64,
            received_count,
        }
    }

    /// The lines without their CRLF, and what stands after the last one.
    fn lines_of(message: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = vec![Vec::new()];
        let mut at = 0;
        while at < message.len() {
            if message[at..].starts_with(b"\r\n") {
                lines.push(Vec::new());
                at += 2;
            } else {
                lines
                    .last_mut()
                    .expect("it begins with one")
                    .push(message[at]);
                at += 1;
            }
        }
        lines
    }

    fn field_name(line: &[u8]) -> Option<&[u8]> {
        let colon = line.iter().position(|o| *o == b':')?;
        let name = line[..colon].trim_ascii_end();
        // trim_ascii_end also takes CR, LF and form feed; these make it no field.
        let between = &line[name.len()..colon];
        (!name.is_empty()
            && name.iter().all(|o| (33..=126).contains(o))
            && between.iter().all(|o| [b' ', b'\t'].contains(o)))
        .then_some(name)
    }

    #[test]
    fn fields_are_counted_in_any_case_and_folded_lines_are_not() {
        let facts = scan(&[
            b"received: a\r\n Received: folded\r\nRECEIVED \t: b\r\nX-Received: c\r\n\
              Receive: d\r\nReceivedd: e\r\n\r\nReceived: in the body\r\n",
        ]);
        assert_eq!(facts.received_count, 2);
    }

    #[test]
    fn a_message_may_begin_with_its_body() {
        for message in [
            "no colon here\r\nReceived: x\r\n",
            " folded nothing\r\nReceived: x\r\n",
            "\r\nReceived: x\r\n",
            ": no name\r\nReceived: x\r\n",
            "N\u{e4}me: x\r\nReceived: x\r\n",
        ] {
            let facts = scan(&[message.as_bytes()]);
            assert_eq!(facts.received_count, 0, "{message:?}");
            assert!(!facts.eight_bit_header, "{message:?}");
            assert_eq!(facts.eight_bit_body, !message.is_ascii(), "{message:?}");
        }
    }

    #[test]
    fn the_empty_message_has_no_facts() {
        assert_eq!(scan(&[]), Facts::default());
        assert_eq!(scan(&[b"", b""]), Facts::default());
    }

    #[test]
    fn a_long_line_is_measured_without_its_end() {
        let long = vec![b'x'; 5000];
        let facts = scan(&[b"A: b\r\n\r\n", &long[..1000], &long[1000..], b"\r\nshort"]);
        assert_eq!(facts.longest_line, 5000);
        assert_eq!(scan(&[b"A: b\r\n\r\n", &long]).longest_line, 5000);
    }

    #[test]
    fn line_ends_that_are_none_make_a_message_binary() {
        for body in ["a\rb\r\n", "a\nb\r\n", "a\r", "\r\r\n", "\0\r\n"] {
            let message = alloc::format!("A: b\r\n\r\n{body}");
            assert!(scan(&[message.as_bytes()]).binary, "{body:?}");
        }
        for header in ["A: b\rc\r\n", "A: b\nc\r\n", "A: b\n.\r\n", "A: b\r"] {
            let facts = scan(&[header.as_bytes()]);
            assert!(facts.binary, "{header:?}");
        }
        assert!(!scan(&[b"A: b\r\n\r", b"\nc\r", b"\n"]).binary);
    }

    /// Messages in which what matters is frequent.
    fn messages() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\n".to_vec()),
            Just(b":".to_vec()),
            Just(b" ".to_vec()),
            Just(b"\t".to_vec()),
            Just(b"\0".to_vec()),
            Just(b"\x0c".to_vec()),
            Just(b"Received".to_vec()),
            Just(b"rEcEiVeD:".to_vec()),
            Just(b"Subject: x\r\n".to_vec()),
            Just("\u{e9}".as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..4),
            "[a-z]{0,90}".prop_map(Vec::from),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_gives_what_the_whole_gives(
            message in messages(),
            cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            let expected = reference(&message);
            prop_assert_eq!(scan(&[&message]), expected);
            let single: Vec<&[u8]> = message.chunks(1).collect();
            prop_assert_eq!(scan(&single), expected);
            let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (message.len() + 1)).collect();
            cuts.sort_unstable();
            let mut scanner = Scanner::new();
            let mut from = 0;
            for cut in cuts {
                scanner.push(&message[from..cut]);
                from = cut;
            }
            scanner.push(&message[from..]);
            prop_assert_eq!(scanner.finish(), expected);
        }
    }
}
