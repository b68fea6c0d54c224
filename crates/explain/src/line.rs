//! Finds a reply in a line of any log.
//!
//! It knows how Postfix, Exim, Sendmail, OpenSMTPD, Exchange and this server write replies into their logs, how notices
//! quote them (`Diagnostic-Code`, RFC 3464 2.3.6), and how transcripts of sessions look. What it looks for is never the
//! whole form of a line, only what stands around a reply; so a line that it has never seen may work as well.

mod command;
mod number;

use postroad_reply::{Code, Enhanced};

use crate::question::Question;

/// So much of a text is looked at.
pub const LONGEST: usize = 64 * 1024;

/// What can be found in `text`.
pub fn read(text: &str) -> Question {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    let found = number::best(text);
    let own_code = field(text, "code").and_then(|digits| Code::new(digits.parse().ok()?));
    let code = found.as_ref().map(|found| found.code).or(own_code);
    let beside = found.as_ref().and_then(|found| found.enhanced);
    Question {
        code,
        enhanced: beside.or_else(|| number::enhanced_anywhere(text, code)),
        command: command::find(text, code),
        situation: field(text, "situation").map(str::to_owned),
        state: None,
        words: found.map_or_else(String::new, |found| words(&text[found.end..])),
    }
}

/// The words of a reply that goes on in `rest`: without what a log adds behind, and without the codes that begin
/// further lines.
fn words(rest: &str) -> String {
    const BEHIND: [&str; 8] = [
        "(in reply to ",
        "(in answer to ",
        "; from=<",
        " (code ",
        "from=<",
        "\nFinal-Recipient",
        ">>> ",
        "; proto=",
    ];
    let end = BEHIND.iter().filter_map(|mark| rest.find(mark)).min();
    let rest = &rest[..end.unwrap_or(rest.len())];
    let mut words = Vec::new();
    for word in rest.split_whitespace() {
        let bare = word.trim_start_matches(['<', '*', '-']);
        let (digits, behind) = bare.split_at(bare.floor_char_boundary(3));
        let continues = digits.len() == 3
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (behind.is_empty() || behind.starts_with('-'));
        let is_enhanced = Enhanced::parse(bare).is_some();
        if !continues && !is_enhanced {
            words.push(word);
        }
    }
    let joined = words.join(" ");
    joined
        .trim_matches(['"', '\'', ')', ' ', '}', ']', ','])
        .to_owned()
}

/// The value of a field of this server's log: `key=value`, `key="value"`, `"key":"value"` or `"key":123`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let text_form = format!(" {key}=");
    let json_form = format!("\"{key}\":");
    let mark = [text_form, json_form];
    let rest = mark
        .iter()
        .find_map(|mark| Some(text.split_once(mark.as_str())?.1))?;
    let rest = rest.trim_start();
    if let Some(quoted) = rest.strip_prefix('"') {
        return Some(&quoted[..quoted.find('"')?]);
    }
    let end = rest.find([' ', ',', '}', '\n', '\r']).unwrap_or(rest.len());
    Some(&rest[..end])
}
