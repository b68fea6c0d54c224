//! The end of the data, and BDAT.

use crate::answer::Answer;
use crate::receipt::Receipt;
use crate::table::transaction::DataReply;
use crate::text::Rule;

crate::table::rows! {
    /// The end of the data: the dot after DATA, or the last chunk of BDAT (RFC 5321 4.1.1.4, RFC
    /// 3030 2). Whatever the reply, the transaction is over.
    EndOfData "received data", verb "<CRLF>.<CRLF>", enhanced_on_wire true,
    legal [always];

    /// What may be said of a whole message. A receipt and a named rule are the only two sources
    /// of a 250.
    handler EndOfDataReply {
        /// The message and its envelope are on disk: from this reply on the server answers
        /// for it.
        Accepted(receipt: Receipt) 250 ["2.0.0", "2.6.0"] "Requested mail action okay, completed", default row, "RFC 5321 4.2.5";
        /// A rule discards the message; the client isn't told.
        Discarded(rule: Rule) 250 ["2.0.0"] "Requested mail action okay, completed", default row, "RFC 5321 6.2";
        /// An LMTP recipient's quota would be passed.
        QuotaPassed 552 ["5.2.2"] "Requested mail action aborted: exceeded storage allocation", default row, "RFC 3463 3.3";
        /// The message is too big for an LMTP recipient.
        TooBigForMailbox 552 ["5.2.3"] "Requested mail action aborted: message too big for this mailbox", default row, "RFC 3463 3.3";
        /// Too many Received fields.
        MailLoop 554 ["5.4.6"] "Transaction failed: mail loop", default row, "RFC 5321 6.3";
        /// Malformed past what is tolerated.
        Malformed 554 ["5.6.0"] "Transaction failed: message malformed", default row, "RFC 3463 3.7";
        /// It needs a conversion that can't be made.
        NotConvertible 554 ["5.6.3"] "Transaction failed: conversion needed and not possible", default row, "RFC 3463 3.7";
        /// 8-bit header fields, for recipients that can't take them.
        HeaderNotAscii 554 ["5.6.9"] "Transaction failed: header is not ASCII", default row, "RFC 6531 3.5";
        /// A filter found a virus or spam, or a policy refuses for another cause.
        ContentRefused 554 ["5.7.1"] "Transaction failed", default row, "RFC 5321 4.3.2";
        /// DMARC rejects it.
        DmarcRejected 554 ["5.7.26"] "Transaction failed: rejected by the DMARC policy of its author's domain", default row, "RFC 7372 3.4";
        /// A write, rename or sync failed, or a filter did. Nothing is kept.
        LocalError 451 ["4.3.0"] "Requested action aborted: local error in processing", fault row, "RFC 5321 4.2.5";
        /// A resolver failure left a check undecided.
        LookupFailed 451 ["4.4.3"] "Requested action aborted: local error in processing: lookup failed", fault row, "RFC 3463 3.5";
        /// SPF could not be evaluated.
        SpfError 451 ["4.7.24"] "Requested action aborted: local error in processing: SPF not evaluated", fault row, "RFC 7372 3.2";
        /// The disk filled up. Nothing is kept; the session goes on.
        StorageShort 452 ["4.3.1"] "Requested action not taken: insufficient system storage", fault row, "RFC 5321 4.3.2";
        /// A policy defers the message.
        Deferred 450 ["4.7.0"] "Message deferred, try again later", config addition, "RFC 5321 4.3.2";
        /// A policy refuses the message for good.
        PolicyRefused 550 ["5.7.1"] "Message refused by policy", config addition, "RFC 5321 4.3.2";
        /// It fails authentication.
        AuthenticationFailed 550 ["5.7.26"] "Message refused by policy: authentication failed", config addition, "RFC 7372 3.4";
        /// REQUIRETLS can't be kept.
        TlsNotKept 550 ["5.7.30"] "Message refused by policy: REQUIRETLS can't be kept", config addition, "RFC 8689 4.2.1";
    }
    /// What the session says of a message by itself.
    gate EndOfDataGate {
        /// The message is bigger than the maximum, counted while it was read.
        TooBig 552 ["5.3.4"] "Requested mail action aborted: exceeded storage allocation: message too big", default row, "RFC 1870 6.3";
        /// A bare CR or LF in the message.
        BareLineEnd 554 ["5.6.0"] "Transaction failed: bare CR or LF in the message", default row, "RFC 5321 2.3.8";
    }
    /// The end of the data can't be malformed.
    wire EndOfDataSyntax {}
    /// What ends the session while data is read or processed.
    life EndOfDataLife {
        /// The service stops or drains, or a bound of the session was passed.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault addition closes, "RFC 5321 3.8";
        /// The client stopped sending.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault addition closes, "RFC 5321 4.5.3.2";
    }

    /// BDAT: one chunk of the message (RFC 3030 2). Its octets are read whatever the reply.
    Bdat "BDAT", verb "BDAT", enhanced_on_wire true,
    legal [Rcpt, Chunking] else { RecipientsRefused: NoValidRecipients, _: BadSequence };

    /// What the store or a policy may say to a chunk; after the last one it comes from an
    /// [`EndOfDataReply`], whose rule about 250 holds here too.
    handler BdatReply {
        /// A chunk that is not the last was taken.
        ChunkTaken 250 ["2.0.0"] "Octets received", default addition, "RFC 3030 2";
        /// After the last chunk: the message and its envelope are on disk.
        Accepted(receipt: Receipt) 250 ["2.0.0", "2.6.0"] "Requested mail action okay, completed", default addition, "RFC 3030 2";
        /// After the last chunk: a rule discards the message.
        Discarded(rule: Rule) 250 ["2.0.0"] "Requested mail action okay, completed", default addition, "RFC 3030 2";
        /// A local fault; the transaction is over.
        LocalError 451 ["4.3.0"] "Requested action aborted: local error in processing", fault addition, "RFC 3030 2";
        /// The disk filled up; the transaction is over.
        StorageShort 452 ["4.3.1"] "Requested action not taken: insufficient system storage", fault addition, "RFC 3030 2";
        /// A quota or size would be passed.
        AllocationPassed 552 ["5.3.4"] "Requested mail action aborted: exceeded storage allocation", default addition, "RFC 3030 2";
        /// Malformed, a loop, or not convertible.
        Malformed 554 ["5.6.0"] "Transaction failed", default addition, "RFC 3030 2";
        /// A policy refuses the message for good.
        Refused 554 ["5.7.1"] "Transaction failed: refused by policy", default addition, "RFC 3030 2";
    }
    /// What the session says to BDAT before any handler.
    gate BdatGate {
        /// No transaction or no recipient, after the last chunk, or mixed with DATA.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", default addition, "RFC 3030 2";
        /// RCPTs were tried, and all were refused.
        NoValidRecipients 554 ["5.5.1"] "Transaction failed: no valid recipients", default addition, "RFC 3030 2";
        /// The chunks are bigger than the maximum, taken together.
        TooBig 552 ["5.3.4"] "Requested mail action aborted: exceeded storage allocation: message too big", default addition, "RFC 1870 6.3";
        /// A bare CR or LF in the message.
        BareLineEnd 554 ["5.6.0"] "Transaction failed: bare CR or LF in the message", default addition, "RFC 5321 2.3.8";
    }
    /// An unreadable or malformed BDAT: how many octets follow is not known.
    wire BdatSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default addition, "RFC 5321 4.3.2";
        /// The size is missing or not a number, or something other than LAST follows it.
        BadSize 501 ["5.5.4"] "Syntax error in parameters or arguments", default addition, "RFC 3030 2";
    }
    /// What ends the session at BDAT.
    life BdatLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault addition closes, "RFC 5321 3.8";
        /// The client stopped sending.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault addition closes, "RFC 5321 4.5.3.2";
        /// The stream is out of step, or refused octets passed their bound.
        OutOfStep 421 ["4.5.0"] "<domain> Stream is out of step, closing transmission channel", fault addition closes, "RFC 5321 3.8";
    }
}

impl From<EndOfDataReply> for BdatReply {
    /// What is said of a whole message, as the last chunk's reply: the situation of the same
    /// class that comes nearest. The table has no 450 and no 550 for BDAT.
    fn from(said: EndOfDataReply) -> BdatReply {
        use EndOfDataReply as End;
        match said {
            End::Accepted(receipt) => BdatReply::Accepted(receipt),
            End::Discarded(rule) => BdatReply::Discarded(rule),
            End::QuotaPassed | End::TooBigForMailbox => BdatReply::AllocationPassed,
            End::MailLoop | End::Malformed | End::NotConvertible | End::HeaderNotAscii => {
                BdatReply::Malformed
            }
            End::ContentRefused
            | End::DmarcRejected
            | End::PolicyRefused
            | End::AuthenticationFailed
            | End::TlsNotKept => BdatReply::Refused,
            End::LocalError | End::LookupFailed | End::SpfError | End::Deferred => {
                BdatReply::LocalError
            }
            End::StorageShort => BdatReply::StorageShort,
        }
    }
}

impl From<DataReply> for BdatReply {
    /// What is said to DATA, as a chunk's reply: the session asks the same before the first chunk
    /// as it does before 354.
    fn from(said: DataReply) -> BdatReply {
        match said {
            DataReply::GoAhead => BdatReply::ChunkTaken,
            DataReply::LocalError | DataReply::Misconfigured | DataReply::Deferred => {
                BdatReply::LocalError
            }
            DataReply::TransactionRefused | DataReply::Refused => BdatReply::Refused,
        }
    }
}

impl From<Answer<DataReply>> for Answer<BdatReply> {
    /// The same, with the words and the enhanced code kept where they still fit.
    fn from(answer: Answer<DataReply>) -> Answer<BdatReply> {
        answer.said_as()
    }
}

impl From<Answer<EndOfDataReply>> for Answer<BdatReply> {
    /// The same, with the words and the enhanced code kept: they say more than the nearest
    /// situation of BDAT does.
    fn from(answer: Answer<EndOfDataReply>) -> Answer<BdatReply> {
        answer.said_as()
    }
}
