//! What a person reads.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Action, Notice, Told, clean, pieces};
use crate::trace;

/// Where lines of text end.
const LINE: usize = 72;

/// The subject, after the worst of what is told.
pub(super) fn subject(recipients: &[Told<'_>]) -> &'static str {
    let any = |wanted: fn(Action) -> bool| recipients.iter().any(|told| wanted(told.action));
    if any(|action| action == Action::Failed) {
        "Undelivered mail returned to sender"
    } else if any(|action| matches!(action, Action::Delayed { .. })) {
        "Delayed mail (still being tried)"
    } else {
        "Mail delivery report"
    }
}

/// The first part.
pub(super) fn explanation(notice: &Notice<'_>) -> String {
    let mut text = Paragraphs {
        text: String::new(),
        utf8: notice.smtputf8,
    };
    text.put(
        "",
        &format!(
            "This is the mail server {}. It has this to say about a message you sent, which \
             came in on {}.",
            notice.reporting_mta,
            trace::date(notice.arrival)
        ),
    );
    for (action, heading) in HEADINGS {
        let told = notice.recipients.iter();
        let mut told = told
            .filter(|told| told.action.keyword() == action)
            .peekable();
        if told.peek().is_some() {
            text.gap();
            text.put("", heading);
        }
        for told in told {
            text.gap();
            about(told, &mut text);
        }
    }
    text.gap();
    text.put(
        "",
        &format!(
            "The report that follows is for programs; after it comes the message, or its header \
             section. If you need help, send mail to postmaster at this server's domain, and \
             include this notice. Its number here was {}.",
            notice.queue_id
        ),
    );
    text.text
}

/// What is told, in the order of its weight, by the word of its action, and what begins it.
const HEADINGS: [(&str, &str); 5] = [
    (
        "failed",
        "It could not be delivered to these recipients, and won't be tried again:",
    ),
    (
        "delayed",
        "It could not be delivered to these recipients yet. This is a warning only: you don't \
         need to send it again, it is still being tried:",
    ),
    ("delivered", "It was delivered to these recipients:"),
    (
        "relayed",
        "It was handed to a server that sends no reports of delivery, for these recipients:",
    ),
    (
        "expanded",
        "It went on to the addresses that these recipients stand for:",
    ),
];

fn about(told: &Told<'_>, text: &mut Paragraphs) {
    text.put("  ", &format!("<{}>", told.recipient));
    if let Some(original) = told.original
        && original.address != told.recipient.to_string()
    {
        text.put("      ", &format!("(sent to <{}>)", original.address));
    }
    match (told.peer, told.reply) {
        (Some(peer), Some(reply)) => text.put("      ", &format!("{peer} said: {reply}")),
        (None, Some(reply)) => text.put("      ", &format!("the next server said: {reply}")),
        (_, None) if told.words.is_empty() => {}
        (_, None) => text.put("      ", told.words),
    }
    if let Action::Delayed { until } = told.action {
        let until = trace::date(until);
        text.put("      ", &format!("It is tried until {until}."));
    }
}

/// Lines of text.
struct Paragraphs {
    text: String,
    utf8: bool,
}

impl Paragraphs {
    /// An empty line.
    fn gap(&mut self) {
        self.text.push_str("\r\n");
    }

    /// A paragraph, each line of it after `indent`.
    fn put(&mut self, indent: &str, words: &str) {
        let words = clean(words, self.utf8);
        let words = words.split(' ').filter(|word| !word.is_empty());
        let mut column = 0;
        for piece in words.flat_map(pieces) {
            let long = piece.chars().count();
            if column > 0 && column + 1 + long > LINE {
                self.text.push_str("\r\n");
                column = 0;
            }
            if column == 0 {
                self.text.push_str(indent);
                column = indent.len();
            } else {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(piece);
            column += long;
        }
        self.text.push_str("\r\n");
    }
}
