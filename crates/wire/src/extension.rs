//! The service extensions a server lists in its reply to EHLO (RFC 5321 4.1.1.1).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::sasl::Mechanisms;

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
    /// AUTH (RFC 4954), with the mechanisms it lists: those of them that we know.
    pub auth: Option<Mechanisms>,
    /// ETRN (RFC 1985).
    pub etrn: bool,
    /// ATRN (RFC 2645).
    pub atrn: bool,
    /// HELP (RFC 5321 4.1.1.8).
    pub help: bool,
    /// VRFY, where it tells something (RFC 5321 3.5.2).
    pub vrfy: bool,
    /// EXPN, where it tells something (RFC 5321 3.5.2).
    pub expn: bool,
    /// SEND (RFC 1869 2.2, RFC 5321 F.6).
    pub send: bool,
    /// SOML, likewise.
    pub soml: bool,
    /// SAML, likewise.
    pub saml: bool,
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
        let plain = [
            (self.pipelining, "PIPELINING"),
            (self.eight_bit_mime, "8BITMIME"),
            (self.chunking, "CHUNKING"),
            (self.binary_mime, "BINARYMIME"),
            (self.smtputf8, "SMTPUTF8"),
            (self.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
            (self.dsn, "DSN"),
            (self.starttls, "STARTTLS"),
            (self.etrn, "ETRN"),
            (self.atrn, "ATRN"),
            (self.help, "HELP"),
            (self.vrfy, "VRFY"),
            (self.expn, "EXPN"),
            (self.send, "SEND"),
            (self.soml, "SOML"),
            (self.saml, "SAML"),
        ];
        let mut lines: Vec<String> = plain
            .into_iter()
            .filter(|&(offered, _)| offered)
            .map(|(_, keyword)| keyword.into())
            .collect();
        match self.size {
            None => {}
            Some(Size::Untold) => lines.push("SIZE".into()),
            Some(Size::Maximum(octets)) => lines.push(format!("SIZE {octets}")),
        }
        lines.extend(self.auth.map(Mechanisms::line));
        lines.extend(self.limits.and_then(TransactionLimits::line));
        lines
    }

    /// Reads the lines that follow the first in a reply to EHLO, as a client. Keywords we don't
    /// know, and items that can't be read, are passed over.
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Extensions {
        let mut read = Extensions::default();
        for line in lines {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "PIPELINING" => read.pipelining = true,
                "SIZE" => read.size = Some(Size::read(words.next())),
                "8BITMIME" => read.eight_bit_mime = true,
                "CHUNKING" => read.chunking = true,
                "BINARYMIME" => read.binary_mime = true,
                "SMTPUTF8" => read.smtputf8 = true,
                "ENHANCEDSTATUSCODES" => read.enhanced_status_codes = true,
                "DSN" => read.dsn = true,
                "STARTTLS" => read.starttls = true,
                "AUTH" => read.auth = Some(Mechanisms::read(words)),
                "ETRN" => read.etrn = true,
                "ATRN" => read.atrn = true,
                "HELP" => read.help = true,
                "VRFY" => read.vrfy = true,
                "EXPN" => read.expn = true,
                "SEND" => read.send = true,
                "SOML" => read.soml = true,
                "SAML" => read.saml = true,
                "LIMITS" => read.limits = Some(TransactionLimits::read(words)),
                _ => {}
            }
        }
        read
    }
}

impl Size {
    /// RFC 1870 4: 0 says that there is no fixed maximum. What can't be read tells nothing.
    fn read(word: Option<&str>) -> Size {
        match word.and_then(|word| word.parse().ok()) {
            None | Some(0) => Size::Untold,
            Some(octets) => Size::Maximum(octets),
        }
    }
}

impl TransactionLimits {
    /// The most that six digits say.
    const GREATEST: u32 = 999_999;

    /// The keyword's line; `None` if no limit can be told.
    fn line(self) -> Option<String> {
        let mut line = String::from("LIMITS");
        let named = [
            ("MAILMAX", self.mail_max),
            ("RCPTMAX", self.rcpt_max),
            ("RCPTDOMAINMAX", self.rcpt_domain_max),
        ];
        for (name, limit) in named {
            // Only 1 to 999999 can be told (six digits, none to begin with 0).
            if let Some(limit @ 1..=Self::GREATEST) = limit {
                line.push_str(&format!(" {name}={limit}"));
            }
        }
        (line != "LIMITS").then_some(line)
    }

    fn read<'a>(items: impl Iterator<Item = &'a str>) -> TransactionLimits {
        let mut read = TransactionLimits::default();
        for (name, value) in items.filter_map(|item| item.split_once('=')) {
            let place = match name.to_ascii_uppercase().as_str() {
                "MAILMAX" => &mut read.mail_max,
                "RCPTMAX" => &mut read.rcpt_max,
                "RCPTDOMAINMAX" => &mut read.rcpt_domain_max,
                _ => continue,
            };
            *place = value
                .parse()
                .ok()
                .filter(|limit| (1..=Self::GREATEST).contains(limit));
        }
        read
    }
}

#[cfg(test)]
mod tests;
