//! Changes to a message that is kept as it was received.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use memchr::memmem;

/// One change. Edits apply in their order, each to the result of those before it.
///
/// They see the received octets only: the trace fields of this server stand before them and are
/// neither counted nor changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A field is put in before the `index`-th field, or after the last one.
    AddField {
        /// How many fields stay before it.
        index: u32,
        /// The field's name.
        name: String,
        /// All that stands after its colon, a leading space included, folded, without the
        /// closing CRLF.
        value: Vec<u8>,
    },
    /// The `occurrence`-th field of that name, counted from 0, gets another body. Without such a
    /// field nothing changes.
    ChangeField {
        /// The field's name, in any case.
        name: String,
        /// Which of them.
        occurrence: u32,
        /// All that is to stand after its colon, as in [`Edit::AddField`].
        value: Vec<u8>,
    },
    /// The `occurrence`-th field of that name is taken out. Without such a field nothing changes.
    RemoveField {
        /// The field's name, in any case.
        name: String,
        /// Which of them.
        occurrence: u32,
    },
    /// The body is another one.
    ReplaceBody {
        /// The new body.
        body: Vec<u8>,
    },
}

/// The received octets with the edits made.
///
/// Without edits, which is the ordinary case, these are the same octets, uncopied; a caller with
/// no edits to make need not bring a message together in memory at all.
pub fn apply(edits: &[Edit], received: Bytes) -> Bytes {
    if edits.is_empty() {
        return received;
    }
    let mut parts = Parts::split(&received);
    for edit in edits {
        parts.apply(edit);
    }
    Bytes::from(parts.join())
}

/// A message taken apart: joined without an edit it is the same octets again.
struct Parts {
    /// Each with its folded lines and its CRLF.
    fields: Vec<Vec<u8>>,
    /// There is an empty line between header section and body.
    separated: bool,
    body: Vec<u8>,
}

impl Parts {
    /// Ends the header section where [`Scanner`](crate::Scanner) does.
    fn split(message: &[u8]) -> Parts {
        let mut fields: Vec<Vec<u8>> = Vec::new();
        let mut rest = message;
        loop {
            let end = memmem::find(rest, b"\r\n").map_or(rest.len(), |at| at + 2);
            let line = &rest[..end];
            if line == b"\r\n" {
                return Parts {
                    fields,
                    separated: true,
                    body: rest[2..].to_vec(),
                };
            }
            match (line.first(), fields.last_mut()) {
                (Some(b' ' | b'\t'), Some(field)) => field.extend_from_slice(line),
                _ if name_of(line).is_some() => fields.push(line.to_vec()),
                _ => {
                    return Parts {
                        fields,
                        separated: false,
                        body: rest.to_vec(),
                    };
                }
            }
            rest = &rest[end..];
        }
    }

    fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::AddField { index, name, value } => {
                self.end_last_field();
                let at = usize::try_from(*index).unwrap_or(usize::MAX);
                self.fields
                    .insert(at.min(self.fields.len()), field(name.as_bytes(), value));
                self.separate();
            }
            Edit::ChangeField {
                name,
                occurrence,
                value,
            } => {
                if let Some(at) = self.find(name, *occurrence) {
                    // The name stays as the sender wrote it.
                    let written = name_of(&self.fields[at]).unwrap_or(name.as_bytes());
                    self.fields[at] = field(written, value);
                }
            }
            Edit::RemoveField { name, occurrence } => {
                if let Some(at) = self.find(name, *occurrence) {
                    self.fields.remove(at);
                }
            }
            Edit::ReplaceBody { body } => {
                self.end_last_field();
                self.body.clone_from(body);
                self.separated = true;
            }
        }
    }

    fn find(&self, name: &str, occurrence: u32) -> Option<usize> {
        let same = |field: &Vec<u8>| {
            name_of(field).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
        };
        self.fields
            .iter()
            .enumerate()
            .filter(|(_, field)| same(field))
            .nth(usize::try_from(occurrence).ok()?)
            .map(|(at, _)| at)
    }

    /// A message may end in the middle of a field; what comes after it must not continue it.
    fn end_last_field(&mut self) {
        if let Some(last) = self.fields.last_mut()
            && !last.ends_with(b"\r\n")
        {
            last.extend_from_slice(b"\r\n");
        }
    }

    /// A body that came without an empty line before it must not become part of the header section.
    fn separate(&mut self) {
        self.separated |= !self.body.is_empty();
    }

    fn join(self) -> Vec<u8> {
        let mut message = self.fields.concat();
        if self.separated {
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(&self.body);
        message
    }
}

fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b":", value, b"\r\n"].concat()
}

/// The name of the field a line begins (RFC 5322 3.6.8; white space before the colon as in 4.5).
fn name_of(line: &[u8]) -> Option<&[u8]> {
    let end = line
        .iter()
        .position(|o| !(33..=126).contains(o) || *o == b':')?;
    let after = line[end..].iter().find(|o| !matches!(o, b' ' | b'\t'))?;
    (end > 0 && *after == b':').then(|| &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;
    use alloc::string::ToString;
    use proptest::prelude::*;

    const MESSAGE: &str = "A: 1\r\nB: 2\r\n folded\r\na: 3\r\n\r\nbody\r\n";

    fn edited(edits: impl IntoIterator<Item = Edit>, message: &str) -> String {
        let edits: Vec<Edit> = edits.into_iter().collect();
        let edited = apply(&edits, Bytes::copy_from_slice(message.as_bytes()));
        String::from_utf8(edited.to_vec()).expect("these tests are in UTF-8")
    }

    fn add(index: u32) -> Edit {
        Edit::AddField {
            index,
            name: "N".to_string(),
            value: b" new".to_vec(),
        }
    }

    #[test]
    fn a_field_is_added_where_it_should_be() {
        let expected = [
            (
                0,
                "N: new\r\nA: 1\r\nB: 2\r\n folded\r\na: 3\r\n\r\nbody\r\n",
            ),
            (
                2,
                "A: 1\r\nB: 2\r\n folded\r\nN: new\r\na: 3\r\n\r\nbody\r\n",
            ),
            (
                99,
                "A: 1\r\nB: 2\r\n folded\r\na: 3\r\nN: new\r\n\r\nbody\r\n",
            ),
        ];
        for (index, message) in expected {
            assert_eq!(edited([add(index)], MESSAGE), message);
        }
    }

    #[test]
    fn a_body_without_a_header_section_stays_the_body() {
        assert_eq!(edited([add(0)], "plain\r\n"), "N: new\r\n\r\nplain\r\n");
        assert_eq!(edited([add(9)], "A: unended"), "A: unended\r\nN: new\r\n");
    }

    #[test]
    fn the_named_occurrence_is_changed_and_removed() {
        let change = Edit::ChangeField {
            name: "a".to_string(),
            occurrence: 1,
            value: b" x\r\n y".to_vec(),
        };
        let remove = Edit::RemoveField {
            name: "b".to_string(),
            occurrence: 0,
        };
        assert_eq!(
            edited([change.clone()], MESSAGE),
            "A: 1\r\nB: 2\r\n folded\r\na: x\r\n y\r\n\r\nbody\r\n"
        );
        assert_eq!(
            edited([remove.clone()], MESSAGE),
            "A: 1\r\na: 3\r\n\r\nbody\r\n"
        );
        let missing = Edit::RemoveField {
            name: "A".to_string(),
            occurrence: 2,
        };
        assert_eq!(edited([missing], MESSAGE), MESSAGE);
        // In order: after the first A is gone, the second is number 0, and number 1 is none.
        let first = Edit::RemoveField {
            name: "A".to_string(),
            occurrence: 0,
        };
        assert_eq!(
            edited([first, change], MESSAGE),
            "B: 2\r\n folded\r\na: 3\r\n\r\nbody\r\n"
        );
    }

    #[test]
    fn a_body_is_replaced() {
        let replace = Edit::ReplaceBody {
            body: b"other".to_vec(),
        };
        assert_eq!(
            edited([replace.clone()], MESSAGE),
            "A: 1\r\nB: 2\r\n folded\r\na: 3\r\n\r\nother"
        );
        assert_eq!(edited([replace], "A: 1"), "A: 1\r\n\r\nother");
    }

    #[test]
    fn without_edits_the_octets_are_not_copied() {
        let received = Bytes::from_static(b"A: 1\r\n\r\nbody");
        assert_eq!(apply(&[], received.clone()).as_ptr(), received.as_ptr());
    }

    proptest! {
        #[test]
        fn taken_apart_and_joined_it_is_the_same(
            message in "((A|Received|é|:| |\t|x|\r\n|\r\n|\r|\n){0,40})"
        ) {
            let octets = message.as_bytes();
            let parts = Parts::split(octets);
            // The scan and the edits agree on where the header section ends.
            let received = parts.fields.iter().filter(
                |f| name_of(f).is_some_and(|n| n.eq_ignore_ascii_case(b"Received"))
            ).count();
            let mut scanner = Scanner::new();
            scanner.push(octets);
            prop_assert_eq!(scanner.finish().received_count as usize, received);
            prop_assert_eq!(parts.join(), octets);
        }
    }
}
