//! The two encodings of parameter values: xtext (RFC 3461 4) and the one for UTF-8 addresses
//! (RFC 6533 3).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// Takes xtext apart. `None` if it isn't xtext or holds anything but printable ASCII and space,
/// which is all that RFC 3461 4.2 and 4.4 allow before encoding.
pub(super) fn decode(text: &str) -> Option<String> {
    octets(text).filter(|text| text.bytes().all(|b| matches!(b, b' '..=b'~')))
}

/// Takes xtext apart that may stand for UTF-8. `None` if it doesn't or holds control characters.
pub(super) fn decode_unicode(text: &str) -> Option<String> {
    octets(text).filter(|text| !text.contains(char::is_control))
}

/// What xtext stands for, if that is UTF-8.
fn octets(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        decoded.push(match octet {
            b'+' => upper_hex(octets.next()?)? << 4 | upper_hex(octets.next()?)?,
            b'=' => return None,
            b'!'..=b'~' => octet,
            _ => return None,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Writes `text` as xtext; the other way round of [`decode`].
pub(super) fn encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => write!(f, "+{octet:02X}")?,
            b'!'..=b'~' => f.write_char(octet.into())?,
            _ => write!(f, "+{octet:02X}")?,
        }
    }
    Ok(())
}

/// RFC 3461 4: hexchar has upper-case digits only.
fn upper_hex(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// Takes utf-8-addr-xtext or utf-8-addr-unitext apart (RFC 6533 3). `None` if it is neither.
pub(super) fn decode_utf8(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let (digits, after) = rest.strip_prefix("x{")?.split_once('}')?;
                decoded.push(code_point(digits)?);
                rest = after;
            }
            '+' | '=' => return None,
            '!'..='~' => decoded.push(c),
            _ if c.is_ascii() || c.is_control() => return None,
            _ => decoded.push(c),
        }
    }
    Some(decoded)
}

/// HEXPOINT: two to six digits. Control characters, which it would allow, are not part of any
/// mailbox (RFC 6531 3.3), and would end up in a notice's header.
fn code_point(digits: &str) -> Option<char> {
    if !(2..=6).contains(&digits.len()) || !digits.bytes().all(|b| upper_hex(b).is_some()) {
        return None;
    }
    u32::from_str_radix(digits, 16)
        .ok()
        .and_then(char::from_u32)
        .filter(|c| !c.is_control())
}

/// Writes `text` as utf-8-addr-xtext, which needs no SMTPUTF8; the other way round of
/// [`decode_utf8`].
pub(super) fn encode_utf8(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars() {
        match c {
            '\\' | '+' | '=' => write!(f, "\\x{{{:02X}}}", u32::from(c))?,
            '!'..='~' => f.write_char(c)?,
            _ => write!(f, "\\x{{{:02X}}}", u32::from(c))?,
        }
    }
    Ok(())
}
