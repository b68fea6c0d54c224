//! The life of one recipient, from accepted to its end.

use alloc::string::String;

use postroad_clock::UnixMs;

use crate::state::DELETED_BY_OPERATOR;

/// A recipient's place in its envelope's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipientIx(pub u32);

/// The words kept of an attempt are cut at so many octets: whatever a peer says, a message's
/// state stays small.
pub const MOST_WORDS: usize = 1024;

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

impl Life {
    /// When the next attempt is due; none if it is settled.
    pub fn pending_due(&self) -> Option<UnixMs> {
        match self {
            Life::Pending { due, .. } => Some(*due),
            _ => None,
        }
    }

    /// Since when a notice is owed for it; none if none is.
    pub fn owed_since(&self) -> Option<UnixMs> {
        match self {
            Life::Failed {
                at,
                notice: NoticeState::Owed,
                ..
            } => Some(*at),
            _ => None,
        }
    }

    /// Records an outcome of `now`; true if that changed anything. What is settled stays so, and
    /// an attempt that is recorded isn't recorded again.
    pub(crate) fn apply(&mut self, outcome: &Outcome, now: UnixMs) -> bool {
        let Life::Pending { attempts, .. } = self else {
            return false;
        };
        *self = match outcome {
            Outcome::Deferred { attempt, .. } if *attempt <= *attempts => return false,
            Outcome::Deferred { attempt, due, why } => Life::Pending {
                attempts: *attempt,
                due: *due,
                last: words(why),
            },
            Outcome::Delivered { by } => Life::Delivered {
                at: now,
                by: words(by),
            },
            Outcome::Failed { why, notice } => Life::Failed {
                at: now,
                why: words(why),
                notice: match notice {
                    NoticeState::Owed | NoticeState::Sent => NoticeState::Owed,
                    NoticeState::Unwanted => NoticeState::Unwanted,
                },
            },
            Outcome::Discarded { rule } => Life::Discarded {
                at: now,
                rule: words(rule),
            },
        };
        true
    }

    /// Ends what is still owed, without a word to anybody: nothing more is delivered, and no
    /// notice is sent.
    pub(crate) fn delete(&mut self, now: UnixMs) {
        match self {
            Life::Pending { .. } => {
                *self = Life::Discarded {
                    at: now,
                    rule: DELETED_BY_OPERATOR.into(),
                }
            }
            Life::Failed { notice, .. } if *notice == NoticeState::Owed => {
                *notice = NoticeState::Unwanted;
            }
            Life::Failed { .. } | Life::Delivered { .. } | Life::Discarded { .. } => {}
        }
    }
}

/// At most [`MOST_WORDS`] of `text`, whole characters.
fn words(text: &str) -> String {
    String::from(&text[..text.floor_char_boundary(MOST_WORDS)])
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
        /// Which attempt this was, counted from 1: one more than its `Life::Pending` said. An
        /// attempt already recorded is not recorded again.
        attempt: u32,
        /// When to try again.
        due: UnixMs,
        /// Why.
        why: String,
    },
    /// Never.
    Failed {
        /// Why.
        why: String,
        /// Whether a notice is owed for it. Only a committed notice makes it `Sent`, so `Sent`
        /// is taken for `Owed`.
        notice: NoticeState,
    },
    /// Thrown away by a named rule.
    Discarded {
        /// The rule.
        rule: String,
    },
}
