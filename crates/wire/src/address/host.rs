//! Domain names, address literals and the names clients give themselves (RFC 5321 4.1.2, 4.1.3).

use alloc::string::{String, ToString};
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{AddressError, Limits};

/// A domain name as it was written, without a closing dot.
///
/// Equality, order and hash are without regard to ASCII case. A U-label and its A-label are
/// different here: turning one into the other takes tables this crate doesn't have.
#[derive(Debug, Clone)]
pub struct Domain(String);

impl Domain {
    /// Reads a domain name (RFC 5321 4.1.2). Whether a label beyond ASCII is a U-label
    /// (RFC 6531 3.3) is not looked into.
    ///
    /// # Errors
    /// What is wrong with it: a label, a character, or its length.
    pub fn parse(text: &str, limits: &Limits) -> Result<Domain, AddressError> {
        check_labels(text, limits, false)?;
        Ok(Domain(text.into()))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// RFC 5321 2.4: domains are compared without regard to case.
impl PartialEq for Domain {
    fn eq(&self, other: &Domain) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Domain {}

impl PartialOrd for Domain {
    fn partial_cmp(&self, other: &Domain) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Domain {
    fn cmp(&self, other: &Domain) -> core::cmp::Ordering {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        self.0.bytes().map(lower).cmp(other.0.bytes().map(lower))
    }
}

impl core::hash::Hash for Domain {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

/// What stands between brackets (RFC 5321 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressLiteral {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
}

impl AddressLiteral {
    /// Reads a literal with its brackets (RFC 5321 4.1.3).
    ///
    /// # Errors
    /// [`AddressError::LiteralTag`] if it is well formed and of a kind we don't know, else
    /// [`AddressError::Literal`].
    pub fn parse(text: &str) -> Result<AddressLiteral, AddressError> {
        let inside = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .ok_or(AddressError::Literal)?;
        let Some((tag, address)) = inside.split_once(':') else {
            return v4(inside).map(AddressLiteral::V4);
        };
        if tag.eq_ignore_ascii_case("IPv6") {
            return address
                .parse()
                .map(AddressLiteral::V6)
                .map_err(|_| AddressError::Literal);
        }
        // General-address-literal: Ldh-str ":" 1*dcontent.
        let dcontent = |b: u8| b.is_ascii_graphic() && !matches!(b, b'[' | b'\\' | b']');
        if is_ldh(tag) && !address.is_empty() && address.bytes().all(dcontent) {
            Err(AddressError::LiteralTag)
        } else {
            Err(AddressError::Literal)
        }
    }
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressLiteral::V4(address) => write!(f, "[{address}]"),
            AddressLiteral::V6(address) => write!(f, "[IPv6:{address}]"),
        }
    }
}

/// Four numbers of one to three digits. Not the library's own reading, which refuses the leading
/// zeros that `Snum` allows.
fn v4(text: &str) -> Result<Ipv4Addr, AddressError> {
    let mut octets = [0u8; 4];
    let mut numbers = text.split('.');
    for octet in &mut octets {
        let number = numbers.next().ok_or(AddressError::Literal)?;
        if number.len() > 3 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AddressError::Literal);
        }
        *octet = number.parse().map_err(|_| AddressError::Literal)?;
    }
    match numbers.next() {
        None => Ok(octets.into()),
        Some(_) => Err(AddressError::Literal),
    }
}

/// What stands after the `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address in brackets.
    Literal(AddressLiteral),
}

impl Host {
    /// Reads a domain name or a literal.
    ///
    /// # Errors
    /// Those of [`Domain::parse`], or of [`AddressLiteral::parse`] where it begins with a bracket.
    pub fn parse(text: &str, limits: &Limits) -> Result<Host, AddressError> {
        if text.starts_with('[') {
            AddressLiteral::parse(text).map(Host::Literal)
        } else {
            Domain::parse(text, limits).map(Host::Domain)
        }
    }

    /// The domain name, if it is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.domain().is_none_or(Domain::is_ascii)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(domain) => domain.fmt(f),
            Host::Literal(literal) => literal.fmt(f),
        }
    }
}

/// What a client calls itself in HELO, EHLO or LHLO.
///
/// Wider than a [`Host`]: RFC 5321 4.1.2 allows no underscore and no closing dot, but working
/// clients send them, and the name decides nothing (RFC 5321 4.1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeloName(String);

impl HeloName {
    /// Reads the argument of HELO, EHLO or LHLO. A comment after a literal is dropped
    /// (RFC 5321 4.1.1.1 tells of that custom).
    pub fn parse(text: &str, limits: &Limits) -> Result<HeloName, AddressError> {
        if text.starts_with('[') {
            let end = text.find(']').ok_or(AddressError::Literal)? + 1;
            let (literal, comment) = text.split_at(end);
            if !(comment.is_empty() || comment.starts_with([' ', '\t'])) {
                return Err(AddressError::Literal);
            }
            return AddressLiteral::parse(literal).map(|read| HeloName(read.to_string()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        // RFC 6531 3.7.1: only the reply to EHLO lets the client use anything but ASCII.
        if !name.is_ascii() {
            return Err(AddressError::Domain);
        }
        check_labels(name, limits, true)?;
        Ok(HeloName(name.into()))
    }

    /// The name as it was written, without a closing dot; a literal with its brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Domain> for HeloName {
    /// A server that says its own name.
    fn from(domain: Domain) -> HeloName {
        HeloName(domain.0)
    }
}

impl fmt::Display for HeloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest label in DNS (RFC 1035 2.3.4).
const LABEL: usize = 63;
/// The longest a U-label can be in UTF-8 (RFC 5890 4.2).
const U_LABEL: usize = 252;

fn check_labels(text: &str, limits: &Limits, underscore: bool) -> Result<(), AddressError> {
    if text.chars().any(char::is_control) {
        return Err(AddressError::Control);
    }
    if !text.split('.').all(|label| is_label(label, underscore)) {
        return Err(AddressError::Domain);
    }
    // After the grammar, so that only a domain that is well formed is called too long.
    if text.len() > limits.domain {
        return Err(AddressError::DomainTooLong);
    }
    Ok(())
}

/// sub-domain = Let-dig [Ldh-str], where RFC 6531 3.3 adds U-label.
fn is_label(label: &str, underscore: bool) -> bool {
    let longest = if label.is_ascii() { LABEL } else { U_LABEL };
    let allowed = |c: char| match c {
        '-' => true,
        '_' => underscore,
        _ if c.is_ascii() => c.is_ascii_alphanumeric(),
        _ => !c.is_whitespace(),
    };
    !label.is_empty()
        && label.len() <= longest
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(allowed)
}

/// Ldh-str = *( ALPHA / DIGIT / "-" ) Let-dig
fn is_ldh(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
