//! Messages that tell by themselves which they are.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use postroad_clock::UnixMs;
use postroad_host::chance::Chance;
use postroad_message::Facts;
use postroad_queue::{ClientTrace, Envelope, Recipient};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::parameter::BodyType;

use crate::ledger::{Answer, Number, Sent};

/// Stands before a message in the mailbox: what is before it is the deliverer's.
const MARK: &str = "Simulated: ";
/// Stands before the number of a message in the notice about it.
const NOTICE_MARK: &str = "Simulated-Notice: ";

/// How many mailboxes there are that take mail, and as many that don't.
const MAILBOXES: u64 = 3;

/// A message for one to three mailboxes.
pub(crate) fn draw(number: Number, longest: u64, chance: &Chance) -> Sent {
    let mut octets = BytesMut::from(format!("{MARK}{number}\r\n\r\n").as_bytes());
    let header = octets.len();
    // The shortest have no body at all.
    let body = chance.below(longest + 1).saturating_sub(8);
    octets.resize(header + body as usize, 0);
    chance.fill(&mut octets[header..]);
    let mut recipients: Vec<Mailbox> = (0..1 + chance.below(3))
        .map(|_| match chance.below(6) {
            0 => mailbox(&format!("closed-{}", chance.below(MAILBOXES))),
            _ => mailbox(&format!("open-{}", chance.below(MAILBOXES))),
        })
        .collect();
    recipients.sort_unstable();
    recipients.dedup();
    Sent {
        octets: octets.freeze(),
        sender: mailbox("sender"),
        recipients,
        answer: Answer::None,
        deleted: false,
    }
}

/// What a notice about a message says.
pub(crate) fn notice(number: Number) -> Bytes {
    Bytes::from(format!(
        "{NOTICE_MARK}{number}\r\n\r\nIt could not be delivered.\r\n"
    ))
}

/// What an envelope for it is.
pub(crate) fn envelope(
    from: Option<&Mailbox>,
    to: &[Mailbox],
    octets: &[u8],
    now: UnixMs,
) -> Arc<Envelope> {
    let recipient = |mailbox: &Mailbox| Recipient {
        target: mailbox.clone(),
        origin: mailbox.clone(),
        original: None,
        notify: None,
    };
    Arc::new(Envelope {
        received_at: now,
        reverse_path: from.map_or(ReversePath::Null, |from| ReversePath::Mailbox(from.clone())),
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        sender_key: "simulation".to_owned(),
        recipients: to.iter().map(recipient).collect(),
        trace: Bytes::from_static(b"Received: by the simulation\r\n"),
        edits: Vec::new(),
        facts: Facts {
            size: octets.len() as u64,
            ..Facts::default()
        },
    })
}

/// A mailbox of that name.
pub(crate) fn mailbox(local: &str) -> Mailbox {
    let parsed = Mailbox::parse(&format!("{local}@sim.example"), &Limits::LEAST);
    parsed.expect("the names used here are dot-strings")
}

/// Every mailbox in which mail may be.
pub(crate) fn mailboxes() -> Vec<Mailbox> {
    let numbered =
        |kind: &'static str| (0..MAILBOXES).map(move |n| mailbox(&format!("{kind}-{n}")));
    numbered("open")
        .chain(numbered("closed"))
        .chain([mailbox("sender")])
        .collect()
}

/// Which message a file in a mailbox holds, whether as a notice, and its octets as received; none
/// if it was never one of ours.
pub(crate) fn read(file: &[u8]) -> Option<(Number, bool, Bytes)> {
    let find = |mark: &str| {
        let found = file
            .windows(mark.len())
            .position(|part| part == mark.as_bytes())?;
        let line = file[found + mark.len()..]
            .split(|octet| *octet == b'\r')
            .next()?;
        let number = std::str::from_utf8(line).ok()?.parse().ok()?;
        Some((number, Bytes::copy_from_slice(&file[found..])))
    };
    let notice = find(NOTICE_MARK).map(|(number, octets)| (number, true, octets));
    notice.or_else(|| find(MARK).map(|(number, octets)| (number, false, octets)))
}
