//! The service extensions a server lists in its reply to EHLO (RFC 5321 4.1.1.1).

use alloc::string::String;
use alloc::vec::Vec;

/// Which extensions are offered in a session, as the server that lists them or as the client
/// that has read the list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870).
    pub size: Option<Size>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// CHUNKING, that is BDAT (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030).
    pub binary_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// HELP (RFC 5321 4.1.1.8).
    pub help: bool,
    /// LIMITS (RFC 9422).
    pub limits: Option<TransactionLimits>,
}

/// What the SIZE keyword says (RFC 1870 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// `SIZE` or `SIZE 0`: no fixed maximum is told.
    Untold,
    /// `SIZE n`: the most octets a message may have.
    Maximum(u64),
}

/// What the LIMITS keyword says (RFC 9422).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransactionLimits {
    /// MAILMAX: transactions in one session.
    pub mail_max: Option<u32>,
    /// RCPTMAX: RCPT commands in one transaction.
    pub rcpt_max: Option<u32>,
    /// RCPTDOMAINMAX: different domains among the recipients of one session.
    pub rcpt_domain_max: Option<u32>,
}

impl Extensions {
    /// The lines that follow the first in the reply to EHLO, one keyword each.
    pub fn keywords(&self) -> Vec<String> {
        todo!()
    }

    /// Reads the lines that follow the first in a reply to EHLO. Keywords we don't know, and
    /// ones whose parameters can't be read, are passed over.
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Extensions {
        let _ = lines.into_iter();
        todo!()
    }
}
