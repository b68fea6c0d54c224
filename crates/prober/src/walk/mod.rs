//! Plays the checks against a server, each over a connection of its own.

mod connection;
mod handshake;
mod pace;
mod player;
mod talk;

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use postroad_host::clock::{Clock, RealClock};

use crate::check::{Check, Need};
use crate::checks::{self, Names};
use crate::finding::{Finding, Verdict};
use crate::hygiene::Hygiene;
use crate::profile::Profile;
use crate::report::Report;
use pace::Pace;
use player::{Player, Stopped};

/// How to walk.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where the server listens.
    pub address: SocketAddr,
    /// How it was named.
    pub target: String,
    /// By which measure it is judged.
    pub profile: Profile,
    /// The name that is given in HELO and EHLO.
    pub client: String,
    /// The reverse-path; empty for the null sender.
    pub sender: String,
    /// The recipient that is tried.
    pub recipient: String,
    /// Whether messages may be delivered to it.
    pub delivers: bool,
    /// Only checks whose names begin with one of these; all where there is none.
    pub only: Vec<String>,
    /// How many connections are made a second at most.
    pub rate: f64,
    /// How many connections are made in all at most.
    pub most_connections: usize,
    /// How long the walk takes at most.
    pub most_time: Duration,
    /// How long a reply is awaited.
    pub patience: Duration,
    /// How long nothing has to come for it to be silence.
    pub quiet: Duration,
}

/// What has been done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// How many checks are behind it.
    pub done: usize,
    /// How many there are.
    pub all: usize,
    /// What the last of them came to.
    pub finding: &'a Finding,
}

/// What a walk will come to, before it is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many checks it has at most: what the server doesn't offer is left out.
    pub checks: usize,
    /// How many messages may be delivered.
    pub messages: usize,
}

impl Plan {
    /// For these settings.
    pub fn of(settings: &Settings) -> Plan {
        let checks = chosen(settings, &settings.names_before());
        let needs_delivery = |check: &&Check| check.needs.contains(&Need::Delivery);
        Plan {
            checks: checks.len(),
            messages: match settings.delivers {
                true => checks.iter().filter(needs_delivery).count(),
                false => 0,
            },
        }
    }
}

impl Settings {
    /// What the checks say as long as nothing is known of the server.
    fn names_before(&self) -> Names {
        Names {
            client: self.client.clone(),
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            domain: self.domain("localhost"),
            size: Some(1),
            offers: Vec::new(),
        }
    }

    /// The recipient's domain; where it has none, the server's own name.
    fn domain(&self, own: &str) -> String {
        let (_, domain) = self.recipient.rsplit_once('@').unwrap_or(("", own));
        domain.to_owned()
    }
}

/// The checks that were asked for.
fn chosen(settings: &Settings, names: &Names) -> Vec<Check> {
    let mut checks = checks::all(names, settings.profile);
    if !settings.only.is_empty() {
        checks.retain(|check| {
            settings
                .only
                .iter()
                .any(|only| check.name.starts_with(only.as_str()))
        });
    }
    checks
}

/// The checks and rules whose names begin with one of `only`, or all: name, RFC, what is asked.
pub fn list(profile: Profile, only: &[String]) -> Vec<(String, String, String)> {
    let names = Names {
        client: "client.example".into(),
        sender: String::new(),
        recipient: "postmaster".into(),
        domain: "mx.example".into(),
        size: Some(1),
        offers: Vec::new(),
    };
    let checks = checks::all(&names, profile).into_iter();
    let checks = checks.map(|check| (check.name, check.rfc, check.about));
    let rules = Hygiene::default().findings(profile).into_iter();
    let rules = rules.map(|rule| (rule.name, rule.rfc, rule.about));
    let wanted = |(name, ..): &(String, String, String)| {
        only.is_empty() || only.iter().any(|only| name.starts_with(only.as_str()))
    };
    checks.chain(rules).filter(wanted).collect()
}

/// Asks the server everything, and tells `progress` of each finding. When `stop` is done, what is under
/// way is dropped, and what was found so far is the report.
///
/// # Errors
/// Where no conversation came about at all: what was tried, and what came of it.
pub async fn walk(
    settings: &Settings,
    mut progress: impl FnMut(Progress<'_>),
    stop: impl Future<Output = ()>,
) -> Result<Report, String> {
    let begun = RealClock.mono();
    let started = RealClock.unix();
    let mut stop = pin!(stop);
    let mut player = Player::new(settings, Pace::new(settings));
    let met = tokio::select! {
        biased;
        () = &mut stop => return Err("stopped before anything was asked".into()),
        met = player.meet() => met?,
    };
    let checks = chosen(settings, player.names());
    let mut findings: Vec<Finding> = Vec::new();
    let mut stopped = met.refusal.clone();
    for check in &checks {
        let played = match &stopped {
            Some(why) => Ok(skipped(check, why)),
            None => tokio::select! {
                biased;
                () = &mut stop => Err(Stopped("the walk was stopped".into())),
                played = player.play(check) => played,
            },
        };
        let finding = played.unwrap_or_else(|Stopped(why)| {
            let finding = skipped(check, &why);
            stopped = Some(why);
            finding
        });
        progress(Progress {
            done: findings.len() + 1,
            all: checks.len(),
            finding: &finding,
        });
        findings.push(finding);
    }
    let hygiene = player.hygiene.findings(settings.profile);
    let wanted = |finding: &Finding| {
        settings.only.is_empty()
            || settings
                .only
                .iter()
                .any(|only| finding.name.starts_with(only.as_str()))
    };
    findings.extend(hygiene.into_iter().filter(wanted));
    Ok(Report {
        target: settings.target.clone(),
        address: settings.address.to_string(),
        greeting: met.greeting,
        offers: player.names().offers.clone(),
        profile: settings.profile,
        recipient: settings.recipient.clone(),
        delivers: settings.delivers,
        started_unix_ms: started.0,
        took_ms: RealClock
            .mono()
            .since(begun)
            .as_millis()
            .try_into()
            .unwrap_or(u64::MAX),
        connections: player.connections(),
        stopped,
        findings,
    })
}

/// A check that wasn't made.
fn skipped(check: &Check, why: &str) -> Finding {
    finding(check, Verdict::Skipped, why.to_owned(), Vec::new())
}

/// What a check came to.
fn finding(
    check: &Check,
    verdict: Verdict,
    why: String,
    exchanges: Vec<crate::finding::Exchange>,
) -> Finding {
    Finding {
        name: check.name.clone(),
        group: check.group,
        about: check.about.clone(),
        verdict,
        why,
        allowed: check.allowed(),
        rfc: check.rfc.clone(),
        exchanges,
        excepted: None,
    }
}
