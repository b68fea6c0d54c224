//! Names as they are compared.

use postroad_wire::address::{Domain, Host, Limits, LocalPart, Mailbox};

/// A domain as it is compared: A-labels in lower case.
pub(crate) fn domain(name: &Domain) -> String {
    // What IDNA does not allow is no registered name, but an operator may still use it inside.
    idna::domain_to_ascii(name.as_str()).unwrap_or_else(|_| name.as_str().to_ascii_lowercase())
}

/// Whether two names are of the same domain: case makes no difference, and U-labels are A-labels.
pub fn is_same_domain(one: &Domain, other: &Domain) -> bool {
    domain(one) == domain(other)
}

/// A local-part of ours as it is compared.
pub(crate) fn local(name: &LocalPart) -> String {
    name.as_str().to_lowercase()
}

/// The mailbox of two compared names; none if one can't be written.
pub(crate) fn mailbox(local: &str, domain: &str) -> Option<Mailbox> {
    // Lengths were checked when the name was read; the compared form may be longer.
    Some(Mailbox {
        local: LocalPart::from_unquoted(local, &Limits::NONE).ok()?,
        host: Host::Domain(Domain::parse(domain, &Limits::NONE).ok()?),
    })
}

/// A mailbox as it is compared.
pub(crate) fn canonical(mailbox: &Mailbox) -> Option<Mailbox> {
    match &mailbox.host {
        Host::Domain(host) => self::mailbox(&local(&mailbox.local), &domain(host)),
        Host::Literal(_) => None,
    }
}
