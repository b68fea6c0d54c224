//! Reads a peer's replies.

use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, mem};

use bytes::Bytes;
use postroad_reply::{Code, Enhanced, Severity};

/// What a peer answered. Its text is safe to log and to show: no control characters, bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerReply {
    /// The code; whatever it is, its first digit says what to do (RFC 5321 4.2.1).
    pub code: Code,
    /// The enhanced code of the first line, if it has one that fits the code.
    pub enhanced: Option<Enhanced>,
    /// The text of each line, without code and enhanced code. Lines past
    /// [`ReplyReader::LINES`] are left out, long ones cut.
    pub lines: Vec<String>,
}

impl PeerReply {
    /// What the first digit says.
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// Why what a peer sent is no reply. There is no going on with such a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadableReply {
    /// A line doesn't begin with a code from 200 to 599 and a space, a hyphen or its end.
    NoCode,
    /// The lines of one reply have different codes (RFC 5321 4.2.1).
    MixedCodes,
    /// It is over [`ReplyReader::OCTETS`].
    TooLong,
}

/// Takes replies off a stream that comes in any pieces.
///
/// It holds no more than a reply's kept text, and at most one line of [`ReplyReader::LINE`] octets.
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// The line begun, as far as it is kept.
    line: Vec<u8>,
    /// Whether the last octet that came was a CR.
    after_cr: bool,
    /// How many octets of the reply have come.
    octets: usize,
    /// What earlier lines of the reply said.
    begun: Option<PeerReply>,
}

impl ReplyReader {
    /// How many lines of one reply are kept.
    pub const LINES: usize = 256;
    /// How many octets of one line are kept. RFC 5321 4.5.3.1.5 allows 512; more are borne with.
    pub const LINE: usize = 1024;
    /// How many octets one reply may have, kept or not.
    pub const OCTETS: usize = 1 << 17;

    /// A reader at the start of a reply.
    pub fn new() -> ReplyReader {
        ReplyReader::default()
    }

    /// Takes the next reply off `input`. `None` says that all of `input` was taken and the reply
    /// isn't complete.
    pub fn read(&mut self, input: &mut Bytes) -> Option<Result<PeerReply, UnreadableReply>> {
        while !input.is_empty() {
            let lf = memchr::memchr(b'\n', input);
            let piece = input.split_to(lf.map_or(input.len(), |at| at + 1));
            self.octets = self.octets.saturating_add(piece.len());
            if self.octets > Self::OCTETS {
                return Some(Err(UnreadableReply::TooLong));
            }
            if !self.take(&piece) {
                continue;
            }
            match self.finish_line() {
                Ok(None) => {}
                Ok(Some(reply)) => return Some(Ok(reply)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// Takes a piece that has an LF at its end or nowhere. Whether that ends the line: an LF
    /// without CR doesn't (RFC 5321 2.3.8).
    fn take(&mut self, piece: &[u8]) -> bool {
        let ends = match piece {
            [.., b'\r', b'\n'] => true,
            [b'\n'] => self.after_cr,
            _ => false,
        };
        self.after_cr = piece.ends_with(b"\r");
        let room = Self::LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
        ends
    }

    /// Reads the line that is complete; the reply, if it was its last.
    fn finish_line(&mut self) -> Result<Option<PeerReply>, UnreadableReply> {
        let line = mem::take(&mut self.line);
        self.after_cr = false;
        let line = line.trim_ascii_end();
        let (digits, rest) = line.split_at_checked(3).ok_or(UnreadableReply::NoCode)?;
        let code = code(digits).ok_or(UnreadableReply::NoCode)?;
        let (last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return Err(UnreadableReply::NoCode),
        };
        let text = printable(text);
        let mut reply = match self.begun.take() {
            Some(reply) if reply.code != code => return Err(UnreadableReply::MixedCodes),
            Some(reply) => reply,
            None => PeerReply {
                code,
                enhanced: split_enhanced(&text, code).map(|(enhanced, _)| enhanced),
                lines: Vec::new(),
            },
        };
        if reply.lines.len() < Self::LINES {
            // Each line repeats the enhanced code (RFC 2034 4).
            let own = match split_enhanced(&text, code) {
                Some((enhanced, own)) if reply.enhanced == Some(enhanced) => own.into(),
                _ => text,
            };
            reply.lines.push(own);
        }
        if last {
            self.octets = 0;
            return Ok(Some(reply));
        }
        self.begun = Some(reply);
        Ok(None)
    }
}

fn code(digits: &[u8]) -> Option<Code> {
    digits
        .iter()
        .try_fold(0u16, |sum, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            Some(sum * 10 + digit as u16)
        })
        .and_then(Code::new)
}

fn split_enhanced(text: &str, code: Code) -> Option<(Enhanced, &str)> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let enhanced = Enhanced::parse(word)?;
    enhanced.fits(code).then_some((enhanced, rest))
}

/// The text as UTF-8, with a `?` for each control character and line separator.
fn printable(octets: &[u8]) -> String {
    let plain = |c: char| match c {
        '\t' => ' ',
        '\u{2028}' | '\u{2029}' => '?',
        c if c.is_control() => '?',
        c => c,
    };
    String::from_utf8_lossy(octets).chars().map(plain).collect()
}

impl fmt::Display for UnreadableReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnreadableReply::NoCode => "the peer's line begins with no reply code",
            UnreadableReply::MixedCodes => "the lines of the peer's reply have different codes",
            UnreadableReply::TooLong => "the peer's reply is too long",
        })
    }
}

impl core::error::Error for UnreadableReply {}
