//! Models what we owe to whom: envelope, recipient life, retry plan, notices owed, scheduler.

#![no_std]

extern crate alloc;

pub mod envelope;
pub mod life;

pub use envelope::{ClientTrace, Envelope, Recipient, RouteKey};
pub use life::{Life, NoticeState, Outcome, RecipientIx};
