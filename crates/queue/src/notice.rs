//! Which notices are owed about a message (RFC 3461), and what has become of them.

use alloc::vec::Vec;
use core::time::Duration;

use postroad_clock::UnixMs;
use postroad_wire::address::ReversePath;
use postroad_wire::parameter::Notify;

use crate::envelope::{Envelope, Recipient};
use crate::life::{Handover, Life, RecipientIx};

/// What has become of the notice about a recipient's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeState {
    /// Owed since the recipient's end: the message stays in the queue until it is committed.
    Owed,
    /// Committed as a message of its own.
    Sent,
    /// Not wanted, as [`owes`] says.
    Unwanted,
}

/// What has become of a notice that isn't about a recipient's end: of a delay, or of an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// There was nothing to tell, or nobody wants to be told.
    #[default]
    None,
    /// Owed since then: the message stays in the queue until it is committed.
    Owed(UnixMs),
    /// Committed: nobody is told again.
    Sent,
}

impl Mark {
    /// Since when it is owed; none if it isn't.
    pub fn owed_since(self) -> Option<UnixMs> {
        match self {
            Mark::Owed(since) => Some(since),
            Mark::None | Mark::Sent => None,
        }
    }

    /// Records that it is committed; true if it was owed.
    pub(crate) fn commit(&mut self) -> bool {
        let owed = self.owed_since().is_some();
        if owed {
            *self = Mark::Sent;
        }
        owed
    }
}

/// What a notice says of a recipient: the field `Action` of RFC 3464 2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not delivered yet; it is still tried.
    Delayed,
    /// In its mailbox.
    Delivered,
    /// Handed to a next hop that sends no notices.
    Relayed,
    /// Its alias stands for several recipients, who are told nothing of success.
    Expanded,
}

/// Whether a notice of `action` is owed to the sender for the recipient at `ix`: `Owed` or
/// `Unwanted`.
///
/// Never about a message of the null sender, which may be a notice itself (RFC 5321 4.5.5,
/// RFC 3461 6.2), else as `NOTIFY` says (RFC 3461 4.1). Without it, the sender is told of failure
/// and delay, which RFC 3461 4.1 leaves to us. Success of one of an alias's several recipients is
/// told by `Expanded` alone (RFC 3461 5.2.7.3 c).
pub fn owes(envelope: &Envelope, ix: RecipientIx, action: Action) -> NoticeState {
    let recipient = usize::try_from(ix.0)
        .ok()
        .and_then(|ix| envelope.recipients.get(ix));
    let owed = match (&envelope.reverse_path, recipient) {
        (ReversePath::Null, _) | (_, None) => false,
        (ReversePath::Mailbox(_), Some(recipient)) => {
            let (success, failure, delay) = match recipient.notify {
                Some(Notify::Never) => (false, false, false),
                Some(Notify::On {
                    success,
                    failure,
                    delay,
                }) => (success, failure, delay),
                None => (false, true, true),
            };
            match action {
                Action::Failed => failure,
                Action::Delayed => delay,
                Action::Delivered | Action::Relayed => success && !is_expanded(envelope, recipient),
                Action::Expanded => success && is_expanded(envelope, recipient),
            }
        }
    };
    match owed {
        true => NoticeState::Owed,
        false => NoticeState::Unwanted,
    }
}

/// What `NOTIFY` asks of the next hop for the recipient at `ix`: what came with it, but without
/// `SUCCESS` where the sender is told `Expanded` (RFC 3461 5.2.7.3 c). If nothing else was asked
/// then, it is `NEVER`: a list can't be empty.
pub fn passed_on(envelope: &Envelope, ix: RecipientIx) -> Option<Notify> {
    let recipient = envelope.recipients.get(usize::try_from(ix.0).ok()?)?;
    match recipient.notify {
        Some(Notify::On { failure, delay, .. }) if is_expanded(envelope, recipient) => {
            Some(match failure || delay {
                true => Notify::On {
                    success: false,
                    failure,
                    delay,
                },
                false => Notify::Never,
            })
        }
        asked => asked,
    }
}

/// What a new message owes: word of aliases that stand for several recipients, from its acceptance
/// on.
pub(crate) fn of_aliases(envelope: &Envelope) -> Mark {
    let told = (0u32..)
        .zip(&envelope.recipients)
        .any(|(ix, _)| owes(envelope, RecipientIx(ix), Action::Expanded) == NoticeState::Owed);
    match told {
        true => Mark::Owed(envelope.received_at),
        false => Mark::None,
    }
}

/// Whether the RCPT of this recipient stands for others as well.
fn is_expanded(envelope: &Envelope, recipient: &Recipient) -> bool {
    let same = |other: &&Recipient| other.origin == recipient.origin;
    envelope.recipients.iter().filter(same).nth(1).is_some()
}

/// For how long a notice may wait for what is still being delivered of its message, so that one
/// notice tells of all.
pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Whether the notice of a message is to be committed now: it is `owed_since` then, and nothing of
/// the message is in flight or it has waited long enough.
pub fn is_due(owed_since: Option<UnixMs>, in_flight: bool, now: UnixMs) -> bool {
    owed_since.is_some_and(|since| !in_flight || now >= since + PATIENCE)
}

/// What one notice is to say of one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// Whom it is about; of an alias, the first of its recipients, whose origin it is.
    pub recipient: RecipientIx,
    /// What it says.
    pub action: Action,
}

/// All that the notice of a message is to say now, in the order of its recipients: exactly what its
/// commit marks as `Sent`. `expanded` is the message's own mark.
pub fn owed(envelope: &Envelope, lives: &[Life], expanded: Mark) -> Vec<Owed> {
    let mut all = Vec::new();
    let recipients = (0u32..).map(RecipientIx).zip(&envelope.recipients);
    for ((ix, recipient), life) in recipients.zip(lives) {
        let first = || {
            let same = |other: &&Recipient| other.origin == recipient.origin;
            let found = envelope.recipients.iter().find(same);
            found.is_some_and(|found| core::ptr::eq(found, recipient))
        };
        let of_alias = expanded.owed_since().is_some()
            && owes(envelope, ix, Action::Expanded) == NoticeState::Owed
            && first();
        let actions = [of_alias.then_some(Action::Expanded), of_life(life)];
        all.extend(actions.into_iter().flatten().map(|action| Owed {
            recipient: ix,
            action,
        }));
    }
    all
}

/// What is owed about where a recipient stands.
fn of_life(life: &Life) -> Option<Action> {
    life.owed_since()?;
    match life {
        Life::Pending { .. } => Some(Action::Delayed),
        Life::Failed { .. } => Some(Action::Failed),
        Life::Delivered { how, .. } => Some(match how {
            Handover::Delivered => Action::Delivered,
            Handover::Relayed | Handover::PassedOn => Action::Relayed,
        }),
        Life::Discarded { .. } => None,
    }
}
