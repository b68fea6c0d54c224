//! Carries one dispatch to its outcome.
//!
//! * [`runner`]: the loop that does what the scheduler says; `handle`: what is said to it; `looks`: when it claims; `say`: what it tells the
//!   store;
//! * `active`: the messages that are being delivered; [`deliverer`]: what is done with one;
//! * [`next_hop`]: where mail goes; [`parcel`]: what a transport is given and says;
//! * the transports: [`into_maildirs`], with [`maildir`], `into_terminals`, with `terminal_text`, [`peer`], and [`on_demand`] over a peer's own connection;
//! * [`outcome`]: when to try again, when to give up; [`notice`]: what the sender is told.

mod active;
mod content;
pub mod deliverer;
mod handle;
pub mod into_maildirs;
mod into_terminals;
mod looks;
pub mod mailbox_name;
pub mod maildir;
pub mod next_hop;
pub mod notice;
pub mod on_demand;
pub mod outcome;
pub mod parcel;
pub mod peer;
pub mod runner;
mod say;
mod terminal_text;

pub use deliverer::Deliverer;
pub use handle::{Handle, InFlight};
pub use maildir::{Held, Maildirs};
pub use next_hop::{NextHop, NextHops, NoMailbox};
pub use notice::Notices;
pub use on_demand::{Call, OnDemand};
pub use outcome::Patience;
pub use parcel::{Carried, Parcel, Verdict};
pub use runner::{Pace, Runner};
