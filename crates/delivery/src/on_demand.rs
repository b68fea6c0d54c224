//! Mail that its owner calls for: it is held until the owner comes, and goes over the owner's own
//! connection (TURN of RFC 821 3.8, ATRN of RFC 2645).
//!
//! A connection whose roles have changed is a *line*: from the moment its peer is ready until all that
//! was called for was tried once, what is for the line's domains goes over it, one transaction after
//! another. Without a line such mail waits, which is no attempt.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postroad_directory::Called;
use postroad_host::clock::Clock;
use postroad_host::{net, tasks};
use postroad_queue::{Peer, RecipientIx, Report};
use postroad_reply::QueueId;
use postroad_session::client::ClientSession;
use postroad_store::QueueStore;
use postroad_wire::address::Host;
use tokio::sync::watch;

use crate::parcel::{Carried, Parcel, Verdict};
use crate::peer::Timeouts;
use crate::peer::carry::over;
use crate::peer::connection::Connection;

/// For how long a line is kept on which nothing goes, though something was called for: it may be in
/// other hands, or gone.
const IDLE: Duration = Duration::from_secs(10);
/// For how long it is kept when all was tried: a message can be for more than one site.
const LAST_LOOK: Duration = Duration::from_millis(500);

/// The lines that are open. Clones share them.
#[derive(Debug, Clone)]
pub struct OnDemand<C> {
    timeouts: Timeouts,
    clock: C,
    lines: Arc<Mutex<Vec<Arc<Line>>>>,
}

/// A connection over which mail is called for.
#[derive(Debug)]
pub struct Call {
    /// What carries it.
    pub connection: net::Connection,
    /// Our side of it, as its client.
    pub session: ClientSession,
    /// The other side, for reports.
    pub peer: Peer,
    /// Whose mail may go over it.
    pub called: Called,
    /// What is to be tried.
    pub wanted: Vec<QueueId>,
}

/// An open line.
#[derive(Debug)]
struct Line {
    called: Called,
    /// None once it is lost.
    connection: tokio::sync::Mutex<Option<Connection>>,
    progress: watch::Sender<Progress>,
}

/// What has to happen yet.
#[derive(Debug, Clone)]
struct Progress {
    wanted: BTreeSet<QueueId>,
    /// Messages that go over it or wait for that.
    under_way: usize,
    lost: bool,
}

impl<C: Clock + Clone> OnDemand<C> {
    /// None open yet.
    pub fn new(timeouts: Timeouts, clock: C) -> OnDemand<C> {
        OnDemand {
            timeouts,
            clock,
            lines: Arc::default(),
        }
    }

    /// Serves one call to its end: waits until the peer is ready, says `begin` (which makes due what is
    /// wanted), and keeps the line until all was tried once, it is lost, or it is `enough`. Then says QUIT.
    /// How many of the wanted messages were tried.
    pub async fn serve(
        &self,
        call: Call,
        begin: impl Future<Output = ()>,
        enough: impl Future<Output = ()>,
    ) -> usize {
        let mut connection = Connection::new(call.connection, call.session, call.peer);
        if connection.until_ready(&self.clock).await.is_err() {
            return 0;
        }
        let most = call.wanted.len();
        let line = Arc::new(Line {
            called: call.called,
            connection: tokio::sync::Mutex::new(Some(connection)),
            progress: watch::Sender::new(Progress {
                wanted: call.wanted.into_iter().collect(),
                under_way: 0,
                lost: false,
            }),
        });
        // Dropped with this future, the line is no longer found.
        let listed = Listed {
            lines: &self.lines,
            line: Arc::clone(&line),
        };
        lock(&self.lines).push(Arc::clone(&line));
        begin.await;
        tokio::select! {
            () = line.is_done() => {}
            () = enough => {}
        }
        drop(listed);
        if let Some(connection) = line.connection.lock().await.take() {
            let quit = connection.quit(&self.clock);
            // What it says to QUIT changes nothing.
            let _ = tasks::timeout(self.timeouts.quit, quit).await;
        }
        let left = line.progress.borrow().wanted.len();
        most.saturating_sub(left)
    }

    /// Takes a message over the line that is open for its recipients' domain; without one it waits.
    pub(crate) async fn carry<S: QueueStore>(
        &self,
        domain: &str,
        parcel: &Parcel<'_, S>,
    ) -> Carried {
        let mut recipients = parcel.recipients.iter();
        let host = recipients.find_map(|ix| Some(&parcel.recipient(*ix)?.target.host));
        let Some(line) = host.and_then(|host| self.line(host)) else {
            return waits(&parcel.recipients, domain);
        };
        let mut under_way = UnderWay::begin(&line, parcel.id);
        let mut place = line.connection.lock().await;
        // Dropped in the midst of a message, this future takes the connection with it.
        let Some(mut connection) = place.take() else {
            return waits(&parcel.recipients, domain);
        };
        let ready = connection.until_ready(&self.clock);
        if !matches!(tasks::timeout(self.timeouts.quit, ready).await, Ok(Ok(()))) {
            line.progress.send_modify(|progress| progress.lost = true);
            return waits(&parcel.recipients, domain);
        }
        let carried = over(&mut connection, parcel, &self.clock).await;
        under_way.tried = true;
        match connection.may_go_on() {
            true => *place = Some(connection),
            false => line.progress.send_modify(|progress| progress.lost = true),
        }
        carried
    }

    /// The line for mail to a host: the latest, for the one before it may be dead without our knowing.
    fn line(&self, host: &Host) -> Option<Arc<Line>> {
        let lines = lock(&self.lines);
        let line = lines.iter().rev().find(|line| line.called.has(host));
        line.cloned()
    }
}

impl Line {
    /// Waits until there is nothing more to do for it.
    async fn is_done(&self) {
        let mut progress = self.progress.subscribe();
        loop {
            let (lost, under_way, wanted) = {
                let progress = progress.borrow_and_update();
                let wanted = !progress.wanted.is_empty();
                (progress.lost, progress.under_way, wanted)
            };
            if lost && under_way == 0 {
                return;
            }
            let patience = match (under_way, wanted) {
                (0, true) => IDLE,
                (0, false) => LAST_LOOK,
                // Each of them has its own time-outs.
                _ => Duration::MAX,
            };
            // The sender is here.
            let changed = progress.changed();
            if patience == Duration::MAX {
                let _ = changed.await;
            } else if tasks::timeout(patience, changed).await.is_err() {
                return;
            }
        }
    }
}

/// A message that goes over a line, or waits for that.
struct UnderWay<'l> {
    line: &'l Line,
    id: QueueId,
    /// It went, whatever became of it.
    tried: bool,
}

impl<'l> UnderWay<'l> {
    fn begin(line: &'l Line, id: QueueId) -> UnderWay<'l> {
        line.progress
            .send_modify(|progress| progress.under_way += 1);
        UnderWay {
            line,
            id,
            tried: false,
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.line.progress.send_modify(|progress| {
            progress.under_way -= 1;
            if self.tried {
                progress.wanted.remove(&self.id);
            }
        });
    }
}

/// A line among those that are open; dropped, it is there no more.
struct Listed<'o> {
    lines: &'o Mutex<Vec<Arc<Line>>>,
    line: Arc<Line>,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        lock(self.lines).retain(|line| !Arc::ptr_eq(line, &self.line));
    }
}

fn lock(lines: &Mutex<Vec<Arc<Line>>>) -> MutexGuard<'_, Vec<Arc<Line>>> {
    // No change stops half-way, so a panic elsewhere leaves the list whole.
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// It is held here.
fn waits(recipients: &[RecipientIx], domain: &str) -> Carried {
    let words = format!("held here until {domain} calls for it");
    let mut carried = Carried::nothing();
    for ix in recipients {
        let verdict = Verdict::Waits(Report::plain(&words));
        carried.recipients.push((*ix, verdict));
    }
    carried
}
