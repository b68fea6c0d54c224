//! Messages that tell by themselves which they are.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use postroad_clock::UnixMs;
use postroad_host::chance::Chance;
use postroad_message::Facts;
use postroad_queue::notice::Owed;
use postroad_queue::{ClientTrace, Envelope, Recipient};
use postroad_wire::address::{Limits, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::{BodyType, Notify};

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
    let notify = match chance.below(4) {
        0 => None,
        1 => Some(Notify::Never),
        _ => Some(Notify::On {
            success: chance.one_in(2),
            failure: !chance.one_in(4),
            delay: chance.one_in(2),
        }),
    };
    Sent {
        octets: octets.freeze(),
        sender: mailbox("sender"),
        recipients,
        notify,
        alias: chance.one_in(3),
        answer: Answer::None,
        deleted: false,
    }
}

/// What a notice about a message says: a line for each recipient it tells of.
pub(crate) fn notice(number: Number, owed: &[Owed]) -> Bytes {
    let mut text = format!("{NOTICE_MARK}{number}\r\n\r\n");
    for owed in owed {
        text += &format!("{} {:?}\r\n", owed.recipient.0, owed.action);
    }
    Bytes::from(text)
}

/// What a notice tells: the place of each recipient, and what of it.
pub(crate) fn told(notice: &[u8]) -> Vec<(u32, String)> {
    let text = String::from_utf8_lossy(notice);
    let lines = text.lines().skip(2).map(|line| line.split_once(' '));
    lines
        .filter_map(|line| {
            let (ix, action) = line?;
            Some((ix.parse().ok()?, action.to_owned()))
        })
        .collect()
}

/// The envelope of a message.
pub(crate) fn envelope(sent: &Sent, now: UnixMs) -> Arc<Envelope> {
    let recipient = |mailbox: &Mailbox| Recipient {
        target: mailbox.clone(),
        origin: match sent.alias {
            true => self::mailbox("alias"),
            false => mailbox.clone(),
        },
        original: None,
        notify: sent.notify,
    };
    let from = ReversePath::Mailbox(sent.sender.clone());
    let recipients = sent.recipients.iter().map(recipient).collect();
    envelope_of(from, recipients, &sent.octets, now)
}

/// The envelope of the notice to `sender`.
pub(crate) fn notice_envelope(sender: &Mailbox, octets: &[u8], now: UnixMs) -> Arc<Envelope> {
    let recipient = Recipient {
        target: sender.clone(),
        origin: sender.clone(),
        original: None,
        notify: None,
    };
    envelope_of(ReversePath::Null, vec![recipient], octets, now)
}

fn envelope_of(
    reverse_path: ReversePath,
    recipients: Vec<Recipient>,
    octets: &[u8],
    now: UnixMs,
) -> Arc<Envelope> {
    Arc::new(Envelope {
        received_at: now,
        reverse_path,
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        client: ClientTrace::default(),
        priority: 0,
        delivery: DeliveryKind::Mailbox,
        sender_key: "simulation".to_owned(),
        recipients,
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
