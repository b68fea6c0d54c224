//! Changes to a message that is kept as it was received.

use alloc::string::String;
use alloc::vec::Vec;

/// One change. Edits apply in their order, each to the result of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A field is put in before the `index`-th field, or after the last one.
    AddField {
        /// How many fields stay before it.
        index: u32,
        /// The field's name.
        name: String,
        /// Its body, folded, without the closing CRLF.
        value: Vec<u8>,
    },
    /// The `occurrence`-th field of that name, counted from 0, gets another body.
    ChangeField {
        /// The field's name, in any case.
        name: String,
        /// Which of them.
        occurrence: u32,
        /// Its new body.
        value: Vec<u8>,
    },
    /// The `occurrence`-th field of that name is taken out.
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
