//! The queue as a table: a line a message, and one below it for what was said last.

use std::fmt::Write;

use postroad_control::api::{Message, Recipient, RecipientState, State};

use super::say;

/// Where the words below a message begin.
const INDENT: usize = 15;

/// The rows of `messages`, with the head of the table before the first.
pub(super) fn rows(messages: &[Message], first: bool, width: Option<usize>) -> String {
    let mut text = String::new();
    if first && !messages.is_empty() {
        row(
            &mut text,
            width,
            ["ID", "AGE", "SIZE", "STATE", "NEXT"],
            "FROM -> TO",
        );
    }
    for message in messages {
        let age = say::short_span(message.age);
        let size = say::short_size(message.size);
        let next = match message.wait {
            Some(0) => "now".into(),
            Some(wait) => say::short_span(wait),
            None => "-".into(),
        };
        let path = format!("{} -> {}", sender(message), recipients(message));
        let cells = [message.id.as_str(), &age, &size, word(message.state), &next];
        row(&mut text, width, cells, &path);
        if let Some(reason) = reason(message) {
            line(&mut text, width, &format!("{:INDENT$}{reason}", ""));
        }
    }
    text
}

fn row(text: &mut String, width: Option<usize>, cells: [&str; 5], path: &str) {
    let [id, age, size, state, next] = cells;
    let row = format!("{id:13}  {age:>4}  {size:>5}  {state:8}  {next:>4}  {path}");
    line(text, width, &row);
}

fn line(text: &mut String, width: Option<usize>, line: &str) {
    let line = say::clean(line);
    let line = width.map_or(line.clone(), |width| say::cut(&line, width));
    // Writing to a String doesn't fail.
    let _ = writeln!(text, "{}", line.trim_end());
}

/// A state in one word.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Queued => "queued",
        State::Deferred => "deferred",
        State::Held => "held",
        State::Notice => "notice",
    }
}

/// The sender as people write it.
pub(super) fn sender(message: &Message) -> &str {
    match message.sender.as_str() {
        "" => "<>",
        sender => sender,
    }
}

/// The first recipient that still waits, and how many others there are.
fn recipients(message: &Message) -> String {
    let all = &message.recipients;
    let shown = waiting(message).or(all.first());
    let address = shown.map_or("nobody", |r| r.address.as_str());
    match all.len() {
        0 | 1 => address.into(),
        count => format!("{address} +{}", count - 1),
    }
}

fn waiting(message: &Message) -> Option<&Recipient> {
    let pending = |r: &&Recipient| r.state == RecipientState::Pending;
    message.recipients.iter().find(pending)
}

/// What the last attempt for the first recipient that waits has said.
fn reason(message: &Message) -> Option<&str> {
    let pending = message.recipients.iter();
    let pending = pending.filter(|r| r.state == RecipientState::Pending);
    pending.filter_map(|r| r.last.as_deref()).next()
}
