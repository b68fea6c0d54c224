//! Models what we owe to whom: envelope, recipient life, retry plan, notices owed, scheduler.

#![no_std]

extern crate alloc;

pub mod envelope;
pub mod history;
pub mod id;
pub mod life;
pub mod notice;
pub mod record;
pub mod report;
pub mod retry;
pub mod scheduler;
pub mod state;

pub use envelope::{ClientTrace, Envelope, Recipient, RouteKey};
pub use history::History;
pub use id::QueueIdMaker;
pub use life::{Handover, Life, Outcome, RecipientIx};
pub use notice::{Action, Mark, NoticeState, owes};
pub use report::{Peer, Report};
pub use retry::RetryPlan;
pub use state::{Amendment, Due, MessageState};
