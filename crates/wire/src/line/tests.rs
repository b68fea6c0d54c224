use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;
use crate::extension::Size;

const SMALL: LineLimits = LineLimits {
    command: 12,
    mail: 20,
    rcpt: 16,
};

type Lines = Vec<Result<Vec<u8>, Unreadable>>;

/// All lines of a stream that comes in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Lines {
    let mut reader = LineReader::new(SMALL);
    let mut lines = Vec::new();
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(line) = reader.read(&mut input) {
            lines.push(line.map(|line| line.to_vec()));
        }
        assert!(input.is_empty());
    }
    lines
}

fn whole(stream: &[u8]) -> Lines {
    read([stream])
}

#[test]
fn lines_end_at_crlf() {
    assert_eq!(
        whole(b"NOOP\r\n\r\nQUIT\r\nRS"),
        [Ok(b"NOOP".to_vec()), Ok(Vec::new()), Ok(b"QUIT".to_vec())]
    );
}

#[test]
fn a_line_within_one_piece_is_not_copied() {
    let stream = Bytes::from_static(b"NOOP\r\nQUIT\r\n");
    let mut input = stream.clone();
    let mut reader = LineReader::new(SMALL);
    let line = reader.read(&mut input).and_then(Result::ok);
    assert_eq!(
        line.as_ref().map(|line| line.as_ptr()),
        Some(stream.as_ptr())
    );
    assert_eq!(&input[..], b"QUIT\r\n");
}

#[test]
fn a_line_comes_in_any_pieces() {
    let stream = b"NOOP\r\nQUIT\r\n";
    for at in 0..stream.len() {
        let (first, second) = stream.split_at(at);
        assert_eq!(read([first, second]), whole(stream), "cut at {at}");
    }
    assert_eq!(read(stream.chunks(1)), whole(stream));
}

#[test]
fn between_lines_nothing_is_held() {
    let mut reader = LineReader::new(SMALL);
    assert!(reader.read(&mut Bytes::from_static(b"NO")).is_none());
    assert!(matches!(&reader.begun, Begun::Kept(octets) if &octets[..] == b"NO"));
    assert!(reader.read(&mut Bytes::from_static(b"OP\r\n")).is_some());
    assert!(matches!(&reader.begun, Begun::Kept(octets) if octets.capacity() == 0));

    // RFC 3207 4.2.
    assert!(reader.read(&mut Bytes::from_static(b"RSET\r\nX")).is_some());
    assert!(reader.read(&mut Bytes::from_static(b"X\n")).is_none());
    reader.clear();
    let line = reader.read(&mut Bytes::from_static(b"QUIT\r\n"));
    assert_eq!(line, Some(Ok(Bytes::from_static(b"QUIT"))));
}

#[test]
fn each_command_has_its_own_limit_to_the_octet() {
    // RFC 5321 4.5.3.1.4: with the CRLF.
    for (line, is_good) in [
        (&b"NOOP 67890\r\n"[..], true),
        (b"NOOP 678901\r\n", false),
        (b"mail 678901234567\r\n", false),
        (b"MAIL 6789012345678\r\n", true),
        (b"MAIL 67890123456789\r\n", false),
        (b"RCPT 678901234\r\n", true),
        (b"RCPT 6789012345\r\n", false),
        (b"MAILX6789012345678\r\n", false),
    ] {
        let wanted = if is_good || line.len() <= 20 && line.starts_with(b"mail") {
            Ok(line[..line.len() - 2].to_vec())
        } else {
            Err(Unreadable::TooLong)
        };
        for pieces in [line.len(), 1, 7] {
            let lines = read(line.chunks(pieces));
            assert_eq!(lines, core::slice::from_ref(&wanted), "{line:?}");
        }
    }
}

#[test]
fn an_over_long_line_is_dropped_up_to_its_crlf_and_told_of_once() {
    let mut stream = Vec::from(&b"X"[..]);
    stream.resize(5000, b'x');
    stream.extend_from_slice(b"\ny\r\r\nQUIT\r\n");
    let wanted = [Err(Unreadable::TooLong), Ok(b"QUIT".to_vec())];
    for pieces in [stream.len(), 1, 7, 4999, 5001] {
        assert_eq!(read(stream.chunks(pieces)), wanted, "pieces of {pieces}");
    }
}

#[test]
fn an_over_long_line_is_not_kept() {
    let mut reader = LineReader::new(SMALL);
    for _ in 0..1000 {
        assert_eq!(reader.read(&mut Bytes::from_static(&[b'x'; 64])), None);
        assert!(matches!(
            reader.begun,
            Begun::Dropped {
                why: Unreadable::TooLong,
                ..
            }
        ));
    }
}

#[test]
fn control_octets_make_a_line_unreadable() {
    use Unreadable::*;
    for (line, why) in [
        (&b"NO\0OP\r\n"[..], Nul),
        (b"NO\rOP\r\n", BareCr),
        (b"NOOP\r\r\n", BareCr),
        (b"NO\nOP\r\n", BareLf),
        (b"NOOP\n\r\n", BareLf),
        (b"\n\r\n", BareLf),
        (b"NO\x1bOP\r\n", Control),
        (b"NO\x7fOP\r\n", Control),
        // The first one is told of.
        (b"N\0\r\x01\n\r\n", Nul),
        (b"N\x01\0\n\r\n", Control),
    ] {
        for pieces in [line.len(), 1] {
            assert_eq!(read(line.chunks(pieces)), [Err(why)], "{line:?}");
        }
    }
    assert_eq!(whole(b"NOOP\t\r\n"), [Ok(b"NOOP\t".to_vec())]);
    assert_eq!(whole(b"NOOP \xff\r\n"), [Ok(b"NOOP \xff".to_vec())]);
}

#[test]
fn too_long_before_a_bare_lf_is_too_long_whatever_the_pieces() {
    for (length, why) in [(19, Unreadable::BareLf), (20, Unreadable::TooLong)] {
        let line = [&b"x".repeat(length)[..], b"\nx\r\n"].concat();
        for pieces in [line.len(), 1, length] {
            assert_eq!(read(line.chunks(pieces)), [Err(why)], "{length}, {pieces}");
        }
    }
}

#[test]
fn a_bare_lf_smuggles_no_command() {
    assert_eq!(
        whole(b"NOOP\nRSET\r\nQUIT\r\n"),
        [Err(Unreadable::BareLf), Ok(b"QUIT".to_vec())]
    );
}

#[test]
fn extensions_lengthen_the_lines_of_their_parameters() {
    let plain = LineLimits::new(512, &Extensions::default());
    assert_eq!((plain.command, plain.mail, plain.rcpt), (512, 512, 512));
    let all = Extensions {
        size: Some(Size::Untold),
        eight_bit_mime: true,
        smtputf8: true,
        dsn: true,
        ..Extensions::default()
    };
    let limits = LineLimits::new(512, &all);
    assert_eq!(limits.mail, 512 + 26 + 14 + 10 + 110);
    // RFC 3461 5.4 wants 1036 for RCPT at least.
    assert_eq!((limits.command, limits.rcpt), (512, 1042));
    let binary = Extensions {
        binary_mime: true,
        ..all
    };
    assert_eq!(LineLimits::new(512, &binary).mail, limits.mail + 2);
}

/// The same, slowly: the whole stream at once, octet by octet.
fn reference(stream: &[u8]) -> Lines {
    let mut lines = Vec::new();
    let mut from = 0;
    for at in 1..stream.len() {
        if at > from && &stream[at - 1..=at] == b"\r\n" {
            lines.push(reference_line(&stream[from..at - 1]));
            from = at + 1;
        }
    }
    lines
}

fn reference_line(line: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let greatest = 20;
    let lf = line.iter().position(|&octet| octet == b'\n');
    let kept = &line[..lf.unwrap_or(line.len())];
    let limit = match (lf, line.get(..5)) {
        (None, Some(b"MAIL ")) => 20,
        (None, Some(b"RCPT ")) => 16,
        (None, _) => 12,
        (Some(_), _) => greatest - 1,
    };
    if kept.len() + 2 > limit + usize::from(lf.is_some()) * 2 {
        return Err(Unreadable::TooLong);
    }
    match kept.iter().find(|octet| octet.is_ascii_control()) {
        Some(0) => Err(Unreadable::Nul),
        Some(b'\r') => Err(Unreadable::BareCr),
        Some(_) => Err(Unreadable::Control),
        None if lf.is_some() => Err(Unreadable::BareLf),
        None => Ok(line.to_vec()),
    }
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"\r\n"[..]),
        3 => Just(&b"x"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"\n"[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&b"\x02"[..]),
        2 => Just(&b"MAIL 78901234"[..]),
        2 => Just(&b"RCPT 7890"[..]),
        1 => Just(&b"xxxxxxxxx"[..]),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_stream_in_any_pieces_gives_the_lines_of_the_slow_reader(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]);
        let wanted = reference(&stream);
        prop_assert_eq!(read(pieces), wanted.clone());
        prop_assert_eq!(read(stream.chunks(1)), wanted.clone());
        prop_assert_eq!(whole(&stream), wanted);
    }
}
