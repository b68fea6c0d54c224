//! What a store keeps of a message, as octets: tagged fields, so that later versions can add some.
//!
//! A record is one octet for its kind, and then fields in the order of their tags. A field is a
//! tag, a length and as many octets; a list is a field for each of its items. Tag, length and all
//! numbers are LEB128 in the shortest form. `docs/spool.md` says where records stand on disk;
//! checksums are the store's.
//!
//! A field whose tag this version doesn't know, of a message or of one recipient, is of a later
//! version: it is kept as [`Unknown`] and written back. What can't be passed over without
//! changing what the rest means (another sort of edit, another way for a recipient to end) makes the
//! record [`NotARecord::Newer`], so that such a message is left alone and not half understood.
//!
//! Reading needs memory in proportion to the octets, whatever they claim, and never panics.

mod envelope;
mod field;
mod history;
mod report;
mod state;

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
    /// They end within a field.
    Truncated,
    /// They break the format, or miss a field that must be there.
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
    envelope::encode(envelope, unknown)
}

/// Reads what [`encode_envelope`] wrote, in this version or in another.
///
/// # Errors
/// Octets that are cut short, malformed, or of a later version that can't be passed over.
pub fn decode_envelope(octets: &[u8]) -> Result<(Envelope, Unknown), NotARecord> {
    envelope::decode(octets)
}

/// The part of a stored message that changes.
pub fn encode_state(state: &MessageState) -> Vec<u8> {
    state::encode(state)
}

/// Reads what [`encode_state`] wrote, in this version or in another.
///
/// # Errors
/// Octets that are cut short, malformed, or of a later version that can't be passed over.
pub fn decode_state(octets: &[u8]) -> Result<MessageState, NotARecord> {
    state::decode(octets)
}
