//! Counters of what the server does, beside the log: atomics that whoever emits an event or gives a
//! reply adds to, whatever the log's level.
//!
//! They are of the process, as its log is. No label has more values than the catalogue of events and
//! the table of replies have names.

mod text;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postroad_reply::Situation;

use crate::events::Event;
use text::{Family, Kind, Sample};

pub use text::{metrics, metrics_reference};

/// What is counted by asking: the state of the server when its metrics are read.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// Which version runs.
    pub version: &'static str,
    /// How long it has been running.
    pub uptime: Duration,
    /// Whether the store takes mail.
    pub accepting: bool,
    /// Messages in the queue.
    pub queued: u64,
    /// Open connections of clients.
    pub connections: u64,
    /// Those among them that are in the midst of a message.
    pub receiving: u64,
    /// Deliveries under way.
    pub delivering: u64,
    /// Messages that wait for their turn at a next hop.
    pub waiting: u64,
    /// Next hops that the delivery knows at the moment.
    pub sites: u64,
    /// Those among them that are left alone for now.
    pub paused_sites: u64,
    /// Octets of message data in memory.
    pub body_memory: u64,
    /// Octets of the envelopes of open transactions in memory.
    pub envelope_memory: u64,
}

/// Octets of accepted messages.
static ACCEPTED_OCTETS: AtomicU64 = AtomicU64::new(0);
/// Mailboxes that accepted messages go to.
static ACCEPTED_RECIPIENTS: AtomicU64 = AtomicU64::new(0);

/// Up to how many seconds a delivery may have taken to be counted in each part.
const DELAYS: [&str; 9] = [
    "0.1", "1.0", "10.0", "60.0", "600.0", "3600.0", "14400.0", "86400.0", "432000.0",
];
/// The same in milliseconds.
const DELAY_MILLIS: [u128; DELAYS.len()] = [
    100,
    1000,
    10_000,
    60_000,
    600_000,
    3_600_000,
    14_400_000,
    86_400_000,
    432_000_000,
];
/// Deliveries by how long they took, each counted once; the last are those beyond.
static DELAYED: [AtomicU64; DELAYS.len() + 1] = [const { AtomicU64::new(0) }; DELAYS.len() + 1];
/// How long all of them took together, in milliseconds.
static DELAY_SUM: AtomicU64 = AtomicU64::new(0);

/// Each situation of the table of replies by where it stands in memory, and how often it was said.
static REPLIES: LazyLock<Vec<(&'static Situation, AtomicU64)>> = LazyLock::new(|| {
    let mut replies: Vec<_> = Situation::all()
        .map(|situation| (situation, AtomicU64::new(0)))
        .collect();
    replies.sort_by_key(|(situation, _)| place(situation));
    replies
});

fn place(situation: &'static Situation) -> usize {
    std::ptr::from_ref(situation).addr()
}

/// Counts a reply to a client.
pub fn count_reply(situation: &'static Situation) {
    let at = REPLIES.binary_search_by_key(&place(situation), |(known, _)| place(known));
    // Every situation there is stands in the table.
    if let Ok(at) = at {
        add(&REPLIES[at].1, 1);
    }
}

/// Counts what an event says beside that it happened.
pub(crate) fn count(event: &Event<'_>) {
    match event {
        Event::MessageAccepted {
            recipients, size, ..
        } => {
            add(&ACCEPTED_OCTETS, *size);
            add(&ACCEPTED_RECIPIENTS, *recipients as u64);
        }
        Event::DeliveryDelivered { delay, .. } => {
            let millis = delay.as_millis();
            let part = DELAY_MILLIS.partition_point(|most| *most < millis);
            add(&DELAYED[part], 1);
            add(&DELAY_SUM, u64::try_from(millis).unwrap_or(u64::MAX));
        }
        _ => {}
    }
}

/// Nothing is read from one counter to decide about another, so their order need not be seen.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// How often an event was emitted.
fn emitted(name: &str) -> u64 {
    let mut counts = Event::counts();
    counts
        .find(|(event, _)| *event == name)
        .map_or(0, |it| it.1)
}

/// All that is counted, in the order of the page.
fn families(gauges: &Gauges) -> Vec<Family> {
    let mut families = vec![Family {
        name: "postroad",
        kind: Kind::Info,
        unit: None,
        help: "Which version runs.",
        samples: vec![Sample::labelled("version", gauges.version, "1")],
    }];
    families.extend(states(gauges));
    families.extend(counters());
    families
}

/// What the server is at the moment.
fn states(gauges: &Gauges) -> Vec<Family> {
    let states: [(_, Option<&'static str>, _, u64); 11] = [
        (
            "postroad_uptime_seconds",
            Some("seconds"),
            "How long it has been running.",
            gauges.uptime.as_secs(),
        ),
        (
            "postroad_accepting",
            None,
            "1 if the store takes mail, 0 if its disk is full or can't be written.",
            u64::from(gauges.accepting),
        ),
        (
            "postroad_queue_messages",
            None,
            "Messages in the queue.",
            gauges.queued,
        ),
        (
            "postroad_connections_open",
            None,
            "Open connections of clients.",
            gauges.connections,
        ),
        (
            "postroad_connections_receiving",
            None,
            "Open connections in the midst of a message.",
            gauges.receiving,
        ),
        (
            "postroad_deliveries_active",
            None,
            "Deliveries under way.",
            gauges.delivering,
        ),
        (
            "postroad_deliveries_waiting",
            None,
            "Messages in memory that wait for their turn at a next hop.",
            gauges.waiting,
        ),
        (
            "postroad_sites",
            None,
            "Next hops that the delivery knows at the moment; `postroad sites` lists them.",
            gauges.sites,
        ),
        (
            "postroad_sites_paused",
            None,
            "Those among them that are left alone for now, after trouble.",
            gauges.paused_sites,
        ),
        (
            "postroad_body_memory_bytes",
            Some("bytes"),
            "Message data of all sessions in memory; `limits.body_memory` bounds it.",
            gauges.body_memory,
        ),
        (
            "postroad_envelope_memory_bytes",
            Some("bytes"),
            "Envelopes of open transactions in memory; `limits.envelope_memory` bounds it.",
            gauges.envelope_memory,
        ),
    ];
    let family = |(name, unit, help, value)| Family {
        name,
        kind: Kind::Gauge,
        unit,
        help,
        samples: vec![Sample::of(value)],
    };
    states.into_iter().map(family).collect()
}

/// What has happened since the start.
fn counters() -> Vec<Family> {
    let counter = |name, help, samples| Family {
        name,
        kind: Kind::Counter,
        unit: None,
        help,
        samples,
    };
    let one = |value| vec![Sample::of(value)];
    let outcomes = [
        ("delivered", "delivery.delivered"),
        ("deferred", "delivery.deferred"),
        ("failed", "delivery.failed"),
    ];
    let outcomes = outcomes
        .map(|(outcome, event)| Sample::labelled("outcome", outcome, &emitted(event).to_string()));
    let replies = REPLIES.iter().map(|(situation, count)| Sample {
        labels: vec![
            ("command", situation.command.name().into()),
            ("situation", situation.name.into()),
            ("code", situation.code.number().to_string()),
        ],
        ..Sample::of(read(count))
    });
    let mut replies: Vec<_> = replies.collect();
    replies.sort_by(|a, b| a.labels.cmp(&b.labels));
    let events = Event::counts()
        .map(|(event, count)| Sample::labelled("event", event, &count.to_string()))
        .collect();
    vec![
        counter(
            "postroad_messages_accepted",
            "Messages that are safe on disk and were answered 250.",
            one(emitted("message.accepted")),
        ),
        Family {
            unit: Some("bytes"),
            ..counter(
                "postroad_messages_accepted_bytes",
                "Their octets.",
                one(read(&ACCEPTED_OCTETS)),
            )
        },
        counter(
            "postroad_recipients_accepted",
            "The mailboxes they go to.",
            one(read(&ACCEPTED_RECIPIENTS)),
        ),
        counter(
            "postroad_deliveries",
            "What attempts came to, a recipient each.",
            outcomes.into(),
        ),
        delays(),
        counter(
            "postroad_replies",
            "Replies to clients, by the row of the reply table: its command and its situation; `code` \
             follows from them.",
            replies,
        ),
        counter(
            "postroad_events",
            "Events of `docs/events.md`, whether the log's level has them or not.",
            events,
        ),
    ]
}

fn delays() -> Family {
    let bounds = DELAYS.into_iter().chain(["+Inf"]);
    let mut so_far = 0;
    let mut samples: Vec<_> = bounds
        .zip(&DELAYED)
        .map(|(bound, count)| {
            so_far += read(count);
            Sample {
                suffix: "_bucket",
                ..Sample::labelled("le", bound, &so_far.to_string())
            }
        })
        .collect();
    let sum = read(&DELAY_SUM);
    samples.push(Sample {
        suffix: "_count",
        ..Sample::of(so_far)
    });
    samples.push(Sample {
        suffix: "_sum",
        value: format!("{}.{:03}", sum / 1000, sum % 1000),
        ..Sample::of(0)
    });
    Family {
        name: "postroad_delivery_delay_seconds",
        kind: Kind::Histogram,
        unit: Some("seconds"),
        help: "From a message's acceptance to its delivery, a recipient each.",
        samples,
    }
}
