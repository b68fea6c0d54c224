//! Names and passwords as they are compared (RFC 4013).

use std::fmt;

/// Why a name or password can't be prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unprepared;

impl fmt::Display for Unprepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("has control characters in it, or others that can't be typed alike everywhere (RFC 4013)")
    }
}

impl std::error::Error for Unprepared {}

/// A name or password as it is compared: what looks alike is alike, however a keyboard makes it.
///
/// # Errors
/// It has characters that RFC 4013 prohibits.
pub fn prepared(text: &str) -> Result<String, Unprepared> {
    match stringprep::saslprep(text) {
        Ok(prepared) => Ok(prepared.into_owned()),
        Err(_) => Err(Unprepared),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4013_3() {
        for (text, expected) in [
            ("I\u{ad}X", Ok("IX")),
            ("user", Ok("user")),
            ("USER", Ok("USER")),
            ("\u{aa}", Ok("a")),
            ("\u{2168}", Ok("IX")),
            ("\u{7}", Err(Unprepared)),
            ("\u{627}1", Err(Unprepared)),
        ] {
            assert_eq!(
                prepared(text).as_deref(),
                expected.as_ref().map(|s| &**s),
                "{text:?}"
            );
        }
    }
}
