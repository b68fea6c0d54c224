//! The life of one recipient, from accepted to its end.

use alloc::string::String;

use postroad_clock::UnixMs;

use crate::envelope::Envelope;
use crate::notice::{Action, Mark, NoticeState, owes};
use crate::report::{MOST_WORDS, Report};
use crate::state::DELETED_BY_OPERATOR;

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
        /// What the last attempt said; none before the first.
        last: Option<Report>,
        /// What has become of the notice that it is delayed; there is one at most.
        delay: Mark,
    },
    /// Delivered, or taken over by the next hop.
    Delivered {
        /// When.
        at: UnixMs,
        /// To whom it is now.
        how: Handover,
        /// By what.
        report: Report,
        /// What has become of the notice of success.
        notice: NoticeState,
    },
    /// Given up.
    Failed {
        /// When.
        at: UnixMs,
        /// Why.
        report: Report,
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

/// Whose a delivered recipient's mail is now, and who tells its sender of success (RFC 3461 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// It is in its mailbox; we tell.
    Delivered,
    /// A next hop has it that doesn't offer DSN, so we tell (RFC 3461 5.2.2 b).
    Relayed,
    /// A next hop has it that offers DSN, and tells from now on (RFC 3461 5.2.1).
    PassedOn,
}

impl Life {
    /// Of a recipient for whom nothing was tried yet.
    pub fn new(due: UnixMs) -> Life {
        Life::Pending {
            attempts: 0,
            due,
            last: None,
            delay: Mark::None,
        }
    }

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
            Life::Pending { delay, .. } => delay.owed_since(),
            Life::Failed { at, notice, .. } | Life::Delivered { at, notice, .. } => {
                (*notice == NoticeState::Owed).then_some(*at)
            }
            Life::Discarded { .. } => None,
        }
    }

    /// Records that the notice about it is committed; true if it was owed.
    pub fn notice_committed(&mut self) -> bool {
        match self {
            Life::Pending { delay, .. } => delay.commit(),
            Life::Failed { notice, .. } | Life::Delivered { notice, .. }
                if *notice == NoticeState::Owed =>
            {
                *notice = NoticeState::Sent;
                true
            }
            Life::Failed { .. } | Life::Delivered { .. } | Life::Discarded { .. } => false,
        }
    }

    /// Records an outcome of `now`; true if that changed anything. What is settled stays so, and
    /// an attempt that is recorded isn't recorded again.
    pub fn apply(&mut self, outcome: &Outcome, now: UnixMs) -> bool {
        let Life::Pending {
            attempts,
            due,
            delay,
            ..
        } = self
        else {
            return false;
        };
        *self = match outcome {
            Outcome::Deferred { attempt, .. } if *attempt <= *attempts => return false,
            Outcome::Deferred {
                attempt,
                due,
                report,
                notice,
            } => Life::Pending {
                attempts: *attempt,
                due: *due,
                last: Some(report.clone()),
                delay: delay_of(*delay, *notice, now),
            },
            Outcome::PutOff {
                attempts: after,
                from,
                due: until,
                ..
            } if (*after, *from) != (*attempts, *due) || until <= due => return false,
            Outcome::PutOff {
                due,
                report,
                notice,
                ..
            } => Life::Pending {
                attempts: *attempts,
                due: *due,
                last: Some(report.clone()),
                delay: delay_of(*delay, *notice, now),
            },
            // A delay that nobody was told of is over: its end is told, if at all.
            Outcome::Delivered {
                how,
                report,
                notice,
            } => Life::Delivered {
                at: now,
                how: *how,
                report: report.clone(),
                notice: owed(*notice),
            },
            Outcome::Failed { report, notice } => Life::Failed {
                at: now,
                report: report.clone(),
                notice: owed(*notice),
            },
            Outcome::Discarded { rule } => Life::Discarded {
                at: now,
                rule: String::from(&rule[..rule.floor_char_boundary(MOST_WORDS)]),
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
            Life::Failed { notice, .. } | Life::Delivered { notice, .. } => {
                if *notice == NoticeState::Owed {
                    *notice = NoticeState::Unwanted;
                }
            }
            Life::Discarded { .. } => {}
        }
    }
}

impl Outcome {
    /// The recipient at `ix` has it; whether the sender is told follows from `how` and `NOTIFY`.
    pub fn delivered(
        envelope: &Envelope,
        ix: RecipientIx,
        how: Handover,
        report: Report,
    ) -> Outcome {
        let notice = match how {
            Handover::Delivered => owes(envelope, ix, Action::Delivered),
            Handover::Relayed => owes(envelope, ix, Action::Relayed),
            // A conforming next hop tells (RFC 3461 5.2.1).
            Handover::PassedOn => NoticeState::Unwanted,
        };
        Outcome::Delivered {
            how,
            report,
            notice,
        }
    }

    /// The recipient at `ix` can't be delivered; whether the sender is told follows from `NOTIFY`.
    pub fn failed(envelope: &Envelope, ix: RecipientIx, report: Report) -> Outcome {
        let notice = owes(envelope, ix, Action::Failed);
        Outcome::Failed { report, notice }
    }
}

/// What becomes of the notice of delay: there is one for each recipient, however long it takes.
fn delay_of(delay: Mark, notice: NoticeState, now: UnixMs) -> Mark {
    match (delay, owed(notice)) {
        (Mark::None, NoticeState::Owed) => Mark::Owed(now),
        (delay, _) => delay,
    }
}

/// Only a committed notice is sent, so an outcome that says so is owed one.
fn owed(notice: NoticeState) -> NoticeState {
    match notice {
        NoticeState::Owed | NoticeState::Sent => NoticeState::Owed,
        NoticeState::Unwanted => NoticeState::Unwanted,
    }
}

/// What an attempt did for one recipient.
///
/// Whether a notice is owed for it, [`owes`] says. Only a committed notice
/// makes it `Sent`, so `Sent` is taken for `Owed` here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered, or taken over by the next hop.
    Delivered {
        /// To whom it is now.
        how: Handover,
        /// By what.
        report: Report,
        /// Whether a notice of success is owed.
        notice: NoticeState,
    },
    /// Not now.
    Deferred {
        /// Which attempt this was, counted from 1: one more than its `Life::Pending` said. An
        /// attempt already recorded is not recorded again.
        attempt: u32,
        /// When to try again.
        due: UnixMs,
        /// Why.
        report: Report,
        /// Whether the sender is to be told by now that it is delayed; it is told once at most.
        notice: NoticeState,
    },
    /// Not tried at all, because it would have been of no use before `due`. It is no attempt, so the
    /// wait after the next one is no longer for it.
    PutOff {
        /// How many attempts its `Life::Pending` said there were ...
        attempts: u32,
        /// ... and when the next was due. Where it says something else, or nothing earlier than
        /// `due`, this is recorded already or has been overtaken, and changes nothing.
        from: UnixMs,
        /// When to try.
        due: UnixMs,
        /// Why.
        report: Report,
        /// Whether the sender is to be told by now that it is delayed; it is told once at most.
        notice: NoticeState,
    },
    /// Never.
    Failed {
        /// Why.
        report: Report,
        /// Whether a notice is owed for it.
        notice: NoticeState,
    },
    /// Thrown away by a named rule.
    Discarded {
        /// The rule.
        rule: String,
    },
}
