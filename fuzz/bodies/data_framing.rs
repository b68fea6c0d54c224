//! Message data: whatever the pieces a stream comes in, the same message, ended by CRLF.CRLF and
//! nothing else; and a message that is written reads back.

use bytes::Bytes;
use postroad_wire::data::{BareLineEnds, Data, DataReader, DataWriter};

/// The first octet says how long the pieces are, the second what becomes of bare line ends, the
/// others are the stream.
///
/// # Panics
/// If what is promised isn't kept.
pub(crate) fn run(input: &[u8]) {
    let [piece, bare, stream @ ..] = input else {
        return;
    };
    let piece = usize::from(*piece).max(1);
    let bare = match bare % 2 {
        0 => BareLineEnds::Keep,
        _ => BareLineEnds::Normalise,
    };
    let whole = read([stream], bare);
    assert_eq!(whole, read(stream.chunks(piece), bare), "pieces of {piece}");

    let end = end_of_data(stream);
    assert_eq!(whole.end, end);
    if end.is_some() && bare == BareLineEnds::Normalise {
        let bare_left = whole
            .message
            .windows(2)
            .any(|two| (two[0] == b'\r') != (two[1] == b'\n'));
        assert!(!bare_left && !whole.message.starts_with(b"\n"));
    }
    if let (Some(end), BareLineEnds::Keep) = (end, bare) {
        assert_eq!(whole.message, unstuffed(&stream[..end]));
    }
    comes_back(stream, piece);
}

#[derive(Debug, PartialEq, Eq)]
struct Read {
    message: Vec<u8>,
    bare: (Option<u64>, Option<u64>),
    /// How many octets of the stream come before what follows the end of data.
    end: Option<usize>,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bare: BareLineEnds) -> Read {
    let mut reader = DataReader::new(u64::MAX, bare);
    let mut message = Vec::new();
    let mut taken = 0;
    let mut end = None;
    'stream: for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(data) = reader.read(&mut input) {
            match data {
                Data::Octets(octets) => {
                    assert!(!octets.is_empty());
                    message.extend_from_slice(&octets);
                }
                Data::End => {
                    end = Some(taken + piece.len() - input.len());
                    break 'stream;
                }
            }
        }
        assert!(input.is_empty());
        taken += piece.len();
    }
    assert_eq!(reader.octets(), message.len() as u64);
    Read {
        message,
        bare: (reader.bare_cr(), reader.bare_lf()),
        end,
    }
}

/// RFC 5321 4.1.1.4, word for word: past the first CRLF.CRLF, where the CRLF before the dot may
/// be that of the DATA line.
fn end_of_data(stream: &[u8]) -> Option<usize> {
    if stream.starts_with(b".\r\n") {
        return Some(3);
    }
    let at = stream.windows(5).position(|five| five == b"\r\n.\r\n")?;
    Some(at + 5)
}

/// The message in a stream with its end: lines end at CRLF, and each loses one dot at its start.
fn unstuffed(stream: &[u8]) -> Vec<u8> {
    let stream = &stream[..stream.len() - 3];
    let mut message = Vec::new();
    let mut line_start = true;
    for (at, octet) in stream.iter().enumerate() {
        if !(line_start && *octet == b'.') {
            message.push(*octet);
        }
        line_start = stream[..=at].ends_with(b"\r\n");
    }
    message
}

fn comes_back(message: &[u8], piece: usize) {
    let mut stream = Vec::new();
    let mut writer = DataWriter::new();
    for piece in message.chunks(piece) {
        writer.write(piece, &mut stream);
    }
    writer.finish(&mut stream);
    let mut wanted = message.to_vec();
    if !wanted.is_empty() && !wanted.ends_with(b"\r\n") {
        wanted.extend_from_slice(b"\r\n");
    }
    let back = read([&stream[..]], BareLineEnds::Keep);
    assert_eq!((back.message, back.end), (wanted, Some(stream.len())));
}
