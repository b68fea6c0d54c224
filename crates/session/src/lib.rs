//! Decides what happens next in one SMTP or LMTP conversation, as server or as client.

#![no_std]

extern crate alloc;

pub mod client;
pub mod collector;
pub mod server;
