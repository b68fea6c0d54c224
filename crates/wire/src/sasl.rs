//! The mechanisms of AUTH (RFC 4422, RFC 4954).

use alloc::string::String;
use core::fmt;

/// A way for a client to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// Name and password in one message (RFC 4616).
    Plain,
    /// Name and password, each asked for. It has no RFC, and clients that know nothing else.
    Login,
    /// A proof of the password, which isn't sent, and a proof of the server's (RFC 5802, RFC 7677).
    ScramSha256,
}

impl Mechanism {
    /// Every mechanism we know, as they are listed: a client that takes the first it knows takes the
    /// best.
    pub const ALL: [Mechanism; 3] = [Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];

    /// The mechanism of that name, in any case (RFC 4954 4 has upper case, and clients send both).
    pub fn named(name: &str) -> Option<Mechanism> {
        Mechanism::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
        }
    }

    /// Whether who reads along learns the password.
    pub const fn shows_password(self) -> bool {
        match self {
            Mechanism::Plain | Mechanism::Login => true,
            Mechanism::ScramSha256 => false,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mechanisms(u8);

impl Mechanisms {
    /// All of them.
    pub const ALL: Mechanisms = Mechanisms(0b111);

    /// Those that `which` says yes to.
    pub fn those(which: impl Fn(Mechanism) -> bool) -> Mechanisms {
        let chosen = Mechanism::ALL
            .into_iter()
            .filter(|mechanism| which(*mechanism));
        Mechanisms(chosen.fold(0, |set, mechanism| set | 1 << mechanism as u8))
    }

    /// Whether it is one of them.
    pub const fn has(self, mechanism: Mechanism) -> bool {
        self.0 & 1 << mechanism as u8 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The line of the reply to EHLO (RFC 4954 3).
    pub(crate) fn line(self) -> String {
        let mut line = String::from("AUTH");
        for mechanism in Mechanism::ALL {
            if self.has(mechanism) {
                line.push(' ');
                line.push_str(mechanism.name());
            }
        }
        line
    }

    /// Reads what follows the keyword; mechanisms we don't know are passed over.
    pub(crate) fn read<'a>(names: impl Iterator<Item = &'a str>) -> Mechanisms {
        let known = names.filter_map(Mechanism::named);
        Mechanisms(known.fold(0, |set, mechanism| set | 1 << mechanism as u8))
    }
}
