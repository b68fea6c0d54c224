//! Which server the message goes to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use postroad_config::Config;
use postroad_host::disk::Disk;
use postroad_host::disk::real::RealDisk;

use super::arguments::Arguments;
use super::{Failure, Status};
use crate::configuration::{self, Unusable};

/// Where the configuration of a server is that was installed.
const INSTALLED: &str = "/etc/postroad/postroad.toml";

/// The server, as far as its clients need to know it.
#[derive(Debug)]
pub(super) struct Server {
    /// Host and port.
    pub(super) address: String,
    /// The domain of names without one.
    pub(super) origin: String,
    /// Octets of a message.
    pub(super) largest: u64,
}

/// The configuration file that was named, or that is where it is installed.
pub(super) fn configuration_file(named: Option<PathBuf>) -> Option<PathBuf> {
    let from_environment = || std::env::var_os("POSTROAD_CONFIG").map(PathBuf::from);
    named.or_else(from_environment).or_else(|| {
        let installed = Path::new(INSTALLED);
        let is_there = RealDisk.exists(installed).unwrap_or(false);
        is_there.then(|| installed.to_owned())
    })
}

impl Server {
    /// The server that the arguments name, or the environment, or the configuration; else the one that
    /// `postroad serve` without a configuration is.
    pub(super) fn find(arguments: &Arguments) -> Result<Server, Failure> {
        let named = arguments.config.is_some() || std::env::var_os("POSTROAD_CONFIG").is_some();
        let file = configuration_file(arguments.config.clone());
        let config = match (configuration::load(file.as_deref()), named) {
            (Ok(loaded), _) => loaded.config,
            // Not everybody may read what is installed; the rest of the machine has to be able to send mail.
            (Err(Unusable::Unread(_)), false) => match configuration::load(None) {
                Ok(loaded) => loaded.config,
                Err(error) => return Err(Failure::new(Status::Config, error.to_string())),
            },
            (Err(Unusable::Unread(what)), true) => return Err(Failure::new(Status::Config, what)),
            // Whoever is changing it will be done with it.
            (Err(Unusable::Wrong(problems)), _) => {
                let file = file.unwrap_or_default();
                let words = format!(
                    "{}: {}; `postroad check` says which",
                    file.display(),
                    configuration::counted(&problems)
                );
                return Err(Failure::new(Status::Later, words));
            }
        };
        let environment = || std::env::var("POSTROAD_SERVER").ok();
        let address = match arguments.server.clone().or_else(environment) {
            Some(address) => address,
            None => of_listener(&config)?.to_string(),
        };
        Ok(Server {
            address,
            origin: origin(&config),
            largest: config.limits.message_size.0,
        })
    }
}

/// Where the first listener that takes mail by SMTP is reached from this machine.
fn of_listener(config: &Config) -> Result<SocketAddr, Failure> {
    let mut listeners = config.listener.iter();
    let address = listeners.find(|listener| listener.takes_mail());
    let address = address.map(|listener| listener.address);
    let Some(address) = address.filter(|address| address.port() != 0) else {
        let words = "the configuration names no port of a listener; name the server with --server";
        return Err(Failure::new(Status::Config, words));
    };
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok((ip, address.port()).into())
}

/// The server's own name if it has mailboxes, else its first domain.
fn origin(config: &Config) -> String {
    let own = &config.server.hostname;
    let is_local = config
        .domain
        .iter()
        .any(|domain| domain.name.as_str().eq_ignore_ascii_case(own.as_str()));
    match config.domain.first() {
        Some(first) if !is_local => first.name.to_string(),
        _ => own.to_string(),
    }
}
