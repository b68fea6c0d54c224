//! The node: the real server and spool, without delivery.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use postroad_clock::UnixMs;
use postroad_directory::{Customers, Directory, LocalDomain, Mailboxes, Quotas, Routes, Usage};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, SimClock};
use postroad_host::disk::real::RealDisk;
use postroad_host::dns::Resolver;
use postroad_host::net::Listener;
use postroad_policy::ConnectionLimits;
use postroad_reply::QueueId;
use postroad_server::{
    Budget, Counter, Counts, Delivery, Limits, ListenerSettings, LoginGuard, QueueRuns, Rules,
    Sent, Server, Services, Settings, Turned, Work,
};
use postroad_spool::{Committer, Options, Spool};
use postroad_store::Leased;
use postroad_telemetry::{Drain, Format, Level, Log};
use postroad_wire::address::{self, Domain, LocalPart, Mailbox};
use tokio::sync::mpsc;

use crate::Fault;

/// When it begins: 2026-09-21T14:13:20Z.
const BEGIN: UnixMs = UnixMs(1_790_000_000_000);
/// Room for all that is sent; the default's 64 MiB would take longer to make than to fill.
const SEGMENT: u64 = 16 << 20;

/// A node that takes mail for `ada@mx.example`.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) spool: Spool<RealDisk>,
    pub(crate) committer: Committer<RealDisk>,
    /// Stands still unless it is moved, so that no time-out comes in between.
    pub(crate) clock: Arc<SimClock>,
    /// Takes what was accepted and lets go of it, in the place of delivery.
    fresh: mpsc::Receiver<Leased>,
    _server: Server,
}

impl Node {
    /// Starts it in an empty folder. Needs a runtime.
    pub(crate) fn start(folder: &Path) -> Result<Node, Fault> {
        let clock = Arc::new(SimClock::new(BEGIN));
        let options = Options {
            segment_octets: SEGMENT,
            ..Options::new(folder.join("spool"))
        };
        let opened = Spool::open(RealDisk, options, Chance::from_seed(1), clock.clone())?;
        let (fresh_to, fresh) = mpsc::channel(10);
        let services = Arc::new(services(opened.spool.clone(), fresh_to, clock.clone())?);
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), 16)?;
        let address = listener.local_address()?;
        let server = Server::default();
        server.accept(vec![(0, listener)], &services);
        Ok(Node {
            address,
            spool: opened.spool,
            committer: opened.committer,
            clock,
            fresh,
            _server: server,
        })
    }

    /// Lets go of what was accepted.
    pub(crate) fn forget(&mut self) {
        while self.fresh.try_recv().is_ok() {}
    }
}

/// The log as it is by default, and the end of it where lines come out.
pub(crate) fn log() -> (Log, Drain) {
    postroad_telemetry::log(Format::Json, Level::Info, || BEGIN)
}

fn services(
    spool: Spool<RealDisk>,
    fresh: mpsc::Sender<Leased>,
    clock: Arc<dyn Clock>,
) -> Result<Services<Spool<RealDisk>>, Fault> {
    let host_name = Domain::parse("mx.example", &address::Limits::default())?;
    let mut session = postroad_session::server::Settings::new(host_name.clone());
    session.limits.transactions = u32::MAX;
    let local = LocalDomain {
        name: host_name.clone(),
        mailboxes: vec![LocalPart::parse("ada", &address::Limits::default())?],
        aliases: Vec::new(),
        moved: Vec::new(),
        create_mailboxes: false,
        quotas: Quotas::default(),
        recipient_delimiter: Some('+'),
    };
    let (directory, _) = Directory::new(vec![local], None, Routes::default());
    let settings = Settings {
        directory: Arc::new(directory),
        customers: Customers::default(),
        trusted_networks: Vec::new(),
        rules: Rules::default(),
        tls: None,
        passwords: None,
        listeners: vec![ListenerSettings {
            session: Arc::new(session),
        }],
        limits: limits(),
    };
    Ok(Services {
        store: Arc::new(spool),
        fresh,
        mailboxes: Mailboxes::new(100, []),
        host_name,
        settings: Arc::new(ArcSwap::from_pointee(settings)),
        counter: Counter::new(Nothing),
        sent: Sent::default(),
        sent_to_terminals: Sent::default(),
        resolver: Arc::new(Resolver::new(&[])),
        clock,
        body_budget: Budget::new(64 << 20),
        envelope_budget: Budget::new(64 << 20),
        delivery: Arc::new(Nothing),
        queue_runs: QueueRuns::default(),
        login_guard: LoginGuard::new(1, [0; 32], Chance::from_seed(0)),
    })
}

/// In the place of what accepting mail for a mailbox without a quota has no need of.
#[derive(Debug)]
struct Nothing;

impl Counts for Nothing {
    fn held(&self, _: &Mailbox) -> std::io::Result<Usage> {
        Ok(Usage::default())
    }
}

impl Delivery for Nothing {
    fn changed(&self, _: QueueId) {}

    fn retried(&self) {}

    fn serve(&self, turned: Turned) -> Work<usize> {
        // It hangs up.
        drop(turned);
        Box::pin(std::future::ready(0))
    }
}

/// As the binary's defaults.
fn limits() -> Limits {
    Limits {
        connections: ConnectionLimits {
            total: 1000,
            per_address: 200,
            per_network: 500,
        },
        hops: 100,
        body_in_memory: 256 * 1024,
        lease: Duration::from_secs(300),
        room: Duration::from_secs(10),
        write: Duration::from_secs(300),
        handshake: Duration::from_secs(10),
    }
}
