//! Many commands in one sending, failures among them: the replies have their order and number
//! (RFC 2920 3.2).

use postroad_reply::Command;

use super::{Names, any_recipient, goodbye, noop};
use crate::check::{Check, Group, Need, State, Step};
use crate::judge::Expect;

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let (mail, rcpt) = (names.mail(), names.rcpt());
    let taken = || Expect::of(Command::Mail, "250").borne("4yz 530 550");
    let malformed = |command| {
        Expect::of(command, "500 501")
            .borne("5yz")
            .should_not("2yz")
    };
    let reset = || Expect::of(Command::Rset, "250");
    vec![
        check("in-order", "Replies come in the order of their commands.")
            .then(batch(
                &["RSET", "NOOP", "VRFY", "XYZZY", "RSET", "QUIT"],
                vec![
                    reset(),
                    noop(),
                    Expect::of(Command::Vrfy, "501").borne("5yz 252"),
                    Expect::of(Command::Any, "500").borne("5yz"),
                    reset(),
                    goodbye(),
                ],
            ))
            .then(Step::Closes)
            .drops(),
        check(
            "failures-within",
            "Commands that fail within a pipeline are each answered once, and those after them go on.",
        )
        .then(batch(
            &[&mail, "RCPT TO:<", &rcpt, "RCPT TO:<>", "NOOP", "RSET"],
            vec![
                taken(),
                malformed(Command::Rcpt),
                any_recipient(),
                malformed(Command::Rcpt),
                noop(),
                reset(),
            ],
        )),
        check(
            "failed-mail",
            "After a MAIL that failed the RCPT and DATA behind it fail as well, each with its reply.",
        )
        .then(batch(
            &["MAIL", &rcpt, "DATA", "RSET", "NOOP"],
            vec![
                Expect::of(Command::Mail, "501").borne("5yz"),
                Expect::of(Command::Rcpt, "503").borne("5yz"),
                Expect::of(Command::Data, "503 554").borne("5yz"),
                reset(),
                noop(),
            ],
        )),
        check(
            "all-recipients-fail",
            "DATA behind RCPTs that all failed should not be answered 354, and what follows is no message.",
        )
        .then(batch(
            &[&mail, "RCPT TO:<>", "RCPT TO:<", "DATA"],
            vec![
                taken(),
                malformed(Command::Rcpt),
                malformed(Command::Rcpt),
                Expect::of(Command::Data, "503 554").borne("5yz").should_not("354"),
            ],
        )),
        check(
            "data-last",
            "MAIL, RCPT and DATA may be one sending.",
        )
        .then(batch(
            &[&mail, &rcpt, "DATA"],
            vec![
                taken(),
                any_recipient(),
                Expect::of(Command::Data, "354 5yz").borne("4yz"),
            ],
        ))
        .drops(),
        check(
            "long-pipeline",
            "Fifty RCPTs in one sending get fifty replies.",
        )
        .then(batch(
            &[&[mail.as_str()], &[rcpt.as_str(); 50][..], &["RSET"]].concat(),
            [vec![taken()], vec![any_recipient(); 50], vec![reset()]].concat(),
        )),
        check(
            "two-transactions",
            "A second transaction may stand in the same sending, behind RSET.",
        )
        .then(batch(
            &[&mail, "RSET", &mail, "RSET", "NOOP"],
            vec![taken(), reset(), taken(), reset(), noop()],
        )),
        check(
            "over-long-within",
            "A line that is too long is one command with one reply, and the next is read where it begins.",
        )
        .then(batch(
            &["RSET", &format!("NOOP {}", "x".repeat(5000)), "RSET", "VRFY"],
            vec![
                reset(),
                Expect::of(Command::Noop, "500 501 250").borne("5yz"),
                reset(),
                Expect::of(Command::Vrfy, "501").borne("5yz 252"),
            ],
        )),
        check(
            "ehlo-within",
            "EHLO in a transaction is answered in its turn.",
        )
        .then(batch(
            &[&mail, &names.ehlo(), "NOOP"],
            vec![taken(), Expect::of(Command::Ehlo, "250"), noop()],
        )),
    ]
}

fn check(name: &str, about: &str) -> Check {
    Check::new(Group::Pipelining, name, "RFC 2920 3.2", about)
        .from(State::Ehlo)
        .needs(Need::Offer("PIPELINING"))
}

fn batch(commands: &[&str], expects: Vec<Expect>) -> Step {
    Step::batch(format!("{}\r\n", commands.join("\r\n")), expects)
}
