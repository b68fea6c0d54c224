//! Carries one dispatch to its outcome.

pub mod mailbox_name;
pub mod maildir;
