//! The states of a session. Each holds only what it needs, and a step consumes it.

use alloc::vec::Vec;

use postroad_reply::{Answer, Closing, Command, Phase, RcptReply, Reply, TransactionId};
use postroad_wire::bdat::ChunkReader;
use postroad_wire::command::DeliveryKind;
use postroad_wire::data::DataReader;
use postroad_wire::line::LineReader;
use postroad_wire::peer::Protocol;

use super::event::Recipient;
use super::line_ends::LineEnds;
use super::settings::Settings;

/// Where a session stands.
#[derive(Debug)]
pub(super) enum State {
    /// The greeting refused service; QUIT is awaited.
    Turned(Turned),
    /// A command is awaited.
    Commands(Commands),
    /// RCPTs that come together are being collected.
    Collecting(Run),
    /// The response to a challenge of AUTH is awaited.
    Exchange(Exchange),
    /// The TLS handshake is awaited.
    Handshake,
    /// The driver has been asked.
    Asking(Asking),
    /// Message data is being read, after 354.
    Data(Receiving),
    /// The octets of a BDAT chunk are being read.
    Chunk(Chunk),
    /// The octets of a refused BDAT chunk are being thrown away.
    Skipping(Skipping),
    /// The session is over.
    Ended,
    /// The session is over, and the connection goes on with the roles changed.
    Reversed,
}

/// How a closed listener greeted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turned {
    /// 521 (RFC 7504 3).
    Mailless,
    /// 554 (RFC 5321 3.1).
    NoService,
}

/// How the client opened its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hello {
    /// Not yet.
    None,
    /// HELO.
    Helo,
    /// EHLO: extensions hold, and replies carry enhanced codes (RFC 2034 3).
    Ehlo,
    /// LHLO: likewise (RFC 2033 4.1).
    Lhlo,
}

impl Hello {
    /// Whether extensions hold.
    pub(super) fn is_extended(self) -> bool {
        matches!(self, Hello::Ehlo | Hello::Lhlo)
    }
}

/// Between commands.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) hello: Hello,
    pub(super) transaction: Transaction,
}

/// How far the mail transaction is.
#[derive(Debug)]
pub(super) enum Transaction {
    /// There is none.
    None,
    /// MAIL was accepted.
    Open(Open),
    /// A BDAT chunk was taken, and it was not the last.
    Chunking(Chunking),
    /// A BDAT chunk failed; the client has to reset.
    ChunkFailed,
}

/// A transaction before its message.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: TransactionId,
    /// MAIL had SMTPUTF8 (RFC 6531 3.4).
    pub(super) smtputf8: bool,
    /// MAIL had BODY=BINARYMIME: the message comes in chunks, and no octet of it is changed (RFC 3030 3).
    pub(super) binary: bool,
    /// Whether a RCPT was answered since MAIL or the last DATA, be it for how it is written.
    pub(super) tried: bool,
    /// RCPTs that were accepted.
    pub(super) accepted: u32,
    /// RCPTs that were refused for now.
    pub(super) put_off: u32,
    /// To what its message goes.
    pub(super) delivery: DeliveryKind,
}

/// A message that comes in chunks.
#[derive(Debug)]
pub(super) struct Chunking {
    pub(super) message: Message,
    /// Octets of it in the chunks so far.
    pub(super) taken: u64,
    /// None if it is binary: it need not have lines (RFC 3030 3).
    pub(super) line_ends: Option<LineEnds>,
}

/// A message on its way in.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: TransactionId,
    /// Why it will be refused at its end, though the rest of it has to be read. Its transaction
    /// has been abandoned then.
    pub(super) flaw: Option<Flaw>,
    /// Octets told to the driver.
    pub(super) told: u64,
    /// How many octets it may have.
    pub(super) most: u64,
    /// How many replies its end gets: in LMTP one for each accepted recipient (RFC 2033 4.2).
    pub(super) replies: u32,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is over the maximum.
    TooBig,
    /// It has a CR or LF that is no CRLF.
    BareLineEnd,
}

/// RCPTs that came together, in their order.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) hello: Hello,
    pub(super) open: Open,
    pub(super) places: Vec<Place>,
    /// What the driver will be asked.
    pub(super) asked: Vec<Recipient>,
}

/// One RCPT of a run.
#[derive(Debug)]
pub(super) enum Place {
    /// The driver is asked.
    Asked,
    /// The driver has answered.
    Answered(Answer<RcptReply>),
    /// The command was wrong.
    Error(Reply),
    /// There are recipients enough.
    TooMany,
}

/// What the driver has been asked.
#[derive(Debug)]
pub(super) enum Asking {
    /// To greet.
    Connect,
    /// HELO, EHLO or LHLO.
    Hello(AskedHello),
    /// VRFY or EXPN.
    Lookup(AskedLookup),
    /// HELP about the system's status.
    Status(Commands),
    /// STARTTLS.
    StartTls(Commands),
    /// AUTH, or a response of its exchange.
    Auth(AskedAuth),
    /// ETRN, ATRN or TURN.
    Role(AskedRole),
    /// MAIL, SEND, SOML or SAML.
    Mail(AskedMail),
    /// A run of RCPTs.
    Recipients(Run),
    /// DATA.
    Data(AskedData),
    /// The first BDAT.
    ChunkBegin(AskedChunkBegin),
    /// A BDAT that is not the last.
    ChunkEnd(AskedChunkEnd),
    /// The end of data.
    EndOfData(AskedEnd),
}

/// HELO, EHLO or LHLO, asked about.
#[derive(Debug)]
pub(super) struct AskedHello {
    pub(super) commands: Commands,
    /// What the session would be opened by.
    pub(super) to: Hello,
}

/// VRFY or EXPN, asked about.
#[derive(Debug)]
pub(super) struct AskedLookup {
    pub(super) commands: Commands,
    pub(super) command: Command,
    /// The reply may have UTF-8 in it (RFC 6531 3.7.4.2).
    pub(super) smtputf8: bool,
}

/// AUTH, asked about.
#[derive(Debug)]
pub(super) struct AskedAuth {
    pub(super) commands: Commands,
}

/// ETRN, ATRN or TURN, asked about.
#[derive(Debug)]
pub(super) struct AskedRole {
    pub(super) commands: Commands,
    pub(super) command: Command,
}

/// Between a challenge of AUTH and the response to it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) commands: Commands,
    /// Its lines are longer than those of commands.
    pub(super) lines: LineReader,
}

/// MAIL, SEND, SOML or SAML, asked about.
#[derive(Debug)]
pub(super) struct AskedMail {
    pub(super) command: Command,
    pub(super) hello: Hello,
    /// The transaction that would be.
    pub(super) open: Open,
}

/// DATA, asked about.
#[derive(Debug)]
pub(super) struct AskedData {
    pub(super) hello: Hello,
    pub(super) message: Message,
}

/// The first BDAT, asked about.
#[derive(Debug)]
pub(super) struct AskedChunkBegin {
    pub(super) hello: Hello,
    /// The message is binary.
    pub(super) binary: bool,
    pub(super) message: Message,
    pub(super) line: ChunkLine,
}

/// A chunk that is not the last, asked about.
#[derive(Debug)]
pub(super) struct AskedChunkEnd {
    pub(super) hello: Hello,
    pub(super) chunking: Chunking,
}

/// The end of data, asked about.
#[derive(Debug)]
pub(super) struct AskedEnd {
    pub(super) hello: Hello,
    pub(super) id: TransactionId,
    /// It came by BDAT.
    pub(super) chunked: bool,
    /// How many replies it gets.
    pub(super) replies: u32,
    /// The session is to end once this is answered.
    pub(super) then: Option<Closing>,
}

/// What a BDAT line said.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkLine {
    pub(super) size: u64,
    pub(super) last: bool,
}

/// Reading message data.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) hello: Hello,
    pub(super) message: Message,
    pub(super) reader: DataReader,
}

/// Reading a chunk.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) hello: Hello,
    pub(super) chunking: Chunking,
    pub(super) reader: ChunkReader,
    pub(super) line: ChunkLine,
}

/// Throwing a chunk away.
#[derive(Debug)]
pub(super) struct Skipping {
    /// Where the session stands afterwards.
    pub(super) commands: Commands,
    pub(super) reader: ChunkReader,
    /// There is more of it than is read.
    pub(super) beyond: bool,
    /// What is said then.
    pub(super) reply: Reply,
    /// How often.
    pub(super) replies: u32,
}

impl Commands {
    /// No transaction is open.
    pub(super) fn idle(hello: Hello) -> Commands {
        Commands {
            hello,
            transaction: Transaction::None,
        }
    }

    /// How far the conversation is, as the reply table counts it.
    pub(super) fn phase(&self) -> Phase {
        match &self.transaction {
            _ if self.hello == Hello::None => Phase::Connected,
            Transaction::None => Phase::Ready,
            Transaction::Open(open) => open.phase(),
            Transaction::Chunking(_) => Phase::Chunking,
            Transaction::ChunkFailed => Phase::ChunkFailed,
        }
    }

    /// The transaction that has to be abandoned if the conversation goes elsewhere.
    pub(super) fn transaction(&self) -> Option<TransactionId> {
        match &self.transaction {
            Transaction::None | Transaction::ChunkFailed => None,
            Transaction::Open(open) => Some(open.id),
            Transaction::Chunking(chunking) => chunking.message.wanted(),
        }
    }
}

impl Open {
    pub(super) fn phase(&self) -> Phase {
        match (self.accepted, self.tried) {
            (1.., _) => Phase::Rcpt,
            (0, true) => Phase::RecipientsRefused,
            (0, false) => Phase::Mail,
        }
    }
}

impl Message {
    /// The message of a transaction, by the rules of its listener.
    pub(super) fn new(open: &Open, settings: &Settings) -> Message {
        let limits = &settings.limits;
        Message {
            id: open.id,
            flaw: None,
            told: 0,
            most: match open.delivery {
                DeliveryKind::Terminal => limits.terminal_message.min(limits.message_size),
                DeliveryKind::Mailbox
                | DeliveryKind::TerminalElseMailbox
                | DeliveryKind::TerminalAndMailbox => limits.message_size,
            },
            replies: match settings.protocol {
                Protocol::Smtp => 1,
                Protocol::Lmtp => open.accepted,
            },
        }
    }

    /// Its transaction, unless that has been abandoned.
    pub(super) fn wanted(&self) -> Option<TransactionId> {
        self.flaw.is_none().then_some(self.id)
    }
}

impl State {
    /// The transaction that has to be abandoned if the session ends here.
    pub(super) fn transaction(&self) -> Option<TransactionId> {
        match self {
            State::Turned(_) | State::Handshake | State::Ended | State::Reversed => None,
            State::Commands(commands) => commands.transaction(),
            State::Exchange(exchange) => exchange.commands.transaction(),
            State::Collecting(run) => Some(run.open.id),
            State::Asking(asking) => asking.transaction(),
            State::Data(receiving) => receiving.message.wanted(),
            State::Chunk(chunk) => chunk.chunking.message.wanted(),
            State::Skipping(skipping) => skipping.commands.transaction(),
        }
    }

    /// The command a 421 would answer here.
    pub(super) fn command(&self) -> Command {
        match self {
            State::Turned(_) | State::Commands(_) | State::Ended | State::Reversed => Command::Any,
            State::Exchange(_) => Command::Auth,
            State::Handshake => Command::Starttls,
            State::Collecting(_) => Command::Rcpt,
            State::Asking(asking) => asking.command(),
            State::Data(_) => Command::EndOfData,
            State::Chunk(_) | State::Skipping(_) => Command::Bdat,
        }
    }
}

impl Asking {
    fn transaction(&self) -> Option<TransactionId> {
        match self {
            // MAIL isn't accepted yet; the end of data has been told.
            Asking::Connect | Asking::Mail(_) | Asking::EndOfData(_) => None,
            Asking::Hello(asked) => asked.commands.transaction(),
            Asking::Lookup(asked) => asked.commands.transaction(),
            Asking::Status(commands) => commands.transaction(),
            Asking::StartTls(commands) => commands.transaction(),
            Asking::Auth(asked) => asked.commands.transaction(),
            Asking::Role(asked) => asked.commands.transaction(),
            Asking::Recipients(run) => Some(run.open.id),
            Asking::Data(asked) => Some(asked.message.id),
            Asking::ChunkBegin(asked) => Some(asked.message.id),
            Asking::ChunkEnd(asked) => asked.chunking.message.wanted(),
        }
    }

    fn command(&self) -> Command {
        match self {
            Asking::Connect => Command::Connect,
            Asking::Hello(asked) => match asked.to {
                Hello::Helo => Command::Helo,
                Hello::Lhlo => Command::Lhlo,
                Hello::None | Hello::Ehlo => Command::Ehlo,
            },
            Asking::Lookup(asked) => asked.command,
            Asking::Status(_) => Command::Help,
            Asking::StartTls(_) => Command::Starttls,
            Asking::Auth(_) => Command::Auth,
            Asking::Role(asked) => asked.command,
            Asking::Mail(asked) => asked.command,
            Asking::Recipients(_) => Command::Rcpt,
            Asking::Data(_) => Command::Data,
            Asking::ChunkBegin(_) | Asking::ChunkEnd(_) => Command::Bdat,
            Asking::EndOfData(_) => Command::EndOfData,
        }
    }
}
