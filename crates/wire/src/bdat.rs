//! The octets that follow a BDAT line (RFC 3030 2).

use bytes::Bytes;

/// Takes one chunk off a stream that comes in any pieces.
#[derive(Debug)]
pub struct ChunkReader {
    left: u64,
}

impl ChunkReader {
    /// A reader for the `size` octets that follow a BDAT line.
    pub const fn new(size: u64) -> ChunkReader {
        ChunkReader { left: size }
    }

    /// Takes what `input` has of the chunk, uncopied; empty when `input` or the chunk is at
    /// its end.
    pub fn read(&mut self, input: &mut Bytes) -> Bytes {
        let have = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
        self.left -= have as u64;
        input.split_to(have)
    }

    /// How many octets of the chunk have not come yet.
    pub const fn left(&self) -> u64 {
        self.left
    }
}
