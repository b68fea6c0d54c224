//! Thinks a request through: what to write for it, and what is so once that is durable.

use std::sync::Arc;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_host::disk::Disk;
use postroad_queue::record::{self, Unknown};
use postroad_queue::{Amendment, Envelope, MessageState};
use postroad_reply::QueueId;
use postroad_store::{Settled, Trouble};

use crate::batch::{Batch, Effect, NewLease, Pending, Prepared, Reply};
use crate::committer::Committer;
use crate::frame::{BodyPlace, Key, Kind, Part};
use crate::line::{Accept, Request, Settle};
#[cfg(feature = "planted")]
use crate::options::{Options, Planted};
use crate::read;
use crate::staging::StagedBody;

impl<D: Disk> Committer<D> {
    /// Thinks a request through, on the ground of the index and of what the batch changes.
    pub(crate) fn prepare(&self, request: &Request, batch: &Batch) -> Result<Prepared, Trouble> {
        match request {
            Request::Accept(accept) => Ok(prepare_accept(accept)),
            Request::Settle(settle) => self.prepare_settle(settle, batch),
            Request::Amend(id, amendment, now, _) => {
                self.prepare_amend(*id, amendment, *now, batch)
            }
            Request::EndLease(id, token, _) => self.prepare_end_of_lease(*id, *token, batch),
        }
    }

    fn prepare_settle(&self, settle: &Settle, batch: &Batch) -> Result<Prepared, Trouble> {
        let id = settle.id;
        let gone = Settled {
            finished: true,
            notice: None,
        };
        let Some((envelope, mut state)) = self.newest(id, batch)? else {
            return Ok(nothing_to_write(Reply::Settled(gone)));
        };
        {
            let mut core = self.shared.core();
            if core.index.get(id).map(|entry| entry.token) != Some(settle.token) {
                return Err(Trouble::LeaseLost);
            }
            // The lease may have run out: from here on nobody else gets the message.
            core.changing.insert(id);
        }
        let mut changed = state.settle(&settle.outcomes, settle.now);
        let notice = settle
            .notice
            .as_ref()
            .filter(|_| state.notices_committed(settle.now));
        changed |= notice.is_some();
        let settled = Settled {
            finished: state.is_finished(),
            notice: notice.map(|(id, _, _)| *id),
        };
        if !changed {
            return Ok(nothing_to_write(Reply::Settled(settled)));
        }
        let mut prepared = change(id, envelope, state, Reply::Settled(settled));
        if let Some((id, envelope, body)) = notice {
            // In the same frame: either the marks are cleared and the notice is in the queue,
            // or neither. The change comes first, so that it is found without the notice's body.
            let (part, pieces, effect) = accepted(*id, envelope, body, None);
            prepared.parts.push((part, pieces));
            prepared.effects.push(effect);
            #[cfg(feature = "planted")]
            tear(&self.shared.options, &mut prepared);
        }
        Ok(prepared)
    }

    fn prepare_amend(
        &self,
        id: QueueId,
        amendment: &Amendment,
        now: UnixMs,
        batch: &Batch,
    ) -> Result<Prepared, Trouble> {
        let (envelope, mut state) = match self.newest(id, batch) {
            Ok(found) => found.ok_or(Trouble::Unknown(id))?,
            // What can't be read can still be taken out; its octets were set aside.
            Err(Trouble::Damaged(_)) if *amendment == Amendment::Delete => {
                return Ok(gone(id, Reply::Done));
            }
            Err(trouble) => return Err(trouble),
        };
        let leased = {
            let mut core = self.shared.core();
            core.changing.insert(id);
            // While a claim still reads the message, the lease is marked but has no slot yet.
            let until = core
                .leases
                .get(id)
                .map_or(UnixMs(u64::MAX), |slot| slot.until);
            core.index.get(id).is_some_and(|entry| entry.is_leased()) && until > now
        };
        if leased {
            state.amend_leased(amendment.clone(), now);
            return Ok(change(id, envelope, state, Reply::Done));
        }
        state.end_lease();
        state.amend(amendment.clone(), now);
        let mut prepared = change(id, envelope, state, Reply::Done);
        prepared.effects.push(Effect::EndLease { id });
        Ok(prepared)
    }

    pub(crate) fn prepare_end_of_lease(
        &self,
        id: QueueId,
        token: u64,
        batch: &Batch,
    ) -> Result<Prepared, Trouble> {
        let ours = self
            .shared
            .core()
            .index
            .get(id)
            .is_some_and(|entry| entry.is_leased() && entry.token == token);
        if !ours {
            return Ok(nothing_to_write(Reply::Done));
        }
        let Some((envelope, mut state)) = self.newest(id, batch)? else {
            return Ok(nothing_to_write(Reply::Done));
        };
        let mut prepared = if state.end_lease() {
            change(id, envelope, state, Reply::Done)
        } else {
            nothing_to_write(Reply::Done)
        };
        prepared.effects.push(Effect::EndLease { id });
        Ok(prepared)
    }

    /// Where a message stands: as this batch has it, else as its lease or the disk has it. None if
    /// it is gone.
    fn newest(
        &self,
        id: QueueId,
        batch: &Batch,
    ) -> Result<Option<(Arc<Envelope>, MessageState)>, Trouble> {
        match batch.pending(id) {
            Some(Pending::Gone) => return Ok(None),
            Some(Pending::State(envelope, state)) => {
                return Ok(Some((Arc::clone(envelope), state.clone())));
            }
            None => {}
        }
        {
            let core = self.shared.core();
            if let Some(slot) = core.leases.get(id) {
                return Ok(Some((Arc::clone(&slot.envelope), slot.state.clone())));
            }
        }
        let Some(located) = read::locate(&self.shared, id) else {
            return Ok(None);
        };
        match located.read() {
            Ok(stored) => Ok(Some((stored.envelope, stored.state))),
            Err(e) => Err(read::unreadable(&self.shared, id, e)),
        }
    }
}

/// What the index needs to know of a state: as it will be when its lease, if any, has ended.
pub(crate) fn key_of(envelope: &Envelope, state: &MessageState) -> Key {
    let due = |state: &MessageState| {
        state
            .due(envelope)
            .map(|due| (due.at, due.route.0.to_string()))
    };
    if state.waiting.is_empty() {
        return Key {
            due: due(state),
            held: state.held,
            waiting: false,
        };
    }
    let mut after = state.clone();
    after.end_lease();
    Key {
        due: due(&after),
        held: after.held,
        waiting: true,
    }
}

fn nothing_to_write(reply: Reply) -> Prepared {
    Prepared {
        parts: Vec::new(),
        effects: Vec::new(),
        reply,
    }
}

/// The planted faults that take a notice and its marks apart.
#[cfg(feature = "planted")]
fn tear(options: &Options, prepared: &mut Prepared) {
    if options.has(Planted::NoticeWithoutMarks) {
        prepared.parts.remove(0);
    }
    if options.has(Planted::MarksWithoutNotice) {
        prepared.parts.pop();
    }
}

/// A message's new state, which may be that it is gone.
fn change(id: QueueId, envelope: Arc<Envelope>, state: MessageState, reply: Reply) -> Prepared {
    if state.is_finished() {
        return gone(id, reply);
    }
    let key = key_of(&envelope, &state);
    let part = Part {
        kind: Kind::Changed,
        key: key.clone(),
        state: record::encode_state(&state),
        ..Part::done(id)
    };
    Prepared {
        parts: vec![(part, Vec::new())],
        effects: vec![Effect::Change {
            id,
            key,
            envelope,
            state,
        }],
        reply,
    }
}

fn gone(id: QueueId, reply: Reply) -> Prepared {
    Prepared {
        parts: vec![(Part::done(id), Vec::new())],
        effects: vec![Effect::Done { id }],
        reply,
    }
}

fn prepare_accept(accept: &Accept) -> Prepared {
    let (part, pieces, effect) = accepted(
        accept.id,
        &accept.envelope,
        &accept.body,
        Some(accept.until),
    );
    Prepared {
        parts: vec![(part, pieces)],
        effects: vec![effect],
        reply: Reply::Leased,
    }
}

/// A message that comes into the queue.
fn accepted(
    id: QueueId,
    envelope: &Arc<Envelope>,
    body: &StagedBody,
    lease_until: Option<UnixMs>,
) -> (Part, Vec<Bytes>, Effect) {
    let state = MessageState::new(envelope);
    let key = key_of(envelope, &state);
    let (place, body_len, pieces) = match body {
        StagedBody::Memory(octets) => {
            (BodyPlace::Inline, octets.len() as u64, vec![octets.clone()])
        }
        StagedBody::File { len, blocks } => (BodyPlace::File(blocks.clone()), *len, Vec::new()),
    };
    let part = Part {
        kind: Kind::Accepted,
        id,
        body: place,
        body_len,
        key: key.clone(),
        envelope: record::encode_envelope(envelope, &Unknown::default()),
        state: record::encode_state(&state),
    };
    let lease = lease_until.map(|until| NewLease {
        until,
        envelope: Arc::clone(envelope),
        state,
        fresh: pieces.first().cloned(),
    });
    let body_file = matches!(part.body, BodyPlace::File(_));
    (
        part,
        pieces,
        Effect::Put {
            id,
            key,
            body_file,
            lease,
        },
    )
}
