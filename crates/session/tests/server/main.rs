//! The server's half of a session, by what it says to what it hears.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod abuse;
mod driver;
mod flow;
mod matrix;
mod message;
mod recipients;
mod tickets;
mod time;
