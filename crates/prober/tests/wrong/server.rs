//! An SMTP server for the prober's tests: right in all it does, but for one fault that is planted.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::session::Session;

/// What is wrong with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The greeting is 250.
    Greets250,
    /// QUIT is answered, and nothing closed.
    QuitStays,
    /// Verbs are known in capitals alone.
    CaseSensitive,
    /// An unknown verb ends the connection.
    UnknownCloses,
    /// An unknown verb is answered 250.
    UnknownIsFine,
    /// RCPT doesn't need MAIL.
    RcptAnytime,
    /// MAIL may come in a transaction.
    MailNests,
    /// DATA doesn't need MAIL.
    DataAnytime,
    /// NOOP is refused.
    NoopRefused,
    /// RSET with an argument resets.
    RsetArgument,
    /// A line that is too long is seen as several.
    LongIsMany,
    /// Unknown parameters are taken.
    AnyParameter,
    /// Brackets are not needed.
    NoBrackets,
    /// A code that nobody knows.
    UnlistedCode,
    /// A bare LF ends a command line.
    BareLf,
    /// NUL is dropped.
    DropsNul,
    /// What comes in one read is one command.
    ReadIsCommand,
    /// After a command that failed, what was read with it is thrown away.
    Flushes,
    /// The reply to NOOP comes after that to the next command.
    LateNoop,
    /// What is malformed is answered twice.
    Twice,
    /// RSET resets nothing.
    RsetKeeps,
    /// EHLO resets nothing.
    EhloKeeps,
    /// NOOP resets.
    NoopDrops,
    /// The end of data leaves the transaction open.
    MessageKeeps,
    /// Commands within the data are answered.
    TalksInData,
    /// This ends the data as well.
    EndsData(&'static [u8]),
    /// A chunk that is refused is not swallowed.
    NotSwallowed,
    /// DATA may follow BDAT.
    DataAfterBdat,
    /// RCPT may follow BDAT.
    RcptAfterBdat,
    /// A size that is no number is 0.
    AnySize,
    /// A dot on a line ends a chunk.
    DotEndsChunk,
    /// What came in the clear is obeyed within TLS.
    Injectable,
    /// STARTTLS is offered within TLS.
    OffersTlsAgain,
    /// A transaction outlives STARTTLS.
    TlsKeeps,
    /// After 220 there is no TLS.
    NoTls,
    /// No line of more than 100 octets is read.
    ShortLines,
    /// No local-part of more than 32 octets is read.
    ShortNames,
    /// No name of more than 100 octets is read in EHLO.
    ShortDomains,
    /// No more than ten recipients.
    FewRecipients,
    /// Postmaster is known in small letters alone.
    PostmasterCase,
    /// SIZE may be anything.
    AnyDeclaredSize,
    /// No text line of more than 500 octets.
    ShortText,
    /// No message of more than 10,000 octets.
    SmallMessages,
    /// Lines of a reply have different codes.
    MixedCodes,
    /// A reply ends with a bare LF.
    LfReply,
    /// A CR stands within a reply.
    CrInReply,
    /// A line of a reply is too long.
    LongReply,
    /// A reply has an escape character.
    EscapeInReply,
    /// A reply has no text.
    BareCode,
    /// A reply has no code.
    NoCode,
    /// The greeting has no domain.
    NoDomain,
    /// An enhanced code of another class.
    WrongEnhanced,
    /// No enhanced code.
    NoEnhanced,
    /// The greeting has an enhanced code.
    EnhancedGreeting,
}

/// Starts a server with a fault; it lives as long as the tests' process.
pub fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    let tls = tls();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = Arc::clone(&tls);
            thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
                let connection = Connection {
                    stream: Stream::Plain(stream),
                    buffer: Vec::new(),
                };
                Session::new(connection, fault, tls).talk();
            });
        }
    });
    address
}

fn tls() -> Arc<ServerConfig> {
    let made =
        rcgen::generate_simple_self_signed(vec!["mx.test".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let settings = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.expect("a key"));
    Arc::new(settings.expect("settings"))
}

/// What carries octets.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// A connection and what came over it.
pub struct Connection {
    pub stream: Stream,
    pub buffer: Vec<u8>,
}

impl Connection {
    /// Waits for more; false at the end.
    pub fn fill(&mut self) -> bool {
        let mut octets = [0; 65536];
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut octets),
            Stream::Tls(stream) => stream.read(&mut octets),
        };
        match read {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&octets[..count]);
                true
            }
        }
    }

    /// All up to the first of these ends, which is left out.
    pub fn take_until(&mut self, ends: &[&[u8]]) -> Option<Vec<u8>> {
        loop {
            let found = ends
                .iter()
                .filter_map(|end| {
                    let at = self
                        .buffer
                        .windows(end.len())
                        .position(|window| window == *end)?;
                    Some((at, end.len()))
                })
                .min_by_key(|(at, length)| (at + length, *at));
            if let Some((at, length)) = found {
                let taken = self.buffer[..at].to_vec();
                self.buffer.drain(..at + length);
                return Some(taken);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// So many octets.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill() {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    pub fn write(&mut self, octets: &[u8]) {
        let _ = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(octets),
            Stream::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
        };
    }

    /// Changes to TLS; false where the client doesn't.
    pub fn secure(&mut self, settings: &Arc<ServerConfig>) -> bool {
        let Stream::Plain(stream) = &self.stream else {
            return false;
        };
        let (Ok(stream), Ok(connection)) = (
            stream.try_clone(),
            ServerConnection::new(Arc::clone(settings)),
        ) else {
            return false;
        };
        let mut stream = StreamOwned::new(connection, stream);
        let done = stream.conn.complete_io(&mut stream.sock).is_ok();
        self.stream = Stream::Tls(Box::new(stream));
        done
    }
}
