//! Puts the parts together, and ends them in order.

use std::io;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::thread::JoinHandle;

use postroad_config::Config;
use postroad_delivery::{Deliverer, InFlight, Maildirs, Runner};
use postroad_directory::{Directory, Mailboxes};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::Disk;
use postroad_host::disk::real::RealDisk;
use postroad_host::net::Listener;
use postroad_host::tasks::{self, Signal, Signals, Task};
use postroad_server::{Server, Services};
use postroad_spool::Spool;
use postroad_store::Leased;
use postroad_telemetry::Event;
use postroad_wire::address::{self, Mailbox};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::configuration::Loaded;
use crate::next_hops::LocalMaildirs;
use crate::privileges::Plan;
use crate::{banner, reports, wiring};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How many fresh messages may wait for their first delivery in memory. Beyond it they are as any
/// other message in the spool.
const FRESH: usize = 1000;

/// Serves until told to stop. The error is for people.
pub(crate) fn run(loaded: Loaded, file: Option<&Path>) -> Result<(), String> {
    let user = &loaded.config.server;
    let plan = Plan::new(user.user.as_deref(), user.group.as_deref(), file.is_some())
        .map_err(|refused| refused.to_string())?;
    let log = start_log(&loaded.config)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let served = match tasks::run(workers, serve(&loaded, &plan, file)) {
        Ok(served) => served,
        Err(error) => Err(format!("no runtime: {error}")),
    };
    if let Err(cause) = &served {
        Event::ServerFailed { cause }.emit();
    }
    log.end();
    served
}

/// A running log.
struct LogThread {
    closer: postroad_telemetry::Closer,
    thread: JoinHandle<()>,
}

fn start_log(config: &Config) -> Result<LogThread, String> {
    let now = || RealClock.unix();
    let (log, drain) =
        postroad_telemetry::log(wiring::log_format(config), wiring::log_level(config), now);
    let closer = log.install().map_err(|error| error.to_string())?;
    let thread =
        tasks::thread("log", move || drain.run(io::stderr())).map_err(|e| no_thread(&e))?;
    Ok(LogThread { closer, thread })
}

impl LogThread {
    /// Writes what is left.
    fn end(self) {
        self.closer.close();
        // A writer that panicked has nothing left to write.
        let _ = self.thread.join();
    }
}

async fn serve(loaded: &Loaded, plan: &Plan, file: Option<&Path>) -> Result<(), String> {
    let config = &loaded.config;
    let started = RealClock.mono();
    announce(config, file);
    let mut signals = Signals::listen().map_err(|error| format!("no signals: {error}"))?;

    // Ports below 1024 are bound while this may still be root; nothing else is done as root.
    let listeners = listen(config)?;
    let addresses = addresses(&listeners)?;
    let data_dir = &config.server.data_dir;
    let made = RealDisk.create_dir_all(data_dir);
    made.map_err(|error| format!("{}: {error}", data_dir.display()))?;
    plan.carry_out(data_dir)
        .map_err(|refused| refused.to_string())?;

    let node = Node::open(config, &loaded.directory)?;
    let server = Server::start(listeners, Arc::clone(&node.services));
    for address in &addresses {
        Event::ServerListening { address: *address }.emit();
    }
    Event::ServerReady {
        took: RealClock.mono().since(started),
    }
    .emit();
    banner::print(config, plan, &addresses);

    // SIGHUP will reload the configuration; until then it must not end the server.
    while signals.next().await != Signal::Terminate {}
    node.end(server, config).await;
    Ok(())
}

fn announce(config: &Config, file: Option<&Path>) {
    let file = file.map(|file| file.display());
    Event::ServerStarting {
        version: env!("CARGO_PKG_VERSION"),
        hostname: &config.server.hostname,
        data_dir: &config.server.data_dir.display(),
    }
    .emit();
    let domains = config.domain.len();
    Event::ConfigLoaded {
        file: file.as_ref().map(|file| file as _),
        domains,
    }
    .emit();
}

/// The sockets handed over by systemd, or else those of the configuration.
fn listen(config: &Config) -> Result<Vec<Listener>, String> {
    let mut handed = listenfd::ListenFd::from_env();
    let taken = |error: io::Error| format!("a socket that was handed over can't be used: {error}");
    if handed.len() > 0 {
        let sockets = (0..handed.len()).filter_map(|n| handed.take_tcp_listener(n).transpose());
        return sockets
            .map(|socket| Listener::from_std(socket.map_err(taken)?).map_err(taken))
            .collect();
    }
    let bind = |at: &postroad_config::settings::Listener| {
        Listener::bind(at.address, BACKLOG).map_err(|error| cannot_listen(at.address, &error))
    };
    config.listener.iter().map(bind).collect()
}

fn cannot_listen(address: std::net::SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another server is there: end it, or set another listener.address"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root with `user` set, CAP_NET_BIND_SERVICE, or socket activation"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    };
    format!("can't listen on {address}: {error}{advice}")
}

fn addresses(listeners: &[Listener]) -> Result<Vec<std::net::SocketAddr>, String> {
    let address = |listener: &Listener| listener.local_address().map_err(|error| error.to_string());
    listeners.iter().map(address).collect()
}

fn no_thread(error: &io::Error) -> String {
    format!("no thread can be started: {error}")
}

/// Everything behind the listeners.
struct Node {
    services: Arc<Services<Spool<RealDisk>>>,
    deliveries: InFlight,
    runner: Task<()>,
    stop_runner: oneshot::Sender<()>,
    reports: Task<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Node {
    fn open(config: &Config, directory: &Directory) -> Result<Node, String> {
        let data_dir = &config.server.data_dir;
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let before = clock.mono();
        let options = wiring::spool(config);
        let chance = || Chance::from_os().map_err(|error| format!("no random numbers: {error}"));
        let opened = Spool::open(RealDisk, options, chance()?, Arc::clone(&clock))
            .map_err(|error| error.to_string())?;
        let spool = opened.spool;
        Event::SpoolOpened {
            messages: spool.len() as u64,
            segments: spool.segments() as u64,
            took: clock.mono().since(before),
        }
        .emit();
        opened.reports.iter().for_each(reports::tell);
        let (committer, housekeeper) = (opened.committer, opened.housekeeper);
        let threads = [
            tasks::thread("committer", move || committer.run()),
            tasks::thread("housekeeper", move || housekeeper.run()),
        ];
        let threads = threads
            .into_iter()
            .collect::<io::Result<_>>()
            .map_err(|e| no_thread(&e))?;

        let mail = data_dir.join("mail");
        let at_mail = |error: io::Error| format!("{}: {error}", mail.display());
        let maildirs = Maildirs::open(RealDisk, &mail).map_err(at_mail)?;
        let owners = maildirs.owners().map_err(at_mail)?;
        let existing = owners
            .iter()
            .filter_map(|(local, domain)| owner(local, domain));
        let mailboxes = Mailboxes::new(config.mailboxes.limit as usize, existing);
        let directory = Arc::new(directory.clone());
        let store = Arc::new(spool.clone());

        let deliverer = Deliverer {
            store: Arc::clone(&store),
            maildirs,
            next_hops: LocalMaildirs {
                directory: Arc::clone(&directory),
            },
            clock: RealClock,
            chance: chance()?,
            patience: wiring::patience(config),
        };
        let runner = Runner::new(deliverer, wiring::pace(config));
        let deliveries = runner.in_flight();
        let (fresh, fresh_leases) = mpsc::channel::<Leased>(FRESH);
        let (stop_runner, stopped) = oneshot::channel();
        let runner = tasks::spawn(runner.run(fresh_leases, async {
            // An error says that nobody is left to stop it, which is as good.
            let _ = stopped.await;
        }));

        let session = wiring::session(config);
        let limits = wiring::server(config);
        let body_budget = usize::try_from(config.limits.body_memory.0).unwrap_or(usize::MAX);
        let services = Arc::new(Services {
            store,
            fresh,
            directory,
            mailboxes,
            host_name: config.server.hostname.clone(),
            session: Arc::new(session),
            limits,
            clock,
            body_budget: Arc::new(Semaphore::new(body_budget.min(Semaphore::MAX_PERMITS))),
        });
        let reports = tasks::spawn(reports::watch(spool));
        Ok(Node {
            services,
            deliveries,
            runner,
            stop_runner,
            reports,
            threads,
        })
    }

    /// Ends in order: sessions, deliveries, then the spool, which writes its checkpoint.
    async fn end(self, server: Server, config: &Config) {
        let began = RealClock.mono();
        let at_most = config.timeouts.drain;
        let deliveries = self.deliveries.clone();
        let waiting = |remaining: postroad_server::Remaining| {
            Event::ServerDraining {
                connections: remaining.connections,
                transactions: remaining.receiving,
                deliveries: deliveries.count(),
                at_most,
            }
            .emit();
        };
        server.drain(at_most, waiting).await;
        let cut = server.remaining().connections;
        // Receivers are gone only if the runner panicked; then there is nothing to stop.
        let _ = self.stop_runner.send(());
        if tasks::timeout(at_most, self.runner).await.is_err() {
            // What it was doing is leased, and delivered by the next start.
            process::exit(1);
        }
        self.reports.abort();
        self.services.store.close();
        let threads = self.threads;
        tasks::blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        })
        .await;
        Event::ServerStopped {
            cut,
            took: RealClock.mono().since(began),
        }
        .emit();
    }
}

/// The mailbox whose folder this is; none if its name is none that could be addressed.
fn owner(local: &str, domain: &str) -> Option<Mailbox> {
    let limits = address::Limits {
        local_part: 1024,
        domain: 1024,
        path: 4096,
    };
    let local = address::LocalPart::from_unquoted(local, &limits).ok()?;
    let host = address::Host::parse(domain, &limits).ok()?;
    Some(Mailbox { local, host })
}
