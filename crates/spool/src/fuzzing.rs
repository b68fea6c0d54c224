//! What must hold for any octets in a segment, as the body of a fuzz target.

use bytes::Bytes;
use postroad_reply::QueueId;

use crate::frame::{BodyPlace, FRAME_HEADER, FrameHeader, Kind, Part, encode_frame};
use crate::scan::{Found, Frame, scan};

/// An epoch that the input can't know but by chance.
const EPOCH: u64 = 0x5EED_0FA5_E63E_4700;
/// Where the scanned part of the segment begins.
const BASE: u64 = 8192;

/// Scans `input` as a segment, as a hostile body, and as damage.
///
/// # Panics
/// If a frame is found that doesn't verify, or a true one is lost to what is around it.
pub fn spool_frames(input: &[u8]) {
    // As a segment of an epoch that the input says itself, so that true frames can be made.
    let (epoch, octets) = match input.split_first_chunk::<8>() {
        Some((epoch, octets)) => (u64::from_le_bytes(*epoch), octets),
        None => (0, input),
    };
    all_verify(octets, epoch);

    // As the body of the second of three messages, each a batch of its own.
    let mut log = Vec::new();
    let mut starts = Vec::new();
    for (batch, body) in [&b"first"[..], input, b"third"].into_iter().enumerate() {
        starts.push(log.len());
        let mut own = Vec::new();
        let base = BASE + log.len() as u64;
        let body = [Bytes::copy_from_slice(body)];
        let part = part(batch as u64, body[0].len() as u64);
        encode_frame(&mut own, base, EPOCH, batch as u64 + 1, &[(&part, &body)]);
        log.extend_from_slice(&own);
    }
    log.resize(log.len() + 64, 0);
    let at: Vec<usize> = frames(&log)
        .iter()
        .map(|frame| (frame.at - BASE) as usize)
        .collect();
    assert_eq!(at, starts, "the frames of the log, and no other");

    // With an octet of the middle one changed, its neighbours survive.
    let sum: usize = input.iter().map(|octet| usize::from(*octet)).sum();
    let hit = starts[1] + sum % (starts[2] - starts[1]);
    log[hit] ^= 1 << (sum % 8);
    all_verify(&log, EPOCH);
    let at: Vec<usize> = frames(&log)
        .iter()
        .map(|frame| (frame.at - BASE) as usize)
        .collect();
    assert!(
        at.contains(&starts[0]) && at.contains(&starts[2]),
        "octet {hit} cost a neighbour"
    );
}

fn part(id: u64, body_len: u64) -> Part {
    Part {
        kind: Kind::Accepted,
        body: BodyPlace::Inline,
        body_len,
        ..Part::done(QueueId(id))
    }
}

fn frames(octets: &[u8]) -> Vec<Frame> {
    let frame = |found| match found {
        Found::Frame(frame) => Some(frame),
        Found::Gap(_) => None,
    };
    scan(octets, BASE, EPOCH)
        .into_iter()
        .filter_map(frame)
        .collect()
}

/// What is found is in order and within bounds, and each frame verifies.
fn all_verify(octets: &[u8], epoch: u64) {
    let mut at = BASE;
    let mut last_batch = 0;
    for found in scan(octets, BASE, epoch) {
        let (start, end) = match &found {
            Found::Frame(frame) => (frame.at, frame.at + u64::from(frame.len)),
            Found::Gap(gap) => (gap.at, gap.end),
        };
        assert!(start >= at && end > start, "out of order: {found:?}");
        at = end;
        if let Found::Frame(frame) = found {
            let from = (frame.at - BASE) as usize;
            let header = FrameHeader::decode(&octets[from..], epoch, frame.at);
            let header = header.unwrap_or_else(|| panic!("no header at {from}"));
            let payload = &octets[from + FRAME_HEADER..][..header.payload_len as usize];
            assert!(
                header.verifies(payload, epoch, frame.at),
                "no checksum at {from}"
            );
            assert!(frame.batch >= last_batch, "an older batch at {from}");
            last_batch = frame.batch;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_octets(input in prop::collection::vec(any::<u8>(), 0..3000)) {
            super::spool_frames(&input);
        }

        #[test]
        fn octets_that_say_our_epoch(
            head in prop::collection::vec(any::<u8>(), 0..64),
            pairs in prop::collection::vec((0usize..2000, any::<u8>()), 0..40),
        ) {
            let mut input = head;
            input.extend_from_slice(&super::EPOCH.to_le_bytes().repeat(200));
            for (at, octet) in pairs {
                let at = at % input.len();
                input[at] = octet;
            }
            super::spool_frames(&input);
        }
    }
}
