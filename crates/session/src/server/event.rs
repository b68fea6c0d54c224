//! What a session tells and asks its driver.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use postroad_reply::{
    Atrn, Auth, Bdat, Closing, Connect, Data, Ehlo, EndOfData, Enhanced, Etrn, Expn, Helo, Help,
    Lhlo, Mail, Rcpt, Saml, Send, Situation, Soml, Starttls, TransactionId, Turn, Vrfy,
};
use postroad_wire::address::{Domain, ForwardPath, HeloName, ReversePath};
use postroad_wire::command::{Lookup, Node};
use postroad_wire::parameter::{MailParameters, RcptParameters};
use postroad_wire::sasl::Mechanism;

use super::ticket::Ticket;

/// What a session tells and asks its driver, in order.
///
/// An event with a ticket is a question: the session goes no further before it is answered. Of
/// each transaction whose MAIL was accepted the driver hears the end exactly once: by
/// [`Event::EndOfData`], from which on the message is the driver's, or by [`Event::Abandoned`].
#[derive(Debug)]
pub enum Event {
    /// A client has connected: greet it?
    Connected {
        /// Answers it.
        ticket: Ticket<Connect>,
    },
    /// HELO: an accepting answer opens the session and ends any transaction.
    Helo {
        /// Answers it.
        ticket: Ticket<Helo>,
        /// What the client calls itself.
        name: HeloName,
    },
    /// EHLO: likewise. The extensions are listed by the session.
    Ehlo {
        /// Answers it.
        ticket: Ticket<Ehlo>,
        /// What the client calls itself.
        name: HeloName,
    },
    /// LHLO, on an LMTP listener: likewise.
    Lhlo {
        /// Answers it.
        ticket: Ticket<Lhlo>,
        /// What the client calls itself.
        name: HeloName,
    },
    /// MAIL: an accepting answer opens the transaction.
    Mail {
        /// Answers it.
        ticket: Ticket<Mail>,
        /// The transaction's name.
        transaction: TransactionId,
        /// Whom to tell of failure.
        reverse_path: ReversePath,
        /// What follows it. A declared size is within the maximum.
        parameters: MailParameters,
    },
    /// SEND, where it is switched on: as MAIL, to the terminals of its recipients (RFC 821 3.4).
    Send {
        /// Answers it.
        ticket: Ticket<Send>,
        /// The transaction's name.
        transaction: TransactionId,
        /// Whom to tell of failure.
        reverse_path: ReversePath,
    },
    /// SOML, likewise: to their terminals, or else to their mailboxes.
    Soml {
        /// Answers it.
        ticket: Ticket<Soml>,
        /// The transaction's name.
        transaction: TransactionId,
        /// Whom to tell of failure.
        reverse_path: ReversePath,
    },
    /// SAML, likewise: to their mailboxes, and to their terminals.
    Saml {
        /// Answers it.
        ticket: Ticket<Saml>,
        /// The transaction's name.
        transaction: TransactionId,
        /// Whom to tell of failure.
        reverse_path: ReversePath,
    },
    /// A run of RCPTs that came together, 64 at most. They may be answered in any order; the
    /// client hears in its own.
    Recipients(Vec<Recipient>),
    /// DATA, or the first BDAT: an accepting answer promises that [`Event::Octets`] have a place to
    /// go. To DATA it is said, as 354. BDAT hears nothing yet; a refusal it hears once the
    /// chunk has been read and thrown away. A refusal ends the transaction.
    DataBegin {
        /// Answers it.
        ticket: Ticket<Data>,
        /// The transaction.
        transaction: TransactionId,
    },
    /// The next octets of the message, dots unstuffed.
    Octets(Bytes),
    /// A BDAT chunk that isn't the last has been taken.
    ChunkEnd {
        /// Answers it. A refusal ends the transaction.
        ticket: Ticket<Bdat>,
    },
    /// The message is complete. Whatever is answered, the transaction is over.
    EndOfData {
        /// Answers it: by [`answer`](super::ServerSession::answer) for all of its recipients, or in LMTP by
        /// [`answer_each`](super::ServerSession::answer_each).
        ticket: Ticket<EndOfData>,
        /// The transaction.
        transaction: TransactionId,
        /// How many octets of it were told.
        octets: u64,
    },
    /// The transaction is over without a message: drop what was staged.
    Abandoned(TransactionId),
    /// VRFY, where [`LookupRule::Asked`](super::LookupRule::Asked) is set.
    Vrfy {
        /// Answers it.
        ticket: Ticket<Vrfy>,
        /// Whom to look up.
        string: Lookup,
        /// Whether the reply may have UTF-8 in it (RFC 6531 3.7.4.2).
        smtputf8: bool,
    },
    /// EXPN, where [`LookupRule::Asked`](super::LookupRule::Asked) is set.
    Expn {
        /// Answers it.
        ticket: Ticket<Expn>,
        /// Which list to look up.
        string: Lookup,
        /// Whether the reply may have UTF-8 in it (RFC 6531 3.7.4.2).
        smtputf8: bool,
    },
    /// HELP about the system's status, where that is switched on: 211 to whom may see it.
    Status {
        /// Answers it.
        ticket: Ticket<Help>,
    },
    /// STARTTLS: may the handshake begin?
    StartTls {
        /// Answers it. After [`Ready`](postroad_reply::StarttlsReply::Ready) the session wants
        /// [`Want::TlsHandshake`](super::Want::TlsHandshake).
        ticket: Ticket<Starttls>,
    },
    /// ETRN, where it is switched on: start the queue for a node (RFC 1985).
    Etrn {
        /// Answers it.
        ticket: Ticket<Etrn>,
        /// Whose mail is asked for.
        node: Node,
    },
    /// TURN, where it is switched on: an accepting answer changes the roles (RFC 821 3.8).
    Turn {
        /// Answers it.
        ticket: Ticket<Turn>,
    },
    /// ATRN of a client that proved who it is: an accepting answer changes the roles (RFC 2645).
    Atrn {
        /// Answers it.
        ticket: Ticket<Atrn>,
        /// Whose mail is asked for; none means all that the client may have.
        domains: Vec<Domain>,
    },
    /// AUTH: a step of the exchange. A [`challenge`](super::challenge) goes on with it; any other answer
    /// ends it. The client may also end it by itself, which isn't told.
    Auth {
        /// Answers it.
        ticket: Ticket<Auth>,
        /// What the client said.
        step: AuthStep,
    },
    /// A reply is on its way to the client: for logs and metrics.
    Replied {
        /// The line of the table.
        situation: &'static Situation,
        /// The enhanced code, whether it is sent or not.
        enhanced: Option<Enhanced>,
        /// What would have been said by a listener that isn't held to the classic table.
        stands_for: Option<&'static Situation>,
    },
    /// The driver did what it must not do. The session made the best of it.
    Fault(Fault),
    /// The session is over: send what is to be sent, then close. Nothing follows.
    Closed(Closed),
}

/// A step of an authentication exchange.
#[derive(Debug, PartialEq, Eq)]
pub enum AuthStep {
    /// It begins, by this mechanism, with what the client says first, if it does.
    Begin(Mechanism, Option<SaslMessage>),
    /// The client's response to the last challenge.
    Response(SaslMessage),
}

/// What a client says in an authentication exchange, decoded.
///
/// It may be a password, so [`Debug`](fmt::Debug) doesn't show it.
#[derive(PartialEq, Eq)]
pub struct SaslMessage(pub Vec<u8>);

impl fmt::Debug for SaslMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaslMessage(..)")
    }
}

/// One recipient of a run.
#[derive(Debug)]
pub struct Recipient {
    /// Answers it.
    pub ticket: Ticket<Rcpt>,
    /// Whom the message is for.
    pub forward_path: ForwardPath,
    /// What follows it.
    pub parameters: RcptParameters,
}

/// What a driver did that it must not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A ticket was dropped unanswered: its client hears 451.
    LostTicket,
    /// A ticket of another session or question was given: nobody hears the answer.
    ForeignTicket,
    /// The recipients of an LMTP transaction were not answered for one by one: those that are missing
    /// hear 451.
    WrongCount,
    /// A chunk that isn't the last was answered as if the message were complete: the client hears
    /// 451.
    EarlyReceipt,
    /// The receipt of another transaction was given: the client hears 451.
    ForeignReceipt {
        /// The transaction that was to be answered.
        expected: TransactionId,
        /// The transaction the receipt is of.
        given: TransactionId,
    },
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The client said QUIT.
    Quit,
    /// The client went without QUIT.
    Lost,
    /// The server ended it with 421.
    Ended(Closing),
    /// The roles have changed: the connection goes on with this side as the client.
    Reversed,
    /// The server ended it with 421, because it could no longer tell commands from octets of a
    /// message (RFC 3030).
    OutOfStep,
}
