//! The rules of the first server: pure functions of facts.

use postroad_directory::{Quota, Resolution, Usage};
use postroad_reply::Text;
use postroad_store::{Pressure, Trouble};

use crate::verdict::{Reason, Verdict};

/// How many connections are open, the one in question included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// In all.
    pub total: usize,
    /// From the same address.
    pub of_address: usize,
    /// From the same network.
    pub of_network: usize,
}

/// Whether a client may send mail to other servers' domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// It may.
    Allowed,
    /// It may once it has authenticated, which it can here.
    AfterLogin,
    /// It may not.
    Denied,
}

/// How many connections may be open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub total: usize,
    /// From one address.
    pub per_address: usize,
    /// From one network.
    pub per_network: usize,
}

/// Whether one more connection may be served. The note tells the client which limit it met, the
/// nearest to it first: a client that holds too many itself can do something about it.
pub fn connection(open: Connections, limits: ConnectionLimits) -> Verdict {
    let note = if open.of_address > limits.per_address {
        "Too many connections from your address, try again later"
    } else if open.of_network > limits.per_network {
        "Too many connections from your network, try again later"
    } else if open.total > limits.total {
        "Too many connections, try again later"
    } else {
        return Verdict::Accept;
    };
    Verdict::Temporary(Reason::ConnectionLimit, Some(Text::new(note)))
}

/// Whether the store has room for what a new connection, transaction or recipient would bring:
/// asked at the greeting (421), at MAIL and at RCPT (452, or 451 where nothing can be written).
pub fn store(pressure: Pressure) -> Verdict {
    match pressure {
        Pressure::None => Verdict::Accept,
        Pressure::Full => Verdict::Temporary(Reason::StoreFull, None),
        Pressure::ReadOnly => Verdict::Temporary(Reason::StoreReadOnly, None),
    }
}

/// What becomes of mail that the store couldn't take: nothing of it is kept, and the client may
/// try again.
pub fn trouble(trouble: &Trouble) -> Verdict {
    let reason = match trouble {
        Trouble::Full => Reason::StoreFull,
        Trouble::ReadOnly => Reason::StoreReadOnly,
        // The last three speak of mail that is stored; met while taking mail, they are a fault
        // of the store all the same.
        Trouble::Failed(_) | Trouble::LeaseLost | Trouble::Unknown(_) | Trouble::Damaged(_) => {
            Reason::StoreFailed
        }
    };
    Verdict::Temporary(reason, None)
}

/// What becomes of a MAIL or RCPT that would add more octets to the envelope than are free: `plain`
/// without its parameters, and `parameters` for them. Where it is the parameters that don't fit,
/// the client hears so (RFC 5321 4.1.1.11), and may try without them.
pub fn no_memory(free: usize, plain: usize, parameters: usize) -> Verdict {
    let reason = if parameters > 0 && plain <= free {
        Reason::NoMemoryForParameters
    } else {
        Reason::NoMemory
    };
    Verdict::Temporary(reason, None)
}

/// Whether a recipient is taken, by where the directory says it leads. What isn't ours is taken
/// from clients that `may_relay`, where a route leads there; who could by logging in is told so.
pub fn recipient(resolution: &Resolution, relay: Relay) -> Verdict {
    let may_relay = relay == Relay::Allowed;
    match resolution {
        Resolution::Local { .. } => Verdict::Accept,
        Resolution::NotLocal { routed: true, .. } if may_relay => Verdict::Accept,
        Resolution::NotLocal { routed: false, .. } if may_relay => {
            // To take it would be to return it later.
            let note = "No route to that domain is configured here";
            Verdict::Permanent(Reason::RelayDenied, Some(Text::new(note)))
        }
        Resolution::NotLocal { routed: true, .. } if relay == Relay::AfterLogin => {
            Verdict::Permanent(Reason::AuthenticationNeeded, None)
        }
        Resolution::NotLocal { .. } => Verdict::Permanent(Reason::RelayDenied, None),
        Resolution::Unknown => Verdict::Permanent(Reason::MailboxUnknown, None),
        Resolution::Moved { .. } => Verdict::Permanent(Reason::Moved, None),
        Resolution::Broken => Verdict::Temporary(Reason::AliasBroken, None),
        Resolution::MailboxLimit => Verdict::Temporary(Reason::MailboxLimit, None),
    }
}

/// Whether a recipient is taken whose mail would lie in the queue: `all_fail` says that none of its
/// mailboxes takes mail at the moment. The client tries again, and can tell its user; the mail that
/// is in the queue already finds out when the mailbox works.
pub fn mailboxes(all_fail: bool) -> Verdict {
    if all_fail {
        Verdict::Temporary(Reason::MailboxBusy, None)
    } else {
        Verdict::Accept
    }
}

/// Whether a mailbox may get a message of this size, 0 where it isn't known. That it is full is for good
/// only where `for_good` says so: RFC 3463 3.3 has it as something that passes. `used` is none where
/// that couldn't be found out; then it may.
pub fn quota(quota: Quota, used: Option<Usage>, size: u64, for_good: bool) -> Verdict {
    if quota.excludes(size) {
        return Verdict::Permanent(Reason::TooBigForMailbox, None);
    }
    match used {
        Some(used) if quota.is_passed(used, size) && for_good => {
            Verdict::Permanent(Reason::MailboxFull, None)
        }
        Some(used) if quota.is_passed(used, size) => Verdict::Temporary(Reason::MailboxFull, None),
        _ => Verdict::Accept,
    }
}

/// Whether somebody may begin another message. That the allowance is spent is for good only where
/// `for_good` says so: it comes back by itself.
pub fn allowance(may_send: bool, for_good: bool) -> Verdict {
    if may_send {
        return Verdict::Accept;
    }
    let note = "You have sent as many messages as you may for now";
    let note = Some(Text::new(note));
    if for_good {
        Verdict::Permanent(Reason::SenderAllocation, note)
    } else {
        Verdict::Temporary(Reason::RateLimit, note)
    }
}

/// Whether a message may be in a loop: it has more Received fields than `limit`, which is 100 at
/// least by RFC 5321 6.3.
pub fn mail_loop(received_count: u32, limit: u32) -> Verdict {
    if received_count > limit {
        Verdict::Permanent(Reason::MailLoop, None)
    } else {
        Verdict::Accept
    }
}
