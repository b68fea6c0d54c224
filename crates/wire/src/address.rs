//! Paths, mailboxes and hosts (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3).

use alloc::string::String;
use core::net::{Ipv4Addr, Ipv6Addr};

/// How long an address may be, in octets (RFC 5321 4.5.3.1).
///
/// The RFC's numbers are what everyone has to take at least, so a setting below
/// [`Limits::LEAST`] makes a server that isn't conforming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A local-part, with quoting taken away (RFC 5321 4.5.3.1.1).
    pub local_part: usize,
    /// A domain name (RFC 5321 4.5.3.1.2).
    pub domain: usize,
    /// A path as it was sent, with its brackets and its source route (RFC 5321 4.5.3.1.3).
    pub path: usize,
}

impl Limits {
    /// What RFC 5321 4.5.3.1 makes everyone take.
    pub const LEAST: Limits = Limits {
        local_part: 64,
        domain: 255,
        path: 256,
    };
}

impl Default for Limits {
    /// More than the RFC asks: variable envelope return paths are often over 64 octets, and
    /// it wants no limits where none are needed (RFC 5321 4.5.3.1). The command line bounds
    /// the rest.
    fn default() -> Limits {
        Limits {
            local_part: 255,
            domain: 255,
            path: 1024,
        }
    }
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// The angle brackets are missing or don't match.
    Brackets,
    /// The source route before the mailbox is no `@domain,@domain:`.
    SourceRoute,
    /// There is no `@`.
    NoAt,
    /// The local-part is neither a dot-string nor a quoted string.
    LocalPart,
    /// The domain is empty, has an empty or over-long label, or a character not allowed.
    Domain,
    /// What stands in brackets is no IPv4 or IPv6 address.
    Literal,
    /// The literal's tag is well formed but none we know (RFC 5321 4.1.3,
    /// General-address-literal): 504 in HELO and EHLO.
    LiteralTag,
    /// `<>` where somebody has to be named.
    Null,
    /// The octets are not UTF-8.
    NotUtf8,
    /// A control character.
    Control,
    /// The local-part is over [`Limits::local_part`].
    LocalPartTooLong,
    /// The domain is over [`Limits::domain`].
    DomainTooLong,
    /// The path is over [`Limits::path`].
    PathTooLong,
}

/// The part before the `@`, with quoting taken away; UTF-8 where RFC 6531 allows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(pub(crate) String);

impl LocalPart {
    /// Reads a dot-string or a quoted string (RFC 5321 4.1.2, RFC 6531 3.3).
    pub fn parse(text: &str, limits: &Limits) -> Result<LocalPart, AddressError> {
        let _ = (text, limits);
        todo!()
    }

    /// Takes a local-part that has no quoting on it: any text without control characters.
    pub fn from_unquoted(text: &str, limits: &Limits) -> Result<LocalPart, AddressError> {
        let _ = (text, limits);
        todo!()
    }

    /// The local-part without quoting. [`Display`](core::fmt::Display) quotes it where it must be.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

/// A domain name as it was written, without a closing dot.
#[derive(Debug, Clone)]
pub struct Domain(pub(crate) String);

impl Domain {
    /// Reads a domain name (RFC 5321 4.1.2, RFC 6531 3.3).
    pub fn parse(text: &str, limits: &Limits) -> Result<Domain, AddressError> {
        let _ = (text, limits);
        todo!()
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

/// What stands between brackets (RFC 5321 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressLiteral {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
}

impl AddressLiteral {
    /// Reads a literal with its brackets.
    pub fn parse(text: &str) -> Result<AddressLiteral, AddressError> {
        let _ = text;
        todo!()
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
    pub fn parse(text: &str, limits: &Limits) -> Result<Host, AddressError> {
        let _ = (text, limits);
        todo!()
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

/// What a client calls itself in HELO, EHLO or LHLO.
///
/// Wider than a [`Host`]: RFC 5321 4.1.2 allows no underscore and no closing dot, but working clients send them,
/// and the name decides nothing (RFC 5321 4.1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeloName {
    written: String,
    host: Option<Host>,
}

impl HeloName {
    /// Reads the argument of HELO, EHLO or LHLO. A comment after a literal is dropped
    /// (RFC 5321 4.1.1.1 tells of that custom).
    pub fn parse(text: &str, limits: &Limits) -> Result<HeloName, AddressError> {
        let _ = (text, limits);
        todo!()
    }

    /// The name as it was written, a literal with its brackets, without comment or closing dot.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The name as a host; `None` if it has an underscore.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }
}

/// `local-part@host`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    /// Before the `@`.
    pub local: LocalPart,
    /// After it.
    pub host: Host,
}

impl Mailbox {
    /// Reads `local-part@host` (RFC 5321 4.1.2).
    pub fn parse(text: &str, limits: &Limits) -> Result<Mailbox, AddressError> {
        let _ = (text, limits);
        todo!()
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.host.is_ascii()
    }
}

/// Whom to tell when a message can't be delivered (RFC 5321 4.1.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: nobody (the null sender).
    Null,
    /// `<local@host>`; a source route is dropped when it is read (RFC 5321 C).
    Mailbox(Mailbox),
}

impl ReversePath {
    /// Reads `<>` or a path with its brackets.
    pub fn parse(text: &str, limits: &Limits) -> Result<ReversePath, AddressError> {
        let _ = (text, limits);
        todo!()
    }

    /// The mailbox, if somebody is named.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            ReversePath::Null => None,
            ReversePath::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }
}

/// Whom a message is for (RFC 5321 4.1.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case.
    Postmaster,
    /// `<local@host>`; a source route is dropped when it is read.
    Mailbox(Mailbox),
}

impl ForwardPath {
    /// Reads `<Postmaster>` or a path with its brackets.
    pub fn parse(text: &str, limits: &Limits) -> Result<ForwardPath, AddressError> {
        let _ = (text, limits);
        todo!()
    }

    /// The mailbox, if it isn't the bare postmaster.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            ForwardPath::Postmaster => None,
            ForwardPath::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }
}

// Equality of domains, order and hash are without regard to ASCII case (RFC 5321 2.4).
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
