//! The page for readers of the repository.

use std::fmt::Write;

use super::{Block, DIALOGUES, Line, blocks, sentence};
use crate::names;
use crate::specification::{plain, specification};

const HEAD: &str = "\
# Replies

<!-- Made from spec/smtp-reply-table.toml, crates/reply and crates/explain. Don't edit it; change those, then run
`POSTROAD_WRITE_DOCS=1 cargo test -p postroad-explain --test pages`. -->

Every reply that an SMTP server may give, to each command, by the classic table and by today's RFCs: when it is given, what the
sending side should do, and how this server is brought to say it. [replies.html](replies.html) is the same to search in: one file that
works without a network, on a phone as well. `postroad explain 550 5.7.1`, with a whole line of any log if you like, tells of one reply.

";

/// `docs/replies.md`.
pub fn markdown() -> String {
    let blocks = blocks();
    let mut page = HEAD.to_owned();
    glance(&blocks, &mut page);
    codes(&mut page);
    terms(&mut page);
    page.push_str("## Row by row\n\n");
    page.push_str(
        "`+` marks what the classic table lacks. *Here* names the settings that have a part in it, and a conversation \
         of the tests that shows it.\n",
    );
    for block in &blocks {
        details(block, &mut page);
    }
    page
}

/// The classic table as it is, and the additions between.
fn glance(blocks: &[Block], page: &mut String) {
    let references = &specification().references;
    page.push_str("## The table\n\n");
    page.push_str(
        "The classic table in its own order and words, with what today's RFCs add marked by `+`, and what this server \
         does not say by `-`.\n\n",
    );
    let _ = writeln!(
        page,
        "```text\nbasic: {}; {}\nenhanced: {}",
        references.basic, references.additional, references.enhanced
    );
    for block in blocks {
        let heading = match block.classic_heading {
            Some("") => format!(
                "{} (its heading is lost in the classic table)",
                block.heading()
            ),
            Some(heading) => heading.to_owned(),
            None => format!("+ {}", block.heading()),
        };
        let _ = writeln!(page, "\n{heading}");
        for line in &block.rows {
            let added = if line.is_classic { ' ' } else { '+' };
            let said = if line.is_said() { ' ' } else { '-' };
            let text = format!("{said} {added} {} {}", line.row.code, line.row.text);
            let _ = writeln!(page, "{}", text.trim_end());
        }
    }
    page.push_str("```\n\n");
}

fn codes(page: &mut String) {
    page.push_str("## The codes\n\n| code | the classic table's text | |\n|---|---|---|\n");
    for code in &specification().code {
        let note = code.note.as_deref().map_or_else(String::new, plain);
        let _ = writeln!(
            page,
            "| {} | {} | {} |",
            code.code,
            cell(&code.text),
            cell(&note)
        );
    }
    page.push('\n');
}

fn terms(page: &mut String) {
    let terms = &specification().terms;
    page.push_str("## Words that return\n\n");
    let all = [
        (
            "A limit, a time-out, or the end of the service",
            &terms.shut,
        ),
        ("A line too long or unreadable", &terms.too_long),
        ("The historic mode", &terms.historic_mode),
    ];
    for (name, meaning) in all {
        let _ = writeln!(page, "* **{name}**: {}", cell(meaning));
    }
    page.push_str("\nWhat it takes to see a row:\n\n");
    for reach in [
        postroad_reply::Reach::Default,
        postroad_reply::Reach::Config,
        postroad_reply::Reach::Fault,
        postroad_reply::Reach::Historic,
    ] {
        let _ = writeln!(
            page,
            "* `{}`: {}",
            names::reach(reach),
            names::reach_in_words(reach)
        );
    }
    page.push('\n');
}

fn details(block: &Block, page: &mut String) {
    let _ = writeln!(page, "\n### {}\n\n{}", block.heading(), block.about());
    if let Some(note) = &block.note {
        let _ = writeln!(page, "{}", cell(note));
    }
    page.push_str(
        "\n| reply | when | what the sending side should do | here |\n|---|---|---|---|\n",
    );
    for line in &block.rows {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            reply(line),
            when(line),
            doing(line),
            here(line)
        );
    }
}

fn reply(line: &Line) -> String {
    let mark = if line.is_classic { "" } else { "+ " };
    let text = cell(&line.row.text);
    let enhanced = match line.row.enhanced.as_slice() {
        [] => String::new(),
        codes => format!("<br>{}", codes.join(", ")),
    };
    format!("{mark}**{}** {text}{enhanced}", line.row.code)
}

fn when(line: &Line) -> String {
    let mut text = cell(&sentence(&line.row.cause));
    if let Some(note) = &line.row.note {
        let _ = write!(text, "<br>*{}*", cell(&plain(note)));
    }
    text
}

fn doing(line: &Line) -> String {
    let all: Vec<_> = line
        .advice()
        .into_iter()
        .map(|(codes, text)| match codes.as_str() {
            "" => cell(text),
            codes => format!("{codes}: {}", cell(text)),
        })
        .collect();
    all.join("<br>")
}

fn here(line: &Line) -> String {
    let mut parts = vec![format!("`{}`", line.row.reach)];
    if !line.is_said() {
        let why = line.situations.first().map_or("", |told| told.here.how);
        parts.push(format!("Not said. {}", cell(why)));
    }
    let settings: Vec<_> = line
        .settings()
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    if !settings.is_empty() {
        parts.push(settings.join(", "));
    }
    let shown: Vec<_> = line
        .dialogues()
        .iter()
        .map(|file| format!("[{}]({DIALOGUES}/{file})", file.trim_end_matches(".smtp")))
        .collect();
    if !shown.is_empty() {
        parts.push(shown.join(", "));
    }
    parts.push(line.sources());
    parts.join("<br>")
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('*', "\\*")
}
