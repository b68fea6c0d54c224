//! What a client session tells its driver, and what it is given to send.

use alloc::vec::Vec;

use postroad_reply::Command;
use postroad_wire::address::{ForwardPath, ReversePath};
use postroad_wire::extension::Extensions;
use postroad_wire::parameter::{MailParameters, RcptParameters};
use postroad_wire::reply::{PeerReply, UnreadableReply};

/// Who a message is from and for, as it is to be said to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Whom to tell of failure.
    pub reverse_path: ReversePath,
    /// What follows it. SIZE, RET and ENVID are left out where the server doesn't offer them.
    pub parameters: MailParameters,
    /// Whom the message is for, one at least. What follows a path is left out where the server
    /// doesn't offer DSN.
    pub recipients: Vec<(ForwardPath, RcptParameters)>,
}

/// What a server doesn't offer and a message can't do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// SMTPUTF8 (RFC 6531 3.2): the message has to be returned.
    SmtpUtf8,
    /// 8BITMIME (RFC 6152 3): the message has to be converted or returned.
    EightBitMime,
    /// BINARYMIME (RFC 3030 3).
    BinaryMime,
    /// It is over the maximum the server told (RFC 1870 6.1).
    Size {
        /// The maximum in octets.
        maximum: u64,
    },
}

/// What a client session tells its driver, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message may be begun: [`begin`](super::ClientSession::begin) or
    /// [`quit`](super::ClientSession::quit). These extensions are offered.
    Ready(Extensions),
    /// What was said to one recipient, by its place.
    Recipient {
        /// Its place in [`Outgoing::recipients`].
        index: usize,
        /// The server's words.
        reply: PeerReply,
    },
    /// LMTP: what the server says of the message for one accepted recipient (RFC 2033 4.2).
    Delivery {
        /// Its place in [`Outgoing::recipients`].
        index: usize,
        /// The server's words.
        reply: PeerReply,
    },
    /// The message is wanted: see [`wants_body`](super::ClientSession::wants_body).
    WantsBody,
    /// What became of the message. Recipients of which nothing was told were not answered for.
    Finished(Finish),
    /// The session is over. Nothing follows.
    Closed(Closed),
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The server's reply to the whole of it, for all accepted recipients.
    Answered(PeerReply),
    /// LMTP: the server answered for each accepted recipient, see [`Event::Delivery`].
    AnsweredEach,
    /// MAIL, DATA or a chunk was refused; or the message itself, before all of it was sent
    /// ([`Command::EndOfData`]), and then the session ends.
    Refused {
        /// Which of them.
        command: Command,
        /// The server's words.
        reply: PeerReply,
    },
    /// No recipient was accepted, so that it wasn't sent.
    NoRecipients,
    /// The session ended before it was answered; the [`Closed`] that follows says why.
    Broken,
}

/// Why a client session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// We said QUIT, and were answered or not.
    Quit,
    /// The server's greeting, or its reply to EHLO and HELO, to LHLO or to RSET, was no welcome.
    Unwelcome {
        /// The greeting ([`Command::Connect`]), EHLO, HELO, LHLO or RSET.
        command: Command,
        /// The server's words.
        reply: PeerReply,
    },
    /// The server said 421.
    Ended(PeerReply),
    /// The server closed the connection.
    Lost,
    /// The server didn't answer this in time.
    TimedOut(Command),
    /// What the server sent is no reply.
    Unreadable(UnreadableReply),
    /// The server answered what wasn't asked, or what can't be an answer to what was.
    OutOfStep(PeerReply),
}
