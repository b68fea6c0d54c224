//! Makes the notice that a message owes its sender.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use postroad_clock::UnixMs;
use postroad_message::notice::{self, Returned, Told};
use postroad_message::{Facts, Scanner};
use postroad_queue::notice::{Owed, owed};
use postroad_queue::{Action, ClientTrace, Envelope, Life, Mark, Recipient, Report, RetryPlan};
use postroad_reply::{Enhanced, QueueId};
use postroad_store::{Notice, QueueStore};
use postroad_wire::address::ReversePath;
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::{BodyType, Ret};

/// How notices are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices {
    /// This server's name, which they come from.
    pub host_name: String,
    /// A message is returned whole up to so many octets, its trace fields included; of a longer one
    /// the header section is.
    pub return_at_most: usize,
}

/// A message as far as a notice is concerned.
#[derive(Debug, Clone)]
pub struct About {
    /// Its name.
    pub id: QueueId,
    /// What came with it.
    pub envelope: Arc<Envelope>,
    /// Where its recipients stand.
    pub lives: Vec<Life>,
    /// What has become of the notice about its aliases.
    pub expanded: Mark,
    /// The received octets, where they are in memory.
    pub fresh: Option<Bytes>,
}

impl About {
    /// What a notice of it is to say now.
    pub fn owed(&self) -> Vec<Owed> {
        owed(&self.envelope, &self.lives, self.expanded)
    }
}

impl Notices {
    /// The notice of what is owed about a message, to `recipients`; none if nothing is.
    ///
    /// What can't be read of the message is left out: that somebody is told is more than what is returned.
    pub async fn make<S: QueueStore>(
        &self,
        about: &About,
        recipients: Vec<Recipient>,
        plan: &RetryPlan,
        store: &S,
        now: UnixMs,
    ) -> Option<Notice> {
        let ReversePath::Mailbox(to) = &about.envelope.reverse_path else {
            return None;
        };
        let owed = about.owed();
        let lasting = about.envelope.received_at + plan.give_up_after;
        let told = owed.iter().filter_map(|owed| tell(about, *owed, lasting));
        let told: Vec<Told<'_>> = told.collect();
        if told.is_empty() {
            return None;
        }
        // RFC 3461 6.2: the whole message goes with a notice of failure only, if it isn't unwanted.
        let fails = owed.iter().any(|owed| owed.action == Action::Failed);
        // What is binary has no place in it: no part of a notice is (RFC 3030 3).
        let wanted = fails
            && about.envelope.ret != Some(Ret::Headers)
            && about.envelope.body_type != BodyType::BinaryMime;
        let (octets, whole) = self.beginning(about, store).await;
        let serial = format!("notice.{}.{}", about.id, now.0);
        let written = notice::Notice {
            reporting_mta: &self.host_name,
            serial: &serial,
            at: now,
            to,
            envid: about.envelope.envid.as_ref(),
            queue_id: about.id,
            arrival: about.envelope.received_at,
            smtputf8: about.envelope.smtputf8,
            recipients: &told,
            returned: Returned::of(&octets, whole, wanted),
        }
        .write();
        Some(Notice {
            envelope: Arc::new(envelope(recipients, &written, about.envelope.smtputf8, now)),
            octets: written,
        })
    }

    /// The trace fields and what was received, as far as it may be returned, and whether that is all.
    async fn beginning<S: QueueStore>(&self, about: &About, store: &S) -> (BytesMut, bool) {
        let mut octets = BytesMut::from(&about.envelope.trace[..]);
        let room = self.return_at_most.saturating_sub(octets.len());
        if let Some(fresh) = &about.fresh {
            octets.extend_from_slice(&fresh[..fresh.len().min(room)]);
            return (octets, fresh.len() <= room);
        }
        let mut read = 0;
        while read < room {
            match store.body(about.id, read as u64, room - read).await {
                Ok(piece) if !piece.is_empty() => {
                    read += piece.len();
                    octets.extend_from_slice(&piece);
                }
                _ => break,
            }
        }
        (octets, read as u64 == about.envelope.facts.size)
    }
}

/// What is told of one recipient.
fn tell(about: &About, owed: Owed, lasting: UnixMs) -> Option<Told<'_>> {
    let ix = usize::try_from(owed.recipient.0).ok()?;
    let recipient = about.envelope.recipients.get(ix)?;
    let (report, at) = match about.lives.get(ix)? {
        Life::Pending { last, .. } => (last.as_ref(), None),
        Life::Delivered { report, at, .. } | Life::Failed { report, at, .. } => {
            (Some(report), Some(*at))
        }
        Life::Discarded { .. } => (None, None),
    };
    let action = match owed.action {
        Action::Failed => notice::Action::Failed,
        Action::Delayed => notice::Action::Delayed { until: lasting },
        Action::Delivered => notice::Action::Delivered,
        Action::Relayed => notice::Action::Relayed,
        Action::Expanded => notice::Action::Expanded,
    };
    let same = |other: &&Recipient| other.origin == recipient.origin;
    let one_of_several = about
        .envelope
        .recipients
        .iter()
        .filter(same)
        .nth(1)
        .is_some();
    // That an alias was expanded says nothing of what is behind it.
    let report = report.filter(|_| owed.action != Action::Expanded);
    Some(Told {
        original: recipient.original.as_ref(),
        recipient: &recipient.origin,
        one_of_several,
        action,
        status: status(owed.action, report),
        peer: report.and_then(Report::peer).map(|peer| peer.name()),
        reply: report.and_then(Report::reply),
        words: report.map(Report::words).unwrap_or_default(),
        last_attempt: at.filter(|_| owed.action != Action::Expanded),
    })
}

/// The status of a recipient: what was said, or what its end comes to (RFC 3463).
fn status(action: Action, report: Option<&Report>) -> Enhanced {
    let said = report.and_then(Report::status);
    said.unwrap_or(match action {
        Action::Failed => const { Enhanced::literal("5.0.0") },
        Action::Delayed => const { Enhanced::literal("4.0.0") },
        Action::Delivered | Action::Relayed | Action::Expanded => {
            const { Enhanced::literal("2.0.0") }
        }
    })
}

/// The envelope of a notice: from nobody, so that none is ever sent about it (RFC 5321 4.5.5).
fn envelope(recipients: Vec<Recipient>, octets: &Bytes, smtputf8: bool, now: UnixMs) -> Envelope {
    let mut scanner = Scanner::new();
    scanner.push(octets);
    let facts: Facts = scanner.finish();
    let body_type = match octets.is_ascii() {
        true => BodyType::SevenBit,
        false => BodyType::EightBitMime,
    };
    Envelope {
        received_at: now,
        reverse_path: ReversePath::Null,
        body_type,
        smtputf8,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: String::from("notices"),
        recipients,
        trace: Bytes::new(),
        edits: Vec::new(),
        facts,
    }
}
