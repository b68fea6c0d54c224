//! The server's half of a session, by what it says to what it hears.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test reads its files and stands in for the store"
)]

mod abuse;
mod driver;
mod flow;
mod historic;
mod lmtp;
mod matrix;
mod message;
mod recipients;
mod roles;
mod security;
mod tickets;
mod time;
