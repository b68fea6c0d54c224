//! Reads settings out of the text's tables, and gathers what is wrong with them.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Machine;
use crate::problem::Fault;
use crate::settings::HOMES;
use crate::table::{Check, Listed, Preset, Section};
use crate::value::Value;

/// A table in the text: its key, and where it stands.
#[derive(Default)]
pub(crate) struct At {
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
}

/// A value in the text.
pub(crate) struct Found<'a> {
    pub(crate) value: &'a DeValue<'a>,
    pub(crate) span: Range<usize>,
    /// Its key from the top of the file, as in `domain[0].name`.
    pub(crate) path: String,
}

impl<'a> Found<'a> {
    pub(crate) fn new(value: &'a Spanned<DeValue<'a>>, path: String) -> Found<'a> {
        Found {
            value: value.get_ref(),
            span: value.span(),
            path,
        }
    }
}

/// The key `name` below `path`, quoted where TOML wants it.
pub(crate) fn join(path: &str, name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = match !name.is_empty() && name.chars().all(bare) {
        true => name.to_owned(),
        false => format!("{name:?}"),
    };
    match path {
        "" => name,
        path => format!("{path}.{name}"),
    }
}

/// What reading has found so far: problems, and the places of what was read.
#[derive(Default)]
pub(crate) struct Reader {
    faults: Vec<Fault>,
    places: BTreeMap<String, Range<usize>>,
}

impl Reader {
    /// One setting of a table: as written, or as preset. After a problem it is the preset too, so
    /// that the rest is still read; none if there is no preset.
    pub(crate) fn setting<T: Value>(
        &mut self,
        table: &DeTable<'_>,
        at: &At,
        line: (&str, Preset<T>, Check<T>),
        machine: &Machine,
    ) -> Option<T> {
        let (name, preset, check) = line;
        let Some(value) = table.get(name) else {
            if let Preset::Required = preset {
                let advice = format!("add a line `{name} = ...` to it");
                self.wrong_at(
                    at.span.clone(),
                    &at.path,
                    &format!("has no {name}"),
                    &advice,
                );
            }
            return preset.value(machine);
        };
        let found = Found::new(value, join(&at.path, name));
        self.place(&found);
        match T::read(&found, self) {
            Some(value) if (check.holds)(&value) => Some(value),
            Some(value) => {
                let what = format!("is {}", value.show().unwrap_or_default());
                let advice = format!(
                    "write a value {}; the default is {}",
                    check.words,
                    preset.shown().replace('`', "")
                );
                self.wrong(&found, &what, &advice);
                preset.value(machine)
            }
            None => preset.value(machine),
        }
    }

    /// A `[table]`, or what it is when it isn't there.
    pub(crate) fn table<T: Section>(
        &mut self,
        root: &DeTable<'_>,
        name: &str,
        machine: &Machine,
    ) -> Option<T> {
        let absent = DeTable::new();
        let mut table = &absent;
        let at = At {
            path: name.to_owned(),
            span: 0..0,
        };
        if let Some(value) = root.get(name) {
            let found = Found::new(value, name.to_owned());
            self.place(&found);
            match found.value {
                DeValue::Table(written) => table = written,
                _ => self.wrong(&found, "is not a table", &format!("write it as [{name}]")),
            }
        }
        self.unknown_keys(table, name, T::KEYS);
        T::read(table, &at, machine, self)
    }

    /// Each `[[list]]` entry that can be read, or what stands for them when there is none.
    pub(crate) fn list<T: Listed>(
        &mut self,
        root: &DeTable<'_>,
        name: &str,
        machine: &Machine,
    ) -> Option<Vec<T>> {
        let Some(value) = root.get(name) else {
            return Some(T::when_absent(machine));
        };
        let found = Found::new(value, name.to_owned());
        self.place(&found);
        let Some(array) = found.value.as_array() else {
            let advice = format!("write it as [[{name}]], with two brackets: there may be many");
            self.wrong(&found, "is not a list", &advice);
            return Some(T::when_absent(machine));
        };
        let entries = array.iter().enumerate();
        Some(
            entries
                .filter_map(|(index, entry)| self.entry(entry, name, index, machine))
                .collect(),
        )
    }

    fn entry<T: Section>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        name: &str,
        index: usize,
        machine: &Machine,
    ) -> Option<T> {
        let found = Found::new(value, format!("{name}[{index}]"));
        self.place(&found);
        let Some(table) = found.value.as_table() else {
            self.wrong(&found, "is not a table", &format!("write it as [[{name}]]"));
            return None;
        };
        self.unknown_keys(table, &found.path, T::KEYS);
        let at = At {
            path: found.path,
            span: found.span,
        };
        T::read(table, &at, machine, self)
    }

    /// Reports each key of `table` that is not among `known`.
    pub(crate) fn unknown_keys(&mut self, table: &DeTable<'_>, path: &str, known: &[&str]) {
        for key in table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
        {
            let advice = meant(key.get_ref(), known);
            let path = join(path, key.get_ref());
            self.wrong_at(key.span(), &path, "is not a setting", &advice);
        }
    }

    /// Remembers where a value stands.
    pub(crate) fn place(&mut self, found: &Found<'_>) {
        self.places.insert(found.path.clone(), found.span.clone());
    }

    /// Whether the file has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// Whether the value of this key was reported.
    pub(crate) fn is_wrong(&self, key: &str) -> bool {
        self.faults.iter().any(|fault| fault.key == key)
    }

    /// Reports a value.
    pub(crate) fn wrong(&mut self, found: &Found<'_>, what: &str, advice: &str) {
        self.wrong_at(found.span.clone(), &found.path, what, advice);
    }

    /// Reports what stands at `span`.
    pub(crate) fn wrong_at(&mut self, span: Range<usize>, key: &str, what: &str, advice: &str) {
        let (key, what, advice) = (key.into(), what.into(), advice.into());
        self.faults.push(Fault {
            span,
            key,
            what,
            advice,
        });
    }

    /// Reports the value of `key`.
    pub(crate) fn wrong_key(&mut self, key: &str, what: &str, advice: &str) {
        let span = self.places.get(key).cloned().unwrap_or_default();
        self.wrong_at(span, key, what, advice);
    }

    /// Reports what TOML itself does not allow.
    pub(crate) fn syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or_default();
        let advice = "the file is not TOML here; see https://toml.io/en/v1.1.0";
        self.wrong_at(span, "", error.message(), advice);
    }

    /// The problems in the order of the text, and the places.
    pub(crate) fn into_parts(mut self) -> (Vec<Fault>, BTreeMap<String, Range<usize>>) {
        self.faults.sort_by_key(|fault| fault.span.start);
        (self.faults, self.places)
    }
}

/// What was most likely meant by a name that is not among `known`.
fn meant(written: &str, known: &[&str]) -> String {
    let mut advice = match nearest(written, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("the settings here are {}", known.join(", ")),
    };
    // In TOML a line belongs to the table last named, which is easily forgotten.
    for (home, _) in HOMES.iter().filter(|(_, keys)| keys.contains(&written)) {
        advice = format!("{advice} There is a `{written}` {home}");
    }
    advice
}

/// The known name that was most likely meant, if any comes near.
fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    /// Below it, names have little more than a few letters in common (Jaro-Winkler).
    const NEAR: f64 = 0.75;
    // Names are short; what is much longer is none of them, and costs time to compare.
    if written.len() > 100 {
        return None;
    }
    let folded = written.to_lowercase().replace('-', "_");
    let likeness = |name: &&'k str| (strsim::jaro_winkler(&folded, name), *name);
    let best = known
        .iter()
        .map(likeness)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= NEAR)
        .map(|(_, name)| name)
}
