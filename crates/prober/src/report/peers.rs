//! What several servers say, side by side, as a page: docs/peers.md.

use std::fmt::Write;

use super::Report;
use crate::check::Group;
use crate::finding::{Finding, Verdict};

/// What one server said: a line a finding, with its verdict and the codes that came. It is what is
/// kept to be compared with, so nothing stands in it that differs from run to run.
pub fn record(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let codes = match finding.verdict {
            Verdict::Skipped => "-".to_owned(),
            _ => codes(finding),
        };
        // Writing to a String doesn't fail, here and below.
        let _ = writeln!(text, "{} {} {codes}", finding.name, finding.verdict.name());
    }
    text
}

fn codes(finding: &Finding) -> String {
    let codes = finding.codes();
    match codes.is_empty() {
        true => "-".to_owned(),
        false => codes.join(","),
    }
}

/// A server in the table: its name and version, and what was recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer<'a> {
    /// As its column is headed.
    pub name: &'a str,
    /// What [`record`] gave.
    pub record: &'a str,
}

/// The page's table: a row for each finding, a column for each server.
pub fn table(peers: &[Peer<'_>]) -> String {
    let mut text = String::new();
    text.push_str(&scores(peers));
    for group in Group::ALL {
        let begins = format!("{}.", group.name());
        let names = names(peers, &begins);
        if names.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## {}\n\n| finding |", group.name());
        for peer in peers {
            let _ = write!(text, " {} |", peer.name);
        }
        let _ = write!(text, "\n|---|{}\n", "---|".repeat(peers.len()));
        for name in names {
            let _ = write!(text, "| `{}` |", &name[begins.len()..]);
            for peer in peers {
                let _ = write!(text, " {} |", cell(peer, name));
            }
            text.push('\n');
        }
    }
    text
}

fn scores(peers: &[Peer<'_>]) -> String {
    let mut text = String::from(
        "| server | conformant | tolerated | violations | skipped |\n|---|---|---|---|---|\n",
    );
    for peer in peers {
        let count = |verdict: Verdict| {
            let lines = peer.record.lines();
            lines
                .filter(|line| line.split(' ').nth(1) == Some(verdict.name()))
                .count()
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            peer.name,
            count(Verdict::Conformant),
            count(Verdict::Tolerated),
            count(Verdict::Violation),
            count(Verdict::Skipped)
        );
    }
    text
}

/// The names of a group's findings, as the first server has them, and then what only others have.
fn names<'a>(peers: &[Peer<'a>], begins: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for peer in peers {
        let found = peer
            .record
            .lines()
            .filter_map(|line| line.split(' ').next());
        for name in found.filter(|name| name.starts_with(begins)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

fn cell(peer: &Peer<'_>, name: &str) -> String {
    let mut lines = peer.record.lines().map(|line| line.split(' '));
    let Some(mut line) = lines.find(|line| line.clone().next() == Some(name)) else {
        return String::new();
    };
    let (verdict, codes) = (
        line.nth(1).unwrap_or_default(),
        line.next().unwrap_or_default(),
    );
    let codes = match codes {
        "-" => String::new(),
        codes => format!(" {}", codes.replace(',', " ")),
    };
    match verdict {
        "conformant" => format!("ok{codes}"),
        "tolerated" => format!("~{codes}"),
        "violation" => format!("**no**{codes}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn servers_stand_side_by_side() {
        let record = record(&sample());
        assert_eq!(
            record,
            "session.greeting conformant 220\nlines.bare-lf violation 250\nchunking.zero skipped -\n"
        );
        let peers = [
            Peer {
                name: "One 1.0",
                record: &record,
            },
            Peer {
                name: "Two",
                record: "lines.bare-lf tolerated 250,500\n",
            },
        ];
        let table = table(&peers);
        assert!(table.contains("| One 1.0 | 1 | 0 | 1 | 1 |\n"), "{table}");
        assert!(
            table.contains("| `bare-lf` | **no** 250 | ~ 250 500 |\n"),
            "{table}"
        );
        assert!(table.contains("| `greeting` | ok 220 |  |\n"), "{table}");
    }
}
