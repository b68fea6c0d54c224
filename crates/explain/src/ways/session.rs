//! The greeting, and what is not about one message.

use postroad_reply::{Command, Situation};

use super::{Way, by, idle};

/// A switch of the historic mode.
const fn historic(how: &'static str) -> Way {
    by(how, &["listener.historic"])
}

pub(super) fn mailless() -> Way {
    by(
        "The listener takes no mail (`listener.accepts_mail = false`).",
        &["listener.accepts_mail"],
    )
}

pub(super) fn connect(name: &str) -> Option<Way> {
    Some(match name {
        "Ready" => by(
            "A client connects, and nothing stands against it.",
            &["listener.address"],
        ),
        "LmtpReady" => by(
            "A client connects to an LMTP listener, and nothing stands against it.",
            &["listener.protocol"],
        ),
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
        "NameNotImplemented" => by(
            "A client says LHLO with an address literal of an unknown kind, or without a dot where one is demanded.",
            &["listener.protocol", "smtp.qualified_names"],
        ),
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
        "NameNotQualified" => by(
            "A client's name has no dot, where one is demanded of clients that aren't trusted.",
            &["smtp.qualified_names", "relay.trusted_networks"],
        ),
        "WrongProtocol" => by(
            "A client says HELO or EHLO on an LMTP listener.",
            &["listener.protocol"],
        ),
        "SwitchedOff" => historic("EHLO on a listener with `ehlo-550`."),
        "Unrecognised" => historic("EHLO on a listener with `ehlo-500`."),
        "NotImplemented" => historic("EHLO on a listener with `ehlo-502`."),
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
        "Nonstandard" => historic("The command on a listener with `rset-200` or `noop-200`."),
        "ParameterNotImplemented" => {
            historic("The command with an argument, on a listener with `rset-504`.")
        }
        _ => return None,
    })
}

pub(super) fn any(name: &str) -> Option<Way> {
    Some(match name {
        "TlsNeeded" => by(
            "The listener has `listener.tls = \"required\"`, and a client goes on without STARTTLS.",
            &["listener.tls", "tls.certificate"],
        ),
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
    Some(match name {
        "Ready" => by(
            "A client gives the command where TLS is offered.",
            &["listener.tls", "tls.certificate"],
        ),
        "Unavailable" => by(
            "There is no certificate that can be used: its files can't be read, or don't fit each other.",
            &["tls.certificate", "tls.key"],
        ),
        "BadSequence" => by(
            "A client gives the command under TLS, or in a transaction.",
            &["listener.tls"],
        ),
        "HasArgument" => by(
            "A client gives the command with an argument.",
            &["listener.tls"],
        ),
        _ => return None,
    })
}

pub(super) fn auth(name: &str) -> Option<Way> {
    Some(match name {
        "Authenticated" => by(
            "A user gives the right password.",
            &["listener.auth", "auth.passwords"],
        ),
        "Challenge" => by(
            "A mechanism asks the client for more.",
            &["listener.auth", "auth.mechanisms"],
        ),
        "TransitionNeeded" => by(
            "What SCRAM needs isn't known of the user, and would be learnt at a login by PLAIN or LOGIN.",
            &["auth.learn_scram", "auth.mechanisms"],
        ),
        "Unavailable" => by(
            "The password file can't be read now, or too many logins are waited for.",
            &["auth.passwords", "listener.auth"],
        ),
        "TooWeak" => by(
            "A user for whom nothing but SCRAM is kept sends a password.",
            &["auth.passwords", "auth.mechanisms"],
        ),
        "Invalid" => by(
            "The name or the password is wrong; too many such end the session.",
            &["auth.passwords", "limits.failed_logins"],
        ),
        "BadSequence" => by(
            "A client gives the command before EHLO, in a transaction, or once it has authenticated.",
            &["listener.auth"],
        ),
        "MechanismUnknown" => by(
            "A client asks for a mechanism that isn't offered.",
            &["auth.mechanisms"],
        ),
        "TlsNeeded" => by(
            "A client would send its password without TLS, and `listener.clear_passwords` is off.",
            &["listener.clear_passwords", "listener.tls"],
        ),
        "LineTooLong" => by(
            "A client sends a line of the exchange that is too long.",
            &["listener.auth"],
        ),
        "NotBase64" => by(
            "A client sends something that is no base64.",
            &["listener.auth"],
        ),
        "Cancelled" => by("A client sends `*` in an exchange.", &["listener.auth"]),
        _ => return None,
    })
}

/// SEND, SOML and SAML, which are alike.
pub(super) fn terminal(situation: &Situation) -> Option<Way> {
    Some(match situation.name {
        "SwitchedOff" => by(
            "A client gives the command, whatever its arguments are, on a listener that doesn't have it.",
            &["listener.historic"],
        ),
        "Accepted" => {
            historic("A client of this machine, or one that has authenticated, gives the command.")
        }
        "SenderAllocation" => by(
            "The user or the network has sent as many messages as it may in an hour.",
            &[
                "sending.messages_per_user",
                "sending.messages_per_network",
                "sending.when_spent",
            ],
        ),
        "LocalError" => by(
            "It can't be read who is logged in, the spool can't be written, or the client has sent as many messages to \
             terminals as it may in an hour.",
            &["terminals.logins", "terminals.messages_an_hour"],
        ),
        "LookupFailed" => by(
            "The domain of the sender can't be looked up.",
            &["dns.check_senders"],
        ),
        "StorageShort" => by(
            "The disk is below its floor, or there is no memory for the envelope.",
            &["spool.free_space_floor", "limits.envelope_memory"],
        ),
        "Refused" => by(
            "The client is neither on this machine nor has it authenticated; or a rule of access refuses it.",
            &["listener.historic", "access.then"],
        ),
        "BadSequence" => {
            historic("A client gives the command before a greeting, or in a transaction.")
        }
        "BadPath" => historic("The path isn't in `<>`, or is no address in ASCII."),
        "BadParameter" => historic("Something stands behind the path."),
        "BadShape" => historic("A client gives the command without `FROM:`."),
        _ => return None,
    })
}

pub(super) fn turn(name: &str) -> Option<Way> {
    match name {
        "SwitchedOff" => Some(by(
            "A client gives the command, whatever its arguments are.",
            &[],
        )),
        "Refused" => Some(by(
            "A client that hasn't proved that it is a customer gives the command, on a listener with `turn`.",
            &["listener.historic", "on_demand.users"],
        )),
        "BadSequence" => Some(historic(
            "A client gives the command before a greeting, or in a transaction, on a listener with `turn`.",
        )),
        "HasArgument" => Some(historic(
            "A client gives the command with an argument, on a listener with `turn`.",
        )),
        "RolesChanged" => Some(by(
            "The listener is historic with `turn`, and the client has proved that it is a customer.",
            &["listener.historic", "on_demand.users", "on_demand.domains"],
        )),
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
    Some(match name {
        "SwitchedOff" => by(
            "A client gives the command where there are no customers, or where nobody can say who it is.",
            &["on_demand.users", "listener.auth"],
        ),
        "RolesChanged" => by(
            "A customer that has authenticated asks, and mail waits for it.",
            &["on_demand.users", "on_demand.domains"],
        ),
        "Refused" => by(
            "A client has authenticated and isn't listed for these domains, or asks too often.",
            &["on_demand.users", "on_demand.domains"],
        ),
        "Unable" => by(
            "The spool doesn't answer, or can't be written.",
            &["on_demand.users"],
        ),
        "NoMail" => by(
            "A customer that has authenticated asks, and nothing waits for it.",
            &["on_demand.users"],
        ),
        "BadSequence" => by(
            "A client gives the command before EHLO, or in a transaction.",
            &["on_demand.users"],
        ),
        "ParameterNotImplemented" => by("A client gives more than domains.", &["on_demand.users"]),
        "AuthenticationNeeded" => by(
            "A client asks without having authenticated.",
            &["on_demand.users", "listener.auth"],
        ),
        "BadArgument" => by(
            "A client asks for something that is no domain.",
            &["on_demand.users"],
        ),
        _ => return None,
    })
}
