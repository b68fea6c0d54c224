//! What is written with one write and one sync: frames, what they will mean, who is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_host::disk::Disk;
use postroad_host::tasks::Home;
use postroad_queue::{Envelope, MessageState};
use postroad_reply::QueueId;
use postroad_store::{Leased, Settled, Trouble};

use crate::committer::Purpose;
use crate::frame::{BodyPlace, Key, Part};
use crate::index::{Held, Place};
use crate::leases::Slot;
use crate::line::{Queued, Request};
use crate::segment::SegmentNo;
use crate::shared::{Core, Shared};
use crate::staging::StagedBody;

/// A request that is thought through: what to write for it, and what is so once that is durable.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The parts of its frame, each with its inline body; none if nothing has to be written.
    pub(crate) parts: Vec<(Part, Vec<Bytes>)>,
    /// What is so then.
    pub(crate) effects: Vec<Effect>,
    /// What is answered then.
    pub(crate) reply: Reply,
}

/// What a durable frame means for what is in memory.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A message is in the queue. With a lease if it was accepted for somebody.
    Put {
        id: QueueId,
        key: Key,
        body_file: bool,
        lease: Option<NewLease>,
    },
    /// A message's state is another one.
    Change {
        id: QueueId,
        key: Key,
        envelope: Arc<Envelope>,
        state: MessageState,
    },
    /// A message is gone.
    Done { id: QueueId },
    /// A message was copied forward.
    Move {
        id: QueueId,
        key: Key,
        body_file: bool,
    },
    /// Nobody has a message any more.
    EndLease { id: QueueId },
}

/// The lease a fresh message is born with.
#[derive(Debug)]
pub(crate) struct NewLease {
    pub(crate) until: UnixMs,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) state: MessageState,
    pub(crate) fresh: Option<Bytes>,
}

/// What is answered once the batch is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The lease that an effect makes.
    Leased,
    /// This.
    Settled(Settled),
    /// That it is done.
    Done,
}

/// What a batch has made of a message, before the index shows it.
#[derive(Debug, Clone)]
pub(crate) enum Pending {
    State(Arc<Envelope>, MessageState),
    Gone,
}

/// Frames to be written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Where it starts in the current segment.
    pub(crate) start: u64,
    /// The frames.
    pub(crate) octets: Vec<u8>,
    /// A frame needs a body file, whose name must be durable first.
    pub(crate) has_body_file: bool,
    noted: Vec<Noted>,
    pending: BTreeMap<QueueId, Pending>,
}

#[derive(Debug)]
struct Noted {
    at: Held,
    effects: Vec<Effect>,
    reply: Reply,
    /// None for what the committer wants itself.
    queued: Option<Queued>,
}

impl Prepared {
    /// Whether it may use the reserve: what takes mail in may not.
    pub(crate) fn purpose(&self) -> Purpose {
        match self.reply {
            Reply::Leased => Purpose::Accept,
            Reply::Settled(_) | Reply::Done => Purpose::Upkeep,
        }
    }
}

impl Batch {
    /// An empty batch, to be written at `start` of the current segment, with this room for its octets.
    pub(crate) fn at(start: u64, room: Vec<u8>) -> Batch {
        Batch {
            start,
            octets: room,
            ..Batch::default()
        }
    }

    /// Whether there is nothing in it, not even somebody to answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// What the batch has made of a message so far.
    pub(crate) fn pending(&self, id: QueueId) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// Notes what was encoded at `offset`.
    pub(crate) fn note(
        &mut self,
        prepared: Prepared,
        segment: SegmentNo,
        offset: u32,
        queued: Option<Queued>,
    ) {
        let len = prepared.frame_len() as u32;
        self.has_body_file |= prepared
            .parts
            .iter()
            .any(|(part, _)| matches!(part.body, BodyPlace::File(_)));
        for effect in &prepared.effects {
            match effect {
                Effect::Change {
                    id,
                    envelope,
                    state,
                    ..
                } => {
                    let pending = Pending::State(Arc::clone(envelope), state.clone());
                    self.pending.insert(*id, pending);
                }
                Effect::Done { id } => {
                    self.pending.insert(*id, Pending::Gone);
                }
                Effect::Put { .. } | Effect::Move { .. } | Effect::EndLease { .. } => {}
            }
        }
        self.noted.push(Noted {
            at: Held {
                place: Place { segment, offset },
                len,
            },
            effects: prepared.effects,
            reply: prepared.reply,
            queued,
        });
    }

    /// The batch is durable: memory follows, and all who wait are answered.
    pub(crate) fn apply<D: Disk>(&mut self, shared: &Arc<Shared<D>>) {
        let mut answers: Vec<(Home, Vec<Answer>)> = Vec::new();
        {
            let mut core = shared.core();
            for noted in self.noted.drain(..) {
                let mut leased = None;
                for effect in noted.effects {
                    leased = core.apply(shared, effect, noted.at).or(leased);
                }
                let Some(queued) = noted.queued else { continue };
                let of_home = match answers.iter().position(|(home, _)| home.is(&queued.home)) {
                    Some(place) => place,
                    None => {
                        answers.push((queued.home.clone(), Vec::new()));
                        answers.len() - 1
                    }
                };
                answers[of_home].1.push(Answer {
                    queued,
                    reply: noted.reply,
                    leased,
                });
            }
            core.changing.clear();
        }
        // Askers are answered on their own thread: it is woken once for all of them, and this one goes on
        // with the next batch.
        for (home, answers) in answers {
            let shared = Arc::clone(shared);
            home.run(move || answers.into_iter().for_each(|answer| answer.give(&shared)));
        }
    }

    /// The batch is void: all who wait are told, and memory stays as it was. Body files go only if
    /// it is `gone` for good.
    pub(crate) fn fail<D: Disk>(self, shared: &Shared<D>, trouble: &Trouble, gone: bool) {
        shared.core().changing.clear();
        for queued in self.noted.into_iter().filter_map(|noted| noted.queued) {
            if gone {
                remove_bodies(shared, &queued.request);
            }
            queued.request.refuse(again(trouble));
        }
    }
}

impl<F> Core<F> {
    fn apply<D: Disk<File = F>>(
        &mut self,
        shared: &Shared<D>,
        effect: Effect,
        at: Held,
    ) -> Option<Leased> {
        match effect {
            Effect::Put {
                id,
                key,
                body_file,
                lease,
            } => {
                self.index.put(id, at, body_file, &key);
                return lease.map(|new| self.lease(id, new));
            }
            Effect::Change { id, key, state, .. } => {
                self.index.change(id, at, &key);
                self.leases.set_state(id, state);
            }
            Effect::Done { id } => {
                self.leases.end(id);
                if self
                    .index
                    .remove(id)
                    .is_some_and(|entry| entry.has_body_file())
                {
                    // Its record is ended durably: the file is nobody's.
                    shared.chores.remove_body(id);
                }
            }
            Effect::Move { id, key, body_file } => {
                if self.index.get(id).is_some() {
                    self.index.put(id, at, body_file, &key);
                }
            }
            Effect::EndLease { id } => {
                self.leases.end(id);
                self.index.set_leased(id, None);
            }
        }
        None
    }

    fn lease(&mut self, id: QueueId, new: NewLease) -> Leased {
        let token = self.leases.next_token();
        self.index.set_leased(id, Some(token));
        Leased {
            lives: new.state.lives.clone(),
            expanded: new.state.expanded,
            redirect: new.state.redirect.clone(),
            envelope: Arc::clone(&new.envelope),
            fresh: new.fresh,
            lease: self.leases.begin(
                id,
                Slot {
                    token,
                    until: new.until,
                    envelope: new.envelope,
                    state: new.state,
                },
            ),
        }
    }
}

/// What one who waits is told.
#[derive(Debug)]
struct Answer {
    queued: Queued,
    reply: Reply,
    leased: Option<Leased>,
}

impl Answer {
    fn give<D: Disk>(self, shared: &Shared<D>) {
        match (self.queued.request, self.reply, self.leased) {
            (Request::Accept(accept), Reply::Leased, Some(leased)) => {
                let id = accept.id;
                if let Err(Ok(leased)) = accept.answer.send(Ok(leased)) {
                    // Who asked has gone, so nobody has the lease: the message is due for all.
                    let mut core = shared.core();
                    let slot = core.leases.get(id);
                    if slot.is_some_and(|slot| slot.token == leased.lease.token) {
                        core.leases.end(id);
                        core.index.set_leased(id, None);
                    }
                }
            }
            (Request::Settle(settle), Reply::Settled(settled), _) => {
                if settled.notice.is_none()
                    && let Some((id, _, StagedBody::File { .. })) = settle.notice
                {
                    shared.chores.remove_body(id);
                }
                // Who asked may have gone; it is settled all the same.
                drop(settle.answer.send(Ok(settled)));
            }
            (Request::Amend(.., answer) | Request::EndLease(.., answer), _, _) => {
                drop(answer.send(Ok(())));
            }
            // `prepare` gives each request the reply of its kind.
            (request, _, _) => {
                request.refuse(Trouble::Failed("the reply is of another kind".into()));
            }
        }
    }
}

/// Removes the body files that came with a request that is refused.
pub(crate) fn remove_bodies<D: Disk>(shared: &Shared<D>, request: &Request) {
    let file = match request {
        Request::Accept(accept) => Some((accept.id, &accept.body)),
        Request::Settle(settle) => settle.notice.as_ref().map(|(id, _, body)| (*id, body)),
        Request::Amend(..) | Request::EndLease(..) => None,
    };
    if let Some((id, StagedBody::File { .. })) = file {
        shared.chores.remove_body(id);
    }
}

/// The same trouble, for the next one who waits.
fn again(trouble: &Trouble) -> Trouble {
    match trouble {
        Trouble::Full => Trouble::Full,
        Trouble::Failed(why) => Trouble::Failed(why.clone()),
        Trouble::ReadOnly => Trouble::ReadOnly,
        Trouble::LeaseLost => Trouble::LeaseLost,
        Trouble::Unknown(id) => Trouble::Unknown(*id),
        Trouble::Damaged(id) => Trouble::Damaged(*id),
    }
}
