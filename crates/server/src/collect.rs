//! A client collects its mail over the connection it came by: ATRN (RFC 2645), TURN (RFC 821 3.8).

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use postroad_directory::{Called, Customers, Identity};
use postroad_host::net;
use postroad_host::tasks;
use postroad_reply::{Answer, AtrnReply, QueueId, Text};
use postroad_session::server::ServerSession;
use postroad_store::{Pressure, QueueStore, Trouble};
use postroad_wire::address::Domain;

use crate::Services;
use crate::queue_run::{make_due, next_page};

/// How long a client waits until the queue is looked through. It waits ten minutes itself (RFC 2645
/// 5.2.1).
const PATIENCE: Duration = Duration::from_secs(120);
/// So many messages are collected by one call. The others wait for the next.
const MOST: usize = 100_000;

/// Something that takes as long as it takes.
pub type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A connection whose roles have changed, with all that a client needs that goes on with it.
pub struct Turned {
    /// What carries it.
    pub connection: net::Connection,
    /// Our side of it, to be made a client of.
    pub session: ServerSession,
    /// The other side.
    pub peer: SocketAddr,
    /// What it calls itself.
    pub name: String,
    /// Whose mail may go over it.
    pub called: Called,
    /// What waits for it.
    pub wanted: Vec<QueueId>,
    /// Makes that due; to be done when the other side is ready.
    pub begin: Work<()>,
    /// Is done when the call has to end.
    pub enough: Work<()>,
}

impl fmt::Debug for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turned")
            .field("peer", &self.peer)
            .field("called", &self.called)
            .finish_non_exhaustive()
    }
}

/// What a client may collect, and what waits of it.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) called: Called,
    pub(crate) wanted: Vec<QueueId>,
}

/// Why nothing is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// The client is not listed for what it asks for.
    NotListed,
    /// It asks too often.
    TooOften,
    /// It can't be found out what waits.
    NotNow,
}

/// Finds out what a client may collect.
pub(crate) async fn find<S: QueueStore>(
    services: &Arc<Services<S>>,
    customers: &Customers,
    domains: &[Domain],
    client: &[Identity],
) -> Result<Collection, Nothing> {
    let called = customers.collected(domains, client);
    let called = called.ok_or(Nothing::NotListed)?;
    let now = services.clock.mono();
    if !services.queue_runs.may(&called.customer, now) {
        return Err(Nothing::TooOften);
    }
    if services.store.pressure() == Pressure::ReadOnly {
        // What is sent then could not be settled, and would be sent again.
        return Err(Nothing::NotNow);
    }
    match tasks::timeout(PATIENCE, look_through(services, &called)).await {
        Ok(Ok(wanted)) => Ok(Collection { called, wanted }),
        Ok(Err(_)) | Err(tasks::TimedOut) => Err(Nothing::NotNow),
    }
}

async fn look_through<S: QueueStore>(
    services: &Arc<Services<S>>,
    called: &Called,
) -> Result<Vec<QueueId>, Trouble> {
    let _turn = services.queue_runs.turn().await;
    let (mut cursor, mut wanted) = (None, Vec::new());
    while let Some(page) = next_page(&*services.store, &mut cursor, called).await? {
        wanted.extend(page);
        if wanted.len() >= MOST {
            break;
        }
    }
    Ok(wanted)
}

/// What ATRN hears (RFC 2645 5.2.1).
pub(crate) fn atrn(found: Result<&Collection, Nothing>) -> Answer<AtrnReply> {
    let (reply, why) = match found {
        Ok(collection) if !collection.wanted.is_empty() => return AtrnReply::RolesChanged.into(),
        Ok(_) => return AtrnReply::NoMail.into(),
        Err(Nothing::NotListed) => (AtrnReply::Refused, "not listed for these domains"),
        Err(Nothing::TooOften) => (
            AtrnReply::Refused,
            "too many requests, try again in a minute",
        ),
        Err(Nothing::NotNow) => return AtrnReply::Unable.into(),
    };
    Answer::from(reply).text(Text::new(&format!("ATRN request refused: {why}")))
}

/// Makes due what a call wants. What can't be is not sent, and waits for the next call.
pub(crate) async fn begin<S: QueueStore>(services: Arc<Services<S>>, wanted: Vec<QueueId>) {
    let made = make_due(&services, wanted, &AtomicU64::new(0)).await;
    if made.is_ok() {
        services.delivery.retried();
    }
}
