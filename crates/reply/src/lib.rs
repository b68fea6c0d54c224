//! Says which replies each command may get, in which state, and why.

#![no_std]

extern crate alloc;

pub mod receipt;

pub use receipt::{NotAQueueId, QueueId, Receipt, TransactionId};
