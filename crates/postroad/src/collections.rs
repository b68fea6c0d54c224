//! Collects mail from the providers of `[[collect]]`: by their schedule, and when an operator says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postroad_clock::{Mono, UnixMs};
use postroad_config::Config;
use postroad_config::settings::Collect;
use postroad_control::api::{self, Came};
use postroad_control::view;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::real::RealDisk;
use postroad_host::tasks;
use postroad_server::{Collected, Server, Services, Uncollected};
use postroad_session::server::Settings;
use postroad_spool::Spool;
use postroad_telemetry::Event;
use tokio::sync::{Notify, watch};

use crate::calling::{self, Unready};

/// How long after the first failure a provider is tried again; twice as long each time.
const SOON: Duration = Duration::from_secs(60);
/// How long after the last of many refusals, unless the interval is longer.
const LATE: Duration = Duration::from_secs(4 * 60 * 60);
/// How long an operator waits to hear what came. The collection goes on.
const PATIENCE: Duration = Duration::from_secs(240);

/// All of them.
#[derive(Debug)]
pub(crate) struct Collections {
    all: Vec<Arc<Collection>>,
    stop: watch::Sender<bool>,
}

/// One provider.
#[derive(Debug)]
struct Collection {
    settings: Collect,
    session: Arc<Settings>,
    server: Arc<Server>,
    services: Arc<Services<Spool<RealDisk>>>,
    /// One at a time.
    turn: tokio::sync::Mutex<()>,
    standing: Mutex<Standing>,
    /// Told when there is another next time.
    planned: Notify,
}

/// How it goes.
#[derive(Debug, Default)]
struct Standing {
    busy: bool,
    /// Since the last success.
    failures: u32,
    /// When it was last tried, and what came of it.
    last: Option<(UnixMs, Result<u64, String>)>,
    next: Option<Mono>,
    /// Messages since the start.
    messages: u64,
}

/// Why nothing came.
#[derive(Debug)]
enum Failure {
    Unready(Unready),
    Uncollected(Uncollected),
}

impl Collections {
    /// Begins to collect.
    pub(crate) fn start(
        config: &Config,
        server: &Arc<Server>,
        services: &Arc<Services<Spool<RealDisk>>>,
    ) -> Collections {
        let (stop, stopped) = watch::channel(false);
        let one = |settings: &Collect| {
            let next = (!settings.interval.is_zero()).then(|| RealClock.mono());
            Arc::new(Collection {
                settings: settings.clone(),
                session: Arc::new(calling::session(config, settings)),
                server: Arc::clone(server),
                services: Arc::clone(services),
                turn: tokio::sync::Mutex::new(()),
                standing: Mutex::new(Standing {
                    next,
                    ..Standing::default()
                }),
                planned: Notify::new(),
            })
        };
        let all: Vec<_> = config.collect.iter().map(one).collect();
        for collection in &all {
            tasks::spawn(Arc::clone(collection).keep(stopped.clone()));
        }
        Collections { all, stop }
    }

    /// Begins nothing any more. What is under way ends with the server's connections.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Each of them.
    pub(crate) fn list(&self) -> Vec<api::Collection> {
        self.all.iter().map(|one| one.shown()).collect()
    }

    /// Collects now from the provider of this name, in any case; none if there is none.
    pub(crate) async fn collect(&self, name: &str) -> Option<Came> {
        let is_meant = |one: &&Arc<Collection>| one.settings.name.eq_ignore_ascii_case(name);
        let one = Arc::clone(self.all.iter().find(is_meant)?);
        let name = one.settings.name.clone();
        let said = {
            let one = Arc::clone(&one);
            // It goes on if nobody waits for it any more.
            let work = tasks::spawn(async move { one.collect().await });
            tasks::timeout(PATIENCE, work).await
        };
        Some(match said {
            Ok(Ok(Ok(collected))) => Came {
                name,
                ok: true,
                messages: collected.messages,
                said: in_words(&collected),
            },
            Ok(Ok(Err(why))) => Came {
                name,
                ok: false,
                messages: 0,
                said: why,
            },
            Ok(Err(_)) => Came {
                name,
                ok: false,
                messages: 0,
                said: "it broke off; the log says why".into(),
            },
            Err(tasks::TimedOut) => Came {
                name,
                ok: true,
                messages: 0,
                said: "it goes on still; `postroad collections` will say what came".into(),
            },
        })
    }
}

/// What came, for people.
fn in_words(collected: &Collected) -> String {
    match collected {
        Collected {
            messages: 0,
            refused: 0,
            ..
        } => "there is no mail".into(),
        Collected {
            messages: 1,
            refused: 0,
            ..
        } => "1 message".into(),
        Collected {
            messages,
            refused: 0,
            ..
        } => format!("{messages} messages"),
        Collected {
            messages, refused, ..
        } => {
            format!(
                "{messages} messages; {refused} commands of the provider were refused, the log says why"
            )
        }
    }
}

impl Collection {
    /// Collects whenever it is time, until told to stop.
    async fn keep(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        loop {
            let next = self.standing().next;
            let wait = next.map_or(Duration::MAX, |next| next.since(RealClock.mono()));
            let due = async {
                match wait {
                    Duration::MAX => std::future::pending().await,
                    wait => tasks::sleep(wait).await,
                }
            };
            tokio::select! {
                () = told_to_stop(&mut stopped) => return,
                () = self.planned.notified() => {}
                () = due => drop(self.collect().await),
            }
        }
    }

    /// Collects once, and notes what came of it; why nothing came, for people.
    async fn collect(&self) -> Result<Collected, String> {
        let _turn = self.turn.lock().await;
        self.standing().busy = true;
        let began = RealClock.mono();
        let came = self.call().await;
        let next = self.note(&came);
        self.planned.notify_one();
        let provider = self.settings.provider.to_string();
        match came {
            Ok(collected) => {
                Event::CollectionDone {
                    collection: &self.settings.name,
                    provider: &provider,
                    peer: collected.from,
                    messages: collected.messages,
                    refused: collected.refused,
                    took: RealClock.mono().since(began),
                }
                .emit();
                Ok(collected)
            }
            Err(failure) => {
                let cause = failure.to_string();
                Event::CollectionFailed {
                    collection: &self.settings.name,
                    provider: &provider,
                    cause: &cause,
                    next: next.map(|next| RealClock.unix() + next.since(RealClock.mono())),
                }
                .emit();
                Err(cause)
            }
        }
    }

    async fn call(&self) -> Result<Collected, Failure> {
        let settings = self.settings.clone();
        let session = Arc::clone(&self.session);
        let host_name = self.services.host_name.clone();
        // It reads files.
        let made = tasks::blocking(move || calling::make(&settings, session, host_name)).await;
        let calling = made.map_err(Failure::Unready)?;
        let collected = self.server.collect(&self.services, calling).await;
        collected.map_err(Failure::Uncollected)
    }

    /// Notes what came of it; when it is tried next.
    fn note(&self, came: &Result<Collected, Failure>) -> Option<Mono> {
        let mut standing = self.standing();
        standing.busy = false;
        let (said, is_refusal) = match came {
            Ok(collected) => {
                standing.failures = 0;
                standing.messages += collected.messages;
                (Ok(collected.messages), false)
            }
            Err(failure) => {
                standing.failures = standing.failures.saturating_add(1);
                (Err(failure.to_string()), failure.is_refusal())
            }
        };
        standing.last = Some((RealClock.unix(), said));
        let wait = wait(self.settings.interval, standing.failures, is_refusal);
        standing.next = wait.map(|wait| RealClock.mono() + wait);
        standing.next
    }

    fn shown(&self) -> api::Collection {
        let standing = self.standing();
        let (now, unix) = (RealClock.mono(), RealClock.unix());
        let last = standing.last.as_ref();
        api::Collection {
            name: self.settings.name.clone(),
            provider: self.settings.provider.to_string(),
            busy: standing.busy,
            messages: standing.messages,
            failures: standing.failures,
            last: last.map(|(at, _)| view::time(*at)),
            last_error: last.and_then(|(_, said)| said.clone().err()),
            next: standing.next.map(|next| view::time(unix + next.since(now))),
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Each change leaves it whole.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    fn is_refusal(&self) -> bool {
        match self {
            // Until somebody mends the file.
            Failure::Unready(_) => true,
            Failure::Uncollected(why) => why.is_refusal(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Unready(why) => why.fmt(f),
            Failure::Uncollected(why) => why.fmt(f),
        }
    }
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // An error says that nobody is left to stop it, which is as good.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// How long after one time the next is: the interval; sooner after trouble, which may pass; later after a
/// refusal, which won't pass by itself. None without an interval.
fn wait(interval: Duration, failures: u32, is_refusal: bool) -> Option<Duration> {
    if interval.is_zero() {
        return None;
    }
    let doubled =
        |first: Duration| first.saturating_mul(1u32 << (failures.saturating_sub(1)).min(16));
    Some(match (failures, is_refusal) {
        (0, _) => interval,
        (_, false) => doubled(SOON).min(interval),
        (_, true) => doubled(interval).min(LATE).max(interval),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_comes_sooner_after_trouble_and_later_after_a_refusal() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let quarter = minutes(15);
        assert_eq!(wait(quarter, 0, false), Some(quarter));
        let after_trouble = [1, 2, 3, 4, 5, 40].map(|n| wait(quarter, n, false));
        let expected = [1, 2, 4, 8, 15, 15].map(|n| Some(minutes(n)));
        assert_eq!(after_trouble, expected);
        let after_refusals = [1, 2, 3, 5, 6, u32::MAX].map(|n| wait(quarter, n, true));
        let expected = [15, 30, 60, 240, 240, 240].map(|n| Some(minutes(n)));
        assert_eq!(after_refusals, expected);
        // Never more often than was asked for, nor more seldom than that.
        assert_eq!(wait(minutes(600), 3, true), Some(minutes(600)));
        assert_eq!(
            wait(Duration::from_secs(2), 1, false),
            Some(Duration::from_secs(2))
        );
        assert_eq!(wait(Duration::ZERO, 3, false), None);
    }
}
