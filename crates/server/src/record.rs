//! Tells the log what happens in one session.

use std::collections::VecDeque;
use std::net::SocketAddr;

use postroad_clock::Mono;
use postroad_queue::Envelope;
use postroad_reply::{Command, Enhanced, QueueId, Receipt, Severity, Situation, TransactionId};
use postroad_session::server::{Closed, Fault, Quirk, SessionId};
use postroad_store::Trouble;
use postroad_telemetry::{Event, count_reply};
use postroad_wire::address::{ForwardPath, ReversePath};

use crate::transaction::Client;

/// One session's part of the log.
#[derive(Debug)]
pub(crate) struct Record {
    connection: u64,
    peer: SocketAddr,
    since: Mono,
    accepted: u64,
    refused: u64,
    /// What the server knows of the next refusal beyond what it tells the client.
    cause: Option<String>,
    /// Recipients that were refused and whose replies are still to come, in their order: a run of
    /// them is judged before the first is answered.
    recipients: VecDeque<(&'static Situation, String)>,
    /// In place of what the next reply is said, on a listener that is held to the classic table.
    instead_of: Option<&'static Situation>,
    /// The message that is being judged.
    judged: Option<Message>,
    /// The message that came to nothing; whether it was refused or its client left it, the next
    /// reply tells.
    dropped: Option<Message>,
}

/// A message that has begun to come in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) transaction: TransactionId,
    /// The name it would have.
    pub(crate) queue_id: QueueId,
}

impl Record {
    pub(crate) fn new(
        session: SessionId,
        peer: SocketAddr,
        listener: SocketAddr,
        now: Mono,
    ) -> Record {
        let SessionId(connection) = session;
        Event::ConnectionOpened {
            connection,
            peer,
            listener,
        }
        .emit();
        Record {
            connection,
            peer,
            since: now,
            accepted: 0,
            refused: 0,
            cause: None,
            recipients: VecDeque::new(),
            instead_of: None,
            judged: None,
            dropped: None,
        }
    }

    /// The number of the connection, and where it comes from.
    pub(crate) fn client(&self) -> (u64, SocketAddr) {
        (self.connection, self.peer)
    }

    /// How many messages were accepted, and how many commands refused.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.accepted, self.refused)
    }

    /// A recipient is refused, and its reply follows.
    pub(crate) fn recipient(&mut self, situation: &'static Situation, path: &ForwardPath) {
        self.recipients.push_back((situation, path.to_string()));
    }

    /// Why a refusal follows.
    pub(crate) fn cause(&mut self, cause: &str) {
        self.cause = Some(cause.to_owned());
    }

    /// The historic mode is used, which this reply code shows.
    pub(crate) fn used(&self, quirk: Quirk, code: u16) {
        Event::HistoricUsed {
            connection: self.connection,
            peer: self.peer,
            quirk: quirk.name(),
            code,
        }
        .emit();
    }

    /// The reply that follows stands in the stead of another.
    pub(crate) fn instead_of(&mut self, other: Option<&'static Situation>) {
        self.instead_of = other;
    }

    /// A message is judged: a refusal that follows is about it.
    pub(crate) fn judged(&mut self, message: Option<Message>) {
        self.judged = message;
    }

    /// The store could not do it: a refusal that follows is for that.
    pub(crate) fn trouble(&mut self, trouble: &Trouble, message: Option<Message>) {
        Event::SpoolTrouble {
            queue_id: message.map(|message| message.queue_id),
            file: None,
            cause: trouble,
        }
        .emit();
        self.cause = Some(trouble.to_string());
    }

    /// A message is on disk.
    pub(crate) fn accepted(&mut self, receipt: &Receipt, envelope: &Envelope, client: &Client) {
        self.accepted += 1;
        let sender = match &envelope.reverse_path {
            ReversePath::Null => String::new(),
            ReversePath::Mailbox(mailbox) => mailbox.to_string(),
        };
        Event::MessageAccepted {
            queue_id: receipt.queue_id(),
            connection: self.connection,
            transaction: receipt.transaction(),
            peer: envelope.client.address,
            hello: &envelope.client.hello,
            reverse_path: &sender,
            recipients: envelope.recipients.len(),
            size: envelope.facts.size,
            user: client.user().as_ref().map(|user| user as _),
            tls: client.tls.as_ref().map(|tls| &tls.version as _),
        }
        .emit();
    }

    /// A message that had begun to come in is dropped.
    pub(crate) fn dropped(&mut self, message: Message) {
        self.dropped = Some(message);
    }

    /// The client left its message.
    fn abandoned(&mut self) {
        if let Some(message) = self.dropped.take() {
            Event::MessageAbandoned {
                queue_id: Some(message.queue_id),
                connection: self.connection,
                transaction: message.transaction,
            }
            .emit();
        }
    }

    /// The client gets a reply.
    pub(crate) fn replied(&mut self, situation: &'static Situation, enhanced: Option<Enhanced>) {
        count_reply(situation);
        if let Some(quirk) = Quirk::shown_by(situation) {
            self.used(quirk, situation.code.number());
        }
        let of_message = matches!(situation.command, Command::EndOfData | Command::Bdat);
        if !of_message || situation.closes {
            self.abandoned();
        }
        let judged = self.judged.take().or(self.dropped.take());
        let instead_of = self.instead_of.take();
        let judged_as = instead_of.unwrap_or(situation);
        let refused = self
            .recipients
            .pop_front_if(|(refused, _)| *refused == judged_as);
        let cause = refused.map(|(_, path)| path).or(self.cause.take());
        if !matches!(
            situation.code.severity(),
            Severity::Transient | Severity::Permanent
        ) {
            return;
        }
        self.refused += 1;
        let cause = match (instead_of, cause) {
            (Some(other), None) => Some(in_place_of(other)),
            (Some(other), Some(cause)) => Some(format!("{}: {cause}", in_place_of(other))),
            (None, cause) => cause,
        };
        let code = situation.code.number();
        let cause = cause.as_ref().map(|words| words as &dyn std::fmt::Display);
        match (situation.command, judged) {
            (Command::Connect, _) => {
                Event::ConnectionRefused {
                    peer: self.peer,
                    reason: situation.name,
                }
                .emit();
            }
            (Command::EndOfData | Command::Bdat, Some(message)) => Event::MessageRefused {
                queue_id: Some(message.queue_id),
                connection: self.connection,
                transaction: message.transaction,
                situation: situation.name,
                code,
                cause,
            }
            .emit(),
            (command, _) => Event::CommandRefused {
                connection: self.connection,
                peer: self.peer,
                command: command.name(),
                situation: situation.name,
                code,
                enhanced: enhanced.as_ref().map(|code| code as _),
                text: &situation.text,
                cause,
            }
            .emit(),
        }
    }

    /// This driver did what it must not.
    pub(crate) fn fault(&self, fault: Fault) {
        Event::ConversationFault {
            connection: self.connection,
            fault: &format_args!("{fault:?}"),
        }
        .emit();
    }

    /// The session is over.
    pub(crate) fn closed(&mut self, closed: Closed, now: Mono) {
        self.abandoned();
        Event::ConnectionClosed {
            connection: self.connection,
            peer: self.peer,
            reason: &format_args!("{closed:?}"),
            accepted: self.accepted,
            refused: self.refused,
            lasted: now.since(self.since),
        }
        .emit();
    }
}

/// What another listener would have said.
fn in_place_of(other: &Situation) -> String {
    format!("in place of {} {}", other.code, other.name)
}
