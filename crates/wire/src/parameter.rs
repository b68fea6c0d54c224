//! The parameters of MAIL and RCPT (RFC 5321 4.1.1.11 and the extensions).

use alloc::string::{String, ToString};
use core::fmt;

use crate::address::Mailbox;

mod read;
#[cfg(test)]
pub(crate) mod tests;
mod xtext;

/// What the client says about the octets of the body (RFC 6152, RFC 3030).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyType {
    /// Nothing was said, or `BODY=7BIT`.
    #[default]
    SevenBit,
    /// `BODY=8BITMIME`.
    EightBitMime,
    /// `BODY=BINARYMIME`.
    BinaryMime,
}

/// How much of the message a notice of failure returns (RFC 3461 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header section.
    Headers,
}

/// The sender's own name for the transaction, decoded from xtext (RFC 3461 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvId(pub String);

/// Whom the client says the message was first submitted by (RFC 4954 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitter {
    /// `<>`: it isn't known, or not to be trusted.
    Unknown,
    /// This mailbox, decoded from xtext.
    Mailbox(Mailbox),
}

/// When the sender wants to hear about a recipient (RFC 3461 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// Never.
    Never,
    /// On any of these.
    On {
        /// When it is delivered.
        success: bool,
        /// When it can't be delivered.
        failure: bool,
        /// When it takes long.
        delay: bool,
    },
}

/// The recipient as the sender first wrote it (RFC 3461 4.2), decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient {
    /// `rfc822`, `utf-8` or another registered kind, in whatever case it was written; that makes no
    /// difference (RFC 3464 2.1.2).
    pub kind: String,
    /// The address itself.
    pub address: String,
}

/// What MAIL may carry after its path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// `SIZE=`: the declared size of the message in octets (RFC 1870).
    pub size: Option<u64>,
    /// `BODY=` (RFC 6152, RFC 3030).
    pub body: BodyType,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `RET=` (RFC 3461 4.3).
    pub ret: Option<Ret>,
    /// `ENVID=` (RFC 3461 4.4).
    pub envid: Option<EnvId>,
    /// `AUTH=` (RFC 4954 5).
    pub auth: Option<Submitter>,
}

/// What RCPT may carry after its path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RcptParameters {
    /// `NOTIFY=` (RFC 3461 4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=` (RFC 3461 4.2).
    pub original: Option<OriginalRecipient>,
}

impl fmt::Display for MailParameters {
    /// As a client writes them after the path, each with a space before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        f.write_str(match self.body {
            BodyType::SevenBit => "",
            BodyType::EightBitMime => " BODY=8BITMIME",
            BodyType::BinaryMime => " BODY=BINARYMIME",
        })?;
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        f.write_str(match self.ret {
            None => "",
            Some(Ret::Full) => " RET=FULL",
            Some(Ret::Headers) => " RET=HDRS",
        })?;
        if let Some(envid) = &self.envid {
            write!(f, " ENVID={envid}")?;
        }
        match &self.auth {
            Some(submitter) => write!(f, " AUTH={submitter}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for RcptParameters {
    /// As a client writes them after the path, each with a space before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        match &self.original {
            Some(original) => write!(f, " ORCPT={original}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for EnvId {
    /// In xtext.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        xtext::encode(&self.0, f)
    }
}

impl fmt::Display for Submitter {
    /// In xtext, or `<>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Submitter::Unknown => f.write_str("<>"),
            Submitter::Mailbox(mailbox) => xtext::encode(&mailbox.to_string(), f),
        }
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Notify::On {
            success,
            failure,
            delay,
        } = *self
        else {
            return f.write_str("NEVER");
        };
        let asked = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
        let mut comma = "";
        for (_, name) in asked.iter().filter(|(asked, _)| *asked) {
            write!(f, "{comma}{name}")?;
            comma = ",";
        }
        // A list of nothing can't be written; it means what NEVER does.
        f.write_str(if comma.is_empty() { "NEVER" } else { "" })
    }
}

impl fmt::Display for OriginalRecipient {
    /// With its kind, in xtext; a `utf-8` address in the form that needs no SMTPUTF8 (RFC 6533 3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};", self.kind)?;
        if self.kind.eq_ignore_ascii_case("utf-8") {
            xtext::encode_utf8(&self.address, f)
        } else {
            xtext::encode(&self.address, f)
        }
    }
}
