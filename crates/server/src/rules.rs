//! What a site's own tables say, beside the directory.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use postroad_directory::DomainSet;
use postroad_policy::Verdict;
use postroad_policy::access::{AccessRules, Facts, Pattern, Step};
use postroad_wire::address::{Mailbox, ReversePath};

use crate::logins::Logins;
use crate::record::Record;
use crate::sending::SendingLimits;
use crate::transaction::Client;

/// How much of a message is looked at for its header. What has a longer one hides its last fields from
/// the rules, which is why those that let in should be few.
const HEADER: usize = 64 << 10;

/// The tables of a site.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Who is refused, put off or sent away.
    pub access: AccessRules,
    /// Who is told the truth by VRFY and EXPN.
    pub inquiries: Inquiries,
    /// The domains that take no mail (RFC 7504 4).
    pub mailless: DomainSet,
    /// What is asked of the domain name system.
    pub lookups: Lookups,
    /// How much a client may send.
    pub sending: SendingLimits,
    /// Whose terminals messages can go to.
    pub logins: Logins,
    /// How much a client may send there.
    pub sending_to_terminals: SendingLimits,
    /// Which senders' addresses users may give.
    pub senders: Senders,
    /// Whether a full mailbox refuses mail for good (552), and not for now (452).
    pub full_is_final: bool,
}

/// What is asked of the domain name system about a message that a client would send.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lookups {
    /// Whether the sender's domain is there and takes mail (RFC 7505 4.2). Not for a client that may
    /// relay: it sends for people of ours.
    pub senders: bool,
    /// Whether the domain takes mail of a recipient that is relayed to (RFC 7505 4.1).
    pub recipients: bool,
}

/// Which senders' addresses users who have logged in may give, beside their own.
#[derive(Debug, Clone, Default)]
pub struct Senders {
    /// Any address.
    pub any: bool,
    /// By user: addresses that fit one of these.
    pub granted: BTreeMap<String, Vec<Pattern>>,
}

impl Senders {
    /// Whether the site lets a user send as this address.
    pub(crate) fn grants(&self, user: &str, address: &Mailbox) -> bool {
        let address = address.to_string().to_lowercase();
        let granted = self.granted.get(user);
        granted.is_some_and(|patterns| patterns.iter().any(|pattern| pattern.fits(&address)))
    }
}

/// What a client has said of its message so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said<'a> {
    /// The reverse-path.
    pub(crate) sender: Option<&'a ReversePath>,
    /// The recipient in question, or all that were accepted.
    pub(crate) recipients: &'a [&'a Mailbox],
    /// The first octets of the message.
    pub(crate) header: &'a [u8],
}

impl Rules {
    /// What the rules of a step say. Which of them decided is noted as the cause of the refusal.
    pub(crate) fn access_at(
        &self,
        at: Step,
        client: &Client,
        said: Said<'_>,
        record: &mut Record,
    ) -> Verdict {
        let facts = Facts {
            address: client.address,
            hello: &client.name,
            identities: &client.identities,
            sender: said.sender,
            recipients: said.recipients,
            header: said.header,
        };
        let Some(rule) = self.access.deciding(at, &facts) else {
            return Verdict::Accept;
        };
        let verdict = rule.verdict();
        if verdict != Verdict::Accept {
            record.cause(&rule.name);
        }
        verdict
    }

    /// How many octets of a message are kept for the rules.
    pub(crate) fn header_octets(&self) -> usize {
        if self.access.read_headers() {
            HEADER
        } else {
            0
        }
    }
}

/// Who may ask who is here. Everybody else hears the same whatever is asked, and nothing is looked up
/// for it (RFC 5321 7.3).
#[derive(Debug, Clone, Default)]
pub struct Inquiries {
    /// Everybody may ask VRFY.
    pub vrfy_for_all: bool,
    /// Everybody may ask EXPN.
    pub expn_for_all: bool,
    /// Everybody may see the system's status.
    pub status_for_all: bool,
    /// Clients from here may. So may who has proved who it is.
    pub networks: Vec<IpNet>,
}

impl Inquiries {
    /// Whether a client is trusted to ask: it comes from one of the networks, or `has_proved` who it
    /// is.
    pub(crate) fn trust(&self, address: IpAddr, has_proved: bool) -> bool {
        has_proved
            || self
                .networks
                .iter()
                .any(|network| network.contains(&address))
    }
}
