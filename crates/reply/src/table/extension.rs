//! STARTTLS, AUTH, ETRN, ATRN: not in the classic table.

use crate::text::Text;

crate::table::rows! {
    /// STARTTLS: the connection changes to TLS (RFC 3207 4).
    Starttls "STARTTLS", verb "STARTTLS", enhanced_on_wire true,
    legal [Connected, Ready] else { _: BadSequence };

    /// What the TLS side may say to STARTTLS.
    handler StarttlsReply {
        /// The handshake may begin. What came before it is thrown away.
        Ready 220 ["2.0.0"] "Ready to start TLS", config addition, "RFC 3207 4";
        /// No certificate now.
        Unavailable 454 ["4.7.0"] "TLS not available due to temporary reason", config addition, "RFC 3207 4";
    }
    /// What the session says to STARTTLS before any handler.
    gate StarttlsGate {
        /// TLS is on, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", config addition, "RFC 3207 4.2";
    }
    /// A malformed STARTTLS.
    wire StarttlsSyntax {
        /// STARTTLS with an argument.
        HasArgument 501 ["5.5.4"] "Syntax error in parameters or arguments", config addition, "RFC 3207 4";
    }
    /// What ends the session at STARTTLS stands at [`AnyLife`](super::AnyLife).
    life StarttlsLife {}

    /// AUTH: the client says who it is (RFC 4954 4).
    Auth "AUTH", verb "AUTH", enhanced_on_wire true,
    legal [Ready] else { _: BadSequence };

    /// What the authenticator may say to AUTH.
    handler AuthReply {
        /// The client is who it says.
        Authenticated 235 ["2.7.0"] "Authentication successful", config addition, "RFC 4954 6";
        /// The server's challenge, in base64.
        Challenge(base64: Text) 334 [] "", config addition, "RFC 4954 4";
        /// The user has to change to another mechanism once.
        TransitionNeeded 432 ["4.7.12"] "A password transition is needed", config addition, "RFC 4954 6";
        /// The credentials can't be checked now.
        Unavailable 454 ["4.7.0"] "Temporary authentication failure", config addition, "RFC 4954 6";
        /// The mechanism is too weak for this user.
        TooWeak 534 ["5.7.9"] "Authentication mechanism is too weak", config addition, "RFC 4954 6";
        /// The credentials are wrong. The same for a user that doesn't exist.
        Invalid 535 ["5.7.8"] "Authentication credentials invalid", config addition, "RFC 4954 6";
    }
    /// What the session says to AUTH before any handler.
    gate AuthGate {
        /// Already authenticated, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", config addition, "RFC 4954 4";
        /// The mechanism isn't offered.
        MechanismUnknown 504 ["5.5.4"] "Unrecognized authentication type", config addition, "RFC 4954 4";
        /// The mechanism needs TLS first.
        TlsNeeded 538 ["5.7.11"] "Encryption required for requested authentication mechanism", config addition, "RFC 4954 6";
    }
    /// A malformed AUTH or exchange.
    wire AuthSyntax {
        /// A line of the exchange is too long.
        LineTooLong 500 ["5.5.6"] "Authentication exchange line is too long", config addition, "RFC 4954 6";
        /// The base64 can't be decoded.
        NotBase64 501 ["5.5.2"] "Cannot decode response", config addition, "RFC 4954 4";
        /// The client cancelled with `*`.
        Cancelled 501 ["5.7.0"] "Authentication cancelled", config addition, "RFC 4954 4";
    }
    /// What ends the session at AUTH stands at [`AnyLife`](super::AnyLife).
    life AuthLife {}

    /// ETRN: asks for a queue run for a node (RFC 1985 5).
    Etrn "ETRN", verb "ETRN", enhanced_on_wire true,
    legal [Ready] else { _: BadSequence };

    /// What the queue may say to ETRN.
    handler EtrnReply {
        /// The queue run is started.
        Started 250 ["2.0.0"] "OK, queuing for node started", config addition, "RFC 1985 5";
        /// Nothing waits for the node.
        NoneWaiting 251 ["2.0.0"] "OK, no messages waiting for node", config addition, "RFC 1985 5";
        /// Pending messages are started.
        PendingStarted 252 ["2.0.0"] "OK, pending messages for node started", config addition, "RFC 1985 5";
        /// Pending messages are started; their number may be told as own text.
        NumberStarted 253 ["2.0.0"] "OK, pending messages for node started", config addition, "RFC 1985 5";
        /// The run can't be started.
        Unable 458 ["4.5.0", "4.3.0"] "Unable to queue messages for node", config addition, "RFC 1985 5";
        /// This client may not ask for the node.
        NotAllowed 459 ["4.5.0", "4.7.0"] "Node not allowed", config addition, "RFC 1985 5";
    }
    /// What the session says to ETRN before any handler.
    gate EtrnGate {
        /// The listener has no such service.
        SwitchedOff 500 ["5.5.1"] "Syntax error, command unrecognised", default addition, "RFC 1985 5";
        /// Before EHLO, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", config addition, "RFC 5321 4.1.4";
    }
    /// A malformed ETRN.
    wire EtrnSyntax {
        /// The argument is missing or no node name.
        BadArgument 501 ["5.5.4"] "Syntax error in parameters or arguments", config addition, "RFC 1985 5";
    }
    /// What ends the session at ETRN stands at [`AnyLife`](super::AnyLife).
    life EtrnLife {}

    /// ATRN: the two sides change roles, for the domains of an authenticated client (RFC 2645 5).
    Atrn "ATRN", verb "ATRN", enhanced_on_wire true,
    legal [Ready] else { _: BadSequence };

    /// What the queue may say to ATRN.
    handler AtrnReply {
        /// The roles are changed.
        RolesChanged 250 ["2.0.0"] "OK, now reversing the connection", config addition, "RFC 2645 5";
        /// The request is refused.
        Refused 450 ["4.7.0"] "ATRN request refused", config addition, "RFC 2645 5";
        /// The request can't be processed now.
        Unable 451 ["4.3.0"] "Unable to process ATRN request now", config addition, "RFC 2645 5";
        /// Nothing waits.
        NoMail 453 ["4.3.2"] "You have no mail", config addition, "RFC 2645 5";
    }
    /// What the session says to ATRN before any handler.
    gate AtrnGate {
        /// The listener has no such service.
        SwitchedOff 502 ["5.5.1"] "Command not implemented", config addition, "RFC 2645 5";
        /// Before EHLO, or a transaction is open.
        BadSequence 503 ["5.5.1"] "Bad sequence of commands", config addition, "RFC 2645 5";
        /// A parameter is not implemented.
        ParameterNotImplemented 504 ["5.5.4"] "Command parameter not implemented", config addition, "RFC 5321 4.3.2";
        /// The client has to authenticate first.
        AuthenticationNeeded 530 ["5.7.0"] "Authentication required", config addition, "RFC 2645 5";
    }
    /// A malformed ATRN.
    wire AtrnSyntax {
        /// The argument is no list of domains.
        BadArgument 501 ["5.5.4"] "Syntax error in parameters or arguments", config addition, "RFC 5321 4.3.2";
    }
    /// What ends the session at ATRN stands at [`AnyLife`](super::AnyLife).
    life AtrnLife {}
}
