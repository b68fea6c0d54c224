//! BDAT (RFC 3030): its octets are counted, and swallowed whatever the reply is.

use postroad_reply::Command;

use super::{Names, line, noop};
use crate::check::{Check, Group, Need, State, Step};
use crate::judge::Expect;

const RFC: &str = "RFC 3030 2";

/// Octets that a server takes for commands if it doesn't swallow them.
const LIKE_COMMANDS: &[u8] = b"NOOP\r\nNOOP\r\n";

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let mut checks = sizes();
    checks.extend(sequences(names));
    checks.extend(last_ones(names));
    checks
}

fn check(name: &str, about: &str) -> Check {
    Check::new(Group::Chunking, name, RFC, about)
        .from(State::Rcpt)
        .needs(Need::Offer("CHUNKING"))
        .surplus("the chunk's octets were taken as commands")
}

fn chunk(octets: &[u8], last: &str) -> Vec<u8> {
    [
        format!("BDAT {}{last}\r\n", octets.len()).as_bytes(),
        octets,
    ]
    .concat()
}

fn taken() -> Expect {
    Expect::of(Command::Bdat, "250").borne("4yz 5yz")
}

fn refused() -> Expect {
    Expect::of(Command::Bdat, "503 554").borne("5yz")
}

fn sizes() -> Vec<Check> {
    let malformed = |name: &str, text: &str, about: &str| {
        check(name, about)
            .then(Step::say(
                line(text),
                Expect::of(Command::Bdat, "501 500").borne("5yz"),
            ))
            .then(Step::MayClose)
    };
    vec![
        check("zero", "A chunk of no octets is one.").then(Step::say(line("BDAT 0"), taken())),
        malformed("no-size", "BDAT", "BDAT without a size is malformed."),
        malformed(
            "not-a-number",
            "BDAT x",
            "A size that is no number is malformed.",
        ),
        malformed(
            "negative",
            "BDAT -1",
            "A size that is no number is malformed.",
        ),
        check("not-last", "After the size stands LAST or nothing.")
            .then(Step::say(
                line("BDAT 0 FIRST"),
                Expect::of(Command::Bdat, "501 500")
                    .borne("5yz")
                    .should_not("2yz"),
            ))
            .then(Step::MayClose),
        check(
            "overflow",
            "A size beyond any number is refused, or its octets are awaited; nothing breaks.",
        )
        .then(Step::say(
            line("BDAT 99999999999999999999999999"),
            Expect::of(Command::Bdat, "501 552")
                .borne("4yz 5yz")
                .or_nothing(),
        ))
        .drops(),
        check(
            "huge",
            "A chunk of some terabytes is refused, or its octets are awaited; nothing breaks.",
        )
        .then(Step::say(
            line("BDAT 9999999999999"),
            Expect::of(Command::Bdat, "552")
                .borne("4yz 5yz")
                .or_nothing(),
        ))
        .drops(),
        check("lower-case", "BDAT is alike in any case.")
            .then(Step::say(b"bdat 6\r\nX: y\r\n".to_vec(), taken())),
    ]
}

fn sequences(names: &Names) -> Vec<Check> {
    vec![
        check(
            "dot-is-text",
            "CR LF . CR LF ends no chunk, and commands in it are octets.",
        )
        .then(Step::say(
            chunk(b"X: y\r\n\r\n\r\n.\r\nNOOP\r\nQUIT\r\n", ""),
            taken(),
        )),
        check("in-pieces", "A chunk may come in pieces.")
            .then(Step::Say {
                pieces: [&b"BDAT 9\r\nX:"[..], b" y\r\n", b"\r\n", b"N"]
                    .map(<[u8]>::to_vec)
                    .to_vec(),
                expects: vec![taken()],
            })
            .then(Step::say(line("NOOP"), noop())),
        check(
            "swallowed-without-mail",
            "BDAT before MAIL is answered 503, and its octets are swallowed.",
        )
        .from(State::Ehlo)
        .then(Step::say(chunk(LIKE_COMMANDS, ""), refused())),
        check(
            "swallowed-without-recipient",
            "BDAT before RCPT is answered 503, and its octets are swallowed.",
        )
        .from(State::Mail)
        .then(Step::say(chunk(LIKE_COMMANDS, ""), refused())),
        check("swallowed-last", "The same with LAST.")
            .from(State::Ehlo)
            .then(Step::say(chunk(LIKE_COMMANDS, " LAST"), refused())),
        check("then-data", "DATA can't follow BDAT in a transaction: 503.")
            .from(State::Chunking)
            .then(Step::say(
                line("DATA"),
                Expect::of(Command::Data, "503").borne("5yz"),
            )),
        check("then-rcpt", "RCPT can't follow BDAT in a transaction: 503.")
            .from(State::Chunking)
            .then(Step::say(
                line(&names.rcpt()),
                Expect::of(Command::Rcpt, "503")
                    .borne("5yz")
                    .should_not("2yz"),
            )),
        check(
            "then-rset",
            "RSET drops the chunks, and a new transaction may begin.",
        )
        .from(State::Chunking)
        .then(Step::say(line("RSET"), Expect::of(Command::Rset, "250")))
        .then(Step::say(
            line(&names.mail()),
            Expect::of(Command::Mail, "250").borne("4yz"),
        )),
        check(
            "another",
            "Another chunk may follow, and each is answered 250.",
        )
        .from(State::Chunking)
        .then(Step::say(chunk(b"\r\ntext\r\n", ""), taken()))
        .then(Step::say(chunk(b"more\r\n", ""), taken())),
        check(
            "pipelined",
            "MAIL, RCPT and chunks may be one sending, each answered in its turn.",
        )
        .from(State::Ehlo)
        .needs(Need::Offer("PIPELINING"))
        .then(Step::batch(
            [
                line(&names.mail()),
                line(&names.rcpt()),
                chunk(b"X: y\r\n\r\n", ""),
                chunk(LIKE_COMMANDS, ""),
                line("RSET"),
            ]
            .concat(),
            vec![
                Expect::of(Command::Mail, "250").borne("4yz"),
                super::any_recipient(),
                taken(),
                taken(),
                Expect::of(Command::Rset, "250"),
            ],
        )),
    ]
}

fn last_ones(names: &Names) -> Vec<Check> {
    let message =
        b"Subject: a probe of postroad\r\n\r\nThis message was sent by `postroad probe`.\r\n";
    vec![
        check("last", "The last chunk ends the message, which is taken.")
            .needs(Need::Delivery)
            .then(Step::say(chunk(message, " LAST"), taken())),
        check(
            "last-of-nothing",
            "A last chunk of no octets ends what came before it.",
        )
        .from(State::Rcpt)
        .needs(Need::Delivery)
        .then(Step::say(chunk(message, ""), taken()))
        .then(Step::say(line("BDAT 0 LAST"), taken())),
        check(
            "last-alone",
            "A last chunk of no octets with none before it is an empty message: taken, or refused.",
        )
        .needs(Need::Delivery)
        .then(Step::say(
            line("BDAT 0 LAST"),
            Expect::of(Command::Bdat, "250 5yz").borne("4yz"),
        )),
        check(
            "after-last",
            "Another chunk after the last is answered 503, and its octets are swallowed.",
        )
        .needs(Need::Delivery)
        .then(Step::say(chunk(message, " LAST"), taken()))
        .then(Step::say(chunk(LIKE_COMMANDS, ""), refused())),
        check(
            "last-ends-transaction",
            "After the last chunk the transaction is over: RCPT has no MAIL.",
        )
        .needs(Need::Delivery)
        .then(Step::say(chunk(message, " LAST"), taken()))
        .then(Step::say(
            line(&names.rcpt()),
            Expect::of(Command::Rcpt, "503").borne("5yz"),
        )),
        check(
            "bare-lf-last",
            "A bare LF in a chunk: kept, or refused; the session goes on.",
        )
        .needs(Need::Delivery)
        .then(Step::say(
            chunk(
                b"Subject: a probe of postroad\r\n\r\none\n.\ntwo\r\n",
                " LAST",
            ),
            Expect::of(Command::Bdat, "250 5yz").borne("4yz"),
        )),
    ]
}
