//! What drops a transaction, and what leaves it as it is.

use postroad_reply::Command;

use super::{Names, line, noop};
use crate::check::{Check, Group, Need, State, Step};
use crate::judge::Expect;

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let mut checks = droppers(names);
    checks.extend(keepers(names));
    checks.extend(after_failures(names));
    checks.extend(after_messages(names));
    checks
}

fn check(name: &str, rfc: &str, about: &str) -> Check {
    Check::new(Group::Resets, name, rfc, about)
}

/// RCPT where no transaction is open.
fn no_transaction() -> Expect {
    Expect::of(Command::Rcpt, "503").borne("5yz")
}

/// DATA where there is no recipient.
fn no_recipient() -> Expect {
    Expect::of(Command::Data, "503 554").borne("354 5yz")
}

fn accepted() -> Expect {
    Expect::of(Command::Rcpt, "250 251").borne("252 4yz 550")
}

fn droppers(names: &Names) -> Vec<Check> {
    let droppers = [
        ("rset", "RSET".to_owned(), Command::Rset, "RFC 5321 4.1.1.5"),
        ("ehlo", names.ehlo(), Command::Ehlo, "RFC 5321 4.1.4"),
        ("helo", names.helo(), Command::Helo, "RFC 5321 4.1.1.1"),
    ];
    let mut checks = Vec::new();
    for (name, text, command, rfc) in droppers {
        // That a server refuses a second EHLO is judged elsewhere.
        let drop = |check: Check| {
            let expect = Expect::of(command, "250").borne("5yz");
            check
                .then(Step::say(line(&text), expect))
                .then(Step::only("2yz"))
        };
        let verb = command.verb();
        checks.push(
            drop(
                check(
                    &format!("{name}-drops-sender"),
                    rfc,
                    &format!("{verb} drops the transaction: RCPT after it has no MAIL."),
                )
                .from(State::Mail),
            )
            .then(Step::say(line(&names.rcpt()), no_transaction())),
        );
        checks.push(
            drop(
                check(
                    &format!("{name}-drops-recipients"),
                    rfc,
                    &format!("{verb} drops the recipients: DATA after it and a new MAIL has none."),
                )
                .from(State::Rcpt),
            )
            .then(Step::ready(Command::Mail, &names.mail()))
            .then(Step::say(line("DATA"), no_recipient())),
        );
        checks.push(
            drop(
                check(
                    &format!("{name}-allows-mail"),
                    rfc,
                    &format!("After {verb} a new transaction may begin."),
                )
                .from(State::Rcpt),
            )
            .then(Step::say(
                line(&names.mail()),
                Expect::of(Command::Mail, "250").borne("4yz"),
            )),
        );
    }
    checks
}

fn keepers(names: &Names) -> Vec<Check> {
    let keepers = [
        ("noop", "NOOP", noop(), "RFC 5321 4.1.1.9"),
        (
            "vrfy",
            "VRFY postmaster",
            Expect::of(Command::Vrfy, "2yz 4yz 5yz"),
            "RFC 5321 4.1.1.6",
        ),
        (
            "expn",
            "EXPN postmaster",
            Expect::of(Command::Expn, "2yz 4yz 5yz"),
            "RFC 5321 4.1.1.7",
        ),
        (
            "help",
            "HELP",
            Expect::of(Command::Help, "2yz 5yz"),
            "RFC 5321 4.1.1.8",
        ),
        (
            "unknown",
            "XYZZY",
            Expect::of(Command::Any, "500").borne("5yz"),
            "RFC 5321 4.1.4",
        ),
        (
            "bad-ehlo",
            "EHLO",
            Expect::of(Command::Ehlo, "501").borne("5yz"),
            "RFC 5321 4.1.4",
        ),
        (
            "bad-rcpt",
            "RCPT TO:<",
            Expect::of(Command::Rcpt, "501").borne("5yz"),
            "RFC 5321 3.3",
        ),
        (
            "nested-mail",
            "MAIL FROM:<nested@client.test>",
            Expect::of(Command::Mail, "503").borne("5yz"),
            "RFC 5321 4.1.4",
        ),
        (
            "bad-data",
            "DATA now",
            Expect::of(Command::Data, "501 503").borne("5yz"),
            "RFC 5321 4.1.1",
        ),
    ];
    let checks = keepers.into_iter().map(|(name, text, expect, rfc)| {
        check(
            &format!("{name}-keeps"),
            rfc,
            &format!("`{text}` leaves an open transaction as it is: RCPT goes on after it."),
        )
        .from(State::Mail)
        .then(Step::say(line(text), expect))
        .then(Step::say(line(&names.rcpt()), accepted()))
    });
    checks.collect()
}

fn after_failures(names: &Names) -> Vec<Check> {
    vec![
        check(
            "refused-data",
            "RFC 5321 3.3",
            "After a DATA without recipients RSET and a new transaction work.",
        )
        .from(State::Mail)
        .then(Step::say(
            line("DATA"),
            Expect::of(Command::Data, "503 554").borne("5yz"),
        ))
        .then(Step::ready(Command::Rset, "RSET"))
        .then(Step::say(
            line(&names.mail()),
            Expect::of(Command::Mail, "250").borne("4yz"),
        )),
        check(
            "refused-data-keeps",
            "RFC 5321 4.1.4",
            "A DATA without recipients leaves the state as it was: RCPT goes on after it.",
        )
        .from(State::Mail)
        .then(Step::say(
            line("DATA"),
            Expect::of(Command::Data, "503 554").borne("5yz"),
        ))
        .then(Step::say(
            line(&names.rcpt()),
            Expect::of(Command::Rcpt, "250 251").borne("4yz 550 503"),
        )),
        check(
            "refused-mail",
            "RFC 5321 4.1.4",
            "After a MAIL that was refused another may come.",
        )
        .then(Step::say(
            line("MAIL"),
            Expect::of(Command::Mail, "501").borne("5yz"),
        ))
        .then(Step::say(
            line(&names.mail()),
            Expect::of(Command::Mail, "250").borne("4yz"),
        )),
        check(
            "refused-recipient",
            "RFC 5321 3.3",
            "After a RCPT that was refused another is taken, and DATA after that.",
        )
        .from(State::Refused)
        .then(Step::say(line(&names.rcpt()), accepted()))
        .then(Step::say(
            line("DATA"),
            Expect::of(Command::Data, "354").borne("4yz 5yz"),
        ))
        .drops(),
    ]
}

fn after_messages(names: &Names) -> Vec<Check> {
    let message = b"Subject: a probe of postroad\r\n\r\nA message of `postroad probe`.\r\n.\r\n";
    let ended = || Expect::of(Command::EndOfData, "250").borne("4yz 5yz");
    vec![
        check(
            "message-ends-transaction",
            "RFC 5321 4.1.1.4",
            "After the end of data the transaction is over: RCPT has no MAIL.",
        )
        .from(State::Data)
        .needs(Need::Delivery)
        .then(Step::say(message.to_vec(), ended()))
        .then(Step::say(line(&names.rcpt()), no_transaction())),
        check(
            "message-after-message",
            "RFC 5321 3.3",
            "After the end of data a new transaction may begin.",
        )
        .from(State::Data)
        .needs(Need::Delivery)
        .then(Step::say(message.to_vec(), ended()))
        .then(Step::say(
            line(&names.mail()),
            Expect::of(Command::Mail, "250").borne("4yz"),
        )),
    ]
}
