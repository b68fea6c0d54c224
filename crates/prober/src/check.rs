//! A check: what is asked of a server, as data.

use postroad_reply::{Command, Phase};
use serde::{Deserialize, Serialize};

use crate::codes::Codes;
use crate::judge::Expect;

/// What checks are about, in the order of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Greeting, HELO, EHLO, QUIT.
    Session,
    /// Each command in each state.
    States,
    /// Commands with other shapes than they should have.
    Shapes,
    /// The ends of command lines, and octets that may not stand in them.
    Lines,
    /// Many commands at once.
    Pipelining,
    /// What drops a transaction, and what doesn't.
    Resets,
    /// The data, and what ends it.
    Data,
    /// BDAT.
    Chunking,
    /// STARTTLS.
    Tls,
    /// What has to be taken, and what is too much.
    Limits,
    /// How replies are written.
    Replies,
}

impl Group {
    /// All of them.
    pub const ALL: [Group; 11] = [
        Group::Session,
        Group::States,
        Group::Shapes,
        Group::Lines,
        Group::Pipelining,
        Group::Resets,
        Group::Data,
        Group::Chunking,
        Group::Tls,
        Group::Limits,
        Group::Replies,
    ];

    /// Its name: what names of its checks begin with.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Session => "session",
            Group::States => "states",
            Group::Shapes => "shapes",
            Group::Lines => "lines",
            Group::Pipelining => "pipelining",
            Group::Resets => "resets",
            Group::Data => "data",
            Group::Chunking => "chunking",
            Group::Tls => "tls",
            Group::Limits => "limits",
            Group::Replies => "replies",
        }
    }
}

/// Where a conversation stands when a check begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing was read yet, the greeting neither.
    Dialled,
    /// After the greeting.
    Connected,
    /// After HELO.
    Helo,
    /// After EHLO.
    Ehlo,
    /// After EHLO and MAIL.
    Mail,
    /// After a RCPT that was refused.
    Refused,
    /// After a RCPT that was accepted.
    Rcpt,
    /// After DATA and its 354.
    Data,
    /// After a BDAT that is not the last.
    Chunking,
    /// After a BDAT that was refused.
    ChunkFailed,
}

impl State {
    /// Its name, as it stands in names of checks.
    pub const fn name(self) -> &'static str {
        match self {
            State::Dialled => "dialled",
            State::Connected => "connected",
            State::Helo => "helo",
            State::Ehlo => "ehlo",
            State::Mail => "mail",
            State::Refused => "refused",
            State::Rcpt => "rcpt",
            State::Data => "data",
            State::Chunking => "chunking",
            State::ChunkFailed => "chunk-failed",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            State::Dialled => "at once",
            State::Connected => "after the greeting",
            State::Helo => "after HELO",
            State::Ehlo => "after EHLO",
            State::Mail => "after MAIL",
            State::Refused => "after a refused RCPT",
            State::Rcpt => "after RCPT",
            State::Data => "within the data",
            State::Chunking => "after a BDAT",
            State::ChunkFailed => "after a refused BDAT",
        }
    }

    /// The phase of the table it is; none where no command can come.
    pub const fn phase(self) -> Option<Phase> {
        match self {
            State::Dialled | State::Data => None,
            State::Connected => Some(Phase::Connected),
            State::Helo | State::Ehlo => Some(Phase::Ready),
            State::Mail => Some(Phase::Mail),
            State::Refused => Some(Phase::RecipientsRefused),
            State::Rcpt => Some(Phase::Rcpt),
            State::Chunking => Some(Phase::Chunking),
            State::ChunkFailed => Some(Phase::ChunkFailed),
        }
    }
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sends each piece in a write of its own, and awaits so many replies, in this order. Where none is
    /// expected, none may come.
    Say {
        /// What is sent.
        pieces: Vec<Vec<u8>>,
        /// What is expected.
        expects: Vec<Expect>,
    },
    /// Changes to TLS; the last reply was 220 to STARTTLS.
    Handshake,
    /// The server closes the connection.
    Closes,
    /// The extension is not among those of the last reply, which was EHLO's.
    NotOffered(&'static str),
    /// Goes on only where the last reply was one of these; else there is nothing more to ask.
    Only(Codes),
    /// The server may close the connection now, with a 421 or without; then the check is at its end.
    MayClose,
    /// Sends octets that no reply may come to; anything else may, and an end.
    Unanswered(Vec<u8>),
}

impl Step {
    /// A line or lines, sent at once and answered by one reply.
    pub fn say(octets: impl Into<Vec<u8>>, expect: Expect) -> Step {
        Step::batch(octets, vec![expect])
    }

    /// Lines sent at once, and their replies.
    pub fn batch(octets: impl Into<Vec<u8>>, expects: Vec<Expect>) -> Step {
        let pieces = vec![octets.into()];
        Step::Say { pieces, expects }
    }

    /// Nothing is sent, and a reply awaited: the greeting.
    pub fn awaited(expect: Expect) -> Step {
        Step::Say {
            pieces: Vec::new(),
            expects: vec![expect],
        }
    }

    /// Octets that are not answered.
    pub fn hush(octets: impl Into<Vec<u8>>) -> Step {
        Step::batch(octets, Vec::new())
    }

    /// Goes on only where the last reply was one of these.
    pub fn only(codes: &str) -> Step {
        Step::Only(Codes::of(codes))
    }

    /// A command that only prepares for what is asked: it has to succeed.
    pub fn ready(command: Command, line: &str) -> Step {
        let expect = Expect::of(command, "250").borne("2yz");
        Step::say(format!("{line}\r\n"), expect)
    }
}

/// What has to be so, or the check is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// The extension is offered in reply to EHLO.
    Offer(&'static str),
    /// Transactions may be completed: an address was named that mail may be delivered to.
    Delivery,
}

/// What is asked of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Unique: group, and what it is within it.
    pub name: String,
    /// What it is about.
    pub group: Group,
    /// What is asked, in a sentence.
    pub about: String,
    /// Where it is written what has to come.
    pub rfc: String,
    /// What has to be so.
    pub needs: Vec<Need>,
    /// Where it begins.
    pub state: State,
    /// What is done.
    pub steps: Vec<Step>,
    /// Whether it ends with QUIT, which has to be answered next, by 221: then nothing more was
    /// answered than was asked. Else the connection is dropped.
    pub quits: bool,
    /// What it means when more was answered.
    pub surplus: &'static str,
    /// Whether that is a violation only for who is strict.
    pub surplus_is_borne: bool,
    /// Whether the server may refuse this and end the connection: a server may defend itself (RFC 5321 7.8).
    pub looks_hostile: bool,
}

impl Check {
    /// A check that begins after EHLO, needs nothing, and ends with QUIT.
    pub fn new(group: Group, name: &str, rfc: &str, about: &str) -> Check {
        Check {
            name: format!("{}.{name}", group.name()),
            group,
            about: about.to_owned(),
            rfc: rfc.to_owned(),
            needs: Vec::new(),
            state: State::Ehlo,
            steps: Vec::new(),
            quits: true,
            surplus: "more replies came than commands were sent",
            surplus_is_borne: false,
            looks_hostile: false,
        }
    }

    /// It begins in another state.
    pub fn from(mut self, state: State) -> Check {
        self.state = state;
        self
    }

    /// It has this need.
    pub fn needs(mut self, need: Need) -> Check {
        self.needs.push(need);
        self
    }

    /// And then this is done.
    pub fn then(mut self, step: Step) -> Check {
        self.steps.push(step);
        self
    }

    /// It ends without QUIT.
    pub fn drops(mut self) -> Check {
        self.quits = false;
        self
    }

    /// What a surplus of replies means here.
    pub fn surplus(mut self, means: &'static str) -> Check {
        self.surplus = means;
        self
    }

    /// The server may refuse it and end the connection.
    pub fn hostile(mut self) -> Check {
        self.looks_hostile = true;
        self
    }

    /// The same, where only who is strict minds.
    pub fn lenient_surplus(mut self, means: &'static str) -> Check {
        self.surplus_is_borne = true;
        self.surplus(means)
    }

    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        let words = self.steps.iter().flat_map(|step| match step {
            Step::Say { expects, .. } if expects.is_empty() => vec!["no reply".to_owned()],
            Step::Say { expects, .. } => expects.iter().map(Expect::allowed).collect(),
            Step::Handshake => vec!["TLS".to_owned()],
            Step::Closes => vec!["the end of the connection".to_owned()],
            Step::NotOffered(keyword) => vec![format!("no {keyword} among the extensions")],
            Step::Only(_) => Vec::new(),
            Step::MayClose => vec!["an end of the connection".to_owned()],
            Step::Unanswered(_) => vec!["no reply".to_owned()],
        });
        let mut words: Vec<String> = words.collect();
        words.dedup();
        words.join(" / ")
    }
}
