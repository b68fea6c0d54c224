//! One conversation of one check: what was said, and how it is judged so far.

use std::sync::Arc;
use std::time::Duration;

use postroad_host::tasks;
use postroad_reply::{Code, Command, Severity};

use super::connection::{Came, Wire};
use crate::codes::Codes;
use crate::finding::{Exchange, Verdict};
use crate::hygiene::{Context, Hygiene};
use crate::judge::Expect;
use crate::octets::shown;
use crate::profile::Profile;
use crate::reply::Heard;

/// Between the pieces of one sending, so that each is a segment of its own.
const BETWEEN_PIECES: Duration = Duration::from_millis(4);

/// How much of a conversation is kept to be shown.
const MOST_EXCHANGES: usize = 12;
const MOST_REPLIES: usize = 12;

/// How replies are heard and judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ear {
    pub(super) profile: Profile,
    pub(super) patience: Duration,
    pub(super) quiet: Duration,
    /// Whether ENHANCEDSTATUSCODES is offered to who says EHLO.
    pub(super) enhanced: bool,
}

/// A conversation.
pub(super) struct Talk<'a> {
    wire: Option<Wire>,
    ear: Ear,
    hygiene: &'a mut Hygiene,
    /// Whether EHLO was accepted.
    extended: bool,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) verdict: Verdict,
    pub(super) why: String,
    /// Whether the server may refuse what is said and end the connection.
    pub(super) looks_hostile: bool,
    /// The last reply, and what it answered.
    last: Option<(Command, Heard)>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    On,
    Stop,
}

impl<'a> Talk<'a> {
    pub(super) fn new(wire: Wire, ear: Ear, hygiene: &'a mut Hygiene) -> Talk<'a> {
        Talk {
            wire: Some(wire),
            ear,
            hygiene,
            extended: false,
            exchanges: Vec::new(),
            verdict: Verdict::Conformant,
            why: String::new(),
            looks_hostile: false,
            last: None,
        }
    }

    /// Says what only brings the server into a state, and gives what it answers.
    pub(super) async fn prepare(&mut self, command: Command, octets: &[u8]) -> Came {
        let Some(wire) = &mut self.wire else {
            return Came::End;
        };
        wire.send(octets, self.ear.patience).await;
        self.hear(command, &shown(octets), self.ear.patience).await
    }

    /// Sends pieces, and judges the replies.
    pub(super) async fn say(&mut self, pieces: &[Vec<u8>], expects: &[Expect]) -> Go {
        let sent = shown(&pieces.concat());
        self.begin_exchange(sent.clone());
        for (place, piece) in pieces.iter().enumerate() {
            if place > 0 {
                tasks::sleep(BETWEEN_PIECES).await;
            }
            if let Some(wire) = &mut self.wire {
                wire.send(piece, self.ear.patience).await;
            }
        }
        if expects.is_empty() {
            return self.silence().await;
        }
        for (nth, expect) in expects.iter().enumerate() {
            let which = match expects.len() {
                1 => String::new(),
                _ => format!("reply {} of {}: ", nth + 1, expects.len()),
            };
            if self.reply(expect, &sent, &which).await == Go::Stop {
                return Go::Stop;
            }
        }
        Go::On
    }

    /// Judges one reply.
    async fn reply(&mut self, expect: &Expect, sent: &str, which: &str) -> Go {
        match self.hear(expect.command, sent, self.ear.patience).await {
            Came::Heard(heard) => {
                self.note(heard.shown());
                let (verdict, why) = expect.judge(&heard, self.ear.profile);
                self.judged(verdict, format!("{which}{why}"));
                // What comes after a wrong reply, or after 421, says nothing.
                match verdict == Verdict::Violation || heard.code() == Code::new(421) {
                    true => self.hang_up(),
                    false => Go::On,
                }
            }
            Came::Silence => {
                self.note("(nothing)".into());
                match expect.may_be_mute {
                    true => self.judged(Verdict::Conformant, "it waits for the octets".into()),
                    false => {
                        let seconds = self.ear.patience.as_secs();
                        self.judged(
                            Verdict::Violation,
                            format!("{which}no reply came within {seconds} seconds"),
                        );
                    }
                }
                self.hang_up()
            }
            Came::End => {
                self.ended(which, expect.may_be_mute);
                self.hang_up()
            }
        }
    }

    /// The connection has ended where a reply was awaited.
    fn ended(&mut self, which: &str, is_borne: bool) {
        self.note("(end of the connection)".into());
        let closing = [Code::new(421), Code::new(521)];
        let said_so = self
            .last
            .as_ref()
            .is_some_and(|(_, heard)| closing.contains(&heard.code()));
        if is_borne || said_so {
            let why = "the server ended the connection, as it had said";
            return self.judged(Verdict::Tolerated, format!("{which}{why}"));
        }
        let refused = self.last_code().map(Code::severity) == Some(Severity::Permanent);
        if self.looks_hostile && refused {
            let why =
                "the server refuses it and ends the connection, to defend itself (RFC 5321 7.8)";
            return self.judged(Verdict::Tolerated, why.into());
        }
        let why = "the server ended the connection without a 421 (RFC 5321 3.8)";
        self.judged(Verdict::Violation, format!("{which}{why}"));
    }

    /// Nothing may come.
    async fn silence(&mut self) -> Go {
        match self.hear(Command::Any, "", self.ear.quiet).await {
            Came::Silence => {
                self.judged(Verdict::Conformant, "nothing came".into());
                Go::On
            }
            Came::Heard(heard) => {
                self.note(heard.shown());
                self.judged(Verdict::Violation, "a reply came where none may".into());
                self.hang_up()
            }
            Came::End => {
                self.ended("", false);
                self.hang_up()
            }
        }
    }

    /// The server has to end the connection.
    pub(super) async fn closes(&mut self) -> Go {
        self.begin_exchange(String::new());
        match self.hear(Command::Any, "", self.ear.patience).await {
            Came::End => {
                self.note("(end of the connection)".into());
                self.judged(Verdict::Conformant, "the server closes".into());
            }
            Came::Silence => {
                self.note("(nothing)".into());
                let why = "the server leaves the connection open after its 221 (RFC 5321 4.1.1.10)";
                self.judged(Verdict::Violation, why.into());
            }
            Came::Heard(heard) => {
                self.note(heard.shown());
                self.judged(Verdict::Violation, "more came after the last reply".into());
            }
        }
        self.hang_up()
    }

    /// The server may end the connection.
    pub(super) async fn may_close(&mut self) -> Go {
        match self.hear(Command::Any, "", self.ear.quiet).await {
            Came::Silence => Go::On,
            Came::End => self.hang_up(),
            Came::Heard(heard) => {
                self.begin_exchange(String::new());
                self.note(heard.shown());
                if heard.code() != Code::new(421) {
                    self.judged(Verdict::Violation, "a second reply came".into());
                }
                self.hang_up()
            }
        }
    }

    /// Sends octets that no reply may come to, whatever else may.
    pub(super) async fn unanswered(&mut self, octets: &[u8]) -> Go {
        self.begin_exchange(shown(octets));
        if let Some(wire) = &mut self.wire {
            wire.send(octets, self.ear.patience).await;
            while let Came::Heard(heard) = wire.hear(self.ear.quiet).await {
                let text = heard.shown();
                let is_reply = heard.lines.iter().any(|line| line.code().is_some());
                if let Some(exchange) = self.exchanges.last_mut() {
                    exchange.came.push(text);
                }
                if is_reply {
                    self.judged(Verdict::Violation, "a reply came where none may".into());
                    return self.hang_up();
                }
            }
        }
        self.judged(Verdict::Conformant, "no reply came".into());
        Go::On
    }

    /// Changes to TLS, where the last reply was 220.
    pub(super) async fn handshake(&mut self, settings: &Arc<rustls::ClientConfig>) -> Go {
        if self.last_code() != Code::new(220) {
            // It was refused, and that was judged.
            return Go::Stop;
        }
        let Some(wire) = self.wire.take() else {
            return Go::Stop;
        };
        self.begin_exchange("(TLS handshake)".into());
        self.extended = false;
        self.last = None;
        match wire.start_tls(settings, self.ear.patience).await {
            Ok(wire) => {
                self.note("(TLS)".into());
                self.wire = Some(wire);
                Go::On
            }
            Err(error) => {
                self.note(format!("({error})"));
                self.judged(Verdict::Violation, "after its 220 there was no TLS".into());
                Go::Stop
            }
        }
    }

    /// Whether the last reply was one of these.
    pub(super) fn was(&self, codes: &Codes) -> Go {
        match self.last_code().is_some_and(|code| codes.has(code)) {
            true => Go::On,
            false => Go::Stop,
        }
    }

    /// A keyword may not be in the last reply.
    pub(super) fn not_offered(&mut self, keyword: &str) {
        let lines = self
            .last
            .iter()
            .flat_map(|(_, heard)| heard.lines.iter().skip(1));
        let offered = lines
            .map(|line| String::from_utf8_lossy(line.text()).to_ascii_uppercase())
            .any(|text| text.split(' ').next() == Some(keyword));
        match offered {
            true => self.judged(Verdict::Violation, format!("{keyword} is offered")),
            false => self.judged(Verdict::Conformant, format!("{keyword} is not offered")),
        }
    }

    /// Says QUIT, where that can be said: its 221 has to be the next reply.
    pub(super) async fn quit(&mut self, surplus: &str, is_borne: bool) {
        if self.wire.is_none() || !self.takes_commands() {
            return;
        }
        if let Some(wire) = &mut self.wire {
            wire.send(b"QUIT\r\n", self.ear.patience).await;
        }
        let mut first = true;
        while let Came::Heard(heard) = self.hear(Command::Any, "QUIT", self.ear.patience).await {
            let code = heard.code();
            if code == Code::new(221) || code == Code::new(421) {
                return;
            }
            if first {
                self.begin_exchange("QUIT\\r\\n".into());
                let verdict = match is_borne && self.ear.profile != Profile::Strict {
                    true => Verdict::Tolerated,
                    false => Verdict::Violation,
                };
                self.judged(verdict, surplus.to_owned());
            }
            first = false;
            self.note(heard.shown());
        }
        if !first {
            return;
        }
        self.begin_exchange("QUIT\\r\\n".into());
        self.ended("QUIT: ", false);
    }

    /// Whether the server reads commands now: not after a 3yz, nor where another protocol or the other
    /// side's turn has begun.
    fn takes_commands(&self) -> bool {
        let Some((command, heard)) = &self.last else {
            return true;
        };
        let Some(code) = heard.code() else {
            return false;
        };
        let turned = matches!(command, Command::Starttls | Command::Turn | Command::Atrn);
        match code.severity() {
            Severity::Intermediate => false,
            // After 221 it reads no more, whatever QUIT's shape was.
            Severity::Completed => !turned && code.number() != 221,
            Severity::Transient | Severity::Permanent => code.number() != 421,
        }
    }

    async fn hear(&mut self, command: Command, sent: &str, patience: Duration) -> Came {
        let Some(wire) = &mut self.wire else {
            return Came::End;
        };
        let came = wire.hear(patience).await;
        if let Came::Heard(heard) = &came {
            let context = Context {
                command,
                enhanced: self.extended && self.ear.enhanced,
            };
            self.hygiene.look(heard, context, sent);
            let done = heard
                .code()
                .is_some_and(|code| code.severity() == Severity::Completed);
            match command {
                Command::Ehlo if done => self.extended = true,
                Command::Helo if done => self.extended = false,
                _ => {}
            }
            self.last = Some((command, heard.clone()));
        }
        came
    }

    fn last_code(&self) -> Option<Code> {
        self.last.as_ref().and_then(|(_, heard)| heard.code())
    }

    /// Keeps the worst, and of equals the first; of what is well the last.
    fn judged(&mut self, verdict: Verdict, why: String) {
        if verdict > self.verdict || (verdict == Verdict::Conformant && self.verdict == verdict) {
            self.verdict = verdict;
            self.why = why;
        }
    }

    fn begin_exchange(&mut self, sent: String) {
        if self.exchanges.len() >= MOST_EXCHANGES {
            // The end says more than the middle of what is the same again and again.
            self.exchanges.remove(MOST_EXCHANGES / 2);
        }
        let came = Vec::new();
        self.exchanges.push(Exchange { sent, came });
    }

    fn note(&mut self, came: String) {
        if let Some(exchange) = self.exchanges.last_mut() {
            if exchange.came.len() >= MOST_REPLIES {
                exchange.came.remove(MOST_REPLIES / 2);
            }
            exchange.came.push(came);
        }
    }

    fn hang_up(&mut self) -> Go {
        self.wire = None;
        Go::Stop
    }
}
