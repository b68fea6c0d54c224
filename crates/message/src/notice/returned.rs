//! The last part of a notice: the message it is about, or its header section.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::LONGEST_LINE;

/// What a notice returns of the message.
#[derive(Debug, Clone, Copy)]
pub enum Returned<'a> {
    /// All of it: its trace fields and what was received.
    Message(&'a [u8]),
    /// Its header section: what is here up to the first empty line. It may be cut short.
    Headers(&'a [u8]),
}

impl<'a> Returned<'a> {
    /// What can be returned of a message of which `octets` are there: all of it where that is
    /// wanted and a mail server can carry it inside another message, else its header section.
    pub fn of(octets: &'a [u8], whole: bool, wanted: bool) -> Returned<'a> {
        // RFC 2046 5.2.1: what message/rfc822 holds can't be encoded, so what no 8-bit way can
        // carry is not put there.
        let carried = || {
            let fits = |line: &[u8]| line.len() <= LONGEST_LINE + 1;
            let clean = memchr::memchr(0, octets).is_none() && has_lines_only(octets);
            clean && octets.split(|octet| *octet == b'\n').all(fits)
        };
        if whole && wanted && carried() {
            Returned::Message(octets)
        } else {
            Returned::Headers(octets)
        }
    }

    /// All that is here of the message.
    pub(super) fn all(&self) -> &'a [u8] {
        match self {
            Returned::Message(octets) | Returned::Headers(octets) => octets,
        }
    }

    /// The octets of the part.
    pub(super) fn octets(&self) -> Cow<'a, [u8]> {
        match self {
            Returned::Message(octets) => Cow::Borrowed(octets),
            Returned::Headers(octets) => Cow::Owned(header_section(octets)),
        }
    }

    /// The fields that say what the part is.
    pub(super) fn content_type(&self, smtputf8: bool, octets: &[u8]) -> String {
        let kind = match (self, smtputf8 && !octets.is_ascii()) {
            (Returned::Message(_), false) => "message/rfc822",
            (Returned::Message(_), true) => "message/global",
            (Returned::Headers(_), false) => "text/rfc822-headers",
            (Returned::Headers(_), true) => "message/global-headers",
        };
        let encoding = if octets.is_ascii() { "7bit" } else { "8bit" };
        format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n")
    }

    /// What the part is, to a person.
    pub(super) fn in_words(&self) -> &'static str {
        match self {
            Returned::Message(_) => "the message itself",
            Returned::Headers(_) => "the first lines of the message, without its text",
        }
    }

    pub(super) fn description(&self) -> &'static str {
        match self {
            Returned::Message(_) => "Undelivered message",
            Returned::Headers(_) => "Header section of the message",
        }
    }
}

/// Whether there is no CR and no LF but in CRLF.
fn has_lines_only(octets: &[u8]) -> bool {
    let mut after_cr = false;
    for octet in octets {
        if after_cr != (*octet == b'\n') {
            return false;
        }
        after_cr = *octet == b'\r';
    }
    !after_cr
}

/// The lines before the first empty one, each cut where it is too long, with NULs made `?`.
fn header_section(octets: &[u8]) -> Vec<u8> {
    let mut section = Vec::new();
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            break;
        }
        let text = &text[..text.len().min(LONGEST_LINE)];
        section.extend(text.iter().map(|octet| match octet {
            0 | b'\r' => b'?',
            octet => *octet,
        }));
        section.extend_from_slice(b"\r\n");
    }
    section
}
