#![allow(clippy::unwrap_used)] // a test may panic

use alloc::string::{String, ToString};
use proptest::prelude::*;

use super::*;
use crate::address::Limits;
use crate::command::SyntaxError;
use crate::extension::{Extensions, Size};
use crate::sasl::Mechanisms;

fn all() -> Extensions {
    Extensions {
        size: Some(Size::Untold),
        eight_bit_mime: true,
        binary_mime: true,
        smtputf8: true,
        dsn: true,
        auth: Some(Mechanisms::default()),
        ..Extensions::default()
    }
}

fn mail(text: &str) -> Result<MailParameters, SyntaxError> {
    MailParameters::parse(text.as_bytes(), &all())
}

fn rcpt(text: &str) -> Result<RcptParameters, SyntaxError> {
    RcptParameters::parse(text.as_bytes(), &all())
}

fn bad(name: &str) -> SyntaxError {
    SyntaxError::BadParameter { name: name.into() }
}

fn twice(name: &str) -> SyntaxError {
    SyntaxError::DuplicateParameter { name: name.into() }
}

fn unknown(name: &str) -> SyntaxError {
    SyntaxError::UnknownParameter { name: name.into() }
}

#[test]
fn nothing_says_nothing() {
    assert_eq!(mail(""), Ok(MailParameters::default()));
    assert_eq!(mail(" \t "), Ok(MailParameters::default()));
    assert_eq!(rcpt(""), Ok(RcptParameters::default()));
}

#[test]
fn the_submitter_is_read_and_written_as_in_rfc_4954_5_1() {
    let submitter = |text| mail(text).map(|read| read.auth);
    assert_eq!(submitter("AUTH=<>"), Ok(Some(Submitter::Unknown)));
    let mailbox = |text| Mailbox::parse(text, &Limits::default()).unwrap();
    let known = Submitter::Mailbox(mailbox("e=mc2@example.com"));
    assert_eq!(known.to_string(), "e+3Dmc2@example.com");
    assert_eq!(submitter("auth=e+3Dmc2@example.com"), Ok(Some(known)));
    for text in [
        "AUTH",
        "AUTH=",
        "AUTH=anna",
        "AUTH=<anna@example.com>",
        "AUTH=a+2@example.com",
        "AUTH=a+0D@example.com",
    ] {
        assert_eq!(submitter(text), Err(bad("AUTH")), "{text}");
    }
    assert_eq!(submitter("AUTH=<> AUTH=<>"), Err(twice("AUTH")));
    let without = Extensions::default();
    assert_eq!(
        MailParameters::parse(b"AUTH=<>", &without),
        Err(unknown("AUTH"))
    );
}

#[test]
fn all_of_mail_is_read() {
    assert_eq!(
        mail("size=1024 Body=8bitmime  SmtpUtf8 RET=hdrs\tENVID=a+20b+2Bc"),
        Ok(MailParameters {
            size: Some(1024),
            body: BodyType::EightBitMime,
            smtputf8: true,
            ret: Some(Ret::Headers),
            envid: Some(EnvId("a b+c".into())),
            auth: None,
        })
    );
    let body = |text| mail(text).map(|read| read.body);
    assert_eq!(body("BODY=7BIT"), Ok(BodyType::SevenBit));
    assert_eq!(body("BODY=BINARYMIME"), Ok(BodyType::BinaryMime));
    assert_eq!(mail("RET=FULL").map(|read| read.ret), Ok(Some(Ret::Full)));
}

#[test]
fn a_size_has_one_to_twenty_digits() {
    // RFC 1870 4.
    let size = |text| mail(text).map(|read| read.size);
    assert_eq!(size("SIZE=0"), Ok(Some(0)));
    assert_eq!(size("SIZE=18446744073709551615"), Ok(Some(u64::MAX)));
    assert_eq!(size("SIZE=99999999999999999999"), Ok(Some(u64::MAX)));
    for text in [
        "SIZE",
        "SIZE=",
        "SIZE=abc",
        "SIZE=-1",
        "SIZE=+1",
        "SIZE=1k",
        "SIZE=000000000000000000001",
        "SIZE=1=1",
    ] {
        assert_eq!(mail(text), Err(bad("SIZE")), "{text}");
    }
}

#[test]
fn values_out_of_their_range_are_refused() {
    for (text, name) in [
        ("BODY", "BODY"),
        ("BODY=", "BODY"),
        ("BODY=foo", "BODY"),
        ("SMTPUTF8=", "SMTPUTF8"),
        ("SMTPUTF8=yes", "SMTPUTF8"),
        ("RET=x", "RET"),
        ("RET", "RET"),
        ("ENVID", "ENVID"),
        ("ENVID=", "ENVID"),
        // RFC 3461 4: two upper-case digits, and only printable ASCII and space behind them.
        ("ENVID=a+", "ENVID"),
        ("ENVID=a+2", "ENVID"),
        ("ENVID=a+2b", "ENVID"),
        ("ENVID=a+0A", "ENVID"),
        ("ENVID=a+C3+A9", "ENVID"),
        ("ENVID=é", "ENVID"),
    ] {
        assert_eq!(mail(text), Err(bad(name)), "{text}");
    }
    for text in [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=FOO",
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,",
    ] {
        assert_eq!(rcpt(text), Err(bad("NOTIFY")), "{text}");
    }
    for text in [
        "ORCPT",
        "ORCPT=rfc822",
        "ORCPT=rfc822;",
        "ORCPT=;a@b",
        "ORCPT=rf(c;a@b",
        "ORCPT=é;a@b",
        "ORCPT=rfc822;a+4",
        "ORCPT=rfc822;a+0D+0A",
        "ORCPT=rfc822;a+C2+85",
        "ORCPT=rfc822;a+E9",
        "ORCPT=x400;a+C3+A9",
        "ORCPT=rfc822;é",
    ] {
        assert_eq!(rcpt(text), Err(bad("ORCPT")), "{text}");
    }
}

#[test]
fn a_parameter_stands_once() {
    // RFC 3461 4.5; the second is told of whatever its value is.
    for (text, name) in [
        ("SIZE=1 size=1", "size"),
        ("BODY=7BIT BODY=x", "BODY"),
        ("SMTPUTF8 SMTPUTF8", "SMTPUTF8"),
        ("RET=FULL RET=HDRS", "RET"),
        ("ENVID=a ENVID=b", "ENVID"),
    ] {
        assert_eq!(mail(text), Err(twice(name)), "{text}");
    }
    assert_eq!(rcpt("NOTIFY=NEVER NOTIFY=NEVER"), Err(twice("NOTIFY")));
    assert_eq!(rcpt("ORCPT=a;b ORCPT=a;b"), Err(twice("ORCPT")));
}

#[test]
fn what_no_offered_extension_has_is_unknown() {
    assert_eq!(mail("XYZZY"), Err(unknown("XYZZY")));
    assert_eq!(mail("SIZE=1 X-A=b SIZE=2"), Err(unknown("X-A")));
    assert_eq!(rcpt("SIZE=1"), Err(unknown("SIZE")));
    let none = Extensions::default();
    for text in ["SIZE=1", "BODY=7BIT", "SMTPUTF8", "RET=FULL", "ENVID=a"] {
        let name = text.split('=').next().unwrap_or_default();
        let read = MailParameters::parse(text.as_bytes(), &none);
        assert_eq!(read, Err(unknown(name)));
    }
    for (text, name) in [("NOTIFY=NEVER", "NOTIFY"), ("ORCPT=a;b", "ORCPT")] {
        let read = RcptParameters::parse(text.as_bytes(), &none);
        assert_eq!(read, Err(unknown(name)));
    }
}

#[test]
fn a_body_type_not_offered_is_out_of_range() {
    let eight = Extensions {
        eight_bit_mime: true,
        ..Extensions::default()
    };
    let read = |text: &str| MailParameters::parse(text.as_bytes(), &eight);
    assert!(read("BODY=8BITMIME").is_ok());
    assert_eq!(read("BODY=BINARYMIME"), Err(bad("BODY")));
    let binary = Extensions {
        binary_mime: true,
        ..Extensions::default()
    };
    let read = MailParameters::parse(b"BODY=8BITMIME", &binary);
    assert_eq!(read, Err(bad("BODY")));
}

#[test]
fn what_is_no_parameter_is_bad() {
    // RFC 5321 4.1.2.
    for (text, name) in [
        ("=", ""),
        ("=1", ""),
        ("-SIZE=1", "-SIZE"),
        ("SI_ZE=1", "SI_ZE"),
        ("X=a=b", "X"),
        ("X=", "X"),
        ("X=a\u{7f}", "X"),
        ("gr\u{f6}\u{df}e", "gr????e"),
    ] {
        assert_eq!(mail(text), Err(bad(name)), "{text}");
    }
    let not_utf8 = MailParameters::parse(b"SIZE=\xff", &all());
    assert_eq!(not_utf8, Err(bad("SIZE")));
}

#[test]
fn notices_are_asked_for_one_by_one() {
    let notify = |text| rcpt(text).map(|read| read.notify);
    assert_eq!(notify("NOTIFY=never"), Ok(Some(Notify::Never)));
    assert_eq!(
        notify("NOTIFY=delay,SUCCESS,DELAY"),
        Ok(Some(Notify::On {
            success: true,
            failure: false,
            delay: true,
        }))
    );
}

#[test]
fn an_original_recipient_is_decoded_by_its_kind() {
    let original = |text: &str| rcpt(text).map(|read| read.original);
    let is = |kind: &str, address: &str| {
        Ok(Some(OriginalRecipient {
            kind: kind.into(),
            address: address.into(),
        }))
    };
    assert_eq!(original("ORCPT=RFC822;Bob+2Bx@b"), is("RFC822", "Bob+x@b"));
    assert_eq!(original("ORCPT=x400;/c+3Dde/"), is("x400", "/c=de/"));
    // RFC 6533 3.
    assert_eq!(original("ORCPT=utf-8;\\x{E9}a@b"), is("utf-8", "éa@b"));
    assert_eq!(original("ORCPT=UTF-8;é\\x{2B}a@b"), is("UTF-8", "é+a@b"));
    assert_eq!(original("ORCPT=utf-8;\\x{1F600}@b"), is("utf-8", "😀@b"));
    // As Postfix writes it.
    assert_eq!(original("ORCPT=rfc822;+C3+A9a@b"), is("utf-8", "éa@b"));
    // What isn't written so is passed on as it is.
    for raw in [
        "a+b",
        "\\x{0A}",
        "\\x{D800}",
        "\\x{110000}",
        "\\x{e9}",
        "\\x{1234567}",
        "\\x{E}",
        "\\y",
        "\\x{E9",
    ] {
        let text = String::from("ORCPT=utf-8;") + raw;
        assert_eq!(original(&text), is("utf-8", raw), "{raw}");
    }
    let no_utf8 = Extensions {
        smtputf8: false,
        ..all()
    };
    let read = RcptParameters::parse("ORCPT=utf-8;é@b".as_bytes(), &no_utf8);
    assert_eq!(read, Err(bad("ORCPT")));
}

#[test]
fn a_notice_on_nothing_is_written_as_never() {
    let nothing = Notify::On {
        success: false,
        failure: false,
        delay: false,
    };
    assert_eq!(nothing.to_string(), "NEVER");
}

#[test]
fn values_are_encoded() {
    // RFC 3461 4, RFC 6533 3.
    let envid = EnvId("a b+c=d\\~".into());
    assert_eq!(envid.to_string(), "a+20b+2Bc+3Dd\\~");
    let original = |kind: &str| {
        OriginalRecipient {
            kind: kind.into(),
            address: "a +=\\é😀@b".into(),
        }
        .to_string()
    };
    assert_eq!(
        original("utf-8"),
        "utf-8;a\\x{20}\\x{2B}\\x{3D}\\x{5C}\\x{E9}\\x{1F600}@b"
    );
    assert_eq!(original("x"), "x;a+20+2B+3D\\+C3+A9+F0+9F+98+80@b");
}

fn printable() -> impl Strategy<Value = String> {
    "[ -~]{1,12}"
}

pub(crate) fn any_mail_parameters() -> impl Strategy<Value = MailParameters> {
    let body = prop_oneof![
        Just(BodyType::SevenBit),
        Just(BodyType::EightBitMime),
        Just(BodyType::BinaryMime)
    ];
    let ret = prop::option::of(prop_oneof![Just(Ret::Full), Just(Ret::Headers)]);
    (
        any::<Option<u64>>(),
        body,
        any::<bool>(),
        ret,
        prop::option::of(printable().prop_map(EnvId)),
        prop::option::of(prop_oneof![
            Just(Submitter::Unknown),
            Just(Submitter::Mailbox(
                Mailbox::parse("e=mc2@example.com", &Limits::default()).unwrap()
            )),
        ]),
    )
        .prop_map(|(size, body, smtputf8, ret, envid, auth)| MailParameters {
            size,
            body,
            smtputf8,
            ret,
            envid,
            auth,
        })
}

pub(crate) fn any_rcpt_parameters() -> impl Strategy<Value = RcptParameters> {
    let notify = any::<(bool, bool, bool)>().prop_map(|on| match on {
        (false, false, false) => Notify::Never,
        (success, failure, delay) => Notify::On {
            success,
            failure,
            delay,
        },
    });
    let original = prop_oneof![
        ("rfc822|x400", printable()),
        (Just(String::from("utf-8")), "[^\\p{Cc}]{1,12}"),
    ]
    .prop_map(|(kind, address)| OriginalRecipient { kind, address });
    (prop::option::of(notify), prop::option::of(original))
        .prop_map(|(notify, original)| RcptParameters { notify, original })
}

proptest! {
    #[test]
    fn any_parameters_read_back(mail_ in any_mail_parameters(), rcpt_ in any_rcpt_parameters()) {
        prop_assert_eq!(mail(&mail_.to_string()), Ok(mail_));
        prop_assert_eq!(rcpt(&rcpt_.to_string()), Ok(rcpt_));
    }
}
