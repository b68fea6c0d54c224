//! Walks the reply table against any SMTP server and judges every reply.
//!
//! * [`checks`]: what is asked, as data: each [`Check`] says from which [`State`] of a conversation what is
//!   sent, which replies are right, and where that is written;
//! * [`judge`]: one reply, held against what was expected and against the table of `postroad-reply`;
//! * [`hygiene`]: what every reply must keep to, whatever it answers;
//! * [`walk`]: plays the checks over connections, as a good guest: at a rate, bounded, and without
//!   completing a transaction unless it may;
//! * [`report`]: what was found, for people and for programs; [`exceptions`]: what is borne, with the reason.
//!
//! All but `walk` is pure: it takes octets and gives values.

pub mod check;
pub mod checks;
pub mod codes;
pub mod exceptions;
pub mod finding;
pub mod hygiene;
pub mod judge;
pub mod octets;
pub mod profile;
pub mod reply;
pub mod report;
pub mod target;
pub mod walk;

pub use check::{Check, Group, State, Step};
pub use codes::Codes;
pub use finding::{Finding, Verdict};
pub use judge::Expect;
pub use profile::Profile;
pub use reply::Heard;
pub use report::Report;
pub use target::Target;
