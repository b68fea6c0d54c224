//! The server's half of a session, by what it says to what it hears.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "they make receipts and read the golden file"
)]

mod abuse;
mod driver;
mod flow;
mod matrix;
mod message;
mod recipients;
mod tickets;
mod time;
