//! How a site does: its window, and whether it is open.

use alloc::sync::Arc;

use postroad_clock::Mono;

use super::limits::Pause;
use super::talk::{DispatchId, Feedback, Standing};
use super::window::Window;
use crate::report::MOST_WORDS;

/// How a site does.
#[derive(Debug)]
pub(super) struct Health {
    window: Window,
    standing: Standing,
    /// How often it was closed since something last worked.
    pauses: u32,
    /// What was dispatched before this was so before the site was last closed: that it fails, too,
    /// is no news.
    since: DispatchId,
    last_trouble: Option<(Mono, Arc<str>)>,
}

impl Health {
    pub(super) fn new(window: Window) -> Health {
        Health {
            window,
            standing: Standing::Open { troubles: 0 },
            pauses: 0,
            since: DispatchId(0),
            last_trouble: None,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    pub(super) fn closed_until(&self) -> Option<Mono> {
        match self.standing {
            Standing::Closed { until } => Some(until),
            Standing::Open { .. } | Standing::Probing => None,
        }
    }

    /// How many dispatches may be under way now.
    pub(super) fn window(&self) -> u32 {
        match self.standing {
            Standing::Open { .. } => self.window.size(),
            Standing::Closed { .. } => 0,
            Standing::Probing => 1,
        }
    }

    pub(super) fn largest_window(&self) -> u32 {
        self.window.largest()
    }

    pub(super) fn set_largest_window(&mut self, largest: u32) {
        self.window.set_largest(largest);
    }

    pub(super) fn last_trouble(&self) -> Option<&(Mono, Arc<str>)> {
        self.last_trouble.as_ref()
    }

    /// The pause is over.
    pub(super) fn probe(&mut self) {
        self.standing = Standing::Probing;
    }

    /// What `dispatch` said at `now`; `next` is what the next dispatch is called.
    pub(super) fn hear(
        &mut self,
        dispatch: DispatchId,
        next: DispatchId,
        feedback: Feedback,
        now: Mono,
        pause: &Pause,
    ) {
        match feedback {
            Feedback::Worked => {
                self.window.worked();
                self.standing = Standing::Open { troubles: 0 };
                self.pauses = 0;
            }
            Feedback::Neutral => {}
            Feedback::Busy(words) => {
                self.last_trouble = Some((now, short(words)));
                if self.window.least_was_too_much(dispatch) {
                    self.trouble(dispatch, next, now, pause);
                } else {
                    self.window.busy(dispatch, next);
                }
            }
            Feedback::Trouble(words) => {
                self.last_trouble = Some((now, short(words)));
                self.window.trouble(dispatch, next);
                self.trouble(dispatch, next, now, pause);
            }
        }
    }

    /// Counts a trouble, and closes the site if it is one too many or that of a probe.
    fn trouble(&mut self, dispatch: DispatchId, next: DispatchId, now: Mono, pause: &Pause) {
        if dispatch < self.since {
            return;
        }
        if let Standing::Open { troubles } = self.standing
            && troubles + 1 < pause.after
        {
            self.standing = Standing::Open {
                troubles: troubles + 1,
            };
            return;
        }
        self.standing = Standing::Closed {
            until: now + pause.length(self.pauses),
        };
        self.pauses = self.pauses.saturating_add(1);
        self.since = next;
    }
}

/// At most [`MOST_WORDS`] octets, whole characters.
pub(super) fn short(words: Arc<str>) -> Arc<str> {
    match words.floor_char_boundary(MOST_WORDS) {
        end if end < words.len() => Arc::from(&words[..end]),
        _ => words,
    }
}
