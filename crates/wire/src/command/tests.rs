#![allow(clippy::unwrap_used)] // a test may panic

use alloc::string::{String, ToString};
use alloc::vec;
use proptest::prelude::*;

use super::*;
use crate::address::tests::{any_forward_path, any_mailbox, any_reverse_path};
use crate::extension::Size;
use crate::parameter::BodyType;
use crate::parameter::tests::{any_mail_parameters, any_rcpt_parameters};

fn grammar() -> Grammar {
    Grammar {
        limits: Limits::LEAST,
        extensions: Extensions {
            size: Some(Size::Untold),
            eight_bit_mime: true,
            binary_mime: true,
            smtputf8: true,
            dsn: true,
            auth: Some(crate::sasl::Mechanisms::default()),
            ..Extensions::default()
        },
    }
}

fn read(line: &[u8], grammar: &Grammar) -> Result<Command, SyntaxError> {
    let (verb, arguments) = Verb::of(line).unwrap();
    verb.parse(arguments, grammar)
}

/// The line as we would write it ourselves.
fn canonical(line: &str) -> Result<String, SyntaxError> {
    read(line.as_bytes(), &grammar()).map(|command| command.to_string())
}

fn error(line: &str) -> SyntaxError {
    match canonical(line) {
        Err(error) => error,
        Ok(read) => panic!("{line:?} was read as {read:?}"),
    }
}

#[test]
fn a_verb_is_known_in_any_case_and_ends_at_white_space() {
    // RFC 5321 2.4, 4.1.1.
    assert_eq!(Verb::of(b"QUIT"), Ok((Verb::Quit, &b""[..])));
    assert_eq!(Verb::of(b"qUiT \t "), Ok((Verb::Quit, &b""[..])));
    assert_eq!(Verb::of(b"noop \t x y "), Ok((Verb::Noop, &b"x y"[..])));
    assert_eq!(Verb::of(b"data\t"), Ok((Verb::Data, &b""[..])));
    for verb in Verb::ALL {
        assert_eq!(Verb::of(verb.as_str().as_bytes()), Ok((verb, &b""[..])));
        assert_eq!(verb.to_string(), verb.as_str());
    }
}

#[test]
fn lines_of_other_protocols_are_told_from_unknown_verbs() {
    for (line, is_foreign) in [
        ("GET / HTTP/1.1", true),
        ("POST /a b HTTP/1.0 ", true),
        ("Host: mx.test", true),
        ("Subject:", true),
        ("", false),
        (":", true),
        ("FROM:<a@b.test>", false),
        ("MAILFROM:<a@b.test>", false),
        ("XCLIENT PROTO=HTTP/1.1", false),
        ("HTTP/1.1", false),
        ("HTTP/1.1 200 OK", false),
    ] {
        assert_eq!(
            is_of_another_protocol(line.as_bytes()),
            is_foreign,
            "{line}"
        );
    }
}

#[test]
fn an_unknown_verb_is_told_of_safely() {
    let unknown = |line: &[u8]| Verb::of(line).unwrap_err().0;
    assert_eq!(unknown(b""), "");
    assert_eq!(unknown(b" QUIT"), "");
    assert_eq!(unknown(b"QUIT:"), "QUIT:");
    assert_eq!(unknown(b"MAILFROM:<a@b>"), "MAILFROM:<a@b>");
    assert_eq!(
        unknown(b"\x16\x03\x01\xff\x1b[2J x"),
        "????".to_string() + "?[2J"
    );
    assert_eq!(unknown(&[b'x'; 600]), "x".repeat(32) + "...");
}

#[test]
fn good_commands_are_read() {
    for (line, written) in [
        // RFC 5321 4.1.1.1, RFC 2033 4.1.
        ("helo x.example", "HELO x.example"),
        ("EHLO  [192.0.2.1] ", "EHLO [192.0.2.1]"),
        ("EHLO [192.0.2.1] comment", "EHLO [192.0.2.1]"),
        ("LHLO my_host.", "LHLO my_host"),
        // RFC 5321 4.1.1.2.
        ("MAIL FROM:<>", "MAIL FROM:<>"),
        ("mail from:<a@b>", "MAIL FROM:<a@b>"),
        ("MAIL FROM: <a@b>", "MAIL FROM:<a@b>"),
        ("MAIL  From: \t<a@b>\t", "MAIL FROM:<a@b>"),
        ("MAIL FROM:<@x,@y:a@b>", "MAIL FROM:<a@b>"),
        (
            "MAIL FROM:<\"a> SIZE=1\"@b> size=5",
            "MAIL FROM:<\"a> SIZE=1\"@b> SIZE=5",
        ),
        ("MAIL FROM:<ü@b> SMTPUTF8", "MAIL FROM:<ü@b> SMTPUTF8"),
        // Whether SMTPUTF8 was said is the session's to see.
        ("MAIL FROM:<ü@b>", "MAIL FROM:<ü@b>"),
        // RFC 5321 4.1.1.3.
        ("RCPT TO:<a@b>", "RCPT TO:<a@b>"),
        ("rcpt to: <POSTMASTER>", "RCPT TO:<Postmaster>"),
        ("RCPT TO:<a@b>  NOTIFY=never", "RCPT TO:<a@b> NOTIFY=NEVER"),
        // RFC 5321 4.1.1.4 to 4.1.1.10.
        ("DATA", "DATA"),
        ("RSET ", "RSET"),
        ("NOOP", "NOOP"),
        ("NOOP whatever \"it is", "NOOP"),
        ("QUIT", "QUIT"),
        ("VRFY Crispin", "VRFY Crispin"),
        ("VRFY first.last", "VRFY first.last"),
        ("VRFY \"Joe Smith\" smtputf8", "VRFY \"Joe Smith\" SMTPUTF8"),
        ("VRFY a@b", "VRFY <a@b>"),
        ("VRFY <a@b>", "VRFY <a@b>"),
        ("VRFY <Postmaster>", "VRFY Postmaster"),
        ("EXPN Example-People", "EXPN Example-People"),
        ("EXPN \"a@b\"", "EXPN \"a@b\""),
        ("HELP", "HELP"),
        ("HELP mail", "HELP \"mail\""),
        (
            "HELP \"mail and \\\"more\\\"\"",
            "HELP \"mail and \\\"more\\\"\"",
        ),
        // RFC 3030 2.
        ("BDAT 0 LAST", "BDAT 0 LAST"),
        ("bdat 86 last", "BDAT 86 LAST"),
        ("BDAT 18446744073709551615", "BDAT 18446744073709551615"),
        // RFC 821 4.1.2.
        ("SEND FROM:<a@b>", "SEND FROM:<a@b>"),
        ("SOML FROM:<>", "SOML FROM:<>"),
        ("SAML from: <a@b>", "SAML FROM:<a@b>"),
        ("TURN", "TURN"),
        // RFC 3207 4, RFC 4954 4, RFC 1985 5, RFC 2645 5.2.1.
        ("STARTTLS", "STARTTLS"),
        ("AUTH scram-sha-256", "AUTH SCRAM-SHA-256"),
        (
            "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=",
            "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=",
        ),
        ("AUTH EXTERNAL =", "AUTH EXTERNAL ="),
        ("ETRN example.org", "ETRN example.org"),
        ("ETRN @example.org", "ETRN @example.org"),
        ("ETRN #uucp", "ETRN #uucp"),
        ("ATRN", "ATRN"),
        (
            "ATRN example.org,example.com",
            "ATRN example.org,example.com",
        ),
    ] {
        assert_eq!(canonical(line).as_deref(), Ok(written), "{line}");
        assert_eq!(canonical(written).as_deref(), Ok(written), "{written}");
    }
}

#[test]
fn a_command_without_its_argument_is_refused() {
    for line in [
        "HELO", "EHLO ", "LHLO", "BDAT", "BDAT  ", "VRFY", "EXPN ", "AUTH", "ETRN",
    ] {
        assert!(
            matches!(error(line), SyntaxError::MissingArgument(_)),
            "{line}"
        );
    }
}

#[test]
fn a_command_with_an_argument_too_many_is_refused() {
    // RFC 5321 4.3.2.
    for line in [
        "DATA x",
        "RSET x",
        "QUIT x",
        "TURN x",
        "STARTTLS x",
        "BDAT 1 LAST x",
        "AUTH PLAIN = =",
        "SEND FROM:<a@b> SIZE=1",
        "SOML FROM:<a@b> x",
        "SAML FROM:<> x",
    ] {
        assert_eq!(error(line), SyntaxError::UnexpectedArgument, "{line}");
    }
}

#[test]
fn a_name_that_is_none_is_refused() {
    let bad = |line| match error(line) {
        SyntaxError::BadName(error) => error,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(bad("HELO a b"), AddressError::Domain);
    assert_eq!(bad("EHLO a..b"), AddressError::Domain);
    assert_eq!(bad("LHLO [300.0.0.1]"), AddressError::Literal);
    assert_eq!(bad("EHLO [x400:c=de]"), AddressError::LiteralTag);
    assert_eq!(
        read(b"EHLO \xff", &grammar()),
        Err(SyntaxError::BadName(AddressError::NotUtf8))
    );
    let long = ["d"; 5].map(|d| d.repeat(63)).join(".");
    assert_eq!(
        error(&alloc::format!("HELO {long}")),
        SyntaxError::BadName(AddressError::DomainTooLong)
    );
}

#[test]
fn the_shape_of_mail_and_rcpt_is_kept_to() {
    for (line, expected) in [
        ("MAIL", "FROM:"),
        ("MAIL <a@b>", "FROM:"),
        ("MAIL FROM <a@b>", "FROM:"),
        ("MAIL FROM :<a@b>", "FROM:"),
        ("MAIL TO:<a@b>", "FROM:"),
        ("RCPT", "TO:"),
        ("RCPT FROM:<a@b>", "TO:"),
        ("RCPT é:<a@b>", "TO:"),
        ("SEND", "FROM:"),
        ("MAIL FROM:<a@b>SIZE=1", "a space after the path"),
        ("MAIL FROM:<a@b>>", "a space after the path"),
        ("VRFY <a@b>x", "a space after the path"),
        ("BDAT 1 FIRST", "LAST or nothing"),
    ] {
        assert_eq!(error(line), SyntaxError::Expected(expected), "{line}");
    }
}

#[test]
fn a_bad_path_says_why() {
    use AddressError::*;
    for (line, why) in [
        ("MAIL FROM:", Brackets),
        ("MAIL FROM:a@b", Brackets),
        ("MAIL FROM:<a@b", Brackets),
        ("MAIL FROM:<a@b SIZE=1", Brackets),
        ("MAIL FROM:<a>", NoAt),
        ("MAIL FROM:< >", NoAt),
        ("MAIL FROM:<Postmaster>", NoAt),
        ("MAIL FROM:<a@b_c>", Domain),
        ("MAIL FROM:<a b@c>", LocalPart),
        ("MAIL FROM:<a@[x:y]>", LiteralTag),
        ("MAIL FROM:<@a:@b>", LocalPart),
        ("RCPT TO:<>", Null),
        ("RCPT TO:<a\tb@c>", Control),
        ("RCPT TO:<@a>", SourceRoute),
        ("RCPT TO:<a@[1]>", Literal),
        ("SOML FROM:<a>", NoAt),
        ("SAML FROM:x", Brackets),
        ("VRFY <a@b", Brackets),
        ("VRFY <>", Null),
        ("VRFY a,b", LocalPart),
        ("EXPN \"a", LocalPart),
        ("EXPN a@", Domain),
    ] {
        let error = error(line);
        assert_eq!(error, SyntaxError::BadPath(why), "{line}");
        assert!(!error.is_too_long());
    }
    assert_eq!(
        read(b"MAIL FROM:<\xff@b>", &grammar()),
        Err(SyntaxError::BadPath(NotUtf8))
    );
    assert_eq!(
        read(b"VRFY \xff", &grammar()),
        Err(SyntaxError::BadPath(NotUtf8))
    );
}

#[test]
fn a_path_over_a_limit_is_told_from_one_that_is_malformed() {
    for line in [
        alloc::format!("RCPT TO:<{}@b>", "l".repeat(65)),
        alloc::format!("RCPT TO:<a@{}>", ["d"; 6].map(|d| d.repeat(50)).join(".")),
        alloc::format!(
            "RCPT TO:<@{}:a@b>",
            ["d"; 5].map(|d| d.repeat(50)).join(".")
        ),
    ] {
        assert!(error(&line).is_too_long(), "{line}");
    }
}

#[test]
fn other_arguments_that_cannot_be_read_are_refused() {
    for line in [
        "BDAT x",
        "BDAT -1",
        "BDAT +1",
        "BDAT 1x",
        "BDAT 18446744073709551616",
        "HELP two words",
        "HELP \"open",
        "HELP \"a\"b\"",
        "HELP a@b,c",
        "AUTH PLA.IN",
        "AUTH ABCDEFGHIJKLMNOPQRSTU",
        "AUTH PLAIN dG*",
        "ETRN a_b",
        "ETRN @",
        "ETRN #",
        "ETRN #a b",
        "ETRN a b",
        "ATRN a,,b",
        "ATRN a b",
        "ATRN ,",
    ] {
        assert!(matches!(error(line), SyntaxError::BadArgument(_)), "{line}");
    }
    for line in [&b"HELP \xff"[..], b"ETRN \xff", b"ATRN \xff", b"BDAT \xff"] {
        assert!(matches!(
            read(line, &grammar()),
            Err(SyntaxError::BadArgument(_))
        ));
    }
}

#[test]
fn what_follows_a_lookup_is_smtputf8_or_not_implemented() {
    let not_implemented = |name: &str| SyntaxError::ParameterNotImplemented { name: name.into() };
    assert_eq!(error("VRFY Joe Smith"), not_implemented("Smith"));
    assert_eq!(error("EXPN list SMTPUTF8=1"), not_implemented("SMTPUTF8=1"));
    assert_eq!(
        error("EXPN list SMTPUTF8 smtputf8"),
        SyntaxError::DuplicateParameter {
            name: "smtputf8".into()
        }
    );
    let plain = Grammar::default();
    assert_eq!(
        read(b"VRFY Joe SMTPUTF8", &plain),
        Err(not_implemented("SMTPUTF8"))
    );
}

#[test]
fn parameters_belong_to_their_command() {
    let unknown = |name: &str| SyntaxError::UnknownParameter { name: name.into() };
    assert_eq!(error("MAIL FROM:<> NOTIFY=NEVER"), unknown("NOTIFY"));
    assert_eq!(error("RCPT TO:<a@b> SIZE=1"), unknown("SIZE"));
    // The path comes first, and its fault is told first.
    assert_eq!(
        error("MAIL FROM:<a> XYZ"),
        SyntaxError::BadPath(AddressError::NoAt)
    );
    let read = read(b"MAIL FROM:<> BODY=8BITMIME", &grammar());
    assert_eq!(
        read,
        Ok(Command::Mail {
            reverse_path: ReversePath::Null,
            parameters: MailParameters {
                body: BodyType::EightBitMime,
                ..MailParameters::default()
            }
        })
    );
}

#[test]
fn the_words_of_an_error_are_one_short_printable_line() {
    let long = "K".repeat(400);
    for line in [
        "DATA x".to_string(),
        "HELO".to_string(),
        "BDAT x".to_string(),
        "MAIL x".to_string(),
        "HELO [x:y]".to_string(),
        "RCPT TO:<a>".to_string(),
        alloc::format!("MAIL FROM:<> {long}"),
        alloc::format!("MAIL FROM:<> {long}="),
        "MAIL FROM:<> SIZE=1 SIZE=1".to_string(),
        alloc::format!("VRFY a \u{1b}{long}é"),
    ] {
        let words = error(&line).to_string();
        assert!(
            (1..=100).contains(&words.len())
                && words.bytes().all(|b| b == b' ' || b.is_ascii_graphic()),
            "{words}"
        );
    }
}

fn any_lookup() -> impl Strategy<Value = Lookup> {
    prop_oneof![
        any_mailbox().prop_map(Lookup::Mailbox),
        any_mailbox().prop_map(|mailbox| Lookup::Name(mailbox.local)),
    ]
}

fn any_domain() -> impl Strategy<Value = Domain> {
    "[a-z0-9]{1,9}(\\.[a-z]{1,3}){0,2}".prop_map(|d| Domain::parse(&d, &Limits::NONE).unwrap())
}

fn any_command() -> impl Strategy<Value = Command> {
    let name = any_domain().prop_map(|d| HeloName::parse(d.as_str(), &Limits::NONE).unwrap());
    let transaction = prop_oneof![
        (any_reverse_path(), any_mail_parameters()).prop_map(|(reverse_path, parameters)| {
            Command::Mail {
                reverse_path,
                parameters,
            }
        }),
        (any_forward_path(), any_rcpt_parameters()).prop_map(|(forward_path, parameters)| {
            Command::Rcpt {
                forward_path,
                parameters,
            }
        }),
        (any::<u64>(), any::<bool>()).prop_map(|(size, last)| Command::Bdat { size, last }),
        any_reverse_path().prop_map(Command::Send),
    ];
    let inquiry = prop_oneof![
        (any_lookup(), any::<bool>())
            .prop_map(|(string, smtputf8)| Command::Vrfy { string, smtputf8 }),
        (any_lookup(), any::<bool>())
            .prop_map(|(string, smtputf8)| Command::Expn { string, smtputf8 }),
        "[^\\p{Cc}]{0,9}".prop_map(|topic| Command::Help { topic: Some(topic) }),
        any_domain().prop_map(|domain| Command::Etrn(Node::Subdomains(domain))),
        prop::collection::vec(any_domain(), 0..4).prop_map(Command::Atrn),
    ];
    prop_oneof![name.prop_map(Command::Ehlo), transaction, inquiry]
}

proptest! {
    #[test]
    fn any_command_reads_back(command in any_command()) {
        let grammar = Grammar { limits: Limits::NONE, ..grammar() };
        prop_assert_eq!(read(command.to_string().as_bytes(), &grammar), Ok(command));
    }

    #[test]
    fn no_octets_make_it_panic_and_what_is_read_reads_back(
        verb in prop::sample::select(Verb::ALL.to_vec()),
        rest in prop::collection::vec(any::<u8>(), 0..40),
        words in "(FROM:|TO:)?<?[a@b.,\"\\\\<>\\[\\]:é =A-C0-9]{0,20}",
    ) {
        for arguments in [rest, words.into_bytes()] {
            let grammar = Grammar { limits: Limits::NONE, ..grammar() };
            if let Ok(command) = verb.parse(&arguments, &grammar) {
                let written = command.to_string();
                prop_assert_eq!(read(written.as_bytes(), &grammar), Ok(command), "{}", written);
            }
        }
    }
}

#[test]
fn a_password_is_not_shown() {
    let auth = read(b"AUTH PLAIN AHUAc2VjcmV0", &grammar());
    let shown = alloc::format!("{auth:?}");
    assert!(
        shown.contains("PLAIN") && !shown.contains("AHUA"),
        "{shown}"
    );
}

#[test]
fn the_list_of_domains_keeps_its_order() {
    let domain = |text| Domain::parse(text, &Limits::LEAST).unwrap();
    assert_eq!(
        read(b"ATRN b.example,a.example", &grammar()),
        Ok(Command::Atrn(vec![
            domain("b.example"),
            domain("a.example")
        ]))
    );
}
