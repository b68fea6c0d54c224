//! What a server's replies lead to.

use postroad_clock::Mono;
use postroad_reply::{Command as Row, Severity};
use postroad_wire::command::Command;
use postroad_wire::data::DataWriter;
use postroad_wire::extension::Extensions;
use postroad_wire::peer::Protocol;
use postroad_wire::reply::PeerReply;

use super::envelope::Envelope;
use super::event::{Closed, Event, Finish};
use super::{Awaited, Body, ClientSession, Ending, Stage};

/// The reply after which a server closes the connection (RFC 5321 3.8).
const CLOSING: u16 = 421;

impl ClientSession {
    pub(super) fn take_reply(&mut self, reply: PeerReply, now: Mono) {
        self.since = now;
        let Some(awaited) = self.awaited.pop_front() else {
            return self.take_unasked(reply);
        };
        // An unknown code is taken by its first digit (RFC 5321 4.3.2).
        let severity = awaited.row().meaning(reply.code).severity();
        let ends = reply.code.number() == CLOSING;
        let farewell = ends.then(|| reply.clone());
        match awaited {
            Awaited::Greeting | Awaited::Ehlo | Awaited::Lhlo | Awaited::Helo => {
                self.open(awaited, severity, reply, now);
            }
            Awaited::Mail | Awaited::Rcpt(_) | Awaited::Data => {
                self.take_envelope_reply(awaited, severity, reply, now);
            }
            Awaited::Chunk => self.take_chunk_reply(severity, reply, now),
            Awaited::EndOfData(of) => self.take_final_reply(of, severity, reply, now),
            Awaited::Rset if severity == Severity::Completed => self.get_ready(),
            Awaited::Rset => self.close(Closed::Unwelcome {
                command: Row::Rset,
                reply,
            }),
            Awaited::Quit => self.close(Closed::Quit),
        }
        if let Some(farewell) = farewell {
            self.close(Closed::Ended(farewell));
        }
    }

    /// Unasked a reply can only be a farewell, or refuse a message that is still being sent.
    fn take_unasked(&mut self, reply: PeerReply) {
        if reply.code.number() == CLOSING {
            return self.close(Closed::Ended(reply));
        }
        let sends_data = matches!(
            self.stage,
            Stage::Body {
                how: Body::Data(_),
                ..
            }
        );
        let refuses = matches!(reply.severity(), Severity::Transient | Severity::Permanent);
        // Not with LMTP, where it would be for one recipient of several.
        if sends_data && refuses && self.protocol == Protocol::Smtp {
            let finish = Finish::Refused {
                command: Row::EndOfData,
                reply: reply.clone(),
            };
            self.stage = Stage::Ending(Ending::Failed(finish));
        }
        self.close(Closed::OutOfStep(reply));
    }

    /// The greeting, then EHLO, then HELO where EHLO isn't known (RFC 5321 3.2); or LHLO.
    fn open(&mut self, awaited: Awaited, severity: Severity, reply: PeerReply, now: Mono) {
        match (awaited, severity) {
            (Awaited::Greeting, Severity::Completed) => match self.protocol {
                Protocol::Smtp => {
                    let ehlo = Command::Ehlo(self.name.clone());
                    self.command(&ehlo, Awaited::Ehlo, now);
                }
                Protocol::Lmtp => {
                    let lhlo = Command::Lhlo(self.name.clone());
                    self.command(&lhlo, Awaited::Lhlo, now);
                }
            },
            (Awaited::Ehlo | Awaited::Lhlo, Severity::Completed) => {
                let lines = reply.lines.iter().skip(1);
                self.offered = Extensions::read(lines.map(|line| line.as_str()));
                self.get_ready();
            }
            (Awaited::Ehlo, Severity::Permanent) => {
                let helo = Command::Helo(self.name.clone());
                self.command(&helo, Awaited::Helo, now);
            }
            (Awaited::Helo, Severity::Completed) => self.get_ready(),
            _ => self.close(Closed::Unwelcome {
                command: awaited.row(),
                reply,
            }),
        }
    }

    fn get_ready(&mut self) {
        self.stage = Stage::Ready;
        self.events.push_back(Event::Ready(self.offered.clone()));
    }

    fn take_envelope_reply(
        &mut self,
        awaited: Awaited,
        severity: Severity,
        reply: PeerReply,
        now: Mono,
    ) {
        let Stage::Envelope(envelope) = &mut self.stage else {
            return self.close(Closed::OutOfStep(reply));
        };
        match (awaited, severity) {
            // There is only one command that a 3yz answers: with this one the server has lost count.
            (Awaited::Mail | Awaited::Rcpt(_), Severity::Intermediate)
            | (Awaited::Data, Severity::Completed) => {
                return self.close(Closed::OutOfStep(reply));
            }
            (Awaited::Rcpt(index), _) => {
                if severity == Severity::Completed {
                    envelope.accepted.push(index);
                }
                // After a refused MAIL these only say 503.
                if envelope.failed.is_none() {
                    self.events.push_back(Event::Recipient { index, reply });
                }
            }
            (Awaited::Data, Severity::Intermediate) => return self.begin_data(reply, now),
            (Awaited::Mail, Severity::Completed) => {}
            // A pipelined DATA is refused because nobody was accepted.
            (Awaited::Data, _) if envelope.accepted.is_empty() => {
                envelope.fail(Finish::NoRecipients)
            }
            _ => {
                let command = awaited.row();
                envelope.fail(Finish::Refused { command, reply });
            }
        }
        self.go_on_with_envelope(now);
    }

    /// 354 has come.
    fn begin_data(&mut self, reply: PeerReply, now: Mono) {
        let Stage::Envelope(envelope) = &mut self.stage else {
            return;
        };
        let failed = envelope.take_failure();
        let accepted = core::mem::take(&mut envelope.accepted);
        match failed {
            None => {
                let how = Body::Data(DataWriter::new());
                self.stage = Stage::Body { how, accepted };
                self.events.push_back(Event::WantsBody);
            }
            // MAIL was refused, and yet there is somebody who would get an empty message.
            Some(finish) if !accepted.is_empty() => {
                self.stage = Stage::Ending(Ending::Failed(finish));
                return self.close(Closed::OutOfStep(reply));
            }
            // DATA was pipelined, and the server wants a message for nobody: it gets an empty
            // one, which it has to refuse (RFC 2920 3.1).
            Some(finish) => {
                DataWriter::new().finish(&mut self.out);
                self.awaited.push_back(Awaited::EndOfData(None));
                self.stage = Stage::Ending(Ending::Failed(finish));
            }
        }
        self.since = now;
    }

    /// Sends what comes next, or what follows from all the replies.
    fn go_on_with_envelope(&mut self, now: Mono) {
        let Stage::Envelope(envelope) = &mut self.stage else {
            return;
        };
        let only_data_is_left = matches!(envelope.unsent.front(), Some((_, Awaited::Data)));
        if self.awaited.is_empty() && (only_data_is_left || envelope.unsent.is_empty()) {
            match envelope.take_failure() {
                Some(finish) => return self.finish(finish, now),
                None if envelope.unsent.is_empty() => {
                    let accepted = core::mem::take(&mut envelope.accepted);
                    let how = Body::Chunks;
                    self.stage = Stage::Body { how, accepted };
                    self.events.push_back(Event::WantsBody);
                    return;
                }
                None => {}
            }
        }
        self.send_envelope(now);
    }

    fn take_chunk_reply(&mut self, severity: Severity, reply: PeerReply, now: Mono) {
        if severity == Severity::Intermediate {
            return self.close(Closed::OutOfStep(reply));
        }
        if severity != Severity::Completed {
            // No further chunk may be sent (RFC 3030 2); those on their way are answered yet.
            if let Stage::Body { .. } | Stage::Ending(Ending::Answer) = self.stage {
                self.stage = Stage::Ending(Ending::Failed(Finish::Refused {
                    command: Row::Bdat,
                    reply,
                }));
            }
        }
        self.finish_if_failed(now);
    }

    fn take_final_reply(
        &mut self,
        of: Option<usize>,
        severity: Severity,
        reply: PeerReply,
        now: Mono,
    ) {
        let Stage::Ending(Ending::Answer) = self.stage else {
            return self.finish_if_failed(now);
        };
        if severity == Severity::Intermediate {
            return self.close(Closed::OutOfStep(reply));
        }
        let ends = reply.code.number() == CLOSING;
        let finish = match of {
            None => Finish::Answered(reply),
            Some(index) => {
                self.events.push_back(Event::Delivery { index, reply });
                if !self.awaited.is_empty() {
                    return;
                }
                Finish::AnsweredEach
            }
        };
        self.events.push_back(Event::Finished(finish));
        self.stage = Stage::Ready;
        if !ends {
            self.get_ready();
        }
    }

    /// Tells of a failure once every reply has come.
    fn finish_if_failed(&mut self, now: Mono) {
        if !self.awaited.is_empty() {
            return;
        }
        match core::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Ending(Ending::Failed(finish)) => self.finish(finish, now),
            other => self.stage = other,
        }
    }

    /// Tells of a failure, and clears the server's buffers for the next message.
    fn finish(&mut self, finish: Finish, now: Mono) {
        self.events.push_back(Event::Finished(finish));
        self.stage = Stage::Resetting;
        self.command(&Command::Rset, Awaited::Rset, now);
    }
}

impl Envelope {
    /// Nothing more of it is sent.
    fn fail(&mut self, finish: Finish) {
        self.unsent.clear();
        if self.failed.is_none() {
            self.failed = Some(finish);
        }
    }

    /// Why the message can't be sent, if it can't.
    fn take_failure(&mut self) -> Option<Finish> {
        let nobody = self.accepted.is_empty().then_some(Finish::NoRecipients);
        self.failed.take().or(nobody)
    }
}
