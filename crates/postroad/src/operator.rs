//! What the running server shows to its operator, and does for one, at the control socket.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use postroad_clock::{Mono, UnixMs};
use postroad_config::Config;
use postroad_control::api::{Came, Collection, Health, Reloaded, Site};
use postroad_control::socket::Socket;
use postroad_control::{Control, Server, Sites, view};
use postroad_delivery::{Handle, InFlight, NextHop, Patience};
use postroad_directory::{Directory, NextHop as Hop};
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::real::RealDisk;
use postroad_host::tasks::{self, Task};
use postroad_queue::scheduler::{SiteView, Standing};
use postroad_queue::{RetryPlan, RouteKey};
use postroad_reply::QueueId;
use postroad_server::Services;
use postroad_spool::Spool;
use postroad_store::{Pressure, QueueStore};
use postroad_telemetry::Gauges;
use postroad_wire::address::Mailbox;
use tokio::sync::oneshot;

use crate::collections::Collections;
use crate::reload::Reloader;
use crate::wiring;

/// How long requests under way may take when the server ends.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// The control socket of a running server.
pub(crate) struct ControlSocket {
    running: Arc<Running>,
    stop: oneshot::Sender<()>,
    served: Task<()>,
}

impl ControlSocket {
    /// Begins to answer where the configuration wants it; nowhere if it wants none.
    pub(crate) fn start(
        config: &Config,
        running: Running,
    ) -> Result<Option<ControlSocket>, String> {
        let Some(path) = wiring::control_socket(config) else {
            return Ok(None);
        };
        let socket = Socket::bind(&path).map_err(|error| cannot_bind(&path, &error))?;
        let running = Arc::new(running);
        let (stop, stopped) = oneshot::channel::<()>();
        let routes = Control::new(Arc::clone(&running)).router();
        let serve = socket.serve(routes, async {
            // An error says that nobody is left to stop it, which is as good.
            let _ = stopped.await;
        });
        let served = tasks::spawn(async move {
            // It never fails: the socket goes on after errors of accept(2).
            let _ = serve.await;
        });
        Ok(Some(ControlSocket {
            running,
            stop,
            served,
        }))
    }

    /// Says from now on that the server is not ready.
    pub(crate) fn ending(&self) {
        self.running.ending.store(true, Ordering::Relaxed);
    }

    /// Ends it; what is under way may take its time, but not for ever.
    pub(crate) async fn end(self) {
        // Nobody hears it if it has ended already.
        let _ = self.stop.send(());
        let mut served = self.served;
        if tasks::timeout(LAST_REQUESTS, &mut served).await.is_err() {
            served.abort();
        }
    }
}

fn cannot_bind(path: &Path, error: &std::io::Error) -> String {
    let advice = match error.kind() {
        std::io::ErrorKind::AddrInUse => "; another server, or something else, is there",
        std::io::ErrorKind::InvalidInput => "; the path of a socket may have 107 octets",
        _ => "",
    };
    format!(
        "can't listen at the control socket {}: {error}{advice}; server.control_socket names another, \
         or none with \"\"",
        path.display()
    )
}

/// Where mail goes by the configuration, and how long it is tried, as the operator sees it.
#[derive(Debug, Clone)]
pub(crate) struct Destinations {
    /// Which domain goes where.
    pub(crate) directory: Arc<Directory>,
    /// How often and how long.
    pub(crate) retry: RetryPlan,
}

impl Sites for Destinations {
    fn given_up_after(&self) -> Duration {
        self.retry.give_up_after
    }

    fn site(&self, target: &Mailbox, redirect: Option<&RouteKey>) -> String {
        if let Some(route) = redirect {
            return route.0.to_string();
        }
        let next_hop = match self.directory.next_hop(&target.host) {
            Some(Hop::Mailbox) => NextHop::Maildirs,
            Some(Hop::Peer(peer)) => NextHop::Peer(peer.clone()),
            Some(Hop::OnDemand) => NextHop::OnDemand {
                domain: RouteKey::of(&target.host).0,
            },
            None => return "nowhere".into(),
        };
        // Only what leads nowhere has no site.
        next_hop.site().map_or("nowhere".into(), |s| s.to_string())
    }
}

/// The running server, as the control socket needs it.
pub(crate) struct Running {
    /// What its sessions work with.
    pub(crate) services: Arc<Services<Spool<RealDisk>>>,
    /// Its connections.
    pub(crate) server: Arc<postroad_server::Server>,
    /// What is being delivered.
    pub(crate) deliveries: InFlight,
    /// Talks to the delivery.
    pub(crate) delivery: Handle,
    /// How long it tries.
    pub(crate) patience: Arc<ArcSwap<Patience>>,
    /// What collects mail from providers.
    pub(crate) collections: Arc<Collections>,
    /// What reads the configuration again.
    pub(crate) reloader: Arc<Reloader>,
    /// When it began.
    pub(crate) started: Mono,
    /// It was told to stop.
    pub(crate) ending: AtomicBool,
}

impl Running {
    fn destinations(&self) -> Destinations {
        Destinations {
            directory: Arc::clone(&self.services.settings.load().directory),
            retry: self.patience.load().retry,
        }
    }
}

impl Sites for Running {
    fn given_up_after(&self) -> Duration {
        self.destinations().given_up_after()
    }

    fn site(&self, target: &Mailbox, redirect: Option<&RouteKey>) -> String {
        self.destinations().site(target, redirect)
    }
}

impl Server for Running {
    type Store = Spool<RealDisk>;

    fn store(&self) -> &Spool<RealDisk> {
        &self.services.store
    }

    fn now(&self) -> UnixMs {
        RealClock.unix()
    }

    async fn sites(&self) -> Vec<Site> {
        let sites = self.delivery.sites().await;
        sites.into_iter().map(shown).collect()
    }

    fn collections(&self) -> Vec<Collection> {
        self.collections.list()
    }

    async fn collect(&self, name: &str) -> Option<Came> {
        self.collections.collect(name).await
    }

    fn health(&self) -> Health {
        let problem = trouble(self.services.store.pressure());
        Health {
            ok: problem.is_none(),
            problems: problem.map(String::from).into_iter().collect(),
            version: env!("CARGO_PKG_VERSION").into(),
            queued: self.services.store.len() as u64,
            uptime: RealClock.mono().since(self.started).as_secs(),
        }
    }

    fn ready(&self) -> Result<(), String> {
        if self.ending.load(Ordering::Relaxed) {
            return Err("the server was told to stop".into());
        }
        match trouble(self.services.store.pressure()) {
            None => Ok(()),
            Some(problem) => Err(problem.into()),
        }
    }

    async fn metrics(&self) -> String {
        let sites = self.delivery.sites().await;
        let is_paused = |site: &&SiteView| matches!(site.standing, Standing::Closed { .. });
        let services = &self.services;
        let open = self.server.remaining();
        postroad_telemetry::metrics(&Gauges {
            version: env!("CARGO_PKG_VERSION"),
            uptime: RealClock.mono().since(self.started),
            accepting: services.store.pressure() == Pressure::None,
            queued: services.store.len() as u64,
            connections: open.connections as u64,
            receiving: open.receiving as u64,
            delivering: self.deliveries.count() as u64,
            waiting: sites.iter().map(|site| site.waiting_messages as u64).sum(),
            sites: sites.len() as u64,
            paused_sites: sites.iter().filter(is_paused).count() as u64,
            body_memory: services.body_budget.taken() as u64,
            envelope_memory: services.envelope_budget.taken() as u64,
        })
    }

    async fn reload(&self) -> Result<Reloaded, String> {
        let changed = self.reloader.reload().await?;
        Ok(Reloaded { changed })
    }

    fn changed(&self, id: QueueId) {
        self.delivery.changed(id);
    }

    fn retried(&self) {
        self.delivery.try_closed();
    }
}

/// A destination in the words of the API.
fn shown(site: SiteView) -> Site {
    let (now, unix) = (RealClock.mono(), RealClock.unix());
    Site {
        site: site.site.to_string(),
        window: site.window,
        under_way: site.under_way,
        waiting: site.waiting_messages as u64,
        last_error: site.last_trouble.map(|(_, words)| words.to_string()),
        paused_until: match site.standing {
            Standing::Closed { until } => Some(view::time(unix + until.since(now))),
            Standing::Open { .. } | Standing::Probing => None,
        },
    }
}

/// What is wrong with the store, for people.
fn trouble(pressure: Pressure) -> Option<&'static str> {
    match pressure {
        Pressure::None => None,
        Pressure::Full => Some(
            "there is no room for more mail (452): the disk is full, or below spool.free_space_floor \
             or spool.free_inode_floor",
        ),
        Pressure::ReadOnly => Some(
            "the spool can't be written, so no mail is taken or delivered; the log says why \
             (spool.trouble)",
        ),
    }
}
