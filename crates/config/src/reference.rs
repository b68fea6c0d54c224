//! The reference of the configuration, from the table of settings.

use std::fmt::Write;

use crate::settings::chapters;
use crate::table::{Chapter, Entry};

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from crates/config/src/settings.rs. Don't edit it; change the table there, then run
`cargo run -- config reference > docs/configuration.md`. -->

One TOML file holds all settings, and each has a default: without a file the server runs with
those. `postroad check` reads the file and says all that is wrong with it. A key that is not in
this list is an error.

A running server reads the file again on SIGHUP. *Reload* says when a change takes effect then:
**live**, at once, though a transaction under way keeps what it began with; **next connection**, for
those opened after it; **restart**, when the server is started again. If a setting of the last kind is
changed, or anything in the file is wrong, nothing of it is taken, and the log says why by name.

Times are strings with units (`\"1h 30m\"`), sizes are strings with units (`\"50 MiB\"`, 1 MiB is
1,048,576 octets) or numbers of octets.
";

/// All settings, as a page of Markdown: `docs/configuration.md`.
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for chapter in chapters() {
        add_chapter(&mut page, &chapter);
    }
    page
}

fn add_chapter(page: &mut String, chapter: &Chapter) {
    // Writing to a string can't fail.
    let _ = write!(page, "\n## {}\n\n{}\n", chapter.heading, lines(chapter.doc));
    if let Some(absent) = chapter.when_absent {
        let _ = write!(page, "\n{absent}\n");
    }
    for entry in &chapter.entries {
        add_entry(page, entry);
    }
}

fn add_entry(page: &mut String, entry: &Entry) {
    let Entry {
        key,
        kind,
        default,
        check,
        reload,
        doc,
    } = entry;
    let check = match check.as_str() {
        "" => String::new(),
        words => format!(", {}", words.replace('"', "")),
    };
    let _ = write!(page, "\n### `{key}`\n\n{}\n\n", lines(doc));
    let _ = writeln!(page, "* Type: {kind}{check}");
    let _ = writeln!(page, "* Default: {default}");
    let _ = writeln!(page, "* Reload: {reload}");
}

/// The text in lines of the page's width. Doc comments come as one line, with two spaces or more
/// where a line began.
fn lines(doc: &str) -> String {
    const WIDTH: usize = 98;
    let mut page = String::new();
    let mut width = 0;
    for word in doc.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            page.push('\n');
            width = 0;
        } else if width > 0 {
            page.push(' ');
            width += 1;
        }
        page.push_str(word);
        width += length;
    }
    page
}
