//! What replies and failures come to, for one recipient and for the peer.

use postroad_queue::scheduler::Feedback;
use postroad_queue::{Peer, Report};
use postroad_reply::{Command, Enhanced, Severity};
use postroad_session::client::Closed;
use postroad_wire::reply::PeerReply;

use crate::parcel::Verdict;

/// Bad connection, time-outs included (RFC 3463 3.5).
pub(super) const BAD_CONNECTION: Enhanced = Enhanced::literal("4.4.2");
/// No answer from host (RFC 3463 3.5).
pub(super) const NO_ANSWER: Enhanced = Enhanced::literal("4.4.1");
/// Unable to route (RFC 3463 3.5).
pub(super) const NO_ROUTE: Enhanced = Enhanced::literal("4.4.4");
/// Other or undefined protocol status (RFC 3463 3.6).
pub(super) const PROTOCOL: Enhanced = Enhanced::literal("4.5.0");
/// Too many recipients (RFC 3463 3.6).
pub(super) const TOO_MANY: Enhanced = Enhanced::literal("4.5.3");
/// Conversion required but not supported (RFC 3463 3.7).
pub(super) const NEEDS_CONVERSION: Enhanced = Enhanced::literal("5.6.3");
/// Non-ASCII addresses not permitted (RFC 6531 3.5).
pub(super) const NEEDS_SMTPUTF8: Enhanced = Enhanced::literal("5.6.7");
/// Message too big for system (RFC 3463 3.4).
pub(super) const TOO_BIG: Enhanced = Enhanced::literal("5.3.4");

/// At most so many octets of a reply are brought together; a report keeps fewer.
const MOST_REPLY: usize = 2048;

/// A reply as one line: its code once, then the text of its lines.
fn line(reply: &PeerReply) -> String {
    let mut line = reply.code.to_string();
    if let Some(enhanced) = reply.enhanced {
        line.push_str(&format!(" {enhanced}"));
    }
    for text in &reply.lines {
        if line.len() > MOST_REPLY {
            break;
        }
        line.push(' ');
        line.push_str(text);
    }
    line
}

/// What a peer said in answer to `command`.
pub(super) fn said(peer: &Peer, command: Command, reply: &PeerReply) -> Report {
    let words = match command {
        // The reply to the message itself needs no explanation.
        Command::EndOfData => String::new(),
        Command::Connect => "when it was connected to".to_owned(),
        command => format!("in answer to {}", command.name()),
    };
    let report = Report::plain(&words)
        .with_peer(peer.clone())
        .with_reply(&line(reply));
    match reply.enhanced {
        Some(enhanced) => report.with_status(enhanced),
        None => report,
    }
}

/// What this server says of a peer.
pub(super) fn of_peer(peer: &Peer, status: Enhanced, words: &str) -> Report {
    Report::plain(words)
        .with_peer(peer.clone())
        .with_status(status)
}

/// A recipient that a reply refused, at RCPT or with the whole message. By its first digit, whatever the code (RFC 5321
/// 4.2.1); what isn't a refusal can't be one for good.
pub(super) fn refused(peer: &Peer, command: Command, reply: &PeerReply) -> Verdict {
    let report = said(peer, command, reply);
    if command == Command::Rcpt && is_too_many(reply) {
        // RFC 5321 4.5.3.1.10: 552 for this was RFC 821's mistake, and is temporary.
        return Verdict::Deferred(report.with_status(TOO_MANY));
    }
    match reply.severity() {
        Severity::Permanent => Verdict::Failed(report),
        Severity::Completed | Severity::Intermediate | Severity::Transient => {
            Verdict::Deferred(report)
        }
    }
}

/// Whether a reply to RCPT says that the transaction has enough recipients: 452, or 552 as RFC 821 had
/// it (RFC 5321 4.5.3.1.10). An enhanced code that says something else, a full mailbox say, is believed.
pub(super) fn is_too_many(reply: &PeerReply) -> bool {
    let says_so = reply
        .enhanced
        .is_none_or(|code| (code.subject(), code.detail()) == (5, 3));
    matches!(reply.code.number(), 452 | 552) && says_so
}

/// Whether a reply says that the peer has too much to do, rather than anything of a message or mailbox.
pub(super) fn is_busy(reply: &PeerReply) -> bool {
    if reply.severity() != Severity::Transient {
        return false;
    }
    // System not accepting network messages; system congestion (RFC 3463 3.4, 3.5).
    let says_so = reply
        .enhanced
        .is_some_and(|code| matches!((code.subject(), code.detail()), (3, 2) | (4, 5)));
    reply.code.number() == 421 || says_so
}

/// Why a session ended, in words; and the reply that did it.
pub(super) fn ending(peer: &Peer, closed: &Closed) -> Report {
    match closed {
        Closed::Quit => of_peer(peer, BAD_CONNECTION, "the conversation was broken off here"),
        Closed::Unwelcome { command, reply } => said(peer, *command, reply),
        Closed::Ended(reply) => {
            with_reply(peer, BAD_CONNECTION, reply, "it ended the conversation")
        }
        Closed::Lost => of_peer(peer, BAD_CONNECTION, "the connection was lost"),
        Closed::TimedOut(command) => {
            let words = match command {
                Command::Connect => "no greeting in time".to_owned(),
                Command::EndOfData => "no reply in time to the message".to_owned(),
                command => format!("no reply in time to {}", command.name()),
            };
            of_peer(peer, BAD_CONNECTION, &words)
        }
        Closed::Unreadable(why) => of_peer(peer, PROTOCOL, &why.to_string()),
        Closed::OutOfStep(reply) => with_reply(
            peer,
            PROTOCOL,
            reply,
            "which answers nothing that was asked",
        ),
    }
}

fn with_reply(peer: &Peer, otherwise: Enhanced, reply: &PeerReply, words: &str) -> Report {
    // A 2yz out of step is no status of a failure.
    let status = reply
        .enhanced
        .filter(|_| reply.severity() == Severity::Transient)
        .unwrap_or(otherwise);
    of_peer(peer, status, words).with_reply(&line(reply))
}

/// What the end of a session says about the peer.
pub(super) fn thought(peer: &Peer, closed: &Closed) -> Feedback {
    let words = ending(peer, closed).to_string().into();
    match closed {
        Closed::Quit => Feedback::Neutral,
        Closed::Ended(_) => Feedback::Busy(words),
        Closed::Unwelcome { reply, .. } if reply.severity() == Severity::Transient => {
            Feedback::Busy(words)
        }
        Closed::Unwelcome { .. }
        | Closed::Lost
        | Closed::TimedOut(_)
        | Closed::Unreadable(_)
        | Closed::OutOfStep(_) => Feedback::Trouble(words),
    }
}
