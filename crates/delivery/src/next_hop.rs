//! Where the mail of a route goes by the present configuration.

use std::sync::Arc;

use postroad_clock::Mono;
use postroad_host::terminal::{Terminals, UserName};
use postroad_queue::scheduler::SiteKey;
use postroad_queue::{Recipient, RouteKey};
use postroad_wire::address::Mailbox;
use postroad_wire::peer::Peer;

/// Where mail goes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHop {
    /// Into the recipients' Maildirs, here.
    Maildirs,
    /// To the terminals of users here, and to where their mailboxes are (RFC 821 3.4).
    Terminals {
        /// The domain of the mailboxes, as a route has it.
        domain: Arc<str>,
    },
    /// To this server.
    Peer(Peer),
    /// It is held here until its owner calls for it.
    OnDemand {
        /// The domain it is for, as a route has it.
        domain: Arc<str>,
    },
    /// Nowhere, as things are configured now. It may be otherwise at the next attempt.
    Nowhere {
        /// Why, in words for the log and for whoever looks into the queue.
        why: String,
    },
}

/// The name of the site of all Maildirs.
const MAILDIRS: &str = "mailbox";
/// What the name of a site of terminals begins with, and its domain follows. No next hop begins so.
const TERMINALS: &str = "terminals:";
/// What the name of a site of held mail begins with, and its domain follows. No next hop begins so.
const ON_DEMAND: &str = "on-demand:";

impl NextHop {
    /// The site of this next hop; none of nowhere.
    pub fn site(&self) -> Option<SiteKey> {
        match self {
            NextHop::Maildirs => Some(SiteKey(Arc::from(MAILDIRS))),
            NextHop::Terminals { domain } => Some(SiteKey(format!("{TERMINALS}{domain}").into())),
            NextHop::Peer(peer) => Some(SiteKey(peer.to_string().into())),
            NextHop::OnDemand { domain } => Some(SiteKey(format!("{ON_DEMAND}{domain}").into())),
            NextHop::Nowhere { .. } => None,
        }
    }

    /// The next hop of a site that [`site`](NextHop::site) named.
    pub fn of_site(site: &SiteKey) -> NextHop {
        if let Some(domain) = site.0.strip_prefix(ON_DEMAND) {
            let domain = Arc::from(domain);
            return NextHop::OnDemand { domain };
        }
        if let Some(domain) = site.0.strip_prefix(TERMINALS) {
            let domain = Arc::from(domain);
            return NextHop::Terminals { domain };
        }
        match site.0.parse() {
            _ if &*site.0 == MAILDIRS => NextHop::Maildirs,
            Ok(peer) => NextHop::Peer(peer),
            Err(why) => NextHop::Nowhere {
                why: format!("{site}: {why}"),
            },
        }
    }
}

/// Knows the next hops, and is told which mailboxes take mail.
pub trait NextHops: Send + Sync + 'static {
    /// Where mail by `route` goes: a recipient's domain, or the next hop by which an operator sends
    /// a message instead. It is asked again and again, so that a change of configuration frees what
    /// was stuck.
    fn next_hop(&self, route: &RouteKey) -> NextHop;

    /// The terminals of this machine and the user whose mailbox this is; none if it is no user's.
    fn terminals_of(&self, mailbox: &Mailbox) -> Option<(Arc<Terminals>, UserName)> {
        let _ = mailbox;
        None
    }

    /// Where a notice to the sender of a message goes: what its reverse-path leads to.
    fn notice_to(&self, reverse_path: &Mailbox) -> Vec<Recipient>;

    /// Whether a mailbox of ours that isn't there yet may be made. It is asked because a notice goes
    /// to whomever a client said it was.
    ///
    /// # Errors
    /// Why it may not.
    fn may_be_made(&self, mailbox: &Mailbox) -> Result<(), NoMailbox>;

    /// A mailbox of ours took a message of so many octets; none if an earlier attempt put it there.
    fn delivered(&self, mailbox: &Mailbox, octets: Option<u64>);

    /// A mailbox of ours took no message, for a reason of its own.
    fn failed(&self, mailbox: &Mailbox, now: Mono);
}

/// Why a mailbox isn't made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMailbox {
    /// Nobody has this address.
    Unknown,
    /// It can't be said now, or there are as many mailboxes as may be.
    NotNow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_names_its_next_hop() {
        let peer = |text: &str| NextHop::Peer(text.parse().expect("the test wrote a peer"));
        let hops = [
            NextHop::Maildirs,
            NextHop::Terminals {
                domain: "home.example".into(),
            },
            peer("smtp://mx.example.net"),
            peer("smtp://[::1]:2525"),
            peer("lmtp:/run/dovecot/lmtp"),
            NextHop::OnDemand {
                domain: "home.example".into(),
            },
        ];
        for hop in hops {
            let site = hop.site().expect("it is somewhere");
            assert_eq!(NextHop::of_site(&site), hop, "{site}");
        }
        let why = String::new();
        assert_eq!(NextHop::Nowhere { why }.site(), None);
    }
}
