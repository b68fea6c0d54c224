//! The asking side: what sessions, scheduler and operators call.

use std::collections::BTreeSet;
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
use crate::shared::Shared;
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
            for id in core.leases.run_out(now) {
                let token = core.leases.get(id).map_or(0, |slot| slot.token);
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

    /// Leases a message that was chosen, if it still may be.
    fn lease(&self, id: QueueId, stored: Stored, claim: &Claim) -> Option<Leased> {
        let mut core = self.shared.core();
        let entry = core.index.get(id)?;
        let due = core
            .index
            .key(entry)
            .due
            .is_some_and(|(due, _)| due <= claim.now);
        if entry.is_leased() || entry.is_damaged() || !due {
            return None;
        }
        let token = core.leases.next_token();
        core.index.set_leased(id, Some(token));
        let slot = Slot {
            token,
            until: claim.until,
            envelope: Arc::clone(&stored.envelope),
            state: stored.state.clone(),
        };
        Some(Leased {
            lease: core.leases.begin(id, slot),
            envelope: stored.envelope,
            lives: stored.state.lives,
            redirect: stored.state.redirect,
            fresh: None,
        })
    }

    async fn read_all(
        &self,
        located: Vec<Located<D::File>>,
    ) -> Vec<(QueueId, Result<Stored, ReadError>)> {
        tasks::blocking(move || {
            located
                .into_iter()
                .map(|located| (located.id, located.read()))
                .collect()
        })
        .await
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
        let ids = {
            let core = self.shared.core();
            core.index
                .due(claim.now, claim.most, claim.per_route, &skip)
        };
        let located = ids
            .iter()
            .filter_map(|id| read::locate(&self.shared, *id))
            .collect();
        let mut leased = Vec::new();
        for (id, stored) in self.read_all(located).await {
            match stored {
                Ok(stored) => leased.extend(self.lease(id, stored, &claim)),
                Err(e) => drop(read::unreadable(&self.shared, id, e)),
            }
        }
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
        let located = {
            let mut core = self.shared.core();
            let ours = core
                .index
                .get(lease.id)
                .is_some_and(|e| e.token == lease.token);
            if !ours {
                return Err(Trouble::LeaseLost);
            }
            if core.leases.get(lease.id).is_some() {
                core.leases.renew(lease.id, until);
                lease.until = until;
                return Ok(());
            }
            drop(core);
            read::locate(&self.shared, lease.id).ok_or(Trouble::LeaseLost)?
        };
        // It had run out, and nobody has taken the message since.
        for (id, stored) in self.read_all(vec![located]).await {
            let stored = stored.map_err(|e| read::unreadable(&self.shared, id, e))?;
            let mut core = self.shared.core();
            let free = core
                .index
                .get(id)
                .is_some_and(|e| e.token == lease.token && !e.is_leased());
            if !free {
                return Err(Trouble::LeaseLost);
            }
            core.index.set_leased(id, Some(lease.token));
            let (token, envelope, state) = (lease.token, stored.envelope, stored.state);
            *lease = core.leases.begin(
                id,
                Slot {
                    token,
                    until,
                    envelope,
                    state,
                },
            );
        }
        Ok(())
    }

    async fn amend(&self, id: QueueId, amendment: Amendment, now: UnixMs) -> Result<(), Trouble> {
        self.ask(|answer| Request::Amend(id, amendment, now, answer))
            .await
    }

    async fn body(&self, id: QueueId, offset: u64, most: usize) -> Result<Bytes, Trouble> {
        let located = read::locate(&self.shared, id).ok_or(Trouble::Unknown(id))?;
        let shared = Arc::clone(&self.shared);
        let read = tasks::blocking(move || {
            let head = located.read_head()?;
            match head.part.body {
                BodyPlace::File(_) => read::read_body_file(&shared, &head, offset, most),
                BodyPlace::None | BodyPlace::Inline => {
                    let body = located.read_inline(&head)?;
                    let from = usize::try_from(offset)
                        .unwrap_or(usize::MAX)
                        .min(body.len());
                    let to = from.saturating_add(most).min(body.len());
                    Ok(body.slice(from..to))
                }
            }
        })
        .await;
        match read {
            Ok(octets) => Ok(octets),
            // It may have been settled while it was read, and its file is gone.
            Err(_) if self.shared.core().index.get(id).is_none() => Err(Trouble::Unknown(id)),
            Err(e) => Err(read::unreadable(&self.shared, id, e)),
        }
    }

    async fn page(&self, cursor: Option<QueueId>, most: usize) -> Result<Vec<Entry>, Trouble> {
        let ids: Vec<QueueId> = {
            let core = self.shared.core();
            core.index
                .after(cursor)
                .take(most)
                .map(|(id, _)| id)
                .collect()
        };
        let located = ids
            .iter()
            .filter_map(|id| read::locate(&self.shared, *id))
            .collect();
        let mut entries = Vec::new();
        for (id, stored) in self.read_all(located).await {
            match stored {
                Ok(Stored {
                    envelope, state, ..
                }) => entries.push(Entry {
                    id,
                    envelope,
                    lives: state.lives,
                    held: state.held,
                    redirect: state.redirect,
                    leased: self.shared.core().leases.get(id).map(|slot| slot.until),
                }),
                // It was settled while it was read.
                Err(_) if self.shared.core().index.get(id).is_none() => {}
                Err(e) => drop(read::unreadable(&self.shared, id, e)),
            }
        }
        Ok(entries)
    }

    fn pressure(&self) -> Pressure {
        self.shared.pressure()
    }
}
