//! Where mail goes, as delivery asks at each attempt.

use std::sync::Arc;

use arc_swap::ArcSwap;
use postroad_clock::Mono;
use postroad_delivery::{NextHop, NextHops, NoMailbox};
use postroad_directory::{Mailboxes, NextHop as Hop, Resolution};
use postroad_host::terminal::{Terminals, UserName};
use postroad_queue::{Recipient, RouteKey};
use postroad_server::Settings;
use postroad_wire::address::{ForwardPath, Host, Limits, Mailbox};

/// Local mailboxes are Maildirs, or where a route leads; other servers are where routes lead. Which
/// mailbox fails is noted where RCPT asks for it.
#[derive(Debug)]
pub(crate) struct Routing {
    pub(crate) settings: Arc<ArcSwap<Settings>>,
    pub(crate) mailboxes: Mailboxes,
}

impl NextHops for Routing {
    fn next_hop(&self, route: &RouteKey) -> NextHop {
        if let Some(behind) = route.behind_terminals() {
            return NextHop::Terminals { domain: behind.0 };
        }
        // An operator sends a message to a next hop by naming it.
        if let Ok(peer) = route.0.parse() {
            return NextHop::Peer(peer);
        }
        let Ok(host) = Host::parse(&route.0, &Limits::NONE) else {
            return NextHop::Nowhere {
                why: format!("{} is neither a domain nor a next hop", route.0),
            };
        };
        match self.settings.load().directory.next_hop(&host) {
            Some(Hop::Mailbox) => NextHop::Maildirs,
            Some(Hop::Peer(peer)) => NextHop::Peer(peer.clone()),
            Some(Hop::OnDemand) => NextHop::OnDemand {
                domain: Arc::clone(&route.0),
            },
            None => NextHop::Nowhere {
                why: format!("{host} is not a local domain, and no route leads there"),
            },
        }
    }

    fn terminals_of(&self, mailbox: &Mailbox) -> Option<(Arc<Terminals>, UserName)> {
        let settings = self.settings.load();
        let logins = &settings.rules.logins;
        let user = logins.user(mailbox)?;
        Some((Arc::clone(&logins.terminals), user))
    }

    fn may_be_made(&self, mailbox: &Mailbox) -> Result<(), NoMailbox> {
        let path = ForwardPath::Mailbox(mailbox.clone());
        let directory = &self.settings.load().directory;
        match directory.resolve(&path, &self.mailboxes) {
            Resolution::Local { targets, .. } if targets.contains(mailbox) => Ok(()),
            Resolution::Local { .. } | Resolution::Unknown | Resolution::Moved { .. } => {
                Err(NoMailbox::Unknown)
            }
            // That the domain isn't local any more, the next attempt finds by itself.
            Resolution::NotLocal { .. } | Resolution::Broken | Resolution::MailboxLimit => {
                Err(NoMailbox::NotNow)
            }
        }
    }

    fn notice_to(&self, reverse_path: &Mailbox) -> Vec<Recipient> {
        let path = ForwardPath::Mailbox(reverse_path.clone());
        let targets = match self
            .settings
            .load()
            .directory
            .resolve(&path, &self.mailboxes)
        {
            Resolution::Local {
                targets,
                reservation,
                ..
            } => {
                // The notice is delivered, so the mailbox will be made.
                reservation.keep();
                targets
            }
            // Where nothing leads, and where nobody is, it fails, and nobody is told of that.
            Resolution::NotLocal { .. }
            | Resolution::Unknown
            | Resolution::Moved { .. }
            | Resolution::Broken
            | Resolution::MailboxLimit => vec![reverse_path.clone()],
        };
        let recipient = |target| Recipient {
            target,
            origin: reverse_path.clone(),
            original: None,
            notify: None,
        };
        targets.into_iter().map(recipient).collect()
    }

    fn delivered(&self, mailbox: &Mailbox, octets: Option<u64>) {
        self.mailboxes.delivered(mailbox, octets);
    }

    fn failed(&self, mailbox: &Mailbox, now: Mono) {
        self.mailboxes.failed(mailbox, now);
    }
}
