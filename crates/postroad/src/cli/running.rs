//! Questions to the server that runs.

use clap::{Args, Subcommand};
use postroad_control::Client;
use postroad_control::api::{Collection, Health, Site};
use postroad_control::client::Unanswered;
use postroad_host::tasks;

use super::door::{self, Reach};
use super::{Ended, Failure, say};

/// What can be asked of a running server.
#[derive(Debug, Subcommand)]
pub(super) enum Running {
    /// Show each destination: its window, what waits, its last trouble, until when it is paused
    Sites(Asked),
    /// Collect mail now from a provider that the configuration names, or from all of them, and say what came;
    /// exit status 1 if one of them failed
    Collect {
        /// Their names in the configuration
        names: Vec<String>,
        #[command(flatten)]
        asked: Asked,
    },
    /// Show each provider that mail is collected from: when it was asked last, what came, when it is asked next
    Collections(Asked),
    /// Say whether the server is well; exit status 1 if not
    Health(Asked),
    /// Say whether the server takes mail; exit status 1 if not
    Ready(Reach),
    /// Print the server's counters, as OpenMetrics has them
    Metrics(Reach),
    /// Have the server read its configuration again
    Reload(Reach),
}

/// How it is asked and told.
#[derive(Debug, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    reach: Reach,
    /// Print JSON, as the control socket has it
    #[arg(long)]
    json: bool,
}

/// Asks it.
pub(super) fn run(what: Running) -> Result<Ended, Failure> {
    tasks::run(0, ask(what)).map_err(|error| Failure::Cannot(format!("no runtime: {error}")))?
}

async fn ask(what: Running) -> Result<Ended, Failure> {
    match what {
        Running::Sites(asked) => {
            let mut client = door::server(&asked.reach).await?;
            let sites = client.sites().await.map_err(|e| refused(&client, &e))?;
            match asked.json {
                true => say::print(&door::json(&sites))?,
                false => say::print(&table(&sites))?,
            }
            Ok(Ended::Done)
        }
        Running::Collect { names, asked } => collect(&names, &asked).await,
        Running::Collections(asked) => {
            let mut client = door::server(&asked.reach).await?;
            let all = client
                .collections()
                .await
                .map_err(|e| refused(&client, &e))?;
            match asked.json {
                true => say::print(&door::json(&all))?,
                false => say::print(&collections(&all))?,
            }
            Ok(Ended::Done)
        }
        Running::Health(asked) => {
            let mut client = door::server(&asked.reach).await?;
            let health = client.health().await.map_err(|e| refused(&client, &e))?;
            match asked.json {
                true => say::print(&door::json(&health))?,
                false => say::print(&in_words(&health))?,
            }
            Ok(if health.ok {
                Ended::Done
            } else {
                Ended::NotAll
            })
        }
        Running::Ready(reach) => {
            let mut client = door::server(&reach).await?;
            match client.ready().await {
                Ok(()) => say::print("ready\n").map(|()| Ended::Done),
                Err(Unanswered::Refused(_, words)) => {
                    say::print(&format!("not ready: {words}\n")).map(|()| Ended::NotAll)
                }
                Err(error) => Err(refused(&client, &error)),
            }
        }
        Running::Metrics(reach) => {
            let mut client = door::server(&reach).await?;
            let metrics = client.metrics().await.map_err(|e| refused(&client, &e))?;
            say::print(&metrics).map(|()| Ended::Done)
        }
        Running::Reload(reach) => {
            let mut client = door::server(&reach).await?;
            let reloaded = client.reload().await.map_err(|e| refused(&client, &e))?;
            let text = match reloaded.changed.as_slice() {
                [] => "the configuration was read again: nothing has changed\n".to_owned(),
                changed => format!("changed: {}\n", changed.join(", ")),
            };
            say::print(&text).map(|()| Ended::Done)
        }
    }
}

/// Collects from one after another.
async fn collect(names: &[String], asked: &Asked) -> Result<Ended, Failure> {
    let mut client = door::server(&asked.reach).await?;
    let all = match names {
        [] => {
            let all = client
                .collections()
                .await
                .map_err(|e| refused(&client, &e))?;
            all.into_iter().map(|collection| collection.name).collect()
        }
        names => names.to_vec(),
    };
    if all.is_empty() {
        return Err(Failure::Cannot(NO_PROVIDER.trim_end().into()));
    }
    let mut came = Vec::new();
    for name in &all {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !name.chars().all(is_word) {
            let words = format!("{name:?} is no name of a [[collect]]; see postroad collections");
            return Err(Failure::Usage(words));
        }
        let one = client
            .collect(name)
            .await
            .map_err(|e| refused(&client, &e))?;
        if !asked.json {
            say::print(&format!("{}: {}\n", one.name, say::clean(&one.said)))?;
        }
        came.push(one);
    }
    if asked.json {
        say::print(&door::json(&came))?;
    }
    match came.iter().all(|one| one.ok) {
        true => Ok(Ended::Done),
        false => Ok(Ended::NotAll),
    }
}

/// No column is wider: a format takes no greater width, and a name may have any length.
const WIDEST: usize = u16::MAX as usize;

const NO_PROVIDER: &str = "this server collects no mail: its configuration has no [[collect]]\n";

fn collections(all: &[Collection]) -> String {
    if all.is_empty() {
        return NO_PROVIDER.into();
    }
    let wide = |head: &str, of: fn(&Collection) -> &String| {
        let longest = all.iter().map(|one| of(one).chars().count()).max();
        longest.unwrap_or_default().clamp(head.len(), WIDEST)
    };
    let (name, provider) = (
        wide("NAME", |one| &one.name),
        wide("PROVIDER", |one| &one.provider),
    );
    let mut text = format!(
        "{:name$}  {:provider$}  {:>8}  {:20}  {:20}  WHAT CAME\n",
        "NAME", "PROVIDER", "MESSAGES", "LAST", "NEXT"
    );
    for one in all {
        let came = match (&one.last_error, &one.last) {
            _ if one.busy => "it is being asked now".into(),
            (Some(error), _) if one.failures > 1 => format!("{error} ({} times)", one.failures),
            (Some(error), _) => error.clone(),
            (None, Some(_)) => "all that it had".into(),
            (None, None) => "-".into(),
        };
        let row = format!(
            "{:name$}  {:provider$}  {:>8}  {:20}  {:20}  {came}",
            one.name,
            one.provider,
            one.messages,
            one.last.as_deref().unwrap_or("-"),
            one.next.as_deref().unwrap_or("when told")
        );
        let row = say::clean(&row);
        text.push_str(&say::width().map_or(row.clone(), |width| say::cut(&row, width)));
        text.push('\n');
    }
    text
}

fn refused(client: &Client, error: &Unanswered) -> Failure {
    door::unanswered(client.path(), error)
}

fn in_words(health: &Health) -> String {
    let queued = usize::try_from(health.queued).unwrap_or(usize::MAX);
    let about = format!(
        "postroad {}, up for {}, {} queued",
        health.version,
        say::short_span(health.uptime),
        say::messages(queued)
    );
    if health.ok {
        return format!("well: {about}\n");
    }
    let mut text = format!("not well: {about}\n");
    for problem in &health.problems {
        text.push_str(&format!("  {}\n", say::clean(problem)));
    }
    text
}

fn table(sites: &[Site]) -> String {
    if sites.is_empty() {
        return "no destination has had mail to take since the server was started\n".into();
    }
    let longest = sites.iter().map(|site| site.site.chars().count()).max();
    let wide = longest.unwrap_or_default().clamp("SITE".len(), WIDEST);
    let mut text = format!("{:wide$}  WINDOW  UNDER WAY  WAITING  TROUBLE\n", "SITE");
    for site in sites {
        let paused = site.paused_until.as_ref();
        let paused = paused.map(|until| format!("paused until {until}: "));
        let trouble = site.last_error.as_deref().unwrap_or("-");
        let row = format!(
            "{:wide$}  {:>6}  {:>9}  {:>7}  {}{trouble}",
            site.site,
            site.window,
            site.under_way,
            site.waiting,
            paused.unwrap_or_default()
        );
        let row = say::clean(&row);
        text.push_str(&say::width().map_or(row.clone(), |width| say::cut(&row, width)));
        text.push('\n');
    }
    text
}
