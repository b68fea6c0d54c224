//! The spool itself, where no server runs: under the same lock that a server takes.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use postroad_control::Filter;
use postroad_control::api::{Action, Done, Message, Order, Page, Place};
use postroad_control::queue::{self, Wrong};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::Disk;
use postroad_host::disk::real::RealDisk;
use postroad_host::tasks;
use postroad_spool::{OpenError, Spool};

use super::{Failure, say};
use crate::configuration::Loaded;
use crate::operator::Destinations;
use crate::privileges::Plan;
use crate::serve::{self, LogThread};
use crate::{reports, wiring};

/// A spool that this process has opened.
pub(super) struct OwnSpool {
    spool: Spool<RealDisk>,
    destinations: Destinations,
    threads: Vec<JoinHandle<()>>,
    log: LogThread,
}

impl OwnSpool {
    /// Takes the spool of a configuration, as the user whose it is. It is said on standard error.
    /// `socket` is where no server was found.
    pub(super) fn open(
        loaded: &Loaded,
        named: bool,
        socket: Option<&Path>,
    ) -> Result<OwnSpool, Failure> {
        let config = &loaded.config;
        let folder = config.server.data_dir.join("spool");
        is_there(&folder, socket)?;
        become_its_owner(loaded, named)?;
        let warnings = serve::start_log(
            postroad_telemetry::Format::Text,
            postroad_telemetry::Level::Warn,
        );
        let log = warnings.map_err(Failure::Cannot)?;
        let chance = Chance::from_os()
            .map_err(|error| Failure::Cannot(format!("no random numbers: {error}")))?;
        let opened = Spool::open(RealDisk, wiring::spool(config), chance, Arc::new(RealClock))
            .map_err(|error| cannot_open(&error, socket))?;
        opened.reports.iter().for_each(reports::tell);
        let (committer, housekeeper) = (opened.committer, opened.housekeeper);
        let threads = [
            tasks::thread("committer", move || committer.run()),
            tasks::thread("housekeeper", move || housekeeper.run()),
        ];
        let threads = threads.into_iter().collect::<std::io::Result<_>>();
        let threads = threads
            .map_err(|error| Failure::Cannot(format!("no thread can be started: {error}")))?;
        eprintln!("no server runs; this is the queue in {}", folder.display());
        Ok(OwnSpool {
            spool: opened.spool,
            destinations: Destinations {
                directory: Arc::clone(&loaded.directory),
                retry: wiring::patience(config).retry,
            },
            threads,
            log,
        })
    }

    pub(super) async fn page(&self, filter: &Filter, place: &Place) -> Result<Page, Failure> {
        let now = RealClock.unix();
        let page = queue::page(&self.spool, &self.destinations, filter, place, now).await;
        page.map_err(wrong)
    }

    pub(super) async fn show(&self, id: &str) -> Result<Message, Failure> {
        let now = RealClock.unix();
        let id = queue::queue_id(id).map_err(wrong)?;
        let message = queue::show(&self.spool, &self.destinations, id, now).await;
        message.map_err(wrong)
    }

    pub(super) async fn act(&self, action: Action, order: &Order) -> Result<Done, Failure> {
        let now = RealClock.unix();
        let (spool, destinations) = (&self.spool, &self.destinations);
        let done = queue::carry_out(spool, destinations, action, order, now, &|_| ()).await;
        done.map_err(wrong)
    }

    /// Writes the checkpoint and gives the spool back.
    pub(super) async fn close(self) {
        self.spool.close();
        let threads = self.threads;
        tasks::blocking(move || {
            for thread in threads {
                // One that panicked has nothing to give back.
                let _ = thread.join();
            }
        })
        .await;
        self.log.end();
    }
}

/// A queue that nobody has made is not made here.
fn is_there(folder: &Path, socket: Option<&Path>) -> Result<(), Failure> {
    let tried = match socket {
        Some(socket) => format!("no server answers at {}, and ", socket.display()),
        None => String::new(),
    };
    match RealDisk.exists(folder) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Cannot(format!(
            "{tried}there is no queue in {}; name the server's configuration with --config FILE, or its \
             control socket with --socket PATH",
            folder.display()
        ))),
        Err(error) => Err(Failure::Cannot(format!(
            "{tried}{}: {error}; become the user whose it is, or root",
            folder.display()
        ))),
    }
}

/// Files that another user made here would be in the server's way.
fn become_its_owner(loaded: &Loaded, named: bool) -> Result<(), Failure> {
    let server = &loaded.config.server;
    let refused = |refused: crate::privileges::Refused| Failure::Cannot(refused.to_string());
    let plan = Plan::new(server.user.as_deref(), server.group.as_deref(), named);
    plan.and_then(|plan| plan.carry_out(&server.data_dir))
        .map_err(refused)?;
    let owner = nix::sys::stat::stat(&server.data_dir)
        .map_err(|error| Failure::Cannot(format!("{}: {error}", server.data_dir.display())))?;
    if owner.st_uid != nix::unistd::geteuid().as_raw() {
        return Err(Failure::Cannot(format!(
            "{} belongs to another user, who has to do this",
            server.data_dir.display()
        )));
    }
    Ok(())
}

fn cannot_open(error: &OpenError, socket: Option<&Path>) -> Failure {
    let OpenError::Locked(_) = error else {
        return Failure::Cannot(error.to_string());
    };
    Failure::Cannot(match socket {
        Some(socket) => format!(
            "{error}, but does not answer at {}: if it is just starting or ending, try again",
            socket.display()
        ),
        None => format!(
            "{error}, and server.control_socket is \"\": set it and restart the server to reach it"
        ),
    })
}

fn wrong(wrong: Wrong) -> Failure {
    match wrong {
        Wrong::Asked(words) => Failure::Usage(say::clean(&words)),
        wrong => Failure::Cannot(say::clean(&wrong.to_string())),
    }
}
