//! Command lines: whatever the pieces a stream comes in, the same lines; and a command that is
//! read is written so that it reads back.

use bytes::Bytes;
use postroad_wire::address::Limits;
use postroad_wire::command::{Grammar, Verb};
use postroad_wire::extension::{Extensions, Size};
use postroad_wire::line::{LineLimits, LineReader, Unreadable};

/// The first octet says how long the pieces are, the others are the stream.
///
/// # Panics
/// If what is promised isn't kept.
pub(crate) fn run(input: &[u8]) {
    let Some((piece, stream)) = input.split_first() else {
        return;
    };
    let extensions = Extensions {
        size: Some(Size::Untold),
        eight_bit_mime: true,
        binary_mime: true,
        smtputf8: true,
        dsn: true,
        ..Extensions::default()
    };
    // A small limit, so that short inputs reach it.
    let limits = LineLimits::new(64, &extensions);
    let lines = read(limits, [stream]);
    let in_pieces = read(limits, stream.chunks(usize::from(*piece).max(1)));
    assert_eq!(lines, in_pieces, "pieces of {piece} octets");

    let grammar = Grammar {
        limits: Limits::default(),
        extensions,
    };
    for line in lines.iter().flatten() {
        assert!(line.len() + 2 <= limits.mail.max(limits.rcpt));
        assert!(!line.iter().any(|b| b.is_ascii_control() && *b != b'\t'));
        command(line, &grammar);
    }
}

fn read<'a>(
    limits: LineLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<Bytes, Unreadable>> {
    let mut reader = LineReader::new(limits);
    let mut lines = Vec::new();
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(line) = reader.read(&mut input) {
            lines.push(line);
        }
        assert!(input.is_empty());
    }
    lines
}

fn command(line: &[u8], grammar: &Grammar) {
    let (verb, arguments) = match Verb::of(line) {
        Ok(found) => found,
        Err(unknown) => return one_printable_line(&unknown.0),
    };
    let command = match verb.parse(arguments, grammar) {
        Ok(command) => command,
        Err(error) => return one_printable_line(&error.to_string()),
    };
    assert_eq!(command.verb(), verb);
    let written = command.to_string();
    let (verb, arguments) = Verb::of(written.as_bytes()).expect("a verb of our own");
    let wide = Grammar {
        limits: Limits::NONE,
        extensions: grammar.extensions.clone(),
    };
    assert_eq!(verb.parse(arguments, &wide), Ok(command), "{written}");
}

fn one_printable_line(words: &str) {
    assert!(words.len() <= 100, "{words}");
    assert!(
        words.bytes().all(|b| b == b' ' || b.is_ascii_graphic()),
        "{words}"
    );
}
