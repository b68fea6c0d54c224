//! Writes notices: what a sender is told about recipients whose mail was delivered, is late, or
//! can't be delivered (RFC 3461 6, RFC 3464, RFC 6522; RFC 6533 where the message is
//! internationalised).
//!
//! A notice has three parts: words for a person, fields for a program, and the message it is about,
//! or its header section. All three are made here. Nothing that a peer or a sender said can leave
//! its place: controls become `?`, and the parts are divided by a line that none of them has.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_reply::{Enhanced, QueueId};
use postroad_wire::address::Mailbox;
use postroad_wire::parameter::{EnvId, OriginalRecipient};

use crate::trace;

mod meaning;
mod returned;
mod subject;
mod words;

pub use returned::Returned;

/// What no line may exceed, its CRLF not counted (RFC 5322 2.1.1).
const LONGEST_LINE: usize = 998;

/// A notice about one message, for some of its recipients.
#[derive(Debug, Clone)]
pub struct Notice<'a> {
    /// This server's name.
    pub reporting_mta: &'a str,
    /// Under which name the notice is stored, or another number that no other notice has: its
    /// Message-ID is made of it.
    pub serial: &'a str,
    /// When it is written.
    pub at: UnixMs,
    /// Whom it is for: the reverse-path of the message.
    pub to: &'a Mailbox,
    /// The name the sender gave the transaction (RFC 3461 4.4).
    pub envid: Option<&'a EnvId>,
    /// Under which name the message is stored here.
    pub queue_id: QueueId,
    /// When the message came in.
    pub arrival: UnixMs,
    /// The message came with SMTPUTF8: a part that isn't ASCII is in UTF-8 and of a type of RFC 6533.
    pub smtputf8: bool,
    /// What became of which recipient; at least one.
    pub recipients: &'a [Told<'a>],
    /// What is returned of the message.
    pub returned: Returned<'a>,
}

/// What is told about one recipient.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    /// As the sender wrote it (RFC 3461 4.2).
    pub original: Option<&'a OriginalRecipient>,
    /// Whom it was for, as it was when this server took it (RFC 3464 2.3.2): an alias, not what is
    /// behind it.
    pub recipient: &'a Mailbox,
    /// It is about one of several addresses that the recipient stands for.
    pub one_of_several: bool,
    /// What became of it.
    pub action: Action,
    /// The enhanced status code (RFC 3463).
    pub status: Enhanced,
    /// The server that said it, where another did.
    pub peer: Option<&'a str>,
    /// That server's reply, as it gave it.
    pub reply: Option<&'a str>,
    /// What happened, in words, where no server said so.
    pub words: &'a str,
    /// When it was tried last.
    pub last_attempt: Option<UnixMs>,
}

/// What became of a recipient's mail (RFC 3464 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It can't be delivered, and isn't tried again.
    Failed,
    /// It could not be delivered yet.
    Delayed {
        /// Until when it is tried.
        until: UnixMs,
    },
    /// It is in the mailbox.
    Delivered,
    /// A server has it that gives no such notices.
    Relayed,
    /// It went on to the several addresses that the recipient stands for.
    Expanded,
}

impl Action {
    /// The word of the Action field.
    pub const fn keyword(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed { .. } => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        }
    }
}

impl Notice<'_> {
    /// The whole notice, header section included, with CRLF line ends. No line is longer than
    /// RFC 5322 2.1.1 allows, and without `smtputf8` nothing but what is returned is beyond ASCII.
    pub fn write(&self) -> Bytes {
        let explanation = words::explanation(self);
        let status = self.status_part();
        let returned = self.returned.octets();
        let boundary = self.boundary(&[explanation.as_bytes(), status.as_bytes(), &returned]);

        // RFC 2045 6.4: what has parts of 8 bits says so itself.
        let is_8bit = !explanation.is_ascii() || !status.is_ascii() || !returned.is_ascii();
        let mut out = self.header(&boundary, is_8bit).into_bytes();
        let text = if !explanation.is_ascii() {
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        } else {
            "Content-Type: text/plain; charset=us-ascii\r\n"
        };
        part(
            &mut out,
            &boundary,
            "Explanation",
            text,
            explanation.as_bytes(),
        );
        // RFC 6533 4.4: what is in ASCII is of the type that all know.
        let report = if status.is_ascii() {
            "Content-Type: message/delivery-status\r\n"
        } else {
            "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"
        };
        part(
            &mut out,
            &boundary,
            "Delivery report",
            report,
            status.as_bytes(),
        );
        let kind = self.returned.content_type(self.smtputf8, &returned);
        let name = self.returned.description();
        part(&mut out, &boundary, name, &kind, &returned);
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Bytes::from(out)
    }

    fn header(&self, boundary: &str, is_8bit: bool) -> String {
        let host = self.reporting_mta;
        // RFC 3464 2: an answer to it reaches a person.
        let mut header = format!(
            "Date: {}\r\nFrom: Mail Delivery System <postmaster@{host}>\r\n",
            trace::date(self.at)
        );
        header.push_str(&format!("To: {}\r\n", self.to_text()));
        let (original, utf8) = (self.returned.all(), self.has_utf8_header());
        header.push_str(&subject::field(
            words::subject(self.recipients),
            original,
            utf8,
        ));
        header.push_str(&format!("Message-ID: <{}@{host}>\r\n", self.serial));
        // RFC 3834 3.1.6: so that a mail reader shows it beside the message.
        if let Some(id) = subject::message_id(original, utf8) {
            header.push_str(&format!("In-Reply-To: {id}\r\nReferences: {id}\r\n"));
        }
        // RFC 3834 5.2: whoever answers mail by program knows that this wants no answer.
        header.push_str("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
        // RFC 3461 6.2: the report-type is the same for the types of RFC 6533.
        header.push_str(&format!(
            "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n"
        ));
        if is_8bit {
            header.push_str("Content-Transfer-Encoding: 8bit\r\n");
        }
        header.push_str("\r\nThis is a notice in the form of RFC 3464, in several parts.\r\n\r\n");
        header
    }

    /// The fields for programs (RFC 3464 2.2, 2.3).
    fn status_part(&self) -> String {
        let mut fields = Fields {
            text: String::new(),
            utf8: self.smtputf8,
        };
        // RFC 3461 6.3: it is there if and only if the sender gave one.
        if let Some(EnvId(envid)) = self.envid {
            fields.put_whole("Original-Envelope-Id", envid);
        }
        fields.put("Reporting-MTA", &format!("dns; {}", self.reporting_mta));
        fields.put("Arrival-Date", &trace::date(self.arrival));
        fields.put("X-Postroad-Queue-ID", &self.queue_id.to_string());
        for told in self.recipients {
            fields.text.push_str("\r\n");
            self.recipient_fields(told, &mut fields);
        }
        fields.text
    }

    fn recipient_fields(&self, told: &Told<'_>, fields: &mut Fields) {
        // RFC 3461 6.3: as ORCPT gave it, decoded; without ORCPT there is no such field.
        if let Some(original) = told.original {
            let text = self.typed(&original.kind, &original.address);
            fields.put_whole("Original-Recipient", &text);
        }
        let kind = if told.recipient.is_ascii() {
            "rfc822"
        } else {
            "utf-8"
        };
        let text = self.typed(kind, &told.recipient.to_string());
        fields.put_whole("Final-Recipient", &text);
        fields.put("Action", told.action.keyword());
        fields.put("Status", &told.status.to_string());
        if let Some(peer) = told.peer {
            // The path of a socket is no name of the DNS.
            let kind = if peer.starts_with('/') {
                "x-unix"
            } else {
                "dns"
            };
            fields.put("Remote-MTA", &format!("{kind}; {peer}"));
        }
        let undelivered = matches!(told.action, Action::Failed | Action::Delayed { .. });
        match told.reply {
            Some(reply) => fields.put("Diagnostic-Code", &format!("smtp; {reply}")),
            // RFC 3464 2.3.6: it is about what failed or is late.
            None if undelivered && !told.words.is_empty() => {
                fields.put("Diagnostic-Code", &format!("x-postroad; {}", told.words));
            }
            None => {}
        }
        if let Some(at) = told.last_attempt {
            fields.put("Last-Attempt-Date", &trace::date(at));
        }
        if let Action::Delayed { until } = told.action {
            fields.put("Will-Retry-Until", &trace::date(until));
        }
    }

    /// An address with its kind. One of kind `utf-8` is written as it is among UTF-8 fields, and
    /// in the form of ASCII characters elsewhere (RFC 6533 3).
    fn typed(&self, kind: &str, address: &str) -> String {
        if kind.eq_ignore_ascii_case("utf-8") && !self.smtputf8 {
            let original = OriginalRecipient {
                kind: String::from(kind),
                address: String::from(address),
            };
            return original.to_string();
        }
        format!("{kind}; {address}")
    }

    /// Whether its own header section may have UTF-8: only where the address it is for has, so that
    /// any other notice goes where SMTPUTF8 is unknown (RFC 6531 3.6).
    fn has_utf8_header(&self) -> bool {
        self.smtputf8 && !self.to.is_ascii()
    }

    /// The address the notice is for, as its To field has it.
    fn to_text(&self) -> String {
        let text = format!("<{}>", clean(&self.to.to_string(), self.smtputf8));
        // A path may be longer than a line, and an address can't be folded. The envelope has it.
        if text.len() + 4 <= LONGEST_LINE {
            text
        } else {
            String::from("undisclosed-recipients:;")
        }
    }

    /// A line that no part begins a line with (RFC 2046 5.1.1).
    fn boundary(&self, parts: &[&[u8]]) -> String {
        let mut round = 0u64;
        loop {
            let boundary = format!("=_{}_{round}", self.serial);
            let found = |part: &&[u8]| memchr::memmem::find(part, boundary.as_bytes()).is_some();
            if !parts.iter().any(found) {
                return boundary;
            }
            // Each round has another line; the parts are finite, so that one of them is free.
            round += 1;
        }
    }
}

/// One part and the line before it.
fn part(out: &mut Vec<u8>, boundary: &str, name: &str, fields: &str, octets: &[u8]) {
    let head = format!("--{boundary}\r\nContent-Description: {name}\r\n{fields}\r\n");
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(octets);
    // The CRLF before the next boundary belongs to the boundary (RFC 2046 5.1.1).
    out.extend_from_slice(b"\r\n");
}

/// Fields of a delivery report.
struct Fields {
    text: String,
    utf8: bool,
}

impl Fields {
    /// One field whose spaces mean something, such as those of an address, folded only if a line
    /// can't hold it.
    fn put_whole(&mut self, name: &str, value: &str) {
        if name.len() + 2 + value.len() > LONGEST_LINE {
            return self.put(name, value);
        }
        let value = clean(value, self.utf8);
        self.text.push_str(&format!("{name}: {value}\r\n"));
    }

    /// One field, folded at spaces where its line would be too long.
    fn put(&mut self, name: &str, value: &str) {
        let mut column = name.len() + 1;
        self.text.push_str(name);
        self.text.push(':');
        for word in clean(value, self.utf8)
            .split(' ')
            .filter(|word| !word.is_empty())
        {
            for piece in pieces(word) {
                if column + 1 + piece.len() > 78 && column > name.len() + 1 {
                    self.text.push_str("\r\n\t");
                    column = 1;
                } else {
                    self.text.push(' ');
                    column += 1;
                }
                self.text.push_str(piece);
                column += piece.len();
            }
        }
        self.text.push_str("\r\n");
    }
}

/// A word in pieces that fit in a line each.
fn pieces(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(rest.floor_char_boundary(LONGEST_LINE - 100));
        rest = after;
        Some(piece)
    })
}

/// Text with controls, and what is beyond ASCII where that may not be, made `?`.
fn clean(text: &str, utf8: bool) -> String {
    let kept = |char: char| !char.is_control() && (utf8 || char.is_ascii());
    text.chars()
        .map(|char| if kept(char) { char } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests;
