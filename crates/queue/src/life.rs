//! The life of one recipient, from accepted to its end.

use alloc::string::String;

use postroad_clock::UnixMs;

/// A recipient's place in its envelope's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipientIx(pub u32);

/// Where a recipient stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// Still owed.
    Pending {
        /// How many attempts were made.
        attempts: u32,
        /// When the next is due.
        due: UnixMs,
        /// What the last attempt said; empty before the first.
        last: String,
    },
    /// Delivered, or taken over by the next hop.
    Delivered {
        /// When.
        at: UnixMs,
        /// By what, in words for the history.
        by: String,
    },
    /// Given up.
    Failed {
        /// When.
        at: UnixMs,
        /// Why, in words for the notice.
        why: String,
        /// What has become of the notice.
        notice: NoticeState,
    },
    /// Thrown away by a named rule.
    Discarded {
        /// When.
        at: UnixMs,
        /// The rule.
        rule: String,
    },
}

/// What has become of the notice about a failed recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeState {
    /// Owed since the recipient failed: the message stays in the queue until it is committed.
    Owed,
    /// Committed as a message of its own.
    Sent,
    /// Not wanted: null sender, or `NOTIFY` without `FAILURE`.
    Unwanted,
}

/// What an attempt did for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered, or taken over by the next hop.
    Delivered {
        /// By what.
        by: String,
    },
    /// Not now.
    Deferred {
        /// When to try again.
        due: UnixMs,
        /// Why.
        why: String,
    },
    /// Never.
    Failed {
        /// Why.
        why: String,
        /// Whether a notice is owed for it.
        notice: NoticeState,
    },
    /// Thrown away by a named rule.
    Discarded {
        /// The rule.
        rule: String,
    },
}
