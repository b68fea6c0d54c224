//! The rules a site writes itself: who is refused, put off or sent away, at which step.
//!
//! A rule says whom it is for by what is known at its step; what it leaves out fits everybody. Of
//! the rules of one step the first that fits decides, and the others aren't asked.

use std::net::IpAddr;

use ipnet::IpNet;
use postroad_directory::Identity;
use postroad_reply::Text;
use postroad_wire::address::{Mailbox, ReversePath};

use crate::verdict::{Reason, Verdict};

/// Where in a conversation a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// At the greeting.
    Connect,
    /// At HELO, EHLO or LHLO.
    Hello,
    /// At MAIL.
    Mail,
    /// At each RCPT.
    Rcpt,
    /// At DATA, or the first BDAT.
    Data,
    /// When the message is there.
    Message,
    /// At VRFY and EXPN, of who may ask them.
    Inquiry,
}

/// What a rule does with whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it keeps the rules after it from being asked at this step.
    Accept,
    /// A 5yz, for this reason.
    Refuse(Reason),
    /// A 4yz, for this reason.
    Defer(Reason),
    /// The session is ended.
    Disconnect,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct AccessRule {
    /// What the log calls it.
    pub name: String,
    /// Where it is asked.
    pub at: Step,
    /// The client is in one of these.
    pub networks: Vec<IpNet>,
    /// What it said after HELO or EHLO fits one of these.
    pub hello: Vec<Pattern>,
    /// The reverse-path, without its brackets, fits one of these; `<>` is the null sender.
    pub senders: Vec<Pattern>,
    /// A forward-path, without its brackets, fits one of these.
    pub recipients: Vec<Pattern>,
    /// The client has proved to be one of these.
    pub users: Vec<Identity>,
    /// A field of the header, as one line, fits one of these.
    pub header: Vec<Pattern>,
    /// What it does.
    pub then: Action,
    /// What the client is told in place of the table's words.
    pub text: Option<Text>,
}

/// What is known of a session at one step.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The client's address.
    pub address: IpAddr,
    /// What it said after HELO, EHLO or LHLO; empty before.
    pub hello: &'a str,
    /// Who it has proved to be.
    pub identities: &'a [Identity],
    /// The reverse-path, from MAIL on.
    pub sender: Option<&'a ReversePath>,
    /// The recipient in question, or all that were accepted, or whom VRFY or EXPN asks about.
    pub recipients: &'a [&'a Mailbox],
    /// The header of the message, once it is there; its first octets, where it is very long.
    pub header: &'a [u8],
}

/// Rules in their order.
#[derive(Debug, Clone, Default)]
pub struct AccessRules(Vec<AccessRule>);

impl AccessRules {
    /// These, the first one first.
    pub fn new(rules: Vec<AccessRule>) -> AccessRules {
        AccessRules(rules)
    }

    /// Whether a rule looks at the header of messages.
    pub fn read_headers(&self) -> bool {
        self.0.iter().any(|rule| !rule.header.is_empty())
    }

    /// Whether a rule is asked at a step.
    pub fn are_asked(&self, at: Step) -> bool {
        self.0.iter().any(|rule| rule.at == at)
    }

    /// The rule that decides at a step, if one does.
    pub fn deciding(&self, at: Step, facts: &Facts<'_>) -> Option<&AccessRule> {
        self.0
            .iter()
            .find(|rule| rule.at == at && rule.is_for(facts))
    }
}

impl AccessRule {
    /// What it says of whom it is for.
    pub fn verdict(&self) -> Verdict {
        match self.then {
            Action::Accept => Verdict::Accept,
            Action::Refuse(reason) => Verdict::Permanent(reason, self.text.clone()),
            Action::Defer(reason) => Verdict::Temporary(reason, self.text.clone()),
            Action::Disconnect => Verdict::Disconnect(Text::new(&self.name)),
        }
    }

    fn is_for(&self, facts: &Facts<'_>) -> bool {
        let network = |network: &IpNet| network.contains(&facts.address);
        let user = |user: &Identity| facts.identities.contains(user);
        (self.networks.is_empty() || self.networks.iter().any(network))
            && (self.users.is_empty() || self.users.iter().any(user))
            && fits(&self.hello, || [facts.hello.to_owned()])
            && fits(&self.senders, || facts.sender.map(sender))
            && fits(&self.recipients, || {
                facts.recipients.iter().map(ToString::to_string)
            })
            && fits(&self.header, || fields(facts.header))
    }
}

/// Whether one of the texts fits one of the patterns, where there are any.
fn fits<T: IntoIterator<Item = String>>(patterns: &[Pattern], texts: impl FnOnce() -> T) -> bool {
    patterns.is_empty()
        || texts().into_iter().any(|text| {
            let text = text.to_lowercase();
            patterns.iter().any(|pattern| pattern.fits(&text))
        })
}

fn sender(path: &ReversePath) -> String {
    match path {
        ReversePath::Null => "<>".into(),
        ReversePath::Mailbox(mailbox) => mailbox.to_string(),
    }
}

/// The fields of a header, each as one line (RFC 5322 2.2.3).
fn fields(header: &[u8]) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(header).split("\r\n") {
        match fields.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => field.push_str(line),
            _ if line.is_empty() => break,
            _ => fields.push(line.to_owned()),
        }
    }
    fields
}

/// A text in which `*` stands for anything; case makes no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern that is written so.
    pub fn new(text: &str) -> Pattern {
        Pattern(text.to_lowercase())
    }

    /// Whether a text in lower case fits. It takes no more steps than the text has places for each
    /// `*` of the pattern.
    pub fn fits(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
        // `split` gives one piece at least.
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        // The earliest place is as good as any for a piece in between.
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_anything() {
        let fits = |pattern: &str, text: &str| Pattern::new(pattern).fits(text);
        assert!(fits("*", "") && fits("*", "anything") && fits("", ""));
        assert!(fits("*@Example.com", "a@example.com"));
        assert!(!fits("*@example.com", "a@example.com.test"));
        assert!(!fits("a@example.com", "ba@example.com"));
        assert!(fits(
            "subject: *free*money*",
            "subject: a free lot of money"
        ));
        assert!(!fits("subject: *free*money*", "subject: money free"));
        assert!(!fits("ab*ba", "aba"), "a piece is not used twice");
    }

    #[test]
    fn a_folded_field_is_one_line_and_the_body_is_none() {
        let header = b"Subject: one\r\n two\r\nTo: x\r\n\r\nCc: body\r\n";
        assert_eq!(fields(header), ["Subject: one two", "To: x"]);
        assert_eq!(fields(b""), Vec::<String>::new());
        assert_eq!(fields(b" x\r\n y"), [" x y"]);
    }

    proptest! {
        /// The plain meaning, by trying every place for each `*`.
        #[test]
        fn patterns_mean_what_they_say(pattern in "[ab*]{0,8}", text in "[ab]{0,8}") {
            fn plainly(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', more)) => (0..=text.len()).any(|at| plainly(more, &text[at..])),
                    Some((one, more)) => text.split_first().is_some_and(|(first, rest)| {
                        first == one && plainly(more, rest)
                    }),
                }
            }
            let meant = plainly(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(Pattern::new(&pattern).fits(&text), meant);
        }

        #[test]
        fn any_octets_are_a_header(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = fields(&octets);
        }
    }
}
