//! The macro behind the table of settings, and what a line of it says.

use std::fmt;

use toml::de::DeTable;

use crate::Machine;
use crate::read::{At, Reader};
use crate::value::Value;

/// When a changed setting takes effect, once a running server reads its file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reload {
    /// At once. A transaction under way keeps what it began with.
    Live,
    /// For connections opened after it.
    NextConnection,
    /// When the server is started again.
    Restart,
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reload::Live => "live",
            Reload::NextConnection => "next connection",
            Reload::Restart => "restart",
        })
    }
}

/// A setting that has another value in another configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which, as in `limits.recipients` or `domain[0].aliases`. A list of another length is one
    /// change, by its name: `domain`.
    pub setting: String,
    /// When the new value can take effect.
    pub reload: Reload,
}

/// One setting, as the reference shows it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: &'static str,
    pub(crate) kind: String,
    pub(crate) default: String,
    pub(crate) check: String,
    pub(crate) reload: Reload,
    pub(crate) doc: &'static str,
}

/// The value of a setting that the file leaves out.
pub(crate) enum Preset<T> {
    /// There is none: it must be written.
    Required,
    /// Always this one.
    Is(T),
    /// One that the machine decides, and what the reference says of it.
    Machine(fn(&Machine) -> T, &'static str),
}

pub(crate) fn required<T>() -> Preset<T> {
    Preset::Required
}

pub(crate) fn is<T>(value: impl Into<T>) -> Preset<T> {
    Preset::Is(value.into())
}

pub(crate) fn unset<T>() -> Preset<Option<T>> {
    Preset::Is(None)
}

impl<T: Value> Preset<T> {
    pub(crate) fn value(self, machine: &Machine) -> Option<T> {
        match self {
            Preset::Required => None,
            Preset::Is(value) => Some(value),
            Preset::Machine(ask, _) => Some(ask(machine)),
        }
    }

    /// As it would be written, or in words.
    pub(crate) fn shown(&self) -> String {
        match self {
            Preset::Required => "required".into(),
            Preset::Is(value) => value
                .show()
                .map_or("unset".into(), |shown| format!("`{shown}`")),
            Preset::Machine(_, words) => (*words).into(),
        }
    }
}

/// What values of its type a setting may have.
pub(crate) struct Check<T> {
    /// As the reference shows it; empty where there is nothing to say.
    pub(crate) words: String,
    pub(crate) holds: Box<dyn Fn(&T) -> bool>,
}

/// Every value that its type can hold.
pub(crate) fn any<T>() -> Check<T> {
    Check {
        words: String::new(),
        holds: Box::new(|_| true),
    }
}

/// From `least` to `most`, both included.
pub(crate) fn within<T: Value + PartialOrd + 'static>(least: T, most: T) -> Check<T> {
    let show = |bound: &T| bound.show().unwrap_or_default();
    Check {
        words: format!("from {} to {}", show(&least), show(&most)),
        holds: Box::new(move |value| *value >= least && *value <= most),
    }
}

/// A group of settings: the top of the file, a `[table]`, or one of a `[[list]]`.
pub(crate) trait Section: Sized {
    /// The names of its settings.
    const KEYS: &'static [&'static str];

    /// Reads it from `table`, whose key is `path`; none if a setting that must be there isn't.
    fn read(table: &DeTable<'_>, at: &At, machine: &Machine, reader: &mut Reader) -> Option<Self>;

    /// Its lines of the table.
    fn entries() -> Vec<Entry>;

    /// Notes which of its settings have another value in `new`; its own key is `at`, empty at the
    /// top.
    fn compare(&self, new: &Self, at: &str, changes: &mut Vec<Change>);
}

/// A section that may be written many times.
pub(crate) trait Listed: Section {
    /// What stands in the file's stead when it has none.
    fn when_absent(machine: &Machine) -> Vec<Self>;
    /// The same in words, for the reference.
    const WHEN_ABSENT: &'static str;

    /// Notes what is different in a list of another configuration.
    fn compare_lists(old: &[Self], new: &[Self], at: &str, changes: &mut Vec<Change>) {
        if old.len() == new.len() {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                old.compare(new, &format!("{at}[{index}]"), changes);
            }
            return;
        }
        // An entry more or less is as hard as the hardest of its settings.
        let reloads = Self::entries().into_iter().map(|entry| entry.reload);
        changes.push(Change {
            setting: at.to_owned(),
            reload: reloads.max().unwrap_or(Reload::Restart),
        });
    }
}

/// One section: its struct, its reader and its lines of the reference, from one table.
macro_rules! section {
    ([$($doc:literal)+] $name:ident {
        $( $(#[doc = $field_doc:literal])+
           $field:ident: $kind:ty = $preset:expr, $check:expr, $reload:ident; )+
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ pub $field: $kind, )+
        }

        impl Section for $name {
            const KEYS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn read(
                table: &DeTable<'_>,
                at: &At,
                machine: &Machine,
                reader: &mut Reader,
            ) -> Option<Self> {
                // Each is read before any is given up, so that all problems show at once.
                $( let $field: Option<$kind> =
                    reader.setting(table, at, (stringify!($field), $preset, $check), machine); )+
                Some($name { $($field: $field?,)+ })
            }

            fn entries() -> Vec<Entry> {
                vec![$({
                    let preset: Preset<$kind> = $preset;
                    let check: Check<$kind> = $check;
                    Entry {
                        key: stringify!($field),
                        kind: <$kind as Value>::kind(),
                        default: preset.shown(),
                        check: check.words,
                        reload: Reload::$reload,
                        doc: concat!($($field_doc),+),
                    }
                }),+]
            }

            fn compare(&self, new: &Self, at: &str, changes: &mut Vec<Change>) {
                $( if self.$field != new.$field {
                    changes.push(Change {
                        setting: crate::read::join(at, stringify!($field)),
                        reload: Reload::$reload,
                    });
                } )+
            }
        }
    };
}

/// The whole file: its sections, in the order of the reference.
macro_rules! settings {
    ($( $(#[doc = $doc:literal])+
        $shape:ident $field:ident: $name:ident { $($body:tt)+ } )+) => {
        $( section! { [$($doc)+] $name { $($body)+ } } )+

        /// Every setting, with its checked value.
        #[derive(Debug, Clone)]
        pub struct Config {
            $( $(#[doc = $doc])+ pub $field: settings!(@type $shape $name), )+
            pub(crate) origin: crate::problem::Origin,
        }

        /// Reads the sections from the top of the file.
        pub(crate) fn read_all(
            root: &DeTable<'_>,
            machine: &Machine,
            reader: &mut Reader,
        ) -> Option<Config> {
            let mut known: Vec<&'static str> = Vec::new();
            $( settings!(@known $shape $name $field known); )+
            reader.unknown_keys(root, "", &known);
            $( let $field = settings!(@read $shape $name $field root machine reader); )+
            Some(Config { $($field: $field?,)+ origin: Default::default() })
        }

        impl Config {
            /// Which settings have another value in `new`, in the order of the reference.
            pub fn changes(&self, new: &Config) -> Vec<Change> {
                let mut changes = Vec::new();
                $( settings!(@compare $shape $name $field self new changes); )+
                changes
            }
        }

        /// Where each setting is at home.
        pub(crate) const HOMES: &[(&str, &[&str])] =
            &[$( (settings!(@home $shape $field), <$name as Section>::KEYS) ),+];

        /// The sections as the reference shows them.
        pub(crate) fn chapters() -> Vec<Chapter> {
            vec![$( Chapter {
                heading: settings!(@heading $shape $field),
                doc: concat!($($doc),+),
                when_absent: settings!(@absent $shape $name),
                entries: <$name as Section>::entries(),
            } ),+]
        }
    };

    (@type list $name:ident) => { Vec<$name> };
    (@type $shape:ident $name:ident) => { $name };

    (@known top $name:ident $field:ident $known:ident) => {
        $known.extend(<$name as Section>::KEYS)
    };
    (@known $shape:ident $name:ident $field:ident $known:ident) => {
        $known.push(stringify!($field))
    };

    (@read top $name:ident $field:ident $root:ident $machine:ident $reader:ident) => {
        <$name as Section>::read($root, &At::default(), $machine, $reader)
    };
    (@read table $name:ident $field:ident $root:ident $machine:ident $reader:ident) => {
        $reader.table::<$name>($root, stringify!($field), $machine)
    };
    (@read list $name:ident $field:ident $root:ident $machine:ident $reader:ident) => {
        $reader.list::<$name>($root, stringify!($field), $machine)
    };

    (@compare top $name:ident $field:ident $old:ident $new:ident $changes:ident) => {
        $old.$field.compare(&$new.$field, "", &mut $changes)
    };
    (@compare table $name:ident $field:ident $old:ident $new:ident $changes:ident) => {
        $old.$field.compare(&$new.$field, stringify!($field), &mut $changes)
    };
    (@compare list $name:ident $field:ident $old:ident $new:ident $changes:ident) => {
        <$name as Listed>::compare_lists(&$old.$field, &$new.$field, stringify!($field), &mut $changes)
    };

    (@heading top $field:ident) => { "At the top of the file" };
    (@heading table $field:ident) => { concat!("`[", stringify!($field), "]`") };
    (@heading list $field:ident) => { concat!("`[[", stringify!($field), "]]`") };

    (@home top $field:ident) => { "at the top of the file" };
    (@home $shape:ident $field:ident) => { concat!("in ", settings!(@heading $shape $field)) };

    (@absent list $name:ident) => { Some(<$name as Listed>::WHEN_ABSENT) };
    (@absent $shape:ident $name:ident) => { None };
}

/// A section, as the reference shows it.
#[derive(Debug)]
pub(crate) struct Chapter {
    pub(crate) heading: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) when_absent: Option<&'static str>,
    pub(crate) entries: Vec<Entry>,
}
