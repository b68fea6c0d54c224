//! `postroad probe`: asks any SMTP server everything, and judges what it says.
//!
//! * `consent`: what will be done is said before, and asked for where it concerns others;
//! * `files`: exceptions that are read, reports that are written.

mod consent;
mod files;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use postroad_host::net;
use postroad_host::tasks::{self, Signal, Signals};
use postroad_prober::exceptions::Exceptions;
use postroad_prober::report::people::{self, Look};
use postroad_prober::report::{html, junit, peers};
use postroad_prober::target::is_near;
use postroad_prober::walk::{self, Plan, Settings};
use postroad_prober::{Profile, Report, Target};

use super::{Ended, Failure, say};

/// How long a name may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(20);

/// Ask any SMTP server everything the reply table has, and judge each reply
///
/// It connects once for each check, says what the check is about, and holds the reply against the table
/// and the RFCs. A finding is conformant, tolerated, a violation, or skipped. No message is completed and
/// nothing delivered unless --deliver-to names an address for it. Exit status 0: no violation; 1: there
/// are some, or not all could be asked; 2: it can't be asked like this.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Probe {
    /// The server: HOST or HOST:PORT, an IPv6 address in brackets; port 25 unless given
    #[arg(required_unless_present = "list")]
    target: Option<Target>,
    /// By which measure: the 111 classic rows alone; RFC 5321 with what it bears; or every SHOULD taken as a
    /// MUST, and line ends at their word [classic, rfc5321, strict]
    #[arg(long, default_value = "rfc5321")]
    profile: Profile,
    /// The recipient that is tried, and never sent a message
    #[arg(long, value_name = "ADDRESS", default_value = "postmaster", value_parser = address)]
    recipient: String,
    /// Deliver probes to this address: needed for what is judged at the end of a message, such as
    /// smuggling. It gets some thirty short messages
    #[arg(long, value_name = "ADDRESS", conflicts_with = "recipient", value_parser = address)]
    deliver_to: Option<String>,
    /// The sender; without one the null sender, to whom nothing bounces
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true, value_parser = sender)]
    sender: String,
    /// The name to give in HELO and EHLO; without one that of this machine
    #[arg(long, value_name = "NAME", value_parser = name)]
    helo: Option<String>,
    /// Only checks whose names begin so; can be given several times
    #[arg(long, value_name = "BEGINNING")]
    only: Vec<String>,
    /// Connections a second at most; without it 200 to this machine and private networks, 4 elsewhere
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    rate: Option<f64>,
    /// Connections in all at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    max_connections: usize,
    /// Minutes that it takes at most
    #[arg(long, value_name = "MINUTES", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1440))]
    max_minutes: u64,
    /// Seconds that a reply is awaited
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    patience: u64,
    /// A file of violations that are borne, each with its reason (docs/probe.md)
    #[arg(long, value_name = "FILE")]
    exceptions: Option<PathBuf>,
    /// Show conformant and skipped findings, too
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["record", "all"])]
    json: bool,
    /// Print a line a finding, to be kept and compared with: its name, its verdict, the codes that came
    #[arg(long, conflicts_with = "all")]
    record: bool,
    /// Write a JUnit file, for build servers
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Don't ask before a server is probed that is neither on this machine nor in a private network
    #[arg(long, short)]
    yes: bool,
    /// Print the name of every check and what it asks, and ask nothing
    #[arg(long)]
    list: bool,
}

/// Does it.
pub(super) fn run(probe: &Probe) -> Result<Ended, Failure> {
    let Some(target) = probe.target.as_ref().filter(|_| !probe.list) else {
        return list(probe);
    };
    let exceptions = match &probe.exceptions {
        Some(file) => files::exceptions(file)?,
        None => Exceptions::default(),
    };
    let done = tasks::run(0, ask(probe, target));
    let mut report = done.map_err(|error| Failure::Cannot(format!("no runtime: {error}")))??;
    let all = walk::list(probe.profile, &[]);
    let known = |name: &str| all.iter().any(|(known, ..)| known == name);
    for complaint in exceptions.apply(&mut report.findings, known) {
        eprintln!("postroad: {complaint}");
    }
    tell(probe, &report)?;
    let all_well = report.score().violations == 0 && report.stopped.is_none();
    Ok(if all_well { Ended::Done } else { Ended::NotAll })
}

async fn ask(probe: &Probe, target: &Target) -> Result<Report, Failure> {
    let found = net::addresses(&target.host, target.port, LOOK_UP).await;
    let addresses = found.map_err(|error| Failure::Cannot(format!("{}: {error}", target.host)))?;
    let Some(address) = addresses.first() else {
        return Err(Failure::Cannot(format!(
            "{}: it has no address",
            target.host
        )));
    };
    let settings = settings(probe, target, *address);
    let plan = Plan::of(&settings);
    if plan.checks == 0 {
        let words = "no check begins like that; `postroad probe --list` names them all";
        return Err(Failure::Usage(words.into()));
    }
    consent::obtain(probe.yes, &settings, plan)?;
    let mut signals = Signals::listen().map_err(|error| Failure::Cannot(error.to_string()))?;
    let stop = async {
        // SIGHUP asks for a configuration to be read again, of which there is none.
        while signals.next().await != Signal::Terminate {}
    };
    let shown = io::stderr().is_terminal();
    let progress = |at: walk::Progress<'_>| {
        if shown {
            let line = format!("{} of {}: {}", at.done, at.all, at.finding.name);
            eprint!("\r\x1b[K{}", say::cut(&line, 78));
        }
    };
    let walked = walk::walk(&settings, progress, stop).await;
    if shown {
        eprint!("\r\x1b[K");
    }
    walked.map_err(Failure::Cannot)
}

fn settings(probe: &Probe, target: &Target, address: SocketAddr) -> Settings {
    let near = is_near(address);
    let own = || {
        let name = nix::unistd::gethostname().ok();
        let name = name.and_then(|name| name.into_string().ok());
        // A name without a domain says no more than this one does.
        name.filter(|name| name.contains('.'))
            .unwrap_or_else(|| "localhost".into())
    };
    Settings {
        address,
        target: target.to_string(),
        profile: probe.profile,
        client: probe.helo.clone().unwrap_or_else(own),
        sender: probe.sender.clone(),
        recipient: probe
            .deliver_to
            .as_ref()
            .unwrap_or(&probe.recipient)
            .clone(),
        delivers: probe.deliver_to.is_some(),
        only: probe.only.clone(),
        rate: probe.rate.unwrap_or(if near { 200.0 } else { 4.0 }),
        most_connections: probe.max_connections,
        most_time: Duration::from_secs(60 * probe.max_minutes),
        patience: Duration::from_secs(probe.patience),
        quiet: Duration::from_millis(if near { 400 } else { 2000 }),
    }
}

/// Prints and writes what was found.
fn tell(probe: &Probe, report: &Report) -> Result<(), Failure> {
    if let Some(file) = &probe.junit {
        files::write(file, &junit::report(report))?;
    }
    if let Some(file) = &probe.html {
        files::write(file, &html::report(report))?;
    }
    if probe.json {
        return say::print(&report.json());
    }
    if probe.record {
        return say::print(&peers::record(report));
    }
    let colour =
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let look = Look {
        colour,
        all: probe.all,
    };
    say::print(&people::report(report, look))
}

/// Prints the checks.
fn list(probe: &Probe) -> Result<Ended, Failure> {
    let checks = walk::list(probe.profile, &probe.only);
    let mut text = String::new();
    for (name, rfc, about) in &checks {
        text.push_str(&format!("{name}  ({rfc})\n    {about}\n"));
    }
    say::print(&text)?;
    Ok(if checks.is_empty() {
        Ended::NotAll
    } else {
        Ended::Done
    })
}

/// An address as it stands in a path. It may not say more than an address does.
fn address(text: &str) -> Result<String, String> {
    let plain = |octet: u8| matches!(octet, b'!'..=b'~') && !b"<>\\".contains(&octet);
    if text.is_empty() || text.len() > 254 || !text.bytes().all(plain) {
        return Err("give an address without brackets, such as probe@example.org".into());
    }
    Ok(text.to_owned())
}

fn sender(text: &str) -> Result<String, String> {
    match text {
        "" | "<>" => Ok(String::new()),
        text => address(text),
    }
}

fn name(text: &str) -> Result<String, String> {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._[]:".contains(&octet);
    if text.is_empty() || text.len() > 255 || !text.bytes().all(plain) {
        return Err("give a domain name, or an address in brackets".into());
    }
    Ok(text.to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && (0.01..=10_000.0).contains(&rate) => Ok(rate),
        _ => Err("give a number of connections a second, from 0.01 to 10000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_say_nothing_else() {
        assert_eq!(address("a@b.test").as_deref(), Ok("a@b.test"));
        assert_eq!(sender("<>").as_deref(), Ok(""));
        for bad in ["", "<a@b>", "a@b\r\nDATA", "a b@c", "ä@b"] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
        assert!(name("x\r\nQUIT").is_err());
        assert!(rate("0").is_err() && rate("nan").is_err() && rate("2.5").is_ok());
    }
}
