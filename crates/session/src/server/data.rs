//! DATA and the message after it; the end of data, however it came.

use bytes::Bytes;
use postroad_clock::Mono;
use postroad_reply::{
    Answer, BdatReply, Closing, Command as Row, Data as DataRow, DataGate, DataReply,
    EndOfDataGate, EndOfDataReply, Reply, TransactionId,
};
use postroad_wire::data::{BareLineEnds, Data, DataReader};

use super::desk::Desk;
use super::event::{Event, Fault};
use super::settings::BareLineEndRule;
use super::state::{
    AskedData, AskedEnd, Asking, Commands, Flaw, Hello, Message, Receiving, State, Transaction,
};

impl Commands {
    pub(super) fn data(self, desk: &mut Desk) -> State {
        let Transaction::Open(open) = self.transaction else {
            // The table lets DATA through only while one is open.
            return self.refuse(Row::Data, DataGate::BadSequence, desk);
        };
        ask_for_place(open.id, desk);
        State::Asking(Asking::Data(AskedData {
            hello: self.hello,
            message: Message::new(&open, &desk.settings),
        }))
    }
}

/// Asks whether there is a place for the message.
pub(super) fn ask_for_place(transaction: TransactionId, desk: &mut Desk) {
    desk.ask::<DataRow>(|ticket| Event::DataBegin {
        ticket,
        transaction,
    });
}

impl AskedData {
    pub(super) fn settle(self, answer: Answer<DataReply>, desk: &mut Desk) -> State {
        let may_come = *answer.said() == DataReply::GoAhead;
        desk.say(answer);
        if !may_come {
            desk.abandon(self.message.id);
            return State::Commands(Commands::idle(self.hello));
        }
        let bare = match desk.settings.bare_line_ends {
            BareLineEndRule::Refuse => BareLineEnds::Keep,
            BareLineEndRule::Normalise => BareLineEnds::Normalise,
        };
        State::Data(Receiving {
            hello: self.hello,
            reader: DataReader::new(self.message.most, bare),
            message: self.message,
        })
    }
}

impl Receiving {
    /// Takes the next octets, up to the end of data.
    pub(super) fn read(mut self, input: &mut Bytes, now: Mono, desk: &mut Desk) -> State {
        let had = input.len();
        let found = self.reader.read(input);
        if input.len() < had {
            desk.since = now;
        }
        self.look_for_flaws(desk);
        match found {
            Some(Data::End) => return self.finish(desk),
            Some(Data::Octets(octets)) => self.message.tell(octets, desk),
            None => {}
        }
        let limits = &desk.settings.limits;
        let bound = self.message.most.saturating_add(limits.discarded);
        if self.message.flaw.is_some() && self.reader.octets() > bound {
            desk.end(Row::EndOfData, Closing::LimitPassed);
        }
        State::Data(self)
    }

    fn look_for_flaws(&mut self, desk: &mut Desk) {
        let refuses_bare = desk.settings.bare_line_ends == BareLineEndRule::Refuse;
        let has_bare = self.reader.bare_cr().is_some() || self.reader.bare_lf().is_some();
        if self.reader.is_over_maximum() {
            self.message.spoil(Flaw::TooBig, desk);
        } else if refuses_bare && has_bare {
            self.message.spoil(Flaw::BareLineEnd, desk);
        }
    }

    fn finish(self, desk: &mut Desk) -> State {
        let said = match self.message.flaw {
            None => return self.message.ask(self.hello, false, desk),
            Some(Flaw::TooBig) => EndOfDataGate::TooBig,
            Some(Flaw::BareLineEnd) => EndOfDataGate::BareLineEnd,
        };
        desk.say_times(said, self.message.replies);
        State::Commands(Commands::idle(self.hello))
    }
}

impl Message {
    /// Hands octets to the driver, unless they are of a message that will be refused.
    pub(super) fn tell(&mut self, octets: Bytes, desk: &mut Desk) {
        if self.flaw.is_none() && !octets.is_empty() {
            self.told += octets.len() as u64;
            desk.events.push_back(Event::Octets(octets));
        }
    }

    /// Takes note that the message will be refused at its end.
    pub(super) fn spoil(&mut self, flaw: Flaw, desk: &mut Desk) {
        if self.flaw.is_none() {
            self.flaw = Some(flaw);
            desk.abandon(self.id);
        }
    }

    /// Asks what becomes of the message.
    pub(super) fn ask(self, hello: Hello, chunked: bool, desk: &mut Desk) -> State {
        desk.ask(|ticket| Event::EndOfData {
            ticket,
            transaction: self.id,
            octets: self.told,
        });
        State::Asking(Asking::EndOfData(AskedEnd {
            hello,
            id: self.id,
            chunked,
            replies: self.replies,
            then: None,
        }))
    }
}

impl AskedEnd {
    /// Whatever is said, the transaction is over.
    pub(super) fn settle(self, answer: Answer<EndOfDataReply>, desk: &mut Desk) -> State {
        let reply = self.reply(answer, desk);
        desk.say_times(reply, self.replies);
        self.over(desk)
    }

    /// What an answer comes to by the command that ended the message.
    pub(super) fn reply(&self, answer: Answer<EndOfDataReply>, desk: &mut Desk) -> Reply {
        let answer = self.checked(answer, desk);
        if let EndOfDataReply::Accepted(_) | EndOfDataReply::Discarded(_) = answer.said() {
            desk.tally.junk = 0;
        }
        if self.chunked {
            Answer::<BdatReply>::from(answer).into()
        } else {
            answer.into()
        }
    }

    /// All is said.
    pub(super) fn over(self, desk: &mut Desk) -> State {
        if let Some(why) = self.then {
            desk.end(Row::Any, why);
        }
        State::Commands(Commands::idle(self.hello))
    }

    /// A receipt counts only for its own transaction: a 250 after data means that this message
    /// is on disk, and no other.
    fn checked(&self, answer: Answer<EndOfDataReply>, desk: &mut Desk) -> Answer<EndOfDataReply> {
        let EndOfDataReply::Accepted(receipt) = answer.said() else {
            return answer;
        };
        if receipt.transaction() == self.id {
            return answer;
        }
        desk.fault(Fault::ForeignReceipt {
            expected: self.id,
            given: receipt.transaction(),
        });
        EndOfDataReply::LocalError.into()
    }
}
