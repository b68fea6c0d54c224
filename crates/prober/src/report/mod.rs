//! What a walk has found.

pub mod html;
pub mod junit;
pub mod peers;
pub mod people;

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Verdict};
use crate::profile::Profile;

/// All that was found about one server, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How the server was named.
    pub target: String,
    /// Where it listens.
    pub address: String,
    /// How it greets.
    pub greeting: String,
    /// The extensions that it offers in the clear.
    pub offers: Vec<String>,
    /// By which measure it was judged.
    pub profile: Profile,
    /// The recipient that was tried.
    pub recipient: String,
    /// Whether messages were delivered to it.
    pub delivers: bool,
    /// When the walk began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// How many connections were made.
    pub connections: usize,
    /// Why it ended before its end, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// What was found, in the order of the walk.
    pub findings: Vec<Finding>,
}

/// How many findings there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Score {
    /// As the table has it.
    pub conformant: usize,
    /// Not so, and harmless.
    pub tolerated: usize,
    /// Against the RFC, and not excepted.
    pub violations: usize,
    /// Against the RFC, and excepted.
    pub excepted: usize,
    /// Not asked.
    pub skipped: usize,
}

impl Report {
    /// How many findings there are of each kind.
    pub fn score(&self) -> Score {
        let mut score = Score::default();
        for finding in &self.findings {
            match finding.verdict {
                Verdict::Conformant => score.conformant += 1,
                Verdict::Tolerated => score.tolerated += 1,
                Verdict::Violation if finding.excepted.is_some() => score.excepted += 1,
                Verdict::Violation => score.violations += 1,
                Verdict::Skipped => score.skipped += 1,
            }
        }
        score
    }

    /// As JSON, with the score.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Scored<'a> {
            score: Score,
            #[serde(flatten)]
            report: &'a Report,
        }
        let scored = Scored {
            score: self.score(),
            report: self,
        };
        // Strings and numbers alone: it can't fail.
        let mut text = serde_json::to_string_pretty(&scored).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl Score {
    /// How many were asked.
    pub fn asked(&self) -> usize {
        self.conformant + self.tolerated + self.violations + self.excepted
    }

    /// In a line.
    pub fn words(&self) -> String {
        let mut words = format!(
            "{} conformant, {} tolerated, {} violation{}",
            self.conformant,
            self.tolerated,
            self.violations,
            if self.violations == 1 { "" } else { "s" }
        );
        if self.excepted > 0 {
            words.push_str(&format!(", {} excepted", self.excepted));
        }
        words.push_str(&format!(", {} skipped", self.skipped));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Group;
    use crate::finding::Exchange;

    /// A report of three findings.
    pub(super) fn sample() -> Report {
        let finding =
            |name: &str, group, verdict, rfc: &str, why: &str, said: Option<(&str, &str)>| {
                let exchange = |(sent, came): (&str, &str)| Exchange {
                    sent: sent.into(),
                    came: vec![came.into()],
                };
                Finding {
                    name: name.into(),
                    group,
                    about: "What is asked.".into(),
                    verdict,
                    why: why.into(),
                    allowed: "220".into(),
                    rfc: rfc.into(),
                    exchanges: said.map(exchange).into_iter().collect(),
                    excepted: None,
                }
            };
        Report {
            target: "mx.test:25".into(),
            address: "127.0.0.1:25".into(),
            greeting: "220 mx.test ESMTP".into(),
            offers: vec!["PIPELINING".into()],
            profile: Profile::Rfc5321,
            recipient: "postmaster".into(),
            delivers: false,
            started_unix_ms: 0,
            took_ms: 1234,
            connections: 3,
            stopped: None,
            findings: vec![
                finding(
                    "session.greeting",
                    Group::Session,
                    Verdict::Conformant,
                    "RFC 5321 3.1",
                    "220 is what the table has",
                    Some(("", "220 mx.test ESMTP")),
                ),
                finding(
                    "lines.bare-lf",
                    Group::Lines,
                    Verdict::Violation,
                    "RFC 5321 2.3.8",
                    "250 must not answer this",
                    Some(("NOOP\\nx\\r\\n", "250 ok")),
                ),
                finding(
                    "chunking.zero",
                    Group::Chunking,
                    Verdict::Skipped,
                    "RFC 3030 2",
                    "the server doesn't offer CHUNKING",
                    None,
                ),
            ],
        }
    }

    #[test]
    fn json_has_the_score_and_reads_back() {
        let report = sample();
        let json = report.json();
        assert!(json.contains("\"violations\": 1"), "{json}");
        assert_eq!(serde_json::from_str::<Report>(&json).ok(), Some(report));
    }
}
