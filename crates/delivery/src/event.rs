//! What happens to dispatches, for whoever writes it down.

use postroad_clock::UnixMs;
use postroad_reply::QueueId;
use postroad_store::Trouble;
use postroad_wire::address::Mailbox;

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A recipient has the message.
    Delivered {
        /// The message.
        id: QueueId,
        /// Its recipient, as resolved when it was accepted.
        recipient: &'a Mailbox,
        /// The mailbox it lies in.
        mailbox: &'a Mailbox,
        /// An earlier attempt had delivered it, and couldn't say so any more.
        already_there: bool,
    },
    /// A recipient doesn't have it yet.
    Deferred {
        /// The message.
        id: QueueId,
        /// Its recipient, as resolved when it was accepted.
        recipient: &'a Mailbox,
        /// How many attempts were made, this one included.
        attempts: u32,
        /// When the next will be.
        due: UnixMs,
        /// Why.
        why: &'a str,
    },
    /// What was done couldn't be recorded. It is tried again when the lease has run out, and finds
    /// what was delivered.
    SettleFailed {
        /// The message.
        id: QueueId,
        /// Why.
        trouble: &'a Trouble,
    },
    /// A lease couldn't be moved or ended; it ends by itself.
    LeaseTrouble {
        /// The message.
        id: QueueId,
        /// Why.
        trouble: &'a Trouble,
    },
    /// The store couldn't say what is due.
    ClaimFailed {
        /// Why.
        trouble: &'a Trouble,
    },
}

/// Hears of events. It must not wait.
pub trait Listener: Send + Sync + 'static {
    /// Takes note of an event.
    fn hear(&self, event: &Event<'_>);
}
