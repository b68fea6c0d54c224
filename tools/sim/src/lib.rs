//! Crashes a node's disk from a seed and checks what survives.
//!
//! A node is a store, clients that send numbered messages, carriers that take them to Maildirs on
//! the same disk, and an operator who holds, releases, hastens and deletes some. Who has the next
//! turn, when the power goes, what of the unsynced octets and names is lost then, and what else
//! goes wrong, all comes from the seed. After each run:
//!
//! * every message that was acknowledged is in each of its mailboxes, with its exact octets, and its
//!   sender has exactly one notice if a recipient failed (unless the operator deleted it);
//! * no message that was refused is in any, nor one that was never sent;
//! * a message whose client heard nothing is there whole or not at all;
//! * nothing was delivered twice without a crash between, nothing came back that was finished, and
//!   nothing was leased to two at once;
//! * the store is empty.

mod carrier;
mod client;
mod executor;
mod ledger;
mod letter;
mod node;
mod operator;
mod plan;
mod stores;
mod trouble;

pub use ledger::Answers;
pub use node::{Report, run};
pub use plan::{Hardships, StorePlan};
pub use stores::{Simulated, SpoolWorker, Start, Started};
