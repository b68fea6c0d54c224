//! What a peer said in a transaction, and what it means for each recipient and for the peer.

use postroad_queue::scheduler::Feedback;
use postroad_queue::{Handover, Report};
use postroad_reply::{Command, Severity};
use postroad_session::client::{Closed, Event, Finish};
use postroad_wire::peer::Protocol;
use postroad_wire::reply::PeerReply;

use super::connection::Connection;
use super::words;
use crate::parcel::{OURS, Verdict};

/// What a peer said in a transaction.
pub(super) struct Told {
    /// To RCPT, by the place in the transaction.
    recipients: Vec<Option<PeerReply>>,
    /// LMTP: to the message.
    deliveries: Vec<Option<PeerReply>>,
    finish: Finish,
    /// The session is over.
    closed: Option<Closed>,
    /// Why the message could not be read here, so that it was broken off.
    pub(super) ours: Option<String>,
}

impl Told {
    /// Nothing was said yet to a transaction with so many recipients.
    pub(super) fn nothing(recipients: usize) -> Told {
        Told {
            recipients: vec![None; recipients],
            deliveries: vec![None; recipients],
            finish: Finish::Broken,
            closed: None,
            ours: None,
        }
    }

    /// Takes note of what has happened; whether the message is over.
    pub(super) fn take_events(&mut self, connection: &mut Connection) -> bool {
        let mut over = false;
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Recipient { index, reply } => {
                    if let Some(place) = self.recipients.get_mut(index) {
                        *place = Some(reply);
                    }
                }
                Event::Delivery { index, reply } => {
                    if let Some(place) = self.deliveries.get_mut(index) {
                        *place = Some(reply);
                    }
                }
                Event::Finished(finish) => {
                    self.finish = finish;
                    over = true;
                }
                Event::Closed(why) => self.closed = Some(why),
                Event::Ready(_) | Event::WantsBody => {}
            }
        }
        over
    }

    /// What became of the recipient at `place`.
    pub(super) fn verdict(
        &self,
        connection: &Connection,
        protocol: Protocol,
        place: usize,
    ) -> Verdict {
        let peer = &connection.peer;
        if let Some(Some(reply)) = self.recipients.get(place)
            && reply.severity() != Severity::Completed
        {
            return words::refused(peer, Command::Rcpt, reply);
        }
        let (command, reply) = match (&self.finish, self.deliveries.get(place)) {
            (_, Some(Some(reply))) | (Finish::Answered(reply), _) => (Command::EndOfData, reply),
            (Finish::Refused { command, reply }, _) => (*command, reply),
            (Finish::AnsweredEach | Finish::NoRecipients | Finish::Broken, _) => {
                return Verdict::Deferred(self.broken(connection));
            }
        };
        let answers_the_message = !matches!(self.finish, Finish::Refused { .. });
        if answers_the_message && reply.severity() == Severity::Completed {
            let how = match (connection.offered.dsn, protocol) {
                (true, _) => Handover::PassedOn,
                (false, Protocol::Smtp) => Handover::Relayed,
                (false, Protocol::Lmtp) => Handover::Delivered,
            };
            let report = words::said(peer, Command::EndOfData, reply);
            return Verdict::Delivered { how, report };
        }
        words::refused(peer, command, reply)
    }

    /// Why there is no answer.
    fn broken(&self, connection: &Connection) -> Report {
        let peer = &connection.peer;
        match (&self.ours, &self.closed) {
            (Some(why), _) => words::of_peer(peer, OURS, why),
            (None, Some(closed)) => words::ending(peer, closed),
            (None, None) => {
                words::of_peer(peer, words::PROTOCOL, "it did not answer for everybody")
            }
        }
    }

    /// Whether RCPT was refused because the transaction has enough of them.
    pub(super) fn is_one_too_many(&self, place: usize) -> bool {
        matches!(self.recipients.get(place), Some(Some(reply)) if words::is_too_many(reply))
    }

    /// What is to be thought of a peer that took the message for nobody.
    pub(super) fn feedback(&self, connection: &Connection) -> Feedback {
        let refused_while_sent = matches!(
            self.finish,
            Finish::Refused {
                command: Command::EndOfData,
                ..
            }
        );
        match &self.closed {
            _ if self.ours.is_some() => return Feedback::Neutral,
            // It refused the message before it had all of it, and there was no other way to end.
            Some(Closed::OutOfStep(_)) if refused_while_sent => return Feedback::Neutral,
            Some(closed) => return words::thought(&connection.peer, closed),
            None => {}
        }
        let to_all = match &self.finish {
            Finish::Answered(reply) | Finish::Refused { reply, .. } => Some(reply),
            _ => None,
        };
        let each = self.recipients.iter().chain(&self.deliveries).flatten();
        match to_all
            .into_iter()
            .chain(each)
            .find(|reply| words::is_busy(reply))
        {
            Some(reply) => {
                let report = words::said(&connection.peer, Command::EndOfData, reply);
                Feedback::Busy(report.to_string().into())
            }
            None => Feedback::Neutral,
        }
    }

    /// Whether the connection ended, with 421 or without a word, before any recipient was answered, and so before the
    /// peer could ask for the message.
    pub(super) fn is_unheard(&self) -> bool {
        let ended = matches!(self.closed, Some(Closed::Lost | Closed::Ended(_)));
        let farewell_to_mail = match &self.finish {
            Finish::Broken => true,
            Finish::Refused { command, reply } => {
                *command == Command::Mail && reply.code.number() == 421
            }
            _ => false,
        };
        ended && farewell_to_mail && self.recipients.iter().all(Option::is_none)
    }
}
