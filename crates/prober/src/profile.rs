//! By which measure replies are judged.

use std::fmt;
use std::str::FromStr;

use postroad_reply::{Code, Command, Reach, Situation, Source};
use serde::{Deserialize, Serialize};

/// A measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The classic table: each command's 111 rows, and nothing else.
    Classic,
    /// What RFC 5321 and its kin demand, and what they bear: a code that nobody has listed counts by its
    /// first digit (RFC 5321 4.2).
    Rfc5321,
    /// The same, with every SHOULD taken as a MUST, and line ends taken at their word (RFC 5321 2.3.8).
    Strict,
}

impl Profile {
    /// All of them, the most lenient in the middle.
    pub const ALL: [Profile; 3] = [Profile::Classic, Profile::Rfc5321, Profile::Strict];

    /// Its name, as it is given and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Classic => "classic",
            Profile::Rfc5321 => "rfc5321",
            Profile::Strict => "strict",
        }
    }

    /// The situations of the table that count for it.
    pub fn has(self, situation: &Situation) -> bool {
        match self {
            Profile::Classic => situation.source == Source::Row,
            Profile::Rfc5321 | Profile::Strict => situation.reach != Reach::Historic,
        }
    }

    /// Whether the table lists `code` for `command`. Of a command that the classic table hasn't, any code
    /// of that table will do for [`Profile::Classic`].
    pub fn lists(self, command: Command, code: Code) -> bool {
        if self == Profile::Classic {
            let mut own = command.situations().filter(|s| self.has(s)).peekable();
            return match own.peek() {
                Some(_) => own.any(|s| s.code == code),
                None => self.knows(code),
            };
        }
        command
            .meaning(code)
            .situations()
            .any(|situation| self.has(situation))
    }

    /// Whether the table has `code` anywhere.
    pub fn knows(self, code: Code) -> bool {
        Situation::all().any(|s| s.code == code && self.has(s))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Profile, String> {
        let named = Profile::ALL.into_iter().find(|p| p.name() == text);
        named.ok_or_else(|| format!("`{text}` is no profile: classic, rfc5321 or strict"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(profile: Profile, command: Command, number: u16) -> bool {
        Code::new(number).is_some_and(|code| profile.lists(command, code))
    }

    #[test]
    fn the_classic_profile_has_the_rows_alone() {
        assert!(lists(Profile::Classic, Command::Rcpt, 521));
        assert!(!lists(Profile::Classic, Command::Rcpt, 556));
        assert!(lists(Profile::Classic, Command::Rset, 200));
        assert!(!lists(Profile::Classic, Command::Mail, 503), "an addition");
    }

    #[test]
    fn the_others_have_the_additions_and_nothing_historic() {
        for profile in [Profile::Rfc5321, Profile::Strict] {
            assert!(lists(profile, Command::Rcpt, 556));
            assert!(lists(profile, Command::Mail, 503));
            assert!(!lists(profile, Command::Rset, 200));
            assert!(
                lists(profile, Command::Noop, 421),
                "any command may hear it"
            );
        }
    }

    #[test]
    fn a_command_without_classic_rows_may_hear_any_classic_code() {
        assert!(lists(Profile::Classic, Command::Any, 500));
        assert!(!lists(Profile::Classic, Command::Starttls, 454));
    }

    #[test]
    fn a_profile_reads_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        assert!("lax".parse::<Profile>().is_err());
    }
}
