//! What every server has to take (RFC 5321 4.5.3.1), and what is too much.

use postroad_reply::Command;

use super::{Names, line, noop};
use crate::check::{Check, Group, Need, State, Step};
use crate::judge::Expect;

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let mut checks = lengths(names);
    checks.extend(recipients(names));
    checks.extend(sizes(names));
    checks.extend(texts());
    checks
}

fn check(name: &str, rfc: &str, about: &str) -> Check {
    Check::new(Group::Limits, name, rfc, about)
}

/// A domain name of so many octets, in labels of at most 63.
fn domain_of(length: usize) -> String {
    let mut name = String::new();
    while name.len() < length {
        let left = length - name.len();
        // A label and its dot; the rest after it must hold another label.
        let label = match left {
            0..=63 => left,
            64 => 32,
            _ => 63,
        };
        name.push_str(&"x".repeat(label));
        if name.len() < length {
            name.push('.');
        }
    }
    name
}

fn lengths(names: &Names) -> Vec<Check> {
    // Whom there is no mailbox for may be refused, but not for the length.
    let read = |command| {
        Expect::of(command, "250 251 550 553")
            .borne("2yz 4yz 5yz")
            .never("500 501")
    };
    let too_long = |command| Expect::of(command, "500 501 550 553").borne("2yz 4yz 5yz");
    let local = |length: usize| format!("RCPT TO:<{}@{}>", "x".repeat(length), names.domain);
    // With its two brackets and the at sign, 256 octets.
    let path = format!("<{}@{}>", "x".repeat(64), domain_of(256 - 67));
    vec![
        check(
            "line-512",
            "RFC 5321 4.5.3.1.4",
            "A command line of 512 octets, its CR LF included, is read.",
        )
        // Where no argument is read, its length says nothing.
        .then(Step::say(line("NOOP x"), noop().should_not("5yz")))
        .then(Step::only("2yz"))
        .then(Step::say(
            line(&format!("NOOP {}", "x".repeat(505))),
            noop(),
        )),
        check(
            "line-long-then-next",
            "RFC 5321 4.5.3.1.9",
            "After a line that is too long the next is read where it begins.",
        )
        .then(Step::say(
            line(&format!("NOOP {}", "x".repeat(100_000))),
            Expect::of(Command::Noop, "500 501 250").borne("5yz"),
        ))
        .then(Step::say(line("NOOP"), noop())),
        check(
            "domain-255",
            "RFC 5321 4.5.3.1.2",
            "A domain name of 255 octets is read.",
        )
        .from(State::Connected)
        .then(Step::say(
            line(&format!("EHLO {}", domain_of(255))),
            Expect::of(Command::Ehlo, "250").borne("504 550 4yz"),
        )),
        check(
            "local-part-64",
            "RFC 5321 4.5.3.1.1",
            "A local-part of 64 octets is read.",
        )
        .from(State::Mail)
        .then(Step::say(line(&local(64)), read(Command::Rcpt))),
        check(
            "local-part-long",
            "RFC 5321 4.5.3.1.1",
            "A local-part of 300 octets is read, or refused.",
        )
        .from(State::Mail)
        .then(Step::say(line(&local(300)), too_long(Command::Rcpt))),
        check(
            "path-256",
            "RFC 5321 4.5.3.1.3",
            "A path of 256 octets, its brackets included, is read.",
        )
        .from(State::Mail)
        .then(Step::say(
            line(&format!("RCPT TO:{path}")),
            read(Command::Rcpt),
        )),
        check(
            "path-long",
            "RFC 5321 4.5.3.1.3",
            "A path of a thousand octets is read, or refused.",
        )
        .from(State::Mail)
        .then(Step::say(
            line(&format!("RCPT TO:<x@{}>", domain_of(1000))),
            too_long(Command::Rcpt),
        )),
    ]
}

fn recipients(names: &Names) -> Vec<Check> {
    let taken = || Expect::of(Command::Rcpt, "250 251").borne("450 451");
    let mut postmaster = vec![];
    for (name, address) in [
        ("postmaster", "Postmaster".to_owned()),
        ("postmaster-in-capitals", "POSTMASTER".to_owned()),
        (
            "postmaster-at-domain",
            format!("postmaster@{}", names.domain),
        ),
    ] {
        // Whether the domain is one it takes mail for is only known where it is the recipient's.
        let other = match name == "postmaster-at-domain" && !names.recipient.contains('@') {
            true => "4yz 5yz",
            false => "4yz",
        };
        postmaster.push(
            check(
                name,
                "RFC 5321 4.5.1",
                &format!("Mail for <{address}> is taken; postmaster is reserved, in any case."),
            )
            .from(State::Mail)
            .then(Step::say(
                line(&format!("RCPT TO:<{address}>")),
                Expect::of(Command::Rcpt, "250 251").borne(other),
            )),
        );
    }
    let mut hundred = check(
        "recipients-100",
        "RFC 5321 4.5.3.1.8",
        "A transaction takes a hundred recipients; the same one a hundred times.",
    )
    .from(State::Mail);
    let rcpt = line(&names.rcpt());
    if names.offers("PIPELINING") {
        hundred = hundred.then(Step::batch(rcpt.repeat(100), vec![taken(); 100]));
    } else {
        for _ in 0..100 {
            hundred = hundred.then(Step::say(rcpt.clone(), taken()));
        }
    }
    postmaster.push(hundred);
    postmaster
}

fn sizes(names: &Names) -> Vec<Check> {
    let mail = names.mail();
    let offered = |check: Check| check.needs(Need::Offer("SIZE"));
    let mut checks = vec![
        offered(check(
            "size-not-a-number",
            "RFC 1870 3",
            "SIZE has a number.",
        ))
        .then(Step::say(
            line(&format!("{mail} SIZE=abc")),
            Expect::of(Command::Mail, "501")
                .borne("5yz")
                .should_not("2yz"),
        )),
        offered(check(
            "size-beyond-any",
            "RFC 1870 6.1",
            "A SIZE of twenty nines is refused, or counts for nothing.",
        ))
        .then(Step::say(
            line(&format!("{mail} SIZE={}", "9".repeat(20))),
            Expect::of(Command::Mail, "552 501").borne("2yz 4yz 5yz"),
        )),
    ];
    if let Some(most) = names.size.filter(|most| *most > 0) {
        checks.push(
            offered(check(
                "size-over-maximum",
                "RFC 1870 6.1",
                "A message that is declared bigger than the maximum is refused at MAIL.",
            ))
            .then(Step::say(
                line(&format!("{mail} SIZE={}", most.saturating_add(1))),
                Expect::of(Command::Mail, "552").borne("2yz 4yz 5yz"),
            )),
        );
        checks.push(
            offered(check(
                "size-at-maximum",
                "RFC 1870 6.1",
                "A message that is declared as big as the maximum is not refused for good.",
            ))
            .then(Step::say(
                line(&format!("{mail} SIZE={most}")),
                Expect::of(Command::Mail, "250").borne("4yz"),
            )),
        );
    }
    checks
}

fn texts() -> Vec<Check> {
    let text = |name: &str, rfc: &str, about: &str, body: Vec<u8>, expect: Expect| {
        let head = b"Subject: a probe of postroad\r\n\r\n".to_vec();
        check(name, rfc, about)
            .from(State::Data)
            .needs(Need::Delivery)
            .then(Step::say(
                [head, body, b"\r\n.\r\n".to_vec()].concat(),
                expect,
            ))
    };
    let taken = || Expect::of(Command::EndOfData, "250").borne("4yz 550 554");
    vec![
        text(
            "text-line-1000",
            "RFC 5321 4.5.3.1.6",
            "A line of text of 1000 octets, its CR LF included, is taken.",
            vec![b'x'; 998],
            Expect::of(Command::EndOfData, "250").borne("4yz"),
        ),
        text(
            "text-line-long",
            "RFC 5321 4.5.3.1.6",
            "A line of text of 20,000 octets is taken, or refused; the session goes on.",
            vec![b'x'; 20_000],
            Expect::of(Command::EndOfData, "250 5yz").borne("4yz"),
        ),
        text(
            "message-64k",
            "RFC 5321 4.5.3.1.7",
            "A message of 64 K octets is taken.",
            b"x".repeat(62)
                .into_iter()
                .chain(*b"\r\n")
                .collect::<Vec<u8>>()
                .repeat(1023),
            taken(),
        ),
        text(
            "dots-in-text",
            "RFC 5321 4.5.2",
            "Lines that begin with a dot are sent with two.",
            b"..\r\n...\r\n..x".to_vec(),
            taken(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_length_asked_for_and_labels_that_may_be() {
        for length in [1, 63, 64, 65, 128, 189, 255, 1000] {
            let name = domain_of(length);
            assert_eq!(name.len(), length);
            for label in name.split('.') {
                assert!((1..=63).contains(&label.len()), "{length}: {name}");
            }
        }
    }
}
