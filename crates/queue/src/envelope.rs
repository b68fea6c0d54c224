//! What came with a message and never changes while it is queued.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_message::{Edit, Facts};
use postroad_wire::address::{AddressLiteral, Host, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::{BodyType, EnvId, Notify, OriginalRecipient, Ret};

/// What is kept of a message beside its octets.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// When its end of data was received.
    pub received_at: UnixMs,
    /// Whom to tell when it can't be delivered.
    pub reverse_path: ReversePath,
    /// To what it is delivered: mailboxes, or terminals.
    pub delivery: DeliveryKind,
    /// What the client declared about the body.
    pub body_type: BodyType,
    /// Whether the client asked for SMTPUTF8 (RFC 6531 3.4).
    pub smtputf8: bool,
    /// How much of it a notice returns.
    pub ret: Option<Ret>,
    /// The sender's own name for it.
    pub envid: Option<EnvId>,
    /// From whom it came.
    pub client: ClientTrace,
    /// From -9 to 9, as RFC 6710 has it; 0 is ordinary.
    pub priority: i8,
    /// Whose share of the queue it counts against: an account, a tenant, a client's network.
    pub sender_key: String,
    /// Whom it is for, resolved and without duplicates. Places in this list are its
    /// recipients' names for as long as it is queued.
    pub recipients: Vec<Recipient>,
    /// The trace fields this server puts before the received octets.
    pub trace: Bytes,
    /// What is to change in the received octets when they leave.
    pub edits: Vec<Edit>,
    /// What a scan of the received octets found.
    pub facts: Facts,
}

/// From whom a message came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientTrace {
    /// The peer's address; none where the message was made here.
    pub address: Option<IpAddr>,
    /// What it said after EHLO or HELO.
    pub hello: String,
    /// The `with` keyword of RFC 3848: SMTP, ESMTP, UTF8SMTP, LMTP ...
    pub protocol: String,
}

/// One final target of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where it goes, after aliases.
    pub target: Mailbox,
    /// What the client wrote in RCPT.
    pub origin: Mailbox,
    /// The recipient as the sender first wrote it.
    pub original: Option<OriginalRecipient>,
    /// When the sender wants to hear; none if nothing was asked.
    pub notify: Option<Notify>,
}

impl Envelope {
    /// By which route the mail of one of its recipients goes, if nobody redirects it.
    pub fn route_to(&self, recipient: &Recipient) -> RouteKey {
        let route = RouteKey::of(&recipient.target.host);
        match self.delivery {
            DeliveryKind::Mailbox => route,
            DeliveryKind::Terminal
            | DeliveryKind::TerminalElseMailbox
            | DeliveryKind::TerminalAndMailbox => route.by_terminals(),
        }
    }
}

/// What due mail is grouped by in a store, so that one dead destination can't fill a claim: the
/// recipient's domain, in lower case. What goes to terminals has routes of its own, so that a stuck
/// terminal holds up no mailbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey(pub Arc<str>);

impl RouteKey {
    /// The route of mail to `host`: its domain in lower case, or the address in brackets.
    pub fn of(host: &Host) -> RouteKey {
        RouteKey(match host {
            Host::Domain(domain) => domain.as_str().to_ascii_lowercase().into(),
            Host::Literal(AddressLiteral::V4(address)) => format!("[{address}]").into(),
            Host::Literal(AddressLiteral::V6(address)) => format!("[ipv6:{address}]").into(),
        })
    }

    /// What comes before the domain in a route by terminals. No domain and no next hop begins so.
    const BY_TERMINALS: &str = "terminals+";

    /// The same route, by the terminals of its users first.
    fn by_terminals(&self) -> RouteKey {
        RouteKey(format!("{}{}", Self::BY_TERMINALS, self.0).into())
    }

    /// The route to the mailboxes, if this one goes by terminals first.
    pub fn behind_terminals(&self) -> Option<RouteKey> {
        let behind = self.0.strip_prefix(Self::BY_TERMINALS)?;
        Some(RouteKey(behind.into()))
    }

    /// The empty route: work that needs no next hop, such as making a notice.
    pub fn local() -> RouteKey {
        RouteKey(Arc::from(""))
    }
}
