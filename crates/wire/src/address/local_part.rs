//! The local-part, its two written forms and its one meaning (RFC 5321 4.1.2).

use alloc::string::String;
use core::fmt::{self, Write};

use super::{AddressError, Limits};

/// The part before the `@`, with quoting taken away; UTF-8 where RFC 6531 allows it.
///
/// All quoted forms of a local-part are the same (RFC 5321 4.1.2), so only what they mean is
/// kept. Case is kept too, and matters (RFC 5321 2.4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(String);

impl LocalPart {
    /// Reads a dot-string or a quoted string (RFC 5321 4.1.2, RFC 6531 3.3).
    ///
    /// # Errors
    /// If it is neither, has a control character, or is too long.
    pub fn parse(text: &str, limits: &Limits) -> Result<LocalPart, AddressError> {
        match text.strip_prefix('"') {
            Some(rest) => {
                let inside = rest.strip_suffix('"').ok_or(AddressError::LocalPart)?;
                LocalPart::bounded(unquote(inside)?, limits)
            }
            None if is_dot_string(text) => LocalPart::bounded(text.into(), limits),
            None if text.chars().any(char::is_control) => Err(AddressError::Control),
            None => Err(AddressError::LocalPart),
        }
    }

    /// Takes a local-part that has no quoting on it: any text without control characters.
    ///
    /// # Errors
    /// If it has one, or is too long.
    pub fn from_unquoted(text: &str, limits: &Limits) -> Result<LocalPart, AddressError> {
        if text.chars().any(char::is_control) {
            return Err(AddressError::Control);
        }
        LocalPart::bounded(text.into(), limits)
    }

    fn bounded(unquoted: String, limits: &Limits) -> Result<LocalPart, AddressError> {
        if unquoted.len() > limits.local_part {
            return Err(AddressError::LocalPartTooLong);
        }
        Ok(LocalPart(unquoted))
    }

    /// The local-part without quoting. [`Display`](fmt::Display) quotes it where it must be.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl fmt::Display for LocalPart {
    /// The form with the least quoting that works (RFC 5321 4.1.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// Takes the quoting off what stood between the quotes.
pub(crate) fn unquote(inside: &str) -> Result<String, AddressError> {
    let mut unquoted = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        let meant = match c {
            '"' => return Err(AddressError::LocalPart),
            // A backslash stands before printable ASCII only (quoted-pairSMTP; RFC 6531 3.3
            // doesn't widen it).
            '\\' => chars
                .next()
                .filter(char::is_ascii)
                .ok_or(AddressError::LocalPart)?,
            other => other,
        };
        if meant.is_control() {
            return Err(AddressError::Control);
        }
        unquoted.push(meant);
    }
    Ok(unquoted)
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(is_atom)
}

/// Whether `text` is an Atom (RFC 5321 4.1.2), with UTF-8 as RFC 6531 3.3 adds it.
pub(crate) fn is_atom(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_atext)
}

fn is_atext(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
    } else {
        !c.is_control()
    }
}
