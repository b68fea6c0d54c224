//! Lines of the terminal's width, with colour where there is one.

use super::super::say;

/// How text is laid out.
pub(super) struct Style {
    /// Columns of a line.
    pub(super) width: usize,
    /// Whether colours are understood.
    pub(super) colour: bool,
    /// Whether every situation is told whole.
    pub(super) all: bool,
}

/// Where what is labelled begins.
const INDENT: usize = 12;

/// A text that grows line by line.
pub(super) struct Page<'a> {
    pub(super) text: String,
    pub(super) style: &'a Style,
}

/// How a piece is shown.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Strong,
    Quiet,
    Good,
    Waiting,
    Bad,
}

impl Tone {
    pub(super) fn of_code(code: u16) -> Tone {
        match code / 100 {
            2 | 3 => Tone::Good,
            4 => Tone::Waiting,
            _ => Tone::Bad,
        }
    }

    fn sequence(self) -> &'static str {
        match self {
            Tone::Strong => "1",
            Tone::Quiet => "2",
            Tone::Good => "1;32",
            Tone::Waiting => "1;33",
            Tone::Bad => "1;31",
        }
    }
}

impl Style {
    fn toned(&self, text: &str, tone: Tone) -> String {
        if self.colour {
            format!("\x1b[{}m{text}\x1b[0m", tone.sequence())
        } else {
            text.to_owned()
        }
    }
}

impl Page<'_> {
    pub(super) fn new(style: &Style) -> Page<'_> {
        Page {
            text: String::new(),
            style,
        }
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line with its first `head` octets in a tone.
    pub(super) fn line(&mut self, line: &str, indent: (usize, usize), head: usize, tone: Tone) {
        let line = say::clean(line);
        let (first, further) = indent;
        let wrapped = say::wrap(&line, Some(self.style.width), first, further);
        // It begins with so many spaces.
        let (before, rest) = wrapped.split_at(first);
        let head = rest.floor_char_boundary(head);
        let (toned, plain) = rest.split_at(head);
        let toned = if toned.is_empty() {
            String::new()
        } else {
            self.style.toned(toned, tone)
        };
        for line in format!("{before}{toned}{plain}").lines() {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    pub(super) fn plain(&mut self, line: &str, first: usize, further: usize) {
        self.line(line, (first, further), 0, Tone::Quiet);
    }

    /// `label  text`, the text in a column of its own.
    pub(super) fn labelled(&mut self, label: &str, text: &str) {
        let column = INDENT - 3;
        self.line(
            &format!("{label:column$}{text}"),
            (3, INDENT),
            label.len(),
            Tone::Quiet,
        );
    }
}
