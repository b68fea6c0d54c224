//! Line ends of a message that comes by BDAT, which has no reader of lines (RFC 3030 2 wants
//! CRLF there as everywhere).

use bytes::{Bytes, BytesMut};

/// Watches for a CR or an LF that is no CRLF, over any pieces.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    /// The last octet was a CR, and what follows isn't known yet.
    after_cr: bool,
}

impl LineEnds {
    /// Whether `octets`, after those before them, show a bare CR or LF.
    pub(super) fn are_broken_by(&mut self, octets: &[u8]) -> bool {
        let mut broken = false;
        for &octet in octets {
            broken |= self.after_cr != (octet == b'\n');
            self.after_cr = octet == b'\r';
        }
        broken
    }

    /// The same octets with each bare CR or LF made CRLF, uncopied where there is none. A CR at
    /// the very end is held back until it is known what follows.
    pub(super) fn normalise(&mut self, octets: Bytes) -> Bytes {
        let held_back = self.after_cr;
        if !self.are_broken_by(&octets) && !held_back {
            // None was held back before, so a CR at the end is one of these.
            return octets.slice(..octets.len() - usize::from(self.after_cr));
        }
        let mut made = BytesMut::with_capacity(octets.len() + octets.len() / 8 + 2);
        let mut after_cr = held_back;
        for &octet in &octets {
            if after_cr || octet == b'\n' {
                made.extend_from_slice(b"\r\n");
            }
            if !matches!(octet, b'\r' | b'\n') {
                made.extend_from_slice(&[octet]);
            }
            after_cr = octet == b'\r';
        }
        made.freeze()
    }

    /// Whether the message ends in a bare CR.
    pub(super) fn end_broken(&self) -> bool {
        self.after_cr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a message becomes, given in pieces.
    fn normalised(pieces: &[&'static [u8]]) -> BytesMut {
        let mut ends = LineEnds::default();
        let mut made = BytesMut::new();
        for piece in pieces {
            made.extend_from_slice(&ends.normalise(Bytes::from_static(piece)));
        }
        if ends.end_broken() {
            made.extend_from_slice(b"\r\n");
        }
        made
    }

    #[test]
    fn bare_line_ends_become_crlf_whatever_the_pieces() {
        for (message, wanted) in [
            (&b"a\r\nb\r\n"[..], &b"a\r\nb\r\n"[..]),
            (b"a\nb\rc\r\n", b"a\r\nb\r\nc\r\n"),
            (b"\n.\n\r.\r", b"\r\n.\r\n\r\n.\r\n"),
            (b"\r\r\n\n", b"\r\n\r\n\r\n"),
            (b"", b""),
        ] {
            assert_eq!(normalised(&[message]), wanted, "{message:?}");
            for at in 0..message.len() {
                let (one, two) = message.split_at(at);
                assert_eq!(normalised(&[one, two]), wanted, "{message:?} cut at {at}");
            }
        }
    }

    #[test]
    fn only_bare_line_ends_are_broken() {
        for (message, broken) in [
            (&b"a\r\nb\r\n"[..], false),
            (b"a\n", true),
            (b"a\rb", true),
            (b"a\r", true),
            (b"\r\r\n", true),
        ] {
            for at in 0..message.len() {
                let mut ends = LineEnds::default();
                let found = ends.are_broken_by(&message[..at]) | ends.are_broken_by(&message[at..]);
                assert_eq!(found | ends.end_broken(), broken, "{message:?} cut at {at}");
            }
        }
    }
}
