//! Says which replies each command may get, in which state, and why.
//!
//! The heart is [`table`]: for each command its phases, and every [`Situation`] that may answer
//! it, with code, enhanced codes, text and source. From it come, for each command, four enums
//! that say *who* may speak:
//!
//! | enum | speaker | says |
//! |---|---|---|
//! | `RcptReply` | a handler or a policy | what was decided about a well-formed, legal command |
//! | `RcptGate` | the session, before any handler | sequence, switched off, TLS, its own limits |
//! | `RcptSyntax` | the parser | unreadable or malformed: 500, 501, 555 |
//! | `RcptLife` | the session's life cycle | 421, and what a closed listener says |
//!
//! So a handler of RCPT can hold neither 503 nor 421. A value of any of them becomes an
//! [`Answer`], to which an own [`Text`] or [`Enhanced`] code may be added, and that becomes the
//! [`Reply`] the encoder writes. There is no other way to make a `Reply`.
//!
//! `spec/smtp-reply-table.toml` is the specification; a test proves that it and the table say the
//! same in both directions.

#![no_std]

extern crate alloc;

pub mod answer;
mod classic;
pub mod closing;
pub mod code;
pub mod command;
pub mod phase;
pub mod receipt;
pub mod situation;
pub mod table;
pub mod text;

pub use answer::{Answer, Reply, WrongClass};
pub use closing::Closing;
pub use code::{Code, Enhanced, Severity};
pub use command::{Command, Meaning, Row};
pub use phase::Phase;
pub use receipt::{NotAQueueId, QueueId, Receipt, TransactionId};
pub use situation::{Reach, Situated, Situation, Source, Speaker};
pub use table::*;
pub use text::{Lines, Rule, Text};
