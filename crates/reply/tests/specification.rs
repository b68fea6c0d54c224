//! Proves that the table in the code and `spec/smtp-reply-table.toml` say the same, in both
//! directions.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // A test reads files, and may fail.
#![allow(clippy::print_stdout)] // It says when it had nothing to compare with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use postroad_reply::{Command, Reach, Situation, Source};
use serde::Deserialize;

#[derive(Deserialize)]
struct Specification {
    meta: Meta,
    code: Vec<CodeText>,
    command: Vec<CommandRows>,
    addition: Vec<Addition>,
}

#[derive(Deserialize)]
struct Meta {
    classic_code_count: usize,
    classic_row_count: usize,
    classic_command_count: usize,
}

#[derive(Deserialize)]
struct CodeText {
    code: u16,
}

#[derive(Deserialize)]
struct CommandRows {
    name: String,
    verb: String,
    enhanced_on_wire: bool,
    codes: Vec<u16>,
    reply: Vec<Row>,
}

#[derive(Deserialize)]
struct Addition {
    command: String,
    #[serde(flatten)]
    row: Row,
}

#[derive(Deserialize)]
struct Row {
    code: u16,
    text: String,
    wire: Option<String>,
    enhanced: Vec<String>,
    reach: String,
    #[serde(default)]
    closes: bool,
}

/// What names a row or an addition.
type Key = (String, u16, Source);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn specification() -> Specification {
    let text = std::fs::read_to_string(root().join("spec/smtp-reply-table.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

fn rows(specification: &Specification) -> BTreeMap<Key, &Row> {
    let classic = specification.command.iter().flat_map(|command| {
        command
            .reply
            .iter()
            .map(|row| ((command.name.clone(), row.code, Source::Row), row))
    });
    let additions = specification.addition.iter().map(|addition| {
        let key = (
            addition.command.clone(),
            addition.row.code,
            Source::Addition,
        );
        (key, &addition.row)
    });
    classic.chain(additions).collect()
}

fn situations() -> BTreeMap<Key, Vec<&'static Situation>> {
    let mut found = BTreeMap::<Key, Vec<_>>::new();
    for situation in Situation::all() {
        let key = (
            situation.command.name().to_owned(),
            situation.code.number(),
            situation.source,
        );
        found.entry(key).or_default().push(situation);
    }
    found
}

#[test]
fn the_rows_of_the_specification_and_of_the_table_are_the_same() {
    let specification = specification();
    let wanted: BTreeSet<Key> = rows(&specification).into_keys().collect();
    let held: BTreeSet<Key> = situations().into_keys().collect();
    let missing: Vec<_> = wanted.difference(&held).collect();
    let surplus: Vec<_> = held.difference(&wanted).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing in the code: {missing:?}\nnot in the specification: {surplus:?}"
    );
    assert_eq!(
        wanted.len(),
        specification.meta.classic_row_count + specification.addition.len(),
        "a row or an addition stands there twice"
    );
}

#[test]
fn each_situation_says_what_its_row_says() {
    let specification = specification();
    let situations = situations();
    for (key, row) in rows(&specification) {
        let enhanced: BTreeSet<String> = row.enhanced.iter().cloned().collect();
        let mut carried = BTreeSet::new();
        for situation in &situations[&key] {
            let own: BTreeSet<String> = situation.enhanced.iter().map(|e| e.to_string()).collect();
            assert!(
                own.is_subset(&enhanced),
                "{key:?} {}: {own:?}",
                situation.name
            );
            carried.extend(own);
            if situation.labels() != ("any", "ChunkFailed") {
                assert_eq!(
                    reach(situation.reach),
                    row.reach,
                    "{key:?} {}",
                    situation.name
                );
            }
            assert_eq!(situation.closes, row.closes, "{key:?} {}", situation.name);
        }
        assert_eq!(
            carried, enhanced,
            "{key:?}: an enhanced code no situation carries"
        );
    }
}

/// `any 503` of the specification is what follows a 554 greeting, and so within reach by
/// configuration only. The same code and command answer what RFC 3030 2 forbids after a failed
/// chunk, which any client can come to: the one situation with another reach than its row.
#[test]
fn the_one_situation_with_another_reach_is_still_that() {
    let found: Vec<_> = Situation::all()
        .filter(|s| s.labels() == ("any", "ChunkFailed"))
        .map(|s| (s.code.number(), s.reach))
        .collect();
    assert_eq!(found, [(503, Reach::Default)]);
}

fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Default => "default",
        Reach::Config => "config",
        Reach::Fault => "fault",
        Reach::Historic => "historic",
    }
}

#[test]
fn each_row_has_a_situation_in_the_words_of_the_specification() {
    let specification = specification();
    let situations = situations();
    for (key, row) in rows(&specification) {
        let words = row.wire.as_ref().unwrap_or(&row.text);
        let (domain_first, words) = match words.strip_prefix("<domain> ") {
            Some(words) => (true, words),
            None => (false, words.as_str()),
        };
        // These two stand for several situations each, and say both.
        let parts = match &key {
            (c, 530, _) if c == "MAIL" => vec!["Authentication required"],
            (c, 501, _) if c == "AUTH" => vec!["Cannot decode response", "uthentication cancelled"],
            _ => vec![words.trim_end_matches(" <forward-path>")],
        };
        for part in parts {
            assert!(
                situations[&key]
                    .iter()
                    .any(|s| s.text.ends_with(part) && (s.domain_first || !domain_first)),
                "{key:?}: no situation says {part:?}"
            );
        }
    }
}

#[test]
fn the_classic_counts_and_the_classic_order_hold() {
    let specification = specification();
    let meta = &specification.meta;
    assert_eq!(
        (
            meta.classic_code_count,
            meta.classic_command_count,
            meta.classic_row_count
        ),
        (24, 17, 111)
    );
    assert_eq!(specification.code.len(), 24);
    assert_eq!(specification.command.len(), 17);
    let held = situations();
    let classic = held.keys().filter(|(_, _, source)| *source == Source::Row);
    assert_eq!(classic.count(), 111);

    let codes: BTreeSet<u16> = specification.code.iter().map(|c| c.code).collect();
    for command in &specification.command {
        let order: Vec<u16> = command.reply.iter().map(|row| row.code).collect();
        assert_eq!(order, command.codes, "{}", command.name);
        assert!(
            order.iter().all(|code| codes.contains(code)),
            "{}",
            command.name
        );
    }
    let names: Vec<&str> = specification
        .command
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    let own: Vec<&str> = Command::ALL
        .into_iter()
        .map(Command::name)
        .filter(|name| names.contains(name))
        .collect();
    assert_eq!(own, names, "the commands stand in the classic order");
}

#[test]
fn each_command_has_its_verb_and_its_place_for_enhanced_codes() {
    for rows in &specification().command {
        let command = Command::ALL
            .into_iter()
            .find(|c| c.name() == rows.name)
            .unwrap();
        assert_eq!(command.verb(), rows.verb);
        assert_eq!(
            command.enhanced_on_wire(),
            rows.enhanced_on_wire,
            "{}",
            rows.name
        );
    }
}

#[test]
fn the_copy_of_the_specification_is_the_shared_one() {
    let shared = root().join("../shared/smtp-reply-table.toml");
    let Ok(shared) = std::fs::read(&shared) else {
        println!("skipped: there is no ../shared/smtp-reply-table.toml to compare with");
        return;
    };
    let own = std::fs::read(root().join("spec/smtp-reply-table.toml")).unwrap();
    assert!(
        own == shared,
        "spec/smtp-reply-table.toml differs from the shared one"
    );
}
