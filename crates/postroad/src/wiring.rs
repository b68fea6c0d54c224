//! Makes each crate's settings from the configuration. A new setting is wired up here.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postroad_config::settings::{self, OnDemand};
use postroad_config::{
    AuthMechanism, BareLineEnds, Config, ExpnInquiry, Inquiry, Level, ListenerAuth, ListenerTls,
    LogFormat, RouteDomain, RouteHop, Size, Tells,
};
use postroad_delivery::{Notices, Pace, Patience, peer};
use postroad_directory::{Customer, Customers, Directory, Identity, RouteFor, Told, Way};
use postroad_policy::ConnectionLimits;
use postroad_queue::{RetryPlan, scheduler};
use postroad_server::ListenerSettings;
use postroad_session::server::{
    AuthRule, BareLineEndRule, Limits, LookupRule, Offered, Roles, Settings, Timeouts, TlsRule,
};
use postroad_spool::Options;
use postroad_wire::address::{self, HeloName};
use postroad_wire::sasl::{Mechanism, Mechanisms};

use crate::secrets::Files;
use crate::{listeners, site};

/// How long a message is leased to one attempt; long work renews it.
const LEASE: Duration = Duration::from_secs(300);

/// How long a client that would send a message waits for room in memory at most.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(10);

/// What is particular to a listener.
fn listener(config: &Config, listener: &settings::Listener) -> ListenerSettings {
    let of_all = Settings {
        tls: tls(config, listener),
        auth: match listener.auth {
            ListenerAuth::Off => AuthRule::Off,
            ListenerAuth::Offered => AuthRule::Offered,
            ListenerAuth::Required => AuthRule::Required,
        },
        mechanisms: mechanisms(config),
        clear_passwords: listener.clear_passwords,
        roles: roles(config, can_prove_who_it_is(config, listener)),
        ..session(config)
    };
    let session = listeners::session(listener, of_all);
    ListenerSettings {
        session: Arc::new(session),
    }
}

/// What TLS is for on a listener. A server that has a certificate offers it.
fn tls(config: &Config, listener: &settings::Listener) -> TlsRule {
    match listener.tls {
        Some(ListenerTls::Off) => TlsRule::Off,
        Some(ListenerTls::Offered) => TlsRule::Offered,
        Some(ListenerTls::Required) => TlsRule::Required,
        Some(ListenerTls::Implicit) => TlsRule::Implicit,
        None if config.tls.certificate.is_some() => TlsRule::Offered,
        None => TlsRule::Off,
    }
}

fn mechanisms(config: &Config) -> Mechanisms {
    let offered = |mechanism: Mechanism| {
        config.auth.mechanisms.contains(&match mechanism {
            Mechanism::ScramSha256 => AuthMechanism::ScramSha256,
            Mechanism::Plain => AuthMechanism::Plain,
            Mechanism::Login => AuthMechanism::Login,
        })
    };
    Mechanisms::those(offered)
}

/// What a session may do.
pub(crate) fn session(config: &Config) -> Settings {
    let (limits, timeouts) = (&config.limits, &config.timeouts);
    Settings {
        limits: Limits {
            // These bounds are u32 in the configuration and fit usize wherever this runs.
            command_line: limits.command_line as usize,
            address: address::Limits {
                local_part: limits.local_part as usize,
                domain: limits.domain as usize,
                path: limits.path as usize,
            },
            message_size: limits.message_size.0,
            discarded: limits.refused_data.0,
            recipients: limits.recipients,
            transactions: limits.transactions,
            errors: limits.errors,
            junk_commands: limits.junk_commands,
            failed_logins: limits.failed_logins,
            refused_recipients: limits.refused_recipients,
            lifetime: limits.session_lifetime,
            ..Limits::default()
        },
        timeouts: Timeouts {
            command: timeouts.command,
            data: timeouts.data_block,
        },
        bare_line_ends: match config.smtp.bare_line_ends {
            BareLineEnds::Refuse => BareLineEndRule::Refuse,
            BareLineEnds::Normalise => BareLineEndRule::Normalise,
        },
        vrfy: match config.smtp.vrfy {
            Inquiry::Everybody | Inquiry::Trusted => LookupRule::Asked,
            Inquiry::Nobody => LookupRule::Undisclosed,
        },
        expn: match config.smtp.expn {
            ExpnInquiry::Everybody | ExpnInquiry::Trusted => LookupRule::Asked,
            ExpnInquiry::Nobody => LookupRule::Undisclosed,
            ExpnInquiry::NotImplemented => LookupRule::NotImplemented,
        },
        help: config.smtp.help,
        offered: Offered {
            binary_mime: config.smtp.binary_mime,
            ..Offered::default()
        },
        status: config.smtp.status != Inquiry::Nobody,
        qualified_names: config.smtp.qualified_names,
        roles: roles(config, false),
        ..Settings::new(config.server.hostname.clone())
    }
}

/// Whether a client of this listener has a way to prove who it is.
fn can_prove_who_it_is(config: &Config, listener: &settings::Listener) -> bool {
    let by_certificate =
        config.tls.client_authorities.is_some() && tls(config, listener) != TlsRule::Off;
    by_certificate || listener.auth != ListenerAuth::Off
}

/// Which commands by which mail is called for: those that somebody may use.
fn roles(config: &Config, clients_prove_who_they_are: bool) -> Roles {
    let mut customers = config.on_demand.iter();
    let collects = |customer: &OnDemand| !customer.users.is_empty();
    Roles {
        etrn: !config.on_demand.is_empty(),
        atrn: clients_prove_who_they_are && customers.any(collects),
        turn: false,
    }
}

/// What a reload can change of what sessions work with.
pub(crate) fn settings(
    config: &Config,
    directory: &Arc<Directory>,
    files: Files,
) -> postroad_server::Settings {
    postroad_server::Settings {
        directory: Arc::clone(directory),
        customers: customers(config),
        trusted_networks: config.relay.trusted_networks.clone(),
        rules: site::rules(config),
        tls: files.tls,
        passwords: files.passwords,
        listeners: config
            .listener
            .iter()
            .map(|of| listener(config, of))
            .collect(),
        limits: server(config),
    }
}

/// Who may call for mail.
fn customers(config: &Config) -> Customers {
    let customer = |on_demand: &OnDemand| Customer {
        name: on_demand.name.clone(),
        domains: on_demand.domains.iter().map(route_for).collect(),
        networks: on_demand.networks.clone(),
        identities: on_demand.users.iter().map(|user| identity(user)).collect(),
        told: match on_demand.tells {
            Tells::Number => Told::Number,
            Tells::Whether => Told::Whether,
            Tells::Nothing => Told::Nothing,
        },
    };
    Customers::new(config.on_demand.iter().map(customer))
}

/// Who a setting names.
fn identity(text: &str) -> Identity {
    // Every text is one.
    let Ok(identity) = text.parse();
    identity
}

/// Where a route leads.
pub(crate) fn way(next_hop: &RouteHop) -> Way {
    match next_hop {
        RouteHop::Peer(peer) => Way::Peer(peer.clone()),
        RouteHop::OnDemand => Way::OnDemand,
    }
}

/// Which domains a setting names.
pub(crate) fn route_for(domains: &RouteDomain) -> RouteFor {
    match domains {
        RouteDomain::Own(domain) => RouteFor::Domain(domain.clone()),
        RouteDomain::Below(domain) => RouteFor::Below(domain.clone()),
        RouteDomain::Others => RouteFor::Others,
    }
}

/// What one client may take.
fn server(config: &Config) -> postroad_server::Limits {
    let limits = &config.limits;
    postroad_server::Limits {
        connections: ConnectionLimits {
            total: limits.connections as usize,
            per_address: limits.connections_per_address as usize,
            per_network: limits.connections_per_network as usize,
        },
        hops: limits.hops,
        body_in_memory: body_in_memory(config),
        lease: LEASE,
        room: WAIT_FOR_ROOM,
        write: config.timeouts.write,
        handshake: config.timeouts.handshake,
    }
}

/// What one message may hold in memory before it goes on in a file.
fn body_in_memory(config: &Config) -> u32 {
    // The setting's check keeps it far below.
    u32::try_from(config.spool.body_file_threshold.0).unwrap_or(u32::MAX)
}

/// Where the operator reaches the running server; none if it is switched off.
pub(crate) fn control_socket(config: &Config) -> Option<PathBuf> {
    let server = &config.server;
    let path = server.control_socket.0.as_deref();
    // An absolute path stays as it is.
    path.map(|path| server.data_dir.join(path))
}

/// As many octets, or as many as this machine can count.
pub(crate) fn octets(size: Size) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

/// How the queue is kept on disk.
pub(crate) fn spool(config: &Config) -> Options {
    let spool = &config.spool;
    Options {
        segment_octets: spool.segment_size.0,
        body_file_threshold: octets(spool.body_file_threshold),
        fresh_memory: octets(config.limits.body_memory),
        reserve_segments: spool.reserve_segments as usize,
        floor_octets: spool.free_space_floor.0,
        floor_inodes: spool.free_inode_floor,
        checkpoint_octets: spool.checkpoint_size.0,
        ..Options::new(config.server.data_dir.join("spool"))
    }
}

/// When a deferred delivery is tried again.
pub(crate) fn patience(config: &Config) -> Patience {
    let delivery = &config.delivery;
    Patience {
        retry: RetryPlan {
            first: delivery.retry_first,
            growth_percent: delivery.retry_growth * 100,
            longest: delivery.retry_longest,
            give_up_after: delivery.give_up_after,
        },
        delay_notice: Some(delivery.delay_notice_after).filter(|after| !after.is_zero()),
        lease: LEASE,
    }
}

/// How notices are made.
pub(crate) fn notices(config: &Config) -> Notices {
    let most = config.delivery.notice_returns.0;
    Notices {
        host_name: config.server.hostname.to_string(),
        return_at_most: usize::try_from(most).unwrap_or(usize::MAX),
    }
}

/// How much is delivered at once.
pub(crate) fn pace(config: &Config) -> Pace {
    let delivery = &config.delivery;
    Pace {
        limits: scheduler::Limits {
            most_messages: delivery.active_messages as usize,
            most_recipients: (delivery.active_messages as usize).saturating_mul(10),
            recipients_per_dispatch: delivery.recipients_per_transaction as usize,
            largest_window: delivery.connections_per_site,
            most_under_way: (delivery.connections as usize)
                .saturating_add(delivery.concurrency as usize),
            pause: pause(config),
            ..scheduler::Limits::default()
        },
        into_maildirs: delivery.concurrency,
        ..Pace::default()
    }
}

/// For how long a next hop in trouble is left alone: no longer than a message for it would wait.
fn pause(config: &Config) -> scheduler::Pause {
    let (delivery, pause) = (&config.delivery, scheduler::Pause::default());
    scheduler::Pause {
        first: pause.first.min(delivery.retry_first),
        longest: pause.longest.min(delivery.retry_longest),
        ..pause
    }
}

/// How this server behaves as a client of others.
pub(crate) fn client(config: &Config) -> peer::Settings {
    let delivery = &config.delivery;
    let session = postroad_session::client::Timeouts {
        greeting: delivery.reply_timeout,
        command: delivery.reply_timeout,
        data_begin: delivery.reply_timeout,
        data_block: delivery.reply_timeout,
        data_end: delivery.final_reply_timeout,
    };
    let name = HeloName::from(config.server.hostname.clone());
    let settings = peer::Settings::new(name);
    peer::Settings {
        timeouts: peer::Timeouts {
            connect: delivery.connect_timeout,
            session,
            ..settings.timeouts
        },
        keep: peer::Keep {
            idle: delivery.connection_idle,
            ..settings.keep
        },
        ..settings
    }
}

/// How the log is written.
pub(crate) fn log_format(config: &Config) -> postroad_telemetry::Format {
    match config.log.format {
        LogFormat::Text => postroad_telemetry::Format::Text,
        LogFormat::Json => postroad_telemetry::Format::Json,
        LogFormat::Auto if std::io::stderr().is_terminal() => postroad_telemetry::Format::Text,
        LogFormat::Auto => postroad_telemetry::Format::Json,
    }
}

/// Which events are written.
pub(crate) fn log_level(config: &Config) -> postroad_telemetry::Level {
    match config.log.level {
        Level::Error => postroad_telemetry::Level::Error,
        Level::Warn => postroad_telemetry::Level::Warn,
        Level::Info => postroad_telemetry::Level::Info,
        Level::Debug => postroad_telemetry::Level::Debug,
    }
}
