//! MAIL, RCPT, DATA.

use crate::text::Text;

crate::table::rows! {
    /// MAIL: opens a transaction with its reverse-path (RFC 5321 4.1.1.2).
    Mail "MAIL", verb "MAIL", enhanced_on_wire true,
    legal [Ready] else { _: BadSequence };

    /// What a policy may say to MAIL.
    handler MailReply {
        /// The transaction is open.
        Accepted 250 ["2.1.0"] "Requested mail action okay, completed", default row, "RFC 5321 4.1.1.2";
        /// The authenticated sender has used up a hard allocation.
        SenderAllocation 552 ["5.2.2"] "Requested mail action aborted: exceeded storage allocation", default row, "RFC 5321 4.3.2";
        /// A table, directory or filter failed while the sender was checked, or the transaction
        /// couldn't be begun in the spool.
        LocalError 451 ["4.3.0"] "Requested action aborted: local error in processing", fault row, "RFC 5321 4.3.2";
        /// A resolver failure left a check of the sender undecided.
        LookupFailed 451 ["4.4.3"] "Requested action aborted: local error in processing: lookup failed", fault row, "RFC 5321 4.3.2";
        /// SPF could not be evaluated.
        SpfError 451 ["4.7.24"] "Requested action aborted: local error in processing: SPF not evaluated", fault row, "RFC 7372 3.2";
        /// The spool is below its floor, the declared size doesn't fit now, the queue is full, or
        /// there is no memory for the envelope.
        StorageShort 452 ["4.3.1"] "Requested action not taken: insufficient system storage", fault row, "RFC 1870 6.1";
        /// A parameter can't be accommodated now.
        ParameterLater 455 ["4.3.3"] "Server unable to accommodate parameters", fault addition, "RFC 5321 4.1.1.11";
        /// A policy defers this sender or client.
        Deferred 450 ["4.7.0"] "Sender deferred, try again later", config addition, "RFC 5321 4.2.3";
        /// The sender's domain can't be found now.
        SenderDomainLater 450 ["4.1.8"] "Sender's domain not found now, try again later", config addition, "RFC 5321 4.2.3";
        /// The resolver failed for the sender's domain.
        ResolverLater 450 ["4.4.3"] "Sender's domain can't be looked up now, try again later", config addition, "RFC 5321 4.2.3";
        /// A policy refuses this sender or client for good.
        Refused 550 ["5.7.1"] "Sender not accepted", config addition, "RFC 5321 4.3.2";
        /// SPF fails for this client and sender.
        SpfFailed 550 ["5.7.23"] "Sender not accepted: SPF fails", config addition, "RFC 7372 3.2";
        /// The client's address has no reverse DNS that holds.
        ReverseDnsFailed 550 ["5.7.25"] "Sender not accepted: reverse DNS of the client fails", config addition, "RFC 7372 3.3";
        /// The sender's domain has a null MX: no reply could reach it.
        SenderNullMx 550 ["5.7.27"] "Sender not accepted: its domain takes no mail", config addition, "RFC 7505 4.1";
        /// The sender's domain does not exist.
        SenderDomainUnknown 550 ["5.1.8"] "Sender not accepted: its domain does not exist", config addition, "RFC 5321 4.3.2";
        /// A non-ASCII sender where that isn't taken.
        SenderNotAscii 550 ["5.6.7"] "Sender not accepted: address is not ASCII", config addition, "RFC 6531 3.5";
        /// The sender's mailbox name isn't allowed.
        SenderNameNotAllowed 553 ["5.1.7"] "Sender address not allowed", config addition, "RFC 5321 4.3.2";
        /// The sender isn't owned by the authenticated user.
        SenderNotOwned 553 ["5.7.1"] "Sender address not allowed for this user", config addition, "RFC 5321 4.3.2";
    }
    /// What the session says to MAIL before any policy.
    gate MailGate {
        /// Before HELO or EHLO, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", default addition, "RFC 5321 4.1.4";
        /// SIZE declares more than the fixed maximum.
        TooBig 552 ["5.3.4"] "Requested mail action aborted: exceeded storage allocation: message too big", default row, "RFC 1870 6.1";
        /// TLS has to be started first.
        TlsNeeded 530 ["5.7.0"] "Must issue a STARTTLS command first", config addition, "RFC 3207 4";
        /// The client has to authenticate first.
        AuthenticationNeeded 530 ["5.7.0"] "Authentication required", config addition, "RFC 4954 6";
    }
    /// An unreadable or malformed MAIL.
    wire MailSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// The path is not in `<>` or not a valid reverse-path.
        BadPath 501 ["5.1.7"] "Syntax error in parameters or arguments: bad reverse-path", default row, "RFC 5321 4.1.2";
        /// A parameter's value is malformed or out of range, or it is there twice.
        BadParameter 501 ["5.5.4"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.1.1.11";
        /// `FROM:` is missing, or the command has another shape.
        BadShape 501 ["5.5.2"] "Syntax error in parameters or arguments: MAIL FROM:<address> expected", default row, "RFC 5321 4.1.1.2";
        /// A parameter keyword that is unknown or not offered.
        UnknownParameter 555 ["5.5.4"] "MAIL FROM/RCPT TO parameters not recognized or not implemented", default addition, "RFC 5321 4.1.1.11";
    }
    /// What ends the session at MAIL.
    life MailLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed (transactions of one connection too), or a policy
        /// ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// RCPT: adds one recipient to the transaction (RFC 5321 4.1.1.3).
    Rcpt "RCPT", verb "RCPT", enhanced_on_wire true,
    legal [Mail, RecipientsRefused, Rcpt] else { _: BadSequence };

    /// What the directory or a policy may say to RCPT.
    handler RcptReply {
        /// The recipient is deliverable here, or relaying to it is allowed.
        Accepted 250 ["2.1.5"] "Requested mail action okay, completed", default row, "RFC 5321 4.1.1.3";
        /// The recipient's mail is forwarded, and the new address (in `<>`) may be shown.
        WillForward(forward_path: Text) 251 ["2.1.5"] "User not local; will forward to", config row, "RFC 5321 3.4";
        /// No such mailbox.
        MailboxUnknown 550 ["5.1.1"] "Requested action not taken: mailbox unavailable", default row, "RFC 5321 4.2.3";
        /// The domain is not served here, and relaying to it is not allowed.
        RelayDenied 550 ["5.7.1"] "Requested action not taken: relaying not allowed", default row, "RFC 5321 3.6.2";
        /// The mailbox has moved; no address is shown.
        Moved 550 ["5.1.6"] "Requested action not taken: mailbox has moved", default row, "RFC 5321 3.4";
        /// The mailbox is disabled.
        Disabled 550 ["5.2.1"] "Requested action not taken: mailbox disabled", default row, "RFC 3463 3.3";
        /// The list takes no mail from this sender.
        ListClosed 550 ["5.7.2"] "Requested action not taken: list is closed to this sender", default row, "RFC 3463 3.8";
        /// A policy refuses this client, sender or recipient for good.
        PolicyRefused 550 ["5.7.1"] "Requested action not taken: refused by policy", default row, "RFC 5321 7.9";
        /// SPF fails for this client and sender.
        SpfFailed 550 ["5.7.23"] "Requested action not taken: SPF fails for the sender", default row, "RFC 7372 3.2";
        /// The client's address has no reverse DNS that holds.
        ReverseDnsFailed 550 ["5.7.25"] "Requested action not taken: reverse DNS of the client fails", default row, "RFC 7372 3.3";
        /// The sender's domain has a null MX: no reply could reach it.
        SenderNullMx 550 ["5.7.27"] "Requested action not taken: the sender's domain takes no mail", default row, "RFC 7505 4.1";
        /// The mailbox has moved, and the new address (in `<>`) may be shown.
        MovedTo(forward_path: Text) 551 ["5.1.6"] "User not local; please try", config row, "RFC 5321 3.4";
        /// The mailbox is over its quota, and that counts as permanent.
        QuotaPassed 552 ["5.2.2"] "Requested mail action aborted: exceeded storage allocation", config row, "RFC 3463 3.3";
        /// SIZE declares more than this mailbox takes.
        TooBigForMailbox 552 ["5.2.3"] "Requested mail action aborted: message too big for this mailbox", config row, "RFC 3463 3.3";
        /// A percent-hack, bang path or address literal that isn't allowed, or a name too long.
        NameNotAllowed 553 ["5.1.3"] "Requested action not taken: mailbox name not allowed", default row, "RFC 5321 4.3.2";
        /// The name fits several mailboxes.
        AmbiguousName 553 ["5.1.4"] "Requested action not taken: mailbox name is ambiguous", default row, "RFC 3463 3.2";
        /// A non-ASCII address in a transaction without SMTPUTF8.
        NotAscii 553 ["5.6.7"] "Requested action not taken: non-ASCII address without SMTPUTF8", default row, "RFC 6531 3.5";
        /// The mailbox is locked, being moved, or disabled for now.
        MailboxBusy 450 ["4.2.1"] "Requested mail action not taken: mailbox unavailable", fault row, "RFC 5321 4.2.3";
        /// The list can't be expanded now.
        ListLater 450 ["4.2.4"] "Requested mail action not taken: list can't be expanded now", fault row, "RFC 3463 3.3";
        /// Greylisted, or a rate limit is reached.
        Deferred 450 ["4.7.0"] "Requested mail action not taken: deferred, try again later", fault row, "RFC 5321 4.2.3";
        /// The resolver failed for the recipient's domain.
        LookupFailed 450 ["4.4.3"] "Requested mail action not taken: domain can't be looked up now", fault row, "RFC 3463 3.5";
        /// A table, directory or filter failed while the recipient was looked up.
        LocalError 451 ["4.3.0"] "Requested action aborted: local error in processing", fault row, "RFC 5321 4.3.2";
        /// Our own tables are wrong: an alias loop, or an alias to nowhere.
        AliasBroken 451 ["4.3.5"] "Requested action aborted: local error in processing: alias broken", fault row, "RFC 3463 3.4";
        /// The directory or database is unreachable.
        DirectoryFailed 451 ["4.4.3"] "Requested action aborted: local error in processing: directory unreachable", fault row, "RFC 3463 3.5";
        /// The spool is below its floor, or there is no memory for another recipient.
        StorageShort 452 ["4.3.1"] "Requested action not taken: insufficient system storage", default row, "RFC 5321 4.3.2";
        /// A parameter can't be accommodated now.
        ParameterLater 455 ["4.3.3"] "Server unable to accommodate parameters", fault addition, "RFC 5321 4.1.1.11";
        /// The recipient's mailbox is full for now.
        MailboxFull 452 ["4.2.2"] "Requested action not taken: mailbox full", default row, "RFC 3463 3.3";
        /// The client has to authenticate first: only for users is mail sent on to other servers.
        AuthenticationNeeded 530 ["5.7.0"] "Authentication required", config addition, "RFC 4954 6";
        /// The recipient's domain has a null MX, or stands in the no-mail table.
        DomainMailless 556 ["5.1.10"] "Domain does not accept mail", config addition, "RFC 7505 4.1";
        /// The same, in the historic mode. The domain stands before it.
        DomainMaillessHistoric 521 ["5.1.10"] "Domain does not accept mail", config row, "RFC 1846 3";
    }
    /// What the session says to RCPT before any handler.
    gate RcptGate {
        /// No transaction is open, or BDAT was sent in it.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", default row, "RFC 5321 4.1.4";
        /// The transaction has as many recipients as one may have.
        TooManyRecipients 452 ["4.5.3"] "Requested action not taken: too many recipients", default row, "RFC 5321 4.5.3.1.10";
    }
    /// An unreadable or malformed RCPT.
    wire RcptSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// The path is not in `<>`, empty, or not a valid forward-path.
        BadPath 501 ["5.1.3"] "Syntax error in parameters or arguments: bad forward-path", default row, "RFC 5321 4.1.2";
        /// A parameter's value is malformed or out of range, or it is there twice.
        BadParameter 501 ["5.5.4"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.1.1.11";
        /// `TO:` is missing, or the command has another shape.
        BadShape 501 ["5.5.2"] "Syntax error in parameters or arguments: RCPT TO:<address> expected", default row, "RFC 5321 4.1.1.3";
        /// A parameter keyword that is unknown or not offered.
        UnknownParameter 555 ["5.5.4"] "MAIL FROM/RCPT TO parameters not recognized or not implemented", default addition, "RFC 5321 4.1.1.11";
    }
    /// What ends or stops the session at RCPT.
    life RcptLife {
        /// The listener takes no mail and keeps its connections open.
        Mailless 521 ["5.3.2"] "<domain> does not accept mail", config row, "RFC 7504 3";
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed (unknown recipients too), or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// DATA: asks to send the message (RFC 5321 4.1.1.4).
    Data "DATA", verb "DATA", enhanced_on_wire true,
    legal [Rcpt] else { RecipientsRefused: NoValidRecipients, _: BadSequence };

    /// What a policy or the store may say to DATA.
    handler DataReply {
        /// The message may come; a place for it is ready.
        GoAhead 354 [] "Start mail input; end with <CRLF>.<CRLF>", default row, "RFC 5321 4.1.1.4";
        /// No place could be made for the message, or a filter failed. The transaction is over.
        LocalError 451 ["4.3.0"] "Requested action aborted: local error in processing", fault row, "RFC 5321 4.3.2";
        /// Our configuration keeps the message from being taken.
        Misconfigured 451 ["4.3.5"] "Requested action aborted: local error in processing: misconfigured", fault row, "RFC 3463 3.4";
        /// A policy refuses the transaction as a whole.
        TransactionRefused 554 ["5.7.1"] "Transaction failed", default row, "RFC 5321 4.3.2";
        /// A policy defers the message.
        Deferred 450 ["4.7.0"] "Deferred by policy, try again later", config addition, "RFC 5321 4.3.2";
        /// A policy refuses the message for good.
        Refused 550 ["5.7.1"] "Refused by policy", config addition, "RFC 5321 4.3.2";
    }
    /// What the session says to DATA before any handler.
    gate DataGate {
        /// No MAIL or no RCPT in this transaction, or BDAT was used in it.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", default row, "RFC 5321 4.1.4";
        /// RCPTs were tried, and all were refused.
        NoValidRecipients 554 ["5.5.1"] "Transaction failed: no valid recipients", default row, "RFC 5321 3.3";
    }
    /// An unreadable or malformed DATA. The transaction goes on.
    wire DataSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// DATA with an argument.
        HasArgument 501 ["5.5.4"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.3.2";
    }
    /// What ends the session at DATA.
    life DataLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }
}
