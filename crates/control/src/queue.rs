//! Listing the queue, and doing something to messages of it, on any store.

use std::fmt;

use futures_util::{StreamExt, stream};
use postroad_clock::UnixMs;
use postroad_queue::{Amendment, RouteKey};
use postroad_reply::QueueId;
use postroad_store::{Entry, QueueStore, Trouble};
use postroad_wire::peer::{NoPeer, Peer};

use crate::api::{Action, Done, Failed, Message, Order, Page, Place, State};
use crate::filter::Filter;
use crate::history;
use crate::view::{self, Sites};

/// How many messages a page examines where it isn't said.
pub const PAGE: usize = 1000;

/// How many messages a page examines at most.
pub const LONGEST_PAGE: usize = 10_000;

/// How many entries are read from the store at once.
const PIECE: usize = 200;

/// How many changes are under way at once: they are flushed together.
const CHANGES: usize = 64;

/// Why something can't be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// What was asked makes no sense; in words, with the fix.
    Asked(String),
    /// There is no such message.
    NotFound(String),
    /// The store said so.
    Store(Trouble),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Asked(words) | Wrong::NotFound(words) => f.write_str(words),
            Wrong::Store(trouble) => trouble.fmt(f),
        }
    }
}

impl std::error::Error for Wrong {}

impl From<Trouble> for Wrong {
    fn from(trouble: Trouble) -> Wrong {
        match trouble {
            Trouble::Unknown(id) => Wrong::NotFound(format!("no message {id}")),
            trouble => Wrong::Store(trouble),
        }
    }
}

/// A page of the messages that match, oldest first.
pub async fn page<S: QueueStore>(
    store: &S,
    sites: &dyn Sites,
    filter: &Filter,
    place: &Place,
    now: UnixMs,
) -> Result<Page, Wrong> {
    let mut cursor = cursor(place)?;
    let most = place.most.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let (mut messages, mut examined) = (Vec::new(), 0);
    while examined < most {
        let wanted = PIECE.min(most - examined);
        let entries = store.page(cursor, wanted).await?;
        examined += entries.len();
        cursor = entries.last().map(|entry| entry.id);
        let shown = entries.iter().map(|entry| view::message(entry, sites, now));
        messages.extend(shown.filter(|message| filter.matches(message)));
        if entries.len() < wanted {
            cursor = None;
            break;
        }
    }
    Ok(Page {
        messages,
        examined,
        next: cursor.map(|id| id.to_string()),
    })
}

/// One message, with its history.
pub async fn show<S: QueueStore>(
    store: &S,
    sites: &dyn Sites,
    id: QueueId,
    now: UnixMs,
) -> Result<Message, Wrong> {
    match find(store, id).await? {
        Some(entry) => Ok(history::told(&entry, sites, now)),
        None => Err(Wrong::NotFound(not_there(id, now))),
    }
}

async fn find<S: QueueStore>(store: &S, id: QueueId) -> Result<Option<Entry>, Trouble> {
    // The first after the one before it is itself, if it is there.
    let before = id.0.checked_sub(1).map(QueueId);
    let found = store.page(before, 1).await?.pop();
    Ok(found.filter(|entry| entry.id == id))
}

/// What can be said of a message that is not in the queue. Its name says when it was given out.
fn not_there(id: QueueId, now: UnixMs) -> String {
    let named = UnixMs(id.unix_ms());
    let when = view::time(named);
    if named > now {
        return format!(
            "there is no message {id} in the queue, and never was: the name is of {when}, which is \
             still to come"
        );
    }
    format!(
        "there is no message {id} in the queue: either it is done (delivered, given up or \
         deleted), or it was never here. The name is of {when}; the log of that time and of the \
         days after it says what became of it"
    )
}

/// Does `action` to the messages that an order means, on one page of the queue.
pub async fn carry_out<S: QueueStore>(
    store: &S,
    sites: &dyn Sites,
    action: Action,
    order: &Order,
    now: UnixMs,
    changed: &(dyn Fn(QueueId) + Sync),
) -> Result<Done, Wrong> {
    let amendment = amendment(action, order.to.as_deref())?;
    let (mut done, meant) = meant(store, sites, action, order, now).await?;
    if order.dry_run {
        return Ok(done);
    }
    let change = |id| {
        let amendment = amendment.clone();
        async move { (id, store.amend(id, amendment, now).await) }
    };
    let mut changes = stream::iter(meant).map(change).buffered(CHANGES);
    while let Some((id, result)) = changes.next().await {
        match result {
            Ok(()) => {
                done.changed += 1;
                changed(id);
            }
            // It is as any other that isn't there.
            Err(Trouble::Unknown(id)) if !order.ids.is_empty() => {
                done.matched -= 1;
                done.failed.push(unknown(id, now));
            }
            // It was settled in this moment.
            Err(Trouble::Unknown(_)) => done.matched -= 1,
            // None of them can be done.
            Err(trouble @ (Trouble::Full | Trouble::ReadOnly)) if done.changed == 0 => {
                return Err(Wrong::Store(trouble));
            }
            Err(trouble) => done.failed.push(Failed {
                id: id.to_string(),
                why: trouble.to_string(),
            }),
        }
    }
    Ok(done)
}

/// Which messages an order means, counted. By a filter, only what is held is released.
async fn meant<S: QueueStore>(
    store: &S,
    sites: &dyn Sites,
    action: Action,
    order: &Order,
    now: UnixMs,
) -> Result<(Done, Vec<QueueId>), Wrong> {
    let mut done = Done::default();
    let mut meant = Vec::new();
    let named = !order.ids.is_empty();
    let filtered = !order.filter.is_empty();
    match (named, filtered, order.all) {
        (true, false, false) => {
            for id in &order.ids {
                meant.push(queue_id(id)?);
            }
            done.examined = meant.len();
            if order.dry_run {
                let mut there = Vec::new();
                for id in meant {
                    match find(store, id).await? {
                        Some(_) => there.push(id),
                        None => done.failed.push(unknown(id, now)),
                    }
                }
                meant = there;
            }
        }
        (false, true, false) | (false, false, true) => {
            let page = page(store, sites, &order.filter, &order.place, now).await?;
            done.examined = page.examined;
            done.next = page.next;
            // One that is being worked on may be held from then on, by a word that waits.
            let to_do = |message: &&Message| {
                action != Action::Release || message.held || message.state == State::Active
            };
            for message in page.messages.iter().filter(to_do) {
                meant.push(queue_id(&message.id)?);
            }
        }
        (false, false, false) => {
            let words = "that means every message in the queue: name messages, give a filter, \
                         or say that all are meant";
            return Err(Wrong::Asked(words.into()));
        }
        _ => {
            let words = "either name messages, or give a filter, or say that all are meant";
            return Err(Wrong::Asked(words.into()));
        }
    }
    done.matched = meant.len();
    Ok((done, meant))
}

fn unknown(id: QueueId, now: UnixMs) -> Failed {
    Failed {
        id: id.to_string(),
        why: not_there(id, now),
    }
}

fn amendment(action: Action, to: Option<&str>) -> Result<Amendment, Wrong> {
    let amendment = match (action, to) {
        (Action::Hold, None) => Amendment::Hold,
        (Action::Release, None) => Amendment::Release,
        (Action::Retry, None) => Amendment::RetryNow,
        (Action::Delete, None) => Amendment::Delete,
        (Action::Redirect, Some("")) => Amendment::Redirect(RouteKey::local()),
        (Action::Redirect, Some(to)) => {
            let wrong = |error: NoPeer| Wrong::Asked(format!("{to:?} is no next hop: {error}"));
            let peer: Peer = to.parse().map_err(wrong)?;
            Amendment::Redirect(RouteKey(peer.to_string().into()))
        }
        (Action::Redirect, None) => {
            let words = "say where to: the next hop, such as smtp://mx.example:25";
            return Err(Wrong::Asked(words.into()));
        }
        (_, Some(_)) => {
            let words = "only a redirect goes to another next hop; leave `to` out";
            return Err(Wrong::Asked(words.into()));
        }
    };
    Ok(amendment)
}

fn cursor(place: &Place) -> Result<Option<QueueId>, Wrong> {
    place.cursor.as_deref().map(queue_id).transpose()
}

/// The queue id that `text` is.
pub fn queue_id(text: &str) -> Result<QueueId, Wrong> {
    let wrong = |error| Wrong::Asked(format!("{text:?} is no queue id: {error}"));
    text.parse().map_err(wrong)
}
