//! The layout of frames: what one write to a segment is made of.
//!
//! A frame is what is atomic: it verifies as a whole or it isn't there. It holds one part, or
//! two that must be kept or lost together (a notice, and the marks it answers). All numbers are
//! little-endian. docs/spool.md has the layouts as tables.

use crc32c::crc32c_append;
use postroad_clock::UnixMs;
use postroad_reply::QueueId;

/// Frames start at multiples of this, in octets from the start of their segment.
pub(crate) const ALIGNMENT: usize = 16;
/// The length of a frame's header.
pub(crate) const FRAME_HEADER: usize = 48;
/// The length of a part's fixed header.
pub(crate) const PART_HEADER: usize = 48;
/// A body file has one checksum for each so many octets.
pub(crate) const BLOCK: usize = 64 * 1024;

/// Rounds up to where the next frame may start.
pub(crate) fn aligned(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

/// What seeds every checksum of the frame at `offset` of a segment with `epoch`.
///
/// With the epoch, what an earlier use of the segment left behind doesn't verify, nor does a frame
/// that a sender made up. With the offset, neither does a true copy of a frame in another place
/// (a segment sent by mail as an attachment, say).
fn seed(epoch: u64, offset: u64) -> u32 {
    crc32c_append(
        crc32c_append(0, &epoch.to_le_bytes()),
        &offset.to_le_bytes(),
    )
}

/// What a part says about its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It was accepted: envelope, state, body.
    Accepted = 1,
    /// Its state is another one now.
    Changed = 2,
    /// Nothing is owed for it any more.
    Done = 3,
    /// The same as accepted, of a message copied forward: it is read in its former place's stead.
    Merged = 4,
}

impl Kind {
    fn of(octet: u8) -> Option<Kind> {
        Some(match octet {
            1 => Kind::Accepted,
            2 => Kind::Changed,
            3 => Kind::Done,
            4 => Kind::Merged,
            _ => return None,
        })
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// How long what follows it is.
    pub(crate) payload_len: u32,
    /// The checksum of what follows it.
    pub(crate) payload_crc: u32,
    /// How many parts.
    pub(crate) parts: u8,
    /// Which batch it was written in.
    pub(crate) batch: u64,
    /// Where that batch starts in this segment.
    pub(crate) batch_start: u32,
}

impl FrameHeader {
    /// How many octets of the segment the frame takes.
    pub(crate) fn frame_len(&self) -> usize {
        aligned(FRAME_HEADER + self.payload_len as usize)
    }

    fn encode(&self, epoch: u64, offset: u64) -> [u8; FRAME_HEADER] {
        let mut octets = [0; FRAME_HEADER];
        octets[4..8].copy_from_slice(&self.payload_len.to_le_bytes());
        octets[8..12].copy_from_slice(&self.payload_crc.to_le_bytes());
        octets[12] = self.parts;
        octets[16..24].copy_from_slice(&self.batch.to_le_bytes());
        octets[24..28].copy_from_slice(&self.batch_start.to_le_bytes());
        octets[32..40].copy_from_slice(&epoch.to_le_bytes());
        let crc = crc32c_append(seed(epoch, offset), &octets[4..32]);
        octets[..4].copy_from_slice(&crc.to_le_bytes());
        octets
    }

    /// Reads the header at `offset`; none if it doesn't verify there.
    pub(crate) fn decode(octets: &[u8], epoch: u64, offset: u64) -> Option<FrameHeader> {
        let octets = octets.get(..FRAME_HEADER)?;
        // The epoch first: it rules out nearly everything without a checksum.
        if u64_at(octets, 32) != epoch || octets[40..48] != [0; 8] {
            return None;
        }
        if crc32c_append(seed(epoch, offset), &octets[4..32]) != u32_at(octets, 0) {
            return None;
        }
        Some(FrameHeader {
            payload_len: u32_at(octets, 4),
            payload_crc: u32_at(octets, 8),
            parts: octets[12],
            batch: u64_at(octets, 16),
            batch_start: u32_at(octets, 24),
        })
    }

    /// Whether `payload`, found at `offset + FRAME_HEADER`, is what was written.
    pub(crate) fn verifies(&self, payload: &[u8], epoch: u64, offset: u64) -> bool {
        payload.len() == self.payload_len as usize
            && crc32c_append(seed(epoch, offset), payload) == self.payload_crc
    }
}

/// Where the octets of a body are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyPlace {
    /// The part has no body (changed, done).
    None,
    /// In the frame.
    Inline,
    /// In a file of its own; with the checksum of each block.
    File(Vec<u32>),
}

/// One part of a frame, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// What it says.
    pub(crate) kind: Kind,
    /// About which message.
    pub(crate) id: QueueId,
    /// Where the body is.
    pub(crate) body: BodyPlace,
    /// How long the body is.
    pub(crate) body_len: u64,
    /// What the index needs of it; none in `done`.
    pub(crate) key: Key,
    /// The envelope, as `queue::record` writes it; empty in `changed` and `done`.
    pub(crate) envelope: Vec<u8>,
    /// The state, as `queue::record` writes it; empty in `done`.
    pub(crate) state: Vec<u8>,
}

/// What the index keeps of a state, so that a start needs to read no envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Key {
    /// When it is due and by which route; none while it is held.
    pub(crate) due: Option<(UnixMs, String)>,
    /// Kept back by an operator.
    pub(crate) held: bool,
    /// An operator's word waits for the end of its lease.
    pub(crate) waiting: bool,
}

const FLAG_HELD: u8 = 1;
const FLAG_WAITING: u8 = 2;
const FLAG_DUE: u8 = 4;

impl Part {
    /// A part that says only that a message is gone.
    pub(crate) fn done(id: QueueId) -> Part {
        Part {
            kind: Kind::Done,
            id,
            body: BodyPlace::None,
            body_len: 0,
            key: Key::default(),
            envelope: Vec::new(),
            state: Vec::new(),
        }
    }

    /// How many octets the part takes in its frame.
    pub(crate) fn encoded_len(&self) -> usize {
        self.head_len() + self.inline_len()
    }

    fn head_len(&self) -> usize {
        let blocks = match &self.body {
            BodyPlace::File(blocks) => blocks.len() * 4,
            BodyPlace::None | BodyPlace::Inline => 0,
        };
        PART_HEADER + self.route().len() + blocks + self.envelope.len() + self.state.len()
    }

    fn inline_len(&self) -> usize {
        match self.body {
            // An inline body is at most a segment long.
            BodyPlace::Inline => self.body_len as usize,
            BodyPlace::None | BodyPlace::File(_) => 0,
        }
    }

    fn route(&self) -> &str {
        self.key.due.as_ref().map_or("", |(_, route)| route)
    }

    /// Writes everything but an inline body.
    fn encode_head(&self, into: &mut Vec<u8>, seed: u32) {
        let start = into.len();
        let flags = (if self.key.held { FLAG_HELD } else { 0 })
            | (if self.key.waiting { FLAG_WAITING } else { 0 })
            | (if self.key.due.is_some() { FLAG_DUE } else { 0 });
        let (form, blocks): (u8, &[u32]) = match &self.body {
            BodyPlace::None => (0, &[]),
            BodyPlace::Inline => (1, &[]),
            BodyPlace::File(blocks) => (2, blocks),
        };
        let due = self.key.due.as_ref().map_or(0, |(at, _)| at.0);
        // A route is hardly longer than a domain, an envelope fits in a segment, which is under 4 GiB.
        let route = self.route();
        into.extend_from_slice(&[self.kind as u8, form, flags, 0]);
        into.extend_from_slice(&(self.envelope.len() as u32).to_le_bytes());
        into.extend_from_slice(&(self.state.len() as u32).to_le_bytes());
        into.extend_from_slice(&[0; 4]);
        into.extend_from_slice(&self.id.0.to_le_bytes());
        into.extend_from_slice(&self.body_len.to_le_bytes());
        into.extend_from_slice(&due.to_le_bytes());
        into.extend_from_slice(&(route.len() as u32).to_le_bytes());
        into.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
        into.extend_from_slice(route.as_bytes());
        for crc in blocks {
            into.extend_from_slice(&crc.to_le_bytes());
        }
        into.extend_from_slice(&self.envelope);
        into.extend_from_slice(&self.state);
        let crc = crc32c_append(seed, &into[start..]);
        into[start + 12..start + 16].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads the part at the start of `octets`, which may be cut before an inline body. Gives the
    /// part, and how long it is without an inline body.
    fn decode(octets: &[u8], seed: u32) -> Result<(Part, usize), HeadError> {
        let total = head_len(octets)?;
        let Some(head) = octets.get(..total) else {
            return Err(HeadError::More(total));
        };
        let crc = crc32c_append(seed, &head[..12]);
        let crc = crc32c_append(crc32c_append(crc, &[0; 4]), &head[16..]);
        if crc != u32_at(head, 12) {
            return Err(HeadError::Damaged);
        }
        let mut rest = &head[PART_HEADER..];
        let mut take = |len: usize| {
            let (taken, left) = rest.split_at(len);
            rest = left;
            taken
        };
        // `head_len` has added up these very lengths, so each `take` is within the head.
        let route = take(u32_at(head, 40) as usize);
        let blocks = take(u32_at(head, 44) as usize * 4);
        let envelope = take(u32_at(head, 4) as usize).to_vec();
        let state = take(u32_at(head, 8) as usize).to_vec();
        let flags = head[2];
        let route = String::from_utf8(route.to_vec()).map_err(|_| HeadError::Damaged)?;
        let part = Part {
            kind: Kind::of(head[0]).ok_or(HeadError::Damaged)?,
            id: QueueId(u64_at(head, 16)),
            body: match head[1] {
                0 => BodyPlace::None,
                1 => BodyPlace::Inline,
                2 => BodyPlace::File(blocks.chunks_exact(4).map(|c| u32_at(c, 0)).collect()),
                _ => return Err(HeadError::Damaged),
            },
            body_len: u64_at(head, 24),
            key: Key {
                due: (flags & FLAG_DUE != 0).then(|| (UnixMs(u64_at(head, 32)), route)),
                held: flags & FLAG_HELD != 0,
                waiting: flags & FLAG_WAITING != 0,
            },
            envelope,
            state,
        };
        Ok((part, total))
    }
}

/// How long the part at the start of `octets` says it is, without an inline body.
fn head_len(octets: &[u8]) -> Result<usize, HeadError> {
    let Some(fixed) = octets.get(..PART_HEADER) else {
        return Err(HeadError::More(PART_HEADER));
    };
    let sum = u64::from(u32_at(fixed, 4))
        + u64::from(u32_at(fixed, 8))
        + u64::from(u32_at(fixed, 40))
        + u64::from(u32_at(fixed, 44)) * 4;
    usize::try_from(sum)
        .ok()
        .and_then(|sum| sum.checked_add(PART_HEADER))
        .ok_or(HeadError::Damaged)
}

/// Why a part can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadError {
    /// It needs so many octets from its start.
    More(usize),
    /// It is not what was written.
    Damaged,
}

/// A part in its place within a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlacedPart {
    /// The part.
    pub(crate) part: Part,
    /// Where its inline body starts, in octets from the start of the frame.
    pub(crate) body_at: usize,
}

/// Appends a frame to a batch. `bodies` are the inline bodies' pieces, one list a part.
///
/// `into` starts at `base` of the segment, and its length must be aligned.
pub(crate) fn encode_frame(
    into: &mut Vec<u8>,
    base: u64,
    epoch: u64,
    batch: u64,
    parts: &[(&Part, &[bytes::Bytes])],
) {
    let start = into.len();
    let offset = base + start as u64;
    let seed = seed(epoch, offset);
    into.resize(start + FRAME_HEADER, 0);
    for (part, body) in parts {
        part.encode_head(into, seed);
        for piece in body.iter() {
            into.extend_from_slice(piece);
        }
    }
    let payload = &into[start + FRAME_HEADER..];
    let header = FrameHeader {
        // The committer refuses what doesn't fit in a segment, which is under 4 GiB.
        payload_len: payload.len() as u32,
        payload_crc: crc32c_append(seed, payload),
        parts: parts.len() as u8,
        batch,
        batch_start: base as u32,
    };
    into[start..start + FRAME_HEADER].copy_from_slice(&header.encode(epoch, offset));
    into.resize(aligned(into.len()), 0);
}

/// How many octets of a segment a frame of these parts takes.
pub(crate) fn frame_len(parts: &[&Part]) -> usize {
    aligned(FRAME_HEADER + parts.iter().map(|p| p.encoded_len()).sum::<usize>())
}

/// Reads the parts of a whole frame whose checksum is right; none if it still makes no sense,
/// which is a frame of a later version or a fault of the writer's.
pub(crate) fn decode_parts(
    header: &FrameHeader,
    payload: &[u8],
    epoch: u64,
    offset: u64,
) -> Option<Vec<PlacedPart>> {
    let seed = seed(epoch, offset);
    let mut at = 0;
    let mut parts = Vec::with_capacity(usize::from(header.parts));
    for _ in 0..header.parts {
        let (part, len) = Part::decode(payload.get(at..)?, seed).ok()?;
        let body_at = FRAME_HEADER + at + len;
        at = at.checked_add(len)?.checked_add(part.inline_len())?;
        parts.push(PlacedPart { part, body_at });
    }
    (at == payload.len()).then_some(parts)
}

/// What a reader wants next.
#[derive(Debug)]
pub(crate) enum Sought {
    /// Here it is.
    Found(PlacedPart),
    /// The frame needs to be read up to so many octets from its start.
    Need(usize),
    /// Octets are damaged, or the message isn't in this frame.
    Damaged,
}

/// Looks for the part about `id` in `octets`, the first octets of the frame at `offset`, without
/// the need to read bodies.
pub(crate) fn seek_part(octets: &[u8], epoch: u64, offset: u64, id: QueueId) -> Sought {
    if octets.len() < FRAME_HEADER {
        return Sought::Need(FRAME_HEADER + PART_HEADER);
    }
    let Some(header) = FrameHeader::decode(octets, epoch, offset) else {
        return Sought::Damaged;
    };
    let end = FRAME_HEADER + header.payload_len as usize;
    let seed = seed(epoch, offset);
    let mut at = FRAME_HEADER;
    for _ in 0..header.parts {
        match Part::decode(octets.get(at..).unwrap_or_default(), seed) {
            Ok((part, len)) if part.id == id => {
                let body_at = at + len;
                return Sought::Found(PlacedPart { part, body_at });
            }
            Ok((part, len)) => at = at.saturating_add(len).saturating_add(part.inline_len()),
            Err(HeadError::More(len)) => {
                let need = at.saturating_add(len);
                return if need > end {
                    Sought::Damaged
                } else {
                    Sought::Need(need)
                };
            }
            Err(HeadError::Damaged) => return Sought::Damaged,
        }
    }
    Sought::Damaged
}

/// The four octets at `at`. The callers have checked the length.
pub(crate) fn u32_at(octets: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&octets[at..at + 4]);
    u32::from_le_bytes(four)
}

/// The eight octets at `at`. The callers have checked the length.
pub(crate) fn u64_at(octets: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&octets[at..at + 8]);
    u64::from_le_bytes(eight)
}
