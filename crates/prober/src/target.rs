//! Whom to ask: `HOST[:PORT]`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A server to be asked.
///
/// As text: `mx.example`, `mx.example:2525`, `192.0.2.1`, `[::1]:25`, `::1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name or address, without brackets.
    pub host: String,
    /// The port; 25 unless another is given (RFC 5321 4.5.4.2).
    pub port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let wrong = |what: &str| format!("`{text}`: {what}; give HOST, HOST:PORT or [IPV6]:PORT");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest
                    .split_once(']')
                    .ok_or_else(|| wrong("no closing bracket"))?;
                host.parse::<Ipv6Addr>()
                    .map_err(|_| wrong("no IPv6 address stands in the brackets"))?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if rest.is_empty() => (host, None),
                    None => return Err(wrong("after the bracket stands no port")),
                }
            }
            None if text.parse::<Ipv6Addr>().is_ok() => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(named) || host.starts_with('-') {
            return Err(wrong("the host is neither a name nor an address"));
        }
        let port = match port {
            None => 25,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(wrong("the port is no number from 1 to 65535")),
                Ok(port) => port,
            },
        };
        Ok(Target {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Whether an address is of this machine or of a network of one's own (RFC 1918, RFC 4193, link-local), so that
/// nobody else is asked.
pub fn is_near(address: SocketAddr) -> bool {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_and_shown() {
        for (text, shown) in [
            ("mx.example", "mx.example:25"),
            ("mx.example:2525", "mx.example:2525"),
            ("192.0.2.1", "192.0.2.1:25"),
            ("::1", "[::1]:25"),
            ("[::1]:2525", "[::1]:2525"),
        ] {
            assert_eq!(
                text.parse::<Target>().map(|t| t.to_string()).as_deref(),
                Ok(shown)
            );
        }
        for text in [
            "", ":25", "mx:", "mx:0", "mx:x", "[::1", "[mx]:25", "[::1]25", "a b", "-x",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_near_needs_no_leave() {
        for near in [
            "127.0.0.1:25",
            "10.1.2.3:25",
            "192.168.0.1:25",
            "[::1]:25",
            "[fd00::1]:25",
        ] {
            assert!(is_near(near.parse().expect("an address")), "{near}");
        }
        for far in [
            "192.0.2.1:25",
            "8.8.8.8:25",
            "[2001:db8::1]:25",
            "172.32.0.1:25",
        ] {
            assert!(!is_near(far.parse().expect("an address")), "{far}");
        }
        let mapped = "[::ffff:127.0.0.1]:25".parse().expect("an address");
        assert!(is_near(mapped), "an IPv4 address in IPv6's clothes");
    }
}
