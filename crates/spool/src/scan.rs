//! Finds the frames among the octets of a segment, and what lies between them.

use crate::frame::{self, ALIGNMENT, FRAME_HEADER, FrameHeader, PlacedPart};

/// What a scan finds, in the order of the segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A frame that verifies.
    Frame(Frame),
    /// Octets that are no frame and not empty either.
    Gap(Gap),
}

/// A frame that verifies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where it starts.
    pub(crate) at: u64,
    /// How many octets it takes.
    pub(crate) len: u32,
    /// Its batch.
    pub(crate) batch: u64,
    /// Where its batch starts.
    pub(crate) batch_start: u64,
    /// What it holds; none if that can't be understood.
    pub(crate) parts: Option<Vec<PlacedPart>>,
}

/// Octets that are no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Where they start.
    pub(crate) at: u64,
    /// Where they end.
    pub(crate) end: u64,
    /// The batch that a readable header at their start names.
    pub(crate) batch: Option<u64>,
}

/// Scans `octets`, which start at `base` of a segment of `epoch`.
///
/// A frame that verifies is found wherever what lies before it ends; its length is trusted only
/// when its header verifies. Batch numbers never go down: a frame of an earlier batch than one
/// before it is of a batch that was undone, and no frame of this log. What is empty (zeros) at
/// the end is the room not yet used; zeros between frames are a gap like any other.
pub(crate) fn scan(octets: &[u8], base: u64, epoch: u64) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut last_batch = 0;
    let mut gap: Option<Gap> = None;
    while at + FRAME_HEADER <= octets.len() {
        let offset = base + at as u64;
        match frame_at(octets, at, base, epoch, last_batch) {
            At::Frame(frame) => {
                if let Some(gap) = gap.take() {
                    found.push(Found::Gap(gap));
                }
                last_batch = frame.batch;
                at += frame.len as usize;
                found.push(Found::Frame(frame));
            }
            At::Damaged { len, batch } => {
                // The header is right, so the next frame is where it says.
                if let Some(gap) = gap.take() {
                    found.push(Found::Gap(gap));
                }
                let end = (at + len).min(octets.len());
                found.push(Found::Gap(Gap {
                    at: offset,
                    end: base + end as u64,
                    batch: Some(batch),
                }));
                at = end;
            }
            At::Nothing => {
                at += ALIGNMENT;
                let end = base + at as u64;
                gap.get_or_insert(Gap {
                    at: offset,
                    end,
                    batch: None,
                })
                .end = end;
            }
        }
    }
    if let Some(gap) = gap.and_then(|gap| without_empty_end(gap, octets, base)) {
        found.push(Found::Gap(gap));
    }
    found
}

enum At {
    Frame(Frame),
    Damaged { len: usize, batch: u64 },
    Nothing,
}

fn frame_at(octets: &[u8], at: usize, base: u64, epoch: u64, last_batch: u64) -> At {
    let offset = base + at as u64;
    let Some(header) = FrameHeader::decode(&octets[at..], epoch, offset) else {
        return At::Nothing;
    };
    if header.batch < last_batch {
        return At::Nothing;
    }
    let start = at + FRAME_HEADER;
    let payload = start
        .checked_add(header.payload_len as usize)
        .and_then(|end| octets.get(start..end))
        .filter(|payload| header.verifies(payload, epoch, offset));
    match payload {
        Some(payload) => At::Frame(Frame {
            at: offset,
            // A frame that is within a segment is under 4 GiB long.
            len: header.frame_len() as u32,
            batch: header.batch,
            batch_start: u64::from(header.batch_start),
            parts: frame::decode_parts(&header, payload, epoch, offset),
        }),
        None => At::Damaged {
            len: header.frame_len(),
            batch: header.batch,
        },
    }
}

/// Cuts the zeros off the end of the last gap. Where nothing begins at its start (each batch is
/// followed by an empty header), the rest is what an earlier use left: no gap at all.
fn without_empty_end(mut gap: Gap, octets: &[u8], base: u64) -> Option<Gap> {
    let start = (gap.at - base) as usize;
    let head_end = octets.len().min(start + FRAME_HEADER);
    if octets[start..head_end].iter().all(|octet| *octet == 0) {
        return None;
    }
    let used = octets[start..].iter().rposition(|octet| *octet != 0)?;
    gap.end = base + (start + used + 1) as u64;
    Some(gap)
}
