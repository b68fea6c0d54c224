//! Turns bytes into commands, paths, parameters, replies and message data, and back.

#![no_std]

extern crate alloc;

pub mod address;
pub mod base64;
pub mod bdat;
pub mod command;
pub mod data;
pub mod extension;
pub mod line;
pub mod parameter;
pub mod peer;
pub mod reply;
pub mod sasl;
