//! Finds an address of a peer that answers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use postroad_clock::Mono;
use postroad_host::clock::Clock;
use postroad_host::net::{self, unix::UnixStream};
use postroad_host::tasks::{self, TimedOut};
use postroad_queue::scheduler::Feedback;
use postroad_reply::{Enhanced, Severity};
use postroad_session::client::{ClientSession, Closed};
use postroad_wire::address::{AddressLiteral, Host};
use postroad_wire::peer::{Endpoint, Peer};

use super::connection::Connection;
use super::{Settings, words};
use crate::parcel::Verdict;

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct NoConnection {
    /// For each recipient.
    pub(super) verdict: Verdict,
    pub(super) feedback: Feedback,
}

/// Where one attempt to connect goes.
enum Place<'a> {
    Tcp(SocketAddr),
    Unix(&'a Path),
}

/// A connection on which a message may be begun.
///
/// The addresses of a host are tried in their order until one says it is ready (RFC 5321 5.1), as long as there is
/// time. Only if all of them refuse for good (521, 554 and their like) is that the verdict.
pub(super) async fn open<C: Clock>(
    peer: &Peer,
    settings: &Settings,
    clock: &C,
) -> Result<Connection, NoConnection> {
    let end = clock.mono() + settings.timeouts.opening;
    let (name, places) = places(peer, settings).await?;
    open_any(peer, &name, places, settings, clock, end).await
}

async fn open_any<C: Clock>(
    peer: &Peer,
    name: &str,
    places: Vec<Place<'_>>,
    settings: &Settings,
    clock: &C,
    end: Mono,
) -> Result<Connection, NoConnection> {
    let mut failures = Vec::new();
    for place in places {
        let at = postroad_queue::Peer::new(name, place.address());
        let left = end.since(clock.mono());
        if left == Duration::ZERO {
            break;
        }
        let opening = open_one(peer, &place, at.clone(), settings, clock);
        match tasks::timeout(left, opening).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(failure)) => failures.push(failure),
            Err(TimedOut) => {
                failures.push(trouble(&at, words::NO_ANSWER, "there was no time left"))
            }
        }
    }
    Err(worth_most(failures).unwrap_or_else(|| {
        let at = postroad_queue::Peer::new(name, None);
        trouble(&at, words::NO_ROUTE, "it has no address")
    }))
}

/// What of several failures counts: the last that may pass, or the last.
fn worth_most(mut failures: Vec<NoConnection>) -> Option<NoConnection> {
    let may_pass = |failure: &NoConnection| matches!(failure.verdict, Verdict::Deferred(_));
    match failures.iter().rposition(may_pass) {
        Some(at) => Some(failures.swap_remove(at)),
        None => failures.pop(),
    }
}

/// The peer's name for reports, and where to find it.
async fn places<'a>(
    peer: &'a Peer,
    settings: &Settings,
) -> Result<(String, Vec<Place<'a>>), NoConnection> {
    let (host, port) = match &peer.endpoint {
        Endpoint::Unix(path) => return Ok((path.clone(), vec![Place::Unix(Path::new(path))])),
        Endpoint::Tcp { host, port } => (host, *port),
    };
    let addresses = match host {
        Host::Literal(AddressLiteral::V4(address)) => vec![SocketAddr::from((*address, port))],
        Host::Literal(AddressLiteral::V6(address)) => vec![SocketAddr::from((*address, port))],
        Host::Domain(name) => net::addresses(name.as_str(), port, settings.timeouts.lookup)
            .await
            .map_err(|error| {
                let at = postroad_queue::Peer::new(name.as_str(), None);
                let words = format!("its address can't be looked up: {error}");
                trouble(&at, words::NO_ROUTE, &words)
            })?,
    };
    let places = addresses.into_iter().map(Place::Tcp).collect();
    Ok((host.to_string(), places))
}

async fn open_one<C: Clock>(
    peer: &Peer,
    place: &Place<'_>,
    at: postroad_queue::Peer,
    settings: &Settings,
    clock: &C,
) -> Result<Connection, NoConnection> {
    let io = place.connect(settings).await.map_err(|error| {
        let words = format!("no connection: {error}");
        trouble(&at, words::NO_ANSWER, &words)
    })?;
    let (name, timeouts) = (settings.name.clone(), settings.timeouts.session);
    let session = ClientSession::new(peer.protocol, name, timeouts, clock.mono());
    let mut connection = Connection::new(io, session, at);
    match connection.until_ready(clock).await {
        Ok(()) => Ok(connection),
        Err(closed) => Err(unwelcome(&connection.peer, &closed)),
    }
}

fn unwelcome(at: &postroad_queue::Peer, closed: &Closed) -> NoConnection {
    let report = words::ending(at, closed);
    let for_good = matches!(
        closed,
        Closed::Unwelcome { reply, .. } if reply.severity() == Severity::Permanent
    );
    NoConnection {
        verdict: match for_good {
            true => Verdict::Failed(report),
            false => Verdict::Deferred(report),
        },
        feedback: words::thought(at, closed),
    }
}

fn trouble(at: &postroad_queue::Peer, status: Enhanced, words: &str) -> NoConnection {
    let report = words::of_peer(at, status, words);
    let feedback = Feedback::Trouble(report.to_string().into());
    NoConnection {
        verdict: Verdict::Deferred(report),
        feedback,
    }
}

impl Place<'_> {
    fn address(&self) -> Option<SocketAddr> {
        match self {
            Place::Tcp(address) => Some(*address),
            Place::Unix(_) => None,
        }
    }

    async fn connect(&self, settings: &Settings) -> io::Result<net::Connection> {
        let how_long = settings.timeouts.connect;
        match *self {
            Place::Unix(path) => Ok(Box::new(UnixStream::connect(path, how_long).await?)),
            Place::Tcp(to) => {
                let source = match to {
                    SocketAddr::V4(_) => settings.source.v4.map(IpAddr::V4),
                    SocketAddr::V6(_) => settings.source.v6.map(IpAddr::V6),
                };
                net::connect_tcp(to, source, how_long).await
            }
        }
    }
}

#[cfg(test)]
mod tests;
