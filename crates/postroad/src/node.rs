//! Everything behind the listeners: spool, delivery, and what sessions work with.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use postroad_config::Config;
use postroad_delivery::peer::Peers;
use postroad_delivery::{Call, Deliverer, Handle, InFlight, Maildirs, OnDemand, Patience, Runner};
use postroad_directory::{Directory, Mailboxes, Usage};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::real::RealDisk;
use postroad_host::dns::Resolver;
use postroad_host::tasks::{self, Task};
use postroad_queue::Peer;
use postroad_reply::QueueId;
use postroad_server::{
    Budget, Counter, Counts, Delivery, LoginGuard, QueueRuns, Sent, Server, Services, Turned, Work,
};
use postroad_session::client;
use postroad_spool::Spool;
use postroad_store::Leased;
use postroad_telemetry::Event;
use postroad_wire::address::{Host, Limits, LocalPart, Mailbox};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::next_hops::Routing;
use crate::secrets::{self, Files};
use crate::{reports, wiring};

/// How many fresh messages may wait for their first delivery in memory. Beyond it they are as any
/// other message in the spool.
const FRESH: usize = 1000;

/// The delivery, as clients can tell it something.
#[derive(Debug)]
struct ToldByClients {
    handle: Handle,
    on_demand: OnDemand<RealClock>,
    timeouts: client::Timeouts,
    spool: Spool<RealDisk>,
    deliveries: InFlight,
}

impl Delivery for ToldByClients {
    fn changed(&self, id: QueueId) {
        self.handle.changed(id);
    }

    fn retried(&self) {
        self.handle.try_closed();
    }

    fn status(&self) -> Vec<String> {
        let (queued, under_way) = (self.spool.len(), self.deliveries.count());
        vec![
            format!("Messages in the queue: {queued}"),
            format!("Deliveries under way: {under_way}"),
        ]
    }

    fn serve(&self, turned: Turned) -> Work<usize> {
        let (on_demand, timeouts) = (self.on_demand.clone(), self.timeouts);
        Box::pin(async move {
            let session = turned.session.into_client(timeouts, RealClock.mono());
            let Some(session) = session else {
                return 0;
            };
            let call = Call {
                connection: turned.connection,
                session,
                peer: Peer::new(&turned.name, Some(turned.peer)),
                called: turned.called,
                wanted: turned.wanted,
            };
            on_demand.serve(call, turned.begin, turned.enough).await
        })
    }
}

/// The Maildirs, as they are counted for their quotas.
#[derive(Debug)]
struct Counted(Maildirs<RealDisk>);

impl Counts for Counted {
    fn held(&self, mailbox: &Mailbox) -> io::Result<Usage> {
        let held = self.0.held(mailbox)?;
        Ok(Usage {
            octets: held.octets,
            messages: held.messages,
        })
    }
}

/// Everything behind the listeners.
pub(crate) struct Node {
    /// What sessions work with.
    pub(crate) services: Arc<Services<Spool<RealDisk>>>,
    /// How long deliveries wait for what.
    pub(crate) patience: Arc<ArcSwap<Patience>>,
    /// How many messages are being delivered.
    pub(crate) deliveries: InFlight,
    /// Talks to the delivery.
    pub(crate) delivery: Handle,
    runner: Task<()>,
    stop_runner: oneshot::Sender<()>,
    reports: Task<()>,
    threads: Vec<JoinHandle<()>>,
    /// Told when a thread of the spool or the delivery has ended.
    part_ended: Arc<Notify>,
}

impl Node {
    /// Opens the spool and begins to deliver what is in it.
    pub(crate) fn open(
        config: &Config,
        directory: &Arc<Directory>,
        files: Files,
    ) -> Result<Node, String> {
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let part_ended = Arc::new(Notify::new());
        let (spool, threads) = open_spool(config, &clock, &part_ended)?;
        let (maildirs, mailboxes) = open_maildirs(config)?;
        let counted = maildirs.clone();
        let settings = wiring::settings(config, directory, files);
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let patience = Arc::new(ArcSwap::from_pointee(wiring::patience(config)));
        let store = Arc::new(spool.clone());

        let peers = wiring::client(config);
        let on_demand = OnDemand::new(peers.timeouts, RealClock);
        let timeouts = peers.timeouts.session;
        let deliverer = Deliverer {
            store: Arc::clone(&store),
            maildirs,
            peers: Peers::new(peers, RealClock),
            on_demand: on_demand.clone(),
            next_hops: Routing {
                settings: Arc::clone(&settings),
                mailboxes: mailboxes.clone(),
            },
            clock: RealClock,
            chance: chance()?,
            patience: Arc::clone(&patience),
            notices: wiring::notices(config),
        };
        let runner = Runner::new(deliverer, wiring::pace(config));
        let (deliveries, delivery) = (runner.in_flight(), runner.handle());
        let told_by_clients = ToldByClients {
            handle: delivery.clone(),
            on_demand,
            timeouts,
            spool: spool.clone(),
            deliveries: deliveries.clone(),
        };
        let (fresh, fresh_leases) = mpsc::channel::<Leased>(FRESH);
        let (stop_runner, stopped) = oneshot::channel();
        let runner = runner.run(fresh_leases, async {
            // An error says that nobody is left to stop it, which is as good.
            let _ = stopped.await;
        });
        let runner = tasks::spawn(told_of_its_end(Arc::clone(&part_ended), runner));

        let services = Arc::new(Services {
            store,
            fresh,
            mailboxes,
            host_name: config.server.hostname.clone(),
            settings,
            counter: Counter::new(Counted(counted)),
            sent: Sent::default(),
            sent_to_terminals: Sent::default(),
            resolver: Arc::new(Resolver::new(&config.dns.name_servers)),
            clock,
            body_budget: Budget::new(wiring::octets(config.limits.body_memory)),
            envelope_budget: Budget::new(wiring::octets(config.limits.envelope_memory)),
            delivery: Arc::new(told_by_clients),
            queue_runs: QueueRuns::default(),
            login_guard: login_guard(config)?,
        });
        let reports = tasks::spawn(reports::watch(spool));
        Ok(Node {
            services,
            patience,
            deliveries,
            delivery,
            runner,
            stop_runner,
            reports,
            threads,
            part_ended,
        })
    }

    /// Waits until a part has ended that nobody has told to. Without a thread of the spool nothing
    /// can be made durable any more, and what is delivered can't be settled; without the delivery
    /// mail would be taken in and lie there.
    pub(crate) async fn broken(&self) {
        self.part_ended.notified().await;
    }

    /// Ends in order, and waits for each part `at_most`: sessions, deliveries, then the spool, which writes its checkpoint.
    pub(crate) async fn end(self, server: &Server, at_most: Duration) {
        let began = RealClock.mono();
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
        let mut runner = self.runner;
        let mut deliveries = 0;
        if tasks::timeout(at_most, &mut runner).await.is_err() {
            // What is under way stays in the spool, and goes with the next start. A peer that has all of a
            // message but has not answered may have it twice then (RFC 5321 4.5.3.2.6); nobody can wait
            // for it as long as it likes.
            deliveries = self.deliveries.count();
            runner.abort();
            let _ = runner.await;
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
            deliveries,
            took: RealClock.mono().since(began),
        }
        .emit();
    }
}

/// What sessions share of logging in. A password that is checked takes a core.
fn login_guard(config: &Config) -> Result<LoginGuard, String> {
    let (data_dir, chance) = (&config.server.data_dir, chance()?);
    let secret = secrets::own(data_dir, &chance)
        .map_err(|error| format!("{}: {error}", data_dir.join("secret").display()))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(LoginGuard::new(cores, secret, chance))
}

/// Opens the spool, tells what it found, and starts its threads.
fn open_spool(
    config: &Config,
    clock: &Arc<dyn Clock>,
    part_ended: &Arc<Notify>,
) -> Result<(Spool<RealDisk>, Vec<JoinHandle<()>>), String> {
    let before = clock.mono();
    let opened = Spool::open(
        RealDisk,
        wiring::spool(config),
        chance()?,
        Arc::clone(clock),
    )
    .map_err(|error| error.to_string())?;
    Event::SpoolOpened {
        messages: opened.spool.len() as u64,
        segments: opened.spool.segments() as u64,
        took: clock.mono().since(before),
    }
    .emit();
    opened.reports.iter().for_each(reports::tell);
    let (committer, housekeeper) = (opened.committer, opened.housekeeper);
    let threads = [
        spool_thread("committer", part_ended, move || committer.run()),
        spool_thread("housekeeper", part_ended, move || housekeeper.run()),
    ];
    let threads = threads.into_iter().collect::<io::Result<_>>();
    let threads = threads.map_err(|error| format!("no thread can be started: {error}"))?;
    Ok((opened.spool, threads))
}

/// Opens the folder of the mailboxes: where they are written to, and which there are.
fn open_maildirs(config: &Config) -> Result<(Maildirs<RealDisk>, Mailboxes), String> {
    let mail = config.server.data_dir.join("mail");
    let at_mail = |error: io::Error| format!("{}: {error}", mail.display());
    let maildirs = Maildirs::open(RealDisk, &mail).map_err(at_mail)?;
    let owners = maildirs.owners().map_err(at_mail)?;
    let existing = owners
        .iter()
        .filter_map(|(local, domain)| owner(local, domain));
    let mailboxes = Mailboxes::new(config.mailboxes.limit as usize, existing);
    Ok((maildirs, mailboxes))
}

fn chance() -> Result<Chance, String> {
    Chance::from_os().map_err(|error| format!("no random numbers: {error}"))
}

/// Starts a thread that the spool can't do without.
fn spool_thread(
    name: &str,
    ended: &Arc<Notify>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let ended = TellsItsEnd(Arc::clone(ended));
    tasks::thread(name, move || {
        let _ended = ended;
        work();
    })
}

/// Does a work that the server can't do without.
async fn told_of_its_end(ended: Arc<Notify>, work: impl Future<Output = ()>) {
    let _ended = TellsItsEnd(ended);
    work.await;
}

/// Tells when it is dropped, a panic included.
struct TellsItsEnd(Arc<Notify>);

impl Drop for TellsItsEnd {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The mailbox whose folder this is; none if its name is none that could be addressed.
fn owner(local: &str, domain: &str) -> Option<Mailbox> {
    // It was within the limits of its time, as it was written; as it is compared it may be longer.
    let local = LocalPart::from_unquoted(local, &Limits::NONE).ok()?;
    let host = Host::parse(domain, &Limits::NONE).ok()?;
    Some(Mailbox { local, host })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_whose_compared_name_is_over_all_limits_is_known() {
        // 1,024 octets as it is sent, the most that a setting allows.
        let compared = "\u{130}".repeat(512).to_lowercase();
        assert!(compared.len() > 1024);
        assert!(owner(&compared, "example.org").is_some());
    }

    #[test]
    fn the_end_of_a_thread_is_told_whatever_ended_it() {
        for work in [|| (), || panic!("as planned")] {
            let ended = Arc::new(Notify::new());
            let thread = spool_thread("test", &ended, work).expect("a thread");
            let told = tasks::run(0, tasks::timeout(Duration::from_secs(10), ended.notified()));
            assert_eq!(told.expect("a runtime"), Ok(()));
            drop(thread.join());
        }
    }

    #[test]
    fn the_end_of_the_delivery_is_told_if_it_panics() {
        let told = tasks::run(1, async {
            let ended = Arc::new(Notify::new());
            let work = async { panic!("as planned") };
            let task = tasks::spawn(told_of_its_end(Arc::clone(&ended), work));
            let told = tasks::timeout(Duration::from_secs(10), ended.notified()).await;
            assert!(task.await.is_err());
            told
        });
        assert_eq!(told.expect("a runtime"), Ok(()));
    }
}
