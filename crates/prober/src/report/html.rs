//! A report as one HTML page that needs nothing else: no network, no script to be read at all.

use std::fmt::Write;

use super::Report;
use super::junit::escaped;
use super::people::percent;
use crate::check::Group;
use crate::finding::{Exchange, Finding, Verdict};

/// Its looks: light and dark, for wide screens and for phones.
const STYLE: &str = include_str!("report.css");

/// Filters the list. Without it all is shown.
const SCRIPT: &str = include_str!("report.js");

/// The page.
pub fn report(report: &Report) -> String {
    let target = escaped(&report.target);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{target}: postroad probe</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    page.push_str(&head(report, &target));
    page.push_str(&filters(report));
    page.push_str("<main>\n");
    for group in Group::ALL {
        page.push_str(&section(report, group));
    }
    // Writing to a String doesn't fail, here and below.
    let _ = write!(
        page,
        "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    );
    page
}

fn head(report: &Report, target: &str) -> String {
    let score = report.score();
    let offers = match report.offers.is_empty() {
        true => "no extensions".to_owned(),
        false => escaped(&report.offers.join(" ")),
    };
    let mut text = format!(
        "<header>\n<h1>{target}</h1>\n<p class=\"score\">{}</p>\n<p>{}</p>\n<dl>\n",
        percent(score),
        escaped(&score.words())
    );
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "<dt>{name}</dt><dd>{value}</dd>");
    };
    row("address", &escaped(&report.address));
    row("profile", report.profile.name());
    row(
        "greets",
        &format!("<code>{}</code>", escaped(&report.greeting)),
    );
    row("offers", &format!("<code>{offers}</code>"));
    row(
        "recipient",
        &format!("<code>{}</code>", escaped(&report.recipient)),
    );
    row(
        "messages",
        match report.delivers {
            true => "were delivered to it",
            false => "none was completed",
        },
    );
    row(
        "walk",
        &format!(
            "{} connections in {}.{} s",
            report.connections,
            report.took_ms / 1000,
            report.took_ms % 1000 / 100
        ),
    );
    if let Some(why) = &report.stopped {
        row("ended early", &escaped(why));
    }
    text.push_str("</dl>\n</header>\n");
    text
}

/// What of each kind is shown; the good is hidden at first where there is a script to show it.
fn filters(report: &Report) -> String {
    let mut text = String::from("<nav hidden>\n");
    for verdict in [
        Verdict::Violation,
        Verdict::Tolerated,
        Verdict::Conformant,
        Verdict::Skipped,
    ] {
        let count = report
            .findings
            .iter()
            .filter(|f| f.verdict == verdict)
            .count();
        let name = verdict.name();
        let several = if verdict == Verdict::Violation && count != 1 {
            "s"
        } else {
            ""
        };
        // The script hides at first what nobody has to look at.
        let checked = match verdict {
            Verdict::Violation | Verdict::Tolerated => " checked",
            Verdict::Conformant | Verdict::Skipped => "",
        };
        let _ = writeln!(
            text,
            "<label class=\"{name}\"><input type=\"checkbox\" value=\"{name}\"{checked}> {count} {name}{several}</label>"
        );
    }
    text.push_str(
        "<label>search <input type=\"search\" placeholder=\"name, code, RFC\"></label>\n</nav>\n",
    );
    text
}

fn section(report: &Report, group: Group) -> String {
    let findings: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|f| f.group == group)
        .collect();
    if findings.is_empty() {
        return String::new();
    }
    let mut text = format!("<section>\n<h2>{}</h2>\n", group.name());
    for finding in findings {
        text.push_str(&one(finding));
    }
    text.push_str("</section>\n");
    text
}

fn one(finding: &Finding) -> String {
    let name = finding.verdict.name();
    let open = if finding.counts() { " open" } else { "" };
    let word = match &finding.excepted {
        Some(_) => "excepted",
        None => name,
    };
    let mut text = format!(
        "<details class=\"{name}\"{open}><summary><b>{word}</b> <span>{}</span> <i>{}</i></summary>\n<p>{}</p>\n",
        escaped(&finding.name),
        escaped(&finding.codes().join(" ")),
        escaped(&finding.about)
    );
    for exchange in &finding.exchanges {
        text.push_str(&conversation(exchange));
    }
    let _ = writeln!(
        text,
        "<dl><dt>because</dt><dd>{}</dd><dt>allowed</dt><dd>{}</dd><dt>see</dt><dd>{}</dd>",
        escaped(&finding.why),
        escaped(&finding.allowed),
        escaped(&finding.rfc)
    );
    if let Some(reason) = &finding.excepted {
        let _ = writeln!(text, "<dt>excepted</dt><dd>{}</dd>", escaped(reason));
    }
    text.push_str("</dl>\n</details>\n");
    text
}

fn conversation(exchange: &Exchange) -> String {
    let mut text = String::from("<pre>");
    if !exchange.sent.is_empty() {
        let _ = writeln!(text, "<b>C:</b> {}", escaped(&exchange.sent));
    }
    for came in &exchange.came {
        for line in came.lines() {
            let _ = writeln!(text, "<b>S:</b> {}", escaped(line));
        }
    }
    text.push_str("</pre>\n");
    text
}

#[cfg(test)]
mod tests {
    use crate::report::tests::sample;

    #[test]
    fn the_page_stands_alone_and_text_forges_nothing() {
        let mut sample = sample();
        sample.greeting = "220 <script>alert(1)</script>".into();
        let page = super::report(&sample);
        assert!(!page.contains("<script>alert"), "{page}");
        for from_elsewhere in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
        }
        assert!(
            page.contains("<details class=\"violation\" open>"),
            "{page}"
        );
        assert!(page.contains("score: 50 %"), "{page}");
    }
}
