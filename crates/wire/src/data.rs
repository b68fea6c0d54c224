//! Message data after DATA: dot-stuffing and the end of data (RFC 5321 4.1.1.4, 4.5.2).

use alloc::vec::Vec;
use bytes::Bytes;

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
#[derive(Debug)]
pub struct DataReader {
    maximum: u64,
}

impl DataReader {
    /// A reader for what follows 354. Octets over `maximum` are counted but dropped.
    pub fn new(maximum: u64, bare: BareLineEnds) -> DataReader {
        let _ = bare;
        DataReader { maximum }
    }

    /// Takes the next octets off `input`. `None` says that all of `input` was taken and there is nothing to
    /// hand out.
    pub fn read(&mut self, input: &mut Bytes) -> Option<Data> {
        let _ = input;
        todo!()
    }

    /// How many octets the message has so far, handed out or dropped.
    pub fn octets(&self) -> u64 {
        todo!()
    }

    /// Whether it is over the maximum, so that octets were dropped.
    pub fn is_over_maximum(&self) -> bool {
        self.octets() > self.maximum
    }

    /// Where the first CR without LF is, as octets of the message before it.
    pub fn bare_cr(&self) -> Option<u64> {
        todo!()
    }

    /// Where the first LF without CR is, as octets of the message before it.
    pub fn bare_lf(&self) -> Option<u64> {
        todo!()
    }
}

/// Writes a message as DATA wants it: dots stuffed, ended by CRLF.CRLF.
#[derive(Debug, Default)]
pub struct DataWriter {}

impl DataWriter {
    /// A writer at the start of a message.
    pub fn new() -> DataWriter {
        DataWriter {}
    }

    /// Writes the next octets of the message to `out`.
    pub fn write(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let _ = (octets, out);
        todo!()
    }

    /// Ends the message; adds a CRLF where its last line has none.
    pub fn finish(self, out: &mut Vec<u8>) {
        let _ = out;
        todo!()
    }
}
