//! Who may call for which mail (RFC 1985, RFC 2645).

use std::net::IpAddr;

use ipnet::IpNet;
use postroad_wire::address::{Domain, Host};
use postroad_wire::command::Node;

use crate::identity::Identity;
use crate::name;
use crate::routes::RouteFor;

/// Somebody whose mail this server has, until it is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// What it is called: the queue's name in `ETRN #name` (RFC 1985 5.3).
    pub name: String,
    /// Whose mail it may call for.
    pub domains: Vec<RouteFor>,
    /// Where clients come from that may ask for a queue run for it.
    pub networks: Vec<IpNet>,
    /// Who may do that, too, and may collect its mail over the connection they come by.
    pub identities: Vec<Identity>,
    /// What they are told.
    pub told: Told,
}

/// How much a customer is told of what waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Told {
    /// How many messages there are.
    #[default]
    Number,
    /// Whether there are any.
    Whether,
    /// Nothing.
    Nothing,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Customers(Vec<Known>);

#[derive(Debug, Clone)]
struct Known {
    name: String,
    domains: Vec<Covered>,
    networks: Vec<IpNet>,
    identities: Vec<Identity>,
    told: Told,
}

/// A domain, or those below it, as names are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Covered {
    Own(String),
    Below(String),
}

/// Mail that was called for by somebody who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The customer's name.
    pub customer: String,
    /// What it is told.
    pub told: Told,
    domains: Vec<Covered>,
}

impl Customers {
    /// These. A customer of domains `"*"` may call for nobody's mail by that.
    pub fn new(customers: impl IntoIterator<Item = Customer>) -> Customers {
        let known = |customer: Customer| Known {
            name: customer.name.to_ascii_lowercase(),
            domains: customer.domains.iter().filter_map(Covered::by).collect(),
            networks: customer.networks,
            identities: customer.identities,
            told: customer.told,
        };
        Customers(customers.into_iter().map(known).collect())
    }

    /// The mail of a node, if a client of this address, or that has proved to be one of these, may ask for a
    /// queue run.
    pub fn node(&self, node: &Node, address: IpAddr, client: &[Identity]) -> Option<Called> {
        let may = |customer: &&Known| customer.knows(address) || customer.is_any_of(client);
        let mut may = self.0.iter().filter(may);
        may.find_map(|customer| customer.node(node))
    }

    /// The mail of these domains, or of all that it may have where none is named, for a client that has
    /// proved to be one of these; none if it may not have the mail of all of them (RFC 2645 5.2.1).
    pub fn collected(&self, domains: &[Domain], client: &[Identity]) -> Option<Called> {
        let may = self.0.iter().filter(|customer| customer.is_any_of(client));
        let mut called: Option<Called> = None;
        for customer in may {
            let of_customer = customer.domains.iter().cloned();
            match &mut called {
                Some(called) => called.domains.extend(of_customer),
                None => called = Some(customer.called(of_customer.collect())),
            }
        }
        let called = called?;
        let mut named: Vec<_> = domains.iter().map(name::domain).collect();
        if named.is_empty() {
            return Some(called);
        }
        let may_have = |name: &String| called.domains.iter().any(|covered| covered.has(name));
        let domains = named.iter().all(may_have).then(|| named.drain(..))?;
        Some(Called {
            domains: domains.map(Covered::Own).collect(),
            ..called
        })
    }
}

impl Known {
    fn knows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|net| net.contains(&address))
    }

    fn is_any_of(&self, client: &[Identity]) -> bool {
        client
            .iter()
            .any(|identity| self.identities.contains(identity))
    }

    /// What of a node is this customer's (RFC 1985 5.3).
    fn node(&self, node: &Node) -> Option<Called> {
        let domains = match node {
            Node::Queue(queue) => {
                let is_this = self.name.eq_ignore_ascii_case(queue);
                is_this.then(|| self.domains.clone())?
            }
            Node::Domain(domain) => {
                let name = name::domain(domain);
                self.covers(&name).then(|| vec![Covered::Own(name)])?
            }
            Node::Subdomains(domain) => self.below(domain)?,
        };
        Some(self.called(domains))
    }

    fn called(&self, domains: Vec<Covered>) -> Called {
        Called {
            customer: self.name.clone(),
            told: self.told,
            domains,
        }
    }

    /// A domain and those below it, as far as they are this customer's. It has to have all that is below:
    /// a name above its own gives it nothing.
    fn below(&self, domain: &Domain) -> Option<Vec<Covered>> {
        let name = name::domain(domain);
        let all_below = |covered: &Covered| match covered {
            Covered::Own(_) => false,
            Covered::Below(above) => *above == name || is_below(&name, above),
        };
        self.domains.iter().any(all_below).then_some(())?;
        let own = self.covers(&name).then(|| Covered::Own(name.clone()));
        let mut domains = vec![Covered::Below(name)];
        domains.extend(own);
        Some(domains)
    }

    fn covers(&self, name: &str) -> bool {
        self.domains.iter().any(|covered| covered.has(name))
    }
}

impl Called {
    /// Whether mail to this host is called for.
    pub fn has(&self, host: &Host) -> bool {
        let Host::Domain(domain) = host else {
            return false;
        };
        let name = name::domain(domain);
        self.domains.iter().any(|covered| covered.has(&name))
    }
}

impl Covered {
    fn by(domains: &RouteFor) -> Option<Covered> {
        match domains {
            RouteFor::Domain(domain) => Some(Covered::Own(name::domain(domain))),
            RouteFor::Below(domain) => Some(Covered::Below(name::domain(domain))),
            RouteFor::Others => None,
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Covered::Own(own) => own == name,
            Covered::Below(above) => is_below(name, above),
        }
    }
}

fn is_below(name: &str, above: &str) -> bool {
    let subdomain = name.strip_suffix(above);
    subdomain.is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_wire::address::Limits;

    fn domain(text: &str) -> Domain {
        Domain::parse(text, &Limits::default()).expect("the test wrote a domain")
    }

    fn customers() -> Customers {
        let customer = |name: &str, domains, network: &str| Customer {
            name: name.into(),
            domains,
            networks: vec![network.parse().expect("the test wrote a network")],
            identities: vec![Identity::User(name.to_lowercase())],
            told: Told::default(),
        };
        Customers::new([
            customer(
                "Home",
                vec![
                    RouteFor::Domain(domain("Home.example")),
                    RouteFor::Domain(domain("other.example")),
                ],
                "192.0.2.1/32",
            ),
            customer(
                "office",
                vec![
                    RouteFor::Domain(domain("office.example")),
                    RouteFor::Below(domain("office.example")),
                ],
                "192.0.2.0/24",
            ),
        ])
    }

    /// Which of some hosts are called for.
    fn called(node: &Node, from: &str) -> Option<Vec<&'static str>> {
        let called = customers().node(node, from.parse().expect("an address"), &[])?;
        Some(hosts_of(&called))
    }

    fn hosts_of(called: &Called) -> Vec<&'static str> {
        let hosts = [
            "home.example",
            "a.home.example",
            "other.example",
            "office.example",
            "a.office.example",
            "b.a.office.example",
            "badoffice.example",
            "[192.0.2.1]",
        ];
        let is_called = |host: &&str| {
            called.has(&Host::parse(host, &Limits::default()).expect("the test wrote a host"))
        };
        hosts.into_iter().filter(is_called).collect()
    }

    #[test]
    fn a_customer_may_call_for_its_domains_and_no_others() {
        let own = |name| Node::Domain(domain(name));
        let below = |name| Node::Subdomains(domain(name));
        let queue = |name: &str| Node::Queue(name.into());
        let cases: [(Node, &str, Option<&[&str]>); 15] = [
            (own("HOME.example"), "192.0.2.1", Some(&["home.example"])),
            (
                own("home.example"),
                "::ffff:192.0.2.1",
                Some(&["home.example"]),
            ),
            (own("home.example"), "192.0.2.2", None),
            (own("home.example"), "198.51.100.1", None),
            (own("a.home.example"), "192.0.2.1", None),
            (below("home.example"), "192.0.2.1", None),
            (
                queue("home"),
                "192.0.2.1",
                Some(&["home.example", "other.example"]),
            ),
            (queue("home"), "192.0.2.2", None),
            (queue("elsewhere"), "192.0.2.2", None),
            (
                own("a.office.example"),
                "192.0.2.2",
                Some(&["a.office.example"]),
            ),
            (
                below("office.example"),
                "192.0.2.2",
                Some(&["office.example", "a.office.example", "b.a.office.example"]),
            ),
            (
                below("a.office.example"),
                "192.0.2.2",
                Some(&["a.office.example", "b.a.office.example"]),
            ),
            (below("badoffice.example"), "192.0.2.2", None),
            // RFC 1985 8: a name above the customer's own releases nothing.
            (below("example"), "192.0.2.2", None),
            (own("example"), "192.0.2.2", None),
        ];
        for (node, from, hosts) in cases {
            assert_eq!(called(&node, from).as_deref(), hosts, "{node} from {from}");
        }
    }

    #[test]
    fn who_has_proved_to_be_the_customer_collects_what_is_its_own() {
        let user = |name: &str| Identity::User(name.into());
        let collected = |domains: &[&str], client: &[Identity]| {
            let domains: Vec<_> = domains.iter().map(|text| domain(text)).collect();
            let called = customers().collected(&domains, client)?;
            Some(hosts_of(&called))
        };
        let home = [user("home")];
        assert_eq!(
            collected(&[], &home),
            Some(vec!["home.example", "other.example"])
        );
        assert_eq!(
            collected(&["other.example"], &home),
            Some(vec!["other.example"])
        );
        // RFC 2645 5.2.1: if not all of them are its own, it gets none.
        assert_eq!(collected(&["other.example", "office.example"], &home), None);
        assert_eq!(collected(&[], &[user("ada")]), None);
        assert_eq!(collected(&[], &[]), None);
        let certificate = Identity::Certificate("home".into());
        assert_eq!(collected(&[], &[certificate]), None);
        let both = [user("office"), user("home")];
        let of_both = ["other.example", "a.office.example"];
        assert_eq!(collected(&of_both, &both), Some(of_both.to_vec()));
        // And it may ask for a queue run from anywhere.
        let node = Node::Domain(domain("home.example"));
        let elsewhere = IpAddr::from([198, 51, 100, 1]);
        assert!(customers().node(&node, elsewhere, &home).is_some());
        assert!(customers().node(&node, elsewhere, &[]).is_none());
    }

    #[test]
    fn all_the_world_is_no_customers_domain() {
        let everything = Customers::new([Customer {
            name: "all".into(),
            domains: vec![RouteFor::Others],
            networks: vec!["0.0.0.0/0".parse().expect("a network")],
            identities: vec![Identity::User("all".into())],
            told: Told::default(),
        }]);
        let node = Node::Domain(domain("home.example"));
        let from = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(everything.node(&node, from, &[]), None);
        let all = [Identity::User("all".into())];
        let called = everything.collected(&[], &all);
        assert_eq!(called.map(|called| hosts_of(&called)), Some(Vec::new()));
        assert_eq!(everything.collected(&[domain("home.example")], &all), None);
    }
}
