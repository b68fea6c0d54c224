//! Paths, mailboxes and hosts (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3).

use alloc::string::String;
use core::net::{Ipv4Addr, Ipv6Addr};

/// The part before the `@`, with quoting taken away; UTF-8 where RFC 6531 allows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(pub(crate) String);

/// A domain name as it was written, without a closing dot.
#[derive(Debug, Clone)]
pub struct Domain(pub(crate) String);

/// What stands between brackets (RFC 5321 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressLiteral {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
}

/// What stands after the `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address in brackets.
    Literal(AddressLiteral),
}

/// `local-part@host`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    /// Before the `@`.
    pub local: LocalPart,
    /// After it.
    pub host: Host,
}

/// Whom to tell when a message can't be delivered (RFC 5321 4.1.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: nobody (the null sender).
    Null,
    /// `<local@host>`; a source route is dropped when it is read (RFC 5321 C).
    Mailbox(Mailbox),
}

/// Whom a message is for (RFC 5321 4.1.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case.
    Postmaster,
    /// `<local@host>`; a source route is dropped when it is read.
    Mailbox(Mailbox),
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
        let lower = |d: &Domain| {
            d.0.bytes()
                .map(|b| b.to_ascii_lowercase())
                .collect::<alloc::vec::Vec<_>>()
        };
        lower(self).cmp(&lower(other))
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
