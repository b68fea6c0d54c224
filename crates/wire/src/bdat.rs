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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_taken_to_the_octet_in_any_pieces() {
        let stream = Bytes::from_static(b"12345\r\nBDAT");
        for cut in 0..stream.len() {
            let mut chunk = ChunkReader::new(7);
            let mut first = stream.slice(..cut);
            let mut second = stream.slice(cut..);
            let taken = [chunk.read(&mut first), chunk.read(&mut second)].concat();
            assert_eq!((&taken[..], chunk.left()), (&b"12345\r\n"[..], 0));
            assert_eq!([first, second].concat(), b"BDAT");
            assert!(chunk.read(&mut stream.clone()).is_empty());
        }
    }

    #[test]
    fn the_octets_are_slices_of_the_input() {
        let stream = Bytes::from_static(b"12345");
        let taken = ChunkReader::new(5).read(&mut stream.clone());
        assert_eq!(taken.as_ptr(), stream.as_ptr());
    }

    #[test]
    fn a_chunk_may_be_empty_or_as_large_as_a_number_can_say() {
        let mut input = Bytes::from_static(b"QUIT");
        let mut empty = ChunkReader::new(0);
        assert!(empty.read(&mut input).is_empty() && empty.left() == 0);
        let mut endless = ChunkReader::new(u64::MAX);
        assert_eq!(endless.read(&mut input), &b"QUIT"[..]);
        assert_eq!(endless.left(), u64::MAX - 4);
    }
}
