//! The log: a listener of `tracing` that puts the catalogue's events in a queue.

use std::fmt;
use std::sync::Arc;

use postroad_clock::UnixMs;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{Interest, SetGlobalDefaultError};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::line::{Format, Line};
use crate::queue::{Drain, Queue};
use crate::table::{Level, TARGET};

/// How lines are made.
#[derive(Clone)]
pub(crate) struct Style {
    pub(crate) format: Format,
    pub(crate) now: Arc<dyn Fn() -> UnixMs + Send + Sync>,
}

impl fmt::Debug for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.format)
    }
}

/// A log that nobody writes to yet, and the end of it where lines come out, which wants a thread
/// of its own. Events below `level` are left out; `now` says the time that lines show.
pub fn log(
    format: Format,
    level: Level,
    now: impl Fn() -> UnixMs + Send + Sync + 'static,
) -> (Log, Drain) {
    let style = Style {
        format,
        now: Arc::new(now),
    };
    let queue = Arc::new(Queue::default());
    let drain = Drain {
        queue: Arc::clone(&queue),
        style: style.clone(),
    };
    (
        Log {
            queue,
            style,
            level: tracing::Level::from(level),
        },
        drain,
    )
}

/// The end of the log where events go in.
#[derive(Debug)]
pub struct Log {
    queue: Arc<Queue>,
    style: Style,
    level: tracing::Level,
}

/// The log can't be installed: the process has one.
pub type Installed = SetGlobalDefaultError;

impl Log {
    /// Makes it the log of the whole process.
    ///
    /// # Errors
    ///
    /// If there is one already.
    pub fn install(self) -> Result<Closer, Installed> {
        let closer = Closer(Arc::clone(&self.queue));
        tracing::subscriber::set_global_default(self.subscriber())?;
        Ok(closer)
    }

    /// Makes it the log of this thread while `work` runs, and closes it then.
    pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
        let closer = Closer(Arc::clone(&self.queue));
        let result = tracing::subscriber::with_default(self.subscriber(), work);
        closer.close();
        result
    }

    fn subscriber(self) -> impl Subscriber + Send + Sync {
        tracing_subscriber::registry().with(self)
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= self.level && metadata.is_event()
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let level = event.metadata().level().as_str();
        let mut line = Line::new(self.style.format, (self.style.now)(), level);
        event.record(&mut line);
        self.queue.push(&line.finish());
    }
}

/// Ends the log.
#[derive(Debug)]
#[must_use = "without it the log never ends, and what is in its queue may be lost"]
pub struct Closer(Arc<Queue>);

impl Closer {
    /// Lets [`Drain::run`] write what is left, and return. What is said after it is lost.
    pub fn close(self) {
        self.0.close();
    }
}
