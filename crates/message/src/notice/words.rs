//! What a person reads.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Action, Notice, Told, clean, meaning, pieces};
use crate::trace;

/// Where lines of text end.
const LINE: usize = 72;

/// What has happened, for the subject: the worst of what is told.
pub(super) fn subject(recipients: &[Told<'_>]) -> &'static str {
    let any = |wanted: fn(Action) -> bool| recipients.iter().any(|told| wanted(told.action));
    if any(|action| action == Action::Failed) {
        "Undelivered mail"
    } else if any(|action| matches!(action, Action::Delayed { .. })) {
        "Delayed mail (still being tried)"
    } else {
        "Delivery report"
    }
}

/// The first part.
pub(super) fn explanation(notice: &Notice<'_>) -> String {
    let mut text = Paragraphs {
        text: String::new(),
        utf8: notice.smtputf8,
    };
    let (host, arrival) = (notice.reporting_mta, trace::date(notice.arrival));
    let first = format!(
        "This is the mail server {host}, about a message that you sent. It came in here on \
         {arrival}."
    );
    text.put("", &first);
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
    let last = format!(
        "If you need help, answer this notice, or send it to <postmaster@{host}>. The number of \
         your message here was {}. Below are a report for programs, and {}.",
        notice.queue_id,
        notice.returned.in_words()
    );
    text.put("", &last);
    text.text
}

/// What is told, in the order of its weight, by the word of its action, and what begins it.
const HEADINGS: [(&str, &str); 5] = [
    (
        "failed",
        "It could NOT be delivered to the following, who don't have it now. It is not tried \
         again. You can send it again once the cause is mended.",
    ),
    (
        "delayed",
        "It could NOT YET be delivered to the following. You need do nothing: it is still being \
         tried, and you will be told if that comes to nothing.",
    ),
    (
        "delivered",
        "It was delivered, and is in the mailbox of the following. That doesn't say that it was \
         read.",
    ),
    (
        "relayed",
        "It was handed to the next mail server for the following. That server tells nobody when \
         it delivers, so this is the last you hear of it, unless it fails.",
    ),
    (
        "expanded",
        "It was sent on to the several addresses that each of the following stands for. You will \
         be told of those where it fails.",
    ),
];

fn about(told: &Told<'_>, text: &mut Paragraphs) {
    text.put("  ", &format!("<{}>", told.recipient));
    if let Some(original) = told.original
        && original.address != told.recipient.to_string()
    {
        text.put("      ", &format!("(sent to <{}>)", original.address));
    }
    if told.one_of_several && told.action != Action::Expanded {
        text.put(
            "      ",
            "(one of the addresses it stands for; the others are told of by themselves)",
        );
    }
    let undelivered = matches!(told.action, Action::Failed | Action::Delayed { .. });
    if let Some(meaning) = meaning::of(told.status).filter(|_| undelivered) {
        text.put("      ", meaning);
    }
    match (told.peer, told.reply) {
        (Some(peer), Some(reply)) => text.put("      ", &format!("{peer} said: {reply}")),
        (None, Some(reply)) => text.put("      ", &format!("The next server said: {reply}")),
        (_, None) if undelivered && !told.words.is_empty() => {
            text.put("      ", &format!("What happened: {}", told.words));
        }
        (_, None) => {}
    }
    // What is not refused for good was tried again, as long as that made sense (RFC 3463 2).
    if let (Action::Failed, '4', Some(last)) = (told.action, class(told), told.last_attempt) {
        let last = trace::date(last);
        text.put("      ", &format!("It was tried until {last}."));
    }
    if let Action::Delayed { until } = told.action {
        let until = trace::date(until);
        text.put("      ", &format!("It will be tried until {until}."));
    }
}

/// The first digit of the status.
fn class(told: &Told<'_>) -> char {
    told.status.to_string().chars().next().unwrap_or_default()
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
