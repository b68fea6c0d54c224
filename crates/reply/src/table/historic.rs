//! SEND, SOML, SAML, TURN: obsolete, and refused with 502 unless the historic mode of a listener
//! lets them be seen (RFC 5321 F.1, F.6).

crate::table::rows! {
    /// SEND: opens a transaction for terminal only (RFC 821 4.1.1).
    Send "SEND", verb "SEND", enhanced_on_wire true,
    legal [Ready] else { _: BadSequence };

    /// What a handler may say to SEND.
    handler SendReply {
        /// The transaction is open.
        Accepted 250 ["2.1.0"] "Requested mail action okay, completed", historic row, "RFC 821 4.1.1";
        /// The authenticated sender has used up a hard allocation.
        SenderAllocation 552 ["5.2.2", "5.3.0"] "Requested mail action aborted: exceeded storage allocation", historic row, "RFC 821 4.3";
        /// A local fault; or who is logged in can't be read.
        LocalError 451 ["4.3.0"] "Requested action aborted: local error in processing", historic row, "RFC 821 4.3";
        /// A resolver failure left a check of the sender undecided.
        LookupFailed 451 ["4.4.3"] "Requested action aborted: local error in processing: lookup failed", historic row, "RFC 821 4.3";
        /// The spool is below its floor, or a queue is full.
        StorageShort 452 ["4.3.1"] "Requested action not taken: insufficient system storage", historic row, "RFC 821 4.3";
        /// The historic mode is on, but not for this client.
        Refused 502 ["5.7.1"] "Command not implemented for you", default row, "RFC 5321 F.6";
    }
    /// What the session says to SEND before any handler.
    gate SendGate {
        /// The historic mode is off.
        SwitchedOff 502 ["5.5.1"] "Command not implemented", default row, "RFC 5321 4.2.4";
        /// Before HELO or EHLO, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", historic addition, "RFC 5321 4.1.4";
    }
    /// An unreadable or malformed SEND.
    wire SendSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// The path is not in `<>` or not a valid reverse-path.
        BadPath 501 ["5.1.7"] "Syntax error in parameters or arguments: bad reverse-path", historic row, "RFC 821 4.1.2";
        /// A parameter stands after the path.
        BadParameter 501 ["5.5.4"] "Syntax error in parameters or arguments", historic row, "RFC 821 4.1.2";
        /// `FROM:` is missing, or the command has another shape.
        BadShape 501 ["5.5.2"] "Syntax error in parameters or arguments: SEND FROM:<address> expected", historic row, "RFC 821 4.1.2";
    }
    /// What ends the session at SEND.
    life SendLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// SOML: opens a transaction for terminal, else mailbox (RFC 821 4.1.1).
    Soml "SOML", verb "SOML", enhanced_on_wire true,
    legal [Ready] else { _: BadSequence };

    /// What a handler may say to SOML.
    handler SomlReply {
        /// The transaction is open.
        Accepted 250 ["2.1.0"] "Requested mail action okay, completed", historic row, "RFC 821 4.1.1";
        /// The authenticated sender has used up a hard allocation.
        SenderAllocation 552 ["5.2.2", "5.3.0"] "Requested mail action aborted: exceeded storage allocation", historic row, "RFC 821 4.3";
        /// A local fault; or who is logged in can't be read.
        LocalError 451 ["4.3.0"] "Requested action aborted: local error in processing", historic row, "RFC 821 4.3";
        /// A resolver failure left a check of the sender undecided.
        LookupFailed 451 ["4.4.3"] "Requested action aborted: local error in processing: lookup failed", historic row, "RFC 821 4.3";
        /// The spool is below its floor, or a queue is full.
        StorageShort 452 ["4.3.1"] "Requested action not taken: insufficient system storage", historic row, "RFC 821 4.3";
        /// The historic mode is on, but not for this client.
        Refused 502 ["5.7.1"] "Command not implemented for you", default row, "RFC 5321 F.6";
    }
    /// What the session says to SOML before any handler.
    gate SomlGate {
        /// The historic mode is off.
        SwitchedOff 502 ["5.5.1"] "Command not implemented", default row, "RFC 5321 4.2.4";
        /// Before HELO or EHLO, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", historic addition, "RFC 5321 4.1.4";
    }
    /// An unreadable or malformed SOML.
    wire SomlSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// The path is not in `<>` or not a valid reverse-path.
        BadPath 501 ["5.1.7"] "Syntax error in parameters or arguments: bad reverse-path", historic row, "RFC 821 4.1.2";
        /// A parameter stands after the path.
        BadParameter 501 ["5.5.4"] "Syntax error in parameters or arguments", historic row, "RFC 821 4.1.2";
        /// `FROM:` is missing, or the command has another shape.
        BadShape 501 ["5.5.2"] "Syntax error in parameters or arguments: SOML FROM:<address> expected", historic row, "RFC 821 4.1.2";
    }
    /// What ends the session at SOML.
    life SomlLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// SAML: opens a transaction for terminal and mailbox (RFC 821 4.1.1).
    Saml "SAML", verb "SAML", enhanced_on_wire true,
    legal [Ready] else { _: BadSequence };

    /// What a handler may say to SAML.
    handler SamlReply {
        /// The transaction is open.
        Accepted 250 ["2.1.0"] "Requested mail action okay, completed", historic row, "RFC 821 4.1.1";
        /// The authenticated sender has used up a hard allocation.
        SenderAllocation 552 ["5.2.2", "5.3.0"] "Requested mail action aborted: exceeded storage allocation", historic row, "RFC 821 4.3";
        /// A local fault; or who is logged in can't be read.
        LocalError 451 ["4.3.0"] "Requested action aborted: local error in processing", historic row, "RFC 821 4.3";
        /// A resolver failure left a check of the sender undecided.
        LookupFailed 451 ["4.4.3"] "Requested action aborted: local error in processing: lookup failed", historic row, "RFC 821 4.3";
        /// The spool is below its floor, or a queue is full.
        StorageShort 452 ["4.3.1"] "Requested action not taken: insufficient system storage", historic row, "RFC 821 4.3";
        /// The historic mode is on, but not for this client.
        Refused 502 ["5.7.1"] "Command not implemented for you", default row, "RFC 5321 F.6";
    }
    /// What the session says to SAML before any handler.
    gate SamlGate {
        /// The historic mode is off.
        SwitchedOff 502 ["5.5.1"] "Command not implemented", default row, "RFC 5321 4.2.4";
        /// Before HELO or EHLO, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", historic addition, "RFC 5321 4.1.4";
    }
    /// An unreadable or malformed SAML.
    wire SamlSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// The path is not in `<>` or not a valid reverse-path.
        BadPath 501 ["5.1.7"] "Syntax error in parameters or arguments: bad reverse-path", historic row, "RFC 821 4.1.2";
        /// A parameter stands after the path.
        BadParameter 501 ["5.5.4"] "Syntax error in parameters or arguments", historic row, "RFC 821 4.1.2";
        /// `FROM:` is missing, or the command has another shape.
        BadShape 501 ["5.5.2"] "Syntax error in parameters or arguments: SAML FROM:<address> expected", historic row, "RFC 821 4.1.2";
    }
    /// What ends the session at SAML.
    life SamlLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// TURN: the two sides change roles (RFC 821 4.1.1).
    Turn "TURN", verb "TURN", enhanced_on_wire true,
    legal [Ready] else { _: BadSequence };

    /// What a handler may say to TURN.
    handler TurnReply {
        /// The peer has proved who it is; the roles are changed.
        RolesChanged 250 ["2.0.0"] "Requested mail action okay, completed", historic row, "RFC 821 4.1.1";
        /// The peer is not authenticated, or no mail is bound to its identity.
        Refused 502 ["5.7.1"] "Command not implemented for you", default row, "RFC 821 4.1.1";
    }
    /// What the session says to TURN before any handler.
    gate TurnGate {
        /// The historic mode is off.
        SwitchedOff 502 ["5.5.1"] "Command not implemented", default row, "RFC 5321 F.1";
        /// Before HELO or EHLO, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", historic row, "RFC 821 4.3";
    }
    /// An unreadable or malformed TURN.
    wire TurnSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// TURN with an argument.
        HasArgument 501 ["5.5.4"] "Syntax error in parameters or arguments", historic addition, "RFC 5321 4.3.2";
    }
    /// What ends the session at TURN.
    life TurnLife {
        /// The service stops or drains, or a time-out or limit ended the session.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault addition closes, "RFC 5321 4.3.2";
    }
}
