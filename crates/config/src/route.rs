//! The kinds of values that say where mail goes, and from whom it is relayed.

use ipnet::IpNet;
use postroad_wire::address::{Domain, Limits};
use postroad_wire::peer::Peer;

use crate::read::{Found, Reader};
use crate::value::{Value, parsed, quoted};

/// Which domains a route is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteDomain {
    /// This one.
    Own(Domain),
    /// All below this one: `"*.example.com"`.
    Below(Domain),
    /// All others, and address literals: `"*"`.
    Others,
}

impl Value for RouteDomain {
    fn kind() -> String {
        "domain name, `\"*.example.com\"` or `\"*\"`".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<RouteDomain> {
        let domain = |text: &str| {
            Domain::parse(text, &Limits::default())
                .map_err(|error| format!("is not a domain name: {error}"))
        };
        let parse = |text: &str| match text.strip_prefix("*.") {
            _ if text == "*" => Ok(RouteDomain::Others),
            Some(above) => domain(above).map(RouteDomain::Below),
            None => domain(text).map(RouteDomain::Own),
        };
        let advice = "write a domain such as \"example.com\", \"*.example.com\" for all below it, or \
                      \"*\" for all that have no route of their own";
        parsed(found, reader, parse, advice)
    }

    fn show(&self) -> Option<String> {
        match self {
            RouteDomain::Own(domain) => quoted(domain.as_str()),
            RouteDomain::Below(domain) => quoted(&format!("*.{domain}")),
            RouteDomain::Others => quoted("*"),
        }
    }
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteHop {
    /// To this server.
    Peer(Peer),
    /// `"on-demand"`: to whoever calls for the mail.
    OnDemand,
}

/// How mail that is called for is written as a next hop.
const ON_DEMAND: &str = "on-demand";

impl Value for RouteHop {
    fn kind() -> String {
        "next hop: `\"smtp://host:port\"`, `\"lmtp://host:port\"`, `\"lmtp:/path\"`, `\"on-demand\"`".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<RouteHop> {
        let parse = |text: &str| {
            if text == ON_DEMAND {
                return Ok(RouteHop::OnDemand);
            }
            let peer = text.parse().map(RouteHop::Peer);
            peer.map_err(|error: postroad_wire::peer::NoPeer| format!("is no next hop: {error}"))
        };
        let advice = "write one such as \"smtp://relay.example.com\", \"smtp://[::1]:2525\", \
                      \"lmtp://127.0.0.1:24\" or \"lmtp:/run/dovecot/lmtp\", or \"on-demand\"";
        parsed(found, reader, parse, advice)
    }

    fn show(&self) -> Option<String> {
        match self {
            RouteHop::Peer(peer) => quoted(&peer.to_string()),
            RouteHop::OnDemand => quoted(ON_DEMAND),
        }
    }
}

impl Value for IpNet {
    fn kind() -> String {
        "network".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<IpNet> {
        let parse = |text: &str| {
            let address = || {
                text.parse()
                    .map(|address: std::net::IpAddr| IpNet::from(address))
            };
            let network: Result<IpNet, _> = text.parse();
            network
                .or_else(|_| address())
                .map_err(|_| "is neither a network nor an address".to_owned())
        };
        let advice =
            "write a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or one address";
        parsed(found, reader, parse, advice)
    }

    fn show(&self) -> Option<String> {
        quoted(&self.to_string())
    }
}
