//! Reads the parameters that follow a path.

use crate::address::{Limits, Mailbox};
use crate::command::{SyntaxError, shown};
use crate::extension::Extensions;

use super::{
    BodyType, EnvId, MailParameters, Notify, OriginalRecipient, RcptParameters, Ret, Submitter,
    xtext,
};

impl MailParameters {
    /// Reads what follows the path of MAIL: parameters with white space between them.
    pub(crate) fn parse(octets: &[u8], offered: &Extensions) -> Result<Self, SyntaxError> {
        let mut read = MailParameters::default();
        let mut body = None;
        let mut smtputf8 = None;
        for parameter in Parameter::all(octets) {
            let parameter = parameter?;
            let value = parameter.value;
            match parameter.keyword_among(&["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"]) {
                "SIZE" if offered.size.is_some() => {
                    parameter.set(&mut read.size, value.and_then(size))?;
                }
                "BODY" if offered.eight_bit_mime || offered.binary_mime => {
                    parameter.set(&mut body, value.and_then(|v| body_type(v, offered)))?;
                }
                // RFC 6531 3.4: it takes no value.
                "SMTPUTF8" if offered.smtputf8 => {
                    parameter.set(&mut smtputf8, value.is_none().then_some(()))?;
                }
                "RET" if offered.dsn => parameter.set(&mut read.ret, value.and_then(ret))?,
                "ENVID" if offered.dsn => {
                    parameter.set(&mut read.envid, value.and_then(xtext::decode).map(EnvId))?;
                }
                "AUTH" if offered.auth.is_some() => {
                    parameter.set(&mut read.auth, value.and_then(submitter))?;
                }
                _ => return Err(parameter.unknown()),
            }
        }
        read.body = body.unwrap_or_default();
        read.smtputf8 = smtputf8.is_some();
        Ok(read)
    }
}

impl RcptParameters {
    /// Reads what follows the path of RCPT: parameters with white space between them.
    pub(crate) fn parse(octets: &[u8], offered: &Extensions) -> Result<Self, SyntaxError> {
        let mut read = RcptParameters::default();
        for parameter in Parameter::all(octets) {
            let parameter = parameter?;
            let value = parameter.value;
            match parameter.keyword_among(&["NOTIFY", "ORCPT"]) {
                "NOTIFY" if offered.dsn => {
                    parameter.set(&mut read.notify, value.and_then(notify))?;
                }
                "ORCPT" if offered.dsn => {
                    let original = value.and_then(|v| original_recipient(v, offered));
                    parameter.set(&mut read.original, original)?;
                }
                _ => return Err(parameter.unknown()),
            }
        }
        Ok(read)
    }
}

/// esmtp-param = esmtp-keyword ["=" esmtp-value] (RFC 5321 4.1.2).
struct Parameter<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
}

impl<'a> Parameter<'a> {
    fn all(octets: &'a [u8]) -> impl Iterator<Item = Result<Parameter<'a>, SyntaxError>> {
        octets
            .split(|&octet| matches!(octet, b' ' | b'\t'))
            .filter(|word| !word.is_empty())
            .map(|word| {
                Parameter::read(word).ok_or_else(|| SyntaxError::BadParameter {
                    name: shown(word.split(|&b| b == b'=').next().unwrap_or_default()),
                })
            })
    }

    fn read(word: &'a [u8]) -> Option<Parameter<'a>> {
        let word = core::str::from_utf8(word).ok()?;
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let is_keyword = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        // RFC 6531 3.3 adds UTF-8 to esmtp-value.
        let is_value = |value: &str| {
            !value.is_empty()
                && value
                    .chars()
                    .all(|c| c != '=' && c != ' ' && !c.is_control())
        };
        (is_keyword && value.is_none_or(is_value)).then_some(Parameter { keyword, value })
    }

    /// Which of `known` the keyword is, in upper case; none is the empty string.
    fn keyword_among(&self, known: &[&'static str]) -> &'static str {
        let same = |name: &&&'static str| name.eq_ignore_ascii_case(self.keyword);
        known.iter().find(same).copied().unwrap_or_default()
    }

    /// Sets `place` to the value that was read, once; `None` is a bad value.
    fn set<T>(&self, place: &mut Option<T>, value: Option<T>) -> Result<(), SyntaxError> {
        let name = || shown(self.keyword.as_bytes());
        if place.is_some() {
            return Err(SyntaxError::DuplicateParameter { name: name() });
        }
        *place = Some(value.ok_or_else(|| SyntaxError::BadParameter { name: name() })?);
        Ok(())
    }

    fn unknown(&self) -> SyntaxError {
        SyntaxError::UnknownParameter {
            name: shown(self.keyword.as_bytes()),
        }
    }
}

/// size-value = 1*20DIGIT (RFC 1870 4). What is over 64 bits is as good as the largest number:
/// both are over any maximum.
fn size(value: &str) -> Option<u64> {
    let is_number = value.len() <= 20 && value.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| value.parse().unwrap_or(u64::MAX))
}

fn body_type(value: &str, offered: &Extensions) -> Option<BodyType> {
    let is = |name: &str| value.eq_ignore_ascii_case(name);
    match () {
        () if is("7BIT") => Some(BodyType::SevenBit),
        () if is("8BITMIME") && offered.eight_bit_mime => Some(BodyType::EightBitMime),
        // Without BINARYMIME it is a value out of its range.
        () if is("BINARYMIME") && offered.binary_mime => Some(BodyType::BinaryMime),
        () => None,
    }
}

fn ret(value: &str) -> Option<Ret> {
    if value.eq_ignore_ascii_case("FULL") {
        Some(Ret::Full)
    } else if value.eq_ignore_ascii_case("HDRS") {
        Some(Ret::Headers)
    } else {
        None
    }
}

/// "<>", or a mailbox in xtext (RFC 4954 5).
fn submitter(value: &str) -> Option<Submitter> {
    if value == "<>" {
        return Some(Submitter::Unknown);
    }
    let mailbox = Mailbox::parse(&xtext::decode_unicode(value)?, &Limits::default());
    mailbox.ok().map(Submitter::Mailbox)
}

/// notify-esmtp-value = "NEVER" / 1#notify-list-element (RFC 3461 4.1).
fn notify(value: &str) -> Option<Notify> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for element in value.split(',') {
        let asked = match () {
            () if element.eq_ignore_ascii_case("SUCCESS") => &mut success,
            () if element.eq_ignore_ascii_case("FAILURE") => &mut failure,
            () if element.eq_ignore_ascii_case("DELAY") => &mut delay,
            () => return None,
        };
        *asked = true;
    }
    Some(Notify::On {
        success,
        failure,
        delay,
    })
}

/// original-recipient-address = addr-type ";" xtext (RFC 3461 4.2, RFC 6533 3).
fn original_recipient(value: &str, offered: &Extensions) -> Option<OriginalRecipient> {
    let (kind, encoded) = value.split_once(';')?;
    if !kind.is_ascii() || !crate::address::is_atom(kind) || encoded.is_empty() {
        return None;
    }
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    let address = if is("utf-8") {
        if !encoded.is_ascii() && !offered.smtputf8 {
            return None;
        }
        // RFC 6533 3: what bears the name but isn't written so is passed on as it is.
        xtext::decode_utf8(encoded).unwrap_or_else(|| encoded.into())
    } else if is("rfc822") {
        xtext::decode_unicode(encoded)?
    } else {
        xtext::decode(encoded)?
    };
    // RFC 3461 4.2 has nothing but ASCII in an address of this kind. Postfix puts UTF-8 into it, and
    // a recipient isn't refused for that: it is taken as of the kind it should have had. Otherwise
    // no letter of the kind changes its case (RFC 3461 5.2.1 d).
    let kind = match is("rfc822") && !address.is_ascii() {
        true => "utf-8",
        false => kind,
    };
    let kind = kind.into();
    Some(OriginalRecipient { kind, address })
}
