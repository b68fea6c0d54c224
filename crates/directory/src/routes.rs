//! Which next hop has the mail of a domain.

use std::collections::BTreeMap;

use postroad_wire::address::{Domain, Host};
use postroad_wire::peer::Peer;

use crate::name;

/// Which domains a route is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteFor {
    /// This one.
    Domain(Domain),
    /// Each below this one, but not the domain itself.
    Below(Domain),
    /// All that have no route of their own, and address literals.
    Others,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// To this server.
    Peer(Peer),
    /// To nobody before the owner of the mail calls for it.
    OnDemand,
}

impl From<Peer> for Way {
    fn from(peer: Peer) -> Way {
        Way::Peer(peer)
    }
}

/// The next hops of domains. The closest route counts: the domain's own, then those of the domains
/// above it from the nearest on, then that for others.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    own: BTreeMap<String, Way>,
    below: BTreeMap<String, Way>,
    others: Option<Way>,
}

/// A route for the same domains is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutedTwice;

impl Routes {
    /// Adds one.
    ///
    /// # Errors
    /// [`RoutedTwice`] where these domains have a route; it stays as it is.
    pub fn add(&mut self, domains: &RouteFor, next_hop: impl Into<Way>) -> Result<(), RoutedTwice> {
        let next_hop = next_hop.into();
        let routed = match domains {
            RouteFor::Others => {
                let there = self.others.is_some();
                self.others.get_or_insert(next_hop);
                there
            }
            RouteFor::Domain(domain) => add(&mut self.own, domain, next_hop),
            RouteFor::Below(domain) => add(&mut self.below, domain, next_hop),
        };
        if routed { Err(RoutedTwice) } else { Ok(()) }
    }

    /// The next hop for mail to `host`, where there is one.
    pub fn to(&self, host: &Host) -> Option<&Way> {
        self.named(host).or(self.others.as_ref())
    }

    /// The next hop of a route that is for this host by name. A local domain follows such a route
    /// only: what is for all others is not for it.
    pub(crate) fn named(&self, host: &Host) -> Option<&Way> {
        let Host::Domain(domain) = host else {
            return None;
        };
        let domain = name::domain(domain);
        let above = domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..]);
        let below = above.filter_map(|above| self.below.get(above)).next();
        self.own.get(&domain).or(below)
    }
}

/// Whether there was one already.
fn add(routes: &mut BTreeMap<String, Way>, domain: &Domain, next_hop: Way) -> bool {
    let key = name::domain(domain);
    let there = routes.contains_key(&key);
    routes.entry(key).or_insert(next_hop);
    there
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_wire::address::Limits;

    fn host(text: &str) -> Host {
        Host::parse(text, &Limits::default()).expect("the test wrote a host")
    }

    fn domain(text: &str) -> Domain {
        Domain::parse(text, &Limits::default()).expect("the test wrote a domain")
    }

    fn peer(name: &str) -> Peer {
        let peer = format!("smtp://{name}").parse();
        peer.expect("the test wrote a host")
    }

    #[test]
    fn the_closest_route_counts() {
        let mut routes = Routes::default();
        let added = [
            (RouteFor::Others, "others.test"),
            (RouteFor::Below(domain("example.com")), "below.test"),
            (RouteFor::Below(domain("b.example.com")), "nearer.test"),
            (RouteFor::Domain(domain("A.Example.com")), "own.test"),
        ];
        for (domains, next_hop) in &added {
            assert_eq!(routes.add(domains, peer(next_hop)), Ok(()));
            assert_eq!(routes.add(domains, peer("late.test")), Err(RoutedTwice));
        }
        let cases = [
            ("a.example.COM", "own.test"),
            ("c.example.com", "below.test"),
            ("c.b.example.com", "nearer.test"),
            ("c.a.example.com", "below.test"),
            ("example.com", "others.test"),
            ("badexample.com", "others.test"),
            ("[192.0.2.1]", "others.test"),
        ];
        for (to, next_hop) in cases {
            assert_eq!(
                routes.to(&host(to)),
                Some(&Way::Peer(peer(next_hop))),
                "{to}"
            );
        }
        assert_eq!(routes.named(&host("example.com")), None);
        assert_eq!(Routes::default().to(&host("a.example.com")), None);
    }
}
