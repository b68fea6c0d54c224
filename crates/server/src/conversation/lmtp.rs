//! LMTP's end of data: each recipient is answered for, and the message is taken for those that have room
//! (RFC 2033 4.2).

use postroad_policy::{Decision, Reason, Verdict};
use postroad_reply::{Answer, EndOfData, EndOfDataReply, Enhanced, Text};
use postroad_session::server::{Each, ServerSession, Ticket};
use postroad_store::QueueStore;
use postroad_wire::address::Mailbox;

use super::Conversation;
use crate::transaction::Transaction;

impl<S: QueueStore> Conversation<S> {
    /// The message is complete: judges it for each recipient, makes it durable for those that take it, and only
    /// then says what became of it.
    pub(super) async fn end_of_lmtp_data(
        &mut self,
        transaction: Transaction<S>,
        ticket: Ticket<EndOfData>,
        session: &mut ServerSession,
    ) {
        let taken = match self.prepare(transaction) {
            Ok(ready) => self.take_for_some(ready, session, ticket).await,
            Err(verdict) => Err((verdict, ticket)),
        };
        if let Err((verdict, ticket)) = taken {
            self.refuse_message(verdict, ticket, session);
        }
    }

    async fn take_for_some(
        &mut self,
        mut ready: super::Ready<S>,
        session: &mut ServerSession,
        ticket: Ticket<EndOfData>,
    ) -> Result<(), (Verdict, Ticket<EndOfData>)> {
        let recipients = std::mem::take(&mut ready.envelope.recipients);
        let targets: Vec<&Mailbox> = recipients.iter().map(|to| &to.target).collect();
        let mut verdicts = Vec::with_capacity(ready.parts.len());
        let mut kept = vec![false; recipients.len()];
        // The places are those of the recipients, of which none has gone since they were noted at RCPT.
        for part in &ready.parts {
            let of_part = part.iter().map(|place| targets[*place].clone());
            let of_part: Vec<_> = of_part.collect();
            let verdict = self.quota(&of_part, ready.envelope.facts.size).await;
            if verdict == Verdict::Accept {
                part.iter().for_each(|place| kept[*place] = true);
            }
            verdicts.push(verdict);
        }
        ready.envelope.recipients = recipients
            .into_iter()
            .zip(&kept)
            .filter_map(|(recipient, kept)| kept.then_some(recipient))
            .collect();
        let committed = if ready.envelope.recipients.is_empty() {
            None
        } else {
            match self.commit(ready).await {
                Ok(committed) => Some(committed),
                Err(verdict) => return Err((verdict, ticket)),
            }
        };
        let (receipt, leased) = committed.unzip();
        let each = verdicts.into_iter().map(each).collect();
        session.answer_each(ticket, receipt, each, self.now());
        if let Some(leased) = leased {
            self.services.hand_over(leased).await;
        }
        Ok(())
    }
}

/// A mailbox is full (RFC 3463 3.3), which at this row is said as a lack of storage.
const FULL: Enhanced = Enhanced::literal("4.2.2");

/// What one recipient hears.
fn each(verdict: Verdict) -> Each {
    if verdict == Verdict::Temporary(Reason::MailboxFull, None) {
        let text = Text::new("Requested action not taken: mailbox full");
        let full = Answer::from(EndOfDataReply::StorageShort).text(text);
        // Its class is the row's.
        return Each::Said(
            full.enhanced(FULL)
                .unwrap_or(EndOfDataReply::StorageShort.into()),
        );
    }
    match verdict.on::<EndOfDataReply>() {
        Decision::Pass => Each::Taken,
        Decision::Refuse(refusal) => Each::Said(refusal),
        Decision::Discard(rule) => Each::Said(EndOfDataReply::Discarded(rule).into()),
        // A quota ends no session.
        Decision::Disconnect(_) => Each::Said(EndOfDataReply::LocalError.into()),
    }
}
