//! All that is asked, as data.

mod chunking;
mod data;
mod limits;
mod lines;
mod pipelining;
mod resets;
mod session;
mod shapes;
mod states;
mod tls;

use postroad_reply::Command;

use crate::check::Check;
use crate::judge::Expect;
use crate::profile::Profile;

/// What the checks say to a server, beside what they are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// What HELO and EHLO say.
    pub client: String,
    /// The reverse-path, without its brackets; empty for the null sender, which every server has to take (RFC
    /// 5321 4.5.5).
    pub sender: String,
    /// The recipient that is tried; `postmaster`, which every server has to take (RFC 5321 4.5.1), unless
    /// another is given.
    pub recipient: String,
    /// A domain of the server.
    pub domain: String,
    /// The biggest message it takes, where it says so (RFC 1870).
    pub size: Option<u64>,
    /// What it offers, in upper case.
    pub offers: Vec<String>,
}

impl Names {
    /// Whether the server offers an extension.
    pub fn offers(&self, keyword: &str) -> bool {
        self.offers.iter().any(|offer| offer == keyword)
    }

    /// MAIL, without its line end.
    pub fn mail(&self) -> String {
        format!("MAIL FROM:<{}>", self.sender)
    }

    /// RCPT, without its line end.
    pub fn rcpt(&self) -> String {
        format!("RCPT TO:<{}>", self.recipient)
    }

    /// RCPT of a mailbox that nobody has.
    pub fn refused(&self) -> String {
        format!("RCPT TO:<no-such-mailbox.postroad-probe@{}>", self.domain)
    }

    /// EHLO.
    pub fn ehlo(&self) -> String {
        format!("EHLO {}", self.client)
    }

    /// HELO.
    pub fn helo(&self) -> String {
        format!("HELO {}", self.client)
    }
}

/// All checks, in the order in which they are made. What the table has depends on the profile.
pub fn all(names: &Names, profile: Profile) -> Vec<Check> {
    let mut checks = session::checks(names);
    checks.extend(states::checks(names, profile));
    checks.extend(shapes::checks(names));
    checks.extend(lines::checks(names));
    checks.extend(pipelining::checks(names));
    checks.extend(resets::checks(names));
    checks.extend(data::checks(names));
    checks.extend(chunking::checks(names));
    checks.extend(tls::checks(names));
    checks.extend(limits::checks(names));
    checks
}

/// A line with its end.
fn line(text: &str) -> Vec<u8> {
    format!("{text}\r\n").into_bytes()
}

/// A NOOP that nothing is wrong with.
fn noop() -> Expect {
    Expect::of(Command::Noop, "250").borne("2yz")
}

/// The end of the session.
fn goodbye() -> Expect {
    Expect::of(Command::Quit, "221")
}

/// A recipient that may be taken or refused.
fn any_recipient() -> Expect {
    Expect::of(Command::Rcpt, "2yz 4yz 5yz")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    pub(super) fn names() -> Names {
        Names {
            client: "client.test".into(),
            sender: String::new(),
            recipient: "postmaster".into(),
            domain: "mx.test".into(),
            size: Some(1_000_000),
            offers: Vec::new(),
        }
    }

    #[test]
    fn every_check_can_be_made_and_has_a_name_of_its_own() {
        for profile in Profile::ALL {
            let checks = all(&names(), profile);
            let named: BTreeSet<&str> = checks.iter().map(|check| check.name.as_str()).collect();
            assert_eq!(named.len(), checks.len());
            assert!(checks.len() > 300, "{}", checks.len());
            for check in &checks {
                assert!(
                    !check.about.is_empty() && check.rfc.starts_with("RFC "),
                    "{check:?}"
                );
                assert!(!check.allowed().is_empty(), "{check:?}");
            }
        }
    }

    #[test]
    fn nothing_that_ends_a_message_is_sent_unless_it_may_be_delivered() {
        for check in all(&names(), Profile::Rfc5321) {
            if check.needs.contains(&crate::check::Need::Delivery) {
                continue;
            }
            for step in &check.steps {
                let crate::check::Step::Say { pieces, .. } = step else {
                    continue;
                };
                let sent = pieces.concat();
                let has = |part: &[u8]| sent.windows(part.len()).any(|window| window == part);
                let after_data = check.state == crate::check::State::Data || has(b"DATA\r\n");
                assert!(
                    !(after_data && has(b".")),
                    "{}: a dot in the data",
                    check.name
                );
                let taken = matches!(
                    check.state,
                    crate::check::State::Rcpt | crate::check::State::Chunking
                ) || has(b"RCPT");
                assert!(!(taken && has(b"LAST")), "{}: a last chunk", check.name);
            }
        }
    }
}
