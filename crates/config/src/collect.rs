//! Where mail is collected (RFC 2645), and what must hold between the settings of that.

use std::collections::BTreeSet;
use std::fmt;

use postroad_wire::address::{AddressLiteral, Host};
use postroad_wire::peer::{Endpoint, NoPeer, Peer};

use crate::Config;
use crate::read::{Found, Reader};
use crate::settings::Collect;
use crate::value::{CollectTls, Value, parsed, quoted};

/// A server that mail is collected from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// By its name, or its address.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// The port of on-demand mail relay (RFC 2645 4).
const ODMR: u16 = 366;

impl Provider {
    fn read(text: &str) -> Result<Provider, NoPeer> {
        let peer = |text: String| text.parse::<Peer>();
        let read =
            peer(format!("smtp://{text}:{ODMR}")).or_else(|_| peer(format!("smtp://{text}")));
        match read?.endpoint {
            Endpoint::Tcp { host, port } => Ok(Provider { host, port }),
            // `//` begins a host.
            Endpoint::Unix(_) => Err(NoPeer::Host),
        }
    }

    /// Whether nobody else can read what goes there.
    fn is_this_machine(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name.as_str().eq_ignore_ascii_case("localhost"),
            Host::Literal(AddressLiteral::V4(address)) => address.is_loopback(),
            Host::Literal(AddressLiteral::V6(address)) => address.is_loopback(),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Domain(name) => write!(f, "{name}:{}", self.port),
            Host::Literal(AddressLiteral::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Literal(AddressLiteral::V6(address)) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

impl Value for Provider {
    fn kind() -> String {
        "host, with `:port` if it isn't 366".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Provider> {
        let parse = |text: &str| {
            Provider::read(text).map_err(|_| "is no host with or without a port".to_owned())
        };
        let advice =
            "write one such as \"odmr.example.net\", \"odmr.example.net:366\" or \"[2001:db8::1]\"";
        parsed(found, reader, parse, advice)
    }

    fn show(&self) -> Option<String> {
        quoted(&self.to_string())
    }
}

/// Each has a name of its own, and says who this server is, in a way that tells it to nobody else.
pub(crate) fn check(config: &Config, reader: &mut Reader) {
    if reader.has(&format!("collect[{}]", config.collect.len())) {
        return; // One could not be read, so the others' places in the list are not the file's.
    }
    let mut seen = BTreeSet::new();
    for (index, collect) in config.collect.iter().enumerate() {
        let key = |setting: &str| format!("collect[{index}].{setting}");
        let is_word = |name: &str| {
            let may = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
            !name.is_empty() && name.bytes().all(may)
        };
        if !is_word(&collect.name) {
            let advice = "write a word of ASCII letters, digits and -, _ or .";
            reader.wrong_key(&key("name"), "is not such a word", advice);
        } else if !seen.insert(collect.name.to_ascii_lowercase()) {
            let what = format!("is {:?} for the second time", collect.name);
            reader.wrong_key(&key("name"), &what, "give each a name of its own");
        }
        for (setting, what, advice) in wrong_with(collect) {
            reader.wrong_key(&key(setting), what, advice);
        }
    }
}

type Wrong = (&'static str, &'static str, &'static str);

fn wrong_with(collect: &Collect) -> Vec<Wrong> {
    let has_user = collect.user.is_some();
    let has_certificate = collect.certificate.is_some();
    let mut wrong = Vec::new();
    wrong.extend(match (has_user, collect.password_file.is_some()) {
        (true, false) => Some((
            "user",
            "has no password_file beside it",
            "name the file that has the password",
        )),
        (false, true) => Some((
            "password_file",
            "has no user beside it",
            "name whose password it is",
        )),
        (true, true) | (false, false) => None,
    });
    wrong.extend(match (has_certificate, collect.key.is_some()) {
        (true, false) => Some((
            "certificate",
            "has no key beside it",
            "name the file that has its private key",
        )),
        (false, true) => Some((
            "key",
            "has no certificate beside it",
            "name whose key it is",
        )),
        (true, true) | (false, false) => None,
    });
    if !has_user && !has_certificate {
        let advice = "set user and password_file, or certificate and key";
        wrong.push((
            "name",
            "doesn't say who this server is to the provider",
            advice,
        ));
    }
    if collect.tls == CollectTls::None {
        if has_certificate {
            let advice = "write \"starttls\" or \"implicit\"";
            wrong.push((
                "tls",
                "is \"none\", where a certificate can't be shown",
                advice,
            ));
        } else if !collect.provider.is_this_machine() {
            let advice =
                "write \"starttls\" or \"implicit\"; a tunnel's end can be on this machine";
            wrong.push((
                "tls",
                "is \"none\", so others could read the password",
                advice,
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_rfc_2645_unless_another_is_written() {
        for (text, shown) in [
            ("odmr.example.net", "odmr.example.net:366"),
            ("odmr.example.net:2366", "odmr.example.net:2366"),
            ("192.0.2.1", "192.0.2.1:366"),
            ("[2001:db8::1]", "[2001:db8::1]:366"),
            ("[2001:db8::1]:25", "[2001:db8::1]:25"),
        ] {
            let provider = Provider::read(text).expect("the test wrote a provider");
            assert_eq!(provider.to_string(), shown);
        }
        for text in [
            "",
            ":366",
            "2001:db8::1",
            "a b",
            "host:0",
            "host:",
            "/run/odmr",
        ] {
            assert!(Provider::read(text).is_err(), "{text:?}");
        }
    }
}
