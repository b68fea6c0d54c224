//! One attempt: a leased message, each of its recipients that is due, and what is said to the store.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use postroad_host::chance::Chance;
use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_host::tasks;
use postroad_message::{edit, trace};
use postroad_queue::retry::Next;
use postroad_queue::{Envelope, Handover, Life, NoticeState, Outcome, RecipientIx, RetryPlan};
use postroad_reply::QueueId;
use postroad_store::{Lease, Leased, QueueStore, Trouble};
use postroad_telemetry::Event;
use postroad_wire::address::Mailbox;

use crate::maildir::{Attempt, Begun, Delivery, DeliveryName, Maildirs};
use crate::next_hop::{NextHop, NextHops};

/// How much of a stored message is read at once.
const PIECE: usize = 256 * 1024;

/// When deferred recipients are tried again, and how long a message is held meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// When deferred recipients are tried again.
    pub retry: RetryPlan,
    /// For how long a message is leased. Long work renews its lease at half of that.
    pub lease: Duration,
}

impl Default for Patience {
    /// The default plan, and leases of five minutes.
    fn default() -> Patience {
        Patience {
            retry: RetryPlan::default(),
            lease: Duration::from_secs(300),
        }
    }
}

/// All that an attempt needs.
#[derive(Debug)]
pub struct Deliverer<S, D: Disk, H, C> {
    /// Where the messages are.
    pub store: Arc<S>,
    /// Where they go.
    pub maildirs: Maildirs<D>,
    /// Which of these each goes to.
    pub next_hops: H,
    /// What time it is.
    pub clock: C,
    /// Spreads what was deferred together.
    pub chance: Chance,
    /// How long to wait for what. Who stores another here changes it from then on.
    pub patience: Arc<ArcSwap<Patience>>,
}

/// What is put into every recipient's mailbox.
enum Content {
    /// This, in memory.
    Whole { head: Bytes, octets: Bytes },
    /// This, and then the stored octets, of which there are `size`.
    Stored { head: Bytes, size: u64 },
}

/// Why a recipient doesn't have the message. Each of these is tried again.
enum Failure {
    Mailbox(io::Error),
    Store(Trouble),
    /// The store's octets are not as many as were received: better none than half a message.
    Length {
        stored: u64,
        received: u64,
    },
}

impl<S, D, H, C> Deliverer<S, D, H, C>
where
    S: QueueStore,
    D: Disk,
    H: NextHops,
    C: Clock,
{
    /// Delivers a leased message to each recipient that is due, and settles it.
    ///
    /// Nothing is lost if this future is dropped: the lease runs out, and the next attempt finds what
    /// this one has delivered.
    pub async fn attempt(&self, mut leased: Leased) {
        let mut outcomes = Vec::new();
        let content = self.content(&leased).await;
        for ix in self.due(&leased) {
            if let Err(LeaseLost) = self.keep(&mut leased.lease).await {
                // Somebody else has the message, and finds what was delivered here.
                return;
            }
            let done = match &content {
                Ok(content) => self.deliver(&mut leased, ix, content).await,
                Err(failure) => Err(failure.to_string()),
            };
            let outcome = match done {
                Ok(by) => Outcome::Delivered {
                    how: Handover::Delivered,
                    report: by.into(),
                    notice: NoticeState::Unwanted,
                },
                Err(why) => self.deferred(&leased, ix, why),
            };
            outcomes.push((ix, outcome));
        }
        self.settle(leased.lease, &outcomes).await;
    }

    /// Ends a lease, so that the message is anybody's when it is due.
    pub async fn hand_back(&self, lease: Lease) {
        let id = lease.id;
        if let Err(trouble) = self.store.release(lease).await {
            trouble_with(id, &trouble);
        }
    }

    /// The recipients whose time has come. A message is claimed when its first one is due; the others
    /// wait for their own.
    fn due(&self, leased: &Leased) -> Vec<RecipientIx> {
        let now = self.clock.unix();
        (0u32..)
            .zip(&leased.lives)
            .filter(|(_, life)| matches!(life, Life::Pending { due, .. } if *due <= now))
            .map(|(ix, _)| RecipientIx(ix))
            .collect()
    }

    async fn content(&self, leased: &Leased) -> Result<Content, Failure> {
        let envelope = &leased.envelope;
        let mut head = BytesMut::from(&*trace::return_path(&envelope.reverse_path));
        head.extend_from_slice(&envelope.trace);
        let head = head.freeze();
        let size = envelope.facts.size;
        let received = match &leased.fresh {
            Some(fresh) => fresh.clone(),
            None if envelope.edits.is_empty() => return Ok(Content::Stored { head, size }),
            // Edits are rare, and a message they apply to is bounded by what was accepted.
            None => self.whole_body(leased).await?,
        };
        length(received.len() as u64, size)?;
        let octets = edit::apply(&envelope.edits, received);
        Ok(Content::Whole { head, octets })
    }

    async fn whole_body(&self, leased: &Leased) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        loop {
            let piece = self
                .store
                .body(leased.lease.id, body.len() as u64, PIECE)
                .await?;
            if piece.is_empty() {
                return Ok(body.freeze());
            }
            body.extend_from_slice(&piece);
        }
    }

    /// Delivers to one recipient. What it says is how, or why not.
    async fn deliver(
        &self,
        leased: &mut Leased,
        ix: RecipientIx,
        content: &Content,
    ) -> Result<String, String> {
        let envelope = Arc::clone(&leased.envelope);
        let target = &target(&envelope, ix).ok_or("the envelope has no such recipient")?;
        let to = match self.next_hops.next_hop(target, leased.redirect.as_ref()) {
            NextHop::Maildir(mailbox) => mailbox,
            NextHop::Nowhere { why } => return Err(why),
        };
        let name = DeliveryName {
            id: leased.lease.id,
            recipient: ix,
        };
        let attempt = match &leased.fresh {
            Some(_) => Attempt::First,
            None => Attempt::Again(leased.lease.token),
        };
        let put = self
            .put(&to, name, attempt, &mut leased.lease, content)
            .await;
        match &put {
            Ok(_) => self.next_hops.delivered(&to),
            Err(Failure::Mailbox(_)) => self.next_hops.failed(&to, self.clock.mono()),
            Err(Failure::Store(_) | Failure::Length { .. }) => {}
        }
        let by = put.map_err(|failure| failure.to_string())?;
        Event::DeliveryDelivered {
            queue_id: name.id,
            recipient: target,
            by: &by,
            delay: self.clock.unix().since(envelope.received_at),
        }
        .emit();
        Ok(by)
    }

    /// Puts a message into a mailbox, unless it is there. What it says is how.
    async fn put(
        &self,
        to: &Mailbox,
        name: DeliveryName,
        attempt: Attempt,
        lease: &mut Lease,
        content: &Content,
    ) -> Result<String, Failure> {
        let begun = {
            let (maildirs, to) = (self.maildirs.clone(), to.clone());
            tasks::blocking(move || maildirs.begin(&to, name, attempt)).await
        };
        let delivery = match begun.map_err(Failure::Mailbox)? {
            Begun::New(delivery) => delivery,
            Begun::AlreadyThere => {
                return Ok(format!("the Maildir of {to}, by an earlier attempt"));
            }
        };
        if let Some(folder) = delivery.made_mailbox() {
            Event::MailboxCreated {
                queue_id: name.id,
                mailbox: to,
                folder: &folder.display(),
            }
            .emit();
        }
        self.write(delivery, lease, content).await?;
        Ok(format!("the Maildir of {to}"))
    }

    async fn write(
        &self,
        delivery: Delivery<D>,
        lease: &mut Lease,
        content: &Content,
    ) -> Result<(), Failure> {
        let (head, size) = match content {
            Content::Whole { head, octets } => {
                let pieces = [head.clone(), octets.clone()];
                return write_all(delivery, pieces).await.map_err(Failure::Mailbox);
            }
            Content::Stored { head, size } => (head, *size),
        };
        let mut delivery = write_piece(delivery, head.clone()).await?;
        let mut read = 0;
        loop {
            let piece = self.store.body(lease.id, read, PIECE).await?;
            if piece.is_empty() {
                break;
            }
            read += piece.len() as u64;
            delivery = write_piece(delivery, piece).await?;
            self.keep(lease).await?;
        }
        length(read, size)?;
        write_all(delivery, []).await.map_err(Failure::Mailbox)
    }

    /// Renews a lease that is half over.
    async fn keep(&self, lease: &mut Lease) -> Result<(), LeaseLost> {
        let now = self.clock.unix();
        let length = self.patience.load().lease;
        if lease.until.since(now) >= length / 2 {
            return Ok(());
        }
        let Err(trouble) = self.store.renew(lease, now + length).await else {
            return Ok(());
        };
        trouble_with(lease.id, &trouble);
        match trouble {
            Trouble::LeaseLost => Err(LeaseLost),
            // It may still be ours when it is settled.
            _ => Ok(()),
        }
    }

    /// A recipient is tried again, whatever failed.
    fn deferred(&self, leased: &Leased, ix: RecipientIx, why: String) -> Outcome {
        let now = self.clock.unix();
        let attempts = match life(leased, ix) {
            Some(Life::Pending { attempts, .. }) => attempts.saturating_add(1),
            _ => 1,
        };
        let retry = self.patience.load().retry;
        let received_at = leased.envelope.received_at;
        let due = match retry.next(attempts, received_at, now, self.chance.u64()) {
            Next::At(due) => due,
            // To give up is to owe a notice, and there are none yet: it is tried for ever.
            Next::GiveUp => now + retry.longest,
        };
        if let Some(recipient) = target(&leased.envelope, ix) {
            Event::DeliveryDeferred {
                queue_id: leased.lease.id,
                recipient,
                reason: &why,
                attempt: attempts,
                next_due: due,
            }
            .emit();
        }
        Outcome::Deferred {
            attempt: attempts,
            due,
            report: why.into(),
            notice: NoticeState::Unwanted,
        }
    }

    async fn settle(&self, lease: Lease, outcomes: &[(RecipientIx, Outcome)]) {
        if !outcomes.is_empty() {
            let now = self.clock.unix();
            if let Err(trouble) = self.store.settle(&lease, outcomes, None, now).await {
                // The lease is kept until it runs out: a pause before what was delivered is found again,
                // and can be said again.
                trouble_with(lease.id, &trouble);
                return;
            }
        }
        self.hand_back(lease).await;
    }
}

/// Somebody else may have the message.
struct LeaseLost;

impl From<LeaseLost> for Failure {
    fn from(LeaseLost: LeaseLost) -> Failure {
        Failure::Store(Trouble::LeaseLost)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        Failure::Store(trouble)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Mailbox(e) => write!(f, "the mailbox can't be written: {e}"),
            Failure::Store(trouble) => trouble.fmt(f),
            Failure::Length { stored, received } => write!(
                f,
                "the store has {stored} octets of a message of {received}"
            ),
        }
    }
}

fn trouble_with(id: QueueId, trouble: &Trouble) {
    Event::DeliveryTrouble {
        queue_id: Some(id),
        cause: trouble,
    }
    .emit();
}

fn target(envelope: &Envelope, ix: RecipientIx) -> Option<&Mailbox> {
    let recipient = envelope.recipients.get(usize::try_from(ix.0).ok()?)?;
    Some(&recipient.target)
}

fn life(leased: &Leased, ix: RecipientIx) -> Option<&Life> {
    leased.lives.get(usize::try_from(ix.0).ok()?)
}

fn length(stored: u64, received: u64) -> Result<(), Failure> {
    if stored == received {
        Ok(())
    } else {
        Err(Failure::Length { stored, received })
    }
}

async fn write_piece<D: Disk>(
    mut delivery: Delivery<D>,
    piece: Bytes,
) -> Result<Delivery<D>, Failure> {
    tasks::blocking(move || delivery.write(&piece).map(|()| delivery))
        .await
        .map_err(Failure::Mailbox)
}

/// Writes the last pieces and finishes, in one visit to the threads that may wait.
async fn write_all<D: Disk, const N: usize>(
    mut delivery: Delivery<D>,
    pieces: [Bytes; N],
) -> io::Result<()> {
    tasks::blocking(move || {
        for piece in &pieces {
            delivery.write(piece)?;
        }
        delivery.finish()
    })
    .await
}
