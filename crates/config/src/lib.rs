//! Holds every setting once: type, default, check, how it reloads, documentation.
//!
//! The table of settings is in [`settings`]: from it come the typed [`Config`], its reader, its
//! defaults and the [`reference()`] that is printed as `docs/configuration.md`. This crate reads
//! no file; it is given the text, and says all that is wrong with it at once.

#[macro_use]
mod table;

mod check;
mod collect;
mod listener;
mod name;
mod problem;
mod read;
mod reference;
mod route;
pub mod settings;

mod value;

pub use collect::Provider;
pub use listener::{Protocol, Quirk};
pub use name::{Alias, AliasTarget, Aliases, Delimiter};
pub use problem::Problem;
pub use reference::reference;
pub use route::{RouteDomain, RouteHop};
pub use settings::Config;
pub use table::{Change, Reload};
pub use value::{
    AccessAction, AccessReason, AccessStep, AuthMechanism, AuthSenders, BareLineEnds, CollectTls,
    ExpnInquiry, Inquiry, Level, ListenerAuth, ListenerTls, LogFormat, Size, SocketPath, Tells,
    TlsVersion, WhenFull,
};

use postroad_wire::address::Domain;

/// A configuration that can't be used.
#[derive(Debug)]
pub struct Faulty {
    /// Everything that is wrong with it, in the order of the text.
    pub problems: Vec<Problem>,
    /// What is right in it, and defaults for what isn't, so that who uses it can say what else is
    /// wrong. An entry of a list that can't be read is missing in the list. None where not even
    /// that can be said.
    pub readable: Option<Box<Config>>,
}

/// What settings take from the machine when they are not set.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    hostname: Domain,
}

impl Config {
    /// The configuration that `text` says.
    ///
    /// `file` is the name that problems show. `machine_hostname` is what the machine calls
    /// itself; where that is not a domain name (RFC 5321 4.1.2), `localhost` stands for it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of the text, and what could be read all the
    /// same.
    pub fn load(text: &str, file: &str, machine_hostname: &str) -> Result<Config, Faulty> {
        let source = problem::Source::new(text, file);
        let mut reader = read::Reader::default();
        let (root, syntax) = toml::de::DeTable::parse_recoverable(text);
        for error in &syntax {
            reader.syntax(error);
        }
        let root = root.get_ref();
        // A name in the file is also what the domains are when it has none; whether it is a right
        // one is said when it is read.
        let named = root
            .get("hostname")
            .and_then(|name| name.get_ref().as_str());
        let machine = Machine {
            hostname: name::machine_name(named.unwrap_or(machine_hostname)),
        };
        let read = settings::read_all(root, &machine, &mut reader);
        if let Some(config) = &read {
            check::all(config, &mut reader);
        }
        let (faults, places) = reader.into_parts();
        let problems = source.problems(&faults);
        let origin = problem::Origin { source, places };
        match read.map(|config| Config { origin, ..config }) {
            Some(config) if problems.is_empty() => Ok(config),
            readable => Err(Faulty {
                problems,
                readable: readable.map(Box::new),
            }),
        }
    }

    /// The configuration of a server that was given none: mail for `localhost` and for the
    /// machine's own name, from this machine alone.
    pub fn without_file(machine_hostname: &str) -> Config {
        // The table's own defaults pass their own checks, which a test makes sure of.
        Config::load("", "(no configuration file)", machine_hostname)
            .expect("the defaults of the table are right")
    }

    /// A problem found by who uses the setting, shown at its place in the file: `key` as in
    /// `domain[0].aliases.info[1]` (see [`Config::alias_key`]), or at the nearest place above it.
    pub fn problem(&self, key: &str, what: &str, advice: &str) -> Problem {
        self.origin.problem(key, what, advice)
    }

    /// The key of an alias, by the places of its domain and of itself among the domain's
    /// aliases, or of one of its targets.
    pub fn alias_key(&self, domain: usize, alias: usize, target: Option<usize>) -> String {
        let mut key = format!("domain[{domain}].aliases");
        let found = self.domain.get(domain).and_then(|d| d.aliases.0.get(alias));
        if let Some(alias) = found {
            key = read::join(&key, alias.name.as_str());
            if let Some(target) = target {
                key = format!("{key}[{target}]");
            }
        }
        key
    }
}
