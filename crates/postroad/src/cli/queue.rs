//! The queue: what is in it, and what is done to it.

use std::io::{self, BufRead};

use clap::{Args, Subcommand};
use postroad_control::Filter;
use postroad_control::api::{Action, Done, Message, Order, Place};
use postroad_control::queue::PAGE;
use postroad_host::tasks;
use postroad_wire::peer::Peer;

use super::door::{self, Door, Reach};
use super::filters::Filters;
use super::{Ended, Failure, message, say, table};

/// How many messages a table shows where it isn't said.
const TABLE: usize = 100;

/// How many names go into one order.
const NAMES: usize = 500;

/// See the messages that wait, and steer them; without a running server too
#[derive(Debug, Args)]
pub(super) struct Queue {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List messages, oldest first
    List(List),
    /// Tell all about a message: from whom it came, each attempt and what was said, what comes next
    Show(Show),
    /// Keep messages from being delivered, until they are released
    Hold(Which),
    /// Let held messages go on
    Release(Which),
    /// Try messages now instead of when they are due, also where a next hop is left alone after trouble
    Retry(Which),
    /// Send what is pending of messages to another next hop
    Redirect(Redirect),
    /// Take messages out of the queue for good; nobody is told
    Delete(Delete),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    filters: Filters,
    /// At most so many; 0 for all. As a table the default is 100, as JSON all
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print JSON: one message a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// The queue ids of the messages, as in the log and in `queue list`
    #[arg(value_name = "ID", required = true, value_parser = queue_id)]
    ids: Vec<String>,
    /// Print JSON: one message a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Which {
    /// These messages, by their queue ids
    #[arg(value_name = "ID", value_parser = queue_id)]
    ids: Vec<String>,
    #[command(flatten)]
    filters: Filters,
    /// All messages in the queue
    #[arg(long)]
    all: bool,
    /// Say how many messages it would be, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Redirect {
    #[command(flatten)]
    which: Which,
    /// Where to: smtp://relay.example.com, smtp://192.0.2.1:2525, lmtp:/run/dovecot/lmtp
    #[arg(long, value_name = "NEXT_HOP", required_unless_present = "back")]
    to: Option<Peer>,
    /// To the recipients' own next hops again
    #[arg(long, conflicts_with = "to")]
    back: bool,
}

#[derive(Debug, Args)]
struct Delete {
    #[command(flatten)]
    which: Which,
    /// Don't ask before it is done
    #[arg(long, short)]
    yes: bool,
}

/// What is to be done to which messages.
struct Task {
    action: Action,
    order: Order,
    ids: Vec<String>,
    json: bool,
}

/// Does what is asked.
pub(super) fn run(queue: Queue) -> Result<Ended, Failure> {
    let work = async {
        let prepared = Prepared::of(queue.what)?;
        let mut door = Door::open(&queue.reach).await?;
        let ended = match prepared {
            Prepared::List(asked) => list(&mut door, asked).await,
            Prepared::Show(asked) => show(&mut door, asked).await,
            Prepared::Do { task, ask } => carry_out(&mut door, task, ask).await,
        };
        door.close().await;
        ended
    };
    tasks::run(0, work).map_err(|error| Failure::Cannot(format!("no runtime: {error}")))?
}

/// What is asked, found to make sense before anything is opened.
enum Prepared {
    List(List),
    Show(Show),
    Do { task: Task, ask: bool },
}

impl Prepared {
    fn of(what: What) -> Result<Prepared, Failure> {
        let plain = |action, which| {
            let task = Task::new(action, which, None)?;
            Ok(Prepared::Do { task, ask: false })
        };
        match what {
            What::List(asked) => Ok(Prepared::List(asked)),
            What::Show(asked) => Ok(Prepared::Show(asked)),
            What::Hold(which) => plain(Action::Hold, which),
            What::Release(which) => plain(Action::Release, which),
            What::Retry(which) => plain(Action::Retry, which),
            What::Redirect(Redirect { which, to, .. }) => {
                let to = to.map(|to| to.to_string()).unwrap_or_default();
                let task = Task::new(Action::Redirect, which, Some(to))?;
                Ok(Prepared::Do { task, ask: false })
            }
            What::Delete(Delete { which, yes }) => {
                let task = Task::new(Action::Delete, which, None)?;
                let ask = !yes && !task.order.dry_run && say::is_dialogue();
                Ok(Prepared::Do { task, ask })
            }
        }
    }
}

impl Task {
    fn new(action: Action, which: Which, to: Option<String>) -> Result<Task, Failure> {
        let filter = which.filters.filter();
        let ways = [!which.ids.is_empty(), !filter.is_empty(), which.all];
        match ways.iter().filter(|way| **way).count() {
            0 => {
                let words = "say which messages: by their ids, by filters (--sender, --domain, --state ...; \
                             see --help), or --all";
                return Err(Failure::Usage(words.into()));
            }
            1 => {}
            _ => {
                let words = "ids, filters and --all don't go together: give one of them";
                return Err(Failure::Usage(words.into()));
            }
        }
        Ok(Task {
            action,
            order: Order {
                ids: Vec::new(),
                filter,
                all: which.all,
                dry_run: which.dry_run,
                to,
                place: Place::default(),
            },
            ids: which.ids,
            json: which.json,
        })
    }
}

async fn list(door: &mut Door, asked: List) -> Result<Ended, Failure> {
    let limit = match asked.limit {
        Some(0) => usize::MAX,
        Some(limit) => limit,
        None if asked.json => usize::MAX,
        None => TABLE,
    };
    let filter = asked.filters.filter();
    let mut place = Place::default();
    if filter.is_empty() && limit < PAGE {
        // One more than is shown tells whether there are more.
        place.most = Some(limit + 1);
    }
    let (mut shown, mut examined, mut more) = (0, 0, false);
    let mut progress = say::Progress::default();
    loop {
        let page = door.page(&filter, &place).await?;
        let room = limit - shown;
        more |= page.messages.len() > room;
        let messages = &page.messages[..page.messages.len().min(room)];
        print_messages(messages, shown == 0, asked.json)?;
        shown += messages.len();
        examined += page.examined;
        let Some(next) = page.next else { break };
        if more {
            break;
        }
        place.cursor = Some(next);
        progress.show(examined, shown, "found");
    }
    drop(progress);
    if !asked.json {
        say::print(&last_line(&filter, shown, more))?;
    }
    Ok(if shown > 0 || filter.is_empty() {
        Ended::Done
    } else {
        Ended::NotAll
    })
}

fn print_messages(messages: &[Message], first: bool, json: bool) -> Result<(), Failure> {
    let text = match json {
        true => messages.iter().map(json_line).collect(),
        false => table::rows(messages, first, say::width()),
    };
    say::print(&text)
}

fn last_line(filter: &Filter, shown: usize, more: bool) -> String {
    match (shown, more) {
        (0, _) if filter.is_empty() => "the queue is empty\n".into(),
        (0, _) => "no message matches\n".into(),
        (shown, false) => format!("{}\n", say::messages(shown)),
        (shown, true) => format!(
            "{} shown, and there are more: --limit N shows N, --limit 0 all\n",
            say::messages(shown)
        ),
    }
}

async fn show(door: &mut Door, asked: Show) -> Result<Ended, Failure> {
    let mut ended = Ended::Done;
    for (nth, id) in asked.ids.iter().enumerate() {
        match door.show(id).await {
            Ok(message) if asked.json => say::print(&json_line(&message))?,
            Ok(message) => {
                let gap = if nth > 0 { "\n" } else { "" };
                let text = message::text(&message, say::width());
                say::print(&format!("{gap}{text}"))?;
            }
            // The others may be there.
            Err(Failure::Cannot(words)) if asked.ids.len() > 1 => {
                eprintln!("postroad: {words}");
                ended = Ended::NotAll;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(ended)
}

async fn carry_out(door: &mut Door, mut task: Task, ask: bool) -> Result<Ended, Failure> {
    if ask {
        task.order.dry_run = true;
        let would = all_pages(door, &task).await?;
        task.order.dry_run = false;
        if would.matched > 0 && !is_confirmed(would.matched)? {
            say::print("nothing is deleted\n")?;
            return Ok(Ended::NotAll);
        }
    }
    let done = all_pages(door, &task).await?;
    for failed in &done.failed {
        let why = say::clean(&failed.why);
        match why.contains(&failed.id) {
            true => eprintln!("postroad: {why}"),
            false => eprintln!("postroad: {}: {why}", failed.id),
        }
    }
    let text = match task.json {
        true => door::json(&done),
        false => outcome(&task, &done),
    };
    say::print(&text)?;
    let all = done.failed.is_empty() && done.matched > 0;
    Ok(if all { Ended::Done } else { Ended::NotAll })
}

/// Carries it out on one page after the other, and adds up.
async fn all_pages(door: &mut Door, task: &Task) -> Result<Done, Failure> {
    let mut all = Done::default();
    let mut progress = say::Progress::default();
    let mut order = task.order.clone();
    let mut names = task.ids.chunks(NAMES);
    order.ids = names.next().unwrap_or_default().to_vec();
    loop {
        let done = door.act(task.action, &order).await?;
        all.examined += done.examined;
        all.matched += done.matched;
        all.changed += done.changed;
        all.failed.extend(done.failed);
        // Either names were given, or there are pages.
        match (names.next(), done.next) {
            (Some(ids), _) => order.ids = ids.to_vec(),
            (None, Some(next)) => order.place.cursor = Some(next),
            (None, None) => return Ok(all),
        }
        let what = match order.dry_run {
            true => "found",
            false => past(task.action),
        };
        progress.show(all.examined, all.matched, what);
    }
}

fn outcome(task: &Task, done: &Done) -> String {
    let past = past(task.action);
    let to = match task.order.to.as_deref() {
        Some("") => " to their recipients' own next hops".to_owned(),
        Some(to) => format!(" to {to}"),
        None => String::new(),
    };
    if done.matched == 0 {
        return "no message matches\n".into();
    }
    if task.order.dry_run {
        let of = match task.ids.is_empty() {
            true => format!(" of {}", say::number(done.examined)),
            false => String::new(),
        };
        let matched = say::messages(done.matched);
        return format!("{matched}{of} would be {past}{to}; nothing is done\n");
    }
    format!("{past} {}{to}\n", say::messages(done.changed))
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Hold => "held",
        Action::Release => "released",
        Action::Retry => "made due",
        Action::Delete => "deleted",
        Action::Redirect => "redirected",
    }
}

/// Asks at the terminal.
fn is_confirmed(count: usize) -> Result<bool, Failure> {
    eprint!(
        "Delete {} for good? Nobody is told of it. [y/N] ",
        say::messages(count)
    );
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::Cannot(format!("can't read an answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn json_line(message: &Message) -> String {
    // The types of the API are text, numbers, lists and names: none of them fails.
    let mut line = serde_json::to_string(message).unwrap_or_default();
    line.push('\n');
    line
}

fn queue_id(text: &str) -> Result<String, String> {
    let id: Result<postroad_reply::QueueId, _> = text.parse();
    id.map(|id| id.to_string())
        .map_err(|error| error.to_string())
}
