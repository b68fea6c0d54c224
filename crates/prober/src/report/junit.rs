//! A report as JUnit has it, for build servers: a check is a test case, and a violation a failure.

use std::fmt::Write;

use super::Report;
use crate::finding::{Finding, Verdict};

/// The report as XML.
pub fn report(report: &Report) -> String {
    let score = report.score();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String doesn't fail, here and below.
    let _ = writeln!(
        text,
        "<testsuite name=\"postroad probe {} {}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{}.{:03}\">",
        escaped(&report.target),
        report.profile,
        report.findings.len(),
        score.violations,
        score.skipped,
        report.took_ms / 1000,
        report.took_ms % 1000
    );
    for finding in &report.findings {
        case(&mut text, finding);
    }
    text.push_str("</testsuite>\n");
    text
}

fn case(text: &mut String, finding: &Finding) {
    let (class, name) = finding
        .name
        .split_once('.')
        .unwrap_or(("probe", &finding.name));
    let _ = write!(
        text,
        "  <testcase classname=\"{}\" name=\"{}\"",
        escaped(class),
        escaped(name)
    );
    let why = escaped(&finding.why);
    let said = escaped(&said(finding));
    let _ = match finding.verdict {
        Verdict::Conformant => writeln!(text, "/>"),
        Verdict::Skipped => writeln!(text, "><skipped message=\"{why}\"/></testcase>"),
        Verdict::Violation if finding.counts() => {
            writeln!(
                text,
                "><failure message=\"{why}\">{said}</failure></testcase>"
            )
        }
        // An excepted violation is no failure, and is told all the same.
        Verdict::Tolerated | Verdict::Violation => {
            writeln!(
                text,
                "><system-out>{}: {why}\n{said}</system-out></testcase>",
                finding.verdict.name()
            )
        }
    };
}

/// All that a reader needs to see it again.
fn said(finding: &Finding) -> String {
    let mut text = format!("{}\n", finding.about);
    for exchange in &finding.exchanges {
        let _ = writeln!(text, "sent: {}", exchange.sent);
        for came in &exchange.came {
            let _ = writeln!(text, "came: {came}");
        }
    }
    let _ = writeln!(text, "allowed: {}", finding.allowed);
    let _ = write!(text, "see {}", finding.rfc);
    if let Some(reason) = &finding.excepted {
        let _ = write!(text, "\nexcepted: {reason}");
    }
    text
}

/// What may stand in XML. Control characters can't, not even escaped; none is left in what is shown.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push_str("&#10;"),
            c if c.is_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use crate::report::tests::sample;

    #[test]
    fn a_violation_is_a_failure_and_text_forges_nothing() {
        let mut sample = sample();
        sample.findings[1].why = "<\"&\x01".into();
        let text = super::report(&sample);
        assert!(
            text.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""),
            "{text}"
        );
        assert!(
            text.contains("<testcase classname=\"session\" name=\"greeting\"/>"),
            "{text}"
        );
        assert!(
            text.contains("<failure message=\"&lt;&quot;&amp;?\">"),
            "{text}"
        );
        assert_eq!(text.matches("<testcase").count(), 3);
    }
}
