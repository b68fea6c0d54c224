//! The index of dialogues is right: each file that it names is there and has that reply in it.
//!
//! A reply that has no file in the index is no fault; making it again adds those that have come.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // A test reads and writes files, and may fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use asked::Asked;
use postroad_reply::{Command, Enhanced};

// What finds out there which command a reply answers does it here as well.
#[path = "../../postroad/tests/harness/asked.rs"]
#[allow(unreachable_pub, dead_code)]
mod asked;

/// Command, code, enhanced code or `-`.
type Key = (String, String, String);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../postroad/tests/dialogues")
}

/// The replies that each dialogue expects.
fn dialogues() -> BTreeMap<String, BTreeSet<Key>> {
    let files = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "smtp"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, shown_in(&std::fs::read_to_string(path).unwrap()))
        })
        .collect()
}

/// Who reads a dialogue without a server: what it expects is what the server says, or its own test fails.
#[derive(Default)]
struct Reader {
    asked: Asked,
    name: String,
    others: BTreeMap<String, Asked>,
    /// A reply of several lines has begun.
    goes_on: bool,
    shown: BTreeSet<Key>,
}

fn shown_in(text: &str) -> BTreeSet<Key> {
    let mut reader = Reader::default();
    text.lines().for_each(|line| reader.step(line));
    reader.shown
}

impl Reader {
    fn step(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix("C: ") {
            self.asked.sent(format!("{text}\r\n").as_bytes());
        } else if let Some(text) = line.strip_prefix("R: ") {
            self.asked.sent(&octets(text));
        } else if let Some(pattern) = line.strip_prefix("S: ") {
            let (code, rest) = pattern.split_at_checked(3).unwrap_or((pattern, ""));
            if !self.goes_on {
                self.reply(code, rest);
            }
            self.goes_on = rest.starts_with('-');
        } else if let Some(replies) = line.strip_prefix("S* ") {
            let (code, count) = replies.split_once(' ').unwrap_or((replies, "1"));
            (0..count.parse().unwrap()).for_each(|_| self.reply(code, ""));
        } else if let Some(until) = line.strip_prefix("UNTIL ") {
            let (code, command) = until.split_once(' ').unwrap();
            self.asked.sent(format!("{command}\r\n").as_bytes());
            self.reply(code, "");
        } else if let Some(name) = line.strip_prefix("AS ") {
            let next = self.others.remove(name).unwrap_or_default();
            let last = std::mem::replace(&mut self.asked, next);
            let last_name = std::mem::replace(&mut self.name, name.to_owned());
            self.others.insert(last_name, last);
        } else if line.starts_with("SCRAM ") {
            // Its last reply is what follows.
            self.asked.sent(b"AUTH SCRAM-SHA-256\r\n");
        } else if line == "--" || line == "END" {
            self.asked = Asked::default();
        }
    }

    fn reply(&mut self, code: &str, rest: &str) {
        let number = code.parse().unwrap_or(0);
        let asked = self.asked.answered_by(number);
        let rows = [asked, Command::Any].into_iter();
        let mut rows = rows.filter(|c| c.situations().any(|s| s.code.number() == number));
        let Some(command) = rows.next() else { return };
        let word = rest
            .trim_start_matches(['-', ' '])
            .split(' ')
            .next()
            .unwrap_or("");
        let enhanced = Enhanced::parse(word).map_or("-".into(), |enhanced| enhanced.to_string());
        let key = (command.name().to_owned(), code.to_owned(), enhanced);
        self.shown.insert(key);
    }
}

/// As far as it matters for which command is which: what is repeated is there once.
fn octets(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('r') => out.push(b'\r'),
                Some('n') => out.push(b'\n'),
                Some('{') => {
                    let inside: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let (count, what) = inside.split_once(':').unwrap();
                    out.extend(octets(what).repeat(count.parse().unwrap()));
                }
                Some('x') => {
                    let digits: String = chars.by_ref().take(2).collect();
                    out.push(u8::from_str_radix(&digits, 16).unwrap());
                }
                _ => out.push(b'x'),
            },
            (c, false) => out.extend_from_slice(c.to_string().as_bytes()),
        }
    }
    out
}

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialogues.txt");

const HEAD: &str = "# Which dialogue shows which reply: command, code, enhanced code, file. Made by\n\
                    # `POSTROAD_WRITE_DOCS=1 cargo test -p postroad-explain --test dialogues`.\n";

/// For each reply the dialogue that shows the fewest others.
fn made(dialogues: &BTreeMap<String, BTreeSet<Key>>) -> String {
    let mut best: BTreeMap<&Key, (usize, &str)> = BTreeMap::new();
    for (file, shown) in dialogues {
        for key in shown {
            let here = (shown.len(), file.as_str());
            let entry = best.entry(key).or_insert(here);
            *entry = here.min(*entry);
        }
    }
    let lines = best.iter().map(|((command, code, enhanced), (_, file))| {
        format!("{command} {code} {enhanced} {file}\n")
    });
    HEAD.to_owned() + &lines.collect::<String>()
}

#[test]
fn each_file_of_the_index_is_there_and_shows_that_reply() {
    let dialogues = dialogues();
    if std::env::var_os("POSTROAD_WRITE_DOCS").is_some() {
        std::fs::write(PATH, made(&dialogues)).unwrap();
    }
    let index = std::fs::read_to_string(PATH).unwrap();
    let mut wrong = Vec::new();
    for line in index.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.rsplitn(4, ' ').collect();
        let key = (
            words[3].to_owned(),
            words[2].to_owned(),
            words[1].to_owned(),
        );
        if !dialogues
            .get(words[0])
            .is_some_and(|shown| shown.contains(&key))
        {
            wrong.push(line);
        }
    }
    assert!(
        wrong.is_empty(),
        "no dialogue shows {wrong:?}; run `POSTROAD_WRITE_DOCS=1 cargo test -p postroad-explain --test dialogues`"
    );
    assert!(index.lines().count() > 100);
}

#[test]
fn a_dialogue_is_read_as_it_is_played() {
    let shown = shown_in(
        "S: 220 *\nC: EHLO a.test\nS: 250-*\nS: 250 *\nR: MAIL FROM:<>\\r\\nRCPT TO:<a@b.test>\\r\\nDATA\\r\\n\n\
         S: 250 2.1.0 *\nS: 550 5.1.1 *\nS: 554 5.5.1 *\nC: FROB\nS: 500 *\n",
    );
    let key =
        |command: &str, code: &str, enhanced: &str| (command.into(), code.into(), enhanced.into());
    let expected: BTreeSet<Key> = [
        key("connect", "220", "-"),
        key("EHLO", "250", "-"),
        key("MAIL", "250", "2.1.0"),
        key("RCPT", "550", "5.1.1"),
        key("DATA", "554", "5.5.1"),
        key("any", "500", "-"),
    ]
    .into();
    assert_eq!(shown, expected);
}
