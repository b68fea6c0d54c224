//! Reads the configuration again, and takes what can be taken while the server runs.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use postroad_config::{Change, Config, Problem, Reload};
use postroad_delivery::Patience;
use postroad_host::disk::real::RealDisk;
use postroad_host::service::ServiceManager;
use postroad_host::tasks;
use postroad_server::Services;
use postroad_spool::Spool;
use postroad_telemetry::Event;
use tokio::sync::Mutex;

use crate::configuration::{self, Loaded, Unusable};
use crate::secrets::{self, Files};
use crate::wiring;

/// Changes a running server to what its file says now.
#[derive(Debug)]
pub(crate) struct Reloader {
    /// None: it runs without one, and there is nothing to read again.
    file: Option<PathBuf>,
    /// What holds now. It is locked during a reload, so that two of them can't mix.
    current: Mutex<Config>,
    services: Arc<Services<Spool<RealDisk>>>,
    patience: Arc<ArcSwap<Patience>>,
    manager: Arc<ServiceManager>,
}

impl Reloader {
    /// For a server that was started with `config` from `file`.
    pub(crate) fn new(
        file: Option<PathBuf>,
        config: Config,
        services: Arc<Services<Spool<RealDisk>>>,
        patience: Arc<ArcSwap<Patience>>,
        manager: Arc<ServiceManager>,
    ) -> Reloader {
        Reloader {
            file,
            current: Mutex::new(config),
            services,
            patience,
            manager,
        }
    }

    /// Reads the file again. Either all of it holds from now on, or nothing was changed. The names
    /// of the settings that have another value now; or why it is refused, for people.
    pub(crate) async fn reload(&self) -> Result<Vec<String>, String> {
        let mut current = self.current.lock().await;
        self.manager.reloading();
        let reloaded = self.read_and_take(&mut current).await;
        self.manager.ready(match &reloaded {
            Ok(_) => "serving; the configuration was read again",
            Err(_) => "serving; a changed configuration was refused, or its files can't be used: see the log",
        });
        reloaded
    }

    async fn read_and_take(&self, current: &mut Config) -> Result<Vec<String>, String> {
        let Some(file) = self.file.clone() else {
            let why = "the server was started without a configuration file: \
                       there is none to read again";
            return Err(refused(why, ""));
        };
        // A file system or a user database may make it wait.
        let held = self.services.settings.load().passwords.clone();
        let read = move || {
            let loaded = configuration::load(Some(&file))?;
            let (files, problems) = secrets::read(&loaded.config, held.as_ref());
            Ok((loaded, files, problems))
        };
        let loaded = tasks::blocking(read).await;
        let (loaded, files, problems) = loaded.map_err(|unusable| refuse(&unusable))?;
        let changes = current.changes(&loaded.config);
        refuse_restarts(&changes, &loaded.config)?;
        let problems = refuse_changed_files(problems, &changes)?;
        secrets::tell_expiry(&files, &loaded.config, self.services.clock.unix());
        self.take(&loaded, files);
        *current = loaded.config;
        let changed = told(changes);
        match tell_unusable(&problems) {
            None => Ok(changed),
            Some(words) => Err(words),
        }
    }

    /// How long ending waits for sessions and deliveries.
    pub(crate) async fn drain(&self) -> Duration {
        self.current.lock().await.timeouts.drain
    }

    /// Makes it what holds. Every setting that isn't `restart` has its effect here; who reads one
    /// finds the old or the new, and a session or transaction keeps the one it began with.
    fn take(&self, new: &Loaded, files: Files) {
        let (config, services) = (&new.config, &self.services);
        let settings = wiring::settings(config, &new.directory, files);
        services.settings.store(Arc::new(settings));
        let limit = config.mailboxes.limit as usize;
        services.mailboxes.set_limit(limit);
        let limits = &config.limits;
        let body_memory = wiring::octets(limits.body_memory);
        services.body_budget.resize(body_memory);
        services.store.set_fresh_memory(body_memory);
        let envelope_memory = wiring::octets(limits.envelope_memory);
        services.envelope_budget.resize(envelope_memory);
        self.patience.store(Arc::new(wiring::patience(config)));
    }
}

/// A file that was named anew has to be one that can be used, as any other setting. What is wrong with
/// those that were named before is given back: the server goes on without them.
fn refuse_changed_files(
    problems: Vec<Problem>,
    changes: &[Change],
) -> Result<Vec<Problem>, String> {
    let is_new = |problem: &Problem| {
        let (table, _) = problem.key.split_once('.').unwrap_or_default();
        let mut changed = changes.iter().map(|change| change.setting.split_once('.'));
        changed.any(|change| change.is_some_and(|(of, _)| of == table))
    };
    if problems.iter().any(is_new) {
        return Err(refuse(&Unusable::Wrong(problems)));
    }
    Ok(problems)
}

/// Tells the log which files can't be used any more, and what that means; the same for people.
fn tell_unusable(problems: &[Problem]) -> Option<String> {
    if problems.is_empty() {
        return None;
    }
    let mut words = "the configuration was read again, but".to_owned();
    for problem in problems {
        let cause = format!("{} {}", problem.key, problem.what);
        let (so, event) = match problem.key.starts_with("tls.") {
            true => (
                "there is no TLS until the next reload",
                Event::TlsUnusable { cause: &cause },
            ),
            false => (
                "who stands there can't log in",
                Event::LoginTrouble { cause: &cause },
            ),
        };
        event.emit();
        // Writing to a string can't fail.
        let _ = write!(words, "\n\n{problem}\n  so {so}");
    }
    Some(words)
}

/// Tells the log what is different now; the names.
fn told(changes: Vec<Change>) -> Vec<String> {
    for change in &changes {
        Event::ConfigChanged {
            setting: &change.setting,
            from: &change.reload,
        }
        .emit();
    }
    Event::ConfigReloaded {
        changed: changes.len(),
    }
    .emit();
    changes.into_iter().map(|change| change.setting).collect()
}

/// A changed setting that needs a restart is refused, and everything with it: half of a changed
/// file is a configuration that nobody has written.
fn refuse_restarts(changes: &[Change], new: &Config) -> Result<(), String> {
    let restart = |change: &&Change| change.reload == Reload::Restart;
    let names: Vec<&str> = changes
        .iter()
        .filter(restart)
        .map(|change| change.setting.as_str())
        .collect();
    for name in &names {
        let advice = "start the server again, or take the change back";
        tell(&new.problem(name, "was changed, which needs a restart", advice));
    }
    let need = match names.as_slice() {
        [] => return Ok(()),
        [_] => "needs",
        _ => "need",
    };
    let cause = format!("{} {need} a restart", names.join(", "));
    Err(refused(&cause, ""))
}

/// Tells the log what is wrong with the file; the same for people.
fn refuse(unusable: &Unusable) -> String {
    match unusable {
        Unusable::Unread(cause) => refused(cause, ""),
        Unusable::Wrong(problems) => {
            problems.iter().for_each(tell);
            let mut shown = String::new();
            for problem in problems {
                // Writing to a string can't fail.
                let _ = write!(shown, "\n\n{problem}");
            }
            refused(&configuration::counted(problems), &shown)
        }
    }
}

/// The refusal, told to the log and in words for people, who may be shown more.
fn refused(cause: &str, more: &str) -> String {
    let why = format!("{cause}; nothing was changed");
    Event::ConfigRefused { cause: &why }.emit();
    format!("{why}{more}")
}

fn tell(problem: &Problem) {
    Event::ConfigProblem {
        file: &problem.file,
        line: problem.line,
        column: problem.column,
        setting: &problem.key,
        what: &problem.what,
        advice: &problem.advice,
    }
    .emit();
}
