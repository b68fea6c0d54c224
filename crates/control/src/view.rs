//! One queued message in the words of the API.

use std::time::Duration;

use jiff::Timestamp;
use postroad_clock::UnixMs;
use postroad_queue::{Life, RouteKey};
use postroad_store::Entry;
use postroad_wire::address::Mailbox;

use crate::api::{Client, Message, Recipient, RecipientState, State};

/// Says what becomes of mail by the present configuration.
pub trait Sites: Send + Sync + 'static {
    /// After how long from its receipt what could not be delivered is given up.
    fn given_up_after(&self) -> Duration;

    /// The name of the destination; `redirect` is the route an operator chose for the message.
    fn site(&self, target: &Mailbox, redirect: Option<&RouteKey>) -> String;
}

/// `entry` at `now`, without its history.
pub fn message(entry: &Entry, sites: &dyn Sites, now: UnixMs) -> Message {
    let envelope = &entry.envelope;
    let sender = envelope.reverse_path.mailbox();
    let client = &envelope.client;
    let redirect = entry.state.redirect.as_ref();
    let recipients = envelope.recipients.iter().zip(&entry.state.lives);
    let state = state(entry, now);
    let next = match state {
        State::Active | State::Held => None,
        State::Queued | State::Deferred | State::Notice => entry.state.due(envelope),
    };
    Message {
        id: entry.id.to_string(),
        received: time(envelope.received_at),
        age: now.since(envelope.received_at).as_secs(),
        size: envelope.facts.size,
        sender: sender.map(Mailbox::to_string).unwrap_or_default(),
        envid: envelope.envid.as_ref().map(|envid| envid.0.clone()),
        client: Client {
            address: client.address.map(|address| address.to_string()),
            hello: client.hello.clone(),
            protocol: client.protocol.clone(),
        },
        state,
        held: entry.state.held,
        redirect: redirect.map(|route| route.0.to_string()),
        next: next.as_ref().map(|due| time(due.at)),
        wait: next.as_ref().map(|due| due.at.since(now).as_secs()),
        recipients: recipients
            .map(|(recipient, life)| {
                // What SEND and its like brought has sites of its own.
                let by_terminals = envelope.route_to(recipient).behind_terminals();
                let site = match (by_terminals, redirect) {
                    (Some(domain), None) => format!("terminals:{}", domain.0),
                    _ => sites.site(&recipient.target, redirect),
                };
                let mut shown = of_life(life);
                shown.address = recipient.target.to_string();
                shown.origin =
                    (recipient.origin != recipient.target).then(|| recipient.origin.to_string());
                Recipient { site, ..shown }
            })
            .collect(),
        history: Vec::new(),
        plainly: Vec::new(),
    }
}

/// Where a message stands. A lease that has run out is none.
fn state(entry: &Entry, now: UnixMs) -> State {
    let pending = |life: &Life| life.pending_due().is_some();
    let tried = |life: &Life| matches!(life, Life::Pending { attempts: 1.., .. });
    if entry.leased.is_some_and(|until| until > now) {
        State::Active
    } else if entry.state.held {
        State::Held
    } else if !entry.state.lives.iter().any(pending) {
        State::Notice
    } else if entry.state.lives.iter().any(tried) {
        State::Deferred
    } else {
        State::Queued
    }
}

/// A recipient as its life has it; whom and where to is for the caller.
fn of_life(life: &Life) -> Recipient {
    let (state, attempts, next, last) = match life {
        Life::Pending {
            attempts,
            due,
            last,
            ..
        } => {
            let said = last.as_ref().map(ToString::to_string);
            (RecipientState::Pending, *attempts, Some(*due), said)
        }
        Life::Delivered { report, .. } => {
            (RecipientState::Delivered, 0, None, Some(report.to_string()))
        }
        Life::Failed { report, .. } => (RecipientState::Failed, 0, None, Some(report.to_string())),
        Life::Discarded { rule, .. } => (RecipientState::Discarded, 0, None, Some(rule.clone())),
    };
    Recipient {
        address: String::new(),
        origin: None,
        state,
        site: String::new(),
        attempts,
        next: next.map(time),
        last: last.filter(|said| !said.is_empty()),
    }
}

/// A time as RFC 3339 has it, in whole seconds; the last there is for one that is out of range.
pub fn time(at: UnixMs) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One message to one recipient, deferred once.
    pub(crate) fn message() -> Message {
        Message {
            id: "0000000000001".into(),
            received: time(UnixMs(1_790_000_000_000)),
            age: 60,
            size: 1000,
            sender: "anna@example.com".into(),
            envid: None,
            client: Client {
                address: Some("192.0.2.1".into()),
                hello: "client.example".into(),
                protocol: "ESMTP".into(),
            },
            state: State::Deferred,
            held: false,
            redirect: None,
            next: Some(time(UnixMs(1_790_000_060_000))),
            wait: Some(0),
            recipients: vec![Recipient {
                address: "bob@example.net".into(),
                origin: None,
                state: RecipientState::Pending,
                site: "smtp://mx.example.net:25".into(),
                attempts: 1,
                next: Some(time(UnixMs(1_790_000_060_000))),
                last: Some("mx.example.net: 452 4.2.2 Mailbox full".into()),
            }],
            history: Vec::new(),
            plainly: Vec::new(),
        }
    }

    #[test]
    fn times_are_of_rfc_3339() {
        assert_eq!(time(UnixMs(1_795_473_600_999)), "2026-11-23T22:40:00Z");
        assert_eq!(time(UnixMs(u64::MAX)), Timestamp::MAX.to_string());
    }
}
