//! Names every event once, and writes it as log and metric.
//!
//! The catalogue is [`Event`]: what is not in it can't be said. Events go through `tracing`; the
//! [`log()`] made here writes them as text for people or as JSON. It never makes its caller wait:
//! lines go to a bounded queue, and what finds no room there is dropped, counted and reported.
//! Each is counted as well, for the [`metrics()`].

#[macro_use]
mod table;

mod events;
mod line;
mod log;
mod metrics;
mod queue;
mod reference;

pub use events::Event;
pub use line::Format;
pub use log::{Closer, Installed, Log, log};
pub use metrics::{Gauges, count_reply, metrics, metrics_reference};
pub use queue::Drain;
pub use reference::reference;
pub use table::{Level, Words};
