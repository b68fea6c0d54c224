//! What goes over the control socket. Times are RFC 3339 in UTC, durations are seconds.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::filter::Filter;

/// One page of the queue, oldest message first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page {
    /// The messages that match.
    pub messages: Vec<Message>,
    /// How many messages were looked at for this page.
    pub examined: usize,
    /// Give it as `cursor` for the page after this one; none at the end of the queue.
    pub next: Option<String>,
}

/// One queued message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Its queue id, as in the Received field and in the log.
    pub id: String,
    /// When it was received.
    pub received: String,
    /// How many seconds ago that was.
    pub age: u64,
    /// The received octets.
    pub size: u64,
    /// The reverse-path; empty for the null sender.
    pub sender: String,
    /// The sender's own name for it (ENVID).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub envid: Option<String>,
    /// From whom it came.
    pub client: Client,
    /// Where it stands.
    pub state: State,
    /// An operator holds it back.
    pub held: bool,
    /// The next hop an operator sends it to, instead of the recipients' own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redirect: Option<String>,
    /// When it is worked on next; none while it is held or being worked on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// In how many seconds that is; 0 if it is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wait: Option<u64>,
    /// Whom it is for.
    pub recipients: Vec<Recipient>,
    /// What happened to it, oldest first. Only `GET /v1/queue/{id}` tells it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub history: Vec<Happened>,
    /// What happened, where it stands and what comes next, in sentences. Only
    /// `GET /v1/queue/{id}` tells it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub plainly: Vec<String>,
}

/// From whom a message came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Client {
    /// The peer's address; none where the message was made here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// What it said after EHLO or HELO.
    pub hello: String,
    /// How it came: SMTP, ESMTP, LMTP ... (RFC 3848).
    pub protocol: String,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being delivered, or waits for its turn among what is.
    Active,
    /// It was not tried yet.
    Queued,
    /// It was tried, and is tried again later.
    Deferred,
    /// An operator holds it back.
    Held,
    /// Nothing is left of it but the notice to its sender.
    Notice,
}

/// One recipient of a queued message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recipient {
    /// Where the mail goes, after aliases.
    pub address: String,
    /// What the client wrote in RCPT, where that is another address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<String>,
    /// Where it stands.
    pub state: RecipientState,
    /// The destination its mail goes to by the present configuration.
    pub site: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// What the last attempt said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<String>,
}

/// Where one recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecipientState {
    /// Its mail is still to be delivered.
    Pending,
    /// It has its mail, or the next hop has.
    Delivered,
    /// It was given up.
    Failed,
    /// A rule, or an operator, threw its mail away.
    Discarded,
}

/// Something that happened to a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Happened {
    /// When.
    pub at: String,
    /// What.
    pub what: What,
    /// To whose mail; empty where it is all of the message.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub recipients: Vec<String>,
    /// To the mail of so many more recipients, who are not named; after `omitted`, so many events.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub others: u32,
    /// The server that said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer: Option<String>,
    /// That server's reply, or what happened in words.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub said: String,
}

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It was received.
    Received,
    /// It was put into a mailbox.
    Delivered,
    /// Another server took it over.
    Relayed,
    /// An attempt failed for now.
    Deferred,
    /// It was given up.
    Failed,
    /// A rule, or an operator, threw it away.
    Discarded,
    /// A notice to its sender was queued.
    Noticed,
    /// An operator held it back.
    Held,
    /// An operator let it go on.
    Released,
    /// An operator made it due.
    Retried,
    /// An operator sent it elsewhere.
    Redirected,
    /// An operator deleted it.
    Deleted,
    /// So much happened that some of it is not kept; `others` says how much.
    Omitted,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Which page of the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Place {
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Examine at most so many messages (1 to 10,000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
}

/// Which messages `GET /v1/queue` lists: a [`Filter`] and a [`Place`] as one query. They are written
/// out here because serde, which would take them in with `flatten`, reads no numbers from a query
/// then, and can't refuse unknown names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// The reverse-path: an address, `@domain`, `<>`, or a pattern with `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// One of the recipients, as it was given in RCPT or after aliases; in the same forms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The domain of one of the recipients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The destination of a recipient that is still pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Where the message stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Words within what the last attempt for a recipient said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Received at least so many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older: Option<u64>,
    /// Received at most so many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer: Option<u64>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Examine at most so many messages (1 to 10,000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
}

impl Listing {
    /// Of the messages that match, those of this page.
    pub fn new(filter: Filter, place: Place) -> Listing {
        Listing {
            sender: filter.sender,
            recipient: filter.recipient,
            domain: filter.domain,
            site: filter.site,
            state: filter.state,
            reason: filter.reason,
            older: filter.older,
            newer: filter.newer,
            cursor: place.cursor,
            most: place.most,
        }
    }

    /// Its two parts.
    pub fn parts(self) -> (Filter, Place) {
        let filter = Filter {
            sender: self.sender,
            recipient: self.recipient,
            domain: self.domain,
            site: self.site,
            state: self.state,
            reason: self.reason,
            older: self.older,
            newer: self.newer,
        };
        let place = Place {
            cursor: self.cursor,
            most: self.most,
        };
        (filter, place)
    }
}

/// What to do to which messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Order {
    /// These messages, by queue id. Without any, those that match the filter.
    pub ids: Vec<String>,
    /// Which messages.
    pub filter: Filter,
    /// All of the queue is meant, where neither ids nor a filter are given. Without it such an
    /// order is refused.
    pub all: bool,
    /// Say how many it would be, and do nothing.
    pub dry_run: bool,
    /// For `redirect`: the next hop, such as `smtp://mx.example:25`; empty, the recipients' own
    /// next hops again.
    pub to: Option<String>,
    /// Which part of the queue.
    pub place: Place,
}

/// What became of an order for one page of the queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// How many messages were looked at.
    pub examined: usize,
    /// How many of them were meant.
    pub matched: usize,
    /// To how many it was done.
    pub changed: usize,
    /// Which could not be changed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failed: Vec<Failed>,
    /// Give it as the place's `cursor` to go on; none at the end of the queue.
    pub next: Option<String>,
}

/// A message that could not be changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failed {
    /// Its queue id.
    pub id: String,
    /// Why not.
    pub why: String,
}

/// What can be done to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Keep them from being delivered.
    Hold,
    /// Take a hold away.
    Release,
    /// Try them now, and next hops that are left alone after trouble with them.
    Retry,
    /// Take them out of the queue; nobody is told.
    Delete,
    /// Send what is pending to another next hop.
    Redirect,
}

impl Action {
    /// Its name in the path of a request.
    pub fn word(self) -> &'static str {
        match self {
            Action::Hold => "hold",
            Action::Release => "release",
            Action::Retry => "retry",
            Action::Delete => "delete",
            Action::Redirect => "redirect",
        }
    }
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Its name: the next hop.
    pub site: String,
    /// How many dispatches may be under way at once, as things go.
    pub window: u32,
    /// How many are.
    pub under_way: u32,
    /// How many messages wait for it among those being worked on.
    pub waiting: u64,
    /// The last trouble with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// Nothing is sent to it until then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub paused_until: Option<String>,
}

/// A provider that mail is collected from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Collection {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub provider: String,
    /// It is being asked now.
    pub busy: bool,
    /// How many messages came since the server was started.
    pub messages: u64,
    /// How often in a row it went wrong.
    pub failures: u32,
    /// When it was last asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<String>,
    /// Why nothing came then, if that went wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// When it is asked next; none if only when told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// What came of asking a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Came {
    /// Its name in the configuration.
    pub name: String,
    /// It was asked and has answered, be it that there is no mail.
    pub ok: bool,
    /// How many messages came.
    pub messages: u64,
    /// What came of it, in words.
    pub said: String,
}

/// Whether the server is well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Nothing is wrong.
    pub ok: bool,
    /// What is wrong, in words.
    pub problems: Vec<String>,
    /// The version that runs.
    pub version: String,
    /// Messages in the queue.
    pub queued: u64,
    /// Seconds since it was started.
    pub uptime: u64,
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reloaded {
    /// Settings that hold at once or for the next connection, by name.
    pub changed: Vec<String>,
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    /// In words, with the fix where there is one.
    pub error: String,
}
