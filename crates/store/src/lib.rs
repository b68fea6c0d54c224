//! Is the one trait a queue store must satisfy, with its conformance suite and an in-memory model.
//!
//! The suite and the comparison with the model are behind the feature `conformance`, which tests
//! of a store switch on.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod memory;
#[cfg(feature = "conformance")]
pub mod model;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_queue::{Envelope, Life, Mark, MessageState, Outcome, RecipientIx, RouteKey};
use postroad_reply::{QueueId, Receipt, TransactionId};

pub use memory::MemoryStore;
pub use postroad_queue::Amendment;

/// What keeps the queue safe.
///
/// Every promise of the methods is tested by the module `conformance` against each store. A store begins
/// with no leases of its own: what it had leased when it was closed, or when the power went, is
/// claimable again. Other nodes that share the queue keep theirs.
///
/// What the suite can't test: dropping the future of a call half-way leaves the call done or not
/// done, never half.
pub trait QueueStore: Send + Sync + 'static {
    /// A message on its way in.
    type Staged: Staged;

    /// Begins a message and gives it its name, which is greater than all that this store gave
    /// before; where several nodes share a queue, than all that this node gave. Nothing of it is
    /// in the queue yet.
    fn stage(&self, now: UnixMs) -> impl Future<Output = Result<Self::Staged, Trouble>> + Send;

    /// Leases up to `claim.most` messages that are due, oldest due first and by id where that is
    /// equal, until `claim.until`. A leased message is given to nobody else before that.
    ///
    /// A message is due, and has its route, by [`MessageState::due`](postroad_queue::MessageState::due).
    /// A claim first ends the leases that have run out at `claim.now`.
    fn claim(&self, claim: Claim) -> impl Future<Output = Result<Vec<Leased>, Trouble>> + Send;

    /// Records what an attempt did, durably when it returns. Saying the same again changes
    /// nothing. When no recipient is pending and no notice is owed, the message is gone; to settle
    /// what is gone is to say the same again, so it is no error.
    ///
    /// With a notice, the notice is committed as a message of its own and the marks
    /// `Owed` of all its recipients become `Sent`, all in one atomic step. If none is `Owed` (it was
    /// said before), the notice isn't committed. The notice is not leased.
    ///
    /// A lease that has run out still settles if nobody has taken the message since; else it is
    /// [`Trouble::LeaseLost`] and nothing is recorded.
    fn settle(
        &self,
        lease: &Lease,
        outcomes: &[(RecipientIx, Outcome)],
        notice: Option<Notice>,
        now: UnixMs,
    ) -> impl Future<Output = Result<Settled, Trouble>> + Send;

    /// Ends a lease; what is pending is due again when its recipients say so. Of a message that is
    /// gone, or in other hands by now, there is nothing to release, and that is no error.
    fn release(&self, lease: Lease) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Moves a lease's end. [`Trouble::LeaseLost`] if the message is gone or in other hands; a lease
    /// that has run out is taken up again if nobody has taken the message since.
    fn renew(
        &self,
        lease: &mut Lease,
        until: UnixMs,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// What an operator does to a message, durable when it returns. Of a leased one it takes effect
    /// at its next settle or when the lease ends, whichever is first.
    fn amend(
        &self,
        id: QueueId,
        amendment: Amendment,
        now: UnixMs,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// A piece of the received octets from `offset` on, at most `most` of them; empty at the end.
    fn body(
        &self,
        id: QueueId,
        offset: u64,
        most: usize,
    ) -> impl Future<Output = Result<Bytes, Trouble>> + Send;

    /// What is queued, in the order of ids, from the one after `cursor`.
    fn page(
        &self,
        cursor: Option<QueueId>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, Trouble>> + Send;

    /// The one message of that name: [`Trouble::Unknown`] if there is none.
    ///
    /// It is a page of one, which no store has to search for.
    fn show(&self, id: QueueId) -> impl Future<Output = Result<Entry, Trouble>> + Send {
        let before = id.0.checked_sub(1).map(QueueId);
        let page = self.page(before, 1);
        async move {
            let entry = page.await?.pop().filter(|entry| entry.id == id);
            entry.ok_or(Trouble::Unknown(id))
        }
    }

    /// Whether there is room. Cheap, and it never waits: asked at each greeting and each MAIL.
    fn pressure(&self) -> Pressure;
}

/// A message on its way in. Dropped without a commit, nothing of it is kept.
pub trait Staged: fmt::Debug + Send + 'static {
    /// Its name from now on.
    fn queue_id(&self) -> QueueId;

    /// Takes the next received octets.
    fn append(&mut self, octets: Bytes) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Makes the message durable, octets, envelope and directory entries, and leases it to the
    /// caller until `until`. Call [`commit`], which also mints the receipt.
    fn commit_durably(
        self,
        envelope: Arc<Envelope>,
        until: UnixMs,
    ) -> impl Future<Output = Result<Leased, Trouble>> + Send;
}

/// Makes a staged message durable and says so: the one place where a receipt is minted.
pub async fn commit<S: Staged>(
    staged: S,
    transaction: TransactionId,
    envelope: Arc<Envelope>,
    until: UnixMs,
) -> Result<(Receipt, Leased), Trouble> {
    let leased = staged.commit_durably(envelope, until).await?;
    #[expect(clippy::disallowed_methods, reason = "the commit has just succeeded")]
    let receipt = Receipt::mint(transaction, leased.lease.id);
    Ok((receipt, leased))
}

/// The right to deliver one message, held by one owner until it ends.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lease that is dropped keeps its message waiting until the lease runs out"]
pub struct Lease {
    /// The message.
    pub id: QueueId,
    /// Tells this lease from earlier ones of the same message.
    pub token: u64,
    /// When it ends by itself.
    pub until: UnixMs,
}

/// What a settle has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The message is gone: nothing is owed for it any more.
    pub finished: bool,
    /// The name of the notice, if one was committed.
    pub notice: Option<QueueId>,
}

/// A leased message and all that a delivery needs to know of it.
#[derive(Debug)]
pub struct Leased {
    /// The right to deliver it.
    pub lease: Lease,
    /// What came with it.
    pub envelope: Arc<Envelope>,
    /// Where each recipient stands, in the envelope's order.
    pub lives: Vec<Life>,
    /// What has become of the notice about aliases that stand for several recipients.
    pub expanded: Mark,
    /// By which route an operator sends what is pending, instead of the recipients' own.
    pub redirect: Option<RouteKey>,
    /// The received octets, where they are fresh and still in memory.
    pub fresh: Option<Bytes>,
}

/// What to lease.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The present.
    pub now: UnixMs,
    /// When the leases end.
    pub until: UnixMs,
    /// At most so many messages.
    pub most: usize,
    /// At most so many of one route.
    pub per_route: usize,
    /// Routes to leave alone: a message whose next work is for one of them is not leased.
    pub skip: Vec<RouteKey>,
}

/// A notice to be committed with the marks it answers.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Its own envelope.
    pub envelope: Arc<Envelope>,
    /// Its octets.
    pub octets: Bytes,
}

/// One queued message as a listing shows it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub id: QueueId,
    /// What came with it.
    pub envelope: Arc<Envelope>,
    /// Where it stands, and how it got there.
    pub state: MessageState,
    /// Until when it is leased, which is being delivered; a lease that has run out may still show.
    pub leased: Option<UnixMs>,
}

/// Whether a store has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// It has.
    None,
    /// Not for more messages now (452 4.3.1); what is queued goes on.
    Full,
    /// Nothing can be written (421 4.3.0); nothing is claimed either.
    ReadOnly,
}

/// Why a store could not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No room (ENOSPC, EDQUOT, or below the floor): 452.
    Full,
    /// A read, write or sync failed: 451. The words are for the log, not for the peer.
    Failed(String),
    /// The store takes no writes until it is looked after.
    ReadOnly,
    /// The lease has ended and the message may be somebody else's.
    LeaseLost,
    /// No such message.
    Unknown(QueueId),
    /// What is on disk of the message is damaged; it has been set aside.
    Damaged(QueueId),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Full => f.write_str("the spool has no room"),
            Trouble::Failed(what) => write!(f, "the spool failed: {what}"),
            Trouble::ReadOnly => f.write_str("the spool is read-only"),
            Trouble::LeaseLost => f.write_str("the lease has ended"),
            Trouble::Unknown(id) => write!(f, "no message {id}"),
            Trouble::Damaged(id) => write!(f, "message {id} is damaged on disk"),
        }
    }
}

impl std::error::Error for Trouble {}
