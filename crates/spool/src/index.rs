//! What is in the queue and where on disk, in at most 200 octets a message.
//!
//! Envelopes, states and bodies stay on disk; only a leased message has its envelope and state in
//! memory (see [`crate::leases`]). Every change here follows a sync of what it says.

use std::collections::{BTreeMap, BTreeSet};

use postroad_clock::UnixMs;
use postroad_reply::QueueId;

use crate::frame::Key;
use crate::routes::Routes;
use crate::segment::SegmentNo;

/// Where a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// In which segment.
    pub(crate) segment: SegmentNo,
    /// At which octet of it.
    pub(crate) offset: u32,
}

/// A frame that an entry needs, and how many octets of it count as the entry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Where it is.
    pub(crate) place: Place,
    /// How many octets.
    pub(crate) len: u32,
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// The `accepted` or `merged` frame: envelope and body.
    pub(crate) base: Held,
    /// The newest `changed` frame, where the state has changed since; length 0 if none.
    change: Held,
    due: u64,
    /// The last lease's; 0 before the first since the start.
    pub(crate) token: u64,
    route: u32,
    flags: u8,
}

const HELD: u8 = 1;
const WAITING: u8 = 2;
const LEASED: u8 = 4;
const DAMAGED: u8 = 8;
const BODY_FILE: u8 = 16;
const DUE: u8 = 32;

impl Entry {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on {
            self.flags | flag
        } else {
            self.flags & !flag
        };
    }

    /// The newest frame with its state, if that isn't the base.
    pub(crate) fn change(&self) -> Option<Held> {
        (self.change.len > 0).then_some(self.change)
    }

    /// Kept back by an operator.
    pub(crate) fn is_held(&self) -> bool {
        self.has(HELD)
    }

    /// An operator's word waits for the end of its lease.
    pub(crate) fn is_waiting(&self) -> bool {
        self.has(WAITING)
    }

    /// Somebody has it.
    pub(crate) fn is_leased(&self) -> bool {
        self.has(LEASED)
    }

    /// Its octets can't be read: it is not claimed any more in this run.
    pub(crate) fn is_damaged(&self) -> bool {
        self.has(DAMAGED)
    }

    /// Its body is a file of its own.
    pub(crate) fn has_body_file(&self) -> bool {
        self.has(BODY_FILE)
    }
}

/// How much of a segment is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Live {
    /// How many places of entries point into it.
    pub(crate) records: u64,
    /// How many octets those are.
    pub(crate) octets: u64,
}

/// What is in the queue.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: BTreeMap<QueueId, Entry>,
    /// (route, due, id) of all that is due some time and not leased.
    due: BTreeSet<(u32, u64, QueueId)>,
    /// (due, id, route) of the first of each route in `due`.
    heads: BTreeSet<(u64, QueueId, u32)>,
    routes: Routes,
    live: BTreeMap<SegmentNo, Live>,
}

impl Index {
    /// The entry of a message.
    pub(crate) fn get(&self, id: QueueId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries in the order of their ids, from the one after `cursor`.
    pub(crate) fn after(&self, cursor: Option<QueueId>) -> impl Iterator<Item = (QueueId, &Entry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = cursor.map_or(Unbounded, Excluded);
        self.entries
            .range((from, Unbounded))
            .map(|(id, e)| (*id, e))
    }

    /// When an entry is due and by which route, if it is some time.
    pub(crate) fn due_by(&self, entry: &Entry) -> Option<(UnixMs, &str)> {
        let is_due = entry.has(DUE);
        is_due.then(|| (UnixMs(entry.due), self.routes.name(entry.route)))
    }

    /// What an entry's frames would say of its state.
    pub(crate) fn key(&self, entry: &Entry) -> Key {
        Key {
            due: self
                .due_by(entry)
                .map(|(due, route)| (due, route.to_owned())),
            held: entry.is_held(),
            waiting: entry.is_waiting(),
        }
    }

    /// How much of a segment is needed.
    pub(crate) fn live(&self, segment: SegmentNo) -> Live {
        self.live.get(&segment).copied().unwrap_or_default()
    }

    /// Puts a message in, or (copied forward) gives it a new base that holds its whole state.
    pub(crate) fn put(&mut self, id: QueueId, base: Held, body_file: bool, key: &Key) {
        let former = self.entries.get(&id).copied();
        if let Some(former) = former {
            self.forget_due(id, &former);
            self.count(former.base, false);
            former.change().inspect(|change| self.count(*change, false));
            self.routes.leave(former.route);
        }
        let mut entry = Entry {
            base,
            change: Held { len: 0, ..base },
            due: 0,
            token: former.map_or(0, |former| former.token),
            route: self.routes.join(""),
            flags: former.map_or(0, |former| former.flags & (LEASED | DAMAGED)),
        };
        entry.set(BODY_FILE, body_file);
        self.count(base, true);
        self.entries.insert(id, entry);
        self.set_key(id, key);
    }

    /// Notes the newest frame with a message's state. False if there is no such message.
    pub(crate) fn change(&mut self, id: QueueId, change: Held, key: &Key) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let former = entry.change();
        entry.change = change;
        former.inspect(|former| self.count(*former, false));
        self.count(change, true);
        self.set_key(id, key);
        true
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, id: QueueId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.forget_due(id, &entry);
        self.count(entry.base, false);
        entry.change().inspect(|change| self.count(*change, false));
        self.routes.leave(entry.route);
        Some(entry)
    }

    /// Marks a message as somebody's, or nobody's.
    pub(crate) fn set_leased(&mut self, id: QueueId, token: Option<u64>) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let before = *entry;
        entry.set(LEASED, token.is_some());
        if let Some(token) = token {
            entry.token = token;
        }
        let after = *entry;
        self.forget_due(id, &before);
        self.note_due(id, &after);
    }

    /// Keeps a message whose octets can't be read from being claimed.
    pub(crate) fn set_damaged(&mut self, id: QueueId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let before = *entry;
        entry.set(DAMAGED, true);
        self.forget_due(id, &before);
    }

    /// Ids of up to `most` messages due at `now`, the oldest first, at most `per_route` of a route
    /// and none of those in `skip`.
    pub(crate) fn due(
        &self,
        now: UnixMs,
        most: usize,
        per_route: usize,
        skip: &BTreeSet<&str>,
    ) -> Vec<QueueId> {
        let mut chosen = Vec::new();
        let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
        let mut heads = self
            .heads
            .range(..=(now.0, QueueId(u64::MAX), u32::MAX))
            .peekable();
        // The next of each route of which one was taken.
        let mut next: BTreeSet<(u64, QueueId, u32)> = BTreeSet::new();
        while chosen.len() < most {
            let head = heads.peek().copied().copied();
            let (due, id, route) = match (head, next.first().copied()) {
                (Some(head), Some(first)) if first < head => first,
                (Some(head), _) => head,
                (None, Some(first)) => first,
                (None, None) => break,
            };
            if head == Some((due, id, route)) {
                heads.next();
                if skip.contains(self.routes.name(route)) {
                    continue;
                }
            } else {
                next.pop_first();
            }
            let count = taken.entry(route).or_insert(0);
            if *count >= per_route {
                continue;
            }
            *count += 1;
            chosen.push(id);
            let after = (route, due, id);
            let end = (route, now.0, QueueId(u64::MAX));
            if after < end
                && let Some((_, due, id)) = self
                    .due
                    .range((
                        std::ops::Bound::Excluded(after),
                        std::ops::Bound::Included(end),
                    ))
                    .next()
            {
                next.insert((*due, *id, route));
            }
        }
        chosen
    }

    fn set_key(&mut self, id: QueueId, key: &Key) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let before = *entry;
        let (due, route) = match &key.due {
            Some((due, route)) => (due.0, route.as_str()),
            None => (0, ""),
        };
        entry.due = due;
        entry.set(DUE, key.due.is_some());
        entry.set(HELD, key.held);
        entry.set(WAITING, key.waiting);
        // Joined before the former is left, so that a route that stays keeps its number.
        entry.route = self.routes.join(route);
        let after = *entry;
        self.routes.leave(before.route);
        self.forget_due(id, &before);
        self.note_due(id, &after);
    }

    fn note_due(&mut self, id: QueueId, entry: &Entry) {
        if !entry.has(DUE) || entry.has(LEASED) || entry.has(DAMAGED) {
            return;
        }
        let former = self.head(entry.route);
        self.due.insert((entry.route, entry.due, id));
        self.move_head(entry.route, former);
    }

    fn forget_due(&mut self, id: QueueId, entry: &Entry) {
        let former = self.head(entry.route);
        if self.due.remove(&(entry.route, entry.due, id)) {
            self.move_head(entry.route, former);
        }
    }

    fn head(&self, route: u32) -> Option<(u64, QueueId, u32)> {
        self.due
            .range((route, 0, QueueId(0))..=(route, u64::MAX, QueueId(u64::MAX)))
            .next()
            .map(|(route, due, id)| (*due, *id, *route))
    }

    fn move_head(&mut self, route: u32, former: Option<(u64, QueueId, u32)>) {
        let head = self.head(route);
        if head != former {
            former.inspect(|former| {
                self.heads.remove(former);
            });
            head.inspect(|head| {
                self.heads.insert(*head);
            });
        }
    }

    fn count(&mut self, held: Held, more: bool) {
        let live = self.live.entry(held.place.segment).or_default();
        if more {
            live.records += 1;
            live.octets += u64::from(held.len);
        } else {
            live.records -= 1;
            live.octets -= u64::from(held.len);
        }
        if live.records == 0 {
            self.live.remove(&held.place.segment);
        }
    }
}

#[cfg(test)]
mod tests {
    // The kernel's count of this process's memory is a file.
    #![allow(clippy::disallowed_methods, clippy::unwrap_used)]

    use super::*;

    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    }

    /// As the kernel counts it, so that what the allocator adds is in it: deferred messages, ids
    /// in the order of their time, due at scattered times, on a thousand routes.
    #[test]
    fn a_waiting_message_takes_at_most_200_octets() {
        const MESSAGES: usize = 200_000;
        let before = resident();
        let mut index = Index::default();
        for message in 0..MESSAGES {
            let id = QueueId::from_parts(1_790_000_000_000 + message as u64, 0, 0);
            let place = |offset: usize| Held {
                place: Place {
                    segment: SegmentNo(message as u32 / 100_000),
                    offset: offset as u32,
                },
                len: 500,
            };
            let key = |due: usize| Key {
                due: Some((
                    UnixMs(due as u64),
                    format!("destination-{}.example", message % 1000),
                )),
                held: false,
                waiting: false,
            };
            index.put(id, place(message), false, &key(0));
            let due = message.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 1_000_000_007;
            index.change(id, place(message + 1), &key(due));
        }
        let each = (resident() - before) / MESSAGES;
        assert_eq!(index.len(), MESSAGES);
        assert!((80..=200).contains(&each), "{each} octets a message");
    }

    #[test]
    fn one_route_cannot_fill_a_claim_and_the_oldest_come_first() {
        let mut index = Index::default();
        for message in 0..40u64 {
            let held = Held {
                place: Place {
                    segment: SegmentNo(1),
                    offset: message as u32,
                },
                len: 1,
            };
            let route = if message < 30 {
                "dead.example"
            } else {
                "b.example"
            };
            let key = Key {
                due: Some((UnixMs(message), route.to_owned())),
                held: false,
                waiting: false,
            };
            index.put(QueueId(message), held, false, &key);
        }
        let due = |most, per_route, skip: &[&str]| {
            let skip = skip.iter().copied().collect();
            let ids = index.due(UnixMs(35), most, per_route, &skip);
            ids.into_iter().map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(due(4, 2, &[]), [0, 1, 30, 31]);
        assert_eq!(due(3, 9, &["dead.example"]), [30, 31, 32]);
        assert_eq!(due(100, 100, &["dead.example"]), [30, 31, 32, 33, 34, 35]);
        assert_eq!(due(100, 100, &[]).len(), 36);
    }
}
