//! Decides which recipients of which message are tried next, where, and how many at once.
//!
//! Pure: a driver tells it what happened and does what it says. So far, the words they say to each
//! other; the scheduler itself will have this shape:
//!
//! ```text
//! Scheduler::new(Limits)
//! offer(Offer, now) -> Result<(), Offer>       // given back where there is no room, or it is here already
//! room() -> usize                              // how many more messages may be claimed
//! poll(now) -> Option<Action>                  // until it says None
//! poll_timeout() -> Option<Mono>
//! resolved(&RouteKey, Resolved, now)
//! finished(DispatchId, Feedback, now)
//! take_back(QueueId) -> Vec<RecipientIx>       // what isn't under way; Done follows
//! closed_routes(now, most) -> Vec<RouteKey>    // for Claim::skip
//! sites(now) -> impl Iterator<Item = SiteView>
//! site_of(&RouteKey) -> Option<&SiteKey>
//! ```

mod limits;
mod talk;

use core::time::Duration;

pub use limits::{Limits, Pause};
pub use talk::{
    Action, Cause, Dispatch, DispatchId, Feedback, Offer, PutBack, Resolved, SiteKey, SiteView,
    Standing,
};

/// No answer about a route holds for less, or resolving would never end.
pub const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);
