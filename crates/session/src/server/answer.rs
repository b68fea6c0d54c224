//! Answers, taken to the state that asked.

use postroad_reply::{
    Answer, AtrnReply, AuthReply, BdatReply, Closing, Command as Row, ConnectReply, DataReply,
    EndOfDataReply, EtrnReply, ExpnReply, HelpReply, MailReply, RcptReply, SamlReply, SendReply,
    SomlReply, StarttlsReply, TurnReply, VrfyReply,
};

use postroad_wire::peer::Protocol;

use super::ServerSession;
use super::desk::Desk;
use super::event::{Closed, Fault};
use super::question::Answered;
use super::state::{Asking, Commands, Hello, State, Turned};

impl ServerSession {
    /// Takes the answer for one place of the open question.
    pub(super) fn settle(&mut self, place: usize, answered: Answered) {
        let State::Asking(asking) = core::mem::replace(&mut self.state, State::Ended) else {
            return;
        };
        self.state = asking.settle(place, answered, &mut self.desk);
    }

    /// Answers for tickets that were dropped.
    pub(super) fn replace_lost(&mut self) {
        let State::Asking(_) = self.state else {
            return;
        };
        let mut lost = self.desk.tickets.lost();
        while lost != 0 {
            let place = lost.trailing_zeros() as usize;
            lost &= lost - 1;
            self.desk.fault(Fault::LostTicket);
            match self.state.when_lost() {
                Some(answered) => self.settle(place, answered),
                // The rows of HELO, EHLO and LHLO have no temporary reply but 421.
                None => self.desk.end(self.state.command(), Closing::Stopping),
            }
        }
    }
}

impl State {
    /// The nearest temporary reply of the row that is asked about.
    fn when_lost(&self) -> Option<Answered> {
        let State::Asking(asking) = self else {
            return None;
        };
        match asking {
            Asking::Connect => Some(ConnectReply::Unavailable.into()),
            Asking::Hello(_) => None,
            Asking::Lookup(asked) if asked.command == Row::Vrfy => {
                Some(VrfyReply::NotVerified.into())
            }
            Asking::Lookup(_) => Some(ExpnReply::NotExpanded.into()),
            Asking::Status(_) => Some(HelpReply::TopicUnknown.into()),
            Asking::StartTls(_) => Some(StarttlsReply::Unavailable.into()),
            Asking::Auth(_) => Some(AuthReply::Unavailable.into()),
            Asking::Role(asked) if asked.command == Row::Etrn => Some(EtrnReply::Unable.into()),
            Asking::Role(asked) if asked.command == Row::Turn => Some(TurnReply::Refused.into()),
            Asking::Role(_) => Some(AtrnReply::Unable.into()),
            Asking::Mail(asked) => Some(match asked.command {
                Row::Send => SendReply::LocalError.into(),
                Row::Soml => SomlReply::LocalError.into(),
                Row::Saml => SamlReply::LocalError.into(),
                _ => MailReply::LocalError.into(),
            }),
            Asking::Recipients(_) => Some(RcptReply::LocalError.into()),
            Asking::Data(_) | Asking::ChunkBegin(_) => Some(DataReply::LocalError.into()),
            Asking::ChunkEnd(_) => Some(BdatReply::LocalError.into()),
            Asking::EndOfData(_) => Some(EndOfDataReply::LocalError.into()),
        }
    }
}

impl Asking {
    fn settle(self, place: usize, answered: Answered, desk: &mut Desk) -> State {
        match (self, answered) {
            (Asking::Connect, Answered::Connect(answer)) => greet(answer, desk),
            (Asking::Hello(asked), Answered::Helo(answer)) => asked.settle_helo(answer, desk),
            (Asking::Hello(asked), Answered::Ehlo(answer)) => asked.settle_ehlo(answer, desk),
            (Asking::Hello(asked), Answered::Lhlo(answer)) => asked.settle_lhlo(answer, desk),
            (Asking::Status(commands), Answered::Help(answer)) => {
                commands.settle_status(answer, desk)
            }
            (Asking::Lookup(asked), Answered::Vrfy(answer)) => asked.settle_vrfy(answer, desk),
            (Asking::Lookup(asked), Answered::Expn(answer)) => asked.settle_expn(answer, desk),
            (Asking::StartTls(commands), Answered::Starttls(answer)) => {
                commands.settle_starttls(answer, desk)
            }
            (Asking::Auth(asked), Answered::Auth(answer)) => asked.settle(answer, desk),
            (Asking::Role(asked), Answered::Etrn(answer)) => asked.settle_etrn(answer, desk),
            (Asking::Role(asked), Answered::Atrn(answer)) => asked.settle_atrn(answer, desk),
            (Asking::Role(asked), Answered::Turn(answer)) => asked.settle_turn(answer, desk),
            (Asking::Mail(asked), Answered::Mail(answer)) => asked.settle(answer, desk),
            (Asking::Mail(asked), Answered::Send(answer)) => asked.settle_send(answer, desk),
            (Asking::Mail(asked), Answered::Soml(answer)) => asked.settle_soml(answer, desk),
            (Asking::Mail(asked), Answered::Saml(answer)) => asked.settle_saml(answer, desk),
            (Asking::Recipients(run), Answered::Rcpt(answer)) => run.settle(place, answer, desk),
            (Asking::Data(asked), Answered::Data(answer)) => asked.settle(answer, desk),
            (Asking::ChunkBegin(asked), Answered::Data(answer)) => asked.settle(answer, desk),
            (Asking::ChunkEnd(asked), Answered::Bdat(answer)) => asked.settle(answer, desk),
            (Asking::EndOfData(asked), Answered::EndOfData(answer)) => asked.settle(answer, desk),
            // A ticket of the open question has the row it was asked about.
            (asking, _) => State::Asking(asking),
        }
    }
}

/// The greeting (RFC 5321 3.1).
fn greet(answer: Answer<ConnectReply>, desk: &mut Desk) -> State {
    let (state, ending) = match answer.said() {
        ConnectReply::Ready | ConnectReply::LmtpReady => {
            (State::Commands(Commands::idle(Hello::None)), None)
        }
        ConnectReply::Refused => (State::Turned(Turned::NoService), None),
        ConnectReply::Unavailable | ConnectReply::Congested => {
            (State::Ended, Some(Closed::Ended(Closing::Stopping)))
        }
        ConnectReply::LimitReached | ConnectReply::Deferred => {
            (State::Ended, Some(Closed::Ended(Closing::LimitPassed)))
        }
    };
    match answer.said() {
        // RFC 2033 3: what is spoken is the listener's to know.
        ConnectReply::Ready if desk.settings.protocol == Protocol::Lmtp => {
            desk.say(ConnectReply::LmtpReady);
        }
        _ => desk.say(answer),
    }
    desk.ending = ending.or(desk.ending.take());
    state
}
