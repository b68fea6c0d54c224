//! Carriers: each takes one message at a time to the mailboxes and tells the store.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_delivery::maildir::{Attempt, Begun, DeliveryName, Maildirs};
use postroad_delivery::{NextHop, NextHops, NoMailbox, Parcel, Verdict, into_maildirs};
use postroad_host::chance::Chance;
use postroad_host::clock::Clock;
use postroad_host::disk::sim::SimDisk;
use postroad_queue::{
    Action, Handover, Life, NoticeState, Outcome, Recipient, RecipientIx, Report, RouteKey, notice,
    owes,
};
use postroad_reply::QueueId;
use postroad_store::{Claim, Lease, Leased, Notice, QueueStore, Settled, Trouble};
use postroad_wire::address::{Mailbox, ReversePath};
use postroad_wire::parameter::Notify;

use crate::executor::turn;
use crate::ledger::{is_relayed, will_fail};
use crate::letter;
use crate::node::{LEASE, Shared};

/// How long a deferred recipient waits.
const RETRY: Duration = Duration::from_secs(5);

/// Delivers what is fresh or due until nobody polls it any more.
pub(crate) async fn run<S: QueueStore>(
    shared: &Shared<'_>,
    store: &Arc<S>,
    mailboxes: &Maildirs<SimDisk>,
) {
    let chance = shared.chance.fork();
    let store = &**store;
    loop {
        turn().await;
        let fresh = shared.fresh.borrow_mut().pop_front();
        let leased = match fresh {
            // A node may be told to deliver fresh mail later, from the store.
            Some(leased) if chance.one_in(4) => {
                give_back(shared, store, leased.lease).await;
                continue;
            }
            // It waited too long; by now it may be somebody else's.
            Some(leased) if leased.lease.until <= shared.clock.unix() => continue,
            Some(leased) => vec![leased],
            None => claim(shared, store, &chance).await,
        };
        for leased in leased {
            let id = leased.lease.id;
            if is_plain(&leased) && chance.one_in(2) {
                match carry_for_real(shared, store, mailboxes, &leased).await {
                    Ok(()) => give_back(shared, store, leased.lease).await,
                    Err(trouble) => give_up(shared, id, &trouble),
                }
                continue;
            }
            match carry(shared, store, mailboxes, leased, &chance).await {
                Ok(lease) => {
                    give_back(shared, store, lease).await;
                }
                Err(trouble) => give_up(shared, id, &trouble),
            }
        }
    }
}

/// Takes a message to each recipient that is due by the transport of the real node. Whatever comes of it
/// shows in the mailboxes.
async fn carry_for_real<S: QueueStore>(
    shared: &Shared<'_>,
    store: &S,
    mailboxes: &Maildirs<SimDisk>,
    leased: &Leased,
) -> Result<(), Trouble> {
    let now = shared.clock.unix();
    let recipients = (0u32..).map(RecipientIx).zip(&leased.lives);
    let due = recipients.filter(|(_, life)| life.pending_due().is_some_and(|due| due <= now));
    let parcel = Parcel {
        id: leased.lease.id,
        token: leased.lease.token,
        envelope: &leased.envelope,
        fresh: leased.fresh.clone(),
        store,
        recipients: due.map(|(ix, _)| ix).collect(),
    };
    let carried = into_maildirs::carry(mailboxes, &Here, &shared.clock, &parcel).await;
    let outcome = |(ix, verdict): (RecipientIx, Verdict)| {
        let outcome = match verdict {
            Verdict::Delivered { how, report } => {
                Outcome::delivered(&leased.envelope, ix, how, report)
            }
            Verdict::Failed(report) => Outcome::failed(&leased.envelope, ix, report),
            Verdict::Deferred(report) | Verdict::Waits(report) => Outcome::Deferred {
                attempt: attempts(leased, ix) + 1,
                due: now + RETRY,
                report,
                notice: NoticeState::Unwanted,
            },
        };
        (ix, outcome)
    };
    let outcomes: Vec<_> = carried.recipients.into_iter().map(outcome).collect();
    settle(shared, store, &leased.lease, &outcomes, None).await?;
    Ok(())
}

/// How often a recipient was tried.
fn attempts(leased: &Leased, ix: RecipientIx) -> u32 {
    match leased.lives.get(ix.0 as usize) {
        Some(Life::Pending { attempts, .. }) => *attempts,
        _ => 0,
    }
}

/// Everybody has a mailbox here.
struct Here;

impl NextHops for Here {
    fn next_hop(&self, _: &RouteKey) -> NextHop {
        NextHop::Maildirs
    }

    fn notice_to(&self, _: &Mailbox) -> Vec<Recipient> {
        Vec::new()
    }

    fn may_be_made(&self, _: &Mailbox) -> Result<(), NoMailbox> {
        Ok(())
    }

    fn delivered(&self, _: &Mailbox, _: Option<u64>) {}

    fn failed(&self, _: &Mailbox, _: Mono) {}
}

/// Whether all there is to do for a message is to deliver it, and nobody has to be told.
fn is_plain(leased: &Leased) -> bool {
    let owes = |life: &Life| life.owed_since().is_some();
    let told = |recipient: &Recipient| {
        let success = matches!(recipient.notify, Some(Notify::On { success: true, .. }));
        success || will_fail(&recipient.target)
    };
    !leased.lives.iter().any(owes) && !leased.envelope.recipients.iter().any(told)
}

/// Ends a lease. It may be another's as soon as the store was asked, before it answers.
async fn give_back<S: QueueStore>(shared: &Shared<'_>, store: &S, lease: Lease) {
    let id = lease.id;
    shared.ledger.borrow_mut().release(id);
    if let Err(trouble) = store.release(lease).await {
        give_up(shared, id, &trouble);
    }
}

/// The lease is left to run out.
fn give_up(shared: &Shared<'_>, id: QueueId, trouble: &Trouble) {
    if shared.disk.is_down() {
        return;
    }
    let mut ledger = shared.ledger.borrow_mut();
    ledger.tell(format!("carrying {id}: {trouble}"));
    match trouble {
        Trouble::LeaseLost | Trouble::Unknown(_) if !shared.may_fail => {
            ledger.complain_of_id(id, format!("{id} was taken from its carrier: {trouble}"));
        }
        Trouble::Damaged(_) => ledger.complain_of_id(id, format!("{id} is said to be damaged")),
        Trouble::Full if !shared.may_fail => {
            ledger.complain(format!("{id} could not be settled for want of room"));
        }
        Trouble::Failed(_) | Trouble::ReadOnly if !shared.may_fail => {
            ledger.complain(format!(
                "{id} could not be carried without a fault: {trouble}"
            ));
        }
        _ => {}
    }
}

async fn claim<S: QueueStore>(shared: &Shared<'_>, store: &S, chance: &Chance) -> Vec<Leased> {
    let now = shared.clock.unix();
    let claim = Claim {
        now,
        until: now + LEASE,
        most: 1 + chance.index(4),
        per_route: 8,
        skip: Vec::new(),
    };
    let claimed = match store.claim(claim).await {
        Ok(claimed) => claimed,
        Err(_) if shared.disk.is_down() || shared.may_fail => Vec::new(),
        Err(trouble) => {
            let mut ledger = shared.ledger.borrow_mut();
            ledger.complain(format!("nothing can be claimed without a fault: {trouble}"));
            Vec::new()
        }
    };
    let mut ledger = shared.ledger.borrow_mut();
    for leased in &claimed {
        // A lease that still ran when this was asked may have been ended by a later claim.
        ledger.lease(&leased.lease, shared.clock.unix());
    }
    claimed
}

/// Takes a message to each recipient that is due, settles it, and gives its lease back.
async fn carry<S: QueueStore>(
    shared: &Shared<'_>,
    store: &S,
    mailboxes: &Maildirs<SimDisk>,
    leased: Leased,
    chance: &Chance,
) -> Result<Lease, Trouble> {
    let octets = octets_of(shared, store, &leased, chance).await?;
    let now = shared.clock.unix();
    let mut lives = leased.lives.clone();
    let mut outcomes = Vec::new();
    for (ix, life) in (0..).map(RecipientIx).zip(&leased.lives) {
        let attempts = match life {
            Life::Pending { attempts, due, .. } if *due <= now => *attempts,
            _ => continue,
        };
        let outcome = match attempt(shared, mailboxes, &leased, ix, attempts, &octets, chance) {
            Ok(outcome) => outcome,
            Err(why) => Outcome::Deferred {
                attempt: attempts + 1,
                due: now + RETRY,
                report: why.into(),
                // Whether this took long is left to chance.
                notice: match chance.one_in(3) {
                    true => owes(&leased.envelope, ix, Action::Delayed),
                    false => NoticeState::Unwanted,
                },
            },
        };
        if let Some(life) = lives.get_mut(ix.0 as usize) {
            life.apply(&outcome, now);
        }
        outcomes.push((ix, outcome));
        turn().await;
    }
    // Now and then the notice is left to whoever has the message next, or comes after the outcomes.
    let notice = match chance.below(4) {
        0 => None,
        _ => notice_of(shared, &leased, &lives),
    };
    if chance.one_in(2) {
        settle(shared, store, &leased.lease, &outcomes, None).await?;
        turn().await;
    }
    let mut settled = settle(shared, store, &leased.lease, &outcomes, notice.clone()).await?;
    if let Some(id) = settled.notice {
        let mut ledger = shared.ledger.borrow_mut();
        ledger.tell(format!("notice {id} of {}", leased.lease.id));
    }
    if chance.one_in(8) {
        // Saying it again changes nothing.
        let again = settle(shared, store, &leased.lease, &outcomes, notice).await?;
        let mut ledger = shared.ledger.borrow_mut();
        // Unless an operator's word took effect with the first.
        if again.finished != settled.finished && !ledger.is_deleted(leased.lease.id) {
            ledger.complain(format!("{} was settled twice to two ends", leased.lease.id));
        }
        if again.notice.is_some() {
            ledger.complain(format!("{} had its notice twice", leased.lease.id));
        }
        settled.finished |= again.finished;
    }
    if settled.finished {
        shared.ledger.borrow_mut().finish(leased.lease.id);
    }
    Ok(leased.lease)
}

async fn settle<S: QueueStore>(
    shared: &Shared<'_>,
    store: &S,
    lease: &Lease,
    outcomes: &[(RecipientIx, Outcome)],
    notice: Option<Notice>,
) -> Result<Settled, Trouble> {
    let now = shared.clock.unix();
    store.settle(lease, outcomes, notice, now).await
}

/// The octets of a message, from memory or from the store in pieces.
async fn octets_of<S: QueueStore>(
    shared: &Shared<'_>,
    store: &S,
    leased: &Leased,
    chance: &Chance,
) -> Result<Bytes, Trouble> {
    let id = leased.lease.id;
    let mut octets = BytesMut::new();
    match &leased.fresh {
        Some(fresh) if !chance.one_in(4) => octets.extend_from_slice(fresh),
        _ => loop {
            let most = 1 + chance.index(4096);
            let piece = store.body(id, octets.len() as u64, most).await?;
            if piece.is_empty() {
                break;
            }
            octets.extend_from_slice(&piece);
        },
    }
    shared.ledger.borrow_mut().check_octets(id, &octets);
    Ok(octets.freeze())
}

/// One attempt for one recipient; why, if it has to be made again.
fn attempt(
    shared: &Shared<'_>,
    mailboxes: &Maildirs<SimDisk>,
    leased: &Leased,
    ix: RecipientIx,
    attempts: u32,
    octets: &Bytes,
    chance: &Chance,
) -> Result<Outcome, String> {
    let id = leased.lease.id;
    let recipient = leased.envelope.recipients.get(ix.0 as usize);
    let recipient = recipient.ok_or("no such recipient")?;
    if will_fail(&recipient.target) {
        return Ok(Outcome::failed(&leased.envelope, ix, "closed".into()));
    }
    if chance.one_in(6) {
        return Err("not now".to_owned());
    }
    let name = DeliveryName { id, recipient: ix };
    let attempt = match attempts == 0 && leased.fresh.is_some() {
        true => Attempt::First,
        false => Attempt::Again(leased.lease.token),
    };
    match deliver(mailboxes, &recipient.target, name, attempt, leased, octets) {
        Ok(true) => shared.ledger.borrow_mut().deliver(id, ix),
        Ok(false) => {}
        Err(error) => {
            if !shared.may_fail && !shared.disk.is_down() {
                let mut ledger = shared.ledger.borrow_mut();
                ledger.complain(format!("a mailbox failed without a fault: {error}"));
            }
            return Err(error.to_string());
        }
    }
    let how = match is_relayed(&recipient.target) {
        true => Handover::Relayed,
        false => Handover::Delivered,
    };
    let report = Report::plain("maildir");
    Ok(Outcome::delivered(&leased.envelope, ix, how, report))
}

/// Writes a message into a mailbox, unless it is there.
fn deliver(
    mailboxes: &Maildirs<SimDisk>,
    to: &Mailbox,
    name: DeliveryName,
    attempt: Attempt,
    leased: &Leased,
    octets: &Bytes,
) -> io::Result<bool> {
    let mut delivery = match mailboxes.begin(to, name, attempt)? {
        Begun::New(delivery) => delivery,
        Begun::AlreadyThere => return Ok(false),
    };
    delivery.write(b"Return-Path: <>\r\n")?;
    delivery.write(&leased.envelope.trace)?;
    delivery.write(octets)?;
    delivery.finish().map(|()| true)
}

/// The notice about a message to its sender, if one is owed; nothing of it is in flight.
fn notice_of(shared: &Shared<'_>, leased: &Leased, lives: &[Life]) -> Option<Notice> {
    let ReversePath::Mailbox(sender) = &leased.envelope.reverse_path else {
        return None;
    };
    let owed = notice::owed(&leased.envelope, lives, leased.expanded);
    if owed.is_empty() {
        return None;
    }
    let number = shared.ledger.borrow().number_of(leased.lease.id)?;
    let octets = letter::notice(number, &owed);
    Some(Notice {
        envelope: letter::notice_envelope(sender, &octets, shared.clock.unix()),
        octets,
    })
}
