//! The asking side: what sessions, scheduler and operators call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_host::disk::Disk;
use postroad_host::tasks;
use postroad_queue::{Amendment, Outcome, RecipientIx};
use postroad_reply::QueueId;
use postroad_store::{Claim, Entry, Lease, Leased, Notice, Pressure, QueueStore, Settled, Trouble};
use tokio::sync::oneshot;

use crate::damage::Report;
use crate::frame::BodyPlace;
use crate::leases::Slot;
use crate::line::{self, Answer, Request, Settle};
use crate::read::{self, Located, ReadError, Stored};
use crate::shared::{Core, Shared};
use crate::staging::SpoolStaged;

/// The queue on the local disk. Clones ask the same spool.
#[derive(Debug)]
pub struct Spool<D: Disk> {
    shared: Arc<Shared<D>>,
}

impl<D: Disk> Clone for Spool<D> {
    fn clone(&self) -> Spool<D> {
        Spool {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<D: Disk> Spool<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>) -> Spool<D> {
        Spool { shared }
    }

    /// Takes the reports since the last call, oldest first.
    pub fn take_reports(&self) -> Vec<Report> {
        self.shared.take_reports()
    }

    /// No more requests are taken. What waits is served; then the committer writes a checkpoint and
    /// its `run` returns, and the housekeeper's after it.
    pub fn close(&self) {
        self.shared.line.close();
    }

    /// How many messages are in the queue.
    pub fn len(&self) -> usize {
        self.shared.core().index.len()
    }

    /// Changes how many octets of bodies may be in memory ([`Options::fresh_memory`]) from now on.
    ///
    /// [`Options::fresh_memory`]: crate::Options::fresh_memory
    pub fn set_fresh_memory(&self, octets: usize) {
        self.shared.budget.resize(octets);
    }

    /// How many segments the log has, free ones included.
    pub fn segments(&self) -> usize {
        let core = self.shared.core();
        core.log.segments.len() + core.log.free.len()
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for room in the line, joins it and waits for the answer.
    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, Trouble> {
        let permit = self.shared.line.room().await?;
        let (answer, answered) = oneshot::channel();
        self.shared.line.join(request(answer), permit);
        answered.await.map_err(|_| line::closed())?
    }

    fn writable(&self) -> Result<(), Trouble> {
        match self.shared.pressure() {
            Pressure::ReadOnly => Err(Trouble::ReadOnly),
            Pressure::None | Pressure::Full => Ok(()),
        }
    }

    fn next_id(&self, now: UnixMs) -> QueueId {
        let mut core = self.shared.core();
        let id = core.ids.make(now);
        core.last_id = core.last_id.max(id.0);
        id
    }

    /// Ends the leases that have run out; those whose messages an operator's word waits for, durably.
    async fn end_run_out(&self, now: UnixMs) -> Result<(), Trouble> {
        let mut waiting = Vec::new();
        {
            let mut core = self.shared.core();
            for (id, token) in core.leases.run_out(now) {
                if core.index.get(id).is_some_and(|entry| entry.is_waiting()) {
                    waiting.push((id, token));
                } else {
                    core.leases.end(id);
                    core.index.set_leased(id, None);
                }
            }
        }
        for (id, token) in waiting {
            self.ask(|answer| Request::EndLease(id, token, answer))
                .await?;
        }
        Ok(())
    }

    /// Reads messages as they are now.
    async fn read_all(&self, ids: Vec<QueueId>) -> Vec<(QueueId, Result<Read<D>, ReadError>)> {
        let shared = Arc::clone(&self.shared);
        tasks::blocking(move || {
            ids.into_iter()
                .filter_map(|id| Some((id, read::locate(&shared, id)?)))
                .map(|(id, located)| (id, located.read().map(|stored| (located, stored))))
                .collect()
        })
        .await
    }

    /// Sets aside what can't be read, which takes a write and a sync.
    async fn unreadable(&self, id: QueueId, error: ReadError) -> Trouble {
        let shared = Arc::clone(&self.shared);
        tasks::blocking(move || read::unreadable(&shared, id, error)).await
    }

    /// Reads the envelopes and states of messages that are marked as leased, and makes the leases
    /// whole. What was changed while it was read is read again.
    async fn begin_leases(&self, mut marked: Marked<D>, until: UnixMs) -> Vec<Leased> {
        let mut leased = Vec::new();
        while !marked.tokens.is_empty() {
            for (id, read) in self.read_all(marked.tokens.keys().copied().collect()).await {
                match read {
                    Ok((located, stored)) => {
                        let mut core = self.shared.core();
                        if located.is_current(&core)
                            && let Some(token) = marked.tokens.remove(&id)
                        {
                            leased.push(begin_lease(&mut core, id, token, until, stored));
                        }
                    }
                    Err(e) => {
                        marked.give_back(id);
                        drop(self.unreadable(id, e).await);
                    }
                }
            }
            // What is not in the queue any more was not read either.
            marked.forget_gone();
        }
        leased
    }

    /// Stages a notice as any message is staged, so that a large one goes to a file.
    async fn stage_notice(
        &self,
        notice: Notice,
        now: UnixMs,
    ) -> Result<(SpoolStaged<D>, Notice, crate::staging::StagedBody), Trouble> {
        let mut staged = SpoolStaged::new(Arc::clone(&self.shared), self.next_id(now));
        staged.take(notice.octets.clone()).await?;
        let body = staged.finish().await?;
        Ok((staged, notice, body))
    }

    /// What a listing shows of these messages, without those that are gone or can't be read.
    async fn entries(&self, ids: Vec<QueueId>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (id, stored) in self.read_all(ids).await {
            match stored {
                Ok((_, stored)) => entries.push(self.entry(id, stored)),
                // It was settled while it was read.
                Err(_) if self.shared.core().index.get(id).is_none() => {}
                Err(e) => drop(self.unreadable(id, e).await),
            }
        }
        entries
    }

    fn entry(&self, id: QueueId, stored: Stored) -> Entry {
        Entry {
            id,
            envelope: stored.envelope,
            state: stored.state,
            leased: self.shared.core().leases.get(id).map(|slot| slot.until),
        }
    }
}

impl<D: Disk> QueueStore for Spool<D> {
    type Staged = SpoolStaged<D>;

    async fn stage(&self, now: UnixMs) -> Result<SpoolStaged<D>, Trouble> {
        match self.shared.pressure() {
            Pressure::ReadOnly => return Err(Trouble::ReadOnly),
            Pressure::Full => return Err(Trouble::Full),
            Pressure::None => {}
        }
        Ok(SpoolStaged::new(
            Arc::clone(&self.shared),
            self.next_id(now),
        ))
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Leased>, Trouble> {
        // What can't be settled must not be delivered.
        self.writable()?;
        self.end_run_out(claim.now).await?;
        let skip: BTreeSet<&str> = claim.skip.iter().map(|route| &*route.0).collect();
        let mut marked = Marked {
            shared: Arc::clone(&self.shared),
            tokens: BTreeMap::new(),
        };
        let order = {
            let mut core = self.shared.core();
            let mut ids = core
                .index
                .due(claim.now, claim.most, claim.per_route, &skip);
            ids.retain(|id| !core.changing.contains(id));
            for id in &ids {
                // Marked at once, so that no other claim chooses it while its envelope is read.
                let token = core.leases.next_token();
                core.index.set_leased(*id, Some(token));
                marked.tokens.insert(*id, token);
            }
            ids
        };
        let mut leased = self.begin_leases(marked, claim.until).await;
        leased.sort_by_key(|leased| order.iter().position(|id| *id == leased.lease.id));
        Ok(leased)
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcomes: &[(RecipientIx, Outcome)],
        notice: Option<Notice>,
        now: UnixMs,
    ) -> Result<Settled, Trouble> {
        let notice = match notice {
            Some(notice) => Some(self.stage_notice(notice, now).await?),
            None => None,
        };
        let permit = self.shared.line.room().await?;
        let (answer, answered) = oneshot::channel();
        let notice = notice.map(|(staged, notice, body)| {
            let id = postroad_store::Staged::queue_id(&staged);
            // From here on the committer removes the body file if the notice isn't committed.
            staged.hand_over();
            (id, notice.envelope, body)
        });
        let settle = Settle {
            id: lease.id,
            token: lease.token,
            outcomes: outcomes.to_vec(),
            notice,
            now,
            answer,
        };
        self.shared.line.join(Request::Settle(settle), permit);
        answered.await.map_err(|_| line::closed())?
    }

    async fn release(&self, lease: Lease) -> Result<(), Trouble> {
        {
            let mut core = self.shared.core();
            let Some(slot) = core.leases.get(lease.id) else {
                return Ok(());
            };
            if slot.token != lease.token {
                return Ok(());
            }
            if !core
                .index
                .get(lease.id)
                .is_some_and(|entry| entry.is_waiting())
            {
                core.leases.end(lease.id);
                core.index.set_leased(lease.id, None);
                return Ok(());
            }
        }
        self.ask(|answer| Request::EndLease(lease.id, lease.token, answer))
            .await
    }

    async fn renew(&self, lease: &mut Lease, until: UnixMs) -> Result<(), Trouble> {
        let mut marked = Marked {
            shared: Arc::clone(&self.shared),
            tokens: BTreeMap::new(),
        };
        {
            let mut core = self.shared.core();
            let entry = core.index.get(lease.id);
            if entry.is_none_or(|entry| entry.token != lease.token) {
                return Err(Trouble::LeaseLost);
            }
            if core.leases.get(lease.id).is_some() {
                core.leases.renew(lease.id, until);
                lease.until = until;
                return Ok(());
            }
            // It had run out, and nobody has taken the message since.
            core.index.set_leased(lease.id, Some(lease.token));
            marked.tokens.insert(lease.id, lease.token);
        }
        let renewed = self.begin_leases(marked, until).await.pop();
        *lease = renewed.ok_or(Trouble::LeaseLost)?.lease;
        Ok(())
    }

    async fn amend(&self, id: QueueId, amendment: Amendment, now: UnixMs) -> Result<(), Trouble> {
        self.ask(|answer| Request::Amend(id, amendment, now, answer))
            .await
    }

    async fn body(&self, id: QueueId, offset: u64, most: usize) -> Result<Bytes, Trouble> {
        let located = read::locate(&self.shared, id).ok_or(Trouble::Unknown(id))?;
        // What was written a while ago lies in memory as a rule, and to have another thread read it takes many
        // times as long as to read it.
        if let Some(body) = located.inline_at_once() {
            return Ok(piece(&body, offset, most));
        }
        let shared = Arc::clone(&self.shared);
        let read = tasks::blocking(move || {
            let head = located.read_head()?;
            match head.part.body {
                BodyPlace::File(_) => read::read_body_file(&shared, &head, offset, most),
                BodyPlace::None | BodyPlace::Inline => {
                    let body = located.read_inline(&head)?;
                    Ok(piece(&body, offset, most))
                }
            }
        })
        .await;
        match read {
            Ok(octets) => Ok(octets),
            // It may have been settled while it was read, and its file is gone.
            Err(_) if self.shared.core().index.get(id).is_none() => Err(Trouble::Unknown(id)),
            Err(e) => Err(self.unreadable(id, e).await),
        }
    }

    async fn page(&self, mut cursor: Option<QueueId>, most: usize) -> Result<Vec<Entry>, Trouble> {
        loop {
            let ids: Vec<QueueId> = {
                let core = self.shared.core();
                let after = core.index.after(cursor).take(most);
                after.map(|(id, _)| id).collect()
            };
            let Some(last) = ids.last().copied() else {
                return Ok(Vec::new());
            };
            let entries = self.entries(ids).await;
            // An empty page means the end: messages that can't be read must not look like one.
            if !entries.is_empty() {
                return Ok(entries);
            }
            cursor = Some(last);
        }
    }

    async fn show(&self, id: QueueId) -> Result<Entry, Trouble> {
        match self.read_all(vec![id]).await.pop() {
            Some((_, Ok((_, stored)))) => Ok(self.entry(id, stored)),
            // It was settled while it was read, or never there.
            _ if self.shared.core().index.get(id).is_none() => Err(Trouble::Unknown(id)),
            Some((_, Err(e))) => Err(self.unreadable(id, e).await),
            // A segment of its is gone, for it has just been copied forward or ended.
            None => Err(Trouble::Unknown(id)),
        }
    }

    fn pressure(&self) -> Pressure {
        self.shared.pressure()
    }
}

/// A message that was read, and where.
type Read<D> = (Located<<D as Disk>::File>, Stored);

/// At most `most` octets of a body, from `offset` on.
fn piece(body: &Bytes, offset: u64, most: usize) -> Bytes {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let from = offset.min(body.len());
    let to = from.saturating_add(most).min(body.len());
    body.slice(from..to)
}

/// Messages marked as leased whose leases are not whole yet. Dropped, they are free again.
struct Marked<D: Disk> {
    shared: Arc<Shared<D>>,
    tokens: BTreeMap<QueueId, u64>,
}

impl<D: Disk> Marked<D> {
    fn give_back(&mut self, id: QueueId) {
        if let Some(token) = self.tokens.remove(&id) {
            let mut core = self.shared.core();
            if core.index.get(id).is_some_and(|entry| entry.token == token) {
                core.index.set_leased(id, None);
            }
        }
    }

    fn forget_gone(&mut self) {
        let core = self.shared.core();
        self.tokens.retain(|id, _| core.index.get(*id).is_some());
    }
}

impl<D: Disk> Drop for Marked<D> {
    fn drop(&mut self) {
        while let Some(id) = self.tokens.keys().next().copied() {
            self.give_back(id);
        }
    }
}

fn begin_lease<F>(
    core: &mut Core<F>,
    id: QueueId,
    token: u64,
    until: UnixMs,
    stored: Stored,
) -> Leased {
    let slot = Slot {
        token,
        until,
        envelope: Arc::clone(&stored.envelope),
        state: stored.state.clone(),
    };
    Leased {
        lease: core.leases.begin(id, slot),
        envelope: stored.envelope,
        lives: stored.state.lives,
        expanded: stored.state.expanded,
        redirect: stored.state.redirect,
        fresh: None,
    }
}
