//! Models what we owe to whom: envelope, recipient life, retry plan, notices owed, scheduler.

#![no_std]

extern crate alloc;

pub mod envelope;
pub mod id;
pub mod life;
pub mod record;
pub mod retry;
pub mod scheduler;
pub mod state;

pub use envelope::{ClientTrace, Envelope, Recipient, RouteKey};
pub use id::QueueIdMaker;
pub use life::{Life, NoticeState, Outcome, RecipientIx};
pub use retry::RetryPlan;
pub use state::{Amendment, Due, MessageState};
