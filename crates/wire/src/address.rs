//! Paths, mailboxes and hosts (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3).

use core::fmt;

mod host;
mod local_part;
#[cfg(test)]
pub(crate) mod tests;

pub use host::{AddressLiteral, Domain, HeloName, Host};
pub use local_part::LocalPart;
pub(crate) use local_part::{is_atom, unquote};

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

    /// No limits, for reading back what was taken under limits that may have been wider.
    pub const NONE: Limits = Limits {
        local_part: usize::MAX,
        domain: usize::MAX,
        path: usize::MAX,
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
        let at = end_of_local_part(text).ok_or(AddressError::NoAt)?;
        Ok(Mailbox {
            local: LocalPart::parse(&text[..at], limits)?,
            host: Host::parse(&text[at + 1..], limits)?,
        })
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.host.is_ascii()
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.host)
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
        if text == "<>" {
            return Ok(ReversePath::Null);
        }
        path(text, limits).map(ReversePath::Mailbox)
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

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReversePath::Null => f.write_str("<>"),
            ReversePath::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
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
        if text == "<>" {
            return Err(AddressError::Null);
        }
        if text.eq_ignore_ascii_case("<Postmaster>") {
            return Ok(ForwardPath::Postmaster);
        }
        path(text, limits).map(ForwardPath::Mailbox)
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

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("<Postmaster>"),
            ForwardPath::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// Path = "<" [ A-d-l ":" ] Mailbox ">"
fn path(text: &str, limits: &Limits) -> Result<Mailbox, AddressError> {
    let inside = text
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .ok_or(AddressError::Brackets)?;
    let mailbox = Mailbox::parse(after_source_route(inside, limits)?, limits)?;
    if text.len() > limits.path {
        return Err(AddressError::PathTooLong);
    }
    Ok(mailbox)
}

/// Drops `@domain,@domain:`, which has to be accepted and is best ignored (RFC 5321 4.1.1.3
/// and appendix C).
fn after_source_route<'a>(inside: &'a str, limits: &Limits) -> Result<&'a str, AddressError> {
    if !inside.starts_with('@') {
        return Ok(inside);
    }
    let (route, mailbox) = inside.split_once(':').ok_or(AddressError::SourceRoute)?;
    for hop in route.split(',') {
        hop.strip_prefix('@')
            .and_then(|domain| Domain::parse(domain, limits).ok())
            .ok_or(AddressError::SourceRoute)?;
    }
    Ok(mailbox)
}

/// Where the `@` after the local-part is: the first one that isn't quoted.
fn end_of_local_part(text: &str) -> Option<usize> {
    outside_quotes(text.as_bytes(), b'@')
}

/// Where a path that begins with `<` ends: past the first `>` that isn't quoted.
pub(crate) fn end_of_path(octets: &[u8]) -> Option<usize> {
    outside_quotes(octets, b'>').map(|at| at + 1)
}

/// Where `wanted` first is outside quotes. It has to be ASCII: then the place found is the edge of a
/// character.
pub(crate) fn outside_quotes(octets: &[u8], wanted: u8) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    octets.iter().position(|&octet| {
        if escaped {
            escaped = false;
        } else if quoted && octet == b'\\' {
            escaped = true;
        } else if octet == b'"' {
            quoted = !quoted;
        } else if !quoted {
            return octet == wanted;
        }
        false
    })
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressError::Brackets => "the address has to stand in <>",
            AddressError::SourceRoute => "the source route can't be read",
            AddressError::NoAt => "the address has no domain",
            AddressError::LocalPart => "the local-part can't be read",
            AddressError::Domain => "the domain can't be read",
            AddressError::Literal => "the address literal can't be read",
            AddressError::LiteralTag => "this kind of address literal isn't implemented",
            AddressError::Null => "<> names nobody",
            AddressError::NotUtf8 => "the address is not UTF-8",
            AddressError::Control => "the address has a control character",
            AddressError::LocalPartTooLong => "the local-part is too long",
            AddressError::DomainTooLong => "the domain is too long",
            AddressError::PathTooLong => "the path is too long",
        })
    }
}

impl core::error::Error for AddressError {}
