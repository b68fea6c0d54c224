//! Whose address a client gives as its sender.

use postroad_policy::{Reason, Verdict};
use postroad_reply::Text;
use postroad_store::QueueStore;
use postroad_wire::address::ReversePath;

use super::Conversation;

impl<S: QueueStore> Conversation<S> {
    /// Whether a client that has logged in may send as this address: one of its user's own, or one that the
    /// site grants it. The null sender is everybody's.
    pub(super) fn owned(&mut self, path: &ReversePath) -> Verdict {
        let (Some(user), ReversePath::Mailbox(address)) = (self.client.user(), path) else {
            return Verdict::Accept;
        };
        let senders = &self.settings.rules.senders;
        if senders.any || senders.grants(user, address) {
            return Verdict::Accept;
        }
        if self.settings.directory.is_of(address, user) {
            return Verdict::Accept;
        }
        let note = format!("{address} is no address of user {user}");
        self.record.cause(&note);
        Verdict::Permanent(
            Reason::SenderNotOwned,
            Some(Text::new(&format!("Sender address not allowed: {note}"))),
        )
    }
}
