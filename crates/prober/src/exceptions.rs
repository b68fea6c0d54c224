//! Which violations are borne, and why: a file of the operator's.
//!
//! ```toml
//! [[exception]]
//! finding = "shapes.mail-no-brackets"
//! reason = "old scanners send no brackets"
//! ```

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::finding::{Finding, Verdict};

/// Exceptions, each with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    finding: String,
    reason: String,
}

impl Exceptions {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, with its line: what is no TOML, a finding that is named twice, a reason
    /// that says nothing.
    pub fn parse(text: &str) -> Result<Exceptions, String> {
        let exceptions: Exceptions = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut seen = BTreeSet::new();
        for exception in &exceptions.exception {
            let finding = &exception.finding;
            if exception.reason.trim().is_empty() {
                return Err(format!("the exception of `{finding}` has no reason"));
            }
            if !seen.insert(finding) {
                return Err(format!("`{finding}` is excepted twice"));
            }
        }
        Ok(exceptions)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.exception.len()
    }

    /// Marks the violations that are borne. What is wrong with the file is given back, a line each: findings
    /// that don't exist, and exceptions that nothing needs. Of what is `known` and wasn't looked for nothing is said.
    pub fn apply(&self, findings: &mut [Finding], known: impl Fn(&str) -> bool) -> Vec<String> {
        let mut complaints = Vec::new();
        for exception in &self.exception {
            let name = &exception.finding;
            match findings.iter_mut().find(|finding| finding.name == *name) {
                None if known(name) => {}
                None => complaints.push(format!(
                    "there is no finding `{name}`: the exception is useless"
                )),
                Some(finding) if finding.verdict == Verdict::Violation => {
                    finding.excepted = Some(exception.reason.clone());
                }
                Some(finding) => complaints.push(format!(
                    "`{name}` needs no exception: it is {}",
                    finding.verdict.name()
                )),
            }
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Group;

    fn finding(name: &str, verdict: Verdict) -> Finding {
        Finding {
            name: name.into(),
            group: Group::Lines,
            about: String::new(),
            verdict,
            why: String::new(),
            allowed: String::new(),
            rfc: String::new(),
            exchanges: Vec::new(),
            excepted: None,
        }
    }

    #[test]
    fn an_exception_bears_a_violation_and_useless_ones_are_told() {
        let file = "[[exception]]\nfinding = 'a'\nreason = 'old'\n[[exception]]\nfinding = 'b'\nreason = 'x'\n\
                    [[exception]]\nfinding = 'c'\nreason = 'x'\n\
                    [[exception]]\nfinding = 'd'\nreason = 'x'\n";
        let exceptions = Exceptions::parse(file).expect("it reads");
        let mut findings = [
            finding("a", Verdict::Violation),
            finding("b", Verdict::Tolerated),
        ];
        let complaints = exceptions.apply(&mut findings, |name| name == "d");
        assert_eq!(findings[0].excepted.as_deref(), Some("old"));
        assert!(!findings[0].counts());
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("`b` needs no exception"));
        assert!(complaints[1].contains("no finding `c`"));
    }

    #[test]
    fn a_file_that_says_no_reason_is_refused() {
        for bad in [
            "[[exception]]\nfinding = 'a'\n",
            "[[exception]]\nfinding = 'a'\nreason = ' '\n",
            "[[exception]]\nfinding = 'a'\nreason = 'x'\n[[exception]]\nfinding = 'a'\nreason = 'x'\n",
            "[[exception]]\nfinding = 'a'\nreason = 'x'\nmore = 1\n",
            "exceptions = 3",
        ] {
            assert!(Exceptions::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Exceptions::parse("").map(|none| none.count()), Ok(0));
    }
}
