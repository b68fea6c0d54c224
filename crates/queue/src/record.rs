//! What a store keeps of a message, as octets: tagged fields, so that later versions can add some.
//!
//! A record is a kind (one octet) and fields, each a tag, a length and a value, in the order of
//! their tags. A field with an unknown tag is from a later version of Postroad: it is kept as
//! [`Unknown`] and written back. An unknown *choice* within a known field (a new sort of edit, a
//! new way for a recipient to end) can't be passed over; it makes the record [`NotARecord::Newer`].

use alloc::vec::Vec;

use crate::envelope::Envelope;
use crate::state::MessageState;

/// Fields that this version doesn't know, to be written back with the record they came in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unknown(Vec<UnknownField>);

/// One field of a later version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct UnknownField {
    /// The place of the recipient it belongs to; none if it belongs to the whole message.
    recipient: Option<u32>,
    tag: u64,
    value: Vec<u8>,
}

/// Why octets are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotARecord {
    /// They end within a field, or a field misses what it must have.
    Truncated,
    /// They break the format.
    Malformed,
    /// They hold a choice of a later version of Postroad.
    Newer,
}

impl core::fmt::Display for NotARecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            NotARecord::Truncated => "the record is cut short",
            NotARecord::Malformed => "the record is malformed",
            NotARecord::Newer => "the record is of a later version of Postroad",
        })
    }
}

impl core::error::Error for NotARecord {}

/// The part of a stored message that never changes, with what a later version added to it.
pub fn encode_envelope(envelope: &Envelope, unknown: &Unknown) -> Vec<u8> {
    let _ = (envelope, unknown);
    Vec::new()
}

/// Reads what [`encode_envelope`] wrote.
pub fn decode_envelope(octets: &[u8]) -> Result<(Envelope, Unknown), NotARecord> {
    let _ = octets;
    Err(NotARecord::Malformed)
}

/// The part of a stored message that changes.
pub fn encode_state(state: &MessageState) -> Vec<u8> {
    let _ = state;
    Vec::new()
}

/// Reads what [`encode_state`] wrote.
pub fn decode_state(octets: &[u8]) -> Result<MessageState, NotARecord> {
    let _ = octets;
    Err(NotARecord::Malformed)
}
