//! The greeting, and what is not about one message.

use postroad_reply::{Command, Situation};

use super::{Way, by, idle, never};

const HISTORIC: &str = "Not yet: the historic mode that brings it isn't built.";
const TERMINALS: &str =
    "Not yet: the command is known and answered by 502, for delivery to terminals isn't built.";
const NO_LMTP: &str = "Not yet: there are no LMTP listeners.";
const NO_TLS: &str = "Not yet: no setting turns TLS on.";
const NO_AUTH: &str = "Not yet: no setting turns AUTH on.";
const NO_ATRN: &str = "Not yet: no setting turns ATRN on.";
const NO_MAILLESS: &str = "Not yet: no setting makes a listener that takes no mail.";

pub(super) fn mailless() -> Way {
    idle(NO_MAILLESS)
}

pub(super) fn connect(name: &str) -> Option<Way> {
    Some(match name {
        "Ready" => by(
            "A client connects, and nothing stands against it.",
            &["listener.address"],
        ),
        "LmtpReady" => idle(NO_LMTP),
        "Unavailable" => by(
            "The spool can't take messages: its disk is below the floor, or can't be written.",
            &["spool.free_space_floor", "spool.free_inode_floor"],
        ),
        "Deferred" => by(
            "A rule of access that defers at `connect`.",
            &["access.then", "access.at"],
        ),
        "LimitReached" => by(
            "There are as many connections as there may be: in all, from this address, or from its network.",
            &[
                "limits.connections",
                "limits.connections_per_address",
                "limits.connections_per_network",
            ],
        ),
        "Congested" => idle("Not: a limit of connections comes first (`LimitReached`)."),
        "Refused" => by(
            "A rule of access that refuses at `connect`.",
            &["access.then", "access.at"],
        ),
        _ => return None,
    })
}

pub(super) fn hello(situation: &Situation) -> Option<Way> {
    let lhlo = situation.command == Command::Lhlo;
    Some(match situation.name {
        "WrongProtocol" if lhlo => by(
            "A client says LHLO on an SMTP listener.",
            &["listener.address"],
        ),
        _ if lhlo => idle(NO_LMTP),
        "Greeted" => by(
            "A client greets with a name or an address literal.",
            &["hostname"],
        ),
        "Refused" => by(
            "A rule of access that refuses the name or the client.",
            &["access.hello", "access.then"],
        ),
        "LiteralNotImplemented" => by(
            "A client names itself by an address literal of an unknown kind, such as `[x400:...]`.",
            &[],
        ),
        "NameNotQualified" => never("Not yet: no setting demands a fully-qualified name."),
        "WrongProtocol" => idle(NO_LMTP),
        "SwitchedOff" => never("Not yet: no setting switches ESMTP off."),
        "NotImplemented" => never(HISTORIC),
        "BadArgument" => by(
            "A client greets without a name, or with one that is none.",
            &["limits.domain"],
        ),
        _ => return None,
    })
}

pub(super) fn simple(situation: &Situation) -> Option<Way> {
    Some(match situation.name {
        "Done" => by("A client gives the command.", &[]),
        "Goodbye" => by("A client gives the command.", &["hostname"]),
        "HasArgument" => by("A client gives the command with an argument.", &[]),
        "Nonstandard" | "ParameterNotImplemented" => never(HISTORIC),
        _ => return None,
    })
}

pub(super) fn any(name: &str) -> Option<Way> {
    Some(match name {
        "TlsNeeded" => idle(NO_TLS),
        "ChunkFailed" => by(
            "A client goes on after a BDAT that failed, without RSET.",
            &[],
        ),
        "UnknownVerb" => by(
            "A client gives a command that this server doesn't know or doesn't offer; too many of them end the session.",
            &["limits.errors"],
        ),
        _ => return None,
    })
}

pub(super) fn starttls(name: &str) -> Option<Way> {
    match name {
        "Ready" | "Unavailable" | "BadSequence" | "HasArgument" => Some(idle(NO_TLS)),
        _ => None,
    }
}

pub(super) fn auth(name: &str) -> Option<Way> {
    match name {
        "Authenticated" | "Challenge" | "Unavailable" | "Invalid" | "BadSequence"
        | "MechanismUnknown" | "TlsNeeded" | "LineTooLong" | "NotBase64" | "Cancelled"
        | "TransitionNeeded" | "TooWeak" => Some(idle(NO_AUTH)),
        _ => None,
    }
}

/// SEND, SOML and SAML, which are alike.
pub(super) fn terminal(situation: &Situation) -> Option<Way> {
    match situation.name {
        "SwitchedOff" => Some(by(
            "A client gives the command, whatever its arguments are.",
            &[],
        )),
        "Accepted" | "SenderAllocation" | "LocalError" | "LookupFailed" | "StorageShort"
        | "Refused" | "BadSequence" | "BadPath" | "BadParameter" | "BadShape" => {
            Some(never(TERMINALS))
        }
        _ => None,
    }
}

pub(super) fn turn(name: &str) -> Option<Way> {
    match name {
        "SwitchedOff" => Some(by(
            "A client gives the command, whatever its arguments are.",
            &[],
        )),
        "RolesChanged" | "Refused" | "BadSequence" | "HasArgument" => Some(idle(HISTORIC)),
        _ => None,
    }
}

pub(super) fn etrn(name: &str) -> Option<Way> {
    Some(match name {
        "Started" => by(
            "A customer asks for its mail, and is told nothing of what waits.",
            &["on_demand.tells", "on_demand.networks"],
        ),
        "NoneWaiting" => by(
            "A customer asks for its mail, and nothing waits for it.",
            &["on_demand.tells", "on_demand.networks"],
        ),
        "PendingStarted" => by(
            "A customer asks for its mail, and is told that there is some.",
            &["on_demand.tells", "on_demand.networks"],
        ),
        "NumberStarted" => by(
            "A customer asks for its mail, and is told how many messages wait.",
            &["on_demand.tells", "on_demand.networks"],
        ),
        "Unable" => by(
            "The queue run can't be started: the spool doesn't answer, or as many runs are under way as there may be.",
            &["on_demand.domains"],
        ),
        "NotAllowed" => by(
            "A client asks for a node whose mail it may not call for.",
            &["on_demand.networks", "on_demand.users"],
        ),
        "SwitchedOff" => by(
            "A client gives the command, and there are no customers.",
            &["on_demand.name"],
        ),
        "BadSequence" => by(
            "A client gives the command before EHLO, or in a transaction.",
            &["on_demand.name"],
        ),
        "BadArgument" => by(
            "A client gives the command without a node.",
            &["on_demand.name"],
        ),
        _ => return None,
    })
}

pub(super) fn atrn(name: &str) -> Option<Way> {
    match name {
        "SwitchedOff"
        | "RolesChanged"
        | "Refused"
        | "Unable"
        | "NoMail"
        | "BadSequence"
        | "ParameterNotImplemented"
        | "AuthenticationNeeded"
        | "BadArgument" => Some(idle(NO_ATRN)),
        _ => None,
    }
}
