//! Who may call for which mail (RFC 1985, RFC 2645).

use std::net::IpAddr;

use ipnet::IpNet;
use postroad_wire::address::{Domain, Host};
use postroad_wire::command::Node;

use crate::name;
use crate::routes::RouteFor;

/// Somebody whose mail this server has, until it is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// What it is called: the queue's name in `ETRN #name` (RFC 1985 5.3).
    pub name: String,
    /// Whose mail it may call for.
    pub domains: Vec<RouteFor>,
    /// Where its clients come from.
    pub networks: Vec<IpNet>,
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
            told: customer.told,
        };
        Customers(customers.into_iter().map(known).collect())
    }

    /// The mail of a node, if a client of this address may call for it.
    pub fn node(&self, node: &Node, address: IpAddr) -> Option<Called> {
        let mut may = self.0.iter().filter(|customer| customer.knows(address));
        may.find_map(|customer| customer.node(node))
    }
}

impl Known {
    fn knows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|net| net.contains(&address))
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
        Some(Called {
            customer: self.name.clone(),
            told: self.told,
            domains,
        })
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
        let called = customers().node(node, from.parse().expect("an address"))?;
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
        Some(hosts.into_iter().filter(is_called).collect())
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
    fn all_the_world_is_no_customers_domain() {
        let everything = Customers::new([Customer {
            name: "all".into(),
            domains: vec![RouteFor::Others],
            networks: vec!["0.0.0.0/0".parse().expect("a network")],
            told: Told::default(),
        }]);
        let node = Node::Domain(domain("home.example"));
        let from = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(everything.node(&node, from), None);
    }
}
