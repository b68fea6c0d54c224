//! Which of the numbers of a line is the reply's.

use postroad_reply::{Code, Enhanced, Severity};

/// A number that may be a reply code.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) code: Code,
    pub(super) enhanced: Option<Enhanced>,
    /// Where the words of the reply begin.
    pub(super) end: usize,
    /// How much speaks for it.
    weight: i32,
}

/// What stands right before a reply.
const BEFORE: &[&str] = &[
    "said:",
    "smtp;",
    "reject:",
    "reject=",
    "stat=",
    "deferred:",
    "result=",
    "led=",
    "<<<",
    "<**",
    "<*",
    "<-",
    "<~",
    "s:",
    "r:",
    "<",
    "reply:",
    "error:",
    "response:",
    "server:",
    "returned",
    "sent",
    "bounced",
    "code=",
    "\"code\":",
    "diagnostic=",
    "]:",
    ">:",
    "data:",
    "c=",
    "failed:",
    "connection:",
    "text=",
    "reason=",
    "status:",
    "message:",
];

/// What counts, and is no reply.
const COUNTED: &[&str] = &[
    "octets",
    "bytes",
    "messages",
    "seconds",
    "secs",
    "ms",
    "s",
    "kb",
    "mb",
    "kib",
    "mib",
    "minutes",
    "recipients",
    "connections",
];

/// The number that is most likely a reply code; the one that failed where two are alike.
pub(super) fn best(text: &str) -> Option<Candidate> {
    let all = (0..text.len()).filter_map(|at| candidate(text, at));
    let mut best: Option<Candidate> = None;
    for found in all.filter(|found| found.weight > 0) {
        let better = best.as_ref().is_none_or(|best| {
            (found.weight, has_failed(found.code)) > (best.weight, has_failed(best.code))
        });
        if better {
            best = Some(found);
        }
    }
    best
}

fn has_failed(code: Code) -> bool {
    matches!(code.severity(), Severity::Transient | Severity::Permanent)
}

/// The number at an octet of the text, if it begins as a reply code does (RFC 5321 4.2) and stands alone.
fn candidate(text: &str, at: usize) -> Option<Candidate> {
    let digits = text.get(at..at + 3)?;
    let is_code = matches!(digits.as_bytes(), [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']);
    if !is_code {
        return None;
    }
    // Three digits are three octets.
    let (before, rest) = (&text[..at], &text[at + 3..]);
    let last = before.chars().next_back();
    let next = rest.chars().next();
    let alone = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '@');
    if !alone(last) || !alone(next) || is_part_of_a_number(before, rest) {
        return None;
    }
    let (enhanced, length) = enhanced_behind(rest);
    let code = Code::new(digits.parse().ok()?)?;
    let fits = enhanced.is_some_and(|enhanced| enhanced.fits(code));
    let mut weight = place(before) + 5;
    // RFC 5321 4.2 knows none, and some servers say 571 and the like; ports are more frequent.
    if digits.as_bytes()[1] > b'5' {
        weight -= 15;
    }
    if fits {
        weight += 50;
    } else if enhanced.is_some() {
        weight += 20;
    }
    let behind = near_start(rest).trim_start().to_ascii_lowercase();
    let first = behind.split([' ', ',', '.', ';', ')']).next().unwrap_or("");
    if COUNTED.contains(&first) {
        weight -= 60;
    }
    Some(Candidate {
        code,
        enhanced,
        end: at + 3 + length,
        weight,
    })
}

/// Whether the digits are a part of an address, a time, a date or a fraction.
fn is_part_of_a_number(before: &str, rest: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let mut behind = rest.chars();
    let joins = |c: char| matches!(c, '.' | ':' | '/');
    let goes_on = behind.next().is_some_and(joins) && digit(behind.next());
    let mut back = before.chars().rev();
    let came = back.next().is_some_and(|c| joins(c) || c == '-') && digit(back.next());
    goes_on || came
}

/// How much what stands before a number speaks for it.
fn place(before: &str) -> i32 {
    let line = near_end(before).rsplit(['\n', '\r']).next().unwrap_or("");
    let bare = line
        .trim_end_matches([' ', '\t', '"', '\'', '(', '{', '#'])
        .to_ascii_lowercase();
    if bare.is_empty() {
        return 25;
    }
    // The port of an address.
    if line.ends_with("]:") {
        return -60;
    }
    if BEFORE.iter().any(|mark| bare.ends_with(mark)) {
        return 30;
    }
    let adjacent = line.chars().next_back();
    match adjacent {
        // A value of another field, a process, the part of a name.
        Some('=' | '[' | '-' | '/' | '.' | ',') => -100,
        Some(':') => -30,
        Some('(' | '"' | '\'' | '#') => 10,
        _ if bare.ends_with("port") => -60,
        _ if bare.ends_with(':') => 15,
        _ => 0,
    }
}

/// So many octets beside a number are looked at; a long text shall not be looked at again for each.
const NEAR: usize = 48;

fn near_start(text: &str) -> &str {
    &text[..text.floor_char_boundary(NEAR)]
}

fn near_end(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(NEAR))..]
}

/// The enhanced code that follows a reply code, and how many octets it takes with what is between.
fn enhanced_behind(rest: &str) -> (Option<Enhanced>, usize) {
    let bare = rest.trim_start_matches([' ', '-', '#', '(']);
    let between = rest.len() - bare.len();
    let end = bare
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(bare.len());
    let number = bare[..end].trim_end_matches('.');
    match Enhanced::parse(number) {
        Some(enhanced) if between > 0 => (Some(enhanced), between + number.len()),
        _ => (None, between.min(1)),
    }
}

/// An enhanced code that stands anywhere, `dsn=5.1.1`, `(#5.1.1)`, `Status: 5.1.1`; one that fits the reply code,
/// where that is known.
pub(super) fn enhanced_anywhere(text: &str, code: Option<Code>) -> Option<Enhanced> {
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text;
    while let Some(at) = rest.find(['2', '4', '5']) {
        let before = rest[..at].chars().next_back();
        let from = &rest[at..];
        let end = from.find(|c: char| !number(c)).unwrap_or(from.len());
        let token = from[..end].trim_end_matches('.');
        let starts =
            before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '/' | '-' | '_'));
        let ends = !from[end..].starts_with(|c: char| c.is_alphabetic() || c == '/');
        if starts
            && ends
            && let Some(enhanced) = Enhanced::parse(token)
            && code.is_none_or(|code| enhanced.fits(code))
        {
            return Some(enhanced);
        }
        // It begins with a digit, which is one octet.
        rest = &from[end.max(1)..];
    }
    None
}
