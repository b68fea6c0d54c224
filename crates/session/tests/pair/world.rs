//! A client and a server session, two queues of octets between them, and a clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::{
    BdatReply, Closing, Command, ConnectReply, DataReply, EhloReply, EndOfDataReply, HeloReply,
    MailReply, QueueId, RcptReply, Receipt,
};
use postroad_session::client::{self, ClientSession, Finish, Outgoing, Timeouts};
use postroad_session::server::{self, ServerSession, SessionId, Settings, Want};
use postroad_wire::address::{HeloName, Limits};
use postroad_wire::peer::Protocol;

/// Everything that can be seen of a conversation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What the client was told, the extensions left out.
    pub(crate) client: Vec<client::Event>,
    /// Messages the server answered with a receipt.
    pub(crate) accepted: Vec<Vec<u8>>,
    /// Transactions that came to nothing.
    pub(crate) abandoned: usize,
    /// Why the server's half ended.
    pub(crate) closed: Option<server::Closed>,
    /// The commands the server replied to, in order.
    pub(crate) replied: Vec<(Command, &'static str)>,
}

/// A message to be sent: its envelope, and its octets in the pieces they are supplied in.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) outgoing: Outgoing,
    pub(crate) pieces: Vec<Vec<u8>>,
}

/// What happens, beside what the two sessions decide.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// How the server's driver answers, one number a question; 0 or none left accepts.
    pub(crate) answers: Vec<u8>,
    /// How many octets a queue delivers at a time, over and over; none: all there is.
    pub(crate) splits: Vec<usize>,
    /// The messages the client has to send.
    pub(crate) mails: Vec<Mail>,
}

struct World {
    client: ClientSession,
    server: ServerSession,
    now: Mono,
    to_server: BytesMut,
    to_client: BytesMut,
    answers: VecDeque<u8>,
    splits: Vec<usize>,
    split: usize,
    mails: VecDeque<Mail>,
    pieces: VecDeque<Vec<u8>>,
    octets: Vec<u8>,
    seen: Seen,
}

/// Lets the two talk until both are done.
pub(crate) fn talk(settings: &Settings, script: &Script) -> Seen {
    let now = Mono(0);
    let name = HeloName::parse("client.example", &Limits::default()).unwrap();
    let mut world = World {
        client: ClientSession::new(Protocol::Smtp, name, Timeouts::default(), now),
        server: ServerSession::new(Arc::new(settings.clone()), SessionId(1), now),
        now,
        to_server: BytesMut::new(),
        to_client: BytesMut::new(),
        answers: script.answers.iter().copied().collect(),
        splits: script.splits.clone(),
        split: 0,
        mails: script.mails.iter().cloned().collect(),
        pieces: VecDeque::new(),
        octets: Vec::new(),
        seen: Seen::default(),
    };
    for _ in 0..1_000_000 {
        if !world.round() {
            break;
        }
    }
    world.serve();
    world.ask();
    assert!(world.client.is_closed(), "the client's half has ended");
    assert!(world.seen.closed.is_some(), "the server's half has ended");
    world.seen
}

impl World {
    /// One round of both; false when both are over.
    fn round(&mut self) -> bool {
        let before = (self.to_server.len(), self.to_client.len());
        let mut moved = self.serve();
        moved |= self.ask();
        moved |= self.deliver();
        if self.client.is_closed() && self.seen.closed.is_some() {
            return false;
        }
        if !moved && before == (self.to_server.len(), self.to_client.len()) {
            self.let_time_pass();
        }
        true
    }

    /// Nothing moves: the connection is at its end, or a time-out is.
    fn let_time_pass(&mut self) {
        if self.seen.closed.is_some() {
            self.client.handle_eof();
        } else if self.client.is_closed() {
            self.server.handle_eof(self.now);
        } else {
            self.now = self.now + Duration::from_secs(1);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
        }
    }

    /// The server's driver.
    fn serve(&mut self) -> bool {
        let mut moved = false;
        while let Some(event) = self.server.poll_event() {
            moved = true;
            self.take_server_event(event);
        }
        moved | self.server.poll_transmit(&mut self.to_client)
    }

    /// The client's driver.
    fn ask(&mut self) -> bool {
        let mut moved = false;
        while let Some(event) = self.client.poll_event() {
            moved = true;
            self.take_client_event(event);
        }
        while self.client.wants_body() {
            moved = true;
            match self.pieces.pop_front() {
                Some(piece) => self.client.body(&piece, self.now),
                None => self.client.end_body(b"", self.now),
            }
        }
        moved | self.client.poll_transmit(&mut self.to_server)
    }

    /// Both queues deliver some of what they have.
    fn deliver(&mut self) -> bool {
        let mut moved = false;
        if self.server.want() != Want::Answer && !self.to_server.is_empty() {
            let most = self.next_split();
            let some = self.to_server.len().min(most);
            let octets = Bytes::copy_from_slice(&self.to_server[..some]);
            let progress = self.server.handle_input(octets, self.now);
            let _ = self.to_server.split_to(progress.consumed);
            moved |= progress.consumed > 0;
        }
        if !self.to_client.is_empty() {
            let most = self.next_split();
            let some = self.to_client.len().min(most);
            self.client
                .handle_input(self.to_client.split_to(some).freeze(), self.now);
            moved = true;
        }
        moved
    }

    fn next_split(&mut self) -> usize {
        self.split += 1;
        match self.splits.len() {
            0 => usize::MAX,
            n => self.splits[self.split % n],
        }
    }

    fn take_client_event(&mut self, event: client::Event) {
        match &event {
            client::Event::Ready(_) => {
                match self.mails.pop_front() {
                    Some(mail) => {
                        self.pieces = mail.pieces.into();
                        self.client
                            .begin(mail.outgoing, self.now)
                            .expect("all is offered");
                    }
                    None => self.client.quit(self.now),
                }
                return;
            }
            client::Event::Recipient { reply, .. } => {
                assert!(Command::Rcpt.meaning(reply.code).is_known(), "{reply:?}");
            }
            client::Event::Finished(Finish::Answered(reply)) => {
                assert!(
                    Command::EndOfData.meaning(reply.code).is_known(),
                    "{reply:?}"
                );
            }
            client::Event::Finished(Finish::Refused { command, reply }) => {
                assert!(command.meaning(reply.code).is_known(), "{reply:?}");
            }
            _ => {}
        }
        self.seen.client.push(event);
    }

    fn next_answer(&mut self) -> u8 {
        self.answers.pop_front().unwrap_or(0)
    }

    fn take_server_event(&mut self, event: server::Event) {
        use server::Event;
        match event {
            Event::Octets(octets) => self.octets.extend_from_slice(&octets),
            Event::Abandoned(_) => {
                self.octets.clear();
                self.seen.abandoned += 1;
            }
            Event::Replied { situation, .. } => {
                self.seen.replied.push((situation.command, situation.name));
            }
            Event::Closed(why) => self.seen.closed = Some(why),
            Event::Fault(fault) => assert_eq!(fault, server::Fault::LostTicket),
            Event::Recipients(run) => {
                for recipient in run {
                    let reply = match self.next_answer() {
                        250.. => continue,
                        240.. => RcptReply::MailboxUnknown,
                        230.. => RcptReply::MailboxBusy,
                        _ => RcptReply::Accepted,
                    };
                    self.server.answer(recipient.ticket, reply, self.now);
                }
            }
            question => self.answer(question),
        }
    }

    /// Answers a question in one of the ways its row has; drops it, or ends the session.
    fn answer(&mut self, question: server::Event) {
        use server::Event;
        let number = self.next_answer();
        let now = self.now;
        let message = match question {
            Event::EndOfData { .. } => std::mem::take(&mut self.octets),
            _ => Vec::new(),
        };
        let server = &mut self.server;
        match number {
            // After an end of data the 421 comes unasked, and what it meets depends on the splits.
            253.. if !matches!(question, Event::EndOfData { .. }) => {
                return server.disconnect(Closing::Stopping, now);
            }
            250.. => return drop(question),
            _ => {}
        }
        let accepts = number < 235;
        match question {
            Event::Connected { ticket } if accepts => {
                server.answer(ticket, ConnectReply::Ready, now)
            }
            Event::Connected { ticket } => server.answer(ticket, ConnectReply::Refused, now),
            Event::Ehlo { ticket, .. } if accepts => server.answer(ticket, EhloReply::Greeted, now),
            // The client falls back to HELO.
            Event::Ehlo { ticket, .. } => server.answer(ticket, EhloReply::Refused, now),
            Event::Helo { ticket, .. } => server.answer(ticket, HeloReply::Greeted, now),
            Event::Mail { ticket, .. } if accepts => {
                server.answer(ticket, MailReply::Accepted, now)
            }
            Event::Mail { ticket, .. } => server.answer(ticket, MailReply::Deferred, now),
            Event::DataBegin { ticket, .. } if accepts => {
                server.answer(ticket, DataReply::GoAhead, now)
            }
            Event::DataBegin { ticket, .. } => server.answer(ticket, DataReply::Refused, now),
            Event::ChunkEnd { ticket } if accepts => {
                server.answer(ticket, BdatReply::ChunkTaken, now)
            }
            Event::ChunkEnd { ticket } => server.answer(ticket, BdatReply::StorageShort, now),
            Event::EndOfData {
                ticket,
                transaction,
                ..
            } => {
                if accepts {
                    self.seen.accepted.push(message);
                    let receipt = Receipt::mint(transaction, QueueId(9));
                    server.answer(ticket, EndOfDataReply::Accepted(receipt), now);
                } else {
                    server.answer(ticket, EndOfDataReply::ContentRefused, now);
                }
            }
            other => panic!("not asked by this client: {other:?}"),
        }
    }
}

/// Whether the client was told that its message was taken.
pub(crate) fn is_taken(event: &client::Event) -> bool {
    matches!(event, client::Event::Finished(Finish::Answered(reply)) if reply.code.number() == 250)
}
