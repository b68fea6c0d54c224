//! A report for people at a terminal.

use std::fmt::Write;

use super::{Report, Score};
use crate::check::Group;
use crate::finding::{Finding, Verdict};

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// With colours.
    pub colour: bool,
    /// All findings, and not only those that somebody has to look at.
    pub all: bool,
}

impl Look {
    fn paint(self, verdict: Verdict, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let colour = match verdict {
            Verdict::Conformant => 32,
            Verdict::Tolerated => 33,
            Verdict::Violation => 31,
            Verdict::Skipped => 90,
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }
}

/// The whole report. What the server said is escaped, so that it moves no cursor.
pub fn report(report: &Report, look: Look) -> String {
    let mut text = head(report);
    for finding in &report.findings {
        let shown = match finding.verdict {
            Verdict::Violation | Verdict::Tolerated => true,
            Verdict::Conformant | Verdict::Skipped => look.all,
        };
        if shown {
            text.push('\n');
            text.push_str(&one(finding, look));
        }
    }
    text.push('\n');
    text.push_str(&groups(report, look));
    text.push_str(&left_out(report));
    text.push_str(&end(report, look));
    text
}

fn head(report: &Report) -> String {
    let mut text = format!(
        "{} ({}), by {}\n",
        report.target, report.address, report.profile
    );
    indented(&mut text, "greets", &report.greeting);
    let offers = match report.offers.is_empty() {
        true => "no extensions".to_owned(),
        false => report.offers.join(" "),
    };
    indented(&mut text, "offers", &offers);
    text
}

/// One finding, with all that was said.
fn one(finding: &Finding, look: Look) -> String {
    let word = match &finding.excepted {
        Some(_) => "excepted",
        None => finding.verdict.name(),
    };
    let word = look.paint(finding.verdict, &format!("{word:10}"));
    // Writing to a String doesn't fail, here and below.
    let mut text = String::new();
    let _ = writeln!(text, "{word}  {}  ({})", finding.name, finding.rfc);
    indented(&mut text, "asked", &finding.about);
    for exchange in &finding.exchanges {
        if !exchange.sent.is_empty() {
            indented(&mut text, "sent", &exchange.sent);
        }
        for came in &exchange.came {
            indented(&mut text, "came", came);
        }
    }
    indented(&mut text, "allowed", &finding.allowed);
    indented(&mut text, "because", &finding.why);
    if let Some(reason) = &finding.excepted {
        indented(&mut text, "borne", reason);
    }
    text
}

fn indented(text: &mut String, label: &str, value: &str) {
    for (place, line) in value.lines().enumerate() {
        let label = if place == 0 { label } else { "" };
        let _ = writeln!(text, "    {label:8} {line}");
    }
}

/// A line a group.
fn groups(report: &Report, look: Look) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let findings = report
            .findings
            .iter()
            .filter(|finding| finding.group == group);
        let mut words = Vec::new();
        for verdict in Verdict::ALL {
            let count = findings
                .clone()
                .filter(|finding| finding.verdict == verdict)
                .count();
            if count > 0 {
                words.push(look.paint(verdict, &format!("{count} {}", verdict.name())));
            }
        }
        if !words.is_empty() {
            let _ = writeln!(text, "{:12}{}", group.name(), words.join(", "));
        }
    }
    text
}

/// Why checks were skipped, each reason once.
fn left_out(report: &Report) -> String {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    let skipped = report
        .findings
        .iter()
        .filter(|f| f.verdict == Verdict::Skipped);
    for finding in skipped {
        match reasons.iter_mut().find(|(why, _)| *why == finding.why) {
            Some((_, count)) => *count += 1,
            None => reasons.push((&finding.why, 1)),
        }
    }
    let mut text = String::new();
    for (why, count) in reasons {
        let _ = writeln!(text, "skipped {count}: {}", why.replace('\n', " "));
    }
    text
}

fn end(report: &Report, look: Look) -> String {
    let score = report.score();
    let mut text = String::new();
    if let Some(why) = &report.stopped {
        let _ = writeln!(text, "ended early: {}", why.replace('\n', " "));
    }
    let verdict = match score {
        Score {
            violations: 1.., ..
        } => Verdict::Violation,
        Score { tolerated: 1.., .. } => Verdict::Tolerated,
        _ => Verdict::Conformant,
    };
    let _ = writeln!(
        text,
        "{} ({}; {} connections, {}.{} s)",
        look.paint(verdict, &percent(score)),
        score.words(),
        report.connections,
        report.took_ms / 1000,
        report.took_ms % 1000 / 100
    );
    text
}

/// The score in one number: how much of what was asked is no violation.
pub fn percent(score: Score) -> String {
    let (asked, well) = (score.asked(), score.conformant + score.tolerated);
    match asked {
        0 => "score: nothing was asked".to_owned(),
        // Rounded down, so that one violation is never a hundred.
        asked => format!("score: {} %", well * 100 / asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn people_see_what_is_wrong_and_a_score() {
        let text = super::report(&sample(), Look::default());
        assert!(
            text.starts_with("mx.test:25 (127.0.0.1:25), by rfc5321\n"),
            "{text}"
        );
        assert!(
            text.contains("violation   lines.bare-lf  (RFC 5321 2.3.8)\n"),
            "{text}"
        );
        assert!(
            text.contains("    sent     NOOP\\nx\\r\\n\n    came     250 ok\n"),
            "{text}"
        );
        assert!(!text.contains("session.greeting"), "{text}");
        assert!(
            text.contains("skipped 1: the server doesn't offer CHUNKING\n"),
            "{text}"
        );
        assert!(
            text.ends_with("score: 50 % (1 conformant, 0 tolerated, 1 violation, 1 skipped; 3 connections, 1.2 s)\n"),
            "{text}"
        );
        let all = Look {
            all: true,
            colour: true,
        };
        let text = super::report(&sample(), all);
        assert!(
            text.contains("\x1b[32mconformant\x1b[0m  session.greeting"),
            "{text}"
        );
    }
}
