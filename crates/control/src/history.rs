//! What happened to a message and what comes next, for `GET /v1/queue/{id}`.

use postroad_clock::UnixMs;
use postroad_queue::history::{End, Event, FIRST, What};
use postroad_queue::{Amendment, Handover, Life, Report};
use postroad_store::Entry;

use crate::api::{Happened, Message, Recipient, RecipientState, State, What as Shown};
use crate::view::{self, Sites, time};

/// So many sentences are about recipients; what they don't say is in `recipients`.
const MOST_SENTENCES: usize = 10;

/// `entry` at `now`, with its history.
pub fn told(entry: &Entry, sites: &dyn Sites, now: UnixMs) -> Message {
    let mut message = view::message(entry, sites, now);
    message.history = history(entry);
    message.plainly = plainly(entry, &message, sites, now);
    message
}

/// What happened, oldest first.
fn history(entry: &Entry) -> Vec<Happened> {
    let mut all = vec![received(entry)];
    let history = &entry.state.history;
    let (first, last) = match history.left_out() {
        0 => (history.events(), [].as_slice()),
        _ => history.events().split_at(FIRST.min(history.events().len())),
    };
    all.extend(first.iter().map(|event| happened(entry, event)));
    if let Some(next) = last.first() {
        all.push(Happened {
            others: history.left_out(),
            ..of_all(next.at, Shown::Omitted, "")
        });
    }
    all.extend(last.iter().map(|event| happened(entry, event)));
    all
}

fn received(entry: &Entry) -> Happened {
    let client = &entry.envelope.client;
    let said = match (client.protocol.as_str(), client.hello.as_str()) {
        ("", _) => "made here".to_owned(),
        (protocol, hello) => format!("by {protocol} from {hello}"),
    };
    Happened {
        peer: client.address.map(|address| address.to_string()),
        ..of_all(entry.envelope.received_at, Shown::Received, &said)
    }
}

fn happened(entry: &Entry, event: &Event) -> Happened {
    let attempted = match &event.what {
        What::Amended(amendment) => {
            let (what, said) = amended(amendment);
            return of_all(event.at, what, &said);
        }
        What::Noticed => return of_all(event.at, Shown::Noticed, "to its sender"),
        What::Attempted(attempted) => attempted,
    };
    let what = match attempted.end() {
        End::Delivered(Handover::Delivered) => Shown::Delivered,
        End::Delivered(Handover::Relayed | Handover::PassedOn) => Shown::Relayed,
        End::Deferred => Shown::Deferred,
        End::Failed => Shown::Failed,
        End::Discarded => Shown::Discarded,
    };
    let recipient = |ix: &postroad_queue::RecipientIx| {
        let place = usize::try_from(ix.0).ok()?;
        let recipient = entry.envelope.recipients.get(place)?;
        Some(recipient.target.to_string())
    };
    Happened {
        recipients: attempted
            .recipients()
            .iter()
            .filter_map(recipient)
            .collect(),
        others: attempted.others(),
        peer: attempted.report().peer().map(ToString::to_string),
        ..of_all(event.at, what, &reply_and_words(attempted.report()))
    }
}

fn of_all(at: UnixMs, what: Shown, said: &str) -> Happened {
    Happened {
        at: time(at),
        what,
        recipients: Vec::new(),
        others: 0,
        peer: None,
        said: said.into(),
    }
}

fn amended(amendment: &Amendment) -> (Shown, String) {
    let (what, said) = match amendment {
        Amendment::Hold => (Shown::Held, "by an operator"),
        Amendment::Release => (Shown::Released, "by an operator"),
        Amendment::RetryNow => (Shown::Retried, "by an operator"),
        Amendment::Delete => (Shown::Deleted, "by an operator"),
        Amendment::Redirect(to) if to.0.is_empty() => (
            Shown::Redirected,
            "by an operator, to its own next hops again",
        ),
        Amendment::Redirect(to) => {
            return (Shown::Redirected, format!("by an operator, to {}", to.0));
        }
    };
    (what, said.into())
}

fn verb(amendment: &Amendment) -> String {
    match amendment {
        Amendment::Hold => "hold".into(),
        Amendment::Release => "release".into(),
        Amendment::RetryNow => "retry".into(),
        Amendment::Delete => "delete".into(),
        Amendment::Redirect(to) => format!("redirect to {}", to.0),
    }
}

/// A report without its peer, which stands beside it.
fn reply_and_words(report: &Report) -> String {
    match (report.reply(), report.words()) {
        (None, words) => words.into(),
        (Some(reply), "") => reply.into(),
        (Some(reply), words) => format!("{reply} ({words})"),
    }
}

/// What happened, where it stands and what comes next, in sentences.
fn plainly(entry: &Entry, message: &Message, sites: &dyn Sites, now: UnixMs) -> Vec<String> {
    let mut said = vec![came(entry, message)];
    said.extend(settled(message));
    let pending = pending(entry, message);
    let (told, untold) = pending.split_at(pending.len().min(MOST_SENTENCES));
    said.extend(told.iter().map(|alike| stands(alike, message.state, now)));
    let others: usize = untold.iter().map(|alike| alike.count).sum();
    if others > 0 {
        said.push(format!("{others} more recipients are pending."));
    }
    if !pending.is_empty() {
        let end = entry.envelope.received_at + sites.given_up_after();
        said.push(given_up(end, message, now));
    }
    said.extend(comes_next(entry, message, now));
    said
}

/// Pending recipients of whom the same can be said.
struct Alike<'m> {
    first: &'m Recipient,
    due: UnixMs,
    count: usize,
}

fn pending<'m>(entry: &Entry, message: &'m Message) -> Vec<Alike<'m>> {
    let mut all: Vec<Alike<'m>> = Vec::new();
    for (life, recipient) in entry.state.lives.iter().zip(&message.recipients) {
        let Life::Pending { due, .. } = life else {
            continue;
        };
        let of = |r: &Recipient| (r.site.clone(), r.attempts, r.next.clone(), r.last.clone());
        // Those of a domain stand together, mostly.
        match all.last_mut() {
            Some(alike) if of(alike.first) == of(recipient) => alike.count += 1,
            _ => all.push(Alike {
                first: recipient,
                due: *due,
                count: 1,
            }),
        }
    }
    all
}

fn given_up(end: UnixMs, message: &Message, now: UnixMs) -> String {
    let told = match message.sender.as_str() {
        "" => "and nobody is told",
        _ => "and its sender is told, if it wants to be",
    };
    if end <= now {
        return format!(
            "Its time is up: what another attempt doesn't deliver is given up, {told}."
        );
    }
    let left = span(end.since(now).as_secs());
    let at = time(end);
    format!("What is not delivered in {left}, by {at}, is given up then, {told}.")
}

fn came(entry: &Entry, message: &Message) -> String {
    let client = &message.client;
    let from = match (&client.address, client.protocol.as_str()) {
        (_, "") => "made here".to_owned(),
        (Some(address), protocol) if client.hello != format!("[{address}]") => {
            format!("received by {protocol} from {} [{address}]", client.hello)
        }
        (_, protocol) => format!("received by {protocol} from {}", client.hello),
    };
    let sender = match message.sender.as_str() {
        "" => "It has the null sender, so nobody is told what becomes of it.".to_owned(),
        sender => format!("Its sender is {sender}."),
    };
    let at = time(entry.envelope.received_at);
    format!("It was {from} at {at}, {} ago. {sender}", span(message.age))
}

/// How many recipients are done with, if any are.
fn settled(message: &Message) -> Option<String> {
    let count = |state| {
        let of = |r: &&Recipient| r.state == state;
        message.recipients.iter().filter(of).count()
    };
    let parts = [
        (count(RecipientState::Delivered), "delivered"),
        (count(RecipientState::Failed), "given up"),
        (count(RecipientState::Discarded), "discarded"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let all = message.recipients.len();
    (!parts.is_empty()).then(|| format!("Of {all} recipients, {}.", parts.join(", ")))
}

/// Where pending recipients stand.
fn stands(alike: &Alike<'_>, state: State, now: UnixMs) -> String {
    let Recipient {
        address,
        site,
        attempts,
        last,
        ..
    } = alike.first;
    let others = match alike.count {
        1 => String::new(),
        2 => " and 1 other".to_owned(),
        count => format!(" and {} others", count - 1),
    };
    let times = match attempts {
        0 => "was not tried yet".to_owned(),
        1 => "was tried once".to_owned(),
        2 => "was tried twice".to_owned(),
        attempts => format!("was tried {attempts} times"),
    };
    let tried = match (attempts, last) {
        (1, Some(last)) => format!("{times}: {last}"),
        (2.., Some(last)) => format!("{times}, and the last said: {last}"),
        _ => times,
    };
    let due = alike.due;
    let next = match state {
        State::Active | State::Held | State::Notice => String::new(),
        State::Queued | State::Deferred if due <= now => {
            format!(" It is due now (next hop: {site}).")
        }
        State::Queued | State::Deferred => {
            let wait = span(due.since(now).as_secs());
            let at = time(due);
            format!(" It is tried next in {wait}, at {at} (next hop: {site}).")
        }
    };
    let stop = if tried.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("The mail for {address}{others} {tried}{stop}{next}")
}

fn comes_next(entry: &Entry, message: &Message, now: UnixMs) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(to) = &message.redirect {
        said.push(format!(
            "An operator sends it to {to} instead of its recipients' own next hops."
        ));
    }
    match message.state {
        State::Active => {
            said.push("It is being worked on now, or waits for its turn at its next hop.".into());
        }
        State::Held => {
            said.push("An operator holds it: nothing of it is tried until it is released.".into());
        }
        State::Notice => said.push("What is left to do is the notice to its sender.".into()),
        State::Queued | State::Deferred => {}
    }
    for waiting in &entry.state.waiting {
        let ago = span(now.since(waiting.at).as_secs());
        let verb = verb(&waiting.amendment);
        said.push(format!(
            "An operator said \"{verb}\" {ago} ago; that takes effect when what is under way has ended."
        ));
    }
    if message.state != State::Notice && entry.state.owes_notice_since().is_some() {
        said.push(
            "A notice to its sender is owed, and is made when nothing of it is under way.".into(),
        );
    }
    said
}

/// So many seconds for people: the two largest units.
fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let mut parts = Vec::new();
    let mut rest = seconds;
    for (worth, unit) in UNITS {
        let count = rest / worth;
        rest %= worth;
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            parts.push(format!("{count} {unit}{plural}"));
        }
        let last = parts.len() == 2 || (!parts.is_empty() && count == 0);
        if last {
            break;
        }
    }
    if parts.is_empty() {
        return "less than a second".into();
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let cases = [
            (0, "less than a second"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (120, "2 minutes"),
            (3600, "1 hour"),
            (3601, "1 hour"),
            (90_061, "1 day 1 hour"),
            (200_000, "2 days 7 hours"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
    }
}
