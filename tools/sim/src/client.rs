//! Clients: each sends its messages one after the other.

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_host::chance::Chance;
use postroad_host::clock::Clock;
use postroad_reply::{QueueId, TransactionId};
use postroad_store::{Leased, Pressure, QueueStore, Staged, Trouble, commit};

use crate::executor::turn;
use crate::ledger::{Answer, Number, Sent};
use crate::letter;
use crate::node::{LEASE, Shared};

/// Sends `messages`; those that were accepted are handed on to be delivered.
pub(crate) async fn run<S: QueueStore>(
    shared: &Shared<'_>,
    store: &S,
    messages: u64,
    longest: u64,
) {
    let chance = shared.chance.fork();
    for _ in 0..messages {
        for _ in 0..chance.below(8) {
            turn().await;
        }
        let (number, sent) = {
            let mut ledger = shared.ledger.borrow_mut();
            let number = ledger.next_number();
            let sent = letter::draw(number, longest, &chance);
            ledger.send(number, sent.clone());
            (number, sent)
        };
        match send(shared, store, number, &sent, &chance).await {
            Ok(Some(leased)) => shared.fresh.borrow_mut().push_back(leased),
            Ok(None) => {}
            // The power went before anything was said.
            Err(_) if shared.disk.is_down() => return,
            // A disk that takes no more writes can't be told to forget what it has half taken: the
            // message may come back when the power has gone before the disk was better.
            Err(trouble) if store.pressure() == Pressure::ReadOnly => {
                let mut ledger = shared.ledger.borrow_mut();
                ledger.answer(number, Answer::None, &trouble.to_string());
            }
            Err(trouble) => {
                let mut ledger = shared.ledger.borrow_mut();
                ledger.answer(number, Answer::Refused, &trouble.to_string());
            }
        }
    }
}

/// Sends one message; none if its client took it back.
async fn send<S: QueueStore>(
    shared: &Shared<'_>,
    store: &S,
    number: Number,
    sent: &Sent,
    chance: &Chance,
) -> Result<Option<Leased>, Trouble> {
    let now = shared.clock.unix();
    let mut staged = store.stage(now).await?;
    let id = staged.queue_id();
    shared.ledger.borrow_mut().name(number, id);
    for piece in pieces(&sent.octets, chance) {
        staged.append(piece).await?;
        if chance.one_in(3) {
            turn().await;
        }
    }
    if chance.one_in(12) {
        // RSET, or a client that goes.
        drop(staged);
        let mut ledger = shared.ledger.borrow_mut();
        ledger.answer(number, Answer::Refused, "taken back");
        return Ok(None);
    }
    let envelope = letter::envelope(sent, now);
    let until = shared.clock.unix() + LEASE;
    let (receipt, leased) = commit(staged, TransactionId(number), envelope, until).await?;
    check_receipt(shared, number, id, until, &leased, receipt.queue_id());
    // A store says so only of what is durable: this holds even if the power has gone since.
    let mut ledger = shared.ledger.borrow_mut();
    ledger.answer(number, Answer::Accepted, "");
    ledger.lease(&leased.lease, now);
    Ok(Some(leased))
}

fn check_receipt(
    shared: &Shared<'_>,
    number: Number,
    id: QueueId,
    until: UnixMs,
    leased: &Leased,
    receipt: QueueId,
) {
    if receipt != id || leased.lease.id != id || leased.lease.until != until {
        let mut ledger = shared.ledger.borrow_mut();
        ledger.complain(format!(
            "the lease or receipt of message {number} is another's"
        ));
    }
}

/// A message in pieces of any length, as a socket gives them.
fn pieces(octets: &Bytes, chance: &Chance) -> Vec<Bytes> {
    let mut rest = octets.clone();
    let mut pieces = Vec::new();
    let most = 1 + chance.below(octets.len() as u64);
    while !rest.is_empty() {
        let piece = 1 + chance.below(most.min(rest.len() as u64)) as usize;
        pieces.push(rest.split_to(piece));
    }
    pieces
}
