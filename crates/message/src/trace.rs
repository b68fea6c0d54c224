//! Writes the fields a server puts before a message: Received and Return-Path (RFC 5321 4.4).
//!
//! Nothing a client said can leave its place in a field: what it said after EHLO is cut down to
//! the characters of names and addresses, and an address that would not fit is left out.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use postroad_clock::UnixMs;
use postroad_reply::QueueId;
use postroad_wire::address::{Mailbox, ReversePath};

/// Where a line is folded if it can be (RFC 5322 2.1.1).
const PREFERRED_LINE: usize = 78;

/// What no line may exceed, its CRLF not counted (RFC 5322 2.1.1).
const LONGEST_LINE: usize = 998;

/// How much of what a client calls itself is kept: as much as a domain may have (RFC 5321 4.5.3.1.2).
const LONGEST_HELLO: usize = 255;

/// What a Received field tells.
#[derive(Debug, Clone)]
pub struct Received<'a> {
    /// What the client said after EHLO, HELO or LHLO, as it said it; empty if nothing.
    pub hello: &'a str,
    /// The address of its end of the connection; none where the message was made here.
    pub address: Option<IpAddr>,
    /// This server's name.
    pub by: &'a str,
    /// How the message came.
    pub with: Protocol,
    /// By which cipher suite, as it is registered, if it came under TLS (RFC 8314 4.3, 7.4).
    pub tls: Option<&'a str>,
    /// Under which name it is stored.
    pub id: QueueId,
    /// For whom, where the message has that one recipient only. With more than one it must be
    /// none, for the field would tell each of them about another (RFC 5321 7.2).
    pub only_recipient: Option<&'a Mailbox>,
    /// When its end of data was received.
    pub at: UnixMs,
}

/// How a message came, for the `with` clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// By which greeting.
    pub greeting: Greeting,
    /// MAIL had SMTPUTF8 (RFC 6531 3.7.3).
    pub smtputf8: bool,
    /// Under TLS.
    pub tls: bool,
    /// From a client that has proved who it is.
    pub authenticated: bool,
}

/// The command a client greeted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// HELO.
    Helo,
    /// EHLO.
    Ehlo,
    /// LHLO (RFC 2033).
    Lhlo,
}

impl Protocol {
    /// The registered keyword (RFC 3848; RFC 6531 4.3).
    pub const fn keyword(self) -> &'static str {
        let Protocol {
            greeting,
            smtputf8,
            tls,
            authenticated,
        } = self;
        match (greeting, smtputf8, tls, authenticated) {
            // Without EHLO there are no extensions, so there is one keyword only.
            (Greeting::Helo, ..) => "SMTP",
            (Greeting::Ehlo, false, false, false) => "ESMTP",
            (Greeting::Ehlo, false, false, true) => "ESMTPA",
            (Greeting::Ehlo, false, true, false) => "ESMTPS",
            (Greeting::Ehlo, false, true, true) => "ESMTPSA",
            (Greeting::Ehlo, true, false, false) => "UTF8SMTP",
            (Greeting::Ehlo, true, false, true) => "UTF8SMTPA",
            (Greeting::Ehlo, true, true, false) => "UTF8SMTPS",
            (Greeting::Ehlo, true, true, true) => "UTF8SMTPSA",
            (Greeting::Lhlo, false, false, false) => "LMTP",
            (Greeting::Lhlo, false, false, true) => "LMTPA",
            (Greeting::Lhlo, false, true, false) => "LMTPS",
            (Greeting::Lhlo, false, true, true) => "LMTPSA",
            (Greeting::Lhlo, true, false, false) => "UTF8LMTP",
            (Greeting::Lhlo, true, false, true) => "UTF8LMTPA",
            (Greeting::Lhlo, true, true, false) => "UTF8LMTPS",
            (Greeting::Lhlo, true, true, true) => "UTF8LMTPSA",
        }
    }
}

/// Writes a Received field, its last CRLF included (RFC 5321 4.4).
pub fn received(field: &Received<'_>) -> Bytes {
    let mut text = Folded::new("Received:");
    let hello = hello_text(field.hello, field.with.smtputf8);
    match field.address.map(address_literal) {
        Some(literal) if hello.is_empty() => text.word(&["from ", &literal]),
        Some(literal) => {
            text.word(&["from ", &hello]);
            text.word(&["(", &literal, ")"]);
        }
        None if hello.is_empty() => text.word(&["from localhost"]),
        None => text.word(&["from ", &hello]),
    }
    text.word(&["by ", &hello_text(field.by, true)]);
    text.word(&["with ", field.with.keyword()]);
    let id = field.id.to_string();
    let recipient = field
        .only_recipient
        .and_then(|mailbox| recipient_text(mailbox, field.with.smtputf8));
    let clean = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let tls = field.tls.filter(clean);
    let end = |is_last: bool| if is_last { ";" } else { "" };
    text.word(&["id ", &id, end(recipient.is_none() && tls.is_none())]);
    if let Some(recipient) = recipient {
        text.word(&["for <", &recipient, ">", end(tls.is_none())]);
    }
    if let Some(tls) = tls {
        text.word(&["tls ", tls, ";"]);
    }
    text.word(&[&date(field.at)]);
    text.finish()
}

/// Writes the Return-Path line of a final delivery, its CRLF included (RFC 5321 4.4).
///
/// It is one line whatever its length, as the grammar allows folding before the path only.
pub fn return_path(path: &ReversePath) -> Bytes {
    let path = path.to_string();
    // The grammar of a mailbox has no control characters. Were one here nevertheless, it would
    // forge a field, so such a path is not written.
    if path.chars().any(char::is_control) {
        return Bytes::from_static(b"Return-Path: <>\r\n");
    }
    Bytes::from(format!("Return-Path: {path}\r\n"))
}

/// A point in time as RFC 5322 3.3 writes it, in UTC with its offset, as in
/// `Mon, 23 Nov 2026 22:40:00 +0000`. A time
/// that is out of the range of dates, after 9999-12-30, is shown as its last.
pub fn date(at: UnixMs) -> String {
    let at = i64::try_from(at.0)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX);
    let at = TimeZone::UTC.to_datetime(at);
    let weekday = match at.weekday() {
        jiff::civil::Weekday::Monday => "Mon",
        jiff::civil::Weekday::Tuesday => "Tue",
        jiff::civil::Weekday::Wednesday => "Wed",
        jiff::civil::Weekday::Thursday => "Thu",
        jiff::civil::Weekday::Friday => "Fri",
        jiff::civil::Weekday::Saturday => "Sat",
        jiff::civil::Weekday::Sunday => "Sun",
    };
    let month = match at.month() {
        1 => "Jan",
        2 => "Feb",
        3 => "Mar",
        4 => "Apr",
        5 => "May",
        6 => "Jun",
        7 => "Jul",
        8 => "Aug",
        9 => "Sep",
        10 => "Oct",
        11 => "Nov",
        _ => "Dec",
    };
    let mut text = String::with_capacity(31);
    text.extend([weekday, ", "]);
    put_two(&mut text, at.day());
    text.extend([" ", month, " "]);
    // The year has four digits, as the range of dates ends with 9999 and begins with 1970.
    put_two(&mut text, (at.year() / 100) as i8);
    put_two(&mut text, (at.year() % 100) as i8);
    for (before, number) in [(' ', at.hour()), (':', at.minute()), (':', at.second())] {
        text.push(before);
        put_two(&mut text, number);
    }
    text.push_str(" +0000");
    text
}

/// Writes a number from 0 to 99 with two digits.
fn put_two(text: &mut String, number: i8) {
    for digit in [number / 10, number % 10] {
        text.push(char::from(b'0' + digit as u8));
    }
}

/// An address as RFC 5321 4.1.3 writes it. An IPv4 address mapped into IPv6 is an IPv4 address.
fn address_literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

/// What a client calls itself, with all but the characters of domains and address literals made
/// `?`. Those above ASCII are kept where the message may have them (RFC 6531 3.7.3).
fn hello_text(hello: &str, smtputf8: bool) -> Cow<'_, str> {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
    if hello.len() <= LONGEST_HELLO && hello.bytes().all(plain) {
        return hello.into();
    }
    let literal = hello.len() > 2 && hello.starts_with('[') && hello.ends_with(']');
    let inner = if literal {
        &hello[1..hello.len() - 1]
    } else {
        hello
    };
    let mut text = String::new();
    for char in inner.chars() {
        let kept = char.is_ascii_alphanumeric()
            || matches!(char, '-' | '.' | '_')
            || (literal && char == ':')
            || (smtputf8 && !char.is_ascii() && char.is_alphanumeric());
        let char = if kept { char } else { '?' };
        if text.len() + char.len_utf8() > LONGEST_HELLO {
            break;
        }
        text.push(char);
    }
    if literal {
        format!("[{text}]").into()
    } else {
        text.into()
    }
}

/// A recipient as the `for` clause writes it; none if it can't be written there.
fn recipient_text(mailbox: &Mailbox, smtputf8: bool) -> Option<String> {
    let text = mailbox.to_string();
    // A line of its own: a tab, `for <`, the mailbox, `>;`.
    let fits = text.len() + 8 <= LONGEST_LINE;
    let clean = !text.chars().any(char::is_control) && (smtputf8 || text.is_ascii());
    (fits && clean).then_some(text)
}

/// A field folded before words that would make its line too long (RFC 5322 2.2.3).
struct Folded {
    text: String,
    column: usize,
}

impl Folded {
    fn new(name: &str) -> Folded {
        // Most fields are shorter.
        let mut text = String::with_capacity(256);
        text.push_str(name);
        Folded {
            text,
            column: name.len(),
        }
    }

    /// Adds a word, which is given in pieces.
    fn word(&mut self, pieces: &[&str]) {
        let len = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        // Some readers take a field whose first line is blank for an empty one.
        let first = self.text.ends_with(':');
        if !first && self.column + 1 + len > PREFERRED_LINE {
            self.text.push_str("\r\n\t");
            self.column = 1;
        } else {
            self.text.push(' ');
            self.column += 1;
        }
        self.text.extend(pieces.iter().copied());
        self.column += len;
    }

    fn finish(mut self) -> Bytes {
        self.text.push_str("\r\n");
        // It is kept for as long as its message waits.
        Bytes::copy_from_slice(self.text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use postroad_wire::address::Limits;
    use proptest::prelude::*;

    const ESMTP: Protocol = Protocol {
        greeting: Greeting::Ehlo,
        smtputf8: false,
        tls: false,
        authenticated: false,
    };

    fn mailbox(text: &str) -> Mailbox {
        Mailbox::parse(text, &Limits::default()).expect("the test wrote a mailbox")
    }

    fn sample<'a>(hello: &'a str, only_recipient: Option<&'a Mailbox>) -> Received<'a> {
        Received {
            hello,
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
            by: "mail.example.com",
            with: ESMTP,
            tls: None,
            id: QueueId(0),
            only_recipient,
            at: UnixMs(1_795_473_600_999),
        }
    }

    fn text(field: &Received<'_>) -> String {
        String::from_utf8(received(field).to_vec()).expect("it was made from a String")
    }

    #[test]
    fn the_field_is_folded_and_complete() {
        let jones = mailbox("Jones@example.com");
        assert_eq!(
            text(&sample("client.example.org", Some(&jones))),
            "Received: from client.example.org ([192.0.2.1]) by mail.example.com with ESMTP\r\n\
             \tid 0000000000000 for <Jones@example.com>; Mon, 23 Nov 2026 22:40:00 +0000\r\n"
        );
    }

    #[test]
    fn the_cipher_suite_stands_behind_the_recipient() {
        let jones = mailbox("Jones@example.com");
        for (recipient, end) in [
            (None, "id 0000000000000 tls TLS_AES_128_GCM_SHA256; "),
            (
                Some(&jones),
                "id 0000000000000 for <Jones@example.com> tls TLS_AES_128_GCM_SHA256;",
            ),
        ] {
            let mut field = sample("a.example", recipient);
            field.tls = Some("TLS_AES_128_GCM_SHA256");
            let text = text(&field).replace("\r\n\t", " ");
            assert!(text.contains(end), "{text}");
        }
    }

    #[test]
    fn the_first_line_is_never_blank() {
        let long = "a".repeat(300);
        let text = text(&sample(&long, None));
        let expected = format!("Received: from {}\r\n\t([192.0.2.1]) by", "a".repeat(255));
        assert!(text.starts_with(&expected), "{text}");
    }

    #[test]
    fn without_one_recipient_there_is_no_for() {
        assert!(!text(&sample("a.example", None)).contains("for"));
    }

    #[test]
    fn a_client_without_a_name_is_known_by_its_address() {
        let mut field = sample("", None);
        assert!(text(&field).starts_with("Received: from [192.0.2.1] by "));
        field.address = Some(IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert!(text(&field).starts_with("Received: from [IPv6:::1] by "));
        field.address = Some(IpAddr::V6(Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped()));
        assert!(text(&field).starts_with("Received: from [192.0.2.9] by "));
        field.address = None;
        assert!(text(&field).starts_with("Received: from localhost by "));
    }

    #[test]
    fn what_a_client_calls_itself_keeps_only_the_characters_of_names() {
        let cases = [
            ("[192.0.2.7]", "from [192.0.2.7] ("),
            ("[IPv6:2001:db8::1]", "from [IPv6:2001:db8::1] ("),
            ("under_score.example", "from under_score.example ("),
            ("a b;c(d)e\r\nX: y", "from a?b?c?d?e??X??y ("),
            ("[a]]", "from [a?] ("),
            ("b\u{fc}cher.example", "from b?cher.example ("),
        ];
        for (hello, expected) in cases {
            let text = text(&sample(hello, None));
            assert!(text.contains(expected), "{hello:?}: {text}");
        }
        let mut field = sample("b\u{fc}cher.example", None);
        field.with.smtputf8 = true;
        assert!(text(&field).contains("from b\u{fc}cher.example ("));
        assert!(text(&field).contains("with UTF8SMTP"));
    }

    #[test]
    fn every_keyword_is_registered() {
        let registry = "SMTP ESMTP ESMTPA ESMTPS ESMTPSA LMTP LMTPA LMTPS LMTPSA UTF8SMTP UTF8SMTPA \
                        UTF8SMTPS UTF8SMTPSA UTF8LMTP UTF8LMTPA UTF8LMTPS UTF8LMTPSA";
        let registry: Vec<&str> = registry.split_whitespace().collect();
        let mut seen = Vec::new();
        for greeting in [Greeting::Helo, Greeting::Ehlo, Greeting::Lhlo] {
            for bits in 0..8 {
                let keyword = Protocol {
                    greeting,
                    smtputf8: bits & 1 != 0,
                    tls: bits & 2 != 0,
                    authenticated: bits & 4 != 0,
                }
                .keyword();
                assert!(registry.contains(&keyword), "{keyword}");
                seen.push(keyword);
            }
        }
        assert!(registry.iter().all(|keyword| seen.contains(keyword)));
    }

    #[test]
    fn a_return_path_is_one_line() {
        assert_eq!(return_path(&ReversePath::Null), "Return-Path: <>\r\n");
        assert_eq!(
            return_path(&ReversePath::Mailbox(mailbox("a@example.org"))),
            "Return-Path: <a@example.org>\r\n"
        );
        assert_eq!(
            return_path(&ReversePath::Mailbox(mailbox("\"a b\"@example.org"))),
            "Return-Path: <\"a b\"@example.org>\r\n"
        );
    }

    #[test]
    fn dates_are_of_the_grammar_without_obsolete_forms() {
        assert_eq!(date(UnixMs(0)), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(
            date(UnixMs(1_709_164_799_999)),
            "Wed, 28 Feb 2024 23:59:59 +0000"
        );
        assert_eq!(
            date(UnixMs(1_709_164_800_000)),
            "Thu, 29 Feb 2024 00:00:00 +0000"
        );
        assert_eq!(date(UnixMs(u64::MAX)), "Thu, 30 Dec 9999 22:00:00 +0000");
    }

    proptest! {
        #[test]
        fn nothing_a_client_says_leaves_its_place(
            hello in any::<String>(),
            local in "[a-z]{1,64}",
            domain in "[a-z]{1,60}(\\.[a-z]{1,60}){0,3}",
            smtputf8 in any::<bool>(),
            at in any::<u64>(),
        ) {
            let only = mailbox(&alloc::format!("{local}@{domain}"));
            let mut field = sample(&hello, Some(&only));
            field.with.smtputf8 = smtputf8;
            field.at = UnixMs(at);
            let text = text(&field);
            let lines: Vec<&str> = text.split_terminator("\r\n").collect();
            prop_assert!(lines[0].starts_with("Received: from "));
            for line in &lines[1..] {
                prop_assert!(line.starts_with('\t'), "{line:?}");
            }
            for line in &lines {
                prop_assert!(line.len() <= LONGEST_LINE);
                prop_assert!(!line.trim_start().chars().any(char::is_control), "{line:?}");
                // What is longer than it should be is one word that can't be folded.
                let can_fold = line.len() > PREFERRED_LINE
                    && line.split(' ').map(str::len).max() < Some(PREFERRED_LINE - 20);
                prop_assert!(!can_fold, "{line:?}");
            }
            prop_assert!(smtputf8 || text.is_ascii());
            prop_assert!(text.ends_with("+0000\r\n"));
            let mut scanner = crate::Scanner::new();
            scanner.push(text.as_bytes());
            scanner.push(b"\r\n");
            let facts = scanner.finish();
            prop_assert_eq!((facts.received_count, facts.binary), (1, false));
        }
    }
}
