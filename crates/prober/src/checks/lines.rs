//! The ends of command lines, the octets that may not stand in them, and lines that come in pieces.

use postroad_reply::Command;

use super::{Names, line, noop};
use crate::check::{Check, Group, State, Step};
use crate::judge::Expect;

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let mut checks = ends();
    checks.extend(octets(names));
    checks.extend(pieces(names));
    checks
}

fn check(name: &str, rfc: &str, about: &str) -> Check {
    Check::new(Group::Lines, name, rfc, about)
}

/// Only CR LF ends a line (RFC 5321 2.3.8). For command lines a server that is lenient about it harms
/// nobody; but it has to be of one mind about how many lines came.
fn ends() -> Vec<Check> {
    let refused = || {
        Expect::of(Command::Any, "500 501")
            .borne("5yz")
            .should_not("250")
    };
    vec![
        check(
            "bare-lf",
            "RFC 5321 2.3.8",
            "A bare LF ends no command line.",
        )
        .hostile()
        .lenient_surplus("the bare LF was taken as the end of a line: two commands were seen")
        .then(Step::say(b"NOOP\nx\r\n".to_vec(), refused())),
        check(
            "bare-lf-two-commands",
            "RFC 5321 2.3.8",
            "Two commands with a bare LF between them are one line that can't be read.",
        )
        .hostile()
        .lenient_surplus("the bare LF was taken as the end of a line: two commands were seen")
        .then(Step::say(b"NOOP\nNOOP\r\n".to_vec(), refused())),
        check(
            "bare-cr-within",
            "RFC 5321 2.3.8",
            "A bare CR within a line ends none.",
        )
        .hostile()
        .lenient_surplus("the bare CR was taken as the end of a line: two commands were seen")
        .then(Step::say(b"NOOP x\rNOOP\r\n".to_vec(), refused())),
        check(
            "bare-cr-alone",
            "RFC 5321 2.3.8",
            "A line that only a CR ends isn't complete, and gets no reply until CR LF comes.",
        )
        .then(Step::hush(b"NOOP x\r".to_vec()))
        .then(Step::say(
            b"x\r\n".to_vec(),
            Expect::of(Command::Any, "500 501 250").borne("5yz"),
        )),
        check(
            "cr-cr-lf",
            "RFC 5321 2.3.8",
            "A CR before the CR LF is one too many.",
        )
        .then(Step::say(
            b"NOOP\r\r\n".to_vec(),
            Expect::of(Command::Any, "500 501").borne("5yz 250"),
        )),
    ]
}

fn octets(names: &Names) -> Vec<Check> {
    let unreadable = |command| {
        Expect::of(command, "500 501")
            .borne("5yz")
            .should_not("2yz")
    };
    let high = |text: &str| {
        let mut octets = text.as_bytes().to_vec();
        octets.extend_from_slice(b"\xff\r\n");
        octets
    };
    vec![
        check("nul-in-verb", "RFC 5321 2.4", "NUL is no part of a verb.").then(Step::say(
            b"NO\0OP\r\n".to_vec(),
            Expect::of(Command::Any, "500 501").borne("5yz"),
        )),
        check("nul-in-path", "RFC 5321 4.1.2", "NUL is no part of a path.")
            .from(State::Mail)
            .then(Step::say(
                b"RCPT TO:<post\0master>\r\n".to_vec(),
                unreadable(Command::Rcpt),
            )),
        check(
            "control-in-path",
            "RFC 5321 4.1.2",
            "Control characters are no part of a path.",
        )
        .from(State::Mail)
        .then(Step::say(
            b"RCPT TO:<post\x01master>\r\n".to_vec(),
            unreadable(Command::Rcpt),
        )),
        check("eight-bits-in-verb", "RFC 5321 2.4", "A verb is ASCII.").then(Step::say(
            b"NOO\xd0\r\n".to_vec(),
            Expect::of(Command::Any, "500 501").borne("5yz"),
        )),
        check(
            "eight-bits-in-path",
            "RFC 5321 2.4",
            "Without SMTPUTF8 an envelope is ASCII; other octets should be refused.",
        )
        .then(Step::say(
            b"MAIL FROM:<j\xf6rg@client.test>\r\n".to_vec(),
            Expect::of(Command::Mail, "500 501 550 553")
                .borne("5yz")
                .should_not("2yz"),
        )),
        check(
            "eight-bits-in-argument",
            "RFC 5321 2.4",
            "Octets that are not ASCII in the argument of a command that does nothing with it.",
        )
        .then(Step::say(
            high("NOOP "),
            Expect::of(Command::Noop, "500 501").borne("5yz 250"),
        )),
        check(
            "telnet-in-verb",
            "RFC 5321 2.4",
            "What Telnet would say first is no command.",
        )
        .then(Step::say(
            b"\xff\xf4\xff\xfdNOOP\r\n".to_vec(),
            Expect::of(Command::Any, "500 501")
                .borne("5yz")
                .should_not("250"),
        )),
        check(
            "tab-as-space",
            "RFC 5321 4.1.1",
            "A space stands after the verb; a tab can mean nothing else.",
        )
        .then(Step::say(
            line(&names.mail().replacen(' ', "\t", 1)),
            Expect::of(Command::Mail, "500 501").borne("2yz 4yz 5yz"),
        )),
    ]
}

fn pieces(names: &Names) -> Vec<Check> {
    let each = |text: &str| line(text).into_iter().map(|octet| vec![octet]).collect();
    vec![
        check(
            "octet-by-octet",
            "RFC 5321 4.5.3.2",
            "A command comes in as many pieces as TCP likes.",
        )
        .then(Step::Say {
            pieces: each("NOOP"),
            expects: vec![noop()],
        }),
        check(
            "split-in-line-end",
            "RFC 5321 2.3.8",
            "A CR and its LF may come apart.",
        )
        .then(Step::Say {
            pieces: vec![
                line(&names.mail()),
                b"RSET\r".to_vec(),
                b"\nNOOP\r".to_vec(),
                b"\n".to_vec(),
            ],
            expects: vec![
                Expect::of(Command::Mail, "250").borne("4yz 5yz"),
                Expect::of(Command::Rset, "250"),
                noop(),
            ],
        })
        .needs(crate::check::Need::Offer("PIPELINING")),
    ]
}
