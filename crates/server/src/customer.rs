//! The customer's part of on-demand mail relay (RFC 2645): connects to a provider, asks for the mail it has, and is
//! its server over the same connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use postroad_clock::Mono;
use postroad_host::net::{self, Stream};
use postroad_host::tasks;
use postroad_host::tls::{Connector, Secured};
use postroad_reply::Severity;
use postroad_session::collector::{Collector, Ended, Errand, Want};
use postroad_session::server as session;
use postroad_store::QueueStore;
use postroad_wire::address::{AddressLiteral, Domain, Host};

use crate::Services;
use crate::connection::{self, Begun, READ};
use crate::conversation::Conversation;
use crate::listen::{self, Running, Server, reached};

/// How long the resolver may take, and each address to accept a connection.
const CONNECT: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take, and a peer to take what is sent.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// What is to be collected, from whom, and how.
#[derive(Debug)]
pub struct Calling {
    /// The provider.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// What is said to it.
    pub errand: Errand,
    /// What a session may do once the roles have changed.
    pub session: Arc<session::Settings>,
}

/// How a connection to a provider is secured.
#[derive(Debug)]
pub enum Security {
    /// It isn't.
    None,
    /// By STARTTLS, which the errand asks for.
    StartTls(Connector),
    /// From its beginning.
    Implicit(Connector),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// From where.
    pub from: SocketAddr,
    /// So many messages were taken.
    pub messages: u64,
    /// So many commands were refused: somebody may not have been known here.
    pub refused: u64,
}

/// Why nothing was collected.
#[derive(Debug)]
pub enum Uncollected {
    /// There is no connection to the provider, for this reason.
    NoConnection(String),
    /// TLS could not be had with it, for this reason.
    NoTls(io::Error),
    /// What it said, or that it said nothing.
    Ended(Ended),
    /// This server stops.
    Stopping,
}

impl Uncollected {
    /// Whether it would be the same again until somebody changes something.
    pub fn is_refusal(&self) -> bool {
        match self {
            Uncollected::NoConnection(_) | Uncollected::Stopping => false,
            // Another name, another authority: nobody mends that in a minute.
            Uncollected::NoTls(error) => error.kind() == io::ErrorKind::InvalidData,
            Uncollected::Ended(ended) => match ended {
                Ended::Refused { reply, .. } => reply.code.severity() == Severity::Permanent,
                Ended::NoTls | Ended::NoMechanism => true,
                _ => false,
            },
        }
    }
}

impl std::fmt::Display for Uncollected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Uncollected::NoConnection(why) => write!(f, "no connection: {why}"),
            Uncollected::NoTls(error) => write!(f, "no TLS with it: {error}"),
            Uncollected::Ended(ended) => ended.fmt(f),
            Uncollected::Stopping => f.write_str("this server stops"),
        }
    }
}

impl Server {
    /// Collects mail from a provider. Over the connection comes what may come over any, but nothing that would
    /// have to go elsewhere, except where a route leads for a domain that was asked for.
    ///
    /// # Errors
    /// Why there was nothing to take.
    pub async fn collect<S: QueueStore>(
        &self,
        services: &Arc<Services<S>>,
        calling: Calling,
    ) -> Result<Collected, Uncollected> {
        let mut running = self.running.subscribe();
        let asked = tokio::select! {
            biased;
            () = reached(&mut running, Running::Draining) => return Err(Uncollected::Stopping),
            asked = ask(services, &calling) => asked?,
        };
        let from = asked.from;
        let Some((stream, secured, collector)) = asked.turned else {
            return Ok(Collected {
                from,
                messages: 0,
                refused: 0,
            });
        };
        let lost = |_| Uncollected::Ended(Ended::Lost);
        let local = stream.local_address().map_err(lost)?;
        let id = listen::next_session();
        let settings = calling.session;
        let begun = collector.into_server(Arc::clone(&settings), id, services.clock.mono());
        // It wanted to be turned.
        let (session, input) = begun.ok_or(Uncollected::Ended(Ended::Lost))?;
        let permit = self.admission.enter(from.ip());
        let (open, running) = (permit.open, running.clone());
        let conversation = Conversation::new(
            Arc::clone(services),
            (id, settings),
            from,
            local,
            open,
            running.clone(),
        );
        let begun = Begun {
            stream,
            session,
            conversation: conversation.collecting(calling.errand.domains.into(), secured),
            input,
            permit,
        };
        let (services, receiving) = (Arc::clone(services), self.receiving.clone());
        let (messages, refused) = connection::carry_on(services, begun, running, receiving).await;
        Ok(Collected {
            from,
            messages,
            refused,
        })
    }
}

/// A provider that was asked.
struct Asked {
    from: SocketAddr,
    /// The connection whose roles have changed, with what TLS has settled; none if there is no mail.
    turned: Option<(Stream, Option<Secured>, Collector)>,
}

async fn ask<S: QueueStore>(
    services: &Services<S>,
    calling: &Calling,
) -> Result<Asked, Uncollected> {
    let (mut stream, from) = connect(&calling.host, calling.port).await?;
    let mut secured = None;
    if let Security::Implicit(connector) = &calling.security {
        secured = Some(secure(&mut stream, connector, &calling.host).await?);
    }
    let now = || services.clock.mono();
    let mut collector = Collector::new(calling.errand.clone(), now());
    loop {
        let mut out = BytesMut::new();
        if collector.poll_transmit(&mut out) {
            let sent = tasks::timeout(HANDSHAKE, stream.write(&mut out)).await;
            if !matches!(sent, Ok(Ok(()))) {
                return Err(Uncollected::Ended(Ended::Lost));
            }
        }
        match (collector.want(), &calling.security) {
            (Want::More, _) => read(&mut stream, &mut collector, now).await,
            (Want::TlsHandshake, Security::StartTls(connector)) => {
                secured = Some(secure(&mut stream, connector, &calling.host).await?);
                collector.tls_established(now());
            }
            // It asks for no TLS that it wasn't told to.
            (Want::TlsHandshake, _) => return Err(Uncollected::Ended(Ended::NoTls)),
            (Want::Reverse, _) => {
                let turned = Some((stream, secured, collector));
                return Ok(Asked { from, turned });
            }
            (Want::Close, _) => {
                // What the peer makes of it changes nothing any more.
                let _ = stream.shutdown().await;
                let ended = collector.ended().cloned().unwrap_or(Ended::Lost);
                return match ended {
                    Ended::NoMail => Ok(Asked { from, turned: None }),
                    ended => Err(Uncollected::Ended(ended)),
                };
            }
        }
    }
}

/// Hands in what the provider says next, or that it says nothing.
async fn read(stream: &mut Stream, collector: &mut Collector, now: impl Fn() -> Mono) {
    let patience = collector.poll_timeout().map(|due| due.since(now()));
    let readable = tasks::timeout(patience.unwrap_or(Duration::ZERO), stream.readable()).await;
    match readable {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return collector.handle_eof(),
        Err(tasks::TimedOut) => return collector.handle_timeout(now()),
    }
    let mut buffer = BytesMut::with_capacity(READ);
    match stream.try_read(&mut buffer).await {
        Ok(0) => collector.handle_eof(),
        Ok(_) => collector.handle_input(buffer.freeze(), now()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(_) => collector.handle_eof(),
    }
}

/// A connection to the first of a host's addresses that takes one.
async fn connect(host: &Host, port: u16) -> Result<(Stream, SocketAddr), Uncollected> {
    let none = |error: io::Error| Uncollected::NoConnection(error.to_string());
    let addresses = match host {
        Host::Literal(AddressLiteral::V4(address)) => vec![SocketAddr::from((*address, port))],
        Host::Literal(AddressLiteral::V6(address)) => vec![SocketAddr::from((*address, port))],
        Host::Domain(name) => net::addresses(name.as_str(), port, CONNECT)
            .await
            .map_err(none)?,
    };
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match Stream::connect(address, CONNECT).await {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => failure = error,
        }
    }
    Err(none(failure))
}

async fn secure(
    stream: &mut Stream,
    connector: &Connector,
    host: &Host,
) -> Result<Secured, Uncollected> {
    let name = match host {
        Host::Domain(name) => name.to_string(),
        Host::Literal(AddressLiteral::V4(address)) => address.to_string(),
        Host::Literal(AddressLiteral::V6(address)) => address.to_string(),
    };
    match tasks::timeout(HANDSHAKE, stream.secure_to(connector, &name)).await {
        Ok(Ok(secured)) => Ok(secured),
        Ok(Err(error)) => Err(Uncollected::NoTls(error)),
        Err(tasks::TimedOut) => Err(Uncollected::NoTls(io::ErrorKind::TimedOut.into())),
    }
}

/// The domains that were asked for.
pub(crate) type AskedFor = Arc<[Domain]>;
