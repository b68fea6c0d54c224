//! Reads messages back from disk, and believes nothing that doesn't verify.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use crc32c::crc32c_append;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_queue::{Envelope, MessageState, record};
use postroad_reply::QueueId;
use postroad_store::Trouble;

use crate::damage::{self, Report, What};
use crate::frame::{BLOCK, BodyPlace, FRAME_HEADER, FrameHeader, PlacedPart, Sought, seek_part};
use crate::index::{Entry, Held, Place};
use crate::segment::{self, Segment};
use crate::shared::{Core, Shared};

/// How much is read at first where only a head is wanted, of frames that are longer.
const FIRST_READ: usize = 4096;

/// Why a message can't be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// What is there is not what was written.
    Damaged(Place),
    /// Its body file is missing, cut or changed.
    Body,
    /// The disk said so.
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(e: io::Error) -> ReadError {
        ReadError::Io(e)
    }
}

/// Where a message's frames are, with their segments pinned.
#[derive(Debug)]
pub(crate) struct Located<F> {
    pub(crate) id: QueueId,
    base: Framed<F>,
    change: Option<Framed<F>>,
}

/// Where a frame is, how long it is, and its segment.
type Framed<F> = (Held, Arc<Segment<F>>);

/// A message as it is on disk, without its body.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) base: PlacedPart,
    pub(crate) state_octets: Vec<u8>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) state: MessageState,
}

/// Finds a message; none if there is none, or a segment of its is gone.
pub(crate) fn locate<D: Disk>(shared: &Shared<D>, id: QueueId) -> Option<Located<D::File>> {
    locate_in(&shared.core(), id)
}

/// Finds a message.
pub(crate) fn locate_in<F>(core: &Core<F>, id: QueueId) -> Option<Located<F>> {
    let entry: &Entry = core.index.get(id)?;
    let pin = |held: Held| {
        let segment = core.log.segments.get(&held.place.segment)?;
        Some((held, Arc::clone(segment)))
    };
    Some(Located {
        id,
        base: pin(entry.base)?,
        change: match entry.change() {
            Some(change) => Some(pin(change)?),
            None => None,
        },
    })
}

impl<F> Located<F> {
    /// Whether the message is still where it was found: if not, what was read may be old.
    pub(crate) fn is_current(&self, core: &Core<F>) -> bool {
        core.index.get(self.id).is_some_and(|entry| {
            entry.base == self.base.0 && entry.change() == self.change.as_ref().map(|c| c.0)
        })
    }
}

impl<F: DiskFile> Located<F> {
    /// Reads envelope and state.
    pub(crate) fn read(&self) -> Result<Stored, ReadError> {
        let newer = match &self.change {
            Some(change) => Some((seek(change, self.id)?.part.state, change.0.place)),
            None => None,
        };
        self.read_with(newer)
    }

    /// Reads envelope and state from the base alone, whose state may be an older one.
    pub(crate) fn read_base(&self) -> Result<Stored, ReadError> {
        self.read_with(None)
    }

    /// Whether it is the newest state that can't be read, and not the base.
    pub(crate) fn has_damaged_change(&self, error: &ReadError) -> bool {
        let change = self.change.as_ref().map(|(held, _)| held.place);
        matches!(error, ReadError::Damaged(place) if Some(*place) == change)
    }

    fn read_with(&self, newer: Option<(Vec<u8>, Place)>) -> Result<Stored, ReadError> {
        let base = self.read_head()?;
        let (state_octets, place) = newer.unwrap_or((base.part.state.clone(), self.base.0.place));
        let (envelope, _) = record::decode_envelope(&base.part.envelope)
            .map_err(|_| ReadError::Damaged(self.base.0.place))?;
        let state = record::decode_state(&state_octets).map_err(|_| ReadError::Damaged(place))?;
        if state.lives.len() != envelope.recipients.len() {
            return Err(ReadError::Damaged(place));
        }
        Ok(Stored {
            base,
            state_octets,
            envelope: Arc::new(envelope),
            state,
        })
    }

    /// Reads the head of the base frame.
    pub(crate) fn read_head(&self) -> Result<PlacedPart, ReadError> {
        seek(&self.base, self.id)
    }

    /// Reads an inline body.
    pub(crate) fn read_inline(&self, head: &PlacedPart) -> Result<Bytes, ReadError> {
        let (Held { place, len }, segment) = &self.base;
        let mut octets = Vec::new();
        read_into(&mut octets, segment, *place, *len as usize)?;
        let frame = verified(octets, segment, *place).ok_or(ReadError::Damaged(*place))?;
        inline(&frame, head).ok_or(ReadError::Damaged(*place))
    }

    /// Reads an inline body if the disk needn't be waited for. None if it has to be, if the body isn't inline, and
    /// if anything is wrong, which the reading that waits will say.
    pub(crate) fn inline_at_once(&self) -> Option<Bytes> {
        let (Held { place, len }, segment) = &self.base;
        let offset = u64::from(place.offset);
        let mut octets = vec![0; *len as usize];
        let read = segment.file.read_at_once(&mut octets, offset).ok()??;
        octets.truncate(read);
        let frame = verified(octets, segment, *place)?;
        match seek_part(&frame, segment.epoch, offset, self.id) {
            Sought::Found(head) if !matches!(head.part.body, BodyPlace::File(_)) => {
                inline(&frame, &head)
            }
            _ => None,
        }
    }
}

/// The inline body in a whole frame.
fn inline(frame: &Bytes, head: &PlacedPart) -> Option<Bytes> {
    let end = head
        .body_at
        .checked_add(usize::try_from(head.part.body_len).ok()?)?;
    (end <= frame.len()).then(|| frame.slice(head.body_at..end))
}

/// Reads octets of a body file, whole blocks around what is wanted, and checks them.
pub(crate) fn read_body_file<D: Disk>(
    shared: &Shared<D>,
    head: &PlacedPart,
    offset: u64,
    most: usize,
) -> Result<Bytes, ReadError> {
    let BodyPlace::File(blocks) = &head.part.body else {
        return Err(ReadError::Body);
    };
    let len = head.part.body_len;
    let end = offset.saturating_add(most as u64).min(len);
    if offset >= end {
        return Ok(Bytes::new());
    }
    let file = shared
        .disk
        .open(&shared.body_path(head.part.id), Open::Read)?;
    let block = BLOCK as u64;
    let start = offset - offset % block;
    let stop = end.next_multiple_of(block).min(len);
    let mut octets = vec![0; usize::try_from(stop - start).map_err(|_| ReadError::Body)?];
    match file.read_exact_at(&mut octets, start) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(ReadError::Body),
        Err(e) => return Err(e.into()),
    }
    let first = usize::try_from(start / block).map_err(|_| ReadError::Body)?;
    for (i, octets) in octets.chunks(BLOCK).enumerate() {
        if blocks.get(first + i) != Some(&crc32c_append(0, octets)) {
            return Err(ReadError::Body);
        }
    }
    // Both are within `octets`, whose length is a usize.
    let (from, to) = ((offset - start) as usize, (end - start) as usize);
    Ok(Bytes::from(octets).slice(from..to))
}

/// Reads the part about a message of the frame at a place, not the bodies in the frame.
fn seek<F: DiskFile>((held, segment): &Framed<F>, id: QueueId) -> Result<PlacedPart, ReadError> {
    let place = held.place;
    let mut want = FIRST_READ.min(held.len as usize);
    let mut octets = Vec::new();
    loop {
        let cut = read_into(&mut octets, segment, place, want)?;
        match seek_part(&octets, segment.epoch, u64::from(place.offset), id) {
            Sought::Found(part) => return Ok(part),
            Sought::Need(more) if more > want && !cut => want = more,
            Sought::Need(_) | Sought::Damaged => return Err(ReadError::Damaged(place)),
        }
    }
}

/// A whole frame, if its octets are those that were written.
fn verified<F>(octets: Vec<u8>, segment: &Segment<F>, place: Place) -> Option<Bytes> {
    let offset = u64::from(place.offset);
    let header = FrameHeader::decode(&octets, segment.epoch, offset)?;
    let payload = octets.get(FRAME_HEADER..FRAME_HEADER + header.payload_len as usize)?;
    let so = header.verifies(payload, segment.epoch, offset);
    so.then(|| Bytes::from(octets))
}

/// Reads on until `octets` has `want` from the place on. True if the segment ends before.
fn read_into<F: DiskFile>(
    octets: &mut Vec<u8>,
    segment: &Segment<F>,
    place: Place,
    want: usize,
) -> Result<bool, ReadError> {
    let mut at = octets.len();
    octets.resize(want.max(at), 0);
    while at < octets.len() {
        let offset = u64::from(place.offset) + at as u64;
        match segment.file.read_at(&mut octets[at..], offset) {
            Ok(0) => break,
            Ok(n) => at += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let cut = at < octets.len();
    octets.truncate(at);
    Ok(cut)
}

/// Sets aside and reports what can't be read, keeps the message from being claimed again, and
/// says what to answer.
pub(crate) fn unreadable<D: Disk>(shared: &Shared<D>, id: QueueId, error: ReadError) -> Trouble {
    let (what, file, place) = match error {
        ReadError::Io(e) => return Trouble::Failed(e.to_string()),
        ReadError::Body => (What::Body(id), shared.body_path(id), None),
        ReadError::Damaged(place) => {
            let folder = shared.segments_folder();
            (
                What::Message(id),
                segment::log_path(&folder, place.segment),
                Some(place),
            )
        }
    };
    let copied = place.and_then(|place| {
        let (len, segment) = {
            let core = shared.core();
            let entry = core.index.get(id)?;
            let held = entry
                .change()
                .filter(|c| c.place == place)
                .unwrap_or(entry.base);
            (held.len, Arc::clone(core.log.segments.get(&place.segment)?))
        };
        let at = u64::from(place.offset);
        let folder = shared.damage_folder();
        let end = at + u64::from(len);
        let (path, _) = damage::set_aside(&shared.disk, &folder, &segment, at, end).ok()?;
        Some((at, u64::from(len), path))
    });
    let first = {
        let mut core = shared.core();
        let first = core.index.get(id).is_some_and(|entry| !entry.is_damaged());
        core.index.set_damaged(id);
        first
    };
    if first {
        let (offset, octets, set_aside) = match copied {
            Some((at, len, path)) => (at, len, Some(path)),
            None => (place.map_or(0, |p| u64::from(p.offset)), 0, None),
        };
        shared.report(Report {
            what,
            file,
            offset,
            octets,
            set_aside,
        });
    }
    Trouble::Damaged(id)
}
