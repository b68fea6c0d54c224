//! A message of the load: its envelope, and data of a given size with a number by which it is counted.

use memchr::memmem;

/// A message as it is said to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The MAIL command with its CRLF.
    pub(crate) mail: Vec<u8>,
    /// The RCPT commands with their CRLFs.
    pub(crate) rcpt: Vec<Vec<u8>>,
    /// The data with the line that ends it.
    pub(crate) data: Vec<u8>,
}

/// What stands before the number.
const BEFORE: &[u8] = b"\nMessage-ID: <";
/// What stands behind it.
const BEHIND: &[u8] = b".load@load.invalid>";
/// How far into the data the number is looked for: servers put trace fields before it.
const SEARCHED: usize = 4096;
/// A line of the body: 72 octets with its CRLF.
const LINE: &[u8] = b"Octets that nobody reads, in a line as long as that of an old letter..\r\n";

impl Letter {
    /// The message of a number, with about `size` octets of data: no fewer than its header needs.
    pub(crate) fn numbered(number: u64, size: usize, recipient: &str) -> Letter {
        let mut data = format!(
            "From: <sender@load.invalid>\r\nTo: <{recipient}>\r\nSubject: load\r\n\
             Message-ID: <{number}.load@load.invalid>\r\n\r\n"
        )
        .into_bytes();
        data.reserve_exact(size.saturating_sub(data.len()) + 3);
        while data.len() < size {
            let left = size - data.len();
            // A rest that is shorter than a line is the end of one, so that it has its CRLF.
            let from = LINE.len().saturating_sub(left).min(LINE.len() - 2);
            data.extend_from_slice(&LINE[from..]);
        }
        data.extend_from_slice(b".\r\n");
        Letter {
            mail: b"MAIL FROM:<sender@load.invalid>\r\n".to_vec(),
            rcpt: vec![format!("RCPT TO:<{recipient}>\r\n").into_bytes()],
            data,
        }
    }
}

/// The number of a message, by its data. None if it is not of this load.
pub(crate) fn number(data: &[u8]) -> Option<u64> {
    let head = &data[..data.len().min(SEARCHED)];
    let from = memmem::find(head, BEFORE)? + BEFORE.len();
    let digits = &head[from..from + memmem::find(&head[from..], BEHIND)?];
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_its_size_its_number_and_no_line_that_ends_it_early() {
        for size in [256, 4096, 65_536, 4097, 4098, 4167] {
            let letter = Letter::numbered(17, size, "anna@load.invalid");
            let data = letter.data.strip_suffix(b".\r\n").expect("its end");
            assert!(data.len().abs_diff(size) < 2, "{} of {size}", data.len());
            assert!(data.ends_with(b"\r\n"));
            assert_eq!(memmem::find(data, b"\n."), None);
            assert_eq!(number(data), Some(17));
        }
    }

    #[test]
    fn the_number_is_found_behind_trace_fields_and_only_where_there_is_one() {
        let mut data = b"Received: from x\r\n\tby y\r\n".to_vec();
        data.extend(Letter::numbered(123_456, 300, "a@b").data);
        assert_eq!(number(&data), Some(123_456));
        assert_eq!(number(b"\r\nMessage-ID: <a@b>\r\n"), None);
        assert_eq!(number(b""), None);
    }
}
