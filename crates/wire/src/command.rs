//! Commands, read from one line (RFC 5321 4.1.1 and the extensions).
//!
//! Reading takes two steps, so that a session can refuse a command for what it is before it
//! looks at how it is written: [`Verb::of`] takes the verb off, [`Verb::parse`] reads the rest.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::address::{AddressError, Domain, ForwardPath, HeloName, Limits, Mailbox, ReversePath};
use crate::extension::Extensions;
use crate::parameter::{MailParameters, RcptParameters};

/// The first word of a command, in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// RFC 5321 4.1.1.1.
    Helo,
    /// RFC 5321 4.1.1.1.
    Ehlo,
    /// RFC 2033 4.1.
    Lhlo,
    /// RFC 5321 4.1.1.2.
    Mail,
    /// RFC 5321 4.1.1.3.
    Rcpt,
    /// RFC 5321 4.1.1.4.
    Data,
    /// RFC 3030 2.
    Bdat,
    /// RFC 5321 4.1.1.5.
    Rset,
    /// RFC 5321 4.1.1.9.
    Noop,
    /// RFC 5321 4.1.1.6.
    Vrfy,
    /// RFC 5321 4.1.1.7.
    Expn,
    /// RFC 5321 4.1.1.8.
    Help,
    /// RFC 5321 4.1.1.10.
    Quit,
    /// RFC 821 4.1.1, deprecated by RFC 5321 F.6.
    Send,
    /// RFC 821 4.1.1, deprecated by RFC 5321 F.6.
    Soml,
    /// RFC 821 4.1.1, deprecated by RFC 5321 F.6.
    Saml,
    /// RFC 821 4.1.1, deprecated by RFC 5321 F.1.
    Turn,
    /// RFC 3207 4.
    StartTls,
    /// RFC 4954 4.
    Auth,
    /// RFC 1985 5.
    Etrn,
    /// RFC 2645 5.2.1.
    Atrn,
}

/// What a line has to be read by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grammar {
    /// How long addresses may be.
    pub limits: Limits,
    /// The extensions this session was offered; the parameters of others are unknown.
    pub extensions: Extensions,
}

impl Verb {
    /// Takes the verb off a line without its CRLF: the verb, and what follows it as
    /// [`Verb::parse`] wants it.
    pub fn of(line: &[u8]) -> Result<(Verb, &[u8]), UnknownVerb> {
        let _ = line;
        todo!()
    }

    /// The verb as it is written in upper case.
    pub const fn as_str(self) -> &'static str {
        todo!()
    }

    /// Reads what follows the verb.
    pub fn parse(self, arguments: &[u8], grammar: &Grammar) -> Result<Command, SyntaxError> {
        let _ = (arguments, grammar);
        todo!()
    }
}

/// A first word that is no verb we know: 500 (RFC 5321 4.2.4). Its text is safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVerb(pub String);

/// One command, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// HELO
    Helo(HeloName),
    /// EHLO
    Ehlo(HeloName),
    /// LHLO
    Lhlo(HeloName),
    /// MAIL FROM:
    Mail {
        /// Whom to tell of failure.
        reverse_path: ReversePath,
        /// What follows it.
        parameters: MailParameters,
    },
    /// RCPT TO:
    Rcpt {
        /// Whom the message is for.
        forward_path: ForwardPath,
        /// What follows it.
        parameters: RcptParameters,
    },
    /// DATA
    Data,
    /// BDAT
    Bdat {
        /// How many octets follow the line.
        size: u64,
        /// Whether this is the last chunk.
        last: bool,
    },
    /// RSET
    Rset,
    /// NOOP; its argument is passed over.
    Noop,
    /// VRFY
    Vrfy {
        /// Whom to look up.
        string: Lookup,
        /// Whether the reply may have UTF-8 in it (RFC 6531 3.7.4.2).
        smtputf8: bool,
    },
    /// EXPN
    Expn {
        /// Which list to look up.
        string: Lookup,
        /// Whether the reply may have UTF-8 in it (RFC 6531 3.7.4.2).
        smtputf8: bool,
    },
    /// HELP
    Help {
        /// What about, with quoting taken away.
        topic: Option<String>,
    },
    /// QUIT
    Quit,
    /// SEND FROM:
    Send(ReversePath),
    /// SOML FROM:
    Soml(ReversePath),
    /// SAML FROM:
    Saml(ReversePath),
    /// TURN
    Turn,
    /// STARTTLS
    StartTls,
    /// AUTH
    Auth {
        /// The mechanism's name in upper case.
        mechanism: String,
        /// The initial response as it was sent: base64, or `=` for an empty one.
        initial_response: Option<String>,
    },
    /// ETRN
    Etrn(Node),
    /// ATRN; no domain means all that the client may have.
    Atrn(Vec<Domain>),
}

/// What VRFY or EXPN asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A user or list without a domain, with quoting taken away.
    Name(String),
    /// A full address, with or without brackets.
    Mailbox(Mailbox),
}

/// What ETRN asks for (RFC 1985 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// The mail of this domain.
    Domain(Domain),
    /// `@`: the mail of this domain and of those under it.
    Subdomains(Domain),
    /// `#`: a queue by the server's own name for it.
    Queue(String),
}

/// Why a command's arguments can't be taken. [`Display`](fmt::Display) gives words fit for a
/// reply's text: one line, bounded, no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyntaxError {
    /// Something is missing: 501 5.5.4. What it is, in words.
    MissingArgument(&'static str),
    /// There is an argument where none belongs: 501 5.5.4.
    UnexpectedArgument,
    /// An argument that is no path and no parameter can't be read: 501 5.5.4. What it is, in
    /// words.
    BadArgument(&'static str),
    /// The command's shape is wrong, such as MAIL without `FROM:`: 501 5.5.2. What was
    /// expected.
    Expected(&'static str),
    /// The path can't be read: 501, 5.1.7 for MAIL and 5.1.3 for RCPT. See
    /// [`SyntaxError::is_too_long`].
    BadPath(AddressError),
    /// The name in HELO, EHLO or LHLO can't be read: 501 5.5.4, or 504 for
    /// [`AddressError::LiteralTag`].
    BadName(AddressError),
    /// A parameter is written wrong or its value is out of its range: 501 5.5.4.
    BadParameter {
        /// Its keyword, safe to show.
        name: String,
    },
    /// The same parameter twice: 501 5.5.4.
    DuplicateParameter {
        /// Its keyword, safe to show.
        name: String,
    },
    /// A parameter of MAIL or RCPT that no offered extension has: 555 5.5.4 (RFC 5321
    /// 4.1.1.11).
    UnknownParameter {
        /// Its keyword, safe to show.
        name: String,
    },
    /// Something after VRFY's or EXPN's string that we don't have: 504 5.5.4.
    ParameterNotImplemented {
        /// Its keyword, safe to show.
        name: String,
    },
}

impl SyntaxError {
    /// Whether the path is well formed but over a limit: RCPT then says 553 5.1.3.
    pub fn is_too_long(&self) -> bool {
        matches!(
            self,
            SyntaxError::BadPath(
                AddressError::LocalPartTooLong
                    | AddressError::DomainTooLong
                    | AddressError::PathTooLong
            )
        )
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
