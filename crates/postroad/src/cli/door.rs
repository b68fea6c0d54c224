//! How a command reaches the queue: through the server that runs, or the spool itself.

use std::path::{Path, PathBuf};

use clap::Args;
use postroad_control::api::{Action, Done, Message, Order, Page, Place};
use postroad_control::client::{StatusCode, Unanswered};
use postroad_control::{Client, Filter};
use serde::Serialize;

use super::spool::OwnSpool;
use super::{Failure, say};
use crate::configuration::{self, Loaded};
use crate::wiring;

/// Which server, or which queue.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which server")]
pub(super) struct Reach {
    /// The configuration file of the server; without one, that of `postroad serve` without one,
    /// whose data is in ./postroad-data
    #[arg(long, short, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The server's control socket, instead of the one its configuration names
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
}

/// The queue, by the way that is open.
pub(super) enum Door {
    /// A server runs, and has the queue.
    Server(Client),
    /// None does, so this process has it.
    Spool(Box<OwnSpool>),
}

/// Connects to the server that runs.
pub(super) async fn server(reach: &Reach) -> Result<Client, Failure> {
    let (path, _) = place(reach)?;
    let Some(path) = path else {
        return Err(Failure::Cannot(SWITCHED_OFF.into()));
    };
    let connected = Client::connect(&path).await;
    connected.map_err(|error| unanswered(&path, &error))
}

const SWITCHED_OFF: &str = "server.control_socket is \"\" in this configuration, so a server that runs \
                            with it can't be asked";

/// The control socket, if there is to be one, and the configuration, if it is known.
fn place(reach: &Reach) -> Result<(Option<PathBuf>, Option<Loaded>), Failure> {
    let loaded = match (&reach.socket, &reach.config) {
        (Some(_), None) => None,
        (_, file) => {
            let loaded = configuration::load(file.as_deref());
            // It lists the problems, and says how many there are.
            Some(loaded.map_err(|problems| {
                Failure::Cannot(format!("can't use the configuration:\n{problems}"))
            })?)
        }
    };
    let named = || wiring::control_socket(&loaded.as_ref()?.config);
    Ok((reach.socket.clone().or_else(named), loaded))
}

/// Why there was no answer at the socket, and what to do.
pub(super) fn unanswered(path: &Path, error: &Unanswered) -> Failure {
    let at = path.display();
    Failure::Cannot(match error {
        Unanswered::Nobody => format!(
            "no server answers at {at}; name its configuration with --config FILE, or its control \
             socket with --socket PATH"
        ),
        Unanswered::NotAllowed => {
            format!("{at}: {error}; become that user (sudo -u USER postroad ...), or root")
        }
        Unanswered::Broken(_) => format!("{at}: {error}"),
        Unanswered::Refused(StatusCode::BAD_REQUEST, words) => {
            return Failure::Usage(say::clean(words));
        }
        Unanswered::Refused(_, words) => say::clean(words),
    })
}

impl Door {
    /// The server that runs, or else the spool.
    pub(super) async fn open(reach: &Reach) -> Result<Door, Failure> {
        let (path, loaded) = place(reach)?;
        if let Some(path) = &path {
            match (Client::connect(path).await, &loaded) {
                (Ok(client), _) => return Ok(Door::Server(client)),
                (Err(Unanswered::Nobody), Some(_)) => {}
                (Err(error), _) => return Err(unanswered(path, &error)),
            }
        }
        // Without a configuration there was a path, and one of the above has returned.
        let loaded = loaded.ok_or_else(|| Failure::Usage("name a configuration".into()))?;
        let spool = OwnSpool::open(&loaded, reach.config.is_some(), path.as_deref())?;
        Ok(Door::Spool(Box::new(spool)))
    }

    /// A page of the messages that match.
    pub(super) async fn page(&mut self, filter: &Filter, place: &Place) -> Result<Page, Failure> {
        match self {
            Door::Server(client) => {
                let page = client.page(filter, place).await;
                page.map_err(|error| unanswered(client.path(), &error))
            }
            Door::Spool(spool) => spool.page(filter, place).await,
        }
    }

    /// One message with its history; the error is for people.
    pub(super) async fn show(&mut self, id: &str) -> Result<Message, Failure> {
        match self {
            Door::Server(client) => {
                let message = client.show(id).await;
                message.map_err(|error| unanswered(client.path(), &error))
            }
            Door::Spool(spool) => spool.show(id).await,
        }
    }

    /// Does something to messages, on one page of the queue.
    pub(super) async fn act(&mut self, action: Action, order: &Order) -> Result<Done, Failure> {
        match self {
            Door::Server(client) => {
                let done = client.act(action, order).await;
                done.map_err(|error| unanswered(client.path(), &error))
            }
            Door::Spool(spool) => spool.act(action, order).await,
        }
    }

    /// Gives the queue back.
    pub(super) async fn close(self) {
        match self {
            Door::Server(_) => {}
            Door::Spool(spool) => spool.close().await,
        }
    }
}

/// A value as JSON on several lines, for programs and people.
pub(super) fn json(value: &impl Serialize) -> String {
    // The types of the API are text, numbers, lists and names: none of them fails.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
