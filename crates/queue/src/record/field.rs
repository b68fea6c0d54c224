//! Fields: tag, length, value.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::{NotARecord, Unknown, UnknownField};

/// Fields on their way out, in any order.
#[derive(Default)]
pub(super) struct FieldWriter {
    /// Each field's tag, and its place among the values.
    fields: Vec<(u64, Range<usize>)>,
    values: Vec<u8>,
}

impl FieldWriter {
    /// With room for a record of the usual length: an envelope is written for each message.
    pub(super) fn roomy() -> FieldWriter {
        FieldWriter {
            fields: Vec::with_capacity(16),
            values: Vec::with_capacity(512),
        }
    }

    pub(super) fn octets(&mut self, tag: u64, value: impl AsRef<[u8]>) {
        self.value(tag, |values| values.extend_from_slice(value.as_ref()));
    }

    pub(super) fn number(&mut self, tag: u64, value: u64) {
        self.value(tag, |values| put_number(values, value));
    }

    /// A field that is there if `value` is true.
    pub(super) fn flag(&mut self, tag: u64, value: bool) {
        if value {
            self.value(tag, |_| ());
        }
    }

    pub(super) fn fields(&mut self, tag: u64, write: impl FnOnce(&mut FieldWriter)) {
        let mut inner = FieldWriter::default();
        write(&mut inner);
        self.value(tag, |values| inner.finish(values));
    }

    /// The fields of a later version, of the whole message or of one recipient.
    pub(super) fn unknown(&mut self, unknown: &Unknown, recipient: Option<usize>) {
        let of_it = |field: &&UnknownField| {
            field.recipient == recipient.map(|ix| u32::try_from(ix).unwrap_or(u32::MAX))
        };
        for field in unknown.0.iter().filter(of_it) {
            self.octets(field.tag, &field.value);
        }
    }

    /// The record: the octet `kind`, and the fields.
    pub(super) fn record(self, kind: u8) -> Vec<u8> {
        // A tag and a length take two octets each at most, or nearly so.
        let mut out = Vec::with_capacity(1 + self.values.len() + 4 * self.fields.len());
        out.push(kind);
        self.finish(&mut out);
        out
    }

    fn value(&mut self, tag: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.values.len();
        write(&mut self.values);
        self.fields.push((tag, start..self.values.len()));
    }

    /// Puts the fields behind `out`, by tag; those of one tag keep their order.
    fn finish(mut self, out: &mut Vec<u8>) {
        self.fields.sort_by_key(|(tag, _)| *tag);
        for (tag, place) in self.fields {
            let value = &self.values[place];
            put_number(out, tag);
            put_number(out, value.len() as u64);
            out.extend_from_slice(value);
        }
    }
}

/// Fields on their way in, in the order of their tags.
pub(super) struct FieldReader<'a> {
    rest: &'a [u8],
    last: u64,
}

impl<'a> FieldReader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> FieldReader<'a> {
        FieldReader {
            rest: octets,
            last: 0,
        }
    }

    /// The fields of a record that begins with the octet `kind`.
    pub(super) fn of_kind(octets: &'a [u8], kind: u8) -> Result<FieldReader<'a>, NotARecord> {
        match octets.split_first() {
            None => Err(NotARecord::Truncated),
            Some((first, rest)) if *first == kind => Ok(FieldReader::new(rest)),
            Some(_) => Err(NotARecord::Malformed),
        }
    }

    /// The next field's tag and value; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &'a [u8])>, NotARecord> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = take_number(&mut self.rest)?;
        if tag < self.last {
            return Err(NotARecord::Malformed);
        }
        self.last = tag;
        let len = take_number(&mut self.rest)?;
        let (value, rest) = usize::try_from(len)
            .ok()
            .and_then(|len| self.rest.split_at_checked(len))
            .ok_or(NotARecord::Truncated)?;
        self.rest = rest;
        Ok(Some((tag, value)))
    }
}

impl Unknown {
    pub(super) fn keep(&mut self, recipient: Option<usize>, tag: u64, value: &[u8]) {
        self.0.push(UnknownField {
            recipient: recipient.map(|ix| u32::try_from(ix).unwrap_or(u32::MAX)),
            tag,
            value: value.to_vec(),
        });
    }
}

/// A field that may stand only once is put into `slot`.
pub(super) fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), NotARecord> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(NotARecord::Malformed),
    }
}

/// A field that must be there.
pub(super) fn must<T>(slot: Option<T>) -> Result<T, NotARecord> {
    slot.ok_or(NotARecord::Malformed)
}

/// A value that is one number.
pub(super) fn number(mut value: &[u8]) -> Result<u64, NotARecord> {
    // A value that ends early is malformed: the field itself is whole.
    let number = take_number(&mut value).map_err(|_| NotARecord::Malformed)?;
    match value {
        [] => Ok(number),
        _ => Err(NotARecord::Malformed),
    }
}

/// A value that is a number of at most 32 bits.
pub(super) fn number32(value: &[u8]) -> Result<u32, NotARecord> {
    u32::try_from(number(value)?).map_err(|_| NotARecord::Malformed)
}

/// A value that says something by being there.
pub(super) fn flag(value: &[u8]) -> Result<bool, NotARecord> {
    match value {
        [] => Ok(true),
        _ => Err(NotARecord::Malformed),
    }
}

/// A value that is text.
pub(super) fn text(value: &[u8]) -> Result<String, NotARecord> {
    core::str::from_utf8(value)
        .map(String::from)
        .map_err(|_| NotARecord::Malformed)
}

/// LEB128: seven bits an octet, the lowest first; the top bit says that more follow.
pub(super) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number off the front of `octets`. A number has one form: no closing zero octets.
pub(super) fn take_number(octets: &mut &[u8]) -> Result<u64, NotARecord> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = octets.split_first().ok_or(NotARecord::Truncated)?;
        *octets = rest;
        let bits = u64::from(octet & 0x7f);
        // The tenth octet has room for one bit.
        if shift == 63 && *octet > 1 {
            return Err(NotARecord::Malformed);
        }
        value |= bits << shift;
        if octet & 0x80 == 0 {
            return match (bits, shift) {
                (0, 1..) => Err(NotARecord::Malformed),
                _ => Ok(value),
            };
        }
    }
    Err(NotARecord::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_reads_back_and_has_one_form(value: u64, octets: Vec<u8>) {
            let mut out = Vec::new();
            put_number(&mut out, value);
            prop_assert_eq!(number(&out), Ok(value));
            if let Ok(value) = number(&octets) {
                let mut again = Vec::new();
                put_number(&mut again, value);
                prop_assert_eq!(again, octets);
            }
        }
    }

    #[test]
    fn the_edges_of_numbers() {
        for value in [0, 127, 128, u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, value);
            assert_eq!(number(&out), Ok(value));
        }
        let over = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        for octets in [&over[..], &[0x80, 0x00], &[0x80], &[], &[1, 1]] {
            assert_eq!(number(octets), Err(NotARecord::Malformed), "{octets:?}");
        }
    }

    #[test]
    fn a_field_cut_short_or_out_of_order_is_refused() {
        let read = |octets: &[u8]| {
            let mut reader = FieldReader::new(octets);
            while reader.next()?.is_some() {}
            Ok(())
        };
        assert_eq!(read(&[1, 1, 9, 1, 0, 2, 0]), Ok(()));
        for cut in [&[1][..], &[1, 2, 9], &[0x80], &[1, 0x80]] {
            assert_eq!(read(cut), Err(NotARecord::Truncated), "{cut:?}");
        }
        assert_eq!(read(&[2, 0, 1, 0]), Err(NotARecord::Malformed));
    }
}
