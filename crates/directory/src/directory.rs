//! The snapshot, and what it answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use postroad_wire::address::{AddressLiteral, Domain, ForwardPath, Host, LocalPart, Mailbox};
use postroad_wire::peer::Peer;

use crate::mailboxes::{Mailboxes, Reservation};
use crate::name;
use crate::problem::{DirectoryProblem, Fault, Place};
use crate::quota::{Quota, Quotas};
use crate::routes::{Routes, Way};
use crate::walk::Walk;

/// A domain whose mail stays here.
#[derive(Debug, Clone)]
pub struct LocalDomain {
    /// Its name.
    pub name: Domain,
    /// The local-parts that are mailboxes.
    pub mailboxes: Vec<LocalPart>,
    /// The local-parts that stand for other addresses. One that is also a mailbox, and names
    /// itself, keeps a copy.
    pub aliases: Vec<(LocalPart, Vec<Mailbox>)>,
    /// The local-parts whose owners have gone elsewhere (RFC 5321 3.4).
    pub moved: Vec<(LocalPart, Moved)>,
    /// Whether any other local-part is a mailbox as well.
    pub create_mailboxes: bool,
    /// What its mailboxes may hold.
    pub quotas: Quotas,
    /// What separates a mailbox from a detail behind it.
    pub recipient_delimiter: Option<char>,
}

/// Where somebody has gone whose mail came here (RFC 5321 3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The new address, where it is known.
    pub to: Option<Mailbox>,
    /// Whether mail for the old address is sent on to the new one.
    pub forward: bool,
    /// Whether a client that may ask who is here hears the new address.
    pub show: bool,
}

/// Who the domains, mailboxes and aliases are.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    domains: BTreeMap<String, Names>,
    /// For `<Postmaster>` where there is no mailbox for it, and for our own address.
    first: Option<String>,
    /// Where mail for the postmasters goes.
    postmaster: Option<Mailbox>,
    routes: Routes,
    /// A mailbox is bounded in what it may hold.
    has_quotas: bool,
}

/// What a forward-path leads to.
#[derive(Debug)]
pub enum Resolution {
    /// To mailboxes of ours, and to where our aliases lead.
    Local {
        /// What the client wrote; for `<Postmaster>`, the postmaster of the first domain.
        origin: Mailbox,
        /// The mailboxes as they are compared, and addresses elsewhere, in order and without
        /// duplicates: at least one,
        /// at most [`MAX_TARGETS`](crate::MAX_TARGETS).
        targets: Vec<Mailbox>,
        /// Where its owner has gone, if mail is sent on there and that may be shown (251).
        new_address: Option<Mailbox>,
        /// The places of those that don't exist yet; the transaction keeps it until its end.
        reservation: Reservation,
    },
    /// To another server's domain, or to an address literal: taking it is relaying.
    NotLocal {
        /// What the client wrote.
        target: Mailbox,
        /// A route leads there.
        routed: bool,
    },
    /// To a mailbox that a local domain does not have (550 5.1.1).
    Unknown,
    /// To somebody who has gone elsewhere, and whose mail isn't sent on (551, 550 5.1.6).
    Moved {
        /// What the client wrote.
        origin: Mailbox,
        /// The new address, where it is known and may be shown.
        new_address: Option<Mailbox>,
    },
    /// To an alias that leads nowhere or back to itself: a fault of our own tables (451).
    Broken,
    /// To a mailbox that would have to be made, when no more may be (452).
    MailboxLimit,
}

/// Where the mail of a final target goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextHop<'d> {
    /// Into its mailbox, here.
    Mailbox,
    /// To this server.
    Peer(&'d Peer),
    /// Nowhere until its owner calls for it.
    OnDemand,
}

impl<'d> From<&'d Way> for NextHop<'d> {
    fn from(way: &'d Way) -> NextHop<'d> {
        match way {
            Way::Peer(peer) => NextHop::Peer(peer),
            Way::OnDemand => NextHop::OnDemand,
        }
    }
}

/// The names of one domain, as they are compared.
#[derive(Debug, Clone, Default)]
struct Names {
    listed: BTreeMap<String, Name>,
    create_mailboxes: bool,
    delimiter: Option<char>,
    quota: Quota,
    quotas: BTreeMap<String, Quota>,
}

/// A local-part that is listed: a mailbox, an alias, or both.
#[derive(Debug, Clone, Default)]
struct Name {
    mailbox: bool,
    alias: Option<Vec<Mailbox>>,
    moved: Option<Moved>,
}

/// What one address is, aliases not followed.
pub(crate) enum Meaning<'d> {
    /// A mailbox that may be made without regard to the limit.
    Listed(Mailbox),
    /// A mailbox that is made for its first message.
    Made(Mailbox),
    /// A name that stands for others.
    Alias {
        /// The name, as it is compared.
        name: Mailbox,
        /// Whether there is a mailbox of that name too.
        mailbox: bool,
        targets: &'d [Mailbox],
        /// It stands for the new address of somebody who has gone, which may be shown.
        shown: bool,
    },
    /// Somebody who has gone elsewhere, and whose mail isn't sent on.
    Moved(&'d Moved),
    NotLocal,
    Unknown,
}

impl Directory {
    /// A directory of these domains. Mail for `postmaster` goes to `postmaster` in each domain
    /// that lists none itself (RFC 5321 4.5.1); without one, to a mailbox of that name.
    ///
    /// What is wrong with them is told too, in the order of [`Place`]. A server should not be
    /// started then; a directory with problems answers all the same, taking the first of what is
    /// listed twice, and [`Resolution::Broken`] for aliases that lead nowhere.
    pub fn new(
        domains: Vec<LocalDomain>,
        postmaster: Option<Mailbox>,
        routes: Routes,
    ) -> (Directory, Vec<DirectoryProblem>) {
        let first = domains.first().map(|domain| name::domain(&domain.name));
        let mut directory = Directory {
            domains: BTreeMap::new(),
            first,
            postmaster,
            routes,
            has_quotas: domains
                .iter()
                .any(|domain| domain.quotas != Quotas::default()),
        };
        let mut problems = Vec::new();
        for (index, domain) in domains.iter().enumerate() {
            directory.add(index, domain, &mut problems);
        }
        directory.check(&domains, &mut problems);
        problems.sort_by_key(|problem| problem.place);
        (directory, problems)
    }

    /// Where mail for a forward-path goes, aliases followed to the end. New mailboxes are
    /// reserved in `mailboxes`.
    pub fn resolve(&self, path: &ForwardPath, mailboxes: &Mailboxes) -> Resolution {
        let origin = match path {
            ForwardPath::Mailbox(mailbox) => Some(mailbox.clone()),
            ForwardPath::Postmaster => self.bare_postmaster(),
        };
        match origin {
            Some(origin) => self.resolve_mailbox(origin, mailboxes),
            None => Resolution::Unknown,
        }
    }

    /// What a forward-path stands for where the client came to `own`: a literal of this address is
    /// the first domain (RFC 1123 5.2.17, RFC 5321 4.1.3). Any other path is what it is.
    pub fn recognised(&self, path: ForwardPath, own: IpAddr) -> ForwardPath {
        let ForwardPath::Mailbox(mailbox) = &path else {
            return path;
        };
        let written = match &mailbox.host {
            Host::Domain(_) => return path,
            Host::Literal(AddressLiteral::V4(v4)) => IpAddr::V4(*v4),
            Host::Literal(AddressLiteral::V6(v6)) => IpAddr::V6(*v6),
        };
        if written.to_canonical() != own.to_canonical() {
            return path;
        }
        let first = self.first.as_deref();
        let named = first.and_then(|first| name::mailbox(mailbox.local.as_str(), first));
        named.map_or(path, ForwardPath::Mailbox)
    }

    /// Whether mail for this host stays here.
    pub fn is_local(&self, host: &Host) -> bool {
        match host {
            Host::Domain(domain) => self.domains.contains_key(&name::domain(domain)),
            Host::Literal(_) => false,
        }
    }

    /// Where mail for a final target at `host` goes.
    pub fn next_hop(&self, host: &Host) -> Option<NextHop<'_>> {
        if self.is_local(host) {
            let routed = self.routes.named(host).map(NextHop::from);
            return Some(routed.unwrap_or(NextHop::Mailbox));
        }
        self.routes.to(host).map(NextHop::from)
    }

    /// What a mailbox, as it is compared, may hold. Nothing is known of one that is another server's.
    pub fn quota(&self, mailbox: &Mailbox) -> Quota {
        let Host::Domain(domain) = &mailbox.host else {
            return Quota::default();
        };
        if !self.has_quotas {
            return Quota::default();
        }
        let Some(names) = self.domains.get(&name::domain(domain)) else {
            return Quota::default();
        };
        let bounds = !names.quota.is_none() || !names.quotas.is_empty();
        if !bounds || self.next_hop(&mailbox.host) != Some(NextHop::Mailbox) {
            return Quota::default();
        }
        let own = names.quotas.get(&name::local(&mailbox.local));
        own.copied().unwrap_or(names.quota)
    }

    /// The addresses of ours with this local-part: one for each domain that lists it or has such a
    /// mailbox.
    pub fn named(&self, local: &LocalPart, mailboxes: &Mailboxes) -> Vec<Mailbox> {
        let local = name::local(local);
        let named = self.domains.iter().filter_map(|(domain, names)| {
            let mailbox = name::mailbox(&local, domain)?;
            let is_here = names.listed.contains_key(&local)
                || (names.create_mailboxes && mailboxes.contains(&mailbox));
            is_here.then_some(mailbox)
        });
        named.collect()
    }

    fn resolve_mailbox(&self, origin: Mailbox, mailboxes: &Mailboxes) -> Resolution {
        let mut new_address = None;
        match self.meaning(&origin) {
            Meaning::NotLocal => {
                return Resolution::NotLocal {
                    routed: self.routes.to(&origin.host).is_some(),
                    target: origin,
                };
            }
            Meaning::Unknown => return Resolution::Unknown,
            Meaning::Moved(moved) => {
                return Resolution::Moved {
                    new_address: moved.to.clone().filter(|_| moved.show),
                    origin,
                };
            }
            Meaning::Alias {
                targets,
                shown: true,
                ..
            } => new_address = targets.first().cloned(),
            Meaning::Listed(_) | Meaning::Made(_) | Meaning::Alias { .. } => {}
        }
        let walk = Walk::from(self, &origin);
        if !walk.faults.is_empty() {
            return Resolution::Broken;
        }
        match mailboxes.reserve(&walk.made) {
            Some(reservation) => Resolution::Local {
                origin,
                targets: walk.mailboxes,
                new_address,
                reservation,
            },
            None => Resolution::MailboxLimit,
        }
    }

    /// What an address is: as it is written, else without its detail, else the postmaster, else
    /// a mailbox to be made.
    pub(crate) fn meaning(&self, address: &Mailbox) -> Meaning<'_> {
        let Host::Domain(host) = &address.host else {
            return Meaning::NotLocal;
        };
        let domain = name::domain(host);
        let Some(names) = self.domains.get(&domain) else {
            return Meaning::NotLocal;
        };
        let written = name::local(&address.local);
        let base = names.without_detail(&written);
        let local = if names.listed.contains_key(&written) {
            &written
        } else {
            base
        };
        let Some(mailbox) = name::mailbox(local, &domain) else {
            return Meaning::Unknown;
        };
        match names.listed.get(local) {
            Some(Name {
                moved: Some(moved), ..
            }) => match &moved.to {
                Some(to) if moved.forward => Meaning::Alias {
                    name: mailbox,
                    mailbox: false,
                    targets: std::slice::from_ref(to),
                    shown: moved.show,
                },
                _ => Meaning::Moved(moved),
            },
            Some(Name {
                alias: Some(targets),
                mailbox: too,
                ..
            }) => Meaning::Alias {
                name: mailbox,
                mailbox: *too,
                targets,
                shown: false,
            },
            Some(Name { alias: None, .. }) => Meaning::Listed(mailbox),
            None if local == POSTMASTER => self.postmaster_of(mailbox),
            // Where the mail goes on to another server, nothing is made here.
            None if names.create_mailboxes && self.routes.named(&address.host).is_some() => {
                Meaning::Listed(mailbox)
            }
            None if names.create_mailboxes => Meaning::Made(mailbox),
            None => Meaning::Unknown,
        }
    }

    /// The postmaster of a domain that lists none (RFC 5321 4.5.1).
    fn postmaster_of(&self, own: Mailbox) -> Meaning<'_> {
        match &self.postmaster {
            Some(postmaster) if name::canonical(postmaster).as_ref() != Some(&own) => {
                let targets = std::slice::from_ref(postmaster);
                Meaning::Alias {
                    name: own,
                    mailbox: false,
                    targets,
                    shown: false,
                }
            }
            _ => Meaning::Listed(own),
        }
    }

    /// What `<Postmaster>` without a domain stands for.
    fn bare_postmaster(&self) -> Option<Mailbox> {
        let of_first = || name::mailbox(POSTMASTER, self.first.as_deref()?);
        self.postmaster.clone().or_else(of_first)
    }

    fn add(&mut self, index: usize, domain: &LocalDomain, problems: &mut Vec<DirectoryProblem>) {
        let mut duplicate = |place| {
            problems.push(DirectoryProblem {
                place,
                fault: Fault::Duplicate,
            });
        };
        let key = name::domain(&domain.name);
        if self.domains.contains_key(&key) {
            return duplicate(Place::Domain(index));
        }
        let mut names = Names {
            listed: BTreeMap::new(),
            create_mailboxes: domain.create_mailboxes,
            delimiter: domain.recipient_delimiter,
            quota: domain.quotas.each,
            quotas: domain
                .quotas
                .of
                .iter()
                .map(|(local, quota)| (name::local(local), *quota))
                .collect(),
        };
        for (mailbox, local) in domain.mailboxes.iter().enumerate() {
            let name = names.listed.entry(name::local(local)).or_default();
            if std::mem::replace(&mut name.mailbox, true) {
                duplicate(Place::Mailbox {
                    domain: index,
                    mailbox,
                });
            }
        }
        for (alias, (local, targets)) in domain.aliases.iter().enumerate() {
            let name = names.listed.entry(name::local(local)).or_default();
            match name.alias {
                Some(_) => duplicate(Place::Alias {
                    domain: index,
                    alias,
                }),
                None => name.alias = Some(targets.clone()),
            }
        }
        for (moved, (local, to)) in domain.moved.iter().enumerate() {
            let name = names.listed.entry(name::local(local)).or_default();
            // Who has gone has no mailbox here, and is no alias.
            if name.mailbox || name.alias.is_some() || name.moved.is_some() {
                duplicate(Place::Moved {
                    domain: index,
                    moved,
                });
            } else {
                name.moved = Some(to.clone());
            }
        }
        self.domains.insert(key, names);
    }

    /// Finds aliases that don't lead to mailboxes.
    fn check(&self, domains: &[LocalDomain], problems: &mut Vec<DirectoryProblem>) {
        if let Some(postmaster) = &self.postmaster
            && let Some(fault) = self.dead_end(postmaster)
        {
            problems.push(DirectoryProblem {
                place: Place::Postmaster,
                fault,
            });
        }
        for (domain, listed) in domains.iter().enumerate() {
            for (moved, (local, to)) in listed.moved.iter().enumerate() {
                let place = Place::Moved { domain, moved };
                let sent_on = to.to.as_ref().filter(|_| to.forward);
                let dead = sent_on.and_then(|to| self.dead_end(to));
                let walk = self.walk(listed, local);
                let faults = dead.into_iter().chain(walk.own_faults());
                problems.extend(faults.map(|fault| DirectoryProblem { place, fault }));
            }
            for (alias, (local, targets)) in listed.aliases.iter().enumerate() {
                // A dead end is told once, at the alias that names it.
                let dead = targets.iter().enumerate().filter_map(|(target, mailbox)| {
                    let place = Place::Target {
                        domain,
                        alias,
                        target,
                    };
                    Some(DirectoryProblem {
                        place,
                        fault: self.dead_end(mailbox)?,
                    })
                });
                problems.extend(dead);
                let walk = self.walk(listed, local);
                // So is a loop, at each alias that is part of it.
                let place = Place::Alias { domain, alias };
                let own = walk.own_faults();
                problems.extend(own.map(|fault| DirectoryProblem { place, fault }));
            }
        }
    }

    fn walk(&self, domain: &LocalDomain, local: &LocalPart) -> Walk {
        let address = Mailbox {
            local: local.clone(),
            host: Host::Domain(domain.name.clone()),
        };
        Walk::from(self, &address)
    }

    fn dead_end(&self, target: &Mailbox) -> Option<Fault> {
        match self.meaning(target) {
            Meaning::NotLocal if self.routes.to(&target.host).is_some() => None,
            Meaning::NotLocal => Some(Fault::NotLocal(target.clone())),
            Meaning::Unknown | Meaning::Moved(_) => Some(Fault::NoSuchMailbox(target.clone())),
            Meaning::Listed(_) | Meaning::Made(_) | Meaning::Alias { .. } => None,
        }
    }
}

/// In lower case, as it is compared.
const POSTMASTER: &str = "postmaster";

impl Names {
    /// The local-part before its first delimiter, if something is there.
    fn without_detail<'l>(&self, local: &'l str) -> &'l str {
        let split = self
            .delimiter
            .and_then(|delimiter| local.split_once(delimiter));
        match split {
            Some((base, _)) if !base.is_empty() => base,
            _ => local,
        }
    }
}
