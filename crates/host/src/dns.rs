//! Questions to the domain name system.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use postroad_clock::Mono;

use crate::clock::{Clock, RealClock};
use crate::tasks;

/// How long one name server is waited for.
const ONE_TRY: Duration = Duration::from_secs(2);
/// For how long what could not be found out isn't asked again.
const REMEMBERED: Duration = Duration::from_secs(15);
/// Of how many domains it is remembered that they could not be found out.
const MOST_REMEMBERED: usize = 1024;
/// How many answers are kept.
const CACHE: u64 = 4096;
/// For how long an answer is kept at most.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Asks name servers, and keeps what they say for as long as they say.
#[derive(Debug)]
pub struct Resolver {
    asks: Result<TokioResolver, Unresolved>,
    /// What could not be found out, and until when it isn't asked again.
    failed: Mutex<BTreeMap<String, (Mono, Unresolved)>>,
}

/// What MX records say of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailExchange {
    /// It has hosts that take its mail.
    Hosts,
    /// One record, which says that it takes none (RFC 7505 3).
    NullMx,
    /// It has no such records; there may be a host of this name that takes its mail (RFC 5321 5.1).
    Unsaid,
    /// There is no such domain.
    NoDomain,
}

/// It could not be found out: no server answered in time, or it says that it can't tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved(String);

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unresolved {}

impl Resolver {
    /// Asks these name servers, or those of `/etc/resolv.conf` where there are none. One that knows
    /// nobody to ask finds nothing out.
    pub fn new(name_servers: &[SocketAddr]) -> Resolver {
        Resolver {
            asks: resolver(name_servers),
            failed: Mutex::default(),
        }
    }

    /// What a domain, as A-labels, says of its mail. It takes no longer than `within`.
    ///
    /// # Errors
    /// [`Unresolved`] where that can't be found out now.
    pub async fn mail_exchange(
        &self,
        domain: &str,
        within: Duration,
    ) -> Result<MailExchange, Unresolved> {
        let resolver = self.asks.as_ref().map_err(Clone::clone)?;
        let now = RealClock.mono();
        let known = self.failed().get(domain).cloned();
        if let Some((until, why)) = known
            && now < until
        {
            return Err(why);
        }
        let asked = tasks::timeout(within, ask(resolver, domain)).await;
        let found = asked.unwrap_or_else(|_| Err(Unresolved("no answer in time".into())));
        let mut failed = self.failed();
        match &found {
            Ok(_) => drop(failed.remove(domain)),
            Err(why) => {
                if failed.len() >= MOST_REMEMBERED {
                    // Asked anew, they cost no more than they did.
                    failed.clear();
                }
                failed.insert(domain.to_owned(), (now + REMEMBERED, why.clone()));
            }
        }
        found
    }

    fn failed(&self) -> MutexGuard<'_, BTreeMap<String, (Mono, Unresolved)>> {
        // A map is in order after every call, whatever happened to its caller.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn resolver(name_servers: &[SocketAddr]) -> Result<TokioResolver, Unresolved> {
    let because = |error: hickory_resolver::net::NetError| Unresolved(error.to_string());
    let builder = if name_servers.is_empty() {
        TokioResolver::builder_tokio().map_err(because)?
    } else {
        let servers = name_servers.iter().map(name_server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let mut options = ResolverOpts::default();
    options.timeout = ONE_TRY;
    options.attempts = 2;
    options.cache_size = CACHE;
    options.positive_max_ttl = Some(LONGEST);
    options.negative_max_ttl = Some(LONGEST);
    builder.with_options(options).build().map_err(because)
}

fn name_server(at: &SocketAddr) -> NameServerConfig {
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = at.port();
    }
    NameServerConfig::new(at.ip(), true, connections.into())
}

async fn ask(resolver: &TokioResolver, domain: &str) -> Result<MailExchange, Unresolved> {
    // With the dot at its end it is nobody's subdomain.
    let name = Name::from_ascii(format!("{}.", domain.trim_end_matches('.')))
        .map_err(|error| Unresolved(error.to_string()))?;
    let found = match resolver.lookup(name, RecordType::MX).await {
        Ok(found) => found,
        Err(error) if error.is_nx_domain() => return Ok(MailExchange::NoDomain),
        Err(error) if error.is_no_records_found() => return Ok(MailExchange::Unsaid),
        Err(error) => return Err(Unresolved(error.to_string())),
    };
    let exchanges = found
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::MX(mx) => Some(mx.exchange.is_root()),
            _ => None,
        });
    Ok(match exchanges.collect::<Vec<_>>().as_slice() {
        [] => MailExchange::Unsaid,
        // RFC 7505 3: such a record stands alone. Beside others it means nothing.
        [true] => MailExchange::NullMx,
        _ => MailExchange::Hosts,
    })
}
