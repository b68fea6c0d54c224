//! Commands, read from one line (RFC 5321 4.1.1 and the extensions).
//!
//! Reading takes two steps, so that a session can refuse a command for what it is before it
//! looks at how it is written: [`Verb::of`] takes the verb off, [`Verb::parse`] reads the rest.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::address::{
    AddressError, Domain, ForwardPath, HeloName, Limits, LocalPart, Mailbox, ReversePath,
};
use crate::base64;
use crate::extension::Extensions;
use crate::parameter::{MailParameters, RcptParameters};

mod read;
#[cfg(test)]
mod tests;
mod write;

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
    /// Every verb we know.
    pub const ALL: [Verb; 21] = [
        Verb::Helo,
        Verb::Ehlo,
        Verb::Lhlo,
        Verb::Mail,
        Verb::Rcpt,
        Verb::Data,
        Verb::Bdat,
        Verb::Rset,
        Verb::Noop,
        Verb::Vrfy,
        Verb::Expn,
        Verb::Help,
        Verb::Quit,
        Verb::Send,
        Verb::Soml,
        Verb::Saml,
        Verb::Turn,
        Verb::StartTls,
        Verb::Auth,
        Verb::Etrn,
        Verb::Atrn,
    ];

    /// Takes the verb off a line without its CRLF: the verb, and what follows it as
    /// [`Verb::parse`] wants it.
    ///
    /// Case doesn't matter (RFC 5321 2.4), nor does white space at the end (RFC 5321 4.1.1).
    pub fn of(line: &[u8]) -> Result<(Verb, &[u8]), UnknownVerb> {
        let end = line.iter().position(is_space).unwrap_or(line.len());
        let (word, arguments) = line.split_at(end);
        Verb::ALL
            .into_iter()
            .find(|verb| verb.as_str().as_bytes().eq_ignore_ascii_case(word))
            .map(|verb| (verb, trim(arguments)))
            .ok_or_else(|| UnknownVerb(shown(word)))
    }

    /// The verb as it is written in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Helo => "HELO",
            Verb::Ehlo => "EHLO",
            Verb::Lhlo => "LHLO",
            Verb::Mail => "MAIL",
            Verb::Rcpt => "RCPT",
            Verb::Data => "DATA",
            Verb::Bdat => "BDAT",
            Verb::Rset => "RSET",
            Verb::Noop => "NOOP",
            Verb::Vrfy => "VRFY",
            Verb::Expn => "EXPN",
            Verb::Help => "HELP",
            Verb::Quit => "QUIT",
            Verb::Send => "SEND",
            Verb::Soml => "SOML",
            Verb::Saml => "SAML",
            Verb::Turn => "TURN",
            Verb::StartTls => "STARTTLS",
            Verb::Auth => "AUTH",
            Verb::Etrn => "ETRN",
            Verb::Atrn => "ATRN",
        }
    }
}

/// Whether a line that begins with no verb is of another protocol: an HTTP request, or a field of a
/// header section.
///
/// A web page can make a browser send it, with commands behind it (RFC 9110 17.1).
pub fn is_of_another_protocol(line: &[u8]) -> bool {
    let mut words = line.split(is_space).filter(|word| !word.is_empty());
    let is_field = words.next().is_some_and(|first| first.ends_with(b":"));
    is_field
        || words
            .next_back()
            .is_some_and(|last| last.starts_with(b"HTTP/"))
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
        /// What the client begins the exchange with.
        initial_response: Option<InitialResponse>,
    },
    /// ETRN
    Etrn(Node),
    /// ATRN; no domain means all that the client may have.
    Atrn(Vec<Domain>),
}

/// To what a transaction's message is delivered, by the command that opened the transaction (RFC 821
/// 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliveryKind {
    /// MAIL: to the mailbox.
    #[default]
    Mailbox,
    /// SEND: to the terminals the user is logged in on, and to nothing else.
    Terminal,
    /// SOML: to the terminals, or to the mailbox where they don't take it.
    TerminalElseMailbox,
    /// SAML: to the mailbox, and to the terminals as well where they take it.
    TerminalAndMailbox,
}

/// The initial response of AUTH as it was sent: base64, or `=` for an empty one (RFC 4954 4).
///
/// It may hold a password, so [`Debug`](fmt::Debug) doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct InitialResponse(pub String);

impl InitialResponse {
    /// What it stands for; `None` if it isn't base64.
    pub fn decode(&self) -> Option<Vec<u8>> {
        match self.0.as_str() {
            "=" => Some(Vec::new()),
            text => base64::decode(text.as_bytes()),
        }
    }
}

impl fmt::Debug for InitialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse(..)")
    }
}

/// What VRFY or EXPN asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A user or list without a domain.
    Name(LocalPart),
    /// A full address, with or without brackets.
    Mailbox(Mailbox),
}

/// What ETRN asks for (RFC 1985 5, 5.3).
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyntaxError::MissingArgument(what) => write!(f, "{what} is missing"),
            SyntaxError::UnexpectedArgument => f.write_str("no argument belongs here"),
            SyntaxError::BadArgument(what) => write!(f, "{what} can't be read"),
            SyntaxError::Expected(what) => write!(f, "{what} expected"),
            SyntaxError::BadPath(error) | SyntaxError::BadName(error) => error.fmt(f),
            SyntaxError::BadParameter { name } => {
                write!(f, "parameter {name} or its value can't be read")
            }
            SyntaxError::DuplicateParameter { name } => write!(f, "parameter {name} stands twice"),
            SyntaxError::UnknownParameter { name } => write!(f, "parameter {name} not recognised"),
            SyntaxError::ParameterNotImplemented { name } => {
                write!(f, "parameter {name} not implemented")
            }
        }
    }
}

impl core::error::Error for SyntaxError {}

/// The most of a client's own words that a reply repeats.
const SHOWN: usize = 32;

/// A client's own word, fit for a reply's text: bounded, with a `?` for what isn't printable
/// ASCII.
pub(crate) fn shown(word: &[u8]) -> String {
    let printable = |octet: &u8| match octet {
        b'!'..=b'~' => char::from(*octet),
        _ => '?',
    };
    let mut text: String = word.iter().take(SHOWN).map(printable).collect();
    if word.len() > SHOWN {
        text.push_str("...");
    }
    text
}

fn is_space(octet: &u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

fn trim(octets: &[u8]) -> &[u8] {
    let Some(start) = octets.iter().position(|octet| !is_space(octet)) else {
        return &[];
    };
    let end = octets
        .iter()
        .rposition(|octet| !is_space(octet))
        .map_or(start, |last| last + 1);
    &octets[start..end]
}
