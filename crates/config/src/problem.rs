//! What is wrong with a configuration, and where.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// One thing that is wrong, shown with its place and with what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named when it was read.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
    /// What the line says, without control characters, and cut where it is very long.
    pub excerpt: String,
    /// Which characters of the excerpt are meant.
    pub marked: Range<usize>,
    /// The setting, as in `limits.recipients`; empty where the text is not TOML.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Problem {
    /// Five lines: place and fault, an excerpt with a caret under it, and advice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            file,
            line,
            column,
            excerpt,
            what,
            advice,
            ..
        } = self;
        let setting = match self.key.as_str() {
            "" => String::new(),
            key => format!("`{}` ", printable(key)),
        };
        let margin = " ".repeat(line.to_string().len());
        let indent = " ".repeat(self.marked.start);
        let carets = "^".repeat(self.marked.len().max(1));
        writeln!(f, "{file}:{line}:{column}: {setting}{}", printable(what))?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{line} | {excerpt}")?;
        writeln!(f, "{margin} | {indent}{carets}")?;
        write!(f, "{margin} = {}", printable(advice))
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// Whether the text is not TOML there.
    fn is_syntax(&self) -> bool {
        self.key.is_empty()
    }
}

/// A problem as the reader knows it, by octets of the text.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) span: Range<usize>,
    pub(crate) key: String,
    pub(crate) what: String,
    pub(crate) advice: String,
}

/// The text, and what it is called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    file: String,
    text: String,
    /// Where each line begins, in octets.
    lines: Vec<usize>,
}

/// Where a configuration came from: for problems found after it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    pub(crate) places: BTreeMap<String, Range<usize>>,
}

impl Origin {
    /// A problem at `key`, or at the nearest place above it that the file has.
    pub(crate) fn problem(&self, key: &str, what: &str, advice: &str) -> Problem {
        let mut place = key;
        let span = loop {
            if let Some(span) = self.places.get(place) {
                break span.clone();
            }
            match place.rfind(['.', '[']) {
                Some(end) => place = &place[..end],
                None => break 0..0,
            }
        };
        let (key, what, advice) = (key.into(), what.into(), advice.into());
        self.source.problem(&Fault {
            span,
            key,
            what,
            advice,
        })
    }
}

/// How many problems are shown, for a file that is something else altogether.
const MOST: usize = 500;
/// How many characters of a line are shown.
const EXCERPT: usize = 100;
/// How many of them at most stand before what is meant.
const BEFORE: usize = 60;

impl Source {
    pub(crate) fn new(text: &str, file: &str) -> Source {
        let ends = text.match_indices('\n').map(|(end, _)| end + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Source {
            file: printable(file),
            text: text.to_owned(),
            lines,
        }
    }

    /// The faults with their places. What is not TOML is said once a line, and hides what seems
    /// to be wrong with what the parser made of it: a value on that line, or one without a place.
    pub(crate) fn problems(&self, faults: &[Fault]) -> Vec<Problem> {
        let (shown, more) = faults.split_at(faults.len().min(MOST));
        let all: Vec<Problem> = shown.iter().map(|fault| self.problem(fault)).collect();
        let mut said = BTreeMap::new();
        for (index, problem) in all
            .iter()
            .enumerate()
            .filter(|(_, problem)| problem.is_syntax())
        {
            said.entry(problem.line).or_insert(index);
        }
        let keep = |(index, problem): (usize, Problem)| {
            let kept = match said.get(&problem.line) {
                Some(first) => *first == index,
                None => said.is_empty() || !shown[index].span.is_empty(),
            };
            kept.then_some(problem)
        };
        let mut problems: Vec<Problem> = all.into_iter().enumerate().filter_map(keep).collect();
        if let Some(next) = more.first() {
            let what = format!(
                "is wrong, and so is more: {} problems are not shown",
                more.len()
            );
            problems.push(Problem {
                what,
                advice: "mend the others first".into(),
                ..self.problem(next)
            });
        }
        problems
    }

    /// The fault with its place, as people count.
    pub(crate) fn problem(&self, fault: &Fault) -> Problem {
        let start = self.text.floor_char_boundary(fault.span.start);
        // The first line begins at 0, so there always is one that begins no later.
        let number = self.lines.partition_point(|line| *line <= start).max(1);
        let line_start = self.lines.get(number - 1).copied().unwrap_or(0);
        let rest = &self.text[line_start..];
        let line = rest[..rest.find('\n').unwrap_or(rest.len())].trim_end_matches('\r');
        let before = self.text[line_start..start].chars().count();
        let end = self.text.floor_char_boundary(fault.span.end.max(start));
        // Both are edges of characters, and the end isn't before the start.
        let meant = self.text[start..end]
            .lines()
            .next()
            .unwrap_or("")
            .chars()
            .count();
        let skipped = before.saturating_sub(BEFORE);
        let excerpt: String = line
            .chars()
            .skip(skipped)
            .take(EXCERPT)
            .map(visible)
            .collect();
        let marked = before - skipped;
        let room = EXCERPT.saturating_sub(marked).max(1);
        Problem {
            file: self.file.clone(),
            line: number,
            column: before + 1,
            excerpt,
            marked: marked..marked + meant.clamp(1, room),
            key: fault.key.clone(),
            what: fault.what.clone(),
            advice: fault.advice.clone(),
        }
    }
}

/// The text without control characters, so that it can't steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}
