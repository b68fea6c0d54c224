//! Which mailboxes are users of this machine, and whether their terminals take messages (RFC 821 3.4).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use postroad_directory::DomainSet;
use postroad_host::tasks;
use postroad_host::terminal::{Terminals, UserName};
use postroad_wire::address::Mailbox;

/// How long the system's list of logins and its user database are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which mailboxes are users of this machine, and where it stands who is logged in.
#[derive(Debug, Clone)]
pub struct Logins {
    /// The terminals of this machine.
    pub terminals: Arc<Terminals>,
    /// The domains whose local-parts are the names of users here; all but this one are of people who may
    /// have no account.
    pub domains: DomainSet,
}

impl Default for Logins {
    /// The usual places, and nobody's terminals.
    fn default() -> Logins {
        Logins {
            terminals: Arc::new(Terminals {
                utmp: "/run/utmp".into(),
                devices: "/dev".into(),
            }),
            domains: DomainSet::default(),
        }
    }
}

impl Logins {
    /// The user whose mailbox this is; none if it can be nobody's here.
    pub fn user(&self, mailbox: &Mailbox) -> Option<UserName> {
        let is_of_users = self.domains.contains(&mailbox.host);
        // Case makes no difference in a mailbox's name, and users are called in small letters.
        let name = mailbox.local.as_str().to_ascii_lowercase();
        UserName::parse(&name).filter(|_| is_of_users)
    }

    /// Whether it can be said who is logged in.
    pub(crate) async fn check(&self) -> io::Result<()> {
        let terminals = Arc::clone(&self.terminals);
        asked(move || terminals.check()).await
    }

    /// Whether one of the users has a terminal that takes messages.
    pub(crate) async fn any_takes(&self, users: Vec<UserName>) -> io::Result<bool> {
        let terminals = Arc::clone(&self.terminals);
        asked(move || {
            for user in &users {
                if !terminals.of(user)?.taking.is_empty() {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }
}

async fn asked<T: Send + 'static>(
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tasks::timeout(PATIENCE, tasks::blocking(ask)).await {
        Ok(answer) => answer,
        Err(tasks::TimedOut) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use postroad_directory::RouteFor;
    use postroad_wire::address::{Domain, Limits};

    use super::*;

    #[test]
    fn a_mailbox_is_a_users_where_its_domain_says_so() {
        let domain = Domain::parse("users.example", &Limits::default()).expect("a domain");
        let logins = Logins {
            domains: DomainSet::new([RouteFor::Domain(domain)]),
            ..Logins::default()
        };
        let user = |mailbox: &str| {
            let mailbox = Mailbox::parse(mailbox, &Limits::default()).expect("a mailbox");
            logins.user(&mailbox).map(|user| user.as_str().to_owned())
        };
        assert_eq!(user("Ada@Users.example").as_deref(), Some("ada"));
        assert_eq!(user("ada@other.example"), None);
        assert_eq!(user("\"../ada\"@users.example"), None);
    }
}
