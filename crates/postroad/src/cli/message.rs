//! One message with all there is to say about it.

use std::fmt::Write;

use postroad_control::api::{Happened, Message, Recipient, RecipientState, What};

use super::{say, table};

/// So many recipients are shown one by one; `--json` has all.
const MOST_RECIPIENTS: usize = 50;

/// Text for people, in lines of `width`.
pub(super) fn text(message: &Message, width: Option<usize>) -> String {
    let mut text = String::new();
    let mut line = |first: usize, indent: usize, line: &str| {
        let line = say::wrap(&say::clean(line), width, first, indent);
        // Writing to a String doesn't fail.
        let _ = writeln!(text, "{line}");
    };
    let (state, sender) = (table::word(message.state), table::sender(message));
    let size = message.size;
    let about = format!("{}  {state}, from {sender}, {size} octets", message.id);
    line(0, 2, &about);
    if let Some(envid) = &message.envid {
        line(2, 2, &format!("Its sender calls it {envid}."));
    }
    for sentence in &message.plainly {
        line(2, 2, sentence);
    }
    line(0, 0, "");
    line(0, 0, "Recipients");
    for recipient in message.recipients.iter().take(MOST_RECIPIENTS) {
        line(2, 4, &of_recipient(recipient));
    }
    let others = message.recipients.len().saturating_sub(MOST_RECIPIENTS);
    if others > 0 {
        line(
            2,
            4,
            &format!("and {} more; --json has all", say::number(others)),
        );
    }
    line(0, 0, "");
    line(0, 0, "History");
    for happened in &message.history {
        line(2, 24, &of_history(happened));
    }
    text
}

fn of_recipient(recipient: &Recipient) -> String {
    let mut said = recipient.address.clone();
    if let Some(origin) = &recipient.origin {
        let _ = write!(said, " (for {origin})");
    }
    match recipient.state {
        RecipientState::Pending => {
            let _ = write!(said, ": pending, next hop {}", recipient.site);
        }
        RecipientState::Delivered => said.push_str(": delivered"),
        RecipientState::Failed => said.push_str(": given up"),
        RecipientState::Discarded => said.push_str(": discarded"),
    }
    match (recipient.state, recipient.attempts) {
        (RecipientState::Pending, 0) => said.push_str(", not tried yet"),
        (RecipientState::Pending, 1) => said.push_str(", tried once"),
        (RecipientState::Pending, attempts) => {
            let _ = write!(said, ", tried {attempts} times");
        }
        _ => {}
    }
    if let Some(next) = &recipient.next {
        let _ = write!(said, ", due {next}");
    }
    said
}

fn of_history(happened: &Happened) -> String {
    let what = word(happened.what);
    if happened.what == What::Omitted {
        let events = say::number(happened.others as usize);
        return format!("{:20}  {events} events are not kept", "...");
    }
    let mut said = format!("{:20}  {what}", happened.at);
    if !happened.recipients.is_empty() {
        let _ = write!(said, " {}", happened.recipients.join(", "));
    }
    if happened.others > 0 {
        let _ = write!(said, " and {} more", happened.others);
    }
    match (&happened.peer, happened.said.as_str()) {
        (None, "") => {}
        (Some(peer), words) if happened.what == What::Received => {
            let _ = write!(said, " {words}");
            let literal = format!("[{peer}]");
            if !words.ends_with(&literal) {
                let _ = write!(said, " {literal}");
            }
        }
        // What was done here follows on; what others said is set off.
        (None, words) if happened.recipients.is_empty() => {
            let _ = write!(said, " {words}");
        }
        (None, words) => {
            let _ = write!(said, ": {words}");
        }
        (Some(peer), "") => {
            let _ = write!(said, ": {peer}");
        }
        (Some(peer), words) => {
            let _ = write!(said, ": {peer}: {words}");
        }
    }
    said
}

fn word(what: What) -> &'static str {
    match what {
        What::Received => "received",
        What::Delivered => "delivered",
        What::Relayed => "relayed",
        What::Deferred => "deferred",
        What::Failed => "given up",
        What::Discarded => "discarded",
        What::Noticed => "notice made",
        What::Held => "held",
        What::Released => "released",
        What::Retried => "made due",
        What::Redirected => "redirected",
        What::Deleted => "deleted",
        What::Omitted => "omitted",
    }
}
