//! What answers any command, the unknown verb included.

crate::table::rows! {
    /// Any command, the unknown verb included.
    Any "any", verb "", enhanced_on_wire true,
    legal [always];

    /// No handler is asked about what is not a command.
    handler AnyReply {}
    /// What the session says to any command.
    gate AnyGate {
        /// TLS has to be started first: all but NOOP, EHLO, STARTTLS and QUIT.
        TlsNeeded 530 ["5.7.0"] "Must issue a STARTTLS command first", config addition, "RFC 3207 4";
        /// A chunk failed: only what resets, does nothing or ends is legal.
        ChunkFailed 503 ["5.5.1"] "Bad sequence of commands: a chunk failed, use RSET", default addition, "RFC 3030 2";
    }
    /// A line without a verb that is known.
    wire AnySyntax {
        /// The verb is not known. The session goes on.
        UnknownVerb 500 ["5.5.1"] "Syntax error, command unrecognised", default addition, "RFC 5321 4.2.4";
        /// The line is too long, or has NUL, bare CR, bare LF or other control octets.
        Unreadable 500 ["5.5.2"] "Syntax error, line can't be read", default addition, "RFC 5321 4.5.3.1.4";
    }
    /// What ends or stops the session at any command.
    life AnyLife {
        /// The service stops or drains.
        Stopping 421 ["4.3.2"] "<domain> Service not available, closing transmission channel", fault addition closes, "RFC 5321 3.8";
        /// The idle time-out ran out.
        TimedOut 421 ["4.4.2"] "<domain> Time-out, closing transmission channel", fault addition closes, "RFC 5321 4.5.3.2";
        /// A limit of the session was passed, or a policy ends it.
        LimitPassed 421 ["4.7.0"] "<domain> Limit of this session passed, closing transmission channel", fault addition closes, "RFC 5321 3.8";
        /// The greeting was 554: all but QUIT.
        NoService 503 ["5.5.1"] "No mail service on this connection, bad sequence of commands", config addition, "RFC 5321 3.1";
        /// The greeting was 521 and the connection is kept open: all but QUIT.
        Mailless 521 ["5.3.2"] "<domain> does not accept mail", config addition, "RFC 7504 3";
    }
}
