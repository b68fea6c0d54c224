//! What happened to a message since it was accepted, for those who ask.

use alloc::vec::Vec;
use core::fmt;

use postroad_clock::UnixMs;

use crate::life::{Handover, Outcome, RecipientIx};
use crate::report::Report;
use crate::state::Amendment;

/// So many of the first events are kept ...
pub const FIRST: usize = 8;
/// ... and so many of the last: with the default plan, all of five days.
pub const LAST: usize = 56;
/// An event names at most so many recipients.
pub const MOST_RECIPIENTS: usize = 32;
/// Reply and words are each cut at so many octets here: the whole stands with the recipient, for
/// the last attempt.
const MOST_WORDS: usize = 256;

/// What happened to a message, oldest first, bounded: of many events the middle ones are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    events: Vec<Event>,
    left_out: u32,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When; of what waited for the end of a lease, when it was said.
    pub at: UnixMs,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An attempt had the same end for these recipients.
    Attempted(Attempted),
    /// An operator did something.
    Amended(Amendment),
    /// A notice about it was committed.
    Noticed,
}

/// What an attempt came to for some recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    recipients: Vec<RecipientIx>,
    others: u32,
    end: End,
    report: Report,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Delivered, or taken over by the next hop.
    Delivered(Handover),
    /// To be made again.
    Deferred,
    /// Given up.
    Failed,
    /// Thrown away by a named rule, which the report's words name.
    Discarded,
}

impl History {
    /// What is kept, oldest first. If some are [left out](History::left_out), they came after the
    /// first [`FIRST`].
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events are not kept any more.
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Takes down what happened.
    pub fn push(&mut self, event: Event) {
        self.events.push(event);
        if self.events.len() > FIRST + LAST {
            self.events.remove(FIRST);
            self.leave_out(1);
        }
    }

    /// Counts events that can't be shown.
    pub(crate) fn leave_out(&mut self, count: u32) {
        self.left_out = self.left_out.saturating_add(count);
    }

    /// Takes down outcomes that were recorded at `at`: those that say the same are one event.
    pub(crate) fn settled<'a>(
        &mut self,
        at: UnixMs,
        outcomes: impl Iterator<Item = (RecipientIx, &'a Outcome)>,
    ) {
        let mut ends: Vec<Attempted> = Vec::new();
        for (ix, outcome) in outcomes {
            let one = Attempted::of(ix, outcome);
            let same = |other: &&mut Attempted| other.end == one.end && other.report == one.report;
            // More ends than are kept need not be found again.
            match ends.iter_mut().take(FIRST + LAST).find(same) {
                Some(other) => other.add(ix),
                None => ends.push(one),
            }
        }
        for end in ends {
            let what = What::Attempted(end);
            self.push(Event { at, what });
        }
    }
}

impl Attempted {
    /// For `recipients`, of whom [`MOST_RECIPIENTS`] are named, and so many `others`.
    pub fn new(
        recipients: impl IntoIterator<Item = RecipientIx>,
        others: u32,
        end: End,
        report: &Report,
    ) -> Attempted {
        let mut attempted = Attempted {
            recipients: Vec::new(),
            others,
            end,
            report: report.cut(MOST_WORDS),
        };
        recipients.into_iter().for_each(|ix| attempted.add(ix));
        attempted
    }

    fn of(ix: RecipientIx, outcome: &Outcome) -> Attempted {
        let rule;
        let (end, report) = match outcome {
            Outcome::Delivered { how, report, .. } => (End::Delivered(*how), report),
            Outcome::Deferred { report, .. } | Outcome::PutOff { report, .. } => {
                (End::Deferred, report)
            }
            Outcome::Failed { report, .. } => (End::Failed, report),
            Outcome::Discarded { rule: name } => {
                rule = Report::plain(name);
                (End::Discarded, &rule)
            }
        };
        Attempted::new([ix], 0, end, report)
    }

    fn add(&mut self, ix: RecipientIx) {
        if self.recipients.len() < MOST_RECIPIENTS {
            self.recipients.push(ix);
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    /// The first of its recipients, as many as are kept.
    pub fn recipients(&self) -> &[RecipientIx] {
        &self.recipients
    }

    /// How many more recipients there were.
    pub fn others(&self) -> u32 {
        self.others
    }

    /// How it ended for them.
    pub fn end(&self) -> End {
        self.end
    }

    /// What was said.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// In plain words, without the recipients, such as `deferred: no connection`.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Attempted(attempted) => {
                let end = match attempted.end {
                    End::Delivered(Handover::Delivered) => "delivered",
                    End::Delivered(Handover::Relayed | Handover::PassedOn) => "relayed",
                    End::Deferred => "deferred",
                    End::Failed => "failed",
                    End::Discarded => "discarded",
                };
                write!(f, "{end}: {}", attempted.report)
            }
            What::Amended(amendment) => match amendment {
                Amendment::Hold => f.write_str("held by an operator"),
                Amendment::Release => f.write_str("released by an operator"),
                Amendment::RetryNow => f.write_str("made due by an operator"),
                Amendment::Delete => f.write_str("deleted by an operator"),
                Amendment::Redirect(to) => write!(f, "redirected to {} by an operator", to.0),
            },
            What::Noticed => f.write_str("its sender was told"),
        }
    }
}
