//! The server by its socket: real connections on loopback, a store in memory.
#![allow(clippy::unwrap_used)] // a test may stop where it stands
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // clients, which no simulation runs

mod client;
mod crowd;
mod drain;
mod envelopes;
mod etrn;
mod events;
mod faulty;
mod gone;
mod limits;
mod lookup;
mod message;
mod recipients;
mod reload;
mod slow;
mod stand;
mod trouble;
