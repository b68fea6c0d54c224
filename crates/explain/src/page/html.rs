//! The page that is one file, to search in.

use std::fmt::Write;

use super::{Block, DIALOGUES, Line, blocks, sentence};
use crate::specification::{plain, specification};
use crate::told::Told;

/// What stands around the rows: style, search field, script.
const FRAME: &str = include_str!("frame.html");

/// `docs/replies.html`.
pub fn html() -> String {
    let blocks = blocks();
    let mut sections = codes();
    for block in &blocks {
        section(block, &mut sections);
    }
    let mut links = String::from("<a href=\"#codes\">codes</a>");
    for block in &blocks {
        let name = block.heading();
        let _ = write!(links, " <a href=\"#{}\">{}</a>", anchor(name), escape(name));
    }
    FRAME
        .replace("{{links}}", &links)
        .replace("{{sections}}", &sections)
}

fn codes() -> String {
    let mut section = String::from(
        "<section id=\"codes\"><h2>Codes <small>The classic table of codes.</small></h2>\n",
    );
    for code in &specification().code {
        let note = code.note.as_deref().map_or_else(String::new, |note| {
            format!("<p>{}</p>", escape(&plain(note)))
        });
        let _ = writeln!(
            section,
            "<article class=\"classic\" id=\"code-{0}\"><h3><a class=\"code c{1}\" href=\"#code-{0}\">{0}</a> <q>{2}</q></h3>{note}</article>",
            code.code,
            code.code / 100,
            escape(&code.text)
        );
    }
    section.push_str("</section>\n");
    section
}

fn section(block: &Block, page: &mut String) {
    let name = block.heading();
    let lost = match block.classic_heading {
        Some("") => " Its heading is lost in the classic table.",
        Some(_) => "",
        None => " Not in the classic table.",
    };
    let _ = writeln!(
        page,
        "<section id=\"{}\" data-name=\"{}\"><h2>{} <small>{}{lost}</small></h2>",
        anchor(name),
        escape(name),
        escape(name),
        escape(block.about()),
    );
    if let Some(note) = &block.note {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(note));
    }
    for line in &block.rows {
        article(name, line, page);
    }
    page.push_str("</section>\n");
}

fn article(command: &str, line: &Line, page: &mut String) {
    let (code, class) = (
        line.row.code,
        if line.is_classic {
            "classic"
        } else {
            "addition"
        },
    );
    // A classic row and an addition may have the same code.
    let id = format!(
        "{}-{code}{}",
        anchor(command),
        if line.is_classic { "" } else { "-added" }
    );
    let mark = if line.is_classic {
        ""
    } else {
        " <b class=\"tag\">+ addition</b>"
    };
    let _ = writeln!(
        page,
        "<article class=\"{class}\" id=\"{id}\"><h3><a class=\"code c{}\" href=\"#{id}\">{code}</a> <q>{}</q>{mark} \
         <b class=\"tag\">{}</b></h3>\n<p>{}</p>",
        code / 100,
        escape(&line.row.text),
        escape(&line.row.reach),
        escape(&sentence(&line.row.cause)),
    );
    if let Some(note) = &line.row.note {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(&plain(note)));
    }
    page.push_str("<dl>\n");
    page.push_str("<dt>Do</dt>");
    for (codes, text) in line.advice() {
        let codes = if codes.is_empty() {
            String::new()
        } else {
            format!("<i>{codes}</i> ")
        };
        let _ = writeln!(page, "<dd>{codes}{}</dd>", escape(text));
    }
    let _ = writeln!(page, "<dt>From</dt><dd>{}</dd>", escape(&line.sources()));
    page.push_str("</dl>\n<ul>\n");
    for told in &line.situations {
        situation(told, page);
    }
    page.push_str("</ul></article>\n");
}

fn situation(told: &Told, page: &mut String) {
    let enhanced = told.enhanced.join(" ");
    let _ = write!(
        page,
        "<li><b>{}</b> <i>{enhanced}</i> {} <span class=\"who\">{}</span>",
        escape(told.situation),
        escape(told.when),
        told.speaker,
    );
    let mark = if told.here.says {
        ""
    } else {
        "<b class=\"tag no\">not said here</b> "
    };
    let _ = write!(page, "<div>{mark}{}", code_marks(&escape(told.here.how)));
    for setting in told.here.settings {
        let _ = write!(page, " <code>{setting}</code>");
    }
    if let Some(file) = &told.here.dialogue {
        let name = file.trim_end_matches(".smtp");
        let _ = write!(page, " <a href=\"{DIALOGUES}/{file}\">{name}</a>");
    }
    page.push_str("</div></li>\n");
}

/// What stands between backquotes, as code.
fn code_marks(text: &str) -> String {
    let mut parts = text.split('`');
    let mut marked = parts.next().unwrap_or_default().to_owned();
    for (nth, part) in parts.enumerate() {
        marked.push_str(if nth % 2 == 0 { "<code>" } else { "</code>" });
        marked.push_str(part);
    }
    marked
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
