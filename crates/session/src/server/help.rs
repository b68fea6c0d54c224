//! HELP: what can be said here, and for whom may see it how the system is (RFC 5321 4.1.1.8).

use postroad_reply::{Answer, Command as Row, HelpReply, Lines, Text};
use postroad_wire::command::Verb;

use super::command::switched_off;
use super::desk::Desk;
use super::event::Event;
use super::state::{Asking, Commands, State};

/// What asks for the system's status.
const STATUS: &str = "STATUS";

/// The commands there are, and how they are written.
const HELP: [(Verb, &str); 21] = [
    (Verb::Helo, "HELO <domain>"),
    (Verb::Ehlo, "EHLO <domain or address literal>"),
    (Verb::Lhlo, "LHLO <domain or address literal>"),
    (Verb::Mail, "MAIL FROM:<reverse-path> [parameters]"),
    (Verb::Rcpt, "RCPT TO:<forward-path> [parameters]"),
    (
        Verb::Data,
        "DATA, then the message, ended by a line with a dot",
    ),
    (Verb::Bdat, "BDAT <size> [LAST], then so many octets"),
    (Verb::Rset, "RSET"),
    (Verb::Noop, "NOOP [string]"),
    (Verb::Vrfy, "VRFY <user or mailbox>"),
    (Verb::Expn, "EXPN <list>"),
    (Verb::Help, "HELP [command]"),
    (Verb::StartTls, "STARTTLS"),
    (Verb::Auth, "AUTH <mechanism> [initial response]"),
    (Verb::Etrn, "ETRN <domain, @domain or #queue>"),
    (Verb::Atrn, "ATRN [domain, ...]"),
    (Verb::Turn, "TURN"),
    (Verb::Send, "SEND FROM:<reverse-path>, to terminals"),
    (
        Verb::Soml,
        "SOML FROM:<reverse-path>, to terminals or else mailboxes",
    ),
    (
        Verb::Saml,
        "SAML FROM:<reverse-path>, to mailboxes and terminals",
    ),
    (Verb::Quit, "QUIT"),
];

impl Commands {
    pub(super) fn help(self, topic: Option<&str>, desk: &mut Desk) -> State {
        if desk.is_too_much_junk(Row::Help) {
            return State::Commands(self);
        }
        let reply = match topic {
            None => {
                let known = known(desk).map(|(_, help)| Text::new(help));
                HelpReply::Help(Lines::new(Text::new("Help message"), known))
            }
            Some(topic) if topic.eq_ignore_ascii_case(STATUS) && desk.settings.status => {
                desk.ask(|ticket| Event::Status { ticket });
                return State::Asking(Asking::Status(self));
            }
            Some(topic) => known(desk)
                .find(|(verb, _)| verb.as_str().eq_ignore_ascii_case(topic))
                .map_or(HelpReply::TopicUnknown, |(_, help)| {
                    HelpReply::Help(Text::new(help).into())
                }),
        };
        desk.say(reply);
        State::Commands(self)
    }

    pub(super) fn settle_status(self, answer: Answer<HelpReply>, desk: &mut Desk) -> State {
        desk.say(answer);
        State::Commands(self)
    }
}

/// The commands that hold in this session.
fn known(desk: &Desk) -> impl Iterator<Item = (Verb, &'static str)> {
    HELP.into_iter().filter(|(verb, _)| match verb {
        Verb::StartTls => desk.extensions().starttls,
        verb => switched_off(*verb, &desk.settings).is_none(),
    })
}
