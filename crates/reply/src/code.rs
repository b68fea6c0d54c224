//! The numbers of a reply: the three digits, and the enhanced status code.

use core::fmt;

/// The three digits that open a reply (RFC 5321 4.2.1): 200 to 599.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// A code from its number; none outside 200 to 599, which no SMTP reply may use.
    pub const fn new(number: u16) -> Option<Code> {
        if number >= 200 && number <= 599 {
            Some(Code(number))
        } else {
            None
        }
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What the first digit says. An unknown code is understood by it alone (RFC 5321 4.2.1).
    pub const fn severity(self) -> Severity {
        match self.0 / 100 {
            2 => Severity::Completed,
            3 => Severity::Intermediate,
            4 => Severity::Transient,
            _ => Severity::Permanent,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.0)
    }
}

/// What the first digit of a code says (RFC 5321 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// 2yz: done.
    Completed,
    /// 3yz: go on, more input is awaited.
    Intermediate,
    /// 4yz: not now; the same may succeed later.
    Transient,
    /// 5yz: not at all; don't repeat it unchanged.
    Permanent,
}

/// An enhanced status code, `class.subject.detail` (RFC 3463 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Enhanced {
    /// 2, 4 or 5.
    class: u8,
    /// What it is about: address, mailbox, system, network, protocol, content, security.
    subject: u16,
    /// Which case of the subject.
    detail: u16,
}

impl Enhanced {
    /// Reads `5.1.1`: class 2, 4 or 5, the other two of one to three digits, no leading zeros
    /// (RFC 3463 2).
    pub const fn parse(text: &str) -> Option<Enhanced> {
        let bytes = text.as_bytes();
        let Some((class, at)) = number(bytes, 0) else {
            return None;
        };
        let Some((subject, at)) = after_dot(bytes, at) else {
            return None;
        };
        let Some((detail, at)) = after_dot(bytes, at) else {
            return None;
        };
        if at != bytes.len() || !matches!(class, 2 | 4 | 5) {
            return None;
        }
        Some(Enhanced {
            class: class as u8,
            subject,
            detail,
        })
    }

    /// A code that is written in the code. Said in a constant, it is checked by the compiler.
    ///
    /// # Panics
    /// Where `text` is none.
    pub const fn literal(text: &str) -> Enhanced {
        match Enhanced::parse(text) {
            Some(code) => code,
            None => panic!("not an enhanced status code"),
        }
    }

    /// What it is about: address, mailbox, system, network, protocol, content, security.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// Which case of the subject.
    pub const fn detail(self) -> u16 {
        self.detail
    }

    /// Whether it may stand beside `code`: same first digit, and never with 3yz (RFC 2034 4).
    pub const fn fits(self, code: Code) -> bool {
        self.class as u16 == code.number() / 100
    }
}

/// The number of one to three digits, no leading zero, that starts at `at`, and where it ends.
const fn number(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    let mut end = at;
    let mut sum = 0u16;
    while end < bytes.len() && bytes[end].is_ascii_digit() && end < at + 3 {
        sum = sum * 10 + (bytes[end] - b'0') as u16;
        end += 1;
    }
    if end == at || (end > at + 1 && bytes[at] == b'0') {
        return None;
    }
    Some((sum, end))
}

const fn after_dot(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    if at < bytes.len() && bytes[at] == b'.' {
        number(bytes, at + 1)
    } else {
        None
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl fmt::Debug for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enhanced({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_enhanced_code_reads_back() {
        for text in ["2.0.0", "4.7.24", "5.1.10", "5.999.999"] {
            assert_eq!(
                Enhanced::parse(text).map(|e| e.to_string()).as_deref(),
                Some(text)
            );
        }
    }

    #[test]
    fn what_is_no_enhanced_code_is_refused() {
        for text in [
            "", "5", "5.1", "5.1.", "5..1", "3.0.0", "5.01.1", "5.1.1000", "5.1.1 ", "5.1.1.1",
        ] {
            assert_eq!(Enhanced::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_code_is_known_by_its_first_digit() {
        assert_eq!(
            Code::new(299).map(Code::severity),
            Some(Severity::Completed)
        );
        assert_eq!(
            Code::new(354).map(Code::severity),
            Some(Severity::Intermediate)
        );
        assert_eq!(
            Code::new(499).map(Code::severity),
            Some(Severity::Transient)
        );
        assert_eq!(
            Code::new(599).map(Code::severity),
            Some(Severity::Permanent)
        );
        assert_eq!((Code::new(199), Code::new(600)), (None, None));
    }
}
