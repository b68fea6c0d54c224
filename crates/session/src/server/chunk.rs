//! BDAT: a message in chunks, whose octets are read whatever the reply (RFC 3030 2).

use bytes::Bytes;
use postroad_clock::Mono;
use postroad_reply::{Answer, BdatGate, BdatLife, BdatReply, Command as Row, DataReply, Reply};
use postroad_wire::bdat::ChunkReader;
use postroad_wire::command::{Command, SyntaxError, Verb};

use super::command::switched_off;
use super::data::ask_for_place;
use super::desk::Desk;
use super::event::{Closed, Event, Fault};
use super::line_ends::LineEnds;
use super::security::tls_needed;
use super::settings::BareLineEndRule;
use super::state::{
    AskedChunkBegin, AskedChunkEnd, Asking, Chunk, ChunkLine, Chunking, Commands, Flaw, Hello,
    Message, Skipping, State, Transaction,
};
use super::syntax;

impl Commands {
    /// Takes a BDAT line.
    pub(super) fn take_chunk(self, arguments: &[u8], desk: &mut Desk) -> State {
        let line = ChunkLine::read(arguments, desk);
        if let Some(reply) = switched_off(Verb::Bdat, &desk.settings) {
            return match line {
                Ok(line) => self.refuse_chunk(line, reply, desk),
                // Without CHUNKING this is but an unknown verb.
                Err(_) => self.refuse(Row::Bdat, reply, desk),
            };
        }
        let gate = tls_needed(Row::Bdat, desk).or_else(|| Row::Bdat.gate(self.phase()));
        match (line, gate) {
            (Ok(line), None) => self.begin_chunk(line, desk),
            (Ok(line), Some(reply)) => self.refuse_chunk(line, reply, desk),
            (Err(error), gate) => {
                // How many octets follow isn't known, so that no command can be told from them.
                let said =
                    gate.unwrap_or_else(|| syntax::reply(Verb::Bdat, &error, &desk.settings));
                desk.say(said);
                out_of_step(desk);
                State::Commands(self)
            }
        }
    }

    /// Refuses a chunk that has no place here. It counts as junk and not as an error, for others
    /// may be on their way behind one that failed (RFC 3030 2).
    fn refuse_chunk(self, line: ChunkLine, reply: Reply, desk: &mut Desk) -> State {
        if desk.is_too_much_junk(Row::Bdat) {
            return State::Commands(self);
        }
        self.skip(line, reply, 1, desk)
    }

    /// Throws the octets of a refused chunk away before it says why (RFC 3030 2).
    fn skip(self, line: ChunkLine, reply: impl Into<Reply>, replies: u32, desk: &Desk) -> State {
        let bound = desk.settings.limits.discarded;
        State::Skipping(Skipping {
            commands: self,
            reader: ChunkReader::new(line.size.min(bound)),
            beyond: line.size > bound,
            reply: reply.into(),
            replies,
        })
    }

    fn begin_chunk(self, line: ChunkLine, desk: &mut Desk) -> State {
        let Commands { hello, transaction } = self;
        match transaction {
            Transaction::Open(open) => {
                let message = Message::new(&open, &desk.settings);
                if line.size > message.most {
                    desk.abandon(open.id);
                    let replies = message.replies_to(line);
                    return after_failure(hello, line).skip(line, BdatGate::TooBig, replies, desk);
                }
                ask_for_place(open.id, desk);
                State::Asking(Asking::ChunkBegin(AskedChunkBegin {
                    hello,
                    binary: open.binary,
                    message,
                    line,
                }))
            }
            Transaction::Chunking(mut chunking)
                if chunking.taken.saturating_add(line.size) > chunking.message.most =>
            {
                chunking.message.spoil(Flaw::TooBig, desk);
                let replies = chunking.message.replies_to(line);
                after_failure(hello, line).skip(line, BdatGate::TooBig, replies, desk)
            }
            Transaction::Chunking(chunking) => {
                // The end of the session is seen after this step, and abandons the transaction.
                if line.size == 0 && !line.last {
                    desk.is_too_much_junk(Row::Bdat);
                }
                State::Chunk(Chunk::new(hello, chunking, line))
            }
            // The table lets BDAT through only in the two above.
            Transaction::None | Transaction::ChunkFailed => {
                Commands { hello, transaction }.skip(line, BdatGate::BadSequence, 1, desk)
            }
        }
    }
}

impl ChunkLine {
    /// Reads what follows BDAT.
    fn read(arguments: &[u8], desk: &Desk) -> Result<ChunkLine, SyntaxError> {
        match Verb::Bdat.parse(arguments, &desk.settings.grammar(true))? {
            Command::Bdat { size, last } => Ok(ChunkLine { size, last }),
            // BDAT parses to nothing else.
            _ => Err(SyntaxError::MissingArgument("the size of the chunk")),
        }
    }
}

/// Where the session stands after a chunk that failed. After the last one the transaction is
/// over as after any end of data; before it others may be on their way, and the client has to
/// reset.
fn after_failure(hello: Hello, line: ChunkLine) -> Commands {
    let transaction = if line.last {
        Transaction::None
    } else {
        Transaction::ChunkFailed
    };
    Commands { hello, transaction }
}

/// Ends the session because commands can't be told from octets of a message any more.
fn out_of_step(desk: &mut Desk) {
    desk.say(BdatLife::OutOfStep);
    desk.ending = Some(Closed::OutOfStep);
}

impl Skipping {
    /// Throws away what came of the chunk.
    pub(super) fn read(mut self, input: &mut Bytes, now: Mono, desk: &mut Desk) -> State {
        if !self.reader.read(input).is_empty() {
            desk.since = now;
        }
        if self.reader.left() > 0 {
            return State::Skipping(self);
        }
        if self.beyond {
            out_of_step(desk);
        } else {
            desk.say_times(self.reply, self.replies);
        }
        State::Commands(self.commands)
    }
}

impl Message {
    /// How many replies a chunk gets: as many as the message, if it is the last (RFC 2033 4.2).
    fn replies_to(&self, line: ChunkLine) -> u32 {
        if line.last { self.replies } else { 1 }
    }
}

impl AskedChunkBegin {
    /// An accepting answer isn't said: BDAT is answered once its octets have come.
    pub(super) fn settle(self, answer: Answer<DataReply>, desk: &mut Desk) -> State {
        if *answer.said() == DataReply::GoAhead {
            let chunking = Chunking {
                message: self.message,
                taken: 0,
                line_ends: (!self.binary).then(LineEnds::default),
            };
            return State::Chunk(Chunk::new(self.hello, chunking, self.line));
        }
        desk.abandon(self.message.id);
        let reply = Answer::<BdatReply>::from(answer);
        let replies = self.message.replies_to(self.line);
        after_failure(self.hello, self.line).skip(self.line, reply, replies, desk)
    }
}

impl Chunk {
    fn new(hello: Hello, chunking: Chunking, line: ChunkLine) -> Chunk {
        Chunk {
            hello,
            chunking,
            reader: ChunkReader::new(line.size),
            line,
        }
    }

    /// Takes what came of the chunk.
    pub(super) fn read(mut self, input: &mut Bytes, now: Mono, desk: &mut Desk) -> State {
        let octets = self.reader.read(input);
        if !octets.is_empty() {
            desk.since = now;
            self.chunking.take(octets, desk);
        }
        if self.reader.left() > 0 {
            return State::Chunk(self);
        }
        if self.line.last {
            self.chunking.end(desk);
        }
        let said = match self.chunking.message.flaw {
            None if self.line.last => return self.chunking.message.ask(self.hello, true, desk),
            None => return self.ask(desk),
            Some(Flaw::TooBig) => BdatGate::TooBig,
            Some(Flaw::BareLineEnd) => BdatGate::BareLineEnd,
        };
        desk.say_times(said, self.chunking.message.replies_to(self.line));
        State::Commands(after_failure(self.hello, self.line))
    }

    fn ask(self, desk: &mut Desk) -> State {
        desk.ask(|ticket| Event::ChunkEnd { ticket });
        State::Asking(Asking::ChunkEnd(AskedChunkEnd {
            hello: self.hello,
            chunking: self.chunking,
        }))
    }
}

impl Chunking {
    fn take(&mut self, octets: Bytes, desk: &mut Desk) {
        self.taken = self.taken.saturating_add(octets.len() as u64);
        let Some(line_ends) = &mut self.line_ends else {
            return self.message.tell(octets, desk);
        };
        match desk.settings.bare_line_ends {
            BareLineEndRule::Refuse => {
                if line_ends.are_broken_by(&octets) {
                    self.message.spoil(Flaw::BareLineEnd, desk);
                }
                self.message.tell(octets, desk);
            }
            BareLineEndRule::Normalise => {
                let octets = line_ends.normalise(octets);
                self.tell_normalised(octets, desk);
            }
        }
    }

    /// A CR at the very end of the message is a bare one.
    fn end(&mut self, desk: &mut Desk) {
        if !self.line_ends.as_ref().is_some_and(LineEnds::end_broken) {
            return;
        }
        match desk.settings.bare_line_ends {
            BareLineEndRule::Refuse => self.message.spoil(Flaw::BareLineEnd, desk),
            BareLineEndRule::Normalise => {
                self.tell_normalised(Bytes::from_static(b"\r\n"), desk);
            }
        }
    }

    /// Normalising makes a message longer, and the maximum holds for what it becomes.
    fn tell_normalised(&mut self, octets: Bytes, desk: &mut Desk) {
        let size = self.message.told.saturating_add(octets.len() as u64);
        if size > self.message.most {
            self.message.spoil(Flaw::TooBig, desk);
        }
        self.message.tell(octets, desk);
    }
}

impl AskedChunkEnd {
    pub(super) fn settle(self, answer: Answer<BdatReply>, desk: &mut Desk) -> State {
        let reply: Reply = match answer.said() {
            BdatReply::ChunkTaken => {
                desk.say(answer);
                return State::Commands(Commands {
                    hello: self.hello,
                    transaction: Transaction::Chunking(self.chunking),
                });
            }
            BdatReply::Accepted(_) | BdatReply::Discarded(_) => {
                desk.fault(Fault::EarlyReceipt);
                BdatReply::LocalError.into()
            }
            _ => answer.into(),
        };
        desk.abandon(self.chunking.message.id);
        desk.say(reply);
        State::Commands(Commands {
            hello: self.hello,
            transaction: Transaction::ChunkFailed,
        })
    }
}
