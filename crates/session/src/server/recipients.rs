//! RCPT: runs of recipients, asked about together and answered in order.

use alloc::vec::Vec;

use bytes::Bytes;
use postroad_clock::Mono;
use postroad_reply::{
    Answer, Closing, Command as Row, RcptGate, RcptReply, Reply, Severity, Situated,
};
use postroad_wire::address::ForwardPath;
use postroad_wire::command::{Command, Verb};
use postroad_wire::parameter::RcptParameters;
use postroad_wire::peer::Protocol;

use super::command::Read;
use super::desk::Desk;
use super::event::{Event, Recipient};
use super::state::{Asking, Commands, Open, Place, Run, State, Transaction};
use super::syntax;
use super::ticket::Tickets;

impl Commands {
    /// The first RCPT of a run.
    pub(super) fn rcpt(
        self,
        forward_path: ForwardPath,
        parameters: RcptParameters,
        desk: &mut Desk,
    ) -> State {
        let Transaction::Open(open) = self.transaction else {
            // The table lets RCPT through only while one is open.
            return self.refuse(Row::Rcpt, RcptGate::BadSequence, desk);
        };
        desk.tickets.open_question();
        let mut run = Run {
            hello: self.hello,
            open,
            places: Vec::new(),
            asked: Vec::new(),
        };
        run.add(forward_path, parameters, desk);
        State::Collecting(run)
    }
}

impl Run {
    /// Adds the next line if it is a RCPT, or asks about those there are.
    pub(super) fn collect(mut self, input: &mut Bytes, now: Mono, desk: &mut Desk) -> State {
        // What is refused may make room for others; they are tried in the next run.
        let room = desk
            .settings
            .limits
            .recipients
            .saturating_sub(self.open.accepted) as usize;
        let is_full =
            self.places.len() >= Tickets::PLACES || (room > 0 && self.asked.len() >= room);
        if is_full {
            return self.ask(desk);
        }
        let Some(line) = desk.next_line(input, now) else {
            // A run isn't kept waiting for what may never come.
            return self.ask(desk);
        };
        match Read::of(&line) {
            Read::Verb(Verb::Rcpt, arguments) => {
                self.add_line(&arguments, desk);
                State::Collecting(self)
            }
            _ => {
                desk.held = Some(line);
                self.ask(desk)
            }
        }
    }

    fn add_line(&mut self, arguments: &[u8], desk: &mut Desk) {
        let grammar = desk.settings.grammar(self.hello.is_extended());
        match Verb::Rcpt.parse(arguments, &grammar) {
            Ok(Command::Rcpt {
                forward_path,
                parameters,
            }) => self.add(forward_path, parameters, desk),
            // RCPT parses to nothing else.
            Ok(_) => self.places.push(Place::Error(RcptGate::BadSequence.into())),
            Err(error) => {
                let reply = syntax::reply(Verb::Rcpt, &error, &desk.settings);
                self.places.push(Place::Error(reply));
            }
        }
    }

    fn add(&mut self, forward_path: ForwardPath, parameters: RcptParameters, desk: &mut Desk) {
        if self.open.accepted >= desk.settings.limits.recipients {
            return self.places.push(Place::TooMany);
        }
        // RFC 6531 3.5.
        if !forward_path.is_ascii() && !self.open.smtputf8 {
            return self
                .places
                .push(Place::Answered(RcptReply::NotAscii.into()));
        }
        self.asked.push(Recipient {
            ticket: desk.tickets.issue(self.places.len()),
            forward_path,
            parameters,
        });
        self.places.push(Place::Asked);
    }

    /// Asks about those that aren't decided yet.
    fn ask(mut self, desk: &mut Desk) -> State {
        if !self.asked.is_empty() {
            let asked = core::mem::take(&mut self.asked);
            desk.events.push_back(Event::Recipients(asked));
        }
        self.go_on(desk)
    }

    /// Takes the answer for one place.
    pub(super) fn settle(
        mut self,
        place: usize,
        answer: Answer<RcptReply>,
        desk: &mut Desk,
    ) -> State {
        if let Some(place @ Place::Asked) = self.places.get_mut(place) {
            *place = Place::Answered(answer);
        }
        self.go_on(desk)
    }

    /// Says all the replies once there are all.
    fn go_on(mut self, desk: &mut Desk) -> State {
        if self
            .places
            .iter()
            .any(|place| matches!(place, Place::Asked))
        {
            return State::Asking(Asking::Recipients(self));
        }
        for place in core::mem::take(&mut self.places) {
            // 421 ends the session; what comes after it isn't answered any more.
            if desk.ending.is_none() {
                self.open.say(place, desk);
            }
        }
        State::Commands(Commands {
            hello: self.hello,
            transaction: Transaction::Open(self.open),
        })
    }
}

impl Open {
    /// A RCPT was answered. Where all of them are refused, DATA gets 503 in LMTP as if there had been none
    /// (RFC 2033 4.2).
    pub(super) fn was_tried(&mut self, desk: &Desk) {
        self.tried = desk.settings.protocol == Protocol::Smtp;
    }

    fn say(&mut self, place: Place, desk: &mut Desk) {
        self.was_tried(desk);
        match place {
            Place::Asked => {}
            Place::Error(reply) => desk.refuse(Row::Rcpt, reply),
            Place::TooMany => self.put_off(RcptGate::TooManyRecipients.into(), desk),
            Place::Answered(answer) => {
                let severity = answer.said().situation().code.severity();
                self.count(severity, answer.into(), desk);
            }
        }
    }

    fn count(&mut self, severity: Severity, reply: Reply, desk: &mut Desk) {
        match severity {
            Severity::Completed => self.accepted += 1,
            Severity::Permanent => {
                desk.tally.refused_recipients += 1;
                // Somebody tries out names.
                if desk.tally.refused_recipients > desk.settings.limits.refused_recipients {
                    return desk.end(Row::Rcpt, Closing::LimitPassed);
                }
            }
            Severity::Intermediate | Severity::Transient => return self.put_off(reply, desk),
        }
        desk.say(reply);
    }

    /// Refuses a recipient for now. A client that pipelines may send as many beyond the limit as
    /// the limit is, and keeps those that were accepted; what comes after them is an error.
    fn put_off(&mut self, reply: Reply, desk: &mut Desk) {
        self.put_off += 1;
        if self.put_off > desk.settings.limits.recipients {
            return desk.refuse(Row::Rcpt, reply);
        }
        desk.say(reply);
    }
}
