//! A driver that answers as it is told to, and keeps what it was asked and told.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::{
    AtrnReply, AuthReply, BdatReply, ConnectReply, DataReply, EhloReply, EndOfDataReply, EtrnReply,
    ExpnReply, HeloReply, HelpReply, LhloReply, MailReply, QueueId, RcptReply, Receipt, SamlReply,
    SendReply, Situation, SomlReply, StarttlsReply, Text, TransactionId, TurnReply, VrfyReply,
};
use postroad_session::server::{
    AuthStep, Closed, Event, Fault, SaslMessage, ServerSession, SessionId, Settings, Want,
    challenge,
};
use postroad_wire::address::{Domain, ForwardPath, Limits};

/// The settings as shipped, of `mx.example`.
pub(crate) fn settings() -> Settings {
    Settings::new(Domain::parse("mx.example", &Limits::default()).expect("a domain"))
}

/// What became of the transactions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// Messages that got their 250: the octets.
    pub(crate) accepted: Vec<Vec<u8>>,
    /// Transactions that came to nothing.
    pub(crate) abandoned: usize,
    /// Recipients asked about, in order.
    pub(crate) recipients: Vec<String>,
    /// How many recipients each batch had.
    pub(crate) batches: Vec<usize>,
    /// What the driver did wrong.
    pub(crate) faults: Vec<Fault>,
    /// Why the session ended.
    pub(crate) closed: Option<Closed>,
    /// What was said, line of the table by line.
    pub(crate) said: Vec<&'static Situation>,
}

/// A session with its driver.
pub(crate) struct Driver {
    pub(crate) session: ServerSession,
    pub(crate) now: Mono,
    pub(crate) log: Log,
    /// An event kept back: the question the driver doesn't answer by itself.
    pub(crate) open: Option<Event>,
    /// Which questions are kept back.
    pub(crate) keeps: fn(&Event) -> bool,
    /// What is said to a recipient.
    pub(crate) rcpt: fn(&str) -> RcptReply,
    pub(crate) mail: fn() -> MailReply,
    pub(crate) data: fn() -> DataReply,
    pub(crate) chunk: fn() -> BdatReply,
    pub(crate) end: fn(TransactionId) -> EndOfDataReply,
    pub(crate) connect: fn() -> ConnectReply,
    pub(crate) tls: fn() -> StarttlsReply,
    pub(crate) auth: fn(AuthStep) -> AuthReply,
    /// The greatest number of octets of replies and events seen waiting at once.
    pub(crate) most_waiting: usize,
    octets: Vec<u8>,
    out: BytesMut,
    leftover: Bytes,
}

impl Driver {
    /// A session that is connected, and whose greeting has been read.
    pub(crate) fn connected(settings: Settings) -> Driver {
        let mut driver = Driver::new(settings);
        let greeting = driver.hear();
        assert!(greeting.starts_with("220 mx.example "), "{greeting}");
        driver
    }

    /// A session that has said EHLO.
    pub(crate) fn greeted(settings: Settings) -> Driver {
        let mut driver = Driver::connected(settings);
        let reply = driver.say("EHLO client.example\r\n");
        assert!(reply.starts_with("250-mx.example "), "{reply}");
        driver
    }

    /// A session with one accepted recipient.
    pub(crate) fn with_recipient(settings: Settings) -> Driver {
        let mut driver = Driver::greeted(settings);
        driver.say("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n");
        driver
    }

    pub(crate) fn new(settings: Settings) -> Driver {
        let now = Mono(1_000_000_000);
        Driver {
            session: ServerSession::new(Arc::new(settings), SessionId(7), now),
            now,
            log: Log::default(),
            open: None,
            keeps: |_| false,
            rcpt: |path| match path {
                "refused@mx.example" => RcptReply::MailboxUnknown,
                _ => RcptReply::Accepted,
            },
            mail: || MailReply::Accepted,
            data: || DataReply::GoAhead,
            chunk: || BdatReply::ChunkTaken,
            end: |transaction| EndOfDataReply::Accepted(receipt(transaction)),
            connect: || ConnectReply::Ready,
            tls: || StarttlsReply::Ready,
            auth: authenticate,
            most_waiting: 0,
            octets: Vec::new(),
            out: BytesMut::new(),
            leftover: Bytes::new(),
        }
    }

    /// Sends, drives, and gives what was answered.
    pub(crate) fn say(&mut self, input: impl AsRef<[u8]>) -> String {
        let mut all = BytesMut::from(&self.leftover[..]);
        all.extend_from_slice(input.as_ref());
        self.leftover = all.freeze();
        self.drive();
        self.hear()
    }

    /// What was answered and not read yet.
    pub(crate) fn hear(&mut self) -> String {
        self.drive();
        String::from_utf8(self.out.split().to_vec()).expect("replies are UTF-8")
    }

    /// Starts TLS, with a client that sends nothing between.
    pub(crate) fn start_tls(&mut self) {
        assert_eq!(self.say("STARTTLS\r\n"), "220 2.0.0 Ready to start TLS\r\n");
        self.session.tls_established(self.now);
    }

    /// As the real driver does before a handshake.
    pub(crate) fn forget_leftover(&mut self) {
        self.leftover = Bytes::new();
    }

    /// Lets time go by.
    pub(crate) fn wait(&mut self, by: Duration) -> String {
        self.now = self.now + by;
        self.session.handle_timeout(self.now);
        self.hear()
    }

    /// Goes on until the session wants more input or an answer that is kept back.
    pub(crate) fn drive(&mut self) {
        loop {
            while let Some(event) = self.session.poll_event() {
                self.take(event);
            }
            let mut out = BytesMut::new();
            self.session.poll_transmit(&mut out);
            self.most_waiting = self.most_waiting.max(out.len());
            self.out.extend_from_slice(&out);
            let stuck = match self.session.want() {
                Want::Answer => self.open.is_some(),
                Want::Close | Want::Reverse | Want::TlsHandshake => true,
                // As a real driver does: it waits for the client once all was consumed.
                Want::More => self.leftover.is_empty(),
                _ => false,
            };
            if stuck {
                return;
            }
            let progress = self.session.handle_input(self.leftover.clone(), self.now);
            self.leftover = self.leftover.slice(progress.consumed..);
        }
    }

    /// Whether the session is over and all is told.
    pub(crate) fn is_closed(&self) -> bool {
        self.log.closed.is_some()
    }

    fn take(&mut self, event: Event) {
        assert!(
            self.log.closed.is_none(),
            "nothing follows Closed: {event:?}"
        );
        if (self.keeps)(&event) {
            self.open = Some(event);
            return;
        }
        self.answer(event);
    }

    /// Answers a question, or takes note of what was told.
    pub(crate) fn answer(&mut self, event: Event) {
        let (session, now) = (&mut self.session, self.now);
        match event {
            Event::Connected { ticket } => session.answer(ticket, (self.connect)(), now),
            Event::Helo { ticket, .. } => session.answer(ticket, HeloReply::Greeted, now),
            Event::Ehlo { ticket, .. } => session.answer(ticket, EhloReply::Greeted, now),
            Event::Lhlo { ticket, .. } => session.answer(ticket, LhloReply::Greeted, now),
            Event::Send { ticket, .. } => session.answer(ticket, SendReply::Accepted, now),
            Event::Soml { ticket, .. } => session.answer(ticket, SomlReply::Accepted, now),
            Event::Saml { ticket, .. } => session.answer(ticket, SamlReply::Accepted, now),
            Event::Status { ticket } => {
                let status = HelpReply::Status(Text::new("all is well").into());
                session.answer(ticket, status, now);
            }
            Event::Mail { ticket, .. } => session.answer(ticket, (self.mail)(), now),
            Event::Recipients(recipients) => {
                self.log.batches.push(recipients.len());
                for recipient in recipients {
                    let path = written(&recipient.forward_path);
                    let reply = (self.rcpt)(&path);
                    self.log.recipients.push(path);
                    session.answer(recipient.ticket, reply, now);
                }
            }
            Event::DataBegin { ticket, .. } => session.answer(ticket, (self.data)(), now),
            Event::Octets(octets) => self.octets.extend_from_slice(&octets),
            Event::ChunkEnd { ticket } => session.answer(ticket, (self.chunk)(), now),
            Event::EndOfData {
                ticket,
                transaction,
                octets,
            } => {
                assert_eq!(octets, self.octets.len() as u64);
                let reply = (self.end)(transaction);
                let message = std::mem::take(&mut self.octets);
                if let EndOfDataReply::Accepted(_) = reply {
                    self.log.accepted.push(message);
                }
                session.answer(ticket, reply, now);
            }
            Event::Abandoned(_) => {
                self.octets.clear();
                self.log.abandoned += 1;
            }
            Event::Vrfy { ticket, .. } => session.answer(ticket, VrfyReply::MailboxUnknown, now),
            Event::Expn { ticket, .. } => session.answer(ticket, ExpnReply::ListUnknown, now),
            Event::StartTls { ticket } => session.answer(ticket, (self.tls)(), now),
            Event::Auth { ticket, step } => session.answer(ticket, (self.auth)(step), now),
            Event::Etrn { ticket, .. } => session.answer(ticket, EtrnReply::NoneWaiting, now),
            Event::Turn { ticket } => session.answer(ticket, TurnReply::RolesChanged, now),
            Event::Atrn { ticket, .. } => session.answer(ticket, AtrnReply::RolesChanged, now),
            Event::Replied { situation, .. } => self.log.said.push(situation),
            Event::Fault(fault) => self.log.faults.push(fault),
            Event::Closed(why) => self.log.closed = Some(why),
        }
    }
}

/// An authenticator that knows one password and a word for each way to fail.
fn authenticate(step: AuthStep) -> AuthReply {
    let said = match step {
        AuthStep::Begin(_, None) => return challenge(b""),
        AuthStep::Begin(_, Some(SaslMessage(said))) | AuthStep::Response(SaslMessage(said)) => said,
    };
    match said.as_slice() {
        b"\0anna\0secret" => AuthReply::Authenticated,
        b"more" => challenge(b"what more?"),
        b"later" => AuthReply::Unavailable,
        b"weak" => AuthReply::TooWeak,
        b"old" => AuthReply::TransitionNeeded,
        _ => AuthReply::Invalid,
    }
}

/// A receipt as the store would mint it.
pub(crate) fn receipt(transaction: TransactionId) -> Receipt {
    Receipt::mint(transaction, QueueId(42))
}

fn written(path: &ForwardPath) -> String {
    match path {
        ForwardPath::Postmaster => "postmaster".into(),
        ForwardPath::Mailbox(mailbox) => mailbox.to_string(),
    }
}
