//! Greeting, HELO, EHLO, LHLO, RSET, NOOP, QUIT.

crate::table::rows! {
    /// The connection itself, answered by the greeting (RFC 5321 3.1).
    Connect "connect", verb "", enhanced_on_wire false,
    legal [always];

    /// What a policy may say to a connection.
    handler ConnectReply {
        /// Every admission check passed: mail may come.
        Ready 220 [] "<domain> ESMTP Service ready", default row, "RFC 5321 3.1";
        /// The same on an LMTP listener.
        LmtpReady 220 [] "<domain> LMTP Service ready", default row, "RFC 2033 3";
        /// The service can't take this connection now: spool unusable, no descriptors, load.
        Unavailable 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// A policy says "later".
        Deferred 421 ["4.7.0"] "<domain> Service not available, try again later", fault row closes, "RFC 5321 3.8";
        /// A connection or rate limit is reached.
        LimitReached 421 ["4.7.0"] "<domain> Too many connections, try again later", fault row closes, "RFC 5321 3.8";
        /// The system is congested.
        Congested 421 ["4.4.5"] "<domain> Service overloaded, try again later", fault row closes, "RFC 5321 3.8";
        /// A policy refuses this client for good.
        Refused 554 [] "<domain> No SMTP service here", config addition, "RFC 5321 3.1";
    }
    /// What the session says before any policy: nothing.
    gate ConnectGate {}
    /// A connection can't be malformed.
    wire ConnectSyntax {}
    /// What the listener says by itself.
    life ConnectLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The listener is configured never to take mail.
        Mailless 521 [] "<domain> does not accept mail", config addition, "RFC 7504 3";
    }

    /// HELO: a client without extensions says its name (RFC 5321 4.1.1.1).
    Helo "HELO", verb "HELO", enhanced_on_wire false,
    legal [always];

    /// What a policy may say to HELO.
    handler HeloReply {
        /// The session is plain SMTP; an open transaction is reset.
        Greeted 250 [] "<domain> Requested mail action okay, completed", default row, "RFC 5321 4.1.1.1";
        /// An access rule refuses this name or client.
        Refused 550 ["5.7.1"] "Access refused", config addition, "RFC 5321 4.3.2";
    }
    /// What the session says to HELO before any policy.
    gate HeloGate {
        /// A kind of address literal that is not implemented.
        LiteralNotImplemented 504 ["5.5.4", "5.5.2"] "Command parameter not implemented", config row, "RFC 5321 4.3.2";
        /// An unqualified name, where a fully-qualified one is demanded.
        NameNotQualified 504 ["5.5.4"] "Command parameter not implemented: give a fully-qualified name", config row, "RFC 5321 4.3.2";
        /// HELO on an LMTP listener.
        WrongProtocol 500 ["5.5.1"] "Command unrecognised, use LHLO", default row, "RFC 2033 4.1";
    }
    /// An unreadable or malformed HELO.
    wire HeloSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2", "5.5.1"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// No argument, or neither a domain nor an address literal. The state stays as it was.
        BadArgument 501 ["5.5.4", "5.5.2"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.1.1.1";
    }
    /// What ends or stops the session at HELO.
    life HeloLife {
        /// The listener takes no mail and keeps its connections open.
        Mailless 521 ["5.3.2"] "<domain> does not accept mail", config row, "RFC 7504 3";
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// EHLO: a client that knows extensions says its name (RFC 5321 4.1.1.1).
    Ehlo "EHLO", verb "EHLO", enhanced_on_wire false,
    legal [always];

    /// What a policy may say to EHLO.
    handler EhloReply {
        /// The session is ESMTP; an open transaction is reset. The session adds the keywords.
        Greeted 250 [] "<domain> Requested mail action okay, completed", default row, "RFC 5321 4.1.1.1";
        /// An access rule refuses this name or client.
        Refused 550 ["5.7.1"] "Access refused", config row, "RFC 5321 4.1.4";
    }
    /// What the session says to EHLO before any policy.
    gate EhloGate {
        /// ESMTP is switched off for this client or listener.
        SwitchedOff 550 ["5.5.1"] "Not implemented", config row, "RFC 5321 4.1.1.1";
        /// A kind of address literal that is not implemented.
        LiteralNotImplemented 504 ["5.5.4", "5.5.2"] "Command parameter not implemented", config row, "RFC 5321 4.3.2";
        /// An unqualified name, where a fully-qualified one is demanded.
        NameNotQualified 504 ["5.5.4"] "Command parameter not implemented: give a fully-qualified name", config row, "RFC 5321 4.3.2";
        /// EHLO on an LMTP listener.
        WrongProtocol 500 ["5.5.1"] "Command unrecognised, use LHLO", default row, "RFC 2033 4.1";
        /// The historic mode imitates a server of RFC 821, which doesn't know the verb.
        Unrecognised 500 ["5.5.1"] "Syntax error, command unrecognised", default row, "RFC 821 4.3";
        /// The historic mode imitates a server without ESMTP that knows the verb.
        NotImplemented 502 ["5.5.1"] "Command not implemented", historic addition, "RFC 5321 4.3.2";
    }
    /// An unreadable or malformed EHLO.
    wire EhloSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2", "5.5.1"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// No argument, or neither a domain nor an address literal. The state stays as it was.
        BadArgument 501 ["5.5.4", "5.5.2"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.1.1.1";
    }
    /// What ends or stops the session at EHLO.
    life EhloLife {
        /// The listener takes no mail and keeps its connections open.
        Mailless 521 ["5.3.2"] "<domain> does not accept mail", config addition, "RFC 7504 3";
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// LHLO: the EHLO of LMTP (RFC 2033 4.1).
    Lhlo "LHLO", verb "LHLO", enhanced_on_wire false,
    legal [always];

    /// What a policy may say to LHLO.
    handler LhloReply {
        /// The session is LMTP; an open transaction is reset. The session adds the keywords.
        Greeted 250 [] "<domain> Requested mail action okay, completed", config addition, "RFC 2033 4.1";
    }
    /// What the session says to LHLO before any policy.
    gate LhloGate {
        /// A kind of address literal that is not implemented, or an unqualified name.
        NameNotImplemented 504 ["5.5.4"] "Command parameter not implemented", config addition, "RFC 2033 4.1";
        /// LHLO on an SMTP listener.
        WrongProtocol 500 ["5.5.1"] "Syntax error, command unrecognised", default addition, "RFC 2033 4.1";
    }
    /// An unreadable or malformed LHLO.
    wire LhloSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default addition, "RFC 5321 4.5.3.1.4";
        /// No argument, or neither a domain nor an address literal. The state stays as it was.
        BadArgument 501 ["5.5.4"] "Syntax error in parameters or arguments", config addition, "RFC 2033 4.1";
    }
    /// What ends the session at LHLO stands at [`AnyLife`](super::AnyLife).
    life LhloLife {}

    /// RSET: the transaction is dropped (RFC 5321 4.1.1.5).
    Rset "RSET", verb "RSET", enhanced_on_wire true,
    legal [always];

    /// No handler is asked about RSET.
    handler RsetReply {}
    /// What the session says to RSET.
    gate RsetGate {
        /// Sender, recipients and data are dropped; TLS and AUTH stay.
        Done 250 ["2.0.0"] "Requested mail action okay, completed", default row, "RFC 5321 4.1.1.5";
        /// The historic mode answers as some servers of 1983 did.
        Nonstandard 200 ["2.0.0"] "OK", historic row, "RFC 876";
        /// The historic mode sees an argument as RFC 821 did. Nothing is reset.
        ParameterNotImplemented 504 ["5.5.4"] "Command parameter not implemented", historic row, "RFC 821 4.3";
    }
    /// An unreadable or malformed RSET.
    wire RsetSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// RSET with an argument. Nothing is reset.
        HasArgument 501 ["5.5.4"] "Syntax error in parameters or arguments", default row, "RFC 5321 4.3.2";
    }
    /// What ends the session at RSET.
    life RsetLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed; a flood of RSET counts as junk.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// NOOP: nothing happens; an argument is ignored (RFC 5321 4.1.1.9).
    Noop "NOOP", verb "NOOP", enhanced_on_wire true,
    legal [always];

    /// No handler is asked about NOOP.
    handler NoopReply {}
    /// What the session says to NOOP.
    gate NoopGate {
        /// Nothing was done.
        Done 250 ["2.0.0"] "Requested mail action okay, completed", default row, "RFC 5321 4.1.1.9";
        /// The historic mode answers as some servers of 1983 did.
        Nonstandard 200 ["2.0.0"] "OK", historic row, "RFC 876";
    }
    /// An unreadable NOOP.
    wire NoopSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
    }
    /// What ends the session at NOOP.
    life NoopLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault row closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault row closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed; a flood of NOOP counts as junk.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault row closes, "RFC 5321 3.8";
    }

    /// QUIT: the client ends the session (RFC 5321 4.1.1.10).
    Quit "QUIT", verb "QUIT", enhanced_on_wire true,
    legal [always];

    /// No handler is asked about QUIT.
    handler QuitReply {}
    /// What the session says to QUIT.
    gate QuitGate {
        /// The reply is sent, then the connection is closed. An open transaction is dropped.
        Goodbye 221 ["2.0.0"] "<domain> Service closing transmission channel", default row closes, "RFC 5321 4.1.1.10";
    }
    /// An unreadable or malformed QUIT. The connection stays open.
    wire QuitSyntax {
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, command unrecognised", default row, "RFC 5321 4.5.3.1.4";
        /// QUIT with an argument.
        HasArgument 501 ["5.5.4"] "Syntax error in parameters or arguments", default addition, "RFC 5321 4.3.2";
    }
    /// What ends the session at QUIT before QUIT does.
    life QuitLife {
        /// The service stops or drains, or a time-out or limit ended the session.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault addition closes, "RFC 5321 4.3.2";
    }
}
