//! Writes commands as a client sends them.

use core::fmt::{self, Write};

use super::{Command, InitialResponse, Lookup, Node, Verb};

impl Command {
    /// The command's verb.
    pub const fn verb(&self) -> Verb {
        match self {
            Command::Helo(_) => Verb::Helo,
            Command::Ehlo(_) => Verb::Ehlo,
            Command::Lhlo(_) => Verb::Lhlo,
            Command::Mail { .. } => Verb::Mail,
            Command::Rcpt { .. } => Verb::Rcpt,
            Command::Data => Verb::Data,
            Command::Bdat { .. } => Verb::Bdat,
            Command::Rset => Verb::Rset,
            Command::Noop => Verb::Noop,
            Command::Vrfy { .. } => Verb::Vrfy,
            Command::Expn { .. } => Verb::Expn,
            Command::Help { .. } => Verb::Help,
            Command::Quit => Verb::Quit,
            Command::Send(_) => Verb::Send,
            Command::Soml(_) => Verb::Soml,
            Command::Saml(_) => Verb::Saml,
            Command::Turn => Verb::Turn,
            Command::StartTls => Verb::StartTls,
            Command::Auth { .. } => Verb::Auth,
            Command::Etrn(_) => Verb::Etrn,
            Command::Atrn(_) => Verb::Atrn,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Command {
    /// The line without its CRLF; it reads back as the same command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb().as_str())?;
        match self {
            Command::Helo(name) | Command::Ehlo(name) | Command::Lhlo(name) => write!(f, " {name}"),
            Command::Mail {
                reverse_path,
                parameters,
            } => write!(f, " FROM:{reverse_path}{parameters}"),
            Command::Rcpt {
                forward_path,
                parameters,
            } => write!(f, " TO:{forward_path}{parameters}"),
            Command::Send(path) | Command::Soml(path) | Command::Saml(path) => {
                write!(f, " FROM:{path}")
            }
            Command::Bdat { size, last } => {
                write!(f, " {size}{}", if *last { " LAST" } else { "" })
            }
            Command::Vrfy { string, smtputf8 } | Command::Expn { string, smtputf8 } => {
                write!(f, " {string}{}", if *smtputf8 { " SMTPUTF8" } else { "" })
            }
            Command::Help { topic: Some(topic) } => write_string(topic, f),
            Command::Auth {
                mechanism,
                initial_response,
            } => {
                write!(f, " {mechanism}")?;
                match initial_response {
                    Some(InitialResponse(response)) => write!(f, " {response}"),
                    None => Ok(()),
                }
            }
            Command::Etrn(node) => write!(f, " {node}"),
            Command::Atrn(domains) => {
                for (place, domain) in domains.iter().enumerate() {
                    f.write_char(if place == 0 { ' ' } else { ',' })?;
                    domain.fmt(f)?;
                }
                Ok(())
            }
            Command::Help { topic: None }
            | Command::Data
            | Command::Rset
            | Command::Noop
            | Command::Quit
            | Command::Turn
            | Command::StartTls => Ok(()),
        }
    }
}

/// Always quoted: what a String is needs no minimum of quoting.
fn write_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(" \"")?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lookup::Name(name) => name.fmt(f),
            Lookup::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Domain(domain) => domain.fmt(f),
            Node::Subdomains(domain) => write!(f, "@{domain}"),
            Node::Queue(name) => write!(f, "#{name}"),
        }
    }
}
