//! Accepts connections, and ends them in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postroad_host::net::Listener;
use postroad_host::tasks;
use postroad_session::server::SessionId;
use postroad_store::QueueStore;
use postroad_telemetry::Event;
use tokio::sync::watch;

use crate::admission::Admission;
use crate::connection::Arrived;
use crate::{Services, connection};

/// How long an accept that failed for want of something of ours (descriptors, memory) waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Whether sessions go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Running {
    /// As ever.
    Serving,
    /// No new connections; a session ends as soon as it is not receiving a message.
    Draining,
    /// Every session ends now.
    Ending,
}

/// Waits until it has come to `enough`.
pub(crate) async fn reached(running: &mut watch::Receiver<Running>, enough: Running) {
    // An error says that the server was dropped without a drain: that ends everything as well.
    let _ = running.wait_for(|now| *now >= enough).await;
}

/// The listeners and their sessions.
#[derive(Debug)]
pub struct Server {
    pub(crate) running: watch::Sender<Running>,
    pub(crate) admission: Admission,
    pub(crate) receiving: connection::Receiving,
}

/// What a drain still waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Open connections.
    pub connections: usize,
    /// Those among them that are in the midst of a message.
    pub receiving: usize,
}

impl Default for Server {
    /// One without connections, and without listeners yet.
    fn default() -> Server {
        let (running, _) = watch::channel(Running::Serving);
        Server {
            running,
            admission: Admission::default(),
            receiving: Default::default(),
        }
    }
}

impl Server {
    /// Begins to accept connections on these listeners, each of which follows the settings that stand in
    /// this place in [`Settings::listeners`](crate::Settings). Needs a runtime.
    pub fn accept<S: QueueStore>(
        &self,
        listeners: Vec<(usize, Listener)>,
        services: &Arc<Services<S>>,
    ) {
        for (place, listener) in listeners {
            let accepting = Accepting {
                place,
                services: Arc::clone(services),
                running: self.running.subscribe(),
                admission: self.admission.clone(),
                receiving: self.receiving.clone(),
            };
            tasks::spawn(accepting.run(listener));
        }
    }

    /// What is open now.
    pub fn remaining(&self) -> Remaining {
        Remaining {
            connections: self.admission.total(),
            receiving: self.receiving.count(),
        }
    }

    /// Stops accepting, lets messages that are being received come to their end, and ends all
    /// other sessions. After `patience` every session ends. `waiting` is told now and then
    /// what is still waited for.
    pub async fn drain(&self, patience: Duration, mut waiting: impl FnMut(Remaining)) {
        self.running.send_replace(Running::Draining);
        if tasks::timeout(patience, self.emptied(&mut waiting))
            .await
            .is_err()
        {
            self.running.send_replace(Running::Ending);
            // Sessions say 421 and close; a client that doesn't read it can't hold us up.
            let _ = tasks::timeout(LAST_WORDS, self.emptied(&mut waiting)).await;
        }
    }

    async fn emptied(&self, waiting: &mut impl FnMut(Remaining)) {
        let mut told = None;
        loop {
            // Listeners and sessions watch it to their end: a connection that was about to be taken when
            // the drain began is waited for as well.
            if self.running.is_closed() {
                return;
            }
            let remaining = self.remaining();
            if remaining.connections > 0 && told != Some(remaining) {
                waiting(remaining);
                told = Some(remaining);
            }
            let _ = tasks::timeout(DRAIN_LOOK, self.running.closed()).await;
        }
    }
}

/// How often a drain looks what it waits for.
const DRAIN_LOOK: Duration = Duration::from_millis(50);
/// How long sessions may take to say 421, and to see that it has arrived.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Sessions that this process has begun.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// The name of another session.
pub(crate) fn next_session() -> SessionId {
    SessionId(SESSIONS.fetch_add(1, Ordering::Relaxed))
}

/// One listener's loop.
struct Accepting<S> {
    place: usize,
    services: Arc<Services<S>>,
    running: watch::Receiver<Running>,
    admission: Admission,
    receiving: connection::Receiving,
}

impl<S: QueueStore> Accepting<S> {
    async fn run(mut self, listener: Listener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.running.changed() => return,
            };
            match accepted {
                Ok((accepted, peer)) => {
                    let id = next_session();
                    let arrived = Arrived {
                        place: self.place,
                        id,
                        accepted,
                        peer,
                        permit: self.admission.enter(peer.ip()),
                    };
                    let connection = connection::serve(
                        Arc::clone(&self.services),
                        arrived,
                        self.running.clone(),
                        self.receiving.clone(),
                    );
                    // In turn: each thread gets its share of them.
                    tasks::spread(id.0, connection);
                }
                Err(error) => {
                    if let Ok(address) = listener.local_address() {
                        let cause = &error;
                        Event::ListenerTrouble { address, cause }.emit();
                    }
                    tasks::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}
