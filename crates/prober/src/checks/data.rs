//! The data, and what ends it: CR LF . CR LF and nothing else (RFC 5321 4.1.1.4). Whatever else a
//! server takes for the end lets somebody smuggle a message in behind another's name.

use postroad_reply::Command;

use super::Names;
use crate::check::{Check, Group, Need, State, Step};
use crate::judge::Expect;

/// What doesn't end the data, by name. Some are refused by careful servers, which is as good.
const NO_ENDS: [(&str, &[u8]); 14] = [
    ("lf-dot-lf", b"\n.\n"),
    ("lf-dot-crlf", b"\n.\r\n"),
    ("crlf-dot-lf", b"\r\n.\n"),
    ("cr-dot-cr", b"\r.\r"),
    ("cr-dot-crlf", b"\r.\r\n"),
    ("crlf-dot-cr", b"\r\n.\r"),
    ("lf-dot-cr", b"\n.\r"),
    ("cr-dot-lf", b"\r.\n"),
    ("crlf-dot-cr-crlf", b"\r\n.\r\r\n"),
    ("crlf-dot-nul-crlf", b"\r\n.\0\r\n"),
    ("crlf-nul-dot-crlf", b"\r\n\0.\r\n"),
    ("crlf-dot-space-crlf", b"\r\n. \r\n"),
    ("crlf-dot-dot-crlf", b"\r\n..\r\n"),
    ("lf-cr-dot-crlf", b"\n\r.\r\n"),
];

/// What stands before the form. Its subject says to whoever finds it what it is.
const HEAD: &[u8] =
    b"Subject: a probe of postroad\r\n\r\nThis message was sent by `postroad probe`.";

/// What a server that was deceived takes for a command, and the true end.
const SMUGGLED: &[u8] = b"NOOP smuggled\r\n.\r\n";

pub(super) fn checks(_names: &Names) -> Vec<Check> {
    let mut checks = vec![
        check(
            "text-is-no-command",
            "RFC 5321 4.1.1.4",
            "After 354 every line is text: commands within it get no reply.",
        )
        .then(Step::hush(
            b"Subject: none\r\n\r\nNOOP\r\nRSET\r\nQUIT\r\nXYZZY\r\n".to_vec(),
        ))
        .drops(),
        check(
            "dot-in-pieces",
            "RFC 5321 4.1.1.4",
            "The end of data may come in pieces, octet by octet.",
        )
        .needs(Need::Delivery)
        .then(Step::Say {
            pieces: [HEAD, b"\r", b"\n", b".", b"\r", b"\n"]
                .map(<[u8]>::to_vec)
                .to_vec(),
            expects: vec![ended()],
        }),
        check(
            "plain-message",
            "RFC 5321 4.2.5",
            "A plain message to the address that was named is taken.",
        )
        .needs(Need::Delivery)
        .then(Step::say(
            [HEAD, b"\r\n.\r\n"].concat(),
            Expect::of(Command::EndOfData, "250").borne("4yz 5yz"),
        )),
        check(
            "eight-bits-in-text",
            "RFC 5321 2.4",
            "Octets above 127 in the text, undeclared: kept, or refused; the session goes on.",
        )
        .needs(Need::Delivery)
        .then(Step::say([HEAD, b" \xff\xfe\r\n.\r\n"].concat(), ended())),
        check(
            "nul-in-text",
            "RFC 5321 4.1.1.4",
            "NUL in the text: kept, or refused; the session goes on.",
        )
        .needs(Need::Delivery)
        .then(Step::say([HEAD, b" \0\r\n.\r\n"].concat(), ended())),
    ];
    checks.extend(NO_ENDS.iter().map(|(name, form)| no_end(name, form)));
    checks
}

fn check(name: &str, rfc: &str, about: &str) -> Check {
    Check::new(Group::Data, name, rfc, about).from(State::Data)
}

/// The message is taken or refused as one.
fn ended() -> Expect {
    Expect::of(Command::EndOfData, "2yz 4yz 5yz")
}

fn no_end(name: &str, form: &[u8]) -> Check {
    let about = format!(
        "`{}` doesn't end the data: what follows is text, and no command.",
        form.escape_ascii()
    );
    check(&format!("smuggling.{name}"), "RFC 5321 4.1.1.4", &about)
        .needs(Need::Delivery)
        .hostile()
        .surplus("what followed was taken as a command: a message can be smuggled in")
        .then(Step::say([HEAD, form, SMUGGLED].concat(), ended()))
}
