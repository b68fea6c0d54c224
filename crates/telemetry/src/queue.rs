//! The bounded queue between those who say something and the one who writes it down.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::events::DROPPED;
use crate::line::Line;
use crate::log::Style;

/// How many octets of lines may wait to be written.
const ROOM: usize = 4 << 20;

/// How long lines gather after others were written: each write takes a system call, and each wake of the
/// writer one more and its turn on a core.
const GATHER: Duration = Duration::from_millis(10);

/// Lines on their way.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines.
    text: String,
    lines: u64,
    dropped: u64,
    /// The writer waits to be woken.
    idle: bool,
    closed: bool,
}

/// What was taken from the queue at once.
struct Batch {
    text: String,
    lines: u64,
    /// Lines that found no room before this batch was taken.
    dropped: u64,
    /// Nothing comes after it.
    last: bool,
}

impl Queue {
    /// Puts a line in, or drops and counts it where there is no room. Nobody holds the lock for
    /// longer than it takes to copy a line, so this doesn't wait for the writer.
    pub(crate) fn push(&self, line: &str) {
        let mut state = self.state();
        if state.closed || state.text.len() + line.len() > ROOM {
            state.dropped += 1;
            return;
        }
        state.text.push_str(line);
        state.lines += 1;
        if std::mem::take(&mut state.idle) {
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Says that nothing comes any more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Waits for something to write, and takes all of it.
    fn take(&self) -> Batch {
        let mut state = self.state();
        while state.text.is_empty() && !state.closed {
            state.idle = true;
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        Batch {
            text: std::mem::take(&mut state.text),
            lines: std::mem::take(&mut state.lines),
            dropped: std::mem::take(&mut state.dropped),
            last: state.closed,
        }
    }

    /// Lets lines gather; the end of the log isn't waited for.
    fn gather(&self) {
        let open = |state: &mut State| !state.closed;
        drop(self.changed.wait_timeout_while(self.state(), GATHER, open));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the queue where lines are written. It belongs to a thread of its own.
#[derive(Debug)]
#[must_use = "nothing is written until it runs"]
pub struct Drain {
    pub(crate) queue: Arc<Queue>,
    pub(crate) style: Style,
}

impl Drain {
    /// Writes what comes until the log is closed, and then what is left. It blocks.
    ///
    /// What can't be written is lost, and counted like what found no room: the first batch that
    /// can be written again ends with how many there were.
    pub fn run(self, mut out: impl Write) {
        let mut lost = 0;
        loop {
            let batch = self.queue.take();
            lost += batch.dropped;
            if out.write_all(batch.text.as_bytes()).is_err() {
                lost += batch.lines;
            }
            if lost > 0 && out.write_all(self.dropped(lost).as_bytes()).is_ok() {
                lost = 0;
            }
            // Of an error here nobody is left to hear.
            let _ = out.flush();
            if batch.last {
                return;
            }
            self.queue.gather();
        }
    }

    fn dropped(&self, lines: u64) -> String {
        let mut line = Line::new(self.style.format, (self.style.now)(), "WARN");
        line.event(DROPPED);
        line.number("lines", lines);
        line.finish()
    }
}
