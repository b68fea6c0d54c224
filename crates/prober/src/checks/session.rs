//! Greeting, HELO, EHLO, QUIT, and commands that may come at any time.

use postroad_reply::Command;

use super::{Names, goodbye, line, noop};
use crate::check::{Check, Group, State, Step};
use crate::judge::Expect;

pub(super) fn checks(names: &Names) -> Vec<Check> {
    let mut checks = greetings(names);
    checks.extend(ends());
    checks.extend(cases(names));
    checks.extend(unknown());
    checks
}

fn check(name: &str, rfc: &str, about: &str) -> Check {
    Check::new(Group::Session, name, rfc, about)
}

fn greetings(names: &Names) -> Vec<Check> {
    let greeted = |command| Expect::of(command, "250").borne("5yz");
    vec![
        check(
            "greeting",
            "RFC 5321 3.1",
            "The server speaks first, and says 220, 554 or 521.",
        )
        .from(State::Dialled)
        .then(Step::awaited(Expect::of(Command::Connect, "220 554 521"))),
        check(
            "ehlo-twice",
            "RFC 5321 4.1.4",
            "EHLO may come again later in the session.",
        )
        .then(Step::say(line(&names.ehlo()), greeted(Command::Ehlo))),
        check(
            "helo-after-ehlo",
            "RFC 5321 4.1.1.1",
            "HELO may come after EHLO.",
        )
        .then(Step::say(line(&names.helo()), greeted(Command::Helo))),
        check(
            "ehlo-literal-ipv4",
            "RFC 5321 4.1.3",
            "A client without a name gives an address literal.",
        )
        .from(State::Connected)
        .then(Step::say(
            line("EHLO [127.0.0.1]"),
            Expect::of(Command::Ehlo, "250").borne("504 550 4yz"),
        )),
        check(
            "ehlo-literal-ipv6",
            "RFC 5321 4.1.3",
            "A client without a name gives an address literal of IPv6.",
        )
        .from(State::Connected)
        .then(Step::say(
            line("EHLO [IPv6:::1]"),
            Expect::of(Command::Ehlo, "250").borne("504 550 4yz"),
        )),
        check(
            "help-before-ehlo",
            "RFC 5321 4.1.4",
            "HELP is processed before EHLO, and not answered 503.",
        )
        .from(State::Connected)
        .then(Step::say(
            line("HELP"),
            Expect::of(Command::Help, "211 214")
                .borne("2yz")
                .borne("500 502 504 550")
                .should_not("503"),
        )),
    ]
}

fn ends() -> Vec<Check> {
    let ends = |name: &str, state: State| {
        check(
            name,
            "RFC 5321 4.1.1.10",
            &format!(
                "QUIT {} is answered 221, and then the server closes.",
                state.words()
            ),
        )
        .from(state)
        .then(Step::say(line("QUIT"), goodbye()))
        .then(Step::Closes)
        .drops()
    };
    vec![
        ends("quit-closes", State::Ehlo),
        ends("quit-closes-connected", State::Connected),
        ends("quit-closes-rcpt", State::Rcpt),
        check(
            "quit-with-text",
            "RFC 5321 4.1.1",
            "QUIT takes no parameter and should be refused with one; the connection stays open then.",
        )
        .then(Step::say(
            line("QUIT now"),
            Expect::of(Command::Quit, "501").borne("5yz").should_not("221"),
        )),
    ]
}

/// Verbs and keywords are alike in any case (RFC 5321 2.4).
fn cases(names: &Names) -> Vec<Check> {
    let rfc = "RFC 5321 2.4";
    vec![
        check("case-noop", rfc, "Verbs are alike in any case: nOoP.")
            .then(Step::say(line("nOoP"), noop())),
        check("case-ehlo", rfc, "Verbs are alike in any case: eHlO.")
            .from(State::Connected)
            .then(Step::say(
                line(&format!("eHlO {}", names.client)),
                Expect::of(Command::Ehlo, "250"),
            )),
        check(
            "case-mail",
            rfc,
            "Verbs and keywords are alike in any case: mail from.",
        )
        .then(Step::say(
            line(&format!("mail from:<{}>", names.sender)),
            Expect::of(Command::Mail, "250").borne("530 550 4yz"),
        )),
        check(
            "case-rcpt",
            rfc,
            "Verbs and keywords are alike in any case: rCpT tO.",
        )
        .from(State::Mail)
        .then(Step::say(
            line(&format!("rCpT tO:<{}>", names.recipient)),
            Expect::of(Command::Rcpt, "250 251").borne("550 4yz"),
        )),
        check("case-quit", rfc, "Verbs are alike in any case: quit.")
            .then(Step::say(line("quit"), goodbye()))
            .then(Step::Closes)
            .drops(),
    ]
}

fn unknown() -> Vec<Check> {
    let unknown = || Expect::of(Command::Any, "500").borne("5yz");
    vec![
        check(
            "unknown-verb",
            "RFC 5321 4.2.4",
            "An unknown verb is answered 500, and the session goes on.",
        )
        .then(Step::say(line("XYZZY"), unknown()))
        .then(Step::say(line("NOOP"), noop())),
        check(
            "unknown-verbs",
            "RFC 5321 3.8",
            "A few unknown verbs don't end the session: a server that closes for them is in violation.",
        )
        .then(Step::batch(line("XYZZY"), vec![unknown()]))
        .then(Step::batch(line("PLUGH quietly"), vec![unknown()]))
        .then(Step::batch(line("Y2"), vec![unknown()]))
        .then(Step::say(line("NOOP"), noop())),
        check(
            "empty-line",
            "RFC 5321 4.1.1",
            "An empty line is no command.",
        )
        .then(Step::say(line(""), unknown())),
        check(
            "space-before-verb",
            "RFC 5321 4.1.1",
            "A command begins with its verb, not with a space.",
        )
        .then(Step::say(
            line(" NOOP"),
            Expect::of(Command::Any, "500 501").borne("5yz").should_not("250"),
        )),
        check(
            "verb-with-more",
            "RFC 5321 4.1.1",
            "A verb ends where a space or the line's end follows: NOOPX is another.",
        )
        .then(Step::say(line("NOOPX"), unknown())),
        check(
            "trailing-space",
            "RFC 5321 4.1.1",
            "Trailing white space before the line's end should be tolerated.",
        )
        .then(Step::say(
            line("RSET "),
            Expect::of(Command::Rset, "250").should_not("5yz"),
        )),
        check(
            "private-use",
            "RFC 5321 4.1.5",
            "A private command that nobody agreed on is as unknown as any.",
        )
        .then(Step::say(line("XCLIENTELE a=b"), unknown())),
    ]
}
