//! The API over a real Unix socket, on a queue in memory.

// Tests may stop, and have files and sockets of their own.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod acting;
mod description;
mod listing;
mod refusing;
mod showing;
mod stand;
