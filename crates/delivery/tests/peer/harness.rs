//! A message, a client with short time-outs, and what became of the one through the other.

#![allow(dead_code, reason = "each test binary uses its part of the harness")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_delivery::peer::{Peers, Settings};
use postroad_delivery::{Carried, Parcel, Verdict};
use postroad_host::clock::RealClock;
use postroad_host::tasks;
use postroad_message::{Facts, Scanner};
use postroad_queue::scheduler::Feedback;
use postroad_queue::{ClientTrace, Envelope, Recipient, RecipientIx};
use postroad_reply::QueueId;
use postroad_store::memory::MemoryStore;
use postroad_wire::address::{HeloName, Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::BodyType;
use postroad_wire::peer::Peer;

/// No test takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const TRACE: &str = "Received: by client.example; now\r\n";
pub(crate) const OCTETS: &str = "Subject: x\r\n\r\n.one\r\ntwo\r\n";

/// What the server has to have seen: trace and octets.
pub(crate) fn whole() -> Vec<u8> {
    format!("{TRACE}{OCTETS}").into_bytes()
}

/// Runs a test's future to its end.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let timed = async { tasks::timeout(PATIENCE, future).await };
    tasks::run(0, timed).unwrap().expect("it ends in time")
}

pub(crate) fn name() -> HeloName {
    HeloName::parse("client.example", &Limits::default()).unwrap()
}

/// Settings whose time-outs are less than a second, the connection's among them.
pub(crate) fn impatient() -> Settings {
    let mut settings = Settings::new(name());
    let short = Duration::from_millis(700);
    settings.timeouts.connect = short;
    settings.timeouts.quit = short;
    let session = &mut settings.timeouts.session;
    (session.greeting, session.command) = (short, short);
    (session.data_begin, session.data_block, session.data_end) = (short, short, short);
    settings
}

pub(crate) fn client(settings: Settings) -> Peers<RealClock> {
    Peers::new(settings, RealClock)
}

pub(crate) fn peer(text: &str) -> Peer {
    text.parse().unwrap()
}

pub(crate) fn recipient(address: &str) -> Recipient {
    let target = Mailbox::parse(address, &Limits::default()).unwrap();
    Recipient {
        origin: target.clone(),
        target,
        original: None,
        notify: None,
    }
}

/// An envelope of octets like these for `recipients`.
pub(crate) fn envelope(octets: &[u8], recipients: &[&str]) -> Envelope {
    let limits = Limits::default();
    Envelope {
        received_at: UnixMs(1_790_000_000_000),
        reverse_path: ReversePath::parse("<a@client.example>", &limits).unwrap(),
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: String::new(),
        recipients: recipients
            .iter()
            .map(|address| recipient(address))
            .collect(),
        trace: Bytes::from_static(TRACE.as_bytes()),
        edits: Vec::new(),
        facts: facts(octets),
    }
}

pub(crate) fn facts(octets: &[u8]) -> Facts {
    let mut scanner = Scanner::new();
    scanner.push(octets);
    scanner.finish()
}

/// Carries octets with this envelope, to all of its recipients.
pub(crate) async fn carry(
    peers: &Peers<RealClock>,
    to: &str,
    envelope: Envelope,
    octets: &[u8],
) -> Carried {
    let store = MemoryStore::new();
    let recipients = 0..u32::try_from(envelope.recipients.len()).unwrap();
    let parcel = Parcel {
        id: QueueId(7),
        token: 1,
        envelope: &Arc::new(envelope),
        fresh: Some(Bytes::copy_from_slice(octets)),
        store: &store,
        recipients: recipients.map(RecipientIx).collect(),
    };
    peers.carry(&peer(to), &parcel).await
}

/// Carries [`OCTETS`] to so many recipients, `r0@mx.example` and on.
pub(crate) async fn carry_to(peers: &Peers<RealClock>, to: &str, recipients: usize) -> Carried {
    let addresses: Vec<_> = (0..recipients)
        .map(|n| format!("r{n}@mx.example"))
        .collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let envelope = envelope(OCTETS.as_bytes(), &addresses);
    carry(peers, to, envelope, OCTETS.as_bytes()).await
}

/// What became of each recipient, in their order: the outcome, its status, and the first word of the reply or
/// all words where there is none.
pub(crate) fn outcomes(carried: &Carried) -> Vec<String> {
    let mut recipients: Vec<_> = carried.recipients.iter().collect();
    recipients.sort_by_key(|(ix, _)| *ix);
    let places: Vec<_> = recipients.iter().map(|(ix, _)| ix.0 as usize).collect();
    assert_eq!(
        places,
        (0..places.len()).collect::<Vec<_>>(),
        "each has one outcome"
    );
    let said = |(_, verdict): &&(_, Verdict)| {
        let (what, report) = match verdict {
            Verdict::Delivered { report, how } => (format!("{how:?}"), report),
            Verdict::Deferred(report) => ("deferred".to_owned(), report),
            Verdict::Waits(report) => ("waits".to_owned(), report),
            Verdict::Failed(report) => ("failed".to_owned(), report),
        };
        let status = report
            .status()
            .map_or("-".to_owned(), |status| status.to_string());
        let reply = report.reply().and_then(|reply| reply.split(' ').next());
        format!("{what} {status} {}", reply.unwrap_or(report.words()))
    };
    recipients.iter().map(said).collect()
}

/// What is thought of the peer, in a word.
pub(crate) fn thought(carried: &Carried) -> &'static str {
    match carried.feedback {
        Feedback::Worked => "worked",
        Feedback::Neutral => "neutral",
        Feedback::Busy(_) => "busy",
        Feedback::Trouble(_) => "trouble",
    }
}
