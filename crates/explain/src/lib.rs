//! Explains any reply from the table.
//!
//! What it says of a reply comes from three places: the table that the server runs on (crate `reply`), the
//! specification beside it (`spec/smtp-reply-table.toml`, which has the causes), and the small tables here:
//!
//! * [`advice`]: what the sending side should do, by code, enhanced code, and class;
//! * `ways`: how this server is brought to say it, and by which settings;
//! * [`registry`]: the enhanced codes that IANA has registered;
//! * `phrases`: what the words of other servers mean.
//!
//! A question ([`Question`]) is read from the command line or found in a line of any log ([`line`](mod@line)); the situations of
//! the table that it may be are ranked (`rank`), and an [`Explanation`] tells of them. [`CommandView`] and
//! [`StateView`] tell what may be said to a command, or in a state. [`page`] makes the two pages of all rows.
//!
//! It reads no file and asks nobody: everything is in the program.

pub mod advice;
mod dialogues;
mod explanation;
pub mod line;
pub mod names;
pub mod page;
mod phrases;
mod question;
mod rank;
pub mod registry;
mod specification;
mod state;
mod told;
mod views;
mod ways;

pub use explanation::{CodeMeaning, EnhancedMeaning, Explanation};
pub use phrases::Phrase;
pub use question::{Asked, Question};
pub use specification::{Specification, specification};
pub use state::State;
pub use told::{Here, Told};
pub use views::{Answered, CommandView, StateView};
