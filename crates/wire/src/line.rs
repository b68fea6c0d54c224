//! Command lines, taken off the stream (RFC 5321 2.3.8, 4.5.3.1.4).

use alloc::vec::Vec;
use core::{fmt, mem};

use bytes::Bytes;

use crate::command::Verb;
use crate::extension::Extensions;

/// How long a command line may be, in octets with its CRLF; 512 at least (RFC 5321 4.5.3.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineLimits {
    /// Any command without a limit of its own.
    pub command: usize,
    /// MAIL, with room for the parameters of the offered extensions.
    pub mail: usize,
    /// RCPT, likewise.
    pub rcpt: usize,
}

impl LineLimits {
    /// The limits where `command` is the limit of a line without parameters and each of
    /// `extensions` adds what its RFC states.
    pub fn new(command: usize, extensions: &Extensions) -> LineLimits {
        let mut mail = command;
        let mut rcpt = command;
        if extensions.size.is_some() {
            mail += 26; // RFC 1870 3 (5)
        }
        if extensions.binary_mime {
            mail += 16; // RFC 3030 3 (8), room for the longest BODY
        } else if extensions.eight_bit_mime {
            mail += 14; // RFC 6152 gives no number; this is ` BODY=8BITMIME`
        }
        if extensions.smtputf8 {
            mail += 10; // RFC 6531 3.1 (5)
        }
        if extensions.auth.is_some() {
            mail += 500; // RFC 4954 3 (6)
        }
        if extensions.dsn {
            // RFC 3461 5.4, each parameter with the space before it.
            mail += 1 + 100 + 1 + 8; // ENVID, RET
            rcpt += 1 + 500 + 1 + 28; // ORCPT, NOTIFY
        }
        LineLimits {
            command,
            mail,
            rcpt,
        }
    }

    /// The limits of an authentication exchange (RFC 4954 4): no line of it is longer in any mechanism
    /// that is in use.
    pub const fn of_exchange() -> LineLimits {
        const MOST: usize = 12_288;
        LineLimits {
            command: MOST,
            mail: MOST,
            rcpt: MOST,
        }
    }

    fn of(&self, line: &[u8]) -> usize {
        match Verb::of(line) {
            Ok((Verb::Mail, _)) => self.mail,
            Ok((Verb::Rcpt, _)) => self.rcpt,
            _ => self.command,
        }
    }

    fn greatest(&self) -> usize {
        self.command.max(self.mail).max(self.rcpt)
    }
}

/// Why a line can't be read as a command at all: 500 5.5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is over its limit; all of it up to the CRLF is gone.
    TooLong,
    /// A NUL.
    Nul,
    /// A CR that no LF follows.
    BareCr,
    /// An LF that no CR precedes. It doesn't end the line.
    BareLf,
    /// Another control octet but HT.
    Control,
}

/// Takes command lines off a stream that comes in any pieces.
///
/// A line ends at CRLF and nowhere else (RFC 5321 2.3.8). What is unreadable is so up to its
/// CRLF, and gives one [`Unreadable`]: were a bare LF to end it too, what follows would be read
/// as a command that a stricter reader never saw. Between lines it holds no memory, and within
/// one never more than the greatest limit.
#[derive(Debug)]
pub struct LineReader {
    limits: LineLimits,
    /// What has come of the line: octets without an LF.
    begun: Begun,
}

#[derive(Debug)]
enum Begun {
    /// Kept, as the line may still be good.
    Kept(Vec<u8>),
    /// Dropped, as it can't be.
    Dropped { why: Unreadable, ends_in_cr: bool },
}

impl LineReader {
    /// A reader at the start of a line.
    pub const fn new(limits: LineLimits) -> LineReader {
        LineReader {
            limits,
            begun: Begun::NOTHING,
        }
    }

    /// Takes the next line off `input`, without its CRLF: a slice of `input` itself where the
    /// line lies wholly in it. `None` says that all of `input` was taken and the line isn't
    /// complete.
    pub fn read(&mut self, input: &mut Bytes) -> Option<Result<Bytes, Unreadable>> {
        // Each octet is looked at once for its LF, whatever the pieces.
        while let Some(lf) = memchr::memchr(b'\n', input) {
            let piece = input.split_to(lf + 1);
            if self.begun.ends_in_cr(&piece[..lf]) {
                return Some(self.finish(piece));
            }
            self.drop_line(&piece[..lf], Some(Unreadable::BareLf));
        }
        self.keep(input);
        input.clear();
        None
    }

    /// Forgets a line begun (RFC 3207 4.2: nothing from before TLS survives).
    pub fn clear(&mut self) {
        self.begun = Begun::NOTHING;
    }

    /// Ends the line with its last `piece`, CRLF included or at least its LF.
    fn finish(&mut self, piece: Bytes) -> Result<Bytes, Unreadable> {
        let mut line = match mem::replace(&mut self.begun, Begun::NOTHING) {
            Begun::Dropped { why, .. } => return Err(why),
            Begun::Kept(octets) if octets.is_empty() => piece,
            Begun::Kept(octets) if octets.len() + piece.len() > self.limits.greatest() => {
                return Err(Unreadable::TooLong);
            }
            Begun::Kept(mut octets) => {
                octets.extend_from_slice(&piece);
                octets.into()
            }
        };
        let length = line.len();
        // The caller has seen that it ends in CRLF, of which the CR may be in what was kept.
        line.truncate(length - 2);
        if length > self.limits.of(&line) {
            return Err(Unreadable::TooLong);
        }
        first_control(&line).map_or(Ok(line), Err)
    }

    /// Keeps a `piece` without LF while the line may still be within its limit.
    fn keep(&mut self, piece: &[u8]) {
        match &mut self.begun {
            // At least the LF is still to come.
            Begun::Kept(octets) if octets.len() + piece.len() < self.limits.greatest() => {
                octets.extend_from_slice(piece);
            }
            _ => self.drop_line(piece, None),
        }
    }

    /// Drops the line, of which `piece` has just come, before an LF without CR or without any
    /// LF. The reason is the same however the line came in pieces.
    fn drop_line(&mut self, piece: &[u8], bare_lf: Option<Unreadable>) {
        let why = match &mut self.begun {
            Begun::Dropped { why, .. } => *why,
            Begun::Kept(octets) => match bare_lf {
                Some(bare_lf) if octets.len() + piece.len() < self.limits.greatest() => {
                    octets.extend_from_slice(piece);
                    first_control(octets).unwrap_or(bare_lf)
                }
                _ => Unreadable::TooLong,
            },
        };
        // Before a bare LF there is no CR, and after it there is none either.
        let ends_in_cr = self.begun.ends_in_cr(piece);
        self.begun = Begun::Dropped { why, ends_in_cr };
    }
}

impl Begun {
    const NOTHING: Begun = Begun::Kept(Vec::new());

    /// Whether what has come, with `piece` after it, ends in CR.
    fn ends_in_cr(&self, piece: &[u8]) -> bool {
        let last = match (piece.last(), self) {
            (Some(last), _) => Some(last),
            (None, Begun::Kept(octets)) => octets.last(),
            (None, Begun::Dropped { ends_in_cr, .. }) => return *ends_in_cr,
        };
        last == Some(&b'\r')
    }
}

/// Why the line is unreadable by its first control octet. HT is none of them: it may stand at the
/// end (RFC 5321 4.1.1), and elsewhere it is a matter of syntax.
fn first_control(line: &[u8]) -> Option<Unreadable> {
    line.iter().find_map(|octet| match octet {
        b'\t' => None,
        0 => Some(Unreadable::Nul),
        b'\r' => Some(Unreadable::BareCr),
        _ if octet.is_ascii_control() => Some(Unreadable::Control),
        _ => None,
    })
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unreadable::TooLong => "line too long",
            Unreadable::Nul => "NUL in the line",
            Unreadable::BareCr => "CR without LF in the line",
            Unreadable::BareLf => "LF without CR in the line",
            Unreadable::Control => "control character in the line",
        })
    }
}

impl core::error::Error for Unreadable {}

#[cfg(test)]
mod tests;
