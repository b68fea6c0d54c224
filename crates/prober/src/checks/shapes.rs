//! Commands with other shapes than RFC 5321 gives them, where each is legal.

use postroad_reply::Command;

use super::{Names, line, noop};
use crate::check::{Check, Group, State, Step};
use crate::judge::Expect;

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let mut checks = greetings();
    checks.extend(senders(names));
    checks.extend(recipients(names));
    checks.extend(parameters(names));
    checks.extend(others());
    checks
}

fn check(name: &str, rfc: &str, about: &str) -> Check {
    Check::new(Group::Shapes, name, rfc, about)
}

/// What should be refused as malformed.
fn malformed(command: Command, right: &str) -> Expect {
    Expect::of(command, right).borne("5yz").should_not("2yz")
}

fn greetings() -> Vec<Check> {
    let shapes = [
        ("ehlo-two-words", "EHLO one two", "EHLO takes one name."),
        (
            "ehlo-no-domain",
            "EHLO -x-.",
            "EHLO takes a domain or an address literal, and `-x-.` is neither.",
        ),
        (
            "ehlo-broken-literal",
            "EHLO [1.2.3",
            "An address literal ends with its bracket.",
        ),
    ];
    let checks = shapes.into_iter().map(|(name, text, about)| {
        check(name, "RFC 5321 4.1.1.1", about)
            .from(State::Connected)
            .then(Step::say(
                line(text),
                // The name decides nothing, and many servers don't read it.
                Expect::of(Command::Ehlo, "501").borne("2yz 5yz"),
            ))
    });
    checks.collect()
}

fn senders(names: &Names) -> Vec<Check> {
    let bad = || malformed(Command::Mail, "501");
    let shapes = [
        (
            "mail-no-brackets",
            "MAIL FROM:a@client.test",
            "A reverse-path stands in brackets.",
        ),
        (
            "mail-one-bracket",
            "MAIL FROM:<a@client.test",
            "A reverse-path ends with its bracket.",
        ),
        (
            "mail-space-within",
            "MAIL FROM:<a b@client.test>",
            "A space in a local-part has to be quoted.",
        ),
        (
            "mail-no-from",
            "MAIL <a@client.test>",
            "MAIL is followed by FROM: and a path.",
        ),
        (
            "mail-two-at",
            "MAIL FROM:<a@b@client.test>",
            "A path has one at sign outside of quotes.",
        ),
        (
            "mail-double-dot",
            "MAIL FROM:<a@client..test>",
            "No label of a domain is empty.",
        ),
        ("mail-to", "MAIL TO:<a@client.test>", "TO: belongs to RCPT."),
    ];
    let mut checks: Vec<Check> = shapes
        .into_iter()
        .map(|(name, text, about)| {
            check(name, "RFC 5321 4.1.1.2", about).then(Step::say(line(text), bad()))
        })
        .collect();
    checks.push(
        check(
            "mail-space-after-colon",
            "RFC 5321 3.3",
            "No space belongs after the colon; many clients send one, and it can mean nothing else.",
        )
        .then(Step::say(
            line(&format!("MAIL FROM: <{}>", names.sender)),
            Expect::of(Command::Mail, "501").borne("2yz 5yz 4yz"),
        )),
    );
    checks.push(
        check(
            "mail-quoted",
            "RFC 5321 4.1.2",
            "A local-part may be a quoted string.",
        )
        .then(Step::say(
            line("MAIL FROM:<\"a b\"@[127.0.0.1]>"),
            Expect::of(Command::Mail, "250").borne("550 553 530 4yz 501"),
        )),
    );
    checks.push(
        check(
            "mail-source-route",
            "RFC 5321 C",
            "A source route is obsolete; it must be read, and should be ignored.",
        )
        .then(Step::say(
            line("MAIL FROM:<@one.test,@two.test:a@client.test>"),
            Expect::of(Command::Mail, "250").borne("4yz 5yz"),
        )),
    );
    checks
}

fn recipients(names: &Names) -> Vec<Check> {
    let shapes = [
        (
            "rcpt-empty",
            "RCPT TO:<>".to_owned(),
            "A forward-path is not empty.",
        ),
        (
            "rcpt-no-brackets",
            format!("RCPT TO:{}", names.recipient),
            "A forward-path stands in brackets.",
        ),
        (
            "rcpt-no-to",
            format!("RCPT <{}>", names.recipient),
            "RCPT is followed by TO: and a path.",
        ),
        (
            "rcpt-one-bracket",
            format!("RCPT TO:<{}", names.recipient),
            "A forward-path ends with its bracket.",
        ),
        (
            "rcpt-no-domain",
            "RCPT TO:<no-such-mailbox.postroad-probe@>".to_owned(),
            "A domain follows the at sign.",
        ),
        (
            "rcpt-from",
            format!("RCPT FROM:<{}>", names.recipient),
            "FROM: belongs to MAIL.",
        ),
    ];
    let checks = shapes.into_iter().map(|(name, text, about)| {
        check(name, "RFC 5321 4.1.1.3", about)
            .from(State::Mail)
            .then(Step::say(line(&text), malformed(Command::Rcpt, "501")))
    });
    checks.collect()
}

fn parameters(names: &Names) -> Vec<Check> {
    let unknown = |command| {
        Expect::of(command, "555")
            .borne("501 504 5yz")
            .should_not("2yz")
    };
    let mail = names.mail();
    let mut checks = vec![
        check(
            "mail-unknown-parameter",
            "RFC 5321 4.1.1.11",
            "A parameter that the server doesn't know is answered 555.",
        )
        .then(Step::say(
            line(&format!("{mail} XNOSUCH=parameter")),
            unknown(Command::Mail),
        )),
        check(
            "rcpt-unknown-parameter",
            "RFC 5321 4.1.1.11",
            "A parameter that the server doesn't know is answered 555.",
        )
        .from(State::Mail)
        .then(Step::say(
            line(&format!("{} XNOSUCH=parameter", names.rcpt())),
            unknown(Command::Rcpt),
        )),
        check(
            "mail-parameter-after-helo",
            "RFC 5321 4.1.1.11",
            "After HELO no parameter was offered.",
        )
        .from(State::Helo)
        .then(Step::say(
            line(&format!("{mail} SIZE=100")),
            Expect::of(Command::Mail, "555").borne("2yz 5yz"),
        )),
        check(
            "mail-empty-parameter",
            "RFC 5321 4.1.2",
            "After the equals sign stands a value.",
        )
        .then(Step::say(
            line(&format!("{mail} SIZE=")),
            Expect::of(Command::Mail, "501 555")
                .borne("5yz")
                .should_not("2yz"),
        )),
        check(
            "mail-body-unknown",
            "RFC 6152 2",
            "BODY is 7BIT or 8BITMIME.",
        )
        .then(Step::say(
            line(&format!("{mail} BODY=9BIT")),
            Expect::of(Command::Mail, "501 555")
                .borne("5yz")
                .should_not("2yz"),
        )),
    ];
    for keyword in ["SIZE", "8BITMIME", "SMTPUTF8"] {
        let parameter = match keyword {
            "SIZE" => "SIZE=100",
            "8BITMIME" => "BODY=8BITMIME",
            _ => "SMTPUTF8",
        };
        checks.push(
            check(
                &format!("mail-with-{}", keyword.to_ascii_lowercase()),
                "RFC 5321 4.1.1.11",
                &format!("What is offered is taken: {parameter}."),
            )
            .needs(crate::check::Need::Offer(keyword))
            .then(Step::say(
                line(&format!("{mail} {parameter}")),
                Expect::of(Command::Mail, "250").borne("4yz 530 550"),
            )),
        );
    }
    checks
}

fn others() -> Vec<Check> {
    vec![
        check(
            "noop-argument",
            "RFC 5321 4.1.1.9",
            "An argument of NOOP should be ignored.",
        )
        .then(Step::say(line("NOOP a b c"), noop().should_not("5yz"))),
        check(
            "help-argument",
            "RFC 5321 4.1.1.8",
            "HELP may be given a topic.",
        )
        .then(Step::say(
            line("HELP MAIL"),
            Expect::of(Command::Help, "211 214").borne("2yz 5yz"),
        )),
        check(
            "vrfy-unknown",
            "RFC 5321 3.5.3",
            "VRFY of a mailbox that nobody has must not be answered 250 unless it was verified.",
        )
        .then(Step::say(
            line("VRFY no-such-mailbox.postroad-probe"),
            Expect::of(Command::Vrfy, "252 550 551 553 504").borne("502 5yz 4yz"),
        )),
    ]
}
