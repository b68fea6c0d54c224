//! Medians of runs, and the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use super::cells::Cell;
use super::peers::{PEERS, Peer};
use super::run::Outcome;

/// What is measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Rate,
    Cpu,
    P50,
    P99,
    PeakMemory,
    Flushes,
    Calls,
    IdleMemory,
    GreetingP50,
    GreetingP99,
    WaitingMemory,
    StartUp,
    SlowDown,
}

const METRICS: [Metric; 13] = [
    Metric::Rate,
    Metric::Cpu,
    Metric::P50,
    Metric::P99,
    Metric::PeakMemory,
    Metric::Flushes,
    Metric::Calls,
    Metric::IdleMemory,
    Metric::GreetingP50,
    Metric::GreetingP99,
    Metric::WaitingMemory,
    Metric::StartUp,
    Metric::SlowDown,
];

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Metric::Rate => "messages/s",
            Metric::Cpu => "CPU s per 1,000",
            Metric::P50 => "p50 ms",
            Metric::P99 => "p99 ms",
            Metric::PeakMemory => "peak MiB",
            Metric::Flushes => "flushes/message",
            Metric::Calls => "calls/message",
            Metric::IdleMemory => "KiB/session",
            Metric::GreetingP50 => "greeting p50 ms",
            Metric::GreetingP99 => "greeting p99 ms",
            Metric::WaitingMemory => "octets/deferred message",
            Metric::StartUp => "start s",
            Metric::SlowDown => "slow-down of fresh mail, %",
        }
    }
}

/// All runs of a cell.
pub(crate) struct Results {
    pub(crate) cell: &'static Cell,
    pub(crate) messages: u64,
    runs: BTreeMap<Peer, Vec<Outcome>>,
    failures: Vec<String>,
}

impl Results {
    pub(crate) fn new(cell: &'static Cell, messages: u64) -> Results {
        Results {
            cell,
            messages,
            runs: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, peer: Peer, outcome: Result<Outcome, String>) {
        match outcome {
            Ok(outcome) => self.runs.entry(peer).or_default().push(outcome),
            Err(e) => self.failures.push(format!("{}: {e}", peer.name())),
        }
    }

    pub(crate) fn failed(&self) -> bool {
        !self.failures.is_empty()
    }

    fn spread(&self, peer: Peer, metric: Metric) -> Option<Spread> {
        let runs = self.runs.get(&peer)?;
        Spread::of(
            runs.iter()
                .filter_map(|run| run.values.get(&metric).copied())
                .collect(),
        )
    }

    /// What Postroad has over what Postfix has.
    fn ratio(&self, metric: Metric) -> Option<f64> {
        let postfix = self.spread(Peer::Postfix, metric)?.median;
        let postroad = self.spread(Peer::Postroad, metric)?.median;
        (postfix > 0.0).then(|| postroad / postfix)
    }

    /// As a table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("### {}: {}\n\n", self.cell.name, self.cell.what);
        text += "| | Postfix | Postroad | floor | Postroad to Postfix |\n|---|---|---|---|---|\n";
        for metric in METRICS {
            let spreads = PEERS.map(|peer| self.spread(peer, metric));
            if spreads.iter().all(Option::is_none) {
                continue;
            }
            let cells = spreads.map(|spread| spread.map_or("–".to_owned(), |s| s.to_string()));
            let ratio = self.ratio(metric);
            let ratio = ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.3}"));
            // Writing to a string can't fail.
            let _ = writeln!(
                text,
                "| {} | {} | {ratio} |",
                metric.name(),
                cells.join(" | ")
            );
        }
        text.push('\n');
        for note in self.notes() {
            let _ = writeln!(text, "* {note}");
        }
        text
    }

    /// What is to be known beside the numbers, each once.
    fn notes(&self) -> BTreeSet<String> {
        let failures = self
            .failures
            .iter()
            .map(|failure| format!("FAILED: {failure}"));
        let notes = self.runs.iter().flat_map(|(peer, runs)| {
            let notes = runs.iter().flat_map(|run| &run.notes);
            notes.map(|note| format!("{}: {note}", peer.name()))
        });
        failures.chain(notes).collect()
    }

    pub(crate) fn json(&self) -> Value {
        let mut peers = json!({});
        for peer in PEERS {
            for metric in METRICS {
                if let Some(Spread {
                    median,
                    least,
                    most,
                }) = self.spread(peer, metric)
                {
                    peers[peer.name()][metric.name()] =
                        json!({ "median": median, "least": least, "most": most });
                }
            }
        }
        let mut ratios = json!({});
        for metric in METRICS {
            if let Some(ratio) = self.ratio(metric) {
                ratios[metric.name()] = json!(ratio);
            }
        }
        json!({
            "cell": self.cell.name,
            "what": self.cell.what,
            "messages": self.messages,
            "peers": peers,
            "postroad_to_postfix": ratios,
            "notes": self.notes(),
        })
    }
}

/// The median of some runs, with the least and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        // There is one at least, so there are two where their number is even.
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Spread {
            median,
            least,
            most,
        })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Spread {
            median,
            least,
            most,
        } = self;
        // Three figures say all that such numbers can.
        let places = match *median {
            m if m >= 100.0 => 0,
            m if m >= 10.0 => 1,
            m if m >= 1.0 => 2,
            _ => 3,
        };
        write!(f, "{median:.places$}")?;
        if least < most {
            write!(f, " ({least:.places$}–{most:.places$})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cells::CELLS;

    #[test]
    fn the_median_stands_between_the_least_and_the_most() {
        let spread = Spread::of(vec![30.0, 10.0, 14.0]).expect("there are some");
        assert_eq!(spread.to_string(), "14.0 (10.0–30.0)");
        assert_eq!(Spread::of(vec![1.0, 2.0]).map(|s| s.median), Some(1.5));
        assert_eq!(Spread::of(vec![]), None);
    }

    #[test]
    fn the_table_has_the_ratio_and_says_what_failed() {
        let mut results = Results::new(&CELLS[0], 10);
        for (peer, rate) in [(Peer::Postfix, 100.0), (Peer::Postroad, 250.0)] {
            let values = BTreeMap::from([(Metric::Rate, rate)]);
            results.add(
                peer,
                Ok(Outcome {
                    values,
                    notes: vec!["slow".into()],
                }),
            );
        }
        results.add(Peer::Floor, Err("it fell".into()));
        let table = results.table();
        assert!(
            table.contains("| messages/s | 100 | 250 | – | 2.500 |"),
            "{table}"
        );
        assert!(
            table.contains("* FAILED: floor: it fell\n* Postfix: slow\n"),
            "{table}"
        );
        assert!(results.failed());
        let json = results.json();
        assert_eq!(json["postroad_to_postfix"]["messages/s"], 2.5);
        assert_eq!(json["peers"]["Postroad"]["messages/s"]["median"], 250.0);
    }
}
