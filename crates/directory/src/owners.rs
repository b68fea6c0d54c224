//! Which addresses are a user's own.

use postroad_wire::address::{Host, Limits, Mailbox};

use crate::directory::Directory;
use crate::name;
use crate::walk::Walk;

impl Directory {
    /// Whether an address leads to the mailbox of a user: it is that mailbox's own, with a detail or
    /// without, or an alias that leads there, be it to others too. The mailbox of a user `anna` is `anna` in
    /// any local domain, that of `anna@example.com` that one alone.
    pub fn is_of(&self, address: &Mailbox, user: &str) -> bool {
        if !self.is_local(&address.host) {
            return false;
        }
        let full = Mailbox::parse(user, &Limits::NONE).ok();
        let full = full.as_ref().and_then(name::canonical);
        let is_own = |target: &Mailbox| match &full {
            Some(full) => target == full,
            None => is_named(target, user) && self.is_local(&target.host),
        };
        Walk::from(self, address).mailboxes.iter().any(is_own)
    }
}

fn is_named(target: &Mailbox, user: &str) -> bool {
    matches!(target.host, Host::Domain(_)) && name::local(&target.local) == user.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LocalDomain, Quotas, Routes};
    use postroad_wire::address::{Domain, LocalPart};

    fn mailbox(text: &str) -> Mailbox {
        Mailbox::parse(text, &Limits::default()).expect("an address in a test")
    }

    #[test]
    fn an_address_is_of_those_to_whose_mailboxes_it_leads() {
        let local = |text| LocalPart::parse(text, &Limits::default()).expect("a name");
        let domain = |name: &str| LocalDomain {
            name: Domain::parse(name, &Limits::default()).expect("a domain"),
            mailboxes: vec![local("anna"), local("bert")],
            aliases: vec![
                (local("info"), vec![mailbox("anna@one.test")]),
                (
                    local("all"),
                    vec![mailbox("info@one.test"), mailbox("bert@one.test")],
                ),
            ],
            moved: Vec::new(),
            create_mailboxes: false,
            quotas: Quotas::default(),
            recipient_delimiter: Some('+'),
        };
        let domains = vec![domain("one.test"), domain("two.test")];
        let (directory, problems) = Directory::new(domains, None, Routes::default());
        assert_eq!(problems, []);
        let of = |address, user| directory.is_of(&mailbox(address), user);
        for own in [
            "anna@one.test",
            "Anna@ONE.test",
            "anna+list@one.test",
            "info@one.test",
            "all@two.test",
        ] {
            assert!(of(own, "anna") && of(own, "anna@one.test"), "{own}");
        }
        assert!(of("anna@two.test", "anna") && !of("anna@two.test", "anna@one.test"));
        for others in [
            "bert@one.test",
            "x@elsewhere.test",
            "anna@elsewhere.test",
            "nobody@one.test",
            "anna@[192.0.2.1]",
        ] {
            assert!(!of(others, "anna") && !of(others, "x"), "{others}");
        }
    }
}
