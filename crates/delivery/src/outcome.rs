//! From what a transport said to what the store is told: when to try again, and when to give up.

use postroad_clock::UnixMs;
use postroad_queue::retry::Next;
use postroad_queue::{Action, Envelope, Life, Outcome, RecipientIx, Report, RetryPlan, owes};
use postroad_reply::{Enhanced, QueueId};
use postroad_telemetry::Event;
use std::time::Duration;

use crate::parcel::Verdict;

/// When deferred recipients are tried again, and how long a message is held meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// When deferred recipients are tried again, and when they are given up.
    pub retry: RetryPlan,
    /// After how long the sender is told of a delay; never if none.
    pub delay_notice: Option<Duration>,
    /// For how long a message is leased. A longer stay renews its lease at half of that.
    pub lease: Duration,
}

impl Default for Patience {
    /// The default plan, a word after four hours, and leases of five minutes.
    fn default() -> Patience {
        Patience {
            retry: RetryPlan::default(),
            delay_notice: Some(Duration::from_secs(4 * 60 * 60)),
            lease: Duration::from_secs(300),
        }
    }
}

/// What decides when recipients are tried again: the same for all of a message's while it is being
/// delivered, so that they stay together, in one transaction and in one notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// Since when the message is being delivered: whether the time of its recipients is up is judged by
    /// this, whichever of them comes to its end first.
    pub began: UnixMs,
    /// Not before then, where that is known; then no attempt was made.
    pub not_before: Option<UnixMs>,
    /// Spreads what was deferred together.
    pub chance: u64,
}

/// A recipient, and what is known of it when an attempt ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempted<'a> {
    pub(crate) id: QueueId,
    pub(crate) envelope: &'a Envelope,
    pub(crate) ix: RecipientIx,
    /// Where it stood before.
    pub(crate) life: &'a Life,
    pub(crate) now: UnixMs,
}

impl Attempted<'_> {
    /// What is recorded of a verdict, which the log is told.
    pub(crate) fn outcome(&self, verdict: Verdict, patience: &Patience, again: Again) -> Outcome {
        match verdict {
            Verdict::Delivered { how, report } => {
                if let Some(recipient) = self.target() {
                    Event::DeliveryDelivered {
                        queue_id: self.id,
                        recipient,
                        by: &report,
                        delay: self.now.since(self.envelope.received_at),
                    }
                    .emit();
                }
                Outcome::delivered(self.envelope, self.ix, how, report)
            }
            Verdict::Deferred(report) => self.deferred(report, patience, again),
            // It is looked at now and then, so that a change of the configuration frees it.
            Verdict::Waits(report) => {
                let not_before = Some(self.now + patience.retry.longest);
                self.deferred(
                    report,
                    patience,
                    Again {
                        not_before,
                        ..again
                    },
                )
            }
            Verdict::Failed(report) => self.failed(report),
        }
    }

    fn deferred(&self, report: Report, patience: &Patience, again: Again) -> Outcome {
        let (attempts, from) = match self.life {
            Life::Pending { attempts, due, .. } => (*attempts, *due),
            _ => (0, self.now),
        };
        let attempt = match again.not_before {
            Some(_) => attempts,
            None => attempts.saturating_add(1),
        };
        let received_at = self.envelope.received_at;
        let plan = &patience.retry;
        let Next::At(_) = plan.next(attempt, received_at, again.began, again.chance) else {
            let time = in_words(plan.give_up_after);
            let words = match report.words() {
                "" => format!("given up after {time}"),
                words => format!("{words}; given up after {time}"),
            };
            return self.failed(expired(&report, &words));
        };
        // The last attempt is made when the time is up, whatever else is said.
        let last = received_at + plan.give_up_after;
        let due = match plan.next(attempt, received_at, self.now, again.chance) {
            Next::At(due) => due,
            Next::GiveUp => last,
        };
        let due = again
            .not_before
            .map_or(due, |at| at.max(self.now).min(last));
        let late = |after: Duration| self.now >= received_at + after;
        let notice = match patience.delay_notice.is_some_and(late) {
            true => owes(self.envelope, self.ix, Action::Delayed),
            false => postroad_queue::NoticeState::Unwanted,
        };
        if let Some(recipient) = self.target() {
            Event::DeliveryDeferred {
                queue_id: self.id,
                recipient,
                reason: &report,
                attempt,
                next_due: due,
            }
            .emit();
        }
        match again.not_before {
            Some(_) => Outcome::PutOff {
                attempts,
                from,
                due,
                report,
                notice,
            },
            None => Outcome::Deferred {
                attempt,
                due,
                report,
                notice,
            },
        }
    }

    fn failed(&self, report: Report) -> Outcome {
        if let Some(recipient) = self.target() {
            Event::DeliveryFailed {
                queue_id: self.id,
                recipient,
                reason: &report,
                delay: self.now.since(self.envelope.received_at),
            }
            .emit();
        }
        Outcome::failed(self.envelope, self.ix, report)
    }

    fn target(&self) -> Option<&postroad_wire::address::Mailbox> {
        let ix = usize::try_from(self.ix.0).ok()?;
        Some(&self.envelope.recipients.get(ix)?.target)
    }
}

/// The last report of a recipient whose time is up. Its status says so where nobody said another
/// (RFC 3463 3.5: delivery time expired).
fn expired(last: &Report, words: &str) -> Report {
    let mut report = Report::plain(words).with_status(
        last.status()
            .unwrap_or(const { Enhanced::literal("4.4.7") }),
    );
    if let Some(peer) = last.peer() {
        report = report.with_peer(peer.clone());
    }
    if let Some(reply) = last.reply() {
        report = report.with_reply(reply);
    }
    report
}

/// A time in the largest unit that divides it.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let divides = |(unit, _): &(u64, &str)| seconds > 0 && seconds.is_multiple_of(*unit);
    let (unit, name) = units.into_iter().find(divides).unwrap_or((1, "second"));
    match seconds / unit {
        1 => format!("1 {name}"),
        count => format!("{count} {name}s"),
    }
}
