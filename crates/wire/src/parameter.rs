//! The parameters of MAIL and RCPT (RFC 5321 4.1.1.11 and the extensions).

use alloc::string::String;

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
    /// `rfc822`, `utf-8` or another registered kind, in lower case.
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
}

/// What RCPT may carry after its path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RcptParameters {
    /// `NOTIFY=` (RFC 3461 4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=` (RFC 3461 4.2).
    pub original: Option<OriginalRecipient>,
}
