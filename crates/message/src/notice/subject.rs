//! What a notice's own header section takes from that of the message it is about.

use alloc::format;
use alloc::string::String;

/// A longer subject or name of a message isn't taken over.
const MOST: usize = 900;

/// Where a line is folded if it can be (RFC 5322 2.1.1; RFC 2047 2 for encoded words).
const PREFERRED_LINE: usize = 76;

/// The Subject field: what has happened, then the subject of the message, as it was encoded and
/// folded (RFC 3834 3.1.5), where it has one of characters that may be there.
pub(super) fn field(what: &str, octets: &[u8], utf8: bool) -> String {
    let value = value(octets, "subject").filter(|value| may_be_there(value, utf8));
    let mut field = format!("Subject: {what}");
    let mut first = true;
    for line in value.unwrap_or_default().split('\n') {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if first {
            field.push(':');
        }
        let fits = field.len() + 1 + line.len() <= PREFERRED_LINE;
        field.push_str(if first && fits { " " } else { "\r\n " });
        field.push_str(line);
        first = false;
    }
    field.push_str("\r\n");
    field
}

/// The name of the message with its brackets (RFC 5322 3.6.4), if it has one that is well formed.
pub(super) fn message_id(octets: &[u8], utf8: bool) -> Option<&str> {
    let id = value(octets, "message-id")?.trim();
    let inner = id.strip_prefix('<')?.strip_suffix('>')?;
    let one_word = !inner.is_empty() && !inner.contains(['<', '>', ' ', '\t', '\r', '\n']);
    (one_word && may_be_there(id, utf8)).then_some(id)
}

/// Whether it is short enough, and has no control but those of folded lines.
fn may_be_there(value: &str, utf8: bool) -> bool {
    let fine = |c: char| !c.is_control() && (utf8 || c.is_ascii());
    value.len() <= MOST
        && value
            .replace("\r\n", "")
            .replace('\t', "")
            .chars()
            .all(fine)
}

/// The value of the first whole field with this name, in lower case, with its folds.
fn value<'a>(octets: &'a [u8], name: &str) -> Option<&'a str> {
    let mut rest = octets;
    loop {
        let (line, after) = rest.split_at(memchr::memchr(b'\n', rest)? + 1);
        if line == b"\r\n" {
            return None;
        }
        rest = after;
        let colon = memchr::memchr(b':', line);
        let of_name = |colon: &usize| {
            line[..*colon]
                .trim_ascii_end()
                .eq_ignore_ascii_case(name.as_bytes())
        };
        let Some(colon) = colon.filter(of_name) else {
            continue;
        };
        let mut end = line.len();
        let value = &octets[octets.len() - rest.len() - line.len()..];
        while value
            .get(end)
            .is_some_and(|octet| matches!(octet, b' ' | b'\t'))
        {
            end += memchr::memchr(b'\n', &value[end..])? + 1;
        }
        // What comes next shows that the field is whole.
        value.get(end)?;
        return core::str::from_utf8(&value[colon + 1..end]).ok();
    }
}
