//! Sets of reply codes, written as the RFCs write them.

use std::fmt;

use postroad_reply::{Code, Severity};

/// A set of codes: single ones, and whole classes.
///
/// As text: `250 251 5yz`. A class has all codes of its first digit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Codes {
    numbers: Vec<u16>,
    /// The first digits.
    classes: Vec<u16>,
}

impl Codes {
    /// Reads what is written in the checks.
    ///
    /// # Panics
    /// Where a word is neither a code nor a class. The checks are constants, and all are read by a test.
    pub fn of(text: &str) -> Codes {
        let mut codes = Codes::default();
        for word in text.split_whitespace() {
            match word.strip_suffix("yz").unwrap_or(word).parse::<u16>() {
                Ok(digit @ 2..=5) => codes.classes.push(digit),
                Ok(number @ 200..=599) => codes.numbers.push(number),
                _ => panic!("`{word}` is neither a code nor a class"),
            }
        }
        codes
    }

    /// Adds one code.
    pub fn add(&mut self, code: Code) {
        if !self.names(code) {
            self.numbers.push(code.number());
        }
    }

    /// All of both.
    pub fn and(mut self, other: &Codes) -> Codes {
        for number in &other.numbers {
            if !self.numbers.contains(number) {
                self.numbers.push(*number);
            }
        }
        for class in &other.classes {
            if !self.classes.contains(class) {
                self.classes.push(*class);
            }
        }
        self
    }

    /// The classes of its codes, whole.
    pub fn widened(&self) -> Codes {
        let mut classes = self.classes.clone();
        classes.extend(self.numbers.iter().map(|number| number / 100));
        classes.sort_unstable();
        classes.dedup();
        Codes {
            numbers: Vec::new(),
            classes,
        }
    }

    /// Whether the code itself is named.
    pub fn names(&self, code: Code) -> bool {
        self.numbers.contains(&code.number())
    }

    /// Whether the code's class is in it.
    pub fn has_class(&self, code: Code) -> bool {
        let digit = match code.severity() {
            Severity::Completed => 2,
            Severity::Intermediate => 3,
            Severity::Transient => 4,
            Severity::Permanent => 5,
        };
        self.classes.contains(&digit)
    }

    /// Whether the code is in it, by name or class.
    pub fn has(&self, code: Code) -> bool {
        self.names(code) || self.has_class(code)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.classes.is_empty()
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.numbers.clone();
        numbers.sort_unstable();
        let numbers = numbers.iter().map(u16::to_string);
        let classes = self.classes.iter().map(|digit| format!("{digit}yz"));
        f.write_str(&numbers.chain(classes).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(number: u16) -> Code {
        Code::new(number).expect("a code")
    }

    #[test]
    fn a_set_is_read_and_shown() {
        let codes = Codes::of("503 250 5yz");
        assert_eq!(codes.to_string(), "250, 503, 5yz");
        assert!(codes.names(code(250)) && !codes.names(code(251)));
        assert!(codes.has(code(554)) && !codes.has(code(451)));
        assert_eq!(Codes::of("250 552").widened().to_string(), "2yz, 5yz");
    }
}
