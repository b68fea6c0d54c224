//! Sets of domains.

use std::collections::BTreeSet;

use postroad_wire::address::{Domain, Host};

use crate::name;
use crate::routes::RouteFor;

/// Domains, and all those below others.
#[derive(Debug, Clone, Default)]
pub struct DomainSet {
    own: BTreeSet<String>,
    below: BTreeSet<String>,
    all: bool,
}

impl DomainSet {
    /// These.
    pub fn new(domains: impl IntoIterator<Item = RouteFor>) -> DomainSet {
        let mut set = DomainSet::default();
        for domain in domains {
            match domain {
                RouteFor::Domain(domain) => drop(set.own.insert(name::domain(&domain))),
                RouteFor::Below(domain) => drop(set.below.insert(name::domain(&domain))),
                RouteFor::Others => set.all = true,
            }
        }
        set
    }

    /// Whether a host is one of them. An address literal is only where all are.
    pub fn contains(&self, host: &Host) -> bool {
        let Host::Domain(domain) = host else {
            return self.all;
        };
        if self.all || (self.own.is_empty() && self.below.is_empty()) {
            return self.all;
        }
        let domain = name::domain(domain);
        let mut above = domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..]);
        self.own.contains(&domain) || above.any(|above| self.below.contains(above))
    }
}

/// A domain as it is looked up: A-labels in lower case.
pub fn ascii_domain(domain: &Domain) -> String {
    name::domain(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_wire::address::Limits;

    #[test]
    fn a_set_has_its_domains_and_those_below_others() {
        let domain = |text| Domain::parse(text, &Limits::default()).expect("a domain");
        let set = DomainSet::new([
            RouteFor::Domain(domain("b\u{fc}cher.example")),
            RouteFor::Below(domain("Old.example")),
        ]);
        let has = |set: &DomainSet, text: &str| {
            set.contains(&Host::parse(text, &Limits::default()).expect("a host"))
        };
        assert!(has(&set, "XN--bcher-kva.example") && has(&set, "a.b.old.EXAMPLE"));
        assert!(!has(&set, "old.example") && !has(&set, "a.b\u{fc}cher.example"));
        assert!(!has(&set, "badold.example") && !has(&set, "[192.0.2.1]"));
        assert!(!has(&DomainSet::default(), "old.example"));
        let all = DomainSet::new([RouteFor::Others]);
        assert!(has(&all, "any.test") && has(&all, "[192.0.2.1]"));
    }
}
