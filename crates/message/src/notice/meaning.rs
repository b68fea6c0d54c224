//! What an enhanced status code means to somebody who wants to reach a person, not a server.

use postroad_reply::Enhanced;

/// What is wrong and what can be done about it, in a sentence or two; nothing where the code
/// doesn't say. The words of RFC 3463 3 are for those who run servers.
pub(super) fn of(status: Enhanced) -> Option<&'static str> {
    Some(match (status.subject(), status.detail()) {
        (1, 1 | 3 | 6) => {
            "There is no such mailbox. Look for a typing mistake in the address, or ask the \
             recipient for the right one."
        }
        (1, 2) | (4, 3 | 4) => {
            "No way to the part after the @ is known. Look for a typing mistake in it."
        }
        (1, 10) => "The part after the @ takes no mail at all. Look for a typing mistake in it.",
        (2, 1) => "The mailbox is closed. Ask the recipient for another address.",
        (2, 2) => "The mailbox is full. Tell the recipient in some other way.",
        (2, 3) | (3, 4) => {
            "The message is too large. Send it without its attachments, or in several messages."
        }
        (4, 1 | 2 | 7) => "The server of the recipient could not be reached.",
        (4, 6) => {
            "The message was sent on in a circle. Those who run the servers have to mend that."
        }
        (6, 7) => {
            "The server of the recipient can't take addresses with letters beyond a to z. Use \
             another address, if there is one."
        }
        (6, _) => {
            "The server of the recipient can't take a message of this form. Send it as plain \
             text, or as an attachment."
        }
        (7, _) => {
            "The server of the recipient does not want this message. Ask the recipient, in some \
             other way, to have that changed."
        }
        _ => return None,
    })
}
