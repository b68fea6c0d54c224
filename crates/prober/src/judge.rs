//! Judges one reply.

use postroad_reply::{Code, Command};

use crate::codes::Codes;
use crate::finding::Verdict;
use crate::profile::Profile;
use crate::reply::Heard;

/// What one reply may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The command it answers, whose row of the table lists its codes.
    pub command: Command,
    /// What is right. A code that only its class is named of has to be listed, too.
    pub right: Codes,
    /// What a SHOULD forbids.
    pub should_not: Codes,
    /// What misleads nobody.
    pub borne: Codes,
    /// What is wrong, whatever else is said of its class.
    pub never: Codes,
    /// Whether no reply at all, or an end of the connection, is borne as well.
    pub may_be_mute: bool,
}

impl Expect {
    /// These are right, in answer to `command`.
    pub fn of(command: Command, right: &str) -> Expect {
        Expect::codes(command, Codes::of(right))
    }

    /// The same, with codes that were gathered.
    pub fn codes(command: Command, right: Codes) -> Expect {
        Expect {
            command,
            right,
            should_not: Codes::default(),
            borne: Codes::default(),
            never: Codes::default(),
            may_be_mute: false,
        }
    }

    /// And these are borne.
    pub fn borne(mut self, codes: &str) -> Expect {
        self.borne = self.borne.and(&Codes::of(codes));
        self
    }

    /// And these a SHOULD forbids.
    pub fn should_not(mut self, codes: &str) -> Expect {
        self.should_not = self.should_not.and(&Codes::of(codes));
        self
    }

    /// But not these.
    pub fn never(mut self, codes: &str) -> Expect {
        self.never = self.never.and(&Codes::of(codes));
        self
    }

    /// And so is silence.
    pub fn or_nothing(mut self) -> Expect {
        self.may_be_mute = true;
        self
    }

    /// In words.
    pub fn allowed(&self) -> String {
        let mut words = match self.right.is_empty() {
            true => "no reply".to_owned(),
            false => self.right.to_string(),
        };
        if !self.borne.is_empty() {
            words.push_str(&format!("; tolerated: {}", self.borne));
        }
        if !self.should_not.is_empty() {
            words.push_str(&format!("; a SHOULD forbids: {}", self.should_not));
        }
        if !self.never.is_empty() {
            words.push_str(&format!("; never: {}", self.never));
        }
        words
    }

    /// How `heard` is judged under `profile`, and why.
    pub fn judge(&self, heard: &Heard, profile: Profile) -> (Verdict, String) {
        let Some(code) = heard.code() else {
            let why = "what came is no reply: a line begins with a code from 200 to 599 and a space or a hyphen";
            return (Verdict::Violation, why.into());
        };
        let (verdict, why) = self.judge_code(code, profile);
        if verdict == Verdict::Violation || profile != Profile::Classic {
            return (verdict, why);
        }
        match profile.lists(self.command, code) {
            true => (verdict, why),
            false => {
                let why = format!(
                    "{code} is none of the classic rows of {}",
                    self.command.name()
                );
                (Verdict::Violation, why)
            }
        }
    }

    fn judge_code(&self, code: Code, profile: Profile) -> (Verdict, String) {
        let command = self.command.name();
        if self.right.names(code) {
            return (Verdict::Conformant, format!("{code} is what the table has"));
        }
        if code.number() == 421 {
            let why = "421 ends the session, which any command may hear (RFC 5321 3.8)";
            return (Verdict::Tolerated, why.into());
        }
        if self.never.has(code) {
            return (Verdict::Violation, format!("{code} must not answer this"));
        }
        if self.right.has_class(code) {
            return self.judge_listed(code, profile);
        }
        if self.should_not.has(code) {
            let verdict = match profile {
                Profile::Strict => Verdict::Violation,
                Profile::Classic | Profile::Rfc5321 => Verdict::Tolerated,
            };
            return (verdict, format!("a SHOULD forbids {code} here"));
        }
        if self.borne.has(code) {
            return match self.judge_listed(code, profile) {
                (Verdict::Conformant, _) => {
                    let why =
                        format!("{code} is another of {command}'s codes of the right first digit");
                    (Verdict::Tolerated, why)
                }
                judged => judged,
            };
        }
        let why = format!("{code} must not answer this");
        (Verdict::Violation, why)
    }

    /// A code whose class is right: is it listed?
    fn judge_listed(&self, code: Code, profile: Profile) -> (Verdict, String) {
        let command = self.command.name();
        if profile.lists(self.command, code) {
            return (
                Verdict::Conformant,
                format!("{code} is one of {command}'s codes"),
            );
        }
        if profile.knows(code) || profile == Profile::Rfc5321 {
            let why = format!(
                "{code} isn't listed for {command}; its first digit is right, and clients go by that (RFC 5321 4.2)"
            );
            return (Verdict::Tolerated, why);
        }
        let why = format!(
            "{code} isn't listed at all; a server SHOULD send only listed codes (RFC 5321 4.2)"
        );
        (Verdict::Violation, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Line;

    fn judged(expect: &Expect, line: &str, profile: Profile) -> Verdict {
        let octets = line.as_bytes().to_vec();
        let heard = Heard {
            lines: vec![Line { octets, crlf: true }],
        };
        expect.judge(&heard, profile).0
    }

    #[test]
    fn a_reply_is_judged_by_the_table_and_the_profile() {
        let expect = Expect::of(Command::Rcpt, "503")
            .borne("5yz")
            .should_not("252");
        for (line, rfc, strict) in [
            ("503 5.5.1 no", Verdict::Conformant, Verdict::Conformant),
            ("550 no", Verdict::Tolerated, Verdict::Tolerated),
            ("599 no", Verdict::Tolerated, Verdict::Violation),
            ("252 maybe", Verdict::Tolerated, Verdict::Violation),
            ("250 ok", Verdict::Violation, Verdict::Violation),
            ("421 bye", Verdict::Tolerated, Verdict::Tolerated),
            ("199 what", Verdict::Violation, Verdict::Violation),
            ("hello", Verdict::Violation, Verdict::Violation),
        ] {
            assert_eq!(judged(&expect, line, Profile::Rfc5321), rfc, "{line}");
            assert_eq!(judged(&expect, line, Profile::Strict), strict, "{line}");
        }
    }

    #[test]
    fn the_classic_profile_bears_nothing_outside_the_rows() {
        let expect = Expect::of(Command::Mail, "503 501").borne("5yz");
        let classic = |line| judged(&expect, line, Profile::Classic);
        assert_eq!(classic("501 no"), Verdict::Conformant);
        assert_eq!(
            classic("503 no"),
            Verdict::Violation,
            "an addition to MAIL's rows"
        );
        assert_eq!(classic("552 no"), Verdict::Tolerated);
    }

    #[test]
    fn a_class_is_right_where_the_code_is_listed() {
        let expect = Expect::of(Command::Data, "354 5yz");
        assert_eq!(
            judged(&expect, "554 no", Profile::Strict),
            Verdict::Conformant
        );
        assert_eq!(
            judged(&expect, "535 no", Profile::Strict),
            Verdict::Tolerated
        );
        assert_eq!(expect.allowed(), "354, 5yz");
    }
}
