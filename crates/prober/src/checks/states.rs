//! Each command in each state: well-formed, malformed, over-long. What is right stands in the reply
//! table, whose gate says which command is legal when.

use postroad_reply::{Command, Phase, Reply, Situation, Speaker};

use super::Names;
use crate::check::{Check, Group, Need, State, Step};
use crate::codes::Codes;
use crate::judge::Expect;
use crate::profile::Profile;

/// The states in which every command is tried.
const STATES: [State; 7] = [
    State::Connected,
    State::Helo,
    State::Ehlo,
    State::Mail,
    State::Refused,
    State::Rcpt,
    State::Chunking,
];

/// What holds after a refused chunk is said of these (RFC 3030 2).
const AFTER_FAILED_CHUNK: [Command; 6] = [
    Command::Noop,
    Command::Rset,
    Command::Mail,
    Command::Rcpt,
    Command::Data,
    Command::Quit,
];

/// How much follows the verb of an over-long line.
const LONG: usize = 4000;

/// How a command is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Well,
    Malformed,
    Long,
}

/// A command, and how it is said well and badly; the latter only where there is a way.
struct Words {
    command: Command,
    well: String,
    malformed: Option<&'static str>,
    /// The extension that it belongs to.
    of: Option<&'static str>,
}

fn words(names: &Names) -> Vec<Words> {
    let plain = |command: Command, well: &str, malformed: Option<&'static str>| Words {
        command,
        well: well.to_owned(),
        malformed,
        of: None,
    };
    let of = |keyword: &'static str, mut words: Words| {
        words.of = Some(keyword);
        words
    };
    vec![
        plain(Command::Helo, &names.helo(), Some("HELO")),
        plain(Command::Ehlo, &names.ehlo(), Some("EHLO")),
        plain(Command::Lhlo, &format!("LHLO {}", names.client), None),
        plain(Command::Mail, &names.mail(), Some("MAIL")),
        plain(Command::Rcpt, &names.rcpt(), Some("RCPT TO:<>")),
        plain(Command::Data, "DATA", Some("DATA now")),
        plain(Command::Rset, "RSET", Some("RSET now")),
        plain(Command::Noop, "NOOP", None),
        plain(Command::Vrfy, "VRFY postmaster", Some("VRFY")),
        plain(Command::Expn, "EXPN postmaster", Some("EXPN")),
        plain(Command::Help, "HELP", None),
        plain(Command::Quit, "QUIT", Some("QUIT now")),
        plain(Command::Send, "SEND FROM:<>", Some("SEND")),
        plain(Command::Soml, "SOML FROM:<>", Some("SOML")),
        plain(Command::Saml, "SAML FROM:<>", Some("SAML")),
        plain(Command::Turn, "TURN", Some("TURN now")),
        of(
            "STARTTLS",
            plain(Command::Starttls, "STARTTLS", Some("STARTTLS now")),
        ),
        of(
            "AUTH",
            plain(Command::Auth, "AUTH X-NO-SUCH-MECHANISM", Some("AUTH")),
        ),
        of(
            "ETRN",
            plain(Command::Etrn, "ETRN postroad-probe.invalid", Some("ETRN")),
        ),
        of(
            "ATRN",
            plain(Command::Atrn, "ATRN postroad-probe.invalid", None),
        ),
        plain(Command::Any, "XYZZY", None),
    ]
}

pub(super) fn checks(names: &Names, profile: Profile) -> Vec<Check> {
    let mut checks = Vec::new();
    let words = words(names);
    for state in STATES {
        for words in &words {
            checks.extend(one(state, words, Form::Well, profile, names));
            checks.extend(one(state, words, Form::Malformed, profile, names));
            checks.extend(one(state, words, Form::Long, profile, names));
        }
    }
    let after = words
        .iter()
        .filter(|words| AFTER_FAILED_CHUNK.contains(&words.command));
    checks.extend(
        after.filter_map(|words| one(State::ChunkFailed, words, Form::Well, profile, names)),
    );
    checks
}

fn one(state: State, words: &Words, form: Form, profile: Profile, names: &Names) -> Option<Check> {
    let phase = state.phase()?;
    let command = words.command;
    let verb = verb(words);
    let (line, form_name, shape) = match form {
        Form::Well => (words.well.clone(), "", "A well-formed"),
        Form::Malformed => (words.malformed?.to_owned(), ".malformed", "A malformed"),
        Form::Long => (format!("{verb} {}", "x".repeat(LONG)), ".long", "over-long"),
    };
    let offered = words.of.is_none_or(|keyword| names.offers(keyword));
    let expect = expected(command, phase, form, profile, offered);
    let name = format!("{}.{}{form_name}", state.name(), verb.to_ascii_lowercase());
    let about = format!("{shape} {} {}.", word(command), state.words());
    let mut check = Check::new(Group::States, &name, rfc(command, phase, form), &about)
        .from(state)
        .then(Step::say(format!("{line}\r\n"), expect));
    if matches!(state, State::Chunking | State::ChunkFailed) {
        check = check.needs(Need::Offer("CHUNKING"));
    }
    if command == Command::Quit && form == Form::Well {
        check = check.drops();
    }
    Some(check)
}

fn verb(words: &Words) -> &str {
    words.well.split(' ').next().unwrap_or_default()
}

fn word(command: Command) -> &'static str {
    match command {
        Command::Any => "unknown verb",
        _ => command.verb(),
    }
}

/// Where it is written what has to come.
fn rfc(command: Command, phase: Phase, form: Form) -> &'static str {
    let gate = command.gate(phase);
    let said = match (form, &gate) {
        (Form::Long, _) => return "RFC 5321 4.5.3.1.9",
        (Form::Well, Some(reply)) => Some(reply.situation()),
        (Form::Well, None) => command.situations().next(),
        (Form::Malformed, _) => command
            .situations()
            .filter(|situation| situation.speaker == Speaker::Wire)
            .find(|situation| situation.code.number() == 501),
    };
    said.map_or("RFC 5321 4.3.2", |situation| situation.rfc)
}

/// What is expected, by the table.
fn expected(command: Command, phase: Phase, form: Form, profile: Profile, offered: bool) -> Expect {
    let gate = command.gate(phase);
    let legal = gate.is_none();
    let well = match &gate {
        Some(reply) => refused(command, reply, profile),
        None => legal_codes(command, profile),
    };
    let malformed = codes(command, profile, |s| s.speaker == Speaker::Wire);
    let mut expect = match form {
        Form::Well if legal => {
            let borne = well.widened();
            let mut expect = Expect::codes(command, well);
            expect.borne = borne;
            expect
        }
        Form::Well => Expect::codes(command, well).borne("5yz"),
        // Before or after its sequence is looked at: RFC 5321 doesn't say.
        Form::Malformed => {
            Expect::codes(command, malformed.and(&refusals(command, &gate, profile)))
                .borne("5yz")
                .should_not("2yz 354")
        }
        // Taking a line that is longer than it has to is as good (RFC 5321 4.5.3.1).
        Form::Long => {
            let right = Codes::of("500 501").and(&malformed).and(&well);
            Expect::codes(command, right).borne("2yz 5yz")
        }
    };
    if profile == Profile::Classic {
        // Where the rows have no 503, another refusal of theirs takes its place.
        expect = expect.borne("4yz 5yz");
    }
    particular(expect, command, phase, form, offered)
}

/// What the RFCs say of some commands beside the table.
fn particular(
    mut expect: Expect,
    command: Command,
    phase: Phase,
    form: Form,
    offered: bool,
) -> Expect {
    match command {
        // RFC 5321 4.1.4 has the client begin with EHLO, and doesn't forbid a server to do without it.
        Command::Mail if phase == Phase::Connected && form == Form::Well => {
            expect = expect.should_not("250 4yz");
        }
        // It MAY refuse DATA without recipients (RFC 5321 3.3).
        Command::Data if phase == Phase::Mail || phase == Phase::RecipientsRefused => {
            expect = expect.borne("354");
        }
        // An old server may have them (RFC 5321 F.6), but none that is spoken to today.
        Command::Send | Command::Soml | Command::Saml if form == Form::Well => {
            expect = expect.should_not("2yz 4yz");
        }
        // They should be processed before EHLO as well (RFC 5321 4.1.4).
        Command::Rset | Command::Noop if phase == Phase::Connected && form == Form::Well => {
            expect = expect.should_not("503");
        }
        Command::Lhlo => expect.right = Codes::of("500"),
        Command::Vrfy | Command::Expn | Command::Help => {
            if phase == Phase::Connected && form == Form::Well {
                expect = expect.should_not("503");
            }
            expect = expect.borne("5yz");
        }
        Command::Starttls | Command::Auth | Command::Etrn | Command::Atrn => {
            expect.right = expect.right.and(&Codes::of("500 502 503"));
            expect = expect.borne("4yz 5yz");
            if !offered {
                expect = expect.should_not("2yz");
            }
            if command == Command::Starttls && form == Form::Well {
                expect = expect.borne("220");
            }
        }
        _ => {}
    }
    expect
}

/// The codes of those situations of the command that count.
fn codes(command: Command, profile: Profile, which: impl Fn(&Situation) -> bool) -> Codes {
    let mut codes = Codes::default();
    let counting = command.situations().filter(|s| profile.has(s) && which(s));
    for situation in counting {
        codes.add(situation.code);
    }
    codes
}

/// What a legal and well-formed command may hear: from its handler, and from the gate for other
/// reasons than its sequence.
fn legal_codes(command: Command, profile: Profile) -> Codes {
    let codes = codes(command, profile, |situation| match situation.speaker {
        Speaker::Handler => true,
        Speaker::Gate => !of_sequence(situation),
        Speaker::Wire => command == Command::Any && situation.name == "UnknownVerb",
        Speaker::Life => false,
    });
    match codes.is_empty() {
        // The classic table has no row for it.
        true => Codes::of("500 502"),
        false => codes,
    }
}

fn of_sequence(situation: &Situation) -> bool {
    matches!(situation.name, "BadSequence" | "NoValidRecipients")
}

/// What a command hears that is not legal now: what the table's gate says, and what it says of
/// commands that are switched off, which is looked at first.
fn refused(command: Command, reply: &Reply, profile: Profile) -> Codes {
    let mut codes = codes(command, profile, |situation| {
        let off = [
            "SwitchedOff",
            "NotImplemented",
            "WrongProtocol",
            "TlsNeeded",
        ];
        situation.speaker == Speaker::Gate
            && (of_sequence(situation) || off.contains(&situation.name))
    });
    codes.add(reply.code());
    codes
}

/// The same for one that is malformed, too.
fn refusals(command: Command, gate: &Option<Reply>, profile: Profile) -> Codes {
    match gate {
        Some(reply) => refused(command, reply, profile),
        None => codes(command, profile, |situation| {
            matches!(situation.name, "SwitchedOff" | "NotImplemented")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::names;

    fn allowed(name: &str, profile: Profile) -> String {
        let checks = checks(&names(), profile);
        let found = checks.iter().find(|check| check.name == name);
        found.unwrap_or_else(|| panic!("no {name}")).allowed()
    }

    #[test]
    fn what_is_right_comes_from_the_table() {
        let rfc = |name| allowed(name, Profile::Rfc5321);
        assert_eq!(rfc("states.ehlo.noop"), "250; tolerated: 2yz");
        assert_eq!(rfc("states.ehlo.rcpt"), "503; tolerated: 5yz");
        assert_eq!(rfc("states.refused.data"), "503, 554; tolerated: 354, 5yz");
        assert_eq!(rfc("states.ehlo.turn"), "502; tolerated: 5yz");
        assert_eq!(
            rfc("states.rcpt.rset.malformed"),
            "500, 501; tolerated: 5yz; a SHOULD forbids: 354, 2yz"
        );
        let classic = allowed("states.ehlo.noop", Profile::Classic);
        assert!(classic.starts_with("200, 250"), "{classic}");
    }
}
