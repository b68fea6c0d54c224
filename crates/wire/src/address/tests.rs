#![allow(clippy::unwrap_used)] // a test may panic

use alloc::string::{String, ToString};
use proptest::prelude::*;

use super::*;

const LEAST: Limits = Limits::LEAST;

fn mailbox(text: &str) -> Result<String, AddressError> {
    Mailbox::parse(text, &LEAST).map(|mailbox| mailbox.to_string())
}

#[test]
fn mailboxes_are_read_and_written_with_the_least_quoting() {
    // RFC 5321 4.1.2: all quoted forms are equivalent, and the least quoting is sent.
    for (text, written) in [
        ("jones@xyz.example", "jones@xyz.example"),
        ("a.b.c@x", "a.b.c@x"),
        ("!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x"),
        ("\"jones\"@x", "jones@x"),
        ("\"j\\o\\nes\"@x", "jones@x"),
        ("\"Joe\\,Smith\"@x", "\"Joe,Smith\"@x"),
        ("\"a b\"@x", "\"a b\"@x"),
        ("\"a@b\"@x", "\"a@b\"@x"),
        ("\"a\\\"b\\\\c\"@x", "\"a\\\"b\\\\c\"@x"),
        ("\"a>b\"@x", "\"a>b\"@x"),
        ("\".a\"@x", "\".a\"@x"),
        ("\"\"@x", "\"\"@x"),
        // Bang paths and the percent hack are local-parts like any other.
        ("host!user@x", "host!user@x"),
        ("user%host@x", "user%host@x"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[192.0.002.001]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]"),
        ("a@[ipv6:::]", "a@[IPv6:::]"),
        ("a@[IPv6:::ffff:192.0.2.1]", "a@[IPv6:::ffff:192.0.2.1]"),
        ("a@1.2.3.4", "a@1.2.3.4"),
        ("a@x--y.Example", "a@x--y.Example"),
        // RFC 6531 3.3.
        ("用户@例子.example", "用户@例子.example"),
        ("\"用 户\"@x", "\"用 户\"@x"),
    ] {
        assert_eq!(mailbox(text).as_deref(), Ok(written), "{text}");
        assert_eq!(mailbox(written).as_deref(), Ok(written), "{written}");
    }
}

#[test]
fn what_is_no_mailbox_says_why() {
    use AddressError::*;
    for (text, why) in [
        ("", NoAt),
        ("jones", NoAt),
        ("@x", LocalPart),
        ("a@", Domain),
        ("a@b@c", Domain),
        (".a@x", LocalPart),
        ("a.@x", LocalPart),
        ("a..b@x", LocalPart),
        ("a b@x", LocalPart),
        ("a,b@x", LocalPart),
        ("a\"b@x", NoAt),
        ("\"a@x", NoAt),
        ("\"a\"b@x", LocalPart),
        ("\"a\".\"b\"@x", LocalPart),
        ("\"a\\é\"@x", LocalPart),
        ("a\u{0}@x", Control),
        ("a\u{7f}@x", Control),
        ("a\u{85}@x", Control),
        ("\"a\tb\"@x", Control),
        ("\"a\\\u{1}\"@x", Control),
        ("a@x\u{0}", Control),
        ("a@x.", Domain),
        ("a@.x", Domain),
        ("a@x..y", Domain),
        ("a@-x", Domain),
        ("a@x-", Domain),
        ("a@x_y", Domain),
        ("a@x y", Domain),
        ("a@x\u{3000}y", Domain),
        ("a@x!", Domain),
        ("a@[]", Literal),
        ("a@[192.0.2]", Literal),
        ("a@[192.0.2.256]", Literal),
        ("a@[192.0.2.1.1]", Literal),
        ("a@[192.0.2.0001]", Literal),
        ("a@[192.0.2.+1]", Literal),
        ("a@[192.0.2.1", Literal),
        ("a@[2001:db8::1]", LiteralTag),
        ("a@[IPv6:2001:db8::1%eth0]", Literal),
        ("a@[IPv6:1:2]", Literal),
        ("a@[x400:c=de]", LiteralTag),
        ("a@[x400:]", Literal),
        ("a@[x400:a[b]", Literal),
        ("a@[-x-:a]", Literal),
        ("a@[:a]", Literal),
    ] {
        assert_eq!(mailbox(text), Err(why), "{text:?}");
    }
}

#[test]
fn limits_are_exact_and_a_setting() {
    // RFC 5321 4.5.3.1.1 to 4.5.3.1.3.
    let local = |n: usize| "l".repeat(n) + "@x";
    assert!(mailbox(&local(64)).is_ok());
    assert_eq!(mailbox(&local(65)), Err(AddressError::LocalPartTooLong));
    // Quoting doesn't count.
    let quoted = "\"".to_string() + &"\\l".repeat(64) + "\"@x";
    assert!(mailbox(&quoted).is_ok());

    let label = "d".repeat(63);
    let domain = |last: usize| alloc::format!("{label}.{label}.{label}.{}", "d".repeat(last));
    assert!(Domain::parse(&domain(63), &LEAST).is_ok());
    assert_eq!(
        Domain::parse(&(domain(61) + ".d.d"), &LEAST).map(|_| ()),
        Err(AddressError::DomainTooLong)
    );
    assert_eq!(
        Domain::parse(&"d".repeat(64), &Limits::NONE).map(|_| ()),
        Err(AddressError::Domain)
    );

    let path = |n: usize| alloc::format!("<{}@{}>", "l".repeat(64), domain(n));
    let route = |n: usize| alloc::format!("<@{}:l@x>", "r.".repeat(n) + "r");
    assert_eq!(path(0).len(), 259);
    assert!(ReversePath::parse(&route(124), &LEAST).is_ok());
    assert_eq!(route(124).len(), 256);
    assert_eq!(
        ReversePath::parse(&route(125), &LEAST),
        Err(AddressError::PathTooLong)
    );
    assert!(ReversePath::parse(&route(125), &Limits::default()).is_ok());
}

#[test]
fn the_null_sender_is_a_reverse_path_only() {
    assert_eq!(ReversePath::parse("<>", &LEAST), Ok(ReversePath::Null));
    assert_eq!(ReversePath::Null.to_string(), "<>");
    assert_eq!(ForwardPath::parse("<>", &LEAST), Err(AddressError::Null));
}

#[test]
fn the_bare_postmaster_is_a_forward_path_only_in_any_case() {
    // RFC 5321 4.1.1.3.
    for text in ["<Postmaster>", "<postmaster>", "<POSTMASTER>"] {
        assert_eq!(
            ForwardPath::parse(text, &LEAST),
            Ok(ForwardPath::Postmaster)
        );
        assert_eq!(ReversePath::parse(text, &LEAST), Err(AddressError::NoAt));
    }
    assert_eq!(ForwardPath::Postmaster.to_string(), "<Postmaster>");
    let full = ForwardPath::parse("<postmaster@x>", &LEAST);
    assert!(matches!(full, Ok(ForwardPath::Mailbox(_))));
}

#[test]
fn a_source_route_is_dropped() {
    // RFC 5321 appendix C.
    for text in ["<@a.example:u@x>", "<@a,@b:u@x>", "<@a,@b,@c:u@x>"] {
        let read = ForwardPath::parse(text, &LEAST).map(|path| path.to_string());
        assert_eq!(read.as_deref(), Ok("<u@x>"), "{text}");
    }
    for text in ["<@a>", "<@a,b:u@x>", "<@:u@x>", "<@a,:u@x>", "<@a_b:u@x>"] {
        assert_eq!(
            ForwardPath::parse(text, &LEAST),
            Err(AddressError::SourceRoute),
            "{text}"
        );
    }
    let quoted = ForwardPath::parse("<@a:\"x:y\"@z>", &LEAST).map(|path| path.to_string());
    assert_eq!(quoted.as_deref(), Ok("<\"x:y\"@z>"));
}

#[test]
fn a_path_has_brackets() {
    for text in ["u@x", "<u@x", "u@x>", ""] {
        assert_eq!(
            ReversePath::parse(text, &LEAST),
            Err(AddressError::Brackets),
            "{text}"
        );
    }
}

#[test]
fn the_end_of_a_path_is_not_inside_quotes() {
    for (text, end) in [
        ("<u@x> SIZE=1", Some(5)),
        ("<\"a>b\"@x>", Some(9)),
        ("<\"a\\\">b\"@x>z", Some(11)),
        ("<u@x", None),
        ("<\"u@x>", None),
    ] {
        assert_eq!(end_of_path(text.as_bytes()), end, "{text}");
    }
}

#[test]
fn domains_are_the_same_in_any_case_local_parts_are_not() {
    let domain = |text| Domain::parse(text, &LEAST);
    assert_eq!(domain("Example.ORG"), domain("example.org"));
    assert_ne!(domain("example.org"), domain("example.com"));
    assert_eq!(
        domain("A.example").ok().cmp(&domain("a.EXAMPLE").ok()),
        core::cmp::Ordering::Equal
    );
    let local = |text| LocalPart::parse(text, &LEAST);
    assert_ne!(local("Smith"), local("smith"));
    assert_eq!(local("\"smith\""), local("smith"));
}

#[test]
fn helo_names_are_a_little_wider_than_hosts() {
    for (text, name, is_host) in [
        ("mail.example.org", "mail.example.org", true),
        ("localhost", "localhost", true),
        ("mail.example.org.", "mail.example.org", true),
        ("MY_PC.example", "MY_PC.example", false),
        ("_x", "_x", false),
        ("[192.0.2.1]", "[192.0.2.1]", true),
        ("[IPv6:::1] (my laptop)", "[IPv6:::1]", true),
    ] {
        let read = HeloName::parse(text, &LEAST).unwrap();
        assert_eq!(read.as_str(), name);
        assert_eq!(Host::parse(name, &LEAST).is_ok(), is_host, "{name}");
        assert_eq!(HeloName::parse(read.as_str(), &LEAST), Ok(read));
    }
}

#[test]
fn what_is_no_helo_name_says_why() {
    use AddressError::*;
    for (text, why) in [
        ("", Domain),
        (".", Domain),
        ("a..", Domain),
        ("a b", Domain),
        ("a/b", Domain),
        ("2001:db8::1", Domain),
        // RFC 6531 3.7.1: before the extension is known, a name is ASCII.
        ("größe.example", Domain),
        ("[192.0.2.1", Literal),
        ("[192.0.2.1]x", Literal),
        ("[x400:c=de]", LiteralTag),
        ("a\u{1}", Control),
    ] {
        assert_eq!(HeloName::parse(text, &LEAST), Err(why), "{text}");
    }
}

#[test]
fn only_what_is_not_ascii_needs_smtputf8() {
    let is_ascii = |text| Mailbox::parse(text, &LEAST).unwrap().is_ascii();
    assert!(is_ascii("a@xn--exmple-cua.org"));
    assert!(is_ascii("a@[192.0.2.1]"));
    assert!(!is_ascii("ä@x"));
    assert!(!is_ascii("a@ä.example"));
    assert!(ReversePath::Null.is_ascii() && ForwardPath::Postmaster.is_ascii());
}

fn local_part() -> impl Strategy<Value = LocalPart> {
    "[^\\p{Cc}]{0,20}|[a-z. \"\\\\@<>]{0,8}"
        .prop_map(|text| LocalPart::from_unquoted(&text, &Limits::NONE).unwrap())
}

pub(crate) fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-z0-9é]([a-zé-]{0,5}[a-z0-9])?(\\.[a-zA-Z0-9]{1,5}){0,3}".prop_map(|text| Host::parse(
            &text,
            &Limits::NONE
        )
        .unwrap()),
        any::<[u8; 4]>().prop_map(|octets| Host::Literal(AddressLiteral::V4(octets.into()))),
        any::<[u16; 8]>().prop_map(|groups| Host::Literal(AddressLiteral::V6(groups.into()))),
    ]
}

pub(crate) fn any_mailbox() -> impl Strategy<Value = Mailbox> {
    (local_part(), host()).prop_map(|(local, host)| Mailbox { local, host })
}

pub(crate) fn any_reverse_path() -> impl Strategy<Value = ReversePath> {
    prop_oneof![
        Just(ReversePath::Null),
        any_mailbox().prop_map(ReversePath::Mailbox)
    ]
}

pub(crate) fn any_forward_path() -> impl Strategy<Value = ForwardPath> {
    prop_oneof![
        Just(ForwardPath::Postmaster),
        any_mailbox().prop_map(ForwardPath::Mailbox)
    ]
}

proptest! {
    #[test]
    fn any_path_reads_back(reverse in any_reverse_path(), forward in any_forward_path()) {
        prop_assert_eq!(ReversePath::parse(&reverse.to_string(), &Limits::NONE), Ok(reverse));
        prop_assert_eq!(ForwardPath::parse(&forward.to_string(), &Limits::NONE), Ok(forward));
    }

    #[test]
    fn what_is_read_is_written_so_that_it_reads_the_same(text in "<[a-c.\"\\\\@:>, \\[\\]0-9é-]{0,24}>") {
        if let Ok(path) = ForwardPath::parse(&text, &LEAST) {
            prop_assert_eq!(ForwardPath::parse(&path.to_string(), &Limits::NONE), Ok(path));
        }
    }
}
