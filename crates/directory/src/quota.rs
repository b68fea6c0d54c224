//! How much a mailbox may hold, and how much it does.

use std::collections::BTreeMap;

use postroad_clock::Mono;
use postroad_wire::address::Mailbox;

/// Of how many mailboxes it is remembered what they hold. With more, all are counted anew.
const MOST: usize = 65_536;

/// What a mailbox may hold; none of what it says nothing of is bounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets of all its messages.
    pub octets: Option<u64>,
    /// Messages.
    pub messages: Option<u64>,
    /// Octets of one message.
    pub message: Option<u64>,
}

/// What the mailboxes of a domain may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Each of them.
    pub each: Quota,
    /// These, by their local-parts, in place of that.
    pub of: Vec<(postroad_wire::address::LocalPart, Quota)>,
}

/// What a mailbox holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Octets of all its messages.
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

impl Quota {
    /// Whether it bounds anything.
    pub fn is_none(&self) -> bool {
        *self == Quota::default()
    }

    /// Whether a message of this size is more than the mailbox could ever take.
    pub fn excludes(&self, size: u64) -> bool {
        [self.octets, self.message]
            .into_iter()
            .flatten()
            .any(|most| size > most)
    }

    /// Whether a mailbox that holds so much has no room for a message of this size; 0 where its size
    /// isn't known.
    pub fn is_passed(&self, used: Usage, size: u64) -> bool {
        let octets = used.octets.saturating_add(size.max(1));
        self.octets.is_some_and(|most| octets > most)
            || self.messages.is_some_and(|most| used.messages >= most)
    }
}

/// What mailboxes held when they were counted, and what they have taken since.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    by_mailbox: BTreeMap<Mailbox, (Usage, Mono)>,
}

impl Counted {
    pub(crate) fn note(&mut self, mailbox: Mailbox, usage: Usage, now: Mono) {
        if self.by_mailbox.len() >= MOST && !self.by_mailbox.contains_key(&mailbox) {
            self.by_mailbox.clear();
        }
        self.by_mailbox.insert(mailbox, (usage, now));
    }

    pub(crate) fn add(&mut self, mailbox: &Mailbox, octets: u64) {
        if let Some((usage, _)) = self.by_mailbox.get_mut(mailbox) {
            usage.octets = usage.octets.saturating_add(octets);
            usage.messages = usage.messages.saturating_add(1);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_mailbox.is_empty()
    }

    /// What a mailbox holds, and when it was counted.
    pub(crate) fn of(&self, mailbox: &Mailbox) -> Option<(Usage, Mono)> {
        self.by_mailbox.get(mailbox).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_passed_by_what_does_not_fit() {
        let quota = Quota {
            octets: Some(100),
            messages: Some(3),
            message: Some(50),
        };
        let used = |octets, messages| Usage { octets, messages };
        assert!(!quota.is_passed(used(0, 0), 100) && quota.is_passed(used(0, 0), 101));
        assert!(!quota.is_passed(used(99, 2), 0), "the last octet is free");
        assert!(quota.is_passed(used(100, 0), 0) && quota.is_passed(used(0, 3), 0));
        assert!(quota.excludes(51) && !quota.excludes(50));
        let roomy = Quota {
            message: None,
            ..quota
        };
        assert!(roomy.excludes(101) && !roomy.excludes(100));
        let none = Quota::default();
        assert!(!none.is_passed(used(u64::MAX, u64::MAX), u64::MAX) && !none.excludes(u64::MAX));
    }
}
