//! The message: read as programs write it, and made one that may go out (RFC 6409 8).

use std::fmt::Write;
use std::io::BufRead;

use super::{Failure, Status};

/// A message whose lines all end in CRLF.
#[derive(Debug)]
pub(super) struct Message {
    /// Its header fields, with their folded lines.
    fields: Vec<Field>,
    body: Vec<u8>,
}

#[derive(Debug)]
struct Field {
    /// As it is written.
    name: String,
    /// All of it.
    octets: Vec<u8>,
}

/// What a message gets that it doesn't have (RFC 6409 8.1 to 8.3).
#[derive(Debug)]
pub(super) struct Added {
    pub(super) from: String,
    pub(super) date: String,
    pub(super) message_id: String,
}

impl Message {
    /// Reads one: to the end of `input`, or with `dot_ends` to a line with a dot alone.
    ///
    /// # Errors
    /// It has more than `largest` octets, or can't be read.
    pub(super) fn read(
        input: impl BufRead,
        dot_ends: bool,
        largest: u64,
    ) -> Result<Message, Failure> {
        let mut message = Message {
            fields: Vec::new(),
            body: Vec::new(),
        };
        let mut input = input.take(largest.saturating_add(1));
        let mut in_header = true;
        let mut is_first = true;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.read_until(b'\n', &mut line).map_err(|error| {
                Failure::new(Status::System, format!("standard input: {error}"))
            })?;
            if input.limit() == 0 {
                let words = format!("the message is over {largest} octets");
                return Err(Failure::new(Status::Data, words));
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if read == 0 || (dot_ends && text == b".") {
                return Ok(message);
            }
            // The line that separates messages in a file of them is no part of this one.
            if is_first && text.starts_with(b"From ") {
                continue;
            }
            is_first = false;
            // A CR alone would be refused (RFC 5321 2.3.8); programs write it to draw over a line.
            if in_header {
                let text: Vec<u8> = text.iter().copied().filter(|o| *o != b'\r').collect();
                in_header = message.takes_header_line(&text);
                if in_header || text.is_empty() {
                    continue;
                }
            }
            for text in text.split(|octet| *octet == b'\r') {
                message.body.extend_from_slice(text);
                message.body.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Takes a line of the header; whether it is one. The empty line after the header isn't, and neither
    /// is one without a field's name, which begins the body of who forgot the empty line.
    fn takes_header_line(&mut self, text: &[u8]) -> bool {
        let folded = text
            .first()
            .is_some_and(|first| matches!(first, b' ' | b'\t'));
        let octets = match (folded, self.fields.last_mut(), field_name(text)) {
            (true, Some(field), _) => &mut field.octets,
            (false, _, Some(name)) => {
                self.fields.push(Field {
                    name,
                    octets: Vec::new(),
                });
                // It was pushed just now.
                match self.fields.last_mut() {
                    Some(field) => &mut field.octets,
                    None => return false,
                }
            }
            _ => return false,
        };
        octets.extend_from_slice(text);
        octets.extend_from_slice(b"\r\n");
        true
    }

    /// The values of the fields that name recipients, for `-t`; those of Bcc are removed
    /// (RFC 5322 3.6.3). Of a message that is sent on, that are the fields it is sent on with: the
    /// first of its blocks of Resent fields (3.6.6).
    pub(super) fn take_recipients(&mut self) -> Vec<String> {
        let is_resent = |field: &Field| field.is("Resent-");
        let block = match self.fields.iter().position(is_resent) {
            Some(first) => {
                let block = self.fields[first..]
                    .iter()
                    .take_while(|field| is_resent(field));
                first..first + block.count()
            }
            None => 0..self.fields.len(),
        };
        let names = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];
        let named = |field: &&Field| {
            names
                .iter()
                .any(|name| field.name.eq_ignore_ascii_case(name))
        };
        let values = self.fields[block].iter().filter(named).map(Field::value);
        let values = values.collect();
        self.fields.retain(|field| {
            !field.name.eq_ignore_ascii_case("Bcc")
                && !field.name.eq_ignore_ascii_case("Resent-Bcc")
        });
        values
    }

    /// Adds what is missing, before the fields that are there. A message that is sent on gets what its
    /// Resent fields need, too (RFC 5322 3.6.6).
    pub(super) fn complete(&mut self, added: &Added) {
        let resent = self.fields.iter().any(|field| field.is("Resent-"));
        let needed = [
            ("Message-ID", &added.message_id),
            ("Date", &added.date),
            ("From", &added.from),
        ];
        let prefixes = if resent { &["", "Resent-"][..] } else { &[""] };
        for prefix in prefixes {
            for (name, value) in needed {
                let name = format!("{prefix}{name}");
                if !self
                    .fields
                    .iter()
                    .any(|field| field.name.eq_ignore_ascii_case(&name))
                {
                    let octets = format!("{name}: {value}\r\n").into_bytes();
                    self.fields.insert(0, Field { name, octets });
                }
            }
        }
    }

    /// All of it.
    pub(super) fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for field in &self.fields {
            octets.extend_from_slice(&field.octets);
        }
        octets.extend_from_slice(b"\r\n");
        octets.extend_from_slice(&self.body);
        octets
    }
}

impl Field {
    /// Whether its name begins so.
    fn is(&self, beginning: &str) -> bool {
        self.name
            .get(..beginning.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(beginning))
    }

    /// What stands after the colon, its folded lines as one.
    fn value(&self) -> String {
        let text = String::from_utf8_lossy(&self.octets);
        let value = text.split_once(':').map_or("", |(_, value)| value);
        value.replace("\r\n", "")
    }
}

/// The name of the field that begins here (RFC 5322 2.2, 4.5).
fn field_name(text: &[u8]) -> Option<String> {
    let colon = text.iter().position(|octet| *octet == b':')?;
    let name = text[..colon].trim_ascii_end();
    let good = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    good.then(|| String::from_utf8_lossy(name).into_owned())
}

/// A name as a field may have it: in quotes where it needs them, and in encoded words where it is not ASCII
/// (RFC 2047 4.2, 5).
pub(super) fn phrase(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let is_word = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    if name.chars().all(is_word) {
        return name;
    }
    if name.is_ascii() {
        return format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    }
    // At most 75 characters a word, and no character in two of them: one takes up to twelve.
    let characters: Vec<char> = name.chars().collect();
    let words = characters.chunks(5).map(|part| {
        let mut word = String::from("=?utf-8?Q?");
        for octet in part.iter().collect::<String>().bytes() {
            // Writing to a string can't fail.
            let _ = match octet {
                b' ' => write!(word, "_"),
                octet if octet.is_ascii_alphanumeric() => write!(word, "{}", char::from(octet)),
                octet => write!(word, "={octet:02X}"),
            };
        }
        word + "?="
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, dot_ends: bool) -> Message {
        Message::read(text.as_bytes(), dot_ends, 10_000).expect("a message")
    }

    fn shown(message: &Message) -> String {
        String::from_utf8(message.octets()).expect("UTF-8")
    }

    #[test]
    fn line_ends_become_crlf_and_the_header_ends_where_it_does() {
        for (text, expected) in [
            ("Subject: x\n\nbody\n", "Subject: x\r\n\r\nbody\r\n"),
            ("Subject: x\r\n\r\nbody", "Subject: x\r\n\r\nbody\r\n"),
            (
                "Subject: x\n y\n\n\n\nb\n",
                "Subject: x\r\n y\r\n\r\n\r\n\r\nb\r\n",
            ),
            ("no header\n", "\r\nno header\r\n"),
            ("\nno header\n", "\r\nno header\r\n"),
            (
                "Subject: x\nno empty line\n",
                "Subject: x\r\n\r\nno empty line\r\n",
            ),
            ("A: 1\r\r\nB: 2\r\n\r\n", "A: 1\r\nB: 2\r\n\r\n"),
            (
                "A: 1\n\n10%\r50%\r100%\n",
                "A: 1\r\n\r\n10%\r\n50%\r\n100%\r\n",
            ),
            ("From me Mon\nA: 1\n\nb\n", "A: 1\r\n\r\nb\r\n"),
            ("", "\r\n"),
        ] {
            assert_eq!(shown(&read(text, true)), expected, "{text:?}");
        }
    }

    #[test]
    fn a_dot_alone_ends_it_unless_it_is_told_not_to() {
        let text = "A: 1\n\none\n.\ntwo\n";
        assert_eq!(shown(&read(text, true)), "A: 1\r\n\r\none\r\n");
        assert_eq!(shown(&read(text, false)), "A: 1\r\n\r\none\r\n.\r\ntwo\r\n");
    }

    #[test]
    fn more_than_the_server_takes_is_refused_before_it_is_read() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let refused = Message::read(endless, true, 10_000).expect_err("too long");
        assert_eq!(refused.status, Status::Data);
    }

    #[test]
    fn recipients_are_taken_and_bcc_is_gone() {
        let mut message = read("To: a,\n b\nbcc: c\nCC: d\nX: e\n\nTo: f\n", true);
        assert_eq!(message.take_recipients(), [" a, b", " c", " d"]);
        assert_eq!(
            shown(&message),
            "To: a,\r\n b\r\nCC: d\r\nX: e\r\n\r\nTo: f\r\n"
        );
    }

    #[test]
    fn a_message_that_is_sent_on_goes_to_those_of_the_first_block() {
        let mut message = read(
            "Resent-To: a\nResent-Bcc: b\nReceived: x\nResent-To: old\nTo: c\nBcc: d\n\n",
            true,
        );
        assert_eq!(message.take_recipients(), [" a", " b"]);
        message.complete(&added());
        let text = shown(&message);
        assert!(
            text.starts_with("Resent-From: f\r\nResent-Date: d\r\nResent-Message-ID: <m>\r\n"),
            "{text}"
        );
        assert!(!text.contains("cc: "), "{text}");
    }

    fn added() -> Added {
        Added {
            from: "f".into(),
            date: "d".into(),
            message_id: "<m>".into(),
        }
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let mut message = read("date: mine\nSubject: x\n\n", true);
        message.complete(&added());
        assert_eq!(
            shown(&message),
            "From: f\r\nMessage-ID: <m>\r\ndate: mine\r\nSubject: x\r\n\r\n"
        );
    }

    #[test]
    fn a_name_is_written_as_a_field_may_have_it() {
        assert_eq!(phrase("Anna B"), "Anna B");
        assert_eq!(phrase("Anna B. \"x\""), "\"Anna B. \\\"x\\\"\"");
        assert_eq!(phrase("Jörg\n"), "=?utf-8?Q?J=C3=B6rg?=");
        let long = phrase(&"日本".repeat(20));
        assert!(long.split(' ').all(|word| word.len() <= 75), "{long}");
    }
}
