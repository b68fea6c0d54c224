//! The pages in `docs/` are what the tables make.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // A test reads and writes files, and may fail.

use postroad_explain::{page, specification};

#[test]
fn the_pages_in_docs_are_those_of_the_tables() {
    let pages = [
        ("replies.md", page::markdown()),
        ("replies.html", page::html()),
    ];
    for (name, made) in pages {
        let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("POSTROAD_WRITE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == made,
            "docs/{name} is stale; run `POSTROAD_WRITE_DOCS=1 cargo test -p postroad-explain --test pages`"
        );
    }
}

/// The classic table stands there word for word, in its own order.
#[test]
fn the_classic_table_is_quoted_as_it_is() {
    let page = page::markdown();
    let table = page.split("## The table").nth(1).unwrap();
    let table = table.split("```").nth(1).unwrap();
    let mut rest = table;
    for command in &specification().command {
        let heading = match command.classic_heading.as_str() {
            "" => format!("\n{} (its heading is lost", command.name),
            heading => format!("\n{heading}\n"),
        };
        let at = rest.find(&heading);
        rest = &rest[at.unwrap_or_else(|| panic!("{heading} is missing or out of order"))..];
        for row in &command.reply {
            let line = format!("   {} {}\n", row.code, row.text);
            let at = rest.find(&line);
            rest = &rest[at.unwrap_or_else(|| panic!("{}: {line}", command.name)) + line.len()..];
        }
    }
    let added = table
        .lines()
        .filter(|line| line.starts_with("  + ") || line.starts_with("- + "));
    assert_eq!(added.count(), specification().addition.len());
}

#[test]
fn the_page_of_one_file_has_every_row_and_asks_nobody() {
    let page = page::html();
    let articles = page.matches("<article ").count();
    let specification = specification();
    let rows: usize = specification.command.iter().map(|c| c.reply.len()).sum();
    assert_eq!(
        articles,
        specification.code.len() + rows + specification.addition.len()
    );
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("{{"));
    let mut ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .map(|rest| &rest[..rest.find('"').unwrap()])
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands there twice");
}
