use alloc::{vec, vec::Vec};
use proptest::prelude::*;

use super::*;

const NO_LIMIT: u64 = u64::MAX;

/// What a reader makes of a stream: the message, where bare CR and LF were, and what is left
/// after the end of data if it came.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    message: Vec<u8>,
    bare_cr: Option<u64>,
    bare_lf: Option<u64>,
    rest: Option<Vec<u8>>,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bare: BareLineEnds) -> Read {
    let mut reader = DataReader::new(NO_LIMIT, bare);
    let mut message = Vec::new();
    let mut rest: Option<Vec<u8>> = None;
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while rest.is_none() {
            match reader.read(&mut input) {
                Some(Data::Octets(octets)) => {
                    assert!(!octets.is_empty());
                    message.extend_from_slice(&octets);
                }
                Some(Data::End) => rest = Some(Vec::new()),
                None => break,
            }
        }
        if let Some(rest) = &mut rest {
            rest.extend_from_slice(&input);
        } else {
            assert!(input.is_empty());
        }
    }
    assert_eq!(reader.octets(), message.len() as u64);
    Read {
        message,
        bare_cr: reader.bare_cr(),
        bare_lf: reader.bare_lf(),
        rest,
    }
}

fn keep(stream: &[u8]) -> Read {
    read([stream], BareLineEnds::Keep)
}

fn message(stream: &[u8]) -> Vec<u8> {
    let read = keep(stream);
    assert_eq!(read.rest, Some(Vec::new()));
    assert_eq!((read.bare_cr, read.bare_lf), (None, None));
    read.message
}

#[test]
fn dots_are_unstuffed_and_the_end_is_found() {
    // RFC 5321 4.5.2.
    assert_eq!(message(b"a\r\nb\r\n.\r\n"), b"a\r\nb\r\n");
    assert_eq!(message(b"a\r\n..b\r\n.\r\n"), b"a\r\n.b\r\n");
    assert_eq!(message(b"..first\r\n.\r\n"), b".first\r\n");
    assert_eq!(message(b"a\r\n..\r\n.\r\n"), b"a\r\n.\r\n");
    assert_eq!(message(b"a.\r\n.\r\n"), b"a.\r\n");
    assert_eq!(message(b"a\r\n.b\r\n.\r\n"), b"a\r\nb\r\n");
    assert_eq!(message(b"\r\n.\r\n"), b"\r\n");
}

#[test]
fn a_message_may_be_empty() {
    assert_eq!(message(b".\r\n"), b"");
}

#[test]
fn what_comes_after_the_end_stays_in_the_input() {
    let read = keep(b"a\r\n.\r\nQUIT\r\n");
    assert_eq!(read.rest.as_deref(), Some(&b"QUIT\r\n"[..]));
}

#[test]
fn the_octets_are_slices_of_the_input() {
    let stream = Bytes::from_static(b"one\r\ntwo\r\n\r\nthree\r\n..four\r\n.\r\n");
    let mut input = stream.clone();
    let mut reader = DataReader::new(NO_LIMIT, BareLineEnds::Keep);
    let first = reader.read(&mut input);
    assert_eq!(first, Some(Data::Octets(stream.slice(..19))));
    let Some(Data::Octets(second)) = reader.read(&mut input) else {
        panic!("no octets");
    };
    assert_eq!(second, stream.slice(20..27));
    assert_eq!(second.as_ptr(), stream[20..].as_ptr());
    assert_eq!(reader.read(&mut input), Some(Data::End));
}

#[test]
fn nothing_but_crlf_dot_crlf_is_an_end() {
    for stream in [
        &b"a\n.\n"[..],
        b"a\n.\r\n",
        b"a\r\n.\n",
        b"a\r.\r",
        b"a\r.\r\n",
        b"a\r\n.\r",
        b"a\r\n.\r\r\n",
        b"a\r\n.\r\r\r\n",
        b"a\n\r.\r\n",
        b"a\n\r.\n\r",
        b"a\r\n.\n\r\n",
        b"a\r\n\0.\r\n",
        b"a\r\n.\0\r\n",
        b"a\r\n. \r\n",
        b"a\r\n..\r\n",
        b"\n.\r\n",
        b".\n",
        b".\r",
    ] {
        for bare in [BareLineEnds::Keep, BareLineEnds::Normalise] {
            for pieces in [stream.len(), 1, 2] {
                // The real end comes later, and is the only one.
                let mut hidden = stream.to_vec();
                hidden.extend_from_slice(b"MAIL FROM:<evil@x>\r\n.\r\nQUIT");
                let read = read(hidden.chunks(pieces), bare);
                assert_eq!(read.rest.as_deref(), Some(&b"QUIT"[..]), "{stream:?}");
                assert!(read.message.ends_with(b"MAIL FROM:<evil@x>\r\n"));
            }
        }
    }
}

#[test]
fn bare_line_ends_are_told_of() {
    let read = keep(b"a\r\nb\nc\rd\ne\r\n.\r\n");
    assert_eq!(read.message, b"a\r\nb\nc\rd\ne\r\n");
    assert_eq!((read.bare_lf, read.bare_cr), (Some(4), Some(6)));
    assert_eq!(keep(b"\n").bare_lf, Some(0));
    assert_eq!(keep(b"\r\r\n").bare_cr, Some(0));
    // Behind a dot that is no part of the message.
    assert_eq!(keep(b"a\r\n.\rb").bare_cr, Some(3));
}

#[test]
fn bare_line_ends_can_become_crlf() {
    let normal = |stream: &[u8]| read([stream], BareLineEnds::Normalise);
    let read = normal(b"a\nb\rc\r\r\n.\r\n");
    assert_eq!(read.message, b"a\r\nb\r\nc\r\n\r\n");
    assert_eq!((read.bare_lf, read.bare_cr), (Some(1), Some(4)));
    // A dot that follows one was not stuffed.
    assert_eq!(normal(b"a\n.b\n..\r\n").message, b"a\r\n.b\r\n..\r\n");
}

#[test]
fn over_the_maximum_it_is_counted_and_dropped() {
    let stream = b"12345\r\n789\r\n.\r\nQUIT";
    for (maximum, is_over) in [(12, false), (11, true), (0, true)] {
        for pieces in [stream.len(), 1] {
            let mut reader = DataReader::new(maximum, BareLineEnds::Keep);
            let (mut taken, mut ends) = (0, 0);
            for piece in stream.chunks(pieces) {
                let mut input = Bytes::copy_from_slice(piece);
                while ends == 0
                    && let Some(data) = reader.read(&mut input)
                {
                    match data {
                        Data::Octets(octets) => taken += octets.len() as u64,
                        Data::End => ends += 1,
                    }
                }
            }
            assert_eq!((reader.octets(), reader.is_over_maximum()), (12, is_over));
            assert!(ends == 1 && taken <= maximum);
        }
    }
}

fn written(message: &[u8], pieces: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = DataWriter::new();
    for piece in message.chunks(pieces) {
        writer.write(piece, &mut out);
    }
    writer.finish(&mut out);
    out
}

#[test]
fn dots_are_stuffed_and_the_end_is_written() {
    for pieces in [100, 1, 2, 3] {
        assert_eq!(written(b"", pieces), b".\r\n");
        assert_eq!(written(b"a", pieces), b"a\r\n.\r\n");
        assert_eq!(written(b"a\r", pieces), b"a\r\r\n.\r\n");
        assert_eq!(written(b".\r\n", pieces), b"..\r\n.\r\n");
        assert_eq!(
            written(b"a\r\n.\r\n..\r\n", pieces),
            b"a\r\n..\r\n...\r\n.\r\n"
        );
        assert_eq!(written(b"a.\r\n\r\n.b", pieces), b"a.\r\n\r\n..b\r\n.\r\n");
        assert_eq!(written(b"a\n.b\r.c\r\n", pieces), b"a\n.b\r.c\r\n.\r\n");
    }
}

/// The same, slowly: the whole stream at once, by RFC 5321 4.1.1.4 and 4.5.2 word for word.
fn reference(stream: &[u8], bare: BareLineEnds) -> Read {
    let mut message = Vec::new();
    let (mut bare_cr, mut bare_lf, mut rest) = (None, None, None);
    let mut at = 0;
    let mut line_start = true;
    while at < stream.len() {
        let here = &stream[at..];
        if line_start && here.starts_with(b".\r\n") {
            rest = Some(here[3..].to_vec());
            break;
        }
        if line_start && here[0] == b'.' {
            at += 1;
            line_start = false;
            continue;
        }
        line_start = here.starts_with(b"\r\n");
        if line_start {
            message.extend_from_slice(b"\r\n");
            at += 2;
            continue;
        }
        let position = message.len() as u64;
        match here {
            // Nobody knows yet what it will be.
            [b'\r'] => break,
            [b'\r', ..] => bare_cr = bare_cr.or(Some(position)),
            [b'\n', ..] => bare_lf = bare_lf.or(Some(position)),
            _ => {}
        }
        if matches!(here[0], b'\r' | b'\n') && bare == BareLineEnds::Normalise {
            message.extend_from_slice(b"\r\n");
        } else {
            message.push(here[0]);
        }
        at += 1;
    }
    Read {
        message,
        bare_cr,
        bare_lf,
        rest,
    }
}

fn pieces<'a>(
    stream: &'a [u8],
    cuts: &[prop::sample::Index],
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    (1..cuts.len()).map(move |cut| &stream[cuts[cut - 1]..cuts[cut]])
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"\r\n.x".to_vec()), 0..40)
}

/// With runs of text between that end near where [`plain`] ends a piece.
fn long_octets() -> impl Strategy<Value = Vec<u8>> {
    let run = (0..3 * PIECE / 2).prop_union(PIECE - 4..PIECE + 4);
    let part = (run, octets()).prop_map(|(run, octets)| [vec![b'x'; run], octets].concat());
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_stream_in_any_pieces_reads_as_the_slow_reader_says(
        stream in prop_oneof![octets(), long_octets()],
        cuts in cuts(),
        normalise: bool,
    ) {
        let bare = if normalise { BareLineEnds::Normalise } else { BareLineEnds::Keep };
        let wanted = reference(&stream, bare);
        prop_assert_eq!(read(pieces(&stream, &cuts), bare), wanted.clone());
        prop_assert_eq!(read(stream.chunks(1), bare), wanted.clone());
        prop_assert_eq!(read([&stream[..]], bare), wanted);
    }

    #[test]
    fn any_message_in_any_pieces_comes_back(
        message in octets(),
        cuts_out in cuts(),
        cuts_in in cuts(),
    ) {
        let mut stream = Vec::new();
        let mut writer = DataWriter::new();
        for piece in pieces(&message, &cuts_out) {
            writer.write(piece, &mut stream);
        }
        writer.finish(&mut stream);
        let mut wanted = message;
        if !wanted.is_empty() && !wanted.ends_with(b"\r\n") {
            wanted.extend_from_slice(b"\r\n");
        }
        let read = read(pieces(&stream, &cuts_in), BareLineEnds::Keep);
        prop_assert_eq!((read.message, read.rest), (wanted, Some(Vec::new())));
    }
}
