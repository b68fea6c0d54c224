//! What a check has come to.

use serde::{Deserialize, Serialize};

use crate::check::Group;

/// How a reply, or all that a check heard, is judged. The worse is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It wasn't asked.
    Skipped,
    /// As the table has it.
    Conformant,
    /// Not as the table has it, and no client is misled.
    Tolerated,
    /// Against the RFC.
    Violation,
}

impl Verdict {
    /// All of them, the best first.
    pub const ALL: [Verdict; 4] = [
        Verdict::Conformant,
        Verdict::Tolerated,
        Verdict::Violation,
        Verdict::Skipped,
    ];

    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Skipped => "skipped",
            Verdict::Conformant => "conformant",
            Verdict::Tolerated => "tolerated",
            Verdict::Violation => "violation",
        }
    }
}

/// One sending, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// What was sent, escaped and cut; empty for what was only awaited.
    pub sent: String,
    /// What came, reply by reply; several lines where a reply has them.
    pub came: Vec<String>,
}

/// What a check has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's name, by which exceptions name it.
    pub name: String,
    /// What it is about.
    pub group: Group,
    /// What was asked, in a sentence.
    pub about: String,
    /// How it is judged.
    pub verdict: Verdict,
    /// Why so, in a sentence.
    pub why: String,
    /// What the table and the RFC allow.
    pub allowed: String,
    /// Where that is written.
    pub rfc: String,
    /// What was said, from the state on.
    pub exchanges: Vec<Exchange>,
    /// Why this violation is borne, where an exception says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excepted: Option<String>,
}

impl Finding {
    /// Whether it is a violation that nothing excepts.
    pub fn counts(&self) -> bool {
        self.verdict == Verdict::Violation && self.excepted.is_none()
    }

    /// The codes that came, in order, each run of the same one once; in a word where it was none.
    pub fn codes(&self) -> Vec<&str> {
        let replies = self.exchanges.iter().flat_map(|exchange| &exchange.came);
        let mut codes: Vec<&str> = replies.map(|reply| code_of(reply)).collect();
        codes.dedup();
        codes
    }
}

fn code_of(reply: &str) -> &str {
    match reply.get(..3) {
        Some(code) if code.bytes().all(|octet| octet.is_ascii_digit()) => code,
        _ if reply == "(nothing)" => "mute",
        _ if reply == "(TLS)" => "TLS",
        _ if reply == "(end of the connection)" => "end",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_told_in_codes() {
        let came = [
            "220-a\n220 b",
            "250 x",
            "250 y",
            "(TLS)",
            "(nothing)",
            "what",
            "(end of the connection)",
        ];
        let exchange = Exchange {
            sent: String::new(),
            came: came.map(str::to_owned).to_vec(),
        };
        let finding = Finding {
            name: "x".into(),
            group: Group::Session,
            about: String::new(),
            verdict: Verdict::Conformant,
            why: String::new(),
            allowed: String::new(),
            rfc: String::new(),
            exchanges: vec![exchange],
            excepted: None,
        };
        assert_eq!(finding.codes(), ["220", "250", "TLS", "mute", "?", "end"]);
    }
}
