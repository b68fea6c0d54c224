//! Message data after DATA: dot-stuffing and the end of data (RFC 5321 4.1.1.4, 4.5.2).

use bytes::{BufMut, Bytes};
use memchr::memmem;

/// What becomes of a CR without LF and an LF without CR in message data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BareLineEnds {
    /// They stay as they are; [`DataReader::bare_cr`] and [`DataReader::bare_lf`] tell of them.
    #[default]
    Keep,
    /// Each becomes CRLF, and is told of just the same.
    Normalise,
}

/// What [`DataReader::read`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Octets of the message, never none.
    Octets(Bytes),
    /// The end of data; what is left of the input comes after it.
    End,
}

/// Takes the message off a stream that comes in any pieces, up to CRLF.CRLF.
///
/// Only CRLF ends a line, so nothing but CRLF.CRLF, or .CRLF as the very first line, ends the
/// data (RFC 5321 4.1.1.4): a reader that takes LF.LF or the like lets a client hide a second
/// message inside the first.
#[derive(Debug)]
pub struct DataReader {
    maximum: u64,
    normalise: bool,
    place: Place,
    /// To be handed out before anything else.
    pending: &'static [u8],
    octets: u64,
    bare_cr: Option<u64>,
    bare_lf: Option<u64>,
}

/// Where in its line the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start, after CRLF or before everything.
    Start,
    /// After a dot at the start, which is not part of the message.
    Dot,
    /// After a dot at the start and a CR, which is not handed out yet.
    DotCr,
    /// Anywhere else.
    Inside,
    /// After a CR that is not handed out yet, anywhere else.
    Cr,
}

impl DataReader {
    /// A reader for what follows 354. Of a message over `maximum` octets the rest is counted
    /// but not handed out.
    pub const fn new(maximum: u64, bare: BareLineEnds) -> DataReader {
        DataReader {
            maximum,
            normalise: matches!(bare, BareLineEnds::Normalise),
            place: Place::Start,
            pending: &[],
            octets: 0,
            bare_cr: None,
            bare_lf: None,
        }
    }

    /// Takes the next octets off `input`: slices of `input` itself but for a CRLF or CR at its
    /// edge. `None` says that all of `input` was taken and there is nothing to hand out. Not to be
    /// called again after [`Data::End`]: what comes then would be read as another message.
    pub fn read(&mut self, input: &mut Bytes) -> Option<Data> {
        loop {
            let found = if self.pending.is_empty() {
                match self.step(input)? {
                    Step::Octets(octets) => octets,
                    Step::Nothing => continue,
                    Step::End => return Some(Data::End),
                }
            } else {
                Bytes::from_static(core::mem::take(&mut self.pending))
            };
            self.octets += found.len() as u64;
            if !found.is_empty() && self.octets <= self.maximum {
                return Some(Data::Octets(found));
            }
        }
    }

    /// How many octets the message has so far, handed out or dropped: with its CRLFs, without
    /// stuffed dots and the last line (RFC 1870 5).
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether it is over the maximum, so that octets were dropped.
    pub const fn is_over_maximum(&self) -> bool {
        self.octets > self.maximum
    }

    /// Where the first CR without LF is, as octets of the message before it.
    pub const fn bare_cr(&self) -> Option<u64> {
        self.bare_cr
    }

    /// Where the first LF without CR is, as octets of the message before it.
    pub const fn bare_lf(&self) -> Option<u64> {
        self.bare_lf
    }

    fn step(&mut self, input: &mut Bytes) -> Option<Step> {
        let next = *input.first()?;
        let (place, taken) = match (self.place, next) {
            (Place::Start, b'.') => (Place::Dot, true),
            (Place::Dot, b'\r') => (Place::DotCr, true),
            (Place::DotCr, b'\n') => {
                *input = input.slice(1..);
                return Some(Step::End);
            }
            (Place::Cr, b'\n') => {
                self.pending = b"\r\n";
                (Place::Start, true)
            }
            (Place::DotCr | Place::Cr, _) => {
                self.bare_cr.get_or_insert(self.octets);
                self.pending = if self.normalise { b"\r\n" } else { b"\r" };
                (Place::Inside, false)
            }
            // RFC 5321 4.5.2: a dot with anything else after it was only stuffing.
            (Place::Start | Place::Dot, _) => (Place::Inside, false),
            (Place::Inside, _) => return Some(Step::Octets(self.inside(input))),
        };
        self.place = place;
        if taken {
            *input = input.slice(1..);
        }
        Some(Step::Nothing)
    }

    /// Takes octets from inside a line on, over as many lines as have no dot at their start.
    fn inside(&mut self, input: &mut Bytes) -> Bytes {
        let (mut from, mut look_at) = (0, 0);
        loop {
            if from >= look_at {
                from += plain(&input[from..]);
                // What stands there isn't plain, and isn't looked at again line by line.
                look_at = from + PIECE;
            }
            let Some(found) = memchr::memchr2(b'\r', b'\n', &input[from..]) else {
                return core::mem::take(input);
            };
            let at = from + found;
            match (input[at], input.get(at + 1)) {
                (b'\r', Some(b'\n')) => match input.get(at + 2) {
                    Some(b'.') | None => {
                        self.place = Place::Start;
                        return input.split_to(at + 2);
                    }
                    Some(_) => from = at + 2,
                },
                (b'\r', None) => {
                    self.place = Place::Cr;
                    let line = input.split_to(at);
                    input.clear();
                    return line;
                }
                (bare, _) => {
                    let first = match bare {
                        b'\r' => &mut self.bare_cr,
                        _ => &mut self.bare_lf,
                    };
                    first.get_or_insert(self.octets + at as u64);
                    if self.normalise {
                        // A dot after it was not stuffed by a sender that knows SMTP, so the
                        // place stays inside the line.
                        self.pending = b"\r\n";
                        let line = input.split_to(at);
                        *input = input.slice(1..);
                        return line;
                    }
                    from = at + 1;
                }
            }
        }
    }
}

/// How many octets [`plain`] looks at together.
const PIECE: usize = 512;

/// How many octets at the front of `input` have nothing to be looked at, in whole pieces: no CR or LF but in
/// CRLF, and no dot behind an LF. They are looked at many at a time, so it is several times as fast as to go from line
/// to line.
fn plain(input: &[u8]) -> usize {
    let is_plain = |at: &usize| {
        // With the octet behind it, which makes a CRLF of a CR, and text of an LF.
        let Some(piece) = input.get(*at..at + PIECE + 1) else {
            return false;
        };
        // What the octets are to those before and behind the piece is not seen here.
        let begins_or_ends_a_line = piece[0] == b'\n' || piece[PIECE - 1] == b'\r';
        let pairs = piece.iter().zip(&piece[1..]);
        !pairs.fold(begins_or_ends_a_line, |found, (one, next)| {
            let is_bare = (*one == b'\r') != (*next == b'\n');
            found | is_bare | ((*one == b'\n') & (*next == b'.'))
        })
    };
    let pieces = (0..).step_by(PIECE).take_while(is_plain).count();
    pieces * PIECE
}

/// What one step over the input gave.
enum Step {
    /// Octets of the message, perhaps none.
    Octets(Bytes),
    /// The place has moved.
    Nothing,
    /// The end of data.
    End,
}

/// Writes a message as DATA wants it: dots stuffed, ended by CRLF.CRLF (RFC 5321 4.5.2).
///
/// Give it a message whose every CR and LF is part of a CRLF; others pass as they are, and a careless
/// receiver may take them for line ends.
#[derive(Debug, Default)]
pub struct DataWriter {
    place: Written,
}

/// What was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Written {
    /// CRLF, or nothing at all.
    #[default]
    LineEnd,
    /// CR.
    Cr,
    /// Anything else.
    Other,
}

impl DataWriter {
    /// A writer at the start of a message.
    pub fn new() -> DataWriter {
        DataWriter::default()
    }

    /// Writes the next octets of the message to `out`.
    pub fn write(&mut self, octets: &[u8], out: &mut impl BufMut) {
        let mut rest = octets;
        if self.place == Written::Cr && rest.starts_with(b"\n") {
            out.put_slice(b"\n");
            self.place = Written::LineEnd;
            rest = &rest[1..];
        }
        if rest.is_empty() {
            return;
        }
        if self.place == Written::LineEnd && rest.starts_with(b".") {
            out.put_slice(b".");
        }
        self.place = match rest {
            [.., b'\r', b'\n'] => Written::LineEnd,
            [.., b'\r'] => Written::Cr,
            _ => Written::Other,
        };
        let mut from = 0;
        for at in memmem::find_iter(rest, b"\r\n.") {
            out.put_slice(&rest[from..at + 2]);
            out.put_slice(b".");
            from = at + 2;
        }
        out.put_slice(&rest[from..]);
    }

    /// Ends the message; adds a CRLF where its last line has none (RFC 5321 4.1.1.4).
    pub fn finish(self, out: &mut impl BufMut) {
        if self.place != Written::LineEnd {
            out.put_slice(b"\r\n");
        }
        out.put_slice(b".\r\n");
    }
}

#[cfg(test)]
mod tests;
