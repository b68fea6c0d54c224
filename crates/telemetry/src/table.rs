//! The macro behind the catalogue, and the kinds of values that events carry.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_reply::{QueueId, TransactionId};
use tracing::field::{DisplayValue, display};

/// How important an event is, the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Something may break, or was lost.
    Warn,
    /// What the server does for its users.
    Info,
    /// What it does otherwise.
    Debug,
}

impl From<Level> for tracing::Level {
    fn from(level: Level) -> tracing::Level {
        match level {
            Level::Error => tracing::Level::ERROR,
            Level::Warn => tracing::Level::WARN,
            Level::Info => tracing::Level::INFO,
            Level::Debug => tracing::Level::DEBUG,
        }
    }
}

/// Whatever can be shown. It may come from a peer: where it is written, it is cut when it is long,
/// and can't pretend to be anything but a value.
pub type Words<'a> = &'a dyn fmt::Display;

/// The target of the catalogue's events, by which the log knows them.
pub(crate) const TARGET: &str = "postroad";

/// A kind of value that a field has.
pub(crate) trait Field {
    /// What the reference calls it.
    const KIND: &'static str;
    /// What `tracing` records.
    type Recorded<'r>: tracing::Value
    where
        Self: 'r;

    fn recorded(&self) -> Self::Recorded<'_>;
}

macro_rules! plain_fields {
    ($($kind:ty: $words:literal),+) => { $(
        impl<'a> Field for $kind {
            const KIND: &'static str = $words;
            type Recorded<'r> = $kind;

            fn recorded(&self) -> $kind {
                *self
            }
        }
    )+ };
}

plain_fields!(u16: "number", u32: "number", u64: "number", usize: "number");

macro_rules! shown_fields {
    ($($kind:ty: $words:literal),+) => { $(
        impl<'a> Field for $kind {
            const KIND: &'static str = $words;
            type Recorded<'r> = DisplayValue<&'r $kind> where Self: 'r;

            fn recorded(&self) -> DisplayValue<&$kind> {
                display(self)
            }
        }
    )+ };
}

shown_fields!(
    QueueId: "queue id",
    IpAddr: "IP address",
    SocketAddr: "IP address and port",
    &'a str: "text",
    Words<'a>: "text"
);

impl Field for TransactionId {
    const KIND: &'static str = "number";
    type Recorded<'r> = u64;

    fn recorded(&self) -> u64 {
        self.0
    }
}

impl Field for Duration {
    const KIND: &'static str = "milliseconds";
    type Recorded<'r> = u64;

    fn recorded(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Field for UnixMs {
    const KIND: &'static str = "time";
    type Recorded<'r> = DisplayValue<Rfc3339>;

    fn recorded(&self) -> DisplayValue<Rfc3339> {
        display(Rfc3339(*self))
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: &'static str = T::KIND;
    type Recorded<'r>
        = Option<T::Recorded<'r>>
    where
        Self: 'r;

    fn recorded(&self) -> Option<T::Recorded<'_>> {
        self.as_ref().map(T::recorded)
    }
}

/// A time as RFC 3339 writes it, in UTC and with milliseconds.
pub(crate) struct Rfc3339(pub(crate) UnixMs);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0.0).unwrap_or(i64::MAX);
        // What is beyond the range of dates is shown as its last.
        let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{at:.3}")
    }
}

/// An event, as the reference shows it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) level: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) fields: Vec<FieldEntry>,
}

/// One of its fields.
#[derive(Debug)]
pub(crate) struct FieldEntry {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) doc: &'static str,
}

/// The enum of events, what each says to `tracing`, and the lines of the reference.
macro_rules! events {
    ($( $(#[doc = $doc:literal])+
        $level:ident $name:literal $event:ident {
            $( $(#[doc = $field_doc:literal])+ $field:ident: $kind:ty, )*
        }
    )+) => {
        /// Everything that the server says of itself. Each has its name and its level.
        #[must_use = "an event is said by `emit`"]
        pub enum Event<'a> {
            $( $(#[doc = $doc])+ $event { $( $(#[doc = $field_doc])+ $field: $kind, )* }, )+
        }

        impl Event<'_> {
            /// Says it, to whoever listens by `tracing`, and counts it. It never waits.
            pub fn emit(self) {
                crate::metrics::count(&self);
                match self {
                    $( Event::$event { $($field),* } => {
                        crate::metrics::add(&COUNTS[Place::$event as usize], 1);
                        tracing::event!(
                            target: crate::table::TARGET,
                            tracing::Level::$level,
                            event = $name,
                            $($field = $field.recorded(),)*
                        );
                    } )+
                }
            }

            /// The name of each, and how often it was said.
            pub(crate) fn counts() -> impl Iterator<Item = (&'static str, u64)> {
                let names = [$($name),+];
                let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
                names.into_iter().zip(COUNTS.iter().map(read))
            }
        }

        /// Where each stands among [`COUNTS`].
        enum Place { $($event),+ }

        /// How often each was said.
        static COUNTS: [AtomicU64; [$($name),+].len()] =
            [const { AtomicU64::new(0) }; [$($name),+].len()];

        impl<'a> Event<'a> {
            /// The catalogue, for the reference.
            pub(crate) fn catalogue() -> Vec<Entry> {
                vec![$( Entry {
                    name: $name,
                    level: stringify!($level),
                    doc: concat!($($doc),+),
                    fields: vec![$( FieldEntry {
                        name: stringify!($field),
                        kind: <$kind as Field>::KIND,
                        doc: concat!($($field_doc),+),
                    } ),*],
                } ),+]
            }
        }
    };
}
