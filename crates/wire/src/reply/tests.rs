#![allow(clippy::unwrap_used)] // a test may panic

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use bytes::Bytes;
use postroad_reply::{
    AnySyntax, Closing, Code, Command, Enhanced, HeloReply, Reply, Situation, Text,
};
use proptest::prelude::*;

use super::write::{LINE_OCTETS, write_lines};
use super::*;

const SERVER: ReplyWriter<'static> = ReplyWriter {
    domain: "mx.example.org",
    enhanced: true,
};

fn written(writer: ReplyWriter, reply: &Reply) -> String {
    let mut out = Vec::new();
    writer.write(reply, &mut out);
    String::from_utf8(out).unwrap()
}

fn lines_written(
    code: u16,
    enhanced: Option<&str>,
    domain: Option<&str>,
    lines: &[&str],
) -> String {
    let mut out = Vec::new();
    write_lines(
        Code::new(code).unwrap(),
        enhanced.and_then(Enhanced::parse),
        domain,
        lines.iter().copied(),
        &mut out,
    );
    String::from_utf8(out).unwrap()
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<PeerReply, UnreadableReply>> {
    let mut reader = ReplyReader::new();
    let mut replies = Vec::new();
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(reply) = reader.read(&mut input) {
            let failed = reply.is_err();
            replies.push(reply);
            if failed {
                return replies;
            }
        }
    }
    replies
}

fn one(stream: &[u8]) -> Result<PeerReply, UnreadableReply> {
    let mut replies = read([stream]);
    assert_eq!(replies.len(), 1, "{stream:?}");
    replies.remove(0)
}

fn peer(code: u16, enhanced: Option<&str>, lines: &[&str]) -> PeerReply {
    PeerReply {
        code: Code::new(code).unwrap(),
        enhanced: enhanced.and_then(Enhanced::parse),
        lines: lines.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_lines_of_a_reply_are_marked_and_each_has_the_codes() {
    // RFC 5321 4.2.1, RFC 2034 4.
    assert_eq!(lines_written(250, None, None, &["OK"]), "250 OK\r\n");
    assert_eq!(lines_written(250, None, None, &[""]), "250 \r\n");
    assert_eq!(
        lines_written(550, Some("5.1.1"), None, &["one", "two"]),
        "550-5.1.1 one\r\n550 5.1.1 two\r\n"
    );
    assert_eq!(
        lines_written(250, None, Some("mx.example"), &["hello", "SIZE"]),
        "250-mx.example hello\r\n250 SIZE\r\n"
    );
    assert_eq!(
        lines_written(421, Some("4.3.2"), Some("mx.example"), &["bye"]),
        "421 4.3.2 mx.example bye\r\n"
    );
}

#[test]
fn a_line_is_at_most_512_octets() {
    // RFC 5321 4.5.3.1.5.
    let exact = "x".repeat(512 - 6);
    assert_eq!(
        lines_written(250, None, None, &[&exact]),
        format!("250 {exact}\r\n")
    );
    let over = exact.clone() + "y";
    assert_eq!(
        lines_written(250, None, None, &[&over]),
        format!("250-{exact}\r\n250 y\r\n")
    );
    let domain = "d".repeat(255);
    let wide = "é".repeat(400);
    let text = lines_written(550, Some("5.7.999"), Some(&domain), &[&wide, &over]);
    assert!(text.lines().all(|line| line.len() + 2 <= LINE_OCTETS));
    assert_eq!(text.matches('é').count(), 400);
    // A name that leaves no room for text at all can't stop the reply.
    let text = lines_written(550, None, Some(&"d".repeat(2000)), &["refused"]);
    assert!(text.ends_with("refused\r\n"));
}

#[test]
fn a_reply_of_the_table_is_written_as_its_row_says() {
    let stopping = Closing::Stopping.reply(Command::Rcpt);
    assert_eq!(
        written(SERVER, &stopping),
        "421 4.3.2 mx.example.org Service not available, closing transmission channel\r\n"
    );
    // RFC 2034 3: never to a client that said HELO, never to HELO itself.
    let plain = ReplyWriter {
        enhanced: false,
        ..SERVER
    };
    assert_eq!(
        written(plain, &stopping),
        "421 mx.example.org Service not available, closing transmission channel\r\n"
    );
    assert_eq!(
        written(SERVER, &HeloReply::Greeted.into()),
        "250 mx.example.org Requested mail action okay, completed\r\n"
    );
    assert_eq!(
        written(SERVER, &AnySyntax::Unreadable.into()),
        "500 5.5.2 Syntax error, line can't be read\r\n"
    );
}

#[test]
fn a_reply_of_the_table_reads_back() {
    for command in Command::ALL {
        for closing in [Closing::Stopping, Closing::TimedOut, Closing::LimitPassed] {
            let reply = closing.reply(command);
            let back = one(written(SERVER, &reply).as_bytes()).unwrap();
            assert_eq!(back.code, reply.code());
            assert_eq!(back.enhanced, reply.enhanced_on_wire());
        }
    }
    assert!(Situation::all().all(|situation| situation.text.len() <= Text::MAX_OCTETS));
}

#[test]
fn replies_are_read() {
    for (stream, reply) in [
        (&b"250 OK\r\n"[..], peer(250, None, &["OK"])),
        (b"250\r\n", peer(250, None, &[""])),
        (b"250 \r\n", peer(250, None, &[""])),
        (
            b"250-one\r\n250-\r\n250 three\r\n",
            peer(250, None, &["one", "", "three"]),
        ),
        (b"200 odd\r\n", peer(200, None, &["odd"])),
        (b"599 odder\r\n", peer(599, None, &["odder"])),
        (
            b"550-5.1.1 no\r\n550 5.1.1 such user\r\n",
            peer(550, Some("5.1.1"), &["no", "such user"]),
        ),
        (b"250 2.0.0\r\n", peer(250, Some("2.0.0"), &[""])),
        (b"550 4.1.1 odd\r\n", peer(550, None, &["4.1.1 odd"])),
        (b"354 3.0.0 odd\r\n", peer(354, None, &["3.0.0 odd"])),
        (
            b"550-5.1.1 a\r\n550 5.7.1 b\r\n",
            peer(550, Some("5.1.1"), &["a", "5.7.1 b"]),
        ),
        (
            b"550 a\tb\0c\x1b[2Jd\xff\r\n",
            peer(550, None, &["a b?c?[2Jd\u{fffd}"]),
        ),
        (b"550 a\nb\rc\r\n", peer(550, None, &["a?b?c"])),
        (b"250 gr\xc3\xbc\xc3\x9fe\r\n", peer(250, None, &["grüße"])),
    ] {
        assert_eq!(one(stream).as_ref(), Ok(&reply), "{stream:?}");
        assert_eq!(read(stream.chunks(1)), [Ok(reply)], "{stream:?}");
    }
}

#[test]
fn pipelined_replies_come_one_by_one() {
    assert_eq!(
        read([&b"250 a\r\n550-b\r\n550 c\r\n354 d\r\n25"[..]]),
        [
            Ok(peer(250, None, &["a"])),
            Ok(peer(550, None, &["b", "c"])),
            Ok(peer(354, None, &["d"])),
        ]
    );
}

#[test]
fn what_is_no_reply_is_refused() {
    use UnreadableReply::*;
    for (stream, why) in [
        (&b"\r\n"[..], NoCode),
        (b"25\r\n", NoCode),
        (b"abc def\r\n", NoCode),
        (b" 250 OK\r\n", NoCode),
        (b"150 OK\r\n", NoCode),
        (b"600 OK\r\n", NoCode),
        (b"2500 OK\r\n", NoCode),
        (b"250_OK\r\n", NoCode),
        (b"25\xc2\xb2 OK\r\n", NoCode),
        (b"SSH-2.0-x\r\n", NoCode),
        (b"250-a\r\nb\r\n", NoCode),
        (b"250-a\r\n251 b\r\n", MixedCodes),
    ] {
        assert_eq!(one(stream), Err(why), "{stream:?}");
        assert_eq!(read(stream.chunks(1)), [Err(why)], "{stream:?}");
    }
}

#[test]
fn memory_is_bounded() {
    let mut stream = Vec::from(&b"250 "[..]);
    stream.resize(5000, b'x');
    stream.extend_from_slice(b"\r\n");
    let cut = one(&stream).unwrap();
    assert_eq!(cut.lines[0].len(), ReplyReader::LINE - 4);
    assert_eq!(read(stream.chunks(7)), [Ok(cut)]);

    let mut stream = b"250-x\r\n".repeat(300);
    stream.extend_from_slice(b"250 last\r\n");
    assert_eq!(one(&stream).unwrap().lines.len(), ReplyReader::LINES);

    let endless = vec![b"250-x\r\n".repeat(1000); 30];
    assert_eq!(
        read(endless.iter().map(Vec::as_slice)),
        [Err(UnreadableReply::TooLong)]
    );
    let endless = vec![b'2'; ReplyReader::OCTETS + 1];
    assert_eq!(read(endless.chunks(1000)), [Err(UnreadableReply::TooLong)]);
}

proptest! {
    #[test]
    fn any_reply_in_any_pieces_reads_back(
        code in 200u16..600,
        subject in prop::option::of(0u16..1000),
        lines in prop::collection::vec("[a-zé -]{0,30}[a-z]", 1..6),
        piece in 1usize..40,
    ) {
        let class = code / 100;
        let enhanced = subject
            .filter(|_| class != 3)
            .map(|subject| format!("{class}.{subject}.1"));
        let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
        let stream = lines_written(code, enhanced.as_deref(), None, &texts);
        let wanted = peer(code, enhanced.as_deref(), &texts);
        prop_assert_eq!(read(stream.as_bytes().chunks(piece)), [Ok(wanted)]);
    }

    #[test]
    fn any_octets_in_any_pieces_read_the_same(
        stream in prop::collection::vec(prop::sample::select(b"25 -\r\nx".to_vec()), 0..40),
        piece in 1usize..10,
    ) {
        prop_assert_eq!(read(stream.chunks(piece)), read([&stream[..]]));
    }
}
