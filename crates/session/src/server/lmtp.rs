//! LMTP's end of data: one reply for each recipient (RFC 2033 4.2).

use alloc::vec::Vec;

use bytes::Bytes;
use postroad_clock::Mono;
use postroad_reply::{Answer, EndOfData, EndOfDataReply, Receipt, Reply};

use super::ServerSession;
use super::desk::Desk;
use super::event::Fault;
use super::state::{AskedEnd, Asking, State};
use super::ticket::Ticket;

/// What becomes of a message for one recipient.
#[derive(Debug)]
pub enum Each {
    /// It is taken for this one: the receipt stands for it.
    Taken,
    /// This is said.
    Said(Answer<EndOfDataReply>),
}

impl ServerSession {
    /// Answers the end of data for each of the accepted recipients, in the order of their RCPTs: in LMTP, for
    /// SMTP has one reply for all. The message is taken for some of them only if there is its receipt.
    pub fn answer_each(
        &mut self,
        ticket: Ticket<EndOfData>,
        receipt: Option<Receipt>,
        each: Vec<Each>,
        now: Mono,
    ) {
        if !matches!(self.state, State::Asking(_)) {
            return;
        }
        if self.desk.tickets.redeem(ticket).is_none() {
            self.desk.fault(Fault::ForeignTicket);
            return;
        }
        // The ticket is of the question that is open, and that is this one.
        let state = core::mem::replace(&mut self.state, State::Ended);
        self.state = match state {
            State::Asking(Asking::EndOfData(asked)) => {
                asked.settle_each(receipt, each, &mut self.desk)
            }
            other => other,
        };
        self.desk.since = now;
        self.run(&mut Bytes::new(), now);
    }
}

impl AskedEnd {
    fn settle_each(self, receipt: Option<Receipt>, each: Vec<Each>, desk: &mut Desk) -> State {
        if each.len() != self.replies as usize {
            desk.fault(Fault::WrongCount);
        }
        let taken = receipt.map(|receipt| {
            let answer = EndOfDataReply::Accepted(receipt).into();
            self.reply(answer, desk)
        });
        let mut each = each.into_iter();
        for _ in 0..self.replies {
            let reply: Reply = match (each.next(), &taken) {
                (Some(Each::Taken), Some(taken)) => taken.clone(),
                (Some(Each::Said(answer)), _) => self.reply(answer, desk),
                // Without a receipt nothing is on disk.
                (Some(Each::Taken) | None, _) => {
                    let answer = EndOfDataReply::LocalError.into();
                    self.reply(answer, desk)
                }
            };
            desk.say(reply);
        }
        self.over(desk)
    }
}
