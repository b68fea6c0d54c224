//! Octets for people: what isn't printable is escaped, what is long is cut in its middle.

/// How much of one sending or reply is shown.
const SHOWN: usize = 240;

/// The octets, escaped as in C, and cut.
pub fn shown(octets: &[u8]) -> String {
    if octets.len() <= SHOWN {
        return octets.escape_ascii().to_string();
    }
    let (head, tail) = (&octets[..SHOWN / 2], &octets[octets.len() - SHOWN / 4..]);
    format!(
        "{} [... {} octets ...] {}",
        head.escape_ascii(),
        octets.len() - head.len() - tail.len(),
        tail.escape_ascii()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_printable_and_bounded() {
        assert_eq!(shown(b"NO\0OP\r\n"), "NO\\x00OP\\r\\n");
        let long = shown(&[b'x'; 100_000]);
        assert!(
            long.len() < 300 && long.contains("[... 99820 octets ...]"),
            "{long}"
        );
    }
}
