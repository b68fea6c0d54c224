//! SEND, SOML and SAML: who may write to terminals, and whose (RFC 821 3.4).

use std::convert::Infallible;

use postroad_policy::{Judged, Reason, Verdict};
use postroad_reply::{SamlReply, SendReply, SomlReply, Text, TransactionId};
use postroad_session::server::{Event, Question, ServerSession, Ticket};
use postroad_store::QueueStore;
use postroad_wire::address::{Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::MailParameters;

use super::Conversation;

impl<S: QueueStore> Conversation<S> {
    /// Answers one of the three commands; another event is none.
    pub(super) async fn by_terminals(&mut self, event: Event, session: &mut ServerSession) {
        match event {
            Event::Send {
                ticket,
                transaction,
                reverse_path,
            } => {
                let to = (DeliveryKind::Terminal, SendReply::Accepted);
                let opened = (transaction, reverse_path);
                self.send(ticket, opened, to, session).await;
            }
            Event::Soml {
                ticket,
                transaction,
                reverse_path,
            } => {
                let to = (DeliveryKind::TerminalElseMailbox, SomlReply::Accepted);
                let opened = (transaction, reverse_path);
                self.send(ticket, opened, to, session).await;
            }
            Event::Saml {
                ticket,
                transaction,
                reverse_path,
            } => {
                let to = (DeliveryKind::TerminalAndMailbox, SamlReply::Accepted);
                let opened = (transaction, reverse_path);
                self.send(ticket, opened, to, session).await;
            }
            _ => {}
        }
    }

    async fn send<R>(
        &mut self,
        ticket: Ticket<R>,
        (transaction, reverse_path): (TransactionId, ReversePath),
        (delivery, accepted): (DeliveryKind, R::Reply),
        session: &mut ServerSession,
    ) where
        R: Question,
        R::Reply: Judged<Discard = Infallible>,
    {
        let begin = self.begin_to_terminals(transaction, reverse_path, delivery);
        let verdict = begin.await;
        self.say(session, ticket, verdict, accepted);
    }

    /// Opens the transaction as MAIL does, for a client that may, as far as it can be said who is logged
    /// in.
    async fn begin_to_terminals(
        &mut self,
        transaction: TransactionId,
        reverse_path: ReversePath,
        delivery: DeliveryKind,
    ) -> Verdict {
        // Whoever could write to terminals from anywhere would write to all of them.
        if self.client.identities.is_empty() && !self.client.address.is_loopback() {
            return Verdict::Permanent(Reason::PolicyRefused, None);
        }
        let (sent, limits) = (
            &self.services.sent_to_terminals,
            self.settings.rules.sending_to_terminals,
        );
        match sent.judge(limits, &self.client, self.now()) {
            Verdict::Accept => {}
            refused => return refused,
        }
        if let Err(error) = self.settings.rules.logins.check().await {
            self.record
                .cause(&format!("who is logged in can't be read: {error}"));
            return Verdict::Temporary(Reason::StoreFailed, None);
        }
        let begun = self.begin(
            transaction,
            reverse_path,
            MailParameters::default(),
            delivery,
        );
        let verdict = begun.await;
        if verdict == Verdict::Accept {
            let (sent, limits) = (
                &self.services.sent_to_terminals,
                self.settings.rules.sending_to_terminals,
            );
            sent.note(limits, &self.client, self.now());
        }
        verdict
    }

    /// Whether one of the mailboxes that a recipient leads to has a terminal that takes messages, where
    /// the message goes to terminals alone.
    pub(super) async fn terminals(&mut self, targets: &[Mailbox]) -> Verdict {
        let is_asked = self
            .transaction
            .as_ref()
            .is_some_and(|open| open.delivery() == DeliveryKind::Terminal);
        if !is_asked {
            return Verdict::Accept;
        }
        let logins = self.settings.rules.logins.clone();
        let users: Vec<_> = targets.iter().filter_map(|to| logins.user(to)).collect();
        if users.is_empty() {
            let note = "Nobody of that name has a terminal here";
            return Verdict::Permanent(Reason::MailboxDisabled, Some(Text::new(note)));
        }
        match logins.any_takes(users).await {
            Ok(true) => Verdict::Accept,
            Ok(false) => {
                let note = "User is not logged in, or takes no messages";
                Verdict::Temporary(Reason::MailboxBusy, Some(Text::new(note)))
            }
            Err(error) => {
                self.record
                    .cause(&format!("who is logged in can't be read: {error}"));
                Verdict::Temporary(Reason::DirectoryFailed, None)
            }
        }
    }

    /// Whether the open transaction goes to terminals, which are of users here alone.
    pub(super) fn goes_to_terminals(&self) -> bool {
        let open = self.transaction.as_ref();
        open.is_some_and(|open| open.delivery() != DeliveryKind::Mailbox)
    }
}
