//! STARTTLS (RFC 3207): what was said in the clear counts for nothing afterwards.

use postroad_reply::Command;

use super::{Names, goodbye, line, noop};
use crate::check::{Check, Group, Need, State, Step};
use crate::judge::Expect;

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let start = || {
        Step::say(
            line("STARTTLS"),
            // It may have no certificate now.
            Expect::of(Command::Starttls, "220").borne("454"),
        )
    };
    let greeted = || Step::say(line(&names.ehlo()), Expect::of(Command::Ehlo, "250"));
    vec![
        check("handshake", "RFC 3207 4", "After 220 comes TLS, and a session within it.")
            .then(start())
            .then(Step::Handshake)
            .then(greeted())
            .then(Step::say(line("NOOP"), noop())),
        check(
            "injection",
            "RFC 3207 4",
            "A command that was sent in the clear behind STARTTLS is thrown away: it is not answered within TLS.",
        )
        .surplus("a command from the clear was answered within TLS: anybody on the way can inject commands")
        .then(Step::batch(
            b"STARTTLS\r\nNOOP injected\r\n".to_vec(),
            vec![Expect::of(Command::Starttls, "220").borne("4yz 5yz")],
        ))
        .then(Step::Handshake)
        .then(Step::say(line("QUIT"), goodbye()))
        .drops(),
        check(
            "injection-rset",
            "RFC 3207 4",
            "The same with a transaction: what was injected opens none.",
        )
        .surplus("a command from the clear was answered within TLS: anybody on the way can inject commands")
        .then(Step::batch(
            format!("STARTTLS\r\n{}\r\n{}\r\n", names.ehlo(), names.mail()),
            vec![Expect::of(Command::Starttls, "220").borne("4yz 5yz")],
        ))
        .then(Step::Handshake)
        .then(greeted())
        .then(Step::say(
            line(&names.rcpt()),
            Expect::of(Command::Rcpt, "503").borne("5yz"),
        )),
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
        .then(Step::say(
            line(&names.rcpt()),
            Expect::of(Command::Rcpt, "503").borne("5yz"),
        )),
        check(
            "forgets-ehlo",
            "RFC 3207 4.2",
            "TLS begins anew: MAIL needs its EHLO again.",
        )
        .then(start())
        .then(Step::Handshake)
        .then(Step::say(
            line(&names.mail()),
            Expect::of(Command::Mail, "503").borne("5yz").should_not("2yz 4yz"),
        )),
        check(
            "not-offered-twice",
            "RFC 3207 4.2",
            "Within TLS STARTTLS is not offered.",
        )
        .then(start())
        .then(Step::Handshake)
        .then(greeted())
        .then(Step::NotOffered("STARTTLS")),
        check(
            "not-twice",
            "RFC 3207 4.2",
            "Within TLS STARTTLS is refused.",
        )
        .then(start())
        .then(Step::Handshake)
        .then(greeted())
        .then(Step::say(
            line("STARTTLS"),
            Expect::of(Command::Starttls, "503").borne("4yz 5yz"),
        )),
        check(
            "argument",
            "RFC 3207 4",
            "STARTTLS takes no parameter: 501.",
        )
        .then(Step::say(
            line("STARTTLS now"),
            Expect::of(Command::Starttls, "501").borne("4yz 5yz"),
        )),
        check(
            "case",
            "RFC 5321 2.4",
            "STARTTLS is alike in any case.",
        )
        .then(Step::say(
            line("StartTLS"),
            Expect::of(Command::Starttls, "220").borne("454"),
        ))
        .then(Step::Handshake)
        .then(Step::say(line("QUIT"), goodbye()))
        .drops(),
        check(
            "noise-for-handshake",
            "RFC 3207 4.1",
            "What is no handshake ends the connection; commands are not obeyed in its place.",
        )
        .then(start())
        .then(Step::Unanswered(b"NOOP\r\nNOOP\r\nQUIT\r\n".to_vec()))
        .drops(),
    ]
}

fn check(name: &str, rfc: &str, about: &str) -> Check {
    Check::new(Group::Tls, name, rfc, about).needs(Need::Offer("STARTTLS"))
}
