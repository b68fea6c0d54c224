//! Turns facts about a session or message into a verdict.
//!
//! A rule takes facts and returns a [`Verdict`]: a class and a [`Reason`], never a reply code.
//! [`Verdict::on`] puts it to a row of the reply table, which turns each reason into a reply of
//! its own ([`Judged`]): the same verdict is 450 at RCPT and 421 at the greeting.
//!
//! [`rule`] has the rules every server has, [`access`] those that a site writes itself.

pub mod access;
pub mod allowance;
pub mod guesses;
pub mod row;
pub mod rule;
pub mod verdict;

pub use row::Judged;
pub use rule::{ConnectionLimits, Connections, Relay};
pub use verdict::{Decision, Reason, Verdict};
