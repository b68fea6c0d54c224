//! Reads and writes the parts of a message an MTA answers for: header scan, trace, edits, notices.

#![no_std]

extern crate alloc;

pub mod edit;
pub mod facts;
pub mod notice;
pub mod scan;
pub mod trace;

pub use edit::Edit;
pub use facts::Facts;
pub use scan::Scanner;
