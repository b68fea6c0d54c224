//! What every reply has to keep to, whatever it answers: its shape, its length, its enhanced code.

use postroad_reply::{Command, Severity};

use crate::check::Group;
use crate::finding::{Exchange, Finding, Verdict};
use crate::profile::Profile;
use crate::reply::Heard;

/// RFC 5321 4.5.3.1.5.
const LONGEST_LINE: usize = 512;

/// What a reply is heard in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// What it answers.
    pub command: Command,
    /// Whether EHLO was accepted in this session, and ENHANCEDSTATUSCODES offered.
    pub enhanced: bool,
}

/// A rule of how replies are written.
struct Rule {
    name: &'static str,
    rfc: &'static str,
    about: &'static str,
    /// How a breach is judged under a profile.
    breach: fn(Profile) -> Verdict,
    /// Whether a reply keeps it; none where it says nothing of that reply.
    keeps: fn(&Heard, Context) -> Option<bool>,
}

const fn always(_: Profile) -> Verdict {
    Verdict::Violation
}

const fn if_strict(profile: Profile) -> Verdict {
    match profile {
        Profile::Strict => Verdict::Violation,
        Profile::Classic | Profile::Rfc5321 => Verdict::Tolerated,
    }
}

const RULES: [Rule; 11] = [
    Rule {
        name: "readable",
        rfc: "RFC 5321 4.2",
        about: "Every line begins with a code from 200 to 599 and a space or a hyphen.",
        breach: always,
        keeps: |heard, _| Some(heard.lines.iter().all(|line| line.code().is_some())),
    },
    Rule {
        name: "same-code",
        rfc: "RFC 5321 4.2.1",
        about: "All lines of one reply have the same code.",
        breach: always,
        keeps: |heard, _| {
            let several = heard.lines.len() > 1;
            several.then(|| heard.lines.iter().all(|line| line.code() == heard.code()))
        },
    },
    Rule {
        name: "ends-with-crlf",
        rfc: "RFC 5321 2.3.8",
        about: "Every line ends with CR LF.",
        breach: always,
        keeps: |heard, _| Some(heard.lines.iter().all(|line| line.crlf)),
    },
    Rule {
        name: "no-bare-cr",
        rfc: "RFC 5321 2.3.8",
        about: "No line has a CR but at its end.",
        breach: always,
        keeps: |heard, _| Some(heard.lines.iter().all(|line| !line.octets.contains(&b'\r'))),
    },
    Rule {
        name: "line-length",
        rfc: "RFC 5321 4.5.3.1.5",
        about: "No line is longer than 512 octets, its CR LF included.",
        breach: always,
        keeps: |heard, _| Some(heard.lines.iter().all(|line| line.length() <= LONGEST_LINE)),
    },
    Rule {
        name: "printable-ascii",
        rfc: "RFC 5321 4.2",
        about: "The text is printable ASCII.",
        breach: always,
        keeps: |heard, _| {
            let plain = |octet: &u8| matches!(octet, b'\t' | b' '..=b'~');
            Some(heard.lines.iter().all(|line| line.octets.iter().all(plain)))
        },
    },
    Rule {
        name: "has-text",
        rfc: "RFC 5321 4.2",
        about: "A reply has text; a bare code should not be sent.",
        breach: if_strict,
        keeps: |heard, _| Some(heard.lines.iter().any(|line| !line.text().is_empty())),
    },
    Rule {
        name: "domain-first",
        rfc: "RFC 5321 4.2",
        about: "Greeting and the replies to HELO and EHLO begin with the server's domain.",
        breach: if_strict,
        keeps: begins_with_domain,
    },
    Rule {
        name: "enhanced-class",
        rfc: "RFC 2034 4",
        about: "An enhanced code's class is the first digit of the reply's code.",
        breach: always,
        keeps: |heard, context| {
            let code = heard.code()?;
            context.enhanced.then_some(())?;
            let codes = heard.lines.iter().filter_map(|line| line.enhanced());
            let mut codes = codes.peekable();
            codes.peek()?;
            Some(
                codes.all(|enhanced| {
                    code.severity() == Severity::Intermediate || enhanced.fits(code)
                }),
            )
        },
    },
    Rule {
        name: "enhanced-present",
        rfc: "RFC 2034 4",
        about: "Once ENHANCEDSTATUSCODES was offered, each line of a 2yz, 4yz or 5yz has its enhanced code.",
        breach: always,
        keeps: |heard, context| {
            let code = heard.code()?;
            let wanted = context.enhanced
                && context.command.enhanced_on_wire()
                && code.severity() != Severity::Intermediate;
            wanted.then(|| heard.lines.iter().all(|line| line.enhanced().is_some()))
        },
    },
    Rule {
        name: "enhanced-absent",
        rfc: "RFC 2034 4",
        about: "The greeting, the replies to HELO and EHLO, and a 3yz have no enhanced code.",
        breach: always,
        keeps: |heard, context| {
            let code = heard.code()?;
            let hello = matches!(
                context.command,
                Command::Connect | Command::Helo | Command::Ehlo | Command::Lhlo
            );
            let bare = hello && code.severity() == Severity::Completed
                || code.severity() == Severity::Intermediate;
            bare.then(|| heard.lines.iter().all(|line| line.enhanced().is_none()))
        },
    },
];

/// Whether what must begin with a domain does.
fn begins_with_domain(heard: &Heard, context: Context) -> Option<bool> {
    let code = heard.code()?;
    let hello = matches!(
        context.command,
        Command::Connect | Command::Helo | Command::Ehlo
    );
    (hello && code.severity() == Severity::Completed).then(|| {
        let text = heard
            .lines
            .first()
            .map(|line| line.text())
            .unwrap_or_default();
        let word = text
            .split(|octet| *octet == b' ')
            .next()
            .unwrap_or_default();
        let named = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._[]:".contains(octet);
        // A name of a single label is one, too, on a machine without a domain.
        !word.is_empty() && word.iter().all(named)
    })
}

/// What was found about each rule so far.
#[derive(Debug, Default)]
pub struct Hygiene {
    /// For each rule, how many replies it was held against.
    held: [usize; RULES.len()],
    /// And how many broke it, with the first of them.
    broken: [Option<(usize, Exchange)>; RULES.len()],
}

impl Hygiene {
    /// Looks at one more reply, to what was sent.
    pub fn look(&mut self, heard: &Heard, context: Context, sent: &str) {
        for (place, rule) in RULES.iter().enumerate() {
            match (rule.keeps)(heard, context) {
                None => {}
                Some(true) => self.held[place] += 1,
                Some(false) => {
                    self.held[place] += 1;
                    let first = || {
                        let came = vec![heard.shown()];
                        let sent = sent.to_owned();
                        (0, Exchange { sent, came })
                    };
                    self.broken[place].get_or_insert_with(first).0 += 1;
                }
            }
        }
    }

    /// What all of them come to: a finding for each rule.
    pub fn findings(&self, profile: Profile) -> Vec<Finding> {
        let rules = RULES.iter().enumerate();
        let findings = rules.map(|(place, rule)| {
            let held = self.held[place];
            let (verdict, why, exchanges) = match &self.broken[place] {
                None if held == 0 => (
                    Verdict::Skipped,
                    "no reply came that it speaks of".to_owned(),
                    Vec::new(),
                ),
                None => (
                    Verdict::Conformant,
                    format!("all {held} replies keep it"),
                    Vec::new(),
                ),
                Some((count, first)) => (
                    (rule.breach)(profile),
                    format!("{count} of {held} replies break it; this is the first"),
                    vec![first.clone()],
                ),
            };
            Finding {
                name: format!("{}.{}", Group::Replies.name(), rule.name),
                group: Group::Replies,
                about: rule.about.to_owned(),
                verdict,
                why,
                allowed: rule.about.to_owned(),
                rfc: rule.rfc.to_owned(),
                exchanges,
                excepted: None,
            }
        });
        findings.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reader;

    fn broken(octets: &str, command: Command, enhanced: bool) -> Vec<String> {
        let mut reader = Reader::default();
        reader.push(octets.as_bytes());
        let mut hygiene = Hygiene::default();
        let context = Context { command, enhanced };
        while let Some(heard) = reader.cut() {
            hygiene.look(&heard, context, "");
        }
        let bad = |finding: &Finding| finding.verdict == Verdict::Violation;
        let findings = hygiene.findings(Profile::Strict);
        findings
            .into_iter()
            .filter(bad)
            .map(|finding| finding.name["replies.".len()..].to_owned())
            .collect()
    }

    #[test]
    fn each_rule_is_broken_by_what_breaks_it_and_by_nothing_else() {
        let long = format!("250 2.0.0 {}\r\n", "x".repeat(512));
        for (octets, command, rule) in [
            ("what\r\n", Command::Noop, "readable"),
            ("250-2.0.0 a\r\n251 2.0.0 b\r\n", Command::Noop, "same-code"),
            ("250 2.0.0 a\n", Command::Noop, "ends-with-crlf"),
            ("250 2.0.0 a\rb\r\n", Command::Noop, "no-bare-cr"),
            (&long, Command::Noop, "line-length"),
            ("250 2.0.0 \x1b[2J\r\n", Command::Noop, "printable-ascii"),
            ("354\r\n", Command::Data, "has-text"),
            ("220 \r\n", Command::Connect, "has-text"),
            ("250 5.1.1 no\r\n", Command::Rcpt, "enhanced-class"),
            ("250 ok\r\n", Command::Noop, "enhanced-present"),
            (
                "250-2.0.0 a\r\n250 b\r\n",
                Command::Noop,
                "enhanced-present",
            ),
            ("354 3.0.0 go\r\n", Command::Data, "readable"),
            ("354 2.0.0 go\r\n", Command::Data, "enhanced-absent"),
            (
                "220 2.0.0 mx ready\r\n",
                Command::Connect,
                "enhanced-absent",
            ),
        ] {
            let broken = broken(octets, command, true);
            if octets.starts_with("354 3") {
                assert!(broken.is_empty(), "3.0.0 is no enhanced code");
                continue;
            }
            assert!(
                broken.iter().any(|name| name == rule),
                "{octets:?}: {broken:?}"
            );
        }
        for (octets, command) in [
            ("220 mx.test ESMTP\r\n", Command::Connect),
            ("250-mx.test\r\n250 SIZE 5\r\n", Command::Ehlo),
            ("354 go on\r\n", Command::Data),
            ("550 5.1.1 nobody\r\n", Command::Rcpt),
        ] {
            assert_eq!(broken(octets, command, true), [""; 0], "{octets:?}");
        }
        assert_eq!(broken("250 ok\r\n", Command::Noop, false), [""; 0]);
    }
}
