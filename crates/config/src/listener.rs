//! What a listener can be, and what must hold for it.

use std::net::IpAddr;

use crate::Config;
use crate::read::{Found, Reader};
use crate::settings::Listener;
use crate::value::{ListenerAuth, ListenerTls, Value, words};

/// Which protocol a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP (RFC 5321).
    Smtp,
    /// LMTP (RFC 2033).
    Lmtp,
}

/// What a listener does as servers of RFC 821 did. Each is off unless it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// SEND writes to terminals (RFC 821 3.4).
    Send,
    /// SOML writes to terminals, or into mailboxes.
    Soml,
    /// SAML writes to terminals, and into mailboxes.
    Saml,
    /// TURN changes the roles (RFC 821 3.8).
    Turn,
    /// RSET gets 200 (RFC 876).
    Rset200,
    /// RSET with an argument gets 504 (RFC 821 4.3).
    Rset504,
    /// NOOP gets 200 (RFC 876).
    Noop200,
    /// VRFY gets 502 (RFC 821 4.3).
    Vrfy502,
    /// RCPT for a domain of `relay.no_mail_domains` gets 521 (RFC 1846 3).
    Rcpt521,
    /// EHLO gets 500, as of a server that has never heard of it.
    Ehlo500,
    /// EHLO gets 502, as of a server that has heard of it.
    Ehlo502,
    /// EHLO gets 550 (RFC 1869 4.4).
    Ehlo550,
    /// Without mail, the greeting is 220 and the first command gets 521 (RFC 1846 3).
    Late521,
}

words! {
    Protocol { Smtp "smtp", Lmtp "lmtp" }
    Quirk {
        Send "send", Soml "soml", Saml "saml", Turn "turn", Rset200 "rset-200", Rset504 "rset-504",
        Noop200 "noop-200", Vrfy502 "vrfy-502", Rcpt521 "rcpt-521", Ehlo500 "ehlo-500",
        Ehlo502 "ehlo-502", Ehlo550 "ehlo-550", Late521 "late-521"
    }
}

impl Listener {
    /// Whether mail is taken there by SMTP, from whoever means the server as a whole.
    pub fn takes_mail(&self) -> bool {
        self.protocol == Protocol::Smtp && self.accepts_mail
    }

    /// Whether anybody could meet its historic mode at this address, and nobody has confirmed that this is
    /// meant.
    pub fn is_historic_in_public(&self, at: IpAddr) -> bool {
        !self.historic.is_empty() && !self.historic_in_public && !is_private(at)
    }
}

/// Whether only this machine or a private network reaches an address (RFC 1918, RFC 4193).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The port of SMTP.
const SMTP_PORT: u16 = 25;

/// Checks each listener by itself.
pub(crate) fn check(config: &Config, reader: &mut Reader) {
    if reader.has(&format!("listener[{}]", config.listener.len())) {
        return; // One could not be read, so the others' places in the list are not the file's.
    }
    for (index, listener) in config.listener.iter().enumerate() {
        let mut wrong = |setting: &str, what: &str, advice: &str| {
            reader.wrong_key(&format!("listener[{index}].{setting}"), what, advice);
        };
        let is_lmtp = listener.protocol == Protocol::Lmtp;
        if is_lmtp && listener.address.port() == SMTP_PORT {
            let advice = "give it another port, such as 24, or make it \"smtp\"";
            wrong(
                "protocol",
                "may not be LMTP at port 25 (RFC 2033 5)",
                advice,
            );
        }
        if is_lmtp && listener.strict_classic {
            let advice = "take one of the two out";
            wrong("strict_classic", "knows no LMTP", advice);
        }
        // What is silently left out would be missed, TLS above all.
        let tls = listener.tls.is_some_and(|tls| tls != ListenerTls::Off);
        if listener.strict_classic && (tls || listener.auth != ListenerAuth::Off) {
            let advice = "take it out, or `tls` and `auth`";
            wrong("strict_classic", "knows neither TLS nor AUTH", advice);
        }
        if listener.is_historic_in_public(listener.address.ip()) {
            let advice = "listen on a loopback or private address, or confirm it with \
                          historic_in_public = true";
            wrong("historic", "would be reached from everywhere", advice);
        }
        let of_ehlo = [Quirk::Ehlo500, Quirk::Ehlo502, Quirk::Ehlo550];
        let many = of_ehlo
            .iter()
            .filter(|quirk| listener.historic.contains(quirk));
        if many.count() > 1 {
            wrong("historic", "answers EHLO in two ways", "name one of them");
        }
        if listener.historic.contains(&Quirk::Late521) && listener.accepts_mail {
            let advice = "set accepts_mail = false, or take \"late-521\" out";
            wrong("historic", "says 521 where mail is accepted", advice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_address_is_reached_by_few() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
        ];
        let public = ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "100.64.0.1"];
        let is = |text: &str| is_private(text.parse().expect("an address"));
        assert!(private.into_iter().all(is));
        assert!(!public.into_iter().any(is));
    }
}
