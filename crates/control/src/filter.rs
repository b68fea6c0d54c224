//! Which messages of the queue are meant.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Message, RecipientState, State};

/// Which messages are meant: those to which all that is given applies.
///
/// An address is `anna@example.com`, `@example.com` for any of a domain, `<>` for the null sender,
/// or a pattern with `*`. Case doesn't count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// The reverse-path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// One of the recipients, as it was given in RCPT or after aliases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The domain of one of the recipients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The destination of a recipient that is still pending, as `postroad sites` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Where the message stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Words within what the last attempt for a recipient said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Received at least so many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older: Option<u64>,
    /// Received at most so many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer: Option<u64>,
}

impl Filter {
    /// Nothing is asked, so that all messages match.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// Whether `message` is meant.
    pub fn matches(&self, message: &Message) -> bool {
        let sender = |wanted: &String| address(wanted, &message.sender);
        let recipients = &message.recipients;
        let recipient = |wanted: &String| {
            recipients.iter().any(|r| {
                let origin = r.origin.as_deref();
                address(wanted, &r.address) || origin.is_some_and(|o| address(wanted, o))
            })
        };
        let domain = |wanted: &String| {
            let is = |r: &str| r.rsplit_once('@').is_some_and(|(_, d)| pattern(wanted, d));
            recipients.iter().any(|r| is(&r.address))
        };
        let site = |wanted: &String| {
            let pending = |r: &&crate::api::Recipient| r.state == RecipientState::Pending;
            recipients
                .iter()
                .filter(pending)
                .any(|r| pattern(wanted, &r.site))
        };
        let reason = |wanted: &String| {
            let wanted = wanted.to_lowercase();
            let said = |last: &String| last.to_lowercase().contains(&wanted);
            recipients.iter().filter_map(|r| r.last.as_ref()).any(said)
        };
        self.sender.as_ref().is_none_or(sender)
            && self.recipient.as_ref().is_none_or(recipient)
            && self.domain.as_ref().is_none_or(domain)
            && self.site.as_ref().is_none_or(site)
            && self.state.is_none_or(|state| message.state == state)
            && self.reason.as_ref().is_none_or(reason)
            && self.older.is_none_or(|age| message.age >= age)
            && self.newer.is_none_or(|age| message.age <= age)
    }
}

/// Whether an address is the wanted one. The null sender is the empty address.
fn address(wanted: &str, address: &str) -> bool {
    if wanted == "<>" || wanted.is_empty() {
        return address.is_empty();
    }
    let wanted = wanted.strip_prefix('<').unwrap_or(wanted);
    let wanted = wanted.strip_suffix('>').unwrap_or(wanted);
    if wanted.starts_with('@') {
        return pattern(&format!("*{wanted}"), address);
    }
    pattern(wanted, address)
}

/// Whether `text` is `wanted`, in which `*` stands for anything; case doesn't count.
fn pattern(wanted: &str, text: &str) -> bool {
    let (wanted, text) = (wanted.to_lowercase(), text.to_lowercase());
    let Some((first, rest)) = wanted.split_once('*') else {
        return wanted == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    // There is one at least: what follows the first `*`.
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = text.find(piece) else {
            return false;
        };
        text = &text[at + piece.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::message;

    #[test]
    fn addresses_are_whole_a_domains_or_patterns() {
        let cases = [
            ("anna@example.com", "Anna@Example.com", true),
            ("<anna@example.com>", "anna@example.com", true),
            ("anna@example.com", "joanna@example.com", false),
            ("@example.com", "joanna@example.com", true),
            ("@example.com", "anna@mail.example.com", false),
            ("*@*.example.com", "anna@mail.example.com", true),
            ("a*a@*", "anna@example.com", true),
            ("a*a", "a", false),
            ("*nn*nn*", "anna@example.com", false),
            ("<>", "", true),
            ("<>", "anna@example.com", false),
            ("*", "anna@example.com", true),
        ];
        for (wanted, is, expected) in cases {
            assert_eq!(address(wanted, is), expected, "{wanted} {is}");
        }
    }

    #[test]
    fn all_that_is_given_must_apply() {
        let message = message();
        let good = Filter {
            sender: Some("anna@example.com".into()),
            recipient: Some("bob@example.net".into()),
            domain: Some("example.net".into()),
            site: Some("smtp://mx*".into()),
            state: Some(State::Deferred),
            reason: Some("FULL".into()),
            older: Some(60),
            newer: Some(60),
        };
        assert!(good.matches(&message) && Filter::default().matches(&message));
        let wrong: [fn(&mut Filter); 8] = [
            |f| f.sender = Some("<>".into()),
            |f| f.recipient = Some("anna@example.com".into()),
            |f| f.domain = Some("example.com".into()),
            |f| f.site = Some("lmtp:*".into()),
            |f| f.state = Some(State::Held),
            |f| f.reason = Some("greylisted".into()),
            |f| f.older = Some(61),
            |f| f.newer = Some(59),
        ];
        for spoil in wrong {
            let mut filter = good.clone();
            spoil(&mut filter);
            assert!(!filter.matches(&message), "{filter:?}");
        }
    }
}
