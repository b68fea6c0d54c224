//! A server that mail is handed to, as a configuration names it and a connection needs it.

use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use crate::address::{AddressLiteral, Domain, Host, Limits};

/// A next hop that is spoken to over a connection.
///
/// As text: `smtp://mx.example`, `smtp://[::1]:2525`, `lmtp://192.0.2.1:24`, `lmtp:/run/dovecot/lmtp`.
/// What is shown reads back as the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// What is spoken.
    pub protocol: Protocol,
    /// Where it listens.
    pub endpoint: Endpoint,
}

/// What is spoken to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033: LHLO, and one reply a recipient after the end of data.
    Lmtp,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// At this TCP port of a host.
    Tcp {
        /// By its name, or its address.
        host: Host,
        /// The port, not 0.
        port: u16,
    },
    /// At this path, an absolute one; two slashes at its beginning would read as a host.
    Unix(String),
}

/// Why a text is no peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPeer {
    /// It begins with neither `smtp:` nor `lmtp:`.
    Protocol,
    /// What follows is neither `//` and a host nor an absolute path.
    Endpoint,
    /// The host is neither a domain name nor an address.
    Host,
    /// The port is none from 1 to 65535.
    Port,
    /// LMTP has no port of its own (RFC 2033 5 forbids it SMTP's), so it has to be given.
    PortMissing,
    /// The path has a control character.
    Path,
}

impl Protocol {
    /// The scheme of its texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Smtp => "smtp",
            Protocol::Lmtp => "lmtp",
        }
    }

    const fn default_port(self) -> Option<u16> {
        match self {
            Protocol::Smtp => Some(SMTP_PORT),
            Protocol::Lmtp => None,
        }
    }
}

/// RFC 5321 4.5.4.2.
const SMTP_PORT: u16 = 25;

impl FromStr for Peer {
    type Err = NoPeer;

    fn from_str(text: &str) -> Result<Peer, NoPeer> {
        let (scheme, rest) = text.split_once(':').ok_or(NoPeer::Protocol)?;
        let protocol = [Protocol::Smtp, Protocol::Lmtp]
            .into_iter()
            .find(|protocol| protocol.as_str().eq_ignore_ascii_case(scheme))
            .ok_or(NoPeer::Protocol)?;
        let endpoint = match rest.strip_prefix("//") {
            Some(authority) => tcp(protocol, authority)?,
            None => unix(rest)?,
        };
        Ok(Peer { protocol, endpoint })
    }
}

fn tcp(protocol: Protocol, authority: &str) -> Result<Endpoint, NoPeer> {
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, port) = match authority.strip_prefix('[') {
        // A colon is part of an IPv6 address, which therefore stands in brackets (RFC 3986 3.2.2).
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or(NoPeer::Host)?;
            let address = address.parse::<Ipv6Addr>().map_err(|_| NoPeer::Host)?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(port),
                None if rest.is_empty() => None,
                None => return Err(NoPeer::Port),
            };
            (Host::Literal(AddressLiteral::V6(address)), port)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            (named(host)?, port)
        }
    };
    let port = match port {
        Some(port) => read_port(port)?,
        None => protocol.default_port().ok_or(NoPeer::PortMissing)?,
    };
    Ok(Endpoint::Tcp { host, port })
}

/// A domain name, or an IPv4 address.
fn named(host: &str) -> Result<Host, NoPeer> {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Ok(Host::Literal(AddressLiteral::V4(address))),
        Ok(IpAddr::V6(_)) => Err(NoPeer::Host),
        Err(_) => Domain::parse(host, &Limits::LEAST)
            .map(Host::Domain)
            .map_err(|_| NoPeer::Host),
    }
}

fn read_port(text: &str) -> Result<u16, NoPeer> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(0) | Err(_) => Err(NoPeer::Port),
        Ok(port) if digits => Ok(port),
        Ok(_) => Err(NoPeer::Port),
    }
}

fn unix(path: &str) -> Result<Endpoint, NoPeer> {
    if !path.starts_with('/') {
        return Err(NoPeer::Endpoint);
    }
    if path.chars().any(char::is_control) {
        return Err(NoPeer::Path);
    }
    Ok(Endpoint::Unix(path.to_string()))
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.protocol.as_str();
        match &self.endpoint {
            Endpoint::Unix(path) => write!(f, "{scheme}:{path}"),
            Endpoint::Tcp { host, port } => match host {
                Host::Domain(domain) => write!(f, "{scheme}://{domain}:{port}"),
                Host::Literal(AddressLiteral::V4(address)) => {
                    write!(f, "{scheme}://{address}:{port}")
                }
                Host::Literal(AddressLiteral::V6(address)) => {
                    write!(f, "{scheme}://[{address}]:{port}")
                }
            },
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for NoPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoPeer::Protocol => "a next hop begins with smtp: or lmtp:",
            NoPeer::Endpoint => "after smtp: or lmtp: stands //host:port or the path of a socket",
            NoPeer::Host => {
                "the next hop's host is neither a name nor an address (IPv6 in brackets)"
            }
            NoPeer::Port => "the next hop's port is no number from 1 to 65535",
            NoPeer::PortMissing => "LMTP has no port of its own: say lmtp://host:port",
            NoPeer::Path => "the next hop's path has a control character",
        })
    }
}

impl core::error::Error for NoPeer {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::tests::host;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_reads_back() {
        for (text, shown) in [
            ("smtp://mx.example", "smtp://mx.example:25"),
            ("SMTP://mx.example:2525/", "smtp://mx.example:2525"),
            ("smtp://192.0.2.1:25", "smtp://192.0.2.1:25"),
            ("smtp://[::1]:25", "smtp://[::1]:25"),
            ("smtp://[2001:db8::1]", "smtp://[2001:db8::1]:25"),
            ("lmtp://mail.example:24", "lmtp://mail.example:24"),
            ("lmtp:/run/dovecot/lmtp", "lmtp:/run/dovecot/lmtp"),
            ("smtp:/run/smtp", "smtp:/run/smtp"),
        ] {
            let peer = text.parse::<Peer>().expect(text);
            assert_eq!(peer.to_string(), shown);
            assert_eq!(shown.parse::<Peer>(), Ok(peer));
        }
    }

    #[test]
    fn what_is_no_peer_is_told_apart() {
        for (text, why) in [
            ("", NoPeer::Protocol),
            ("mx.example", NoPeer::Protocol),
            ("http://mx.example", NoPeer::Protocol),
            ("smtp:mx.example", NoPeer::Endpoint),
            ("lmtp:", NoPeer::Endpoint),
            ("lmtp:run/lmtp", NoPeer::Endpoint),
            ("smtp://", NoPeer::Host),
            ("smtp://::1", NoPeer::Host),
            ("smtp://a b", NoPeer::Host),
            ("smtp://[192.0.2.1]:25", NoPeer::Host),
            ("smtp://[::1", NoPeer::Host),
            ("smtp://[::1]25", NoPeer::Port),
            ("smtp://mx.example:", NoPeer::Port),
            ("smtp://mx.example:0", NoPeer::Port),
            ("smtp://mx.example:+25", NoPeer::Port),
            ("smtp://mx.example:65536", NoPeer::Port),
            ("lmtp://mx.example", NoPeer::PortMissing),
            ("lmtp:/run\n/lmtp", NoPeer::Path),
        ] {
            assert_eq!(text.parse::<Peer>(), Err(why), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_peer_reads_back(host in host(), port in 1u16.., lmtp: bool, path in "/[^/\\p{Cc}][^\\p{Cc}]{0,40}", unix: bool) {
            // A name of four numbers is an address here, as it is to a resolver.
            let looks_like_an_address =
                host.domain().is_some_and(|name| name.as_str().parse::<IpAddr>().is_ok());
            prop_assume!(!looks_like_an_address);
            let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
            let endpoint = if unix { Endpoint::Unix(path) } else { Endpoint::Tcp { host, port } };
            let peer = Peer { protocol, endpoint };
            prop_assert_eq!(peer.to_string().parse::<Peer>(), Ok(peer));
        }

        #[test]
        fn no_text_panics(text in "(smtp|lmtp|x)?:?/{0,2}\\[?\\PC{0,20}\\]?:?[0-9]{0,6}") {
            let _ = text.parse::<Peer>();
        }
    }
}
