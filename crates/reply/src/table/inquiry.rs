//! VRFY, EXPN, HELP: legal at any time; they never disturb a transaction (RFC 5321 4.1.4).

use crate::text::{Lines, Text};

crate::table::rows! {
    /// VRFY: is this a mailbox? (RFC 5321 4.1.1.6)
    Vrfy "VRFY", verb "VRFY", enhanced_on_wire true,
    legal [always];

    /// What the directory may say to VRFY.
    handler VrfyReply {
        /// The string was looked up and names one local mailbox: its full form.
        Verified(lines: Lines) 250 ["2.1.5"] "Requested mail action okay, completed", config row, "RFC 5321 3.5.1";
        /// Its mail is forwarded, and the new address (in `<>`) may be shown.
        WillForward(forward_path: Text) 251 ["2.1.5"] "User not local; will forward to", config row, "RFC 5321 3.4";
        /// Valid to all appearances, and not verifiable here.
        NotVerified 252 ["2.5.0"] "Cannot VRFY user, but will accept message and attempt delivery", default addition, "RFC 5321 3.5.3";
        /// The reply would need UTF-8, and the command had no SMTPUTF8.
        NotVerifiedUtf8 252 ["2.6.8"] "Cannot VRFY user without SMTPUTF8, but will accept message and attempt delivery", default addition, "RFC 6531 3.7.4.2";
        /// Nobody here has this name.
        MailboxUnknown 550 ["5.1.1"] "Requested action not taken: mailbox unavailable", config row, "RFC 5321 3.5.3";
        /// This client may not use VRFY.
        Refused 550 ["5.7.1"] "Requested action not taken: access denied to you", config row, "RFC 5321 3.5.3";
        /// The reply would need UTF-8, and the command had no SMTPUTF8.
        NeedsUtf8 550 ["5.6.8"] "Requested action not taken: reply needs SMTPUTF8", config row, "RFC 6531 3.7.4.2";
        /// The mailbox has moved, and the new address (in `<>`) may be shown.
        MovedTo(forward_path: Text) 551 ["5.1.6"] "User not local; please try", config row, "RFC 5321 3.4";
        /// The string fits several mailboxes; which may be told.
        AmbiguousName(lines: Lines) 553 ["5.1.4"] "Requested action not taken: mailbox name not allowed: user ambiguous", config row, "RFC 5321 3.5.1";
        /// A mailbox name that isn't allowed.
        NameNotAllowed 553 ["5.1.3"] "Requested action not taken: mailbox name not allowed", config row, "RFC 5321 3.5.1";
        /// A form of string that can't be looked up.
        FormNotImplemented 504 ["5.5.4"] "Command parameter not implemented: give a full address", config row, "RFC 5321 4.3.2";
    }
    /// What the session says to VRFY before any handler.
    gate VrfyGate {
        /// VRFY is off for this client.
        SwitchedOff 252 ["2.5.0"] "Cannot VRFY user, but will accept message and attempt delivery", default addition, "RFC 5321 7.3";
        /// The historic mode hides VRFY as sites of RFC 821 did.
        NotImplemented 502 ["5.5.1"] "Command not implemented", historic row, "RFC 821 4.3";
        /// Something stands after the string that is no parameter of this server.
        ParameterNotImplemented 504 ["5.5.4"] "Command parameter not implemented", config row, "RFC 5321 4.3.2";
    }
    /// An unreadable or malformed VRFY.
    wire VrfySyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// The string is missing.
        BadArgument 501 ["5.5.4", "5.5.2"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.1.1.6";
    }
    /// What ends the session at VRFY.
    life VrfyLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// EXPN: who is on this list? (RFC 5321 4.1.1.7)
    Expn "EXPN", verb "EXPN", enhanced_on_wire true,
    legal [always];

    /// What the directory may say to EXPN.
    handler ExpnReply {
        /// The members, one a line.
        Expanded(lines: Lines) 250 ["2.1.5"] "Requested mail action okay, completed", config row, "RFC 5321 3.5.2";
        /// There are lists, and none is shown.
        NotExpanded 252 ["2.5.0"] "Cannot EXPN list, but will accept message and attempt delivery", default addition, "RFC 5321 7.3";
        /// The reply would need UTF-8, and the command had no SMTPUTF8.
        NotExpandedUtf8 252 ["2.6.8"] "Cannot EXPN list without SMTPUTF8, but will accept message and attempt delivery", default addition, "RFC 6531 3.7.4.2";
        /// The name isn't known, or isn't a list.
        ListUnknown 550 ["5.1.1"] "Requested action not taken: mailbox unavailable", config row, "RFC 5321 3.5.2";
        /// The list is closed to this client.
        ListClosed 550 ["5.7.2"] "Requested action not taken: access denied to you", config row, "RFC 5321 3.5.3";
        /// This client may not use EXPN.
        Refused 550 ["5.7.1"] "Requested action not taken: access denied to you", config row, "RFC 5321 3.5.3";
        /// The reply would need UTF-8, and the command had no SMTPUTF8.
        NeedsUtf8 550 ["5.6.8"] "Requested action not taken: reply needs SMTPUTF8", config row, "RFC 6531 3.7.4.2";
        /// A kind of list that can't be expanded.
        KindNotImplemented 504 ["5.5.4"] "Command parameter not implemented: this list can't be expanded", config row, "RFC 5321 4.3.2";
    }
    /// What the session says to EXPN before any handler.
    gate ExpnGate {
        /// EXPN is off for this client.
        SwitchedOff 252 ["2.5.0"] "Cannot EXPN list, but will accept message and attempt delivery", default addition, "RFC 5321 7.3";
        /// There are no lists, and the keyword isn't offered.
        NotImplemented 502 ["5.5.1"] "Command not implemented", config row, "RFC 5321 4.2.4";
        /// Something stands after the string that is no parameter of this server.
        ParameterNotImplemented 504 ["5.5.4"] "Command parameter not implemented", config row, "RFC 5321 4.3.2";
    }
    /// An unreadable or malformed EXPN.
    wire ExpnSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// The string is missing.
        BadArgument 501 ["5.5.4", "5.5.2"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.1.1.7";
    }
    /// What ends the session at EXPN.
    life ExpnLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// HELP: what can be said here? (RFC 5321 4.1.1.8)
    Help "HELP", verb "HELP", enhanced_on_wire true,
    legal [always];

    /// What a handler may say to HELP.
    handler HelpReply {
        /// The system's status, for those who may see it.
        Status(lines: Lines) 211 ["2.0.0"] "System status, or system help reply", config row, "RFC 5321 4.2.2";
        /// Help on a topic, or on all.
        Help(lines: Lines) 214 ["2.0.0"] "Help message", default row, "RFC 5321 4.1.1.8";
        /// No help on this topic.
        TopicUnknown 504 ["5.5.4"] "Command parameter not implemented", default row, "RFC 5321 4.3.2";
    }
    /// What the session says to HELP before any handler.
    gate HelpGate {
        /// HELP is off, and the keyword isn't offered.
        SwitchedOff 502 ["5.5.1"] "Command not implemented", config row, "RFC 5321 4.1.1.8";
    }
    /// An unreadable or malformed HELP.
    wire HelpSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// The argument is no string.
        BadArgument 501 ["5.5.4", "5.5.2"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.1.1.8";
    }
    /// What ends the session at HELP.
    life HelpLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }
}
