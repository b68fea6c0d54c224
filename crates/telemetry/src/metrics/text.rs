//! Metrics as text: the exposition format of OpenMetrics 1.0, and the page about them.

use std::fmt::Write;

use super::{Gauges, families};

/// What kind of metric a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows, from the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
    /// A text.
    Info,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }

    /// What its samples' names end with, where they don't say.
    fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        }
    }
}

/// A metric with all its labels.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The end of its name, where it has one.
    pub(super) unit: Option<&'static str>,
    pub(super) help: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// One value of it.
#[derive(Debug)]
pub(super) struct Sample {
    /// The end of its name, where that is not its kind's.
    pub(super) suffix: &'static str,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: String,
}

impl Sample {
    pub(super) fn of(value: u64) -> Sample {
        Sample {
            suffix: "",
            labels: Vec::new(),
            value: value.to_string(),
        }
    }

    pub(super) fn labelled(label: &'static str, is: &str, value: &str) -> Sample {
        Sample {
            suffix: "",
            labels: vec![(label, is.to_owned())],
            value: value.to_owned(),
        }
    }
}

/// All metrics, in the text format of OpenMetrics 1.0.
///
/// The values of labels come from this program's own tables, and need no escape.
pub fn metrics(gauges: &Gauges) -> String {
    let mut text = String::new();
    // Writing to a string can't fail, here and below.
    for family in families(gauges) {
        let Family { name, kind, .. } = family;
        let _ = writeln!(text, "# TYPE {name} {}", kind.name());
        if let Some(unit) = family.unit {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(text, "# HELP {name} {}", family.help);
        for sample in &family.samples {
            let suffix = match sample.suffix {
                "" => kind.suffix(),
                own => own,
            };
            let _ = write!(text, "{name}{suffix}");
            let mut before = '{';
            for (label, is) in &sample.labels {
                let _ = write!(text, "{before}{label}=\"{is}\"");
                before = ',';
            }
            if !sample.labels.is_empty() {
                text.push('}');
            }
            let _ = writeln!(text, " {}", sample.value);
        }
    }
    text.push_str("# EOF\n");
    text
}

const INTRODUCTION: &str = "\
# Metrics

<!-- Made from crates/telemetry/src/metrics.rs. Don't edit it; change that, then run
`POSTROAD_WRITE_DOCS=1 cargo test -p postroad-telemetry --test metrics`. -->

What `GET /metrics` at the control socket answers, in the text format of OpenMetrics 1.0, which Prometheus
and others read:

    curl -s --unix-socket postroad-data/control.sock http://localhost/metrics

Counters begin at 0 with the process. No label has more values than the page says: nothing that a client
or a peer sends becomes one.
";

/// All metrics, as a page of Markdown: `docs/metrics.md`.
pub fn metrics_reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for family in families(&Gauges::default()) {
        let Family { name, kind, .. } = family;
        let suffix = kind.suffix();
        let kind = kind.name();
        let _ = write!(page, "\n## `{name}{suffix}`\n\n{}\n\n", family.help);
        let _ = writeln!(page, "* Type: {kind}");
        for line in labels(&family.samples) {
            let _ = writeln!(page, "* {line}");
        }
    }
    page
}

/// The labels of a family and what they may be, as far as a line holds that.
fn labels(samples: &[Sample]) -> Vec<String> {
    let with_labels: Vec<_> = samples.iter().filter(|s| !s.labels.is_empty()).collect();
    let Some(first) = with_labels.first() else {
        return Vec::new();
    };
    let names = first.labels.iter().map(|(name, _)| *name);
    let line = |(at, name): (usize, &str)| {
        let mut values: Vec<&str> = Vec::new();
        for sample in &with_labels {
            if let Some((_, is)) = sample.labels.get(at)
                && !values.contains(&is.as_str())
            {
                values.push(is);
            }
        }
        match values.as_slice() {
            [""] => format!("Label `{name}`"),
            few if few.len() <= 12 => format!("Label `{name}`: `{}`", few.join("`, `")),
            many => format!("Label `{name}`: {} values", many.len()),
        }
    };
    names.enumerate().map(line).collect()
}
