//! Whatever a client sends and a driver does, in whatever order: a server session keeps its
//! promises.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::{
    AtrnReply, BdatReply, Closing, ConnectReply, DataReply, EhloReply, EndOfDataReply, EtrnReply,
    ExpnReply, HeloReply, MailReply, QueueId, RcptReply, Receipt, Rule, Situation, Text,
    TransactionId, TurnReply, VrfyReply,
};
use postroad_session::server::{
    BareLineEndRule, Event, LookupRule, Roles, ServerSession, SessionId, Settings, Want,
};
use postroad_wire::address::{Domain, Limits};

/// What a client may send; other octets come from the input itself.
const LINES: [&[u8]; 20] = [
    b"EHLO client.example\r\n",
    b"HELO client.example\r\n",
    b"MAIL FROM:<a@client.example>\r\n",
    b"MAIL FROM:<> SIZE=100 SMTPUTF8\r\n",
    b"RCPT TO:<b@mx.example>\r\n",
    b"RCPT TO:<c@mx.example>\r\nRCPT TO:b\r\nRCPT TO:<d@mx.example>\r\n",
    b"DATA\r\n",
    b"BDAT 4\r\nab\r\n",
    b"BDAT 2\r\nab",
    b"BDAT 3 LAST\r\nab\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT 5000\r\n",
    b"BDAT x\r\n",
    b"Subject: x\r\n..\r\n\n.\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"RSET\r\n",
    b"VRFY b\r\nETRN b.example\r\nEXPN b\r\nNOOP\r\nHELP\r\nTURN\r\nATRN\r\n",
    b"QUIT\r\n",
    b"FOO\0\r\n",
];

/// What the world knows of one session.
struct World {
    session: ServerSession,
    now: Mono,
    /// Input that was not consumed.
    input: BytesMut,
    open: Option<Event>,
    /// Transactions whose MAIL was accepted and whose end was not told.
    transactions: BTreeSet<TransactionId>,
    /// The transaction MAIL asks about.
    asked: Option<TransactionId>,
    /// Receipts and rules given, and how often the client was told of one.
    given: usize,
    told: usize,
    is_closed: bool,
}

/// Two octets are an operation: what is done, and how. How many messages were taken.
///
/// # Panics
/// If what is promised isn't kept.
pub(crate) fn run(input: &[u8]) -> usize {
    let Some((mode, operations)) = input.split_first() else {
        return 0;
    };
    let mut world = World::new(*mode);
    // The first question is open before anything happens.
    world.look();
    for operation in operations.chunks_exact(2) {
        world.operate(operation[0], operation[1]);
        world.look();
    }
    world.end();
    world.told
}

impl World {
    fn new(mode: u8) -> World {
        let host_name = Domain::parse("mx.example", &Limits::default()).expect("a domain");
        let mut settings = Settings::new(host_name);
        settings.accepts_mail = mode & 7 != 7;
        settings.limits.message_size = 64;
        settings.limits.discarded = 256;
        settings.limits.recipients = if mode & 32 == 0 { 3 } else { 1000 };
        settings.limits.errors = 5;
        settings.limits.junk_commands = 10;
        settings.vrfy = LookupRule::Asked;
        settings.expn = LookupRule::Asked;
        settings.roles = Roles {
            etrn: true,
            atrn: true,
            turn: true,
        };
        settings.offered.chunking = mode & 8 == 0;
        if mode & 16 != 0 {
            settings.bare_line_ends = BareLineEndRule::Normalise;
        }
        let mut session = ServerSession::new(Arc::new(settings), SessionId(3), Mono::ZERO);
        if mode & 64 != 0 {
            session.identified();
        }
        World {
            session,
            now: Mono::ZERO,
            input: BytesMut::new(),
            open: None,
            transactions: BTreeSet::new(),
            asked: None,
            given: 0,
            told: 0,
            is_closed: false,
        }
    }

    fn operate(&mut self, what: u8, how: u8) {
        match what % 32 {
            line @ 0..20 => {
                self.input.extend_from_slice(LINES[usize::from(line)]);
                // Often only a part of it has come.
                self.hand_in(usize::from(how).max(1));
            }
            20 => self.input.extend_from_slice(&[how]),
            21..27 => self.answer(how),
            27 => self.open = None,
            28 => {
                self.now = self.now + Duration::from_secs(u64::from(how));
                self.session.handle_timeout(self.now);
            }
            29 => self.hand_in(usize::MAX),
            30 if how < 16 => self.session.handle_eof(self.now),
            // More than fits in a run, and more replies than fit in the output.
            30 => {
                let run = b"RCPT TO:<b@mx.example>\r\n".repeat(2 * usize::from(how));
                self.input.extend_from_slice(&run);
            }
            31 if how < 16 => self.session.disconnect(Closing::Stopping, self.now),
            // A driver that goes on before it sends, as it may.
            31 => {
                while self.open.is_some() && self.session.want() == Want::Answer {
                    self.answer(how);
                    self.listen();
                    self.hand_in(usize::MAX);
                    self.listen();
                }
            }
            _ => {}
        }
    }

    fn hand_in(&mut self, most: usize) {
        let given = self.input.len().min(most);
        let octets = Bytes::copy_from_slice(&self.input[..given]);
        let progress = self.session.handle_input(octets, self.now);
        assert!(progress.consumed <= given);
        let _ = self.input.split_to(progress.consumed);
        assert!(
            progress.want != Want::More || progress.consumed == given,
            "what can be acted on is taken"
        );
    }

    /// Takes what the session tells and has to send.
    fn look(&mut self) {
        self.listen();
        let mut out = BytesMut::new();
        while self.session.poll_transmit(&mut out) {}
        assert!(out.len() <= 20 * 1024, "{} octets waited", out.len());
        assert!(out.is_empty() || out.ends_with(b"\r\n"));
        if self.session.want() == Want::More {
            // Or a client that waits for its reply would wait for ever.
            let _ = self.session.handle_input(Bytes::new(), self.now);
            let event = self.session.poll_event();
            assert!(event.is_none(), "nothing was left to do, but {event:?}");
        }
        let is_over = matches!(self.session.want(), Want::Close | Want::Reverse);
        assert_eq!(
            is_over, self.is_closed,
            "Closed is told once the session is over"
        );
        assert_eq!(self.session.poll_timeout().is_none(), is_over);
    }

    /// Takes what the session tells.
    fn listen(&mut self) {
        let mut events = 0;
        while let Some(event) = self.session.poll_event() {
            events += 1;
            self.take(event);
        }
        assert!(events <= 128, "{events} events waited");
    }

    fn take(&mut self, event: Event) {
        assert!(!self.is_closed, "nothing follows Closed: {event:?}");
        match event {
            Event::Octets(octets) => assert!(!octets.is_empty()),
            Event::Abandoned(transaction) => self.forget(transaction),
            Event::Replied { situation, .. } => self.hear(situation),
            Event::Fault(_) => {}
            Event::Closed(_) => self.is_closed = true,
            question => {
                assert!(self.open.is_none(), "one question at a time: {question:?}");
                if let Event::Mail { transaction, .. } = question {
                    self.asked = Some(transaction);
                }
                if let Event::EndOfData { transaction, .. } = question {
                    self.forget(transaction);
                }
                self.open = Some(question);
            }
        }
    }

    /// The end of a transaction is told once.
    fn forget(&mut self, transaction: TransactionId) {
        assert!(
            self.transactions.remove(&transaction),
            "{transaction:?} was open"
        );
    }

    fn hear(&mut self, situation: &'static Situation) {
        match situation.name {
            "Accepted" if situation.command.name() == "MAIL" => {
                let transaction = self.asked.take().expect("MAIL was asked about");
                assert!(self.transactions.insert(transaction));
            }
            "Accepted" | "Discarded"
                if matches!(situation.command.name(), "BDAT" | "received data") =>
            {
                self.told += 1;
                assert!(self.told <= self.given, "a 250 without a receipt");
            }
            _ => {}
        }
    }

    fn answer(&mut self, how: u8) {
        let Some(question) = self.open.take() else {
            return;
        };
        let now = self.now;
        let session = &mut self.session;
        let accepts = how >= 64;
        match question {
            Event::Connected { ticket } if accepts => {
                session.answer(ticket, ConnectReply::Ready, now)
            }
            Event::Connected { ticket } if how < 8 => {
                session.answer(ticket, ConnectReply::Refused, now)
            }
            Event::Connected { ticket } => session.answer(ticket, ConnectReply::LimitReached, now),
            Event::Helo { ticket, .. } if accepts => {
                session.answer(ticket, HeloReply::Greeted, now)
            }
            Event::Helo { ticket, .. } => session.answer(ticket, HeloReply::Refused, now),
            Event::Ehlo { ticket, .. } if accepts => {
                session.answer(ticket, EhloReply::Greeted, now)
            }
            Event::Ehlo { ticket, .. } => session.answer(ticket, EhloReply::Refused, now),
            Event::Mail { ticket, .. } if accepts => {
                session.answer(ticket, MailReply::Accepted, now)
            }
            Event::Mail { ticket, .. } => session.answer(ticket, MailReply::LookupFailed, now),
            Event::Recipients(run) => {
                for (place, recipient) in run.into_iter().enumerate() {
                    match how.rotate_left(place as u32) {
                        0..16 => drop(recipient),
                        16..64 => session.answer(recipient.ticket, RcptReply::MailboxUnknown, now),
                        _ => session.answer(recipient.ticket, RcptReply::Accepted, now),
                    }
                }
            }
            Event::DataBegin { ticket, .. } if accepts => {
                session.answer(ticket, DataReply::GoAhead, now)
            }
            Event::DataBegin { ticket, .. } => session.answer(ticket, DataReply::LocalError, now),
            Event::ChunkEnd { ticket } if accepts => {
                session.answer(ticket, BdatReply::ChunkTaken, now)
            }
            Event::ChunkEnd { ticket } => session.answer(ticket, BdatReply::StorageShort, now),
            Event::EndOfData {
                ticket,
                transaction,
                ..
            } => match how {
                128.. => {
                    self.given += 1;
                    let receipt = Receipt::mint(transaction, QueueId(u64::from(how)));
                    session.answer(ticket, EndOfDataReply::Accepted(receipt), now);
                }
                96..128 => {
                    self.given += 1;
                    let rule = Rule(Text::new("rule"));
                    session.answer(ticket, EndOfDataReply::Discarded(rule), now);
                }
                48..96 => {
                    let receipt = Receipt::mint(TransactionId(transaction.0 + 1), QueueId(0));
                    session.answer(ticket, EndOfDataReply::Accepted(receipt), now);
                }
                _ => session.answer(ticket, EndOfDataReply::StorageShort, now),
            },
            Event::Vrfy { ticket, .. } => session.answer(ticket, VrfyReply::MailboxUnknown, now),
            Event::Expn { ticket, .. } => session.answer(ticket, ExpnReply::ListUnknown, now),
            Event::Etrn { ticket, .. } => session.answer(ticket, EtrnReply::Started, now),
            Event::Turn { ticket } => session.answer(ticket, TurnReply::Refused, now),
            Event::Atrn { ticket, .. } if accepts => {
                session.answer(ticket, AtrnReply::RolesChanged, now)
            }
            Event::Atrn { ticket, .. } => session.answer(ticket, AtrnReply::NoMail, now),
            told => panic!("not a question: {told:?}"),
        }
    }

    /// Whatever has happened, the client goes and the session ends.
    fn end(&mut self) {
        self.hand_in(usize::MAX);
        self.look();
        self.session.handle_eof(self.now);
        self.look();
        let mut rounds = 0;
        while !self.is_closed {
            // The driver forgets all it is asked.
            self.open = None;
            self.session.handle_timeout(self.now);
            self.look();
            rounds += 1;
            assert!(rounds < 1000, "the session doesn't end");
        }
        assert!(
            self.transactions.is_empty(),
            "{:?} have no end",
            self.transactions
        );
    }
}
