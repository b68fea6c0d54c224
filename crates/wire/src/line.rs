//! Command lines, taken off the stream (RFC 5321 2.3.8, 4.5.3.1.4).

use bytes::Bytes;

use crate::extension::Extensions;

/// How long a command line may be, in octets with its CRLF (RFC 5321 4.5.3.1.4).
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
    /// The smallest limit a server may have (RFC 5321 4.5.3.1.4).
    pub const LEAST: usize = 512;

    /// The limits where `command` is the limit of a line without parameters and each of
    /// `extensions` adds what its RFC states.
    pub fn new(command: usize, extensions: &Extensions) -> LineLimits {
        let _ = (command, extensions);
        todo!()
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
/// A line ends at CRLF and nowhere else. What is unreadable is so up to its CRLF, and gives one
/// [`Unreadable`]. Between lines it holds no memory.
#[derive(Debug)]
pub struct LineReader {
    limits: LineLimits,
}

impl LineReader {
    /// A reader at the start of a line.
    pub fn new(limits: LineLimits) -> LineReader {
        LineReader { limits }
    }

    /// Sets other limits, from the next line on.
    pub fn set_limits(&mut self, limits: LineLimits) {
        self.limits = limits;
    }

    /// Takes the next line off `input`, without its CRLF: a slice of `input` itself where the line lies
    /// wholly in it. `None` says that all of `input` was taken and the line isn't complete.
    pub fn read(&mut self, input: &mut Bytes) -> Option<Result<Bytes, Unreadable>> {
        let _ = input;
        todo!()
    }

    /// Whether part of a line has been taken.
    pub fn is_inside_line(&self) -> bool {
        todo!()
    }

    /// Forgets a line begun (RFC 3207 4.2: nothing from before TLS survives).
    pub fn clear(&mut self) {
        todo!()
    }
}
