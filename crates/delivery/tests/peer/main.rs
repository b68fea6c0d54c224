//! Mail handed to servers by SMTP and LMTP: what became of each recipient, and how many copies of the
//! message the server took.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    reason = "a test is the server, and starts servers"
)]

mod fitting;
mod harness;
mod keeping;
mod liar;
mod own;
mod refusals;
mod trouble;
