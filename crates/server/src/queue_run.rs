//! Starts the queue for a client that calls for mail (RFC 1985), and looks for what waits for one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use postroad_clock::Mono;
use postroad_directory::{Called, Told};
use postroad_host::tasks;
use postroad_queue::Amendment;
use postroad_reply::{Answer, EtrnReply, QueueId, Text};
use postroad_store::{Entry, Pressure, QueueStore, Trouble};
use postroad_telemetry::Event;
use postroad_wire::command::Node;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Services;
use crate::collect::{Turned, Work};

/// So many runs may a customer ask for in one window of time: each looks through the whole queue.
const RUNS: u32 = 10;
/// The window.
const WINDOW: Duration = Duration::from_secs(60);
/// How many entries are read from the store at once.
const PIECE: usize = 200;
/// How many changes are under way at once: they are flushed together.
const CHANGES: usize = 64;

/// What delivers the queue, as far as clients have something to tell it.
pub trait Delivery: fmt::Debug + Send + Sync + 'static {
    /// A message was changed: what of it only waits for its turn is given back, so that the change takes
    /// effect.
    fn changed(&self, id: QueueId);

    /// Messages were made due: a next hop that is left alone after trouble is tried, too.
    fn retried(&self);

    /// What the system's status says of the queue, a line each.
    fn status(&self) -> Vec<String> {
        Vec::new()
    }

    /// Sends what waits for who has turned the roles, over that connection, and ends it. How many of the
    /// wanted messages were tried.
    fn serve(&self, turned: Turned) -> Work<usize>;
}

/// Which runs there are and were.
#[derive(Debug)]
pub struct QueueRuns {
    /// One run at a time, whoever asks.
    turn: Semaphore,
    /// By the customer's name: those of the configuration bound it.
    asked: Mutex<BTreeMap<String, Asked>>,
}

/// What a customer has asked for in the present window.
#[derive(Debug)]
struct Asked {
    since: Mono,
    runs: u32,
}

impl Default for QueueRuns {
    /// None yet.
    fn default() -> QueueRuns {
        QueueRuns {
            turn: Semaphore::new(1),
            asked: Mutex::default(),
        }
    }
}

impl QueueRuns {
    /// Waits until no other run looks through the queue.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turn.acquire().await.ok()
    }

    /// Counts one more run of a customer; false if there were too many.
    pub(crate) fn may(&self, customer: &str, now: Mono) -> bool {
        // A count is whole after each line.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let first = Asked {
            since: now,
            runs: 0,
        };
        let asked = asked.entry(customer.to_owned()).or_insert(first);
        if now.since(asked.since) >= WINDOW {
            *asked = Asked {
                since: now,
                runs: 0,
            };
        }
        asked.runs = asked.runs.saturating_add(1);
        asked.runs <= RUNS
    }
}

/// Makes due what is queued for a node, and says how many messages that is: 250 if it takes too long to
/// know any, 251 for none, 252 if it takes too long to know how many; or where the customer isn't told.
pub(crate) async fn start<S: QueueStore>(
    services: &Arc<Services<S>>,
    connection: u64,
    node: Node,
    called: Called,
) -> Answer<EtrnReply> {
    let unable = |why: &str| {
        let text = format!("Unable to queue messages for node {node}: {why}");
        Answer::from(EtrnReply::Unable).text(Text::new(&text))
    };
    let runs = &services.queue_runs;
    if !runs.may(&called.customer, services.clock.mono()) {
        return unable("too many requests, try again in a minute");
    }
    if services.store.pressure() == Pressure::ReadOnly {
        return unable("the queue can't be changed now");
    }
    let found = Arc::new(AtomicU64::new(0));
    let run = Run {
        services: Arc::clone(services),
        connection,
        node: node.to_string(),
        called,
        found: Arc::clone(&found),
    };
    let told = run.called.told;
    let mut run = tasks::spawn(run.go());
    let reply = match (told, tasks::timeout(patience(told), &mut run).await) {
        (_, Ok(Err(_) | Ok(Err(_)))) => return unable("the queue can't be looked through now"),
        (Told::Nothing, _) => EtrnReply::Started,
        (told, done) => match (found.load(Ordering::Relaxed), done) {
            (0, Ok(_)) => EtrnReply::NoneWaiting,
            (0, Err(tasks::TimedOut)) => EtrnReply::Started,
            (_, Ok(_)) if told == Told::Number => EtrnReply::NumberStarted,
            _ => EtrnReply::PendingStarted,
        },
    };
    let text = match &reply {
        EtrnReply::NoneWaiting => format!("OK, no messages waiting for node {node}"),
        EtrnReply::NumberStarted => {
            let found = found.load(Ordering::Relaxed);
            format!("OK, {found} pending messages for node {node} started")
        }
        EtrnReply::PendingStarted => format!("OK, pending messages for node {node} started"),
        _ => format!("OK, queuing for node {node} started"),
    };
    Answer::from(reply).text(Text::new(&text))
}

/// How long a client waits to hear of its messages. The run goes on without it.
fn patience(told: Told) -> Duration {
    match told {
        Told::Number | Told::Whether => Duration::from_secs(2),
        Told::Nothing => Duration::ZERO,
    }
}

/// One look through the queue.
struct Run<S> {
    services: Arc<Services<S>>,
    connection: u64,
    node: String,
    called: Called,
    /// How many messages were found so far.
    found: Arc<AtomicU64>,
}

impl<S: QueueStore> Run<S> {
    async fn go(self) -> Result<(), Trouble> {
        let _turn = self.services.queue_runs.turn().await;
        let began = self.services.clock.mono();
        let ran = self.look_through().await;
        let found = self.found.load(Ordering::Relaxed);
        if found > 0 {
            self.services.delivery.retried();
        }
        let trouble = ran.as_ref().err();
        Event::QueueRun {
            connection: self.connection,
            customer: &self.called.customer,
            node: &self.node,
            messages: found,
            took: self.services.clock.mono().since(began),
            trouble: trouble.map(|trouble| trouble as _),
        }
        .emit();
        ran
    }

    async fn look_through(&self) -> Result<(), Trouble> {
        let (services, mut cursor) = (&self.services, None);
        while let Some(page) = next_page(&*services.store, &mut cursor, &self.called).await? {
            make_due(services, page, &self.found).await?;
        }
        Ok(())
    }
}

/// Which messages of the next page are called for; none at the end of the queue.
pub(crate) async fn next_page<S: QueueStore>(
    store: &S,
    cursor: &mut Option<QueueId>,
    called: &Called,
) -> Result<Option<Vec<QueueId>>, Trouble> {
    let entries = store.page(*cursor, PIECE).await?;
    let Some(last) = entries.last() else {
        return Ok(None);
    };
    *cursor = Some(last.id);
    let called = entries.iter().filter(|entry| is_called(entry, called));
    Ok(Some(called.map(|entry| entry.id).collect()))
}

/// Makes messages due, and counts those that are there.
pub(crate) async fn make_due<S: QueueStore>(
    services: &Arc<Services<S>>,
    called: Vec<QueueId>,
    found: &AtomicU64,
) -> Result<(), Trouble> {
    let now = services.clock.unix();
    let changed = called.into_iter().map(|id| async move {
        let changed = services.store.amend(id, Amendment::RetryNow, now).await;
        (id, changed)
    });
    let mut changed = stream::iter(changed).buffered(CHANGES);
    while let Some((id, changed)) = changed.next().await {
        match changed {
            Ok(()) => {
                found.fetch_add(1, Ordering::Relaxed);
                services.delivery.changed(id);
            }
            // It was settled in this moment.
            Err(Trouble::Unknown(_)) => {}
            // The others may be whole.
            Err(Trouble::Damaged(_)) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(())
}

/// Whether a message waits for a recipient whose mail is called for. What an operator holds, or sends
/// another way, is the operator's.
fn is_called(entry: &Entry, called: &Called) -> bool {
    let state = &entry.state;
    let mut recipients = entry.envelope.recipients.iter().zip(&state.lives);
    !state.held
        && state.redirect.is_none()
        && recipients.any(|(recipient, life)| {
            life.pending_due().is_some() && called.has(&recipient.target.host)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_may_ask_so_often_and_then_after_a_while_again() {
        let runs = QueueRuns::default();
        let now = Mono(7);
        for _ in 0..RUNS {
            assert!(runs.may("home", now));
        }
        assert!(!runs.may("home", now));
        assert!(runs.may("office", now), "another's requests don't count");
        assert!(!runs.may("home", now + WINDOW / 2));
        assert!(runs.may("home", now + WINDOW));
    }
}
