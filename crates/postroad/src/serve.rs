//! Puts the parts together, and ends them in order.

use std::io;
use std::path::Path;
use std::process;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use postroad_config::Config;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::Disk;
use postroad_host::disk::real::RealDisk;
use postroad_host::service::ServiceManager;
use postroad_host::tasks::{self, Signal, Signals};
use postroad_server::Server;
use postroad_telemetry::{Event, Format, Level};

use crate::collections::Collections;
use crate::configuration::{Loaded, Unusable};
use crate::node::Node;
use crate::operator::{ControlSocket, Running};
use crate::privileges::Plan;
use crate::reload::Reloader;
use crate::{banner, descriptors, listeners, secrets, wiring};

/// Serves until told to stop. The error is for people.
pub(crate) fn run(loaded: Loaded, file: Option<&Path>) -> Result<(), String> {
    let user = &loaded.config.server;
    let plan = Plan::new(user.user.as_deref(), user.group.as_deref(), file.is_some())
        .map_err(|refused| refused.to_string())?;
    let config = &loaded.config;
    let log = start_log(wiring::log_format(config), wiring::log_level(config))?;
    descriptors::take_all();
    // Sessions have a thread for each core; this one delivers (ARCHITECTURE.md says why).
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let served = match tasks::run(cores, serve(&loaded, &plan, file)) {
        Ok(served) => served,
        Err(error) => Err(format!("no runtime: {error}")),
    };
    if let Err(cause) = &served {
        Event::ServerFailed { cause }.emit();
    }
    if !log.end() {
        // Whoever writes to stderr now waits for ever.
        process::exit(i32::from(served.is_err()));
    }
    served
}

/// How long the last lines of the log may take.
const LAST_LINES: Duration = Duration::from_secs(5);

/// A running log.
pub(crate) struct LogThread {
    closer: postroad_telemetry::Closer,
    /// Closed when all is written.
    written: mpsc::Receiver<()>,
}

/// Writes what is said from now on to standard error.
pub(crate) fn start_log(format: Format, level: Level) -> Result<LogThread, String> {
    let now = || RealClock.unix();
    let (log, drain) = postroad_telemetry::log(format, level, now);
    let closer = log.install().map_err(|error| error.to_string())?;
    let (writes, written) = mpsc::channel();
    let write = move || {
        drain.run(io::stderr());
        drop(writes);
    };
    tasks::thread("log", write).map_err(|error| format!("no thread can be started: {error}"))?;
    Ok(LogThread { closer, written })
}

impl LogThread {
    /// Writes what is left; whether it could be written in time. A pipe that nobody reads takes
    /// nothing, and must not keep the process.
    pub(crate) fn end(self) -> bool {
        self.closer.close();
        // A writer that panicked has nothing left to write.
        self.written.recv_timeout(LAST_LINES) != Err(mpsc::RecvTimeoutError::Timeout)
    }
}

async fn serve(loaded: &Loaded, plan: &Plan, file: Option<&Path>) -> Result<(), String> {
    let config = &loaded.config;
    let started = RealClock.mono();
    announce(config, file);
    let mut signals = Signals::listen().map_err(|error| format!("no signals: {error}"))?;
    let manager = ServiceManager::from_environment()
        .map_err(|error| format!("the service manager can't be reached: {error}"))?;
    let manager = Arc::new(manager);

    // Ports below 1024 are bound while this may still be root; nothing else is done as root.
    let listeners = listeners::open(&config.listener)?;
    let addresses: Vec<_> = listeners.iter().map(|open| open.address).collect();
    let data_dir = &config.server.data_dir;
    make_data_dir(data_dir).map_err(|error| format!("{}: {error}", data_dir.display()))?;
    plan.carry_out(data_dir)
        .map_err(|refused| refused.to_string())?;

    let (files, problems) = secrets::read(config, None);
    if !problems.is_empty() {
        return Err(format!("\n{}", Unusable::Wrong(problems)));
    }
    secrets::tell_expiry(&files, config, RealClock.unix());
    let node = Node::open(config, &loaded.directory, files)?;
    let reloader = Arc::new(Reloader::new(
        file.map(Path::to_owned),
        config.clone(),
        Arc::clone(&node.services),
        Arc::clone(&node.patience),
        Arc::clone(&manager),
    ));
    let server = Arc::new(Server::default());
    let collections = Arc::new(Collections::start(config, &server, &node.services));
    let running = Running {
        services: Arc::clone(&node.services),
        server: Arc::clone(&server),
        deliveries: node.deliveries.clone(),
        delivery: node.delivery.clone(),
        patience: Arc::clone(&node.patience),
        collections: Arc::clone(&collections),
        reloader: Arc::clone(&reloader),
        started,
        ending: AtomicBool::new(false),
    };
    let control = ControlSocket::start(config, running)?;
    let listeners = listeners
        .into_iter()
        .map(|open| (open.place, open.listener));
    server.accept(listeners.collect(), &node.services);
    for address in &addresses {
        Event::ServerListening { address: *address }.emit();
    }
    Event::ServerReady {
        took: RealClock.mono().since(started),
    }
    .emit();
    manager.ready(&status(&addresses));
    let heart = manager
        .heartbeat()
        .map(|each| tasks::spawn(beat(Arc::clone(&manager), each)));
    banner::print(config, plan, &addresses);

    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Terminate => break,
                // What came of it is in the log.
                Signal::Reload => drop(reloader.reload().await),
            },
            () = node.broken() => return Err("a part of it has ended that it can't do without; see what that said".into()),
        }
    }
    manager.stopping("ending sessions and deliveries in order");
    if let Some(control) = &control {
        control.ending();
    }
    collections.stop();
    node.end(&server, reloader.drain().await).await;
    if let Some(control) = control {
        control.end().await;
    }
    if let Some(heart) = heart {
        heart.abort();
    }
    Ok(())
}

/// Tells the service manager that tasks get their turn, until it is aborted.
async fn beat(manager: Arc<ServiceManager>, each: Duration) {
    loop {
        manager.alive();
        tasks::sleep(each).await;
    }
}

/// What the service manager shows of a server that has begun.
fn status(addresses: &[std::net::SocketAddr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    format!("serving at {}", addresses.join(", "))
}

/// Makes the data folder. Durability: its name, and those of the folders above that it may have
/// needed, are on disk before anything in it is acknowledged.
fn make_data_dir(data_dir: &Path) -> io::Result<()> {
    RealDisk.create_dir_all(data_dir)?;
    for above in std::path::absolute(data_dir)?.ancestors().skip(1) {
        match RealDisk.sync_dir(above) {
            // A folder that this user can't open, another has made, and long ago.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
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
