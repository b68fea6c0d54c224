//! Reads the arguments of each command.

use alloc::string::String;
use alloc::vec::Vec;
use core::str;

use super::{
    AddressError, Command, Grammar, InitialResponse, Lookup, Node, SyntaxError, Verb, is_space,
    shown, trim,
};
use crate::address::{
    Domain, ForwardPath, HeloName, Limits, LocalPart, Mailbox, ReversePath, end_of_path, is_atom,
    outside_quotes, unquote,
};
use crate::extension::Extensions;
use crate::parameter::{MailParameters, RcptParameters};

impl Verb {
    /// Reads what follows the verb.
    ///
    /// # Errors
    /// What is malformed in it, as the reply has to know: the argument, the path or the parameter.
    pub fn parse(self, arguments: &[u8], grammar: &Grammar) -> Result<Command, SyntaxError> {
        let arguments = trim(arguments);
        let limits = &grammar.limits;
        match self {
            Verb::Helo => name(arguments, limits).map(Command::Helo),
            Verb::Ehlo => name(arguments, limits).map(Command::Ehlo),
            Verb::Lhlo => name(arguments, limits).map(Command::Lhlo),
            Verb::Mail => mail(arguments, grammar),
            Verb::Rcpt => rcpt(arguments, grammar),
            Verb::Data => nothing(arguments, Command::Data),
            Verb::Bdat => bdat(arguments),
            Verb::Rset => nothing(arguments, Command::Rset),
            // RFC 5321 4.1.1.9: an argument is passed over.
            Verb::Noop => Ok(Command::Noop),
            Verb::Vrfy => lookup(arguments, grammar)
                .map(|(string, smtputf8)| Command::Vrfy { string, smtputf8 }),
            Verb::Expn => lookup(arguments, grammar)
                .map(|(string, smtputf8)| Command::Expn { string, smtputf8 }),
            Verb::Help => help(arguments),
            Verb::Quit => nothing(arguments, Command::Quit),
            Verb::Send => reverse_path_alone(arguments, limits).map(Command::Send),
            Verb::Soml => reverse_path_alone(arguments, limits).map(Command::Soml),
            Verb::Saml => reverse_path_alone(arguments, limits).map(Command::Saml),
            Verb::Turn => nothing(arguments, Command::Turn),
            Verb::StartTls => nothing(arguments, Command::StartTls),
            Verb::Auth => auth(arguments),
            Verb::Etrn => etrn(arguments, limits).map(Command::Etrn),
            Verb::Atrn => atrn(arguments, limits).map(Command::Atrn),
        }
    }
}

/// RFC 5321 4.3.2: commands without arguments that get one SHOULD be answered 501.
fn nothing(arguments: &[u8], command: Command) -> Result<Command, SyntaxError> {
    if arguments.is_empty() {
        Ok(command)
    } else {
        Err(SyntaxError::UnexpectedArgument)
    }
}

fn name(arguments: &[u8], limits: &Limits) -> Result<HeloName, SyntaxError> {
    if arguments.is_empty() {
        return Err(SyntaxError::MissingArgument("the name of the client"));
    }
    str::from_utf8(arguments)
        .map_err(|_| AddressError::NotUtf8)
        .and_then(|text| HeloName::parse(text, limits))
        .map_err(SyntaxError::BadName)
}

fn mail(arguments: &[u8], grammar: &Grammar) -> Result<Command, SyntaxError> {
    let (path, rest) = split_path(arguments, "FROM:")?;
    Ok(Command::Mail {
        reverse_path: ReversePath::parse(path, &grammar.limits).map_err(SyntaxError::BadPath)?,
        parameters: MailParameters::parse(rest, &grammar.extensions)?,
    })
}

fn rcpt(arguments: &[u8], grammar: &Grammar) -> Result<Command, SyntaxError> {
    let (path, rest) = split_path(arguments, "TO:")?;
    Ok(Command::Rcpt {
        forward_path: ForwardPath::parse(path, &grammar.limits).map_err(SyntaxError::BadPath)?,
        parameters: RcptParameters::parse(rest, &grammar.extensions)?,
    })
}

/// SEND, SOML and SAML have a reverse-path and nothing after it (RFC 821 4.1.2).
fn reverse_path_alone(arguments: &[u8], limits: &Limits) -> Result<ReversePath, SyntaxError> {
    let (path, rest) = split_path(arguments, "FROM:")?;
    let path = ReversePath::parse(path, limits).map_err(SyntaxError::BadPath)?;
    if rest.is_empty() {
        Ok(path)
    } else {
        Err(SyntaxError::UnexpectedArgument)
    }
}

/// Takes `FROM:` or `TO:` and the path off; what is left are the parameters.
///
/// RFC 5321 3.3 allows no space after the colon, but clients that send one are many and mean
/// nothing else by it.
fn split_path<'a>(
    arguments: &'a [u8],
    preposition: &'static str,
) -> Result<(&'a str, &'a [u8]), SyntaxError> {
    let after = arguments
        .split_at_checked(preposition.len())
        .filter(|(start, _)| start.eq_ignore_ascii_case(preposition.as_bytes()))
        .map(|(_, after)| trim(after))
        .ok_or(SyntaxError::Expected(preposition))?;
    if !after.starts_with(b"<") {
        return Err(SyntaxError::BadPath(AddressError::Brackets));
    }
    let end = end_of_path(after).ok_or(SyntaxError::BadPath(AddressError::Brackets))?;
    let (path, rest) = after.split_at(end);
    let path = str::from_utf8(path).map_err(|_| SyntaxError::BadPath(AddressError::NotUtf8))?;
    if !rest.first().is_none_or(is_space) {
        return Err(SyntaxError::Expected("a space after the path"));
    }
    Ok((path, trim(rest)))
}

/// bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF (RFC 3030 2).
fn bdat(arguments: &[u8]) -> Result<Command, SyntaxError> {
    let mut words = words(arguments);
    let size = words
        .next()
        .ok_or(SyntaxError::MissingArgument("the size of the chunk"))?;
    let size = number(size).ok_or(SyntaxError::BadArgument("the size of the chunk"))?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"LAST") => true,
        Some(_) => return Err(SyntaxError::Expected("LAST or nothing")),
    };
    match words.next() {
        None => Ok(Command::Bdat { size, last }),
        Some(_) => Err(SyntaxError::UnexpectedArgument),
    }
}

fn number(word: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(word).ok()?;
    // The library's reading takes a plus sign too.
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// RFC 5321 4.1.1.6 and 4.1.1.7: a string, which may be an address; RFC 6531 3.7.4.2 adds a parameter.
fn lookup(arguments: &[u8], grammar: &Grammar) -> Result<(Lookup, bool), SyntaxError> {
    if arguments.is_empty() {
        return Err(SyntaxError::MissingArgument("a user or list"));
    }
    let end = if arguments.starts_with(b"<") {
        end_of_path(arguments).ok_or(SyntaxError::BadPath(AddressError::Brackets))?
    } else {
        outside_quotes(arguments, b' ').unwrap_or(arguments.len())
    };
    let (string, rest) = arguments.split_at(end);
    if !rest.first().is_none_or(is_space) {
        return Err(SyntaxError::Expected("a space after the path"));
    }
    let string = str::from_utf8(string)
        .map_err(|_| AddressError::NotUtf8)
        .and_then(|text| lookup_string(text, &grammar.limits))
        .map_err(SyntaxError::BadPath)?;
    Ok((string, lookup_parameters(rest, &grammar.extensions)?))
}

fn lookup_string(text: &str, limits: &Limits) -> Result<Lookup, AddressError> {
    if text.starts_with('<') {
        return Ok(match ForwardPath::parse(text, limits)? {
            ForwardPath::Mailbox(mailbox) => Lookup::Mailbox(mailbox),
            ForwardPath::Postmaster => {
                Lookup::Name(LocalPart::from_unquoted("Postmaster", limits)?)
            }
        });
    }
    if outside_quotes(text.as_bytes(), b'@').is_some() {
        return Mailbox::parse(text, limits).map(Lookup::Mailbox);
    }
    LocalPart::parse(text, limits).map(Lookup::Name)
}

fn lookup_parameters(octets: &[u8], offered: &Extensions) -> Result<bool, SyntaxError> {
    let mut smtputf8 = false;
    for word in words(octets) {
        if !(offered.smtputf8 && word.eq_ignore_ascii_case(b"SMTPUTF8")) {
            return Err(SyntaxError::ParameterNotImplemented { name: shown(word) });
        }
        if smtputf8 {
            return Err(SyntaxError::DuplicateParameter { name: shown(word) });
        }
        smtputf8 = true;
    }
    Ok(smtputf8)
}

/// help = "HELP" [ SP String ] CRLF (RFC 5321 4.1.1.8).
fn help(arguments: &[u8]) -> Result<Command, SyntaxError> {
    if arguments.is_empty() {
        return Ok(Command::Help { topic: None });
    }
    string(arguments)
        .map(|topic| Command::Help { topic: Some(topic) })
        .ok_or(SyntaxError::BadArgument("the topic"))
}

/// String = Atom / Quoted-string (RFC 5321 4.1.2), with quoting taken away.
fn string(octets: &[u8]) -> Option<String> {
    let text = str::from_utf8(octets).ok()?;
    if is_atom(text) {
        return Some(text.into());
    }
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    unquote(inside).ok()
}

/// "AUTH" SP sasl-mech [SP initial-response] (RFC 4954 8).
fn auth(arguments: &[u8]) -> Result<Command, SyntaxError> {
    let mut words = words(arguments);
    let mechanism = words
        .next()
        .ok_or(SyntaxError::MissingArgument("the mechanism"))?;
    let mechanism = mechanism_name(mechanism).ok_or(SyntaxError::BadArgument("the mechanism"))?;
    let initial_response = match words.next() {
        None => None,
        Some(word) => {
            let text = base64_text(word);
            Some(text.ok_or(SyntaxError::BadArgument("the initial response"))?)
        }
    };
    match words.next() {
        None => Ok(Command::Auth {
            mechanism,
            initial_response,
        }),
        Some(_) => Err(SyntaxError::UnexpectedArgument),
    }
}

/// sasl-mech is 1 to 20 letters, digits, hyphens and underscores (RFC 4422 3.1).
fn mechanism_name(word: &[u8]) -> Option<String> {
    let is_name = (1..=20).contains(&word.len())
        && word
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let name = str::from_utf8(word).ok()?;
    is_name.then(|| name.to_ascii_uppercase())
}

fn base64_text(word: &[u8]) -> Option<InitialResponse> {
    let is_base64 = word
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    let text = str::from_utf8(word).ok()?;
    is_base64.then(|| InitialResponse(text.into()))
}

/// ETRN [option character]node-name (RFC 1985 5, 5.3).
fn etrn(arguments: &[u8], limits: &Limits) -> Result<Node, SyntaxError> {
    const WHAT: &str = "the name of the node";
    let (option, node) = match arguments {
        [] => return Err(SyntaxError::MissingArgument(WHAT)),
        [option @ (b'@' | b'#'), node @ ..] => (Some(option), node),
        node => (None, node),
    };
    let bad = SyntaxError::BadArgument(WHAT);
    let Ok(text) = str::from_utf8(node) else {
        return Err(bad);
    };
    if option == Some(&b'#') {
        let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        return is_name.then(|| Node::Queue(text.into())).ok_or(bad);
    }
    match (Domain::parse(text, limits), option) {
        (Ok(domain), None) => Ok(Node::Domain(domain)),
        (Ok(domain), Some(_)) => Ok(Node::Subdomains(domain)),
        (Err(_), _) => Err(bad),
    }
}

/// atrn = "ATRN" [SP domain *("," domain)] (RFC 2645 5.2.1).
fn atrn(arguments: &[u8], limits: &Limits) -> Result<Vec<Domain>, SyntaxError> {
    let bad = SyntaxError::BadArgument("the list of domains");
    let mut words = words(arguments);
    let Some(domains) = words.next() else {
        return Ok(Vec::new());
    };
    // RFC 2645 has no parameters.
    match words.next() {
        Some(word) if word.contains(&b'=') => {
            return Err(SyntaxError::ParameterNotImplemented { name: shown(word) });
        }
        Some(_) => return Err(bad),
        None => {}
    }
    str::from_utf8(domains)
        .ok()
        .and_then(|text| {
            text.split(',')
                .map(|name| Domain::parse(name, limits).ok())
                .collect()
        })
        .ok_or(bad)
}

fn words(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    octets.split(is_space).filter(|word| !word.is_empty())
}
