//! Reads the one file, and says all that is wrong with it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use postroad_config::settings::{self, LocalDomain};
use postroad_config::{Config, Faulty, Problem, Size};
use postroad_directory::{Directory, Place, Quota, Quotas, RoutedTwice, Routes};
use postroad_host::disk::real::RealDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_wire::address::{Domain, Host, Limits, LocalPart, Mailbox};

use crate::{privileges, wiring};

/// More than this is no configuration.
const LARGEST: u64 = 4 << 20;

/// A configuration with nothing wrong in it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) directory: Arc<Directory>,
}

/// Why there is no configuration. Shown, it is for people: everything that is wrong, each with its
/// place and what to do.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The file can't be read: which, and why.
    Unread(String),
    /// This is wrong with it.
    Wrong(Vec<Problem>),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Unread(what) => writeln!(f, "postroad: {what}"),
            Unusable::Wrong(problems) => {
                for problem in problems {
                    writeln!(f, "{problem}\n")?;
                }
                writeln!(f, "{}", counted(problems))
            }
        }
    }
}

/// How many problems there are, in words.
pub(crate) fn counted(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "1 problem".into(),
        more => format!("{more} problems"),
    }
}

/// Reads a configuration, or takes the defaults where there is no file.
pub(crate) fn load(file: Option<&Path>) -> Result<Loaded, Unusable> {
    let machine = machine_name();
    let (config, mut problems) = match file {
        None => (Config::without_file(&machine), Vec::new()),
        Some(file) => {
            let name = file.display().to_string();
            let text = read(file).map_err(|what| Unusable::Unread(format!("{name}: {what}")))?;
            match Config::load(&text, &name, &machine) {
                Ok(config) => (config, Vec::new()),
                Err(Faulty {
                    readable: Some(config),
                    problems,
                }) => (*config, problems),
                Err(Faulty {
                    readable: None,
                    problems,
                }) => return Err(Unusable::Wrong(problems)),
            }
        }
    };
    let (directory, wrong) = directory(&config);
    // Where an entry is missing, the places of the others are not what the directory thinks.
    if !problems
        .iter()
        .any(|problem| concerns_the_directory(&problem.key))
    {
        problems.extend(wrong);
    }
    problems.extend(no_such_user(&config));
    problems.sort_by_key(|problem| (problem.line, problem.column));
    if problems.is_empty() {
        let directory = Arc::new(directory);
        Ok(Loaded { config, directory })
    } else {
        Err(Unusable::Wrong(problems))
    }
}

fn concerns_the_directory(key: &str) -> bool {
    ["domain", "mailboxes", "moved", "quota", "route"]
        .iter()
        .any(|table| key.starts_with(table))
}

/// The user and group to become have to exist. Whether this process may become them is another
/// question: `check` is not the server.
fn no_such_user(config: &Config) -> Vec<Problem> {
    let named = [
        ("user", &config.server.user),
        ("group", &config.server.group),
    ];
    let missing = named.into_iter().filter(|(setting, name)| {
        name.as_deref()
            .is_some_and(|name| !privileges::exists(setting, name))
    });
    missing
        .map(|(setting, _)| {
            let what = format!("is no {setting} of this machine");
            config.problem(setting, &what, "create it first, or name another")
        })
        .collect()
}

/// What the machine calls itself; empty where it won't say.
fn machine_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default()
}

fn read(file: &Path) -> Result<String, String> {
    let words = |error: std::io::Error| error.to_string();
    let open = RealDisk.open(file, Open::Read).map_err(words)?;
    let length = open.len().map_err(words)?;
    if length > LARGEST {
        return Err(format!("{length} octets are too many for a configuration"));
    }
    // The bound above fits every usize.
    let mut octets = vec![0; length as usize];
    open.read_exact_at(&mut octets, 0).map_err(words)?;
    String::from_utf8(octets).map_err(|error| format!("not UTF-8: {error}"))
}

/// The directory of a configuration, and what is wrong with it, each at its place in the file.
fn directory(config: &Config) -> (Directory, Vec<Problem>) {
    let domains = config
        .domain
        .iter()
        .map(|domain| postroad_directory::LocalDomain {
            name: domain.name.clone(),
            mailboxes: domain.mailboxes.clone(),
            aliases: domain
                .aliases
                .0
                .iter()
                .map(|alias| {
                    let targets = alias
                        .targets
                        .iter()
                        .map(|target| target.in_domain(&domain.name));
                    (alias.name.clone(), targets.collect())
                })
                .collect(),
            moved: moved_from(config, &domain.name)
                .map(|(_, moved)| {
                    let to = postroad_directory::Moved {
                        to: moved.new_address.clone(),
                        forward: moved.forward,
                        show: moved.show,
                    };
                    (moved.address.local.clone(), to)
                })
                .collect(),
            create_mailboxes: domain.create_mailboxes,
            quotas: quotas(config, domain),
            recipient_delimiter: domain.recipient_delimiter.0,
        })
        .collect();
    let (routes, twice) = routes(config);
    let postmaster = config.mailboxes.postmaster.clone();
    let (directory, problems) = Directory::new(domains, postmaster, routes);
    let problems = problems.iter().map(|problem| {
        let what = problem.fault.to_string();
        config.problem(&key(config, problem.place), &what, problem.fault.advice())
    });
    let problems = problems.chain(twice).chain(not_local(config));
    let problems = problems.collect();
    (directory, problems)
}

/// What the mailboxes of a domain may hold.
fn quotas(config: &Config, domain: &LocalDomain) -> Quotas {
    let octets = |size: Option<Size>| size.map(|size| size.0);
    let own = config
        .quota
        .iter()
        .filter(|quota| is_in(&quota.mailbox, &domain.name));
    Quotas {
        each: Quota {
            octets: octets(domain.mailbox_size),
            messages: domain.mailbox_messages,
            message: octets(domain.message_size),
        },
        of: own
            .map(|own| {
                let quota = Quota {
                    octets: octets(own.size),
                    messages: own.messages,
                    message: octets(own.message_size),
                };
                (own.mailbox.local.clone(), quota)
            })
            .collect(),
    }
}

fn is_in(mailbox: &Mailbox, domain: &Domain) -> bool {
    match &mailbox.host {
        Host::Domain(host) => postroad_directory::is_same_domain(host, domain),
        Host::Literal(_) => false,
    }
}

/// Who has left a domain, with the place in the list.
fn moved_from<'c>(
    config: &'c Config,
    domain: &'c Domain,
) -> impl Iterator<Item = (usize, &'c settings::Moved)> {
    let moved = config.moved.iter().enumerate();
    moved.filter(move |(_, moved)| is_in(&moved.address, domain))
}

/// Entries about addresses that aren't in a local domain.
fn not_local(config: &Config) -> Vec<Problem> {
    let moved = config.moved.iter().enumerate();
    let moved = moved.map(|(index, moved)| (format!("moved[{index}].address"), &moved.address));
    let quotas = config.quota.iter().enumerate();
    let quotas = quotas.map(|(index, quota)| (format!("quota[{index}].mailbox"), &quota.mailbox));
    let is_local = |address: &Mailbox| {
        let mut domains = config.domain.iter();
        domains.any(|domain| is_in(address, &domain.name))
    };
    moved
        .chain(quotas)
        .filter(|(_, address)| !is_local(address))
        .map(|(key, _)| {
            let advice = "name an address of a local domain";
            config.problem(&key, "is in no local domain", advice)
        })
        .collect()
}

/// The routes of a configuration, and which of them are there twice.
fn routes(config: &Config) -> (Routes, Vec<Problem>) {
    let mut routes = Routes::default();
    let mut twice = Vec::new();
    for (index, route) in config.route.iter().enumerate() {
        let domains = wiring::route_for(&route.domain);
        if let Err(RoutedTwice) = routes.add(&domains, wiring::way(&route.next_hop)) {
            let key = format!("route[{index}].domain");
            let what = "has a route for the second time";
            twice.push(config.problem(&key, what, "take one of them out"));
        }
    }
    (routes, twice)
}

/// Where an entry of the directory stands in the file.
fn key(config: &Config, place: Place) -> String {
    match place {
        Place::Postmaster => "mailboxes.postmaster".into(),
        Place::Domain(domain) => format!("domain[{domain}].name"),
        Place::Mailbox { domain, mailbox } => format!("domain[{domain}].mailboxes[{mailbox}]"),
        Place::Moved { domain, moved } => {
            let of_domain = config.domain.get(domain);
            let mut of_domain = of_domain
                .into_iter()
                .flat_map(|domain| moved_from(config, &domain.name));
            let index = of_domain.nth(moved).map_or(0, |(index, _)| index);
            format!("moved[{index}].address")
        }
        Place::Alias { domain, alias } => config.alias_key(domain, alias, None),
        Place::Target {
            domain,
            alias,
            target,
        } => config.alias_key(domain, alias, Some(target)),
    }
}

/// The domains whose mail is taken, for people.
pub(crate) fn domain_names(config: &Config) -> String {
    config
        .domain
        .iter()
        .map(|domain| domain.name.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// An address that a first message can be sent to.
pub(crate) fn example_recipient(config: &Config) -> Option<Mailbox> {
    let has_mailboxes =
        |domain: &&LocalDomain| domain.create_mailboxes || !domain.mailboxes.is_empty();
    let domains = || config.domain.iter().filter(has_mailboxes);
    let domain = domains()
        .find(|domain| domain.name.as_str() == "localhost")
        .or_else(|| domains().next())?;
    let local = match domain.mailboxes.first() {
        Some(listed) => listed.clone(),
        None => LocalPart::parse("you", &Limits::LEAST).ok()?,
    };
    Some(Mailbox {
        local,
        host: Host::Domain(domain.name.clone()),
    })
}
