//! The folder of a mailbox: `DOMAIN/LOCAL-PART` below the mail root, both encoded.
//!
//! The encoding is reversible, so that a folder says whose it is, and two mailboxes never share one:
//!
//! * `a`-`z`, `0`-`9`, `-`, `_`, `+` and `.` stand for themselves; every other octet of the UTF-8 text is
//!   `%` and two digits of lower-case hexadecimal. A folder name has no capitals, so mailboxes that
//!   differ in case have different folders on a file system that doesn't see case either, nor does a
//!   file system's normalisation of Unicode matter.
//! * A `.` or `-` that would begin a name is escaped as well: no hidden folders, no `.` and `..`, nothing
//!   that a command takes for an option.
//! * What is longer than [`LONGEST_NAME`] goes on in a folder below, and a name that goes on below ends
//!   with a `%`, which no escape does.
//! * The empty local-part (`""@example.org`) is `%-`.
//!
//! Domains are encoded in lower case, as they are the same in any (RFC 5321 2.4).

use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use postroad_wire::address::Mailbox;

/// The longest folder name made here, a closing `%` not counted. File systems allow 255 octets (NAME_MAX);
/// some that encrypt names allow 143.
pub const LONGEST_NAME: usize = 140;

/// The name of the empty text.
const EMPTY: &str = "%-";

/// The folder of a mailbox, relative to the mail root.
///
/// The mailbox is taken as it stands: whoever resolved it has decided about the case of its
/// local-part and the form of its domain.
pub fn folder(mailbox: &Mailbox) -> PathBuf {
    let domain = mailbox.host.to_string().to_ascii_lowercase();
    encode(&domain).join(encode(mailbox.local.as_str()))
}

/// Whose folder it is, given its path relative to the mail root: local-part, without quoting, and
/// domain. None if [`folder`] doesn't make such a path.
pub fn owner(folder: &Path) -> Option<(String, String)> {
    let mut names = folder.components().map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let domain = decode(&mut names)?;
    let local = decode(&mut names)?;
    names.next().is_none().then_some((local, domain))
}

/// One or more folder names, each within the next, for any text.
fn encode(text: &str) -> PathBuf {
    let mut path = PathBuf::new();
    let mut name = String::new();
    for octet in text.bytes() {
        if name.len() + 3 > LONGEST_NAME {
            name.push('%');
            path.push(&name);
            name.clear();
        }
        let literal = match octet {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'+' => true,
            b'.' | b'-' => !name.is_empty(),
            _ => false,
        };
        if literal {
            name.push(char::from(octet));
        } else {
            // Writing to a String can't fail.
            let _ = write!(name, "%{octet:02x}");
        }
    }
    path.push(if text.is_empty() { EMPTY } else { &name });
    path
}

/// Reads the names of one text back. What [`encode`] would have written otherwise is refused, so
/// that each text has one path.
fn decode<'a>(names: &mut impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    let mut path = PathBuf::new();
    let mut octets = Vec::new();
    loop {
        let name = names.next()??;
        path.push(name);
        if name == EMPTY {
            break;
        }
        let piece = name.strip_suffix('%');
        unescape(piece.unwrap_or(name), &mut octets)?;
        if piece.is_none() {
            break;
        }
    }
    let text = String::from_utf8(octets).ok()?;
    (encode(&text) == path).then_some(text)
}

fn unescape(name: &str, into: &mut Vec<u8>) -> Option<()> {
    let mut rest = name.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            // Two hexadecimal digits are below 256.
            into.push((high * 16 + low) as u8);
        } else {
            into.push(octet);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_wire::address::Limits;
    use proptest::prelude::*;

    fn path(text: &str) -> String {
        encode(text).to_str().expect("it is ASCII").to_owned()
    }

    fn decoded(path: &Path) -> Option<String> {
        let mut names = path.iter().map(|name| name.to_str());
        let text = decode(&mut names)?;
        names.next().is_none().then_some(text)
    }

    #[test]
    fn names_are_readable_and_safe() {
        for (text, name) in [
            ("ada", "ada"),
            ("ada.lovelace+news_1-x", "ada.lovelace+news_1-x"),
            ("Ada", "%41da"),
            ("..", "%2e."),
            (".hidden", "%2ehidden"),
            ("-rf", "%2drf"),
            ("../../etc/passwd", "%2e.%2f..%2fetc%2fpasswd"),
            ("a b\"c\\d", "a%20b%22c%5cd"),
            ("\0\n", "%00%0a"),
            ("j\u{f6}rg", "j%c3%b6rg"),
            ("100%", "100%25"),
            ("", "%-"),
            ("%-", "%25-"),
            ("~", "%7e"),
        ] {
            assert_eq!(path(text), name, "{text:?}");
            assert_eq!(decoded(Path::new(name)).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_mailbox_has_its_domain_in_any_case_and_its_local_part_in_its_own() {
        let folder_of = |text: &str| {
            folder(&Mailbox::parse(text, &Limits::default()).expect("the test wrote a mailbox"))
        };
        assert_eq!(folder_of("Ada@Example.ORG"), Path::new("example.org/%41da"));
        assert_eq!(
            folder_of("\"a/b\"@[192.0.2.1]"),
            Path::new("%5b192.0.2.1%5d/a%2fb")
        );
        assert_eq!(
            owner(Path::new("example.org/%41da")),
            Some(("Ada".to_owned(), "example.org".to_owned()))
        );
    }

    #[test]
    fn paths_that_were_not_made_here_have_no_owner() {
        for path in [
            "",
            "example.org",
            "example.org/ada/cur",
            "example.org/Ada",
            "example.org/%4",
            "example.org/%zz",
            "example.org/a%",
            "example.org/..",
            "../ada",
            "/example.org/ada",
            "example.org/%61da",
            "example.org/%2E",
            "example.org/%ff",
        ] {
            assert_eq!(owner(Path::new(path)), None, "{path}");
        }
    }

    /// Texts in which what has to be escaped is frequent, and long ones.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[-.a-cA-C%/ \u{e9}0-2]{0,12}",
            "[-.a%A]{100,700}",
        ]
    }

    proptest! {
        #[test]
        fn every_text_reads_back_from_safe_names(text in texts()) {
            let path = encode(&text);
            prop_assert_eq!(decoded(&path), Some(text));
            for name in &path {
                let name = name.to_str().expect("it is ASCII");
                prop_assert!(!name.is_empty() && name.len() <= LONGEST_NAME + 1);
                prop_assert!(!name.starts_with(['.', '-', '~']));
                let safe = |o| matches!(o, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'+' | b'%');
                prop_assert!(name.bytes().all(safe));
            }
        }

        #[test]
        fn no_two_texts_share_a_folder_nor_does_one_lie_in_a_maildir_of_another(
            a in texts(), b in texts(), case in any::<bool>(),
        ) {
            let b = if case { a.to_uppercase() } else { b };
            prop_assume!(a != b);
            let lower = |text: &str| path(text).to_ascii_lowercase();
            prop_assert_ne!(lower(&a), lower(&b));
            for below in ["cur", "new", "tmp"] {
                let maildir = encode(&a).join(below);
                prop_assert!(!encode(&b).starts_with(maildir));
            }
        }
    }
}
