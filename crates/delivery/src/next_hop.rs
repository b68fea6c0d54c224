//! Where the mail of a recipient goes by the present configuration.

use postroad_clock::Mono;
use postroad_queue::RouteKey;
use postroad_wire::address::Mailbox;

/// Where a recipient's mail goes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHop {
    /// Into the Maildir of this mailbox, here.
    Maildir(Mailbox),
    /// Nowhere, as things are configured now. It may be otherwise at the next attempt.
    Nowhere {
        /// Why, in words for the log and for whoever looks into the queue.
        why: String,
    },
}

/// Knows the next hops. It is asked at each attempt, so that a change of configuration frees what
/// was stuck.
pub trait NextHops: Send + Sync + 'static {
    /// Where mail for `target`, a final target resolved when the message was accepted, goes;
    /// `redirect` is the route by which an operator sends it instead.
    fn next_hop(&self, target: &Mailbox, redirect: Option<&RouteKey>) -> NextHop;

    /// A mailbox of [`NextHop::Maildir`] has taken a message.
    fn delivered(&self, mailbox: &Mailbox);

    /// A mailbox of [`NextHop::Maildir`] could not be written, by a fault that is neither the
    /// store's nor the message's: whoever sends it the next message can be told.
    fn failed(&self, mailbox: &Mailbox, now: Mono);
}
