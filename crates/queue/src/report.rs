//! What an attempt has to say: for the log, the history and the notice.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;

use postroad_reply::Enhanced;

/// The words kept of an attempt, and the peer's reply, are each cut at so many octets: whatever a
/// peer says, a message's state stays small.
pub const MOST_WORDS: usize = 1024;

/// A peer's name is cut at so many octets; no domain is as long (RFC 1035 2.3.4).
const MOST_NAME: usize = 255;

/// What came of an attempt, and who said so.
///
/// All text in it is bounded, and each run of control characters stands as one space: a peer
/// can't forge a line of a log, of a notice or of a terminal.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Report(Box<Said>);

/// What a [`Report`] says, in a place of its own: most messages that wait have none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Said {
    status: Option<Enhanced>,
    peer: Option<Peer>,
    reply: Option<String>,
    words: String,
}

/// The next hop that an attempt went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    name: String,
    address: Option<SocketAddr>,
}

impl Report {
    /// What there is to say in plain words, by this server itself.
    pub fn plain(words: &str) -> Report {
        let words = clean(words, MOST_WORDS);
        Report(Box::new(Said {
            words,
            ..Said::default()
        }))
    }

    /// The same with the enhanced status code of the outcome, `Status` of a notice (RFC 3464 2.3.4).
    #[must_use]
    pub fn with_status(mut self, status: Enhanced) -> Report {
        self.0.status = Some(status);
        self
    }

    /// The same with the next hop the attempt went to, `Remote-MTA` of a notice (RFC 3464 2.3.5).
    #[must_use]
    pub fn with_peer(mut self, peer: Peer) -> Report {
        self.0.peer = Some(peer);
        self
    }

    /// The same with what the peer replied, such as `550 5.1.1 No such user`: `Diagnostic-Code` of
    /// a notice (RFC 3464 2.3.6).
    #[must_use]
    pub fn with_reply(mut self, reply: &str) -> Report {
        self.0.reply = Some(clean(reply, MOST_WORDS));
        self
    }

    /// The enhanced status code of the outcome, if somebody said one.
    pub fn status(&self) -> Option<Enhanced> {
        self.0.status
    }

    /// The next hop the attempt went to; none if it came to none.
    pub fn peer(&self) -> Option<&Peer> {
        self.0.peer.as_ref()
    }

    /// What the peer replied; none if it said nothing about it.
    pub fn reply(&self) -> Option<&str> {
        self.0.reply.as_deref()
    }

    /// What this server says; empty where the reply says all.
    pub fn words(&self) -> &str {
        &self.0.words
    }

    /// The same with no more than `most` octets of reply and words each, for a history.
    pub(crate) fn cut(&self, most: usize) -> Report {
        let mut cut = self.clone();
        cut.0.reply = self.reply().map(|reply| clean(reply, most));
        cut.0.words = clean(self.words(), most);
        cut
    }
}

impl Peer {
    /// A next hop by its name, or what stands for one: a host, a domain, the path of a socket. With
    /// the address that was connected to, where there is one.
    pub fn new(name: &str, address: Option<SocketAddr>) -> Peer {
        Peer {
            name: clean(name, MOST_NAME),
            address,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address that was connected to.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<&str> for Report {
    fn from(words: &str) -> Report {
        Report::plain(words)
    }
}

impl From<String> for Report {
    fn from(words: String) -> Report {
        Report::plain(&words)
    }
}

/// One line, such as `mx.example.net [192.0.2.1:25]: 550 5.1.1 No such user (the mailbox is closed)`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.peer().is_some() || self.reply().is_some();
        match (self.peer(), self.reply()) {
            (Some(peer), Some(reply)) => write!(f, "{peer}: {reply}")?,
            (Some(peer), None) => write!(f, "{peer}")?,
            (None, Some(reply)) => f.write_str(reply)?,
            (None, None) => {}
        }
        match (said, self.words().is_empty()) {
            (_, true) => Ok(()),
            (false, false) => f.write_str(self.words()),
            (true, false) => write!(f, " ({})", self.words()),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            // One that has no name but its address is not named twice.
            Some(address) if self.name.starts_with('[') => write!(f, "[{address}]"),
            Some(address) => write!(f, "{} [{address}]", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// At most `most` octets of `text`, whole characters, with a space for each run of control
/// characters. To clean what is clean changes nothing.
fn clean(text: &str, most: usize) -> String {
    let mut clean = String::new();
    let mut last = None;
    for c in text.chars() {
        let of = c.is_control();
        if of && last == Some(true) {
            continue;
        }
        last = Some(of);
        let c = if of { ' ' } else { c };
        if clean.len() + c.len_utf8() > most {
            break;
        }
        clean.push(c);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn a_report_is_one_line() {
        let address = "192.0.2.1:25".parse().ok();
        let peer = || Peer::new("mx.example.net", address);
        assert_eq!(
            Peer::new("[192.0.2.1]", address).to_string(),
            "[192.0.2.1:25]"
        );
        let plain = Report::plain("no connection");
        assert_eq!(plain.to_string(), "no connection");
        let silent = plain.with_peer(peer());
        assert_eq!(
            silent.to_string(),
            "mx.example.net [192.0.2.1:25] (no connection)"
        );
        let refused = Report::default()
            .with_peer(peer())
            .with_reply("550-5.1.1 No\r\n550 5.1.1 such user\x1b[2J");
        assert_eq!(
            refused.to_string(),
            "mx.example.net [192.0.2.1:25]: 550-5.1.1 No 550 5.1.1 such user [2J"
        );
    }

    proptest! {
        #[test]
        fn text_is_bounded_and_clean_stays_clean(text: String, most in 0usize..30) {
            let once = clean(&text, most);
            prop_assert!(once.len() <= most);
            prop_assert!(!once.contains(char::is_control));
            prop_assert_eq!(clean(&once, most), once);
        }
    }
}
