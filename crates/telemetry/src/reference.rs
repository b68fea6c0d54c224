//! The reference of events, from the catalogue.

use std::fmt::Write;

use crate::events::{DROPPED, Event};

const INTRODUCTION: &str = "\
# Events

<!-- Made from crates/telemetry/src/events.rs. Don't edit it; change the catalogue there, then run
`POSTROAD_WRITE_DOCS=1 cargo test -p postroad-telemetry --test events`. -->

What the server says of itself, one line each, on standard error. `log.format` and `log.level` of
the configuration say how, and how much. Each line has a time (`time` in JSON), a level (`level`), a
name (`event`) and the fields below; a field without a value is left out. What a peer sent is cut
after 500 characters, and characters that could steer a terminal are escaped.
";

/// All events, as a page of Markdown: `docs/events.md`.
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    // Writing to a string can't fail, here and below.
    for event in Event::catalogue() {
        let (name, level) = (event.name, event.level.to_lowercase());
        let _ = write!(
            page,
            "\n## `{name}`\n\nLevel: {level}. {}\n",
            words(event.doc)
        );
        if !event.fields.is_empty() {
            page.push('\n');
        }
        for field in event.fields {
            let doc = words(field.doc);
            let _ = writeln!(page, "* `{}` ({}): {doc}", field.name, field.kind);
        }
    }
    let _ = write!(
        page,
        "\n## `{DROPPED}`\n\nLevel: warn. Lines came faster than they could be written, or could \
         not be written, and were dropped: the server never waits for its log.\n\n* `lines` \
         (number): How many.\n"
    );
    page
}

/// Doc comments come as one line, with two spaces or more where a line began.
fn words(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
