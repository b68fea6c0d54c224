//! STARTTLS (RFC 3207): what was said in the clear counts for nothing afterwards.

use postroad_reply::Command;

use super::{Names, goodbye, line, noop};
use crate::check::{Check, Group, Need, State, Step};
use crate::judge::Expect;

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let mut checks = handshakes(names);
    checks.extend(begins_anew(names));
    checks.extend(said_otherwise());
    checks
}

/// A handshake follows STARTTLS, whatever the client has sent behind that in the clear.
fn handshakes(names: &Names) -> Vec<Check> {
    let injected = |name: &str, about: &str, octets: String| {
        let expect = Expect::of(Command::Starttls, "220").borne("4yz 5yz");
        check(name, "RFC 3207 4", about)
            .surplus("a command from the clear was answered within TLS: anybody on the way can inject commands")
            .then(Step::say(octets, expect))
            .then(Step::Handshake)
    };
    vec![
        secured(
            "handshake",
            "RFC 3207 4",
            "After 220 comes TLS, and a session within it.",
        )
        .then(greeted(names))
        .then(Step::say(line("NOOP"), noop())),
        injected(
            "injection",
            "A command that was sent in the clear behind STARTTLS is thrown away: it is not answered within TLS.",
            "STARTTLS\r\nNOOP injected\r\n".to_owned(),
        )
        .then(Step::say(line("QUIT"), goodbye()))
        .drops(),
        injected(
            "injection-rset",
            "The same with a transaction: what was injected opens none.",
            format!("STARTTLS\r\n{}\r\n{}\r\n", names.ehlo(), names.mail()),
        )
        .then(greeted(names))
        .then(no_transaction(names)),
    ]
}

/// Within TLS all begins anew, and STARTTLS is over.
fn begins_anew(names: &Names) -> Vec<Check> {
    vec![
        check(
            "forgets-transaction",
            "RFC 3207 4.2",
            "TLS begins anew: a transaction from before it is gone.",
        )
        .from(State::Mail)
        .then(Step::say(
            line("STARTTLS"),
            Expect::of(Command::Starttls, "503 220").borne("4yz 5yz"),
        ))
        .then(Step::Handshake)
        .then(no_transaction(names)),
        secured(
            "forgets-ehlo",
            "RFC 3207 4.2",
            "TLS begins anew: MAIL needs its EHLO again.",
        )
        .then(Step::say(
            line(&names.mail()),
            Expect::of(Command::Mail, "503")
                .borne("5yz")
                .should_not("2yz 4yz"),
        )),
        secured(
            "not-offered-twice",
            "RFC 3207 4.2",
            "Within TLS STARTTLS is not offered.",
        )
        .then(greeted(names))
        .then(Step::NotOffered("STARTTLS")),
        secured(
            "not-twice",
            "RFC 3207 4.2",
            "Within TLS STARTTLS is refused.",
        )
        .then(greeted(names))
        .then(Step::say(
            line("STARTTLS"),
            Expect::of(Command::Starttls, "503").borne("4yz 5yz"),
        )),
    ]
}

/// STARTTLS in another shape, and something else than a handshake behind it.
fn said_otherwise() -> Vec<Check> {
    vec![
        check(
            "argument",
            "RFC 3207 4",
            "STARTTLS takes no parameter: 501.",
        )
        .then(Step::say(
            line("STARTTLS now"),
            Expect::of(Command::Starttls, "501").borne("4yz 5yz"),
        )),
        check("case", "RFC 5321 2.4", "STARTTLS is alike in any case.")
            .then(start("StartTLS"))
            .then(Step::Handshake)
            .then(Step::say(line("QUIT"), goodbye()))
            .drops(),
        check(
            "noise-for-handshake",
            "RFC 3207 4.1",
            "What is no handshake ends the connection; commands are not obeyed in its place.",
        )
        .then(start("STARTTLS"))
        .then(Step::Unanswered(b"NOOP\r\nNOOP\r\nQUIT\r\n".to_vec()))
        .drops(),
    ]
}

fn check(name: &str, rfc: &str, about: &str) -> Check {
    Check::new(Group::Tls, name, rfc, about).needs(Need::Offer("STARTTLS"))
}

/// A check that begins within TLS.
fn secured(name: &str, rfc: &str, about: &str) -> Check {
    check(name, rfc, about)
        .then(start("STARTTLS"))
        .then(Step::Handshake)
}

fn start(said: &str) -> Step {
    // It may have no certificate now.
    let expect = Expect::of(Command::Starttls, "220").borne("454");
    Step::say(line(said), expect)
}

fn greeted(names: &Names) -> Step {
    Step::say(line(&names.ehlo()), Expect::of(Command::Ehlo, "250"))
}

/// RCPT, which finds no transaction.
fn no_transaction(names: &Names) -> Step {
    let expect = Expect::of(Command::Rcpt, "503").borne("5yz");
    Step::say(line(&names.rcpt()), expect)
}
