//! What the sending side should do.
//!
//! Three small tables, the first that knows the case decides: by code, where the code says it all; by enhanced code,
//! from the [registry]; by the first digit, which knows every case (RFC 5321 4.2.1).

use postroad_reply::{Code, Enhanced, Severity};
use serde::Serialize;

use crate::registry;

/// What kind of step comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is done, or goes on: no fault.
    Proceed,
    /// The same again, later.
    Retry,
    /// Something has to be changed in the session or in the command; then it may go at once.
    Change,
    /// Not again: the sender is told.
    Bounce,
}

/// What the sending side should do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The kind of step.
    pub action: Action,
    /// The step, in words.
    pub text: String,
}

fn advice(action: Action, text: impl Into<String>) -> Advice {
    Advice {
        action,
        text: text.into(),
    }
}

/// What the sending side should do after a reply.
pub fn after(code: Code, enhanced: Option<Enhanced>) -> Advice {
    let fitting = enhanced.filter(|enhanced| enhanced.fits(code));
    by_code(code)
        .or_else(|| by_enhanced(code, fitting?))
        .unwrap_or_else(|| by_severity(code.severity()))
}

/// The same, of a reply whose words have told what helps: that takes the place of what the enhanced code tells.
pub(crate) fn after_words(code: Code, help: &str) -> Advice {
    let first = by_code(code).unwrap_or_else(|| by_severity(code.severity()));
    advice(first.action, format!("{} {help}", first.text))
}

/// What the sending side should do about an enhanced code whose reply code isn't known; none for a class that
/// a reply can't have.
pub fn after_enhanced(enhanced: Enhanced) -> Option<Advice> {
    let code = [200, 400, 500]
        .into_iter()
        .filter_map(Code::new)
        .find(|code| enhanced.fits(*code))?;
    Some(by_enhanced(code, enhanced).unwrap_or_else(|| by_severity(code.severity())))
}

/// Where the code leaves no doubt, or where a step is due that its class doesn't tell.
fn by_code(code: Code) -> Option<Advice> {
    let (action, text) = match code.number() {
        220 => (
            Action::Proceed,
            "Go on: EHLO, or the TLS handshake after STARTTLS.",
        ),
        221 => (Action::Proceed, "Close the connection; all is done."),
        235 => (Action::Proceed, "Go on as the authenticated user."),
        251 => (
            Action::Proceed,
            "Take it as a success: the server forwards the mail. Tell the user the new address, and don't use it unasked (RFC 5321 7.4).",
        ),
        252 => (
            Action::Proceed,
            "Take it as neither yes nor no. Send the mail: RCPT tells more (RFC 5321 3.5.3).",
        ),
        334 => (
            Action::Proceed,
            "Answer the challenge in base64, or cancel with `*`.",
        ),
        354 => (
            Action::Proceed,
            "Send the message, its lines that begin with a dot with another before it, and end with CRLF.CRLF.",
        ),
        421 => (
            Action::Retry,
            "The connection is closed. Keep what isn't answered with 250, and try it again later, with growing waits, at this or another MX host.",
        ),
        432 => (
            Action::Change,
            "Authenticate once by PLAIN over TLS; the mechanism works from then on.",
        ),
        453 => (
            Action::Retry,
            "There is nothing to collect. Ask again at the next turn.",
        ),
        454 => (
            Action::Retry,
            "Try again later. Without TLS or authentication go on only if your policy allows that.",
        ),
        455 => (
            Action::Retry,
            "Try again later, or at once without the parameter, if the message can do without it.",
        ),
        458 => (
            Action::Retry,
            "Ask again later; the mail stays where it is.",
        ),
        459 => (
            Action::Change,
            "Ask from a client, or as a user, that may collect this node's mail; its operator can tell.",
        ),
        500 => (
            Action::Change,
            "The command was not understood. After EHLO: go on with HELO. Else leave out what needs the command, or mend the program that sent it.",
        ),
        501 => (
            Action::Change,
            "Correct the argument: the same line gets the same reply. Where an address is wrong, tell the sender.",
        ),
        502 => (
            Action::Change,
            "Do without this command; the others work. After EHLO: go on with HELO.",
        ),
        503 => (
            Action::Change,
            "Give the commands in their order: EHLO, MAIL, RCPT, DATA. When in doubt, RSET and begin the transaction again.",
        ),
        504 => (
            Action::Change,
            "Leave out the parameter, or use one that is offered; after EHLO and HELO: say another name.",
        ),
        521 => (
            Action::Bounce,
            "This host never takes mail. Don't try it again: tell the sender, unless another MX host is there (RFC 7504 3).",
        ),
        530 => (
            Action::Change,
            "Do first what is asked for: STARTTLS, or AUTH. Then give the command again.",
        ),
        534 => (
            Action::Change,
            "Use a stronger mechanism of those that EHLO lists.",
        ),
        535 => (
            Action::Change,
            "Ask the user for the right name and password. Don't repeat the same ones: that gets an account or an address locked.",
        ),
        538 => (Action::Change, "Start TLS first, then authenticate."),
        551 => (
            Action::Bounce,
            "Don't repeat it: tell the sender the address that the reply names. Don't send there unasked (RFC 5321 7.4).",
        ),
        555 => (
            Action::Change,
            "Use only parameters that EHLO listed. Leave this one out, if the message can do without it.",
        ),
        556 => (
            Action::Bounce,
            "No mail for this domain will ever be taken. Tell the sender to check what stands after the @.",
        ),
        _ => return None,
    };
    Some(advice(action, text))
}

/// By what the registry knows of the case.
fn by_enhanced(code: Code, enhanced: Enhanced) -> Option<Advice> {
    match (code.number(), enhanced.subject(), enhanced.detail()) {
        // RFC 5321 4.5.3.1.10: those accepted stay valid.
        (452 | 552 | 451, 5, 3) => {
            return Some(advice(
                Action::Retry,
                "Go on with DATA for the recipients that were accepted, and send the message to the others in a further transaction, at once.",
            ));
        }
        // RFC 4954 6: each of these says what to change in the session.
        (_, 7, 8..=13) if code.severity() == Severity::Permanent => {
            let known = registry::registered(enhanced)?;
            return Some(advice(Action::Change, known.help));
        }
        (554, 5, 1) => {
            return Some(advice(
                Action::Bounce,
                "No recipient was accepted, so there is nobody to send to: go by the replies to each RCPT.",
            ));
        }
        _ => {}
    }
    let known = registry::registered(enhanced)?;
    let first = match code.severity() {
        Severity::Completed | Severity::Intermediate => {
            return Some(by_severity(code.severity()));
        }
        Severity::Transient => advice(
            Action::Retry,
            "Try again later, with growing waits, for four or five days; then tell the sender.",
        ),
        Severity::Permanent => advice(
            Action::Bounce,
            "Don't repeat it unchanged: tell the sender.",
        ),
    };
    Some(advice(
        first.action,
        format!("{} {}", first.text, known.help),
    ))
}

/// By the first digit alone: what holds for codes that nobody knows (RFC 5321 4.2.1, 4.5.4.1).
fn by_severity(severity: Severity) -> Advice {
    match severity {
        Severity::Completed => advice(Action::Proceed, "It is done; go on."),
        Severity::Intermediate => advice(Action::Proceed, "Go on: the server waits for more."),
        Severity::Transient => advice(
            Action::Retry,
            "Try the same again later, with growing waits, for four or five days; then tell the sender.",
        ),
        Severity::Permanent => advice(
            Action::Bounce,
            "Don't repeat it unchanged: tell the sender, with the words of the reply.",
        ),
    }
}
