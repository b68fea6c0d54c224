//! Who a client has proved to be.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// One name that a client has proved to be its own. What it says after EHLO, and the address it comes
/// from, prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// It logged in as this user (RFC 4954), prepared as RFC 4013 says.
    User(String),
    /// A certificate of its, which the authority that is trusted here has signed, is for this domain name,
    /// in lower case.
    Certificate(String),
}

impl Identity {
    /// What stands before the domain name of a certificate where identities are written.
    const CERTIFICATE: &str = "certificate:";

    /// The user, if it is one.
    pub fn user(&self) -> Option<&str> {
        match self {
            Identity::User(name) => Some(name),
            Identity::Certificate(_) => None,
        }
    }
}

impl FromStr for Identity {
    type Err = Infallible;

    /// As it is written in settings: `anna`, or `certificate:mx.home.example`.
    fn from_str(text: &str) -> Result<Identity, Infallible> {
        Ok(match text.strip_prefix(Identity::CERTIFICATE) {
            Some(name) => Identity::Certificate(name.to_ascii_lowercase()),
            None => Identity::User(text.to_owned()),
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::User(name) => f.write_str(name),
            Identity::Certificate(name) => write!(f, "{}{name}", Identity::CERTIFICATE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_as_it_is_written() {
        for (text, identity) in [
            ("anna", Identity::User("anna".into())),
            (
                "anna@example.com",
                Identity::User("anna@example.com".into()),
            ),
            (
                "certificate:mx.example",
                Identity::Certificate("mx.example".into()),
            ),
        ] {
            assert_eq!(text.parse(), Ok(identity.clone()));
            assert_eq!(identity.to_string(), text);
        }
        assert_eq!(
            "certificate:MX.Example".parse(),
            Ok(Identity::Certificate("mx.example".into()))
        );
    }
}
