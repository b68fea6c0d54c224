//! The table: every reply of every command.
//!
//! To find a row: the greeting, HELO, EHLO, LHLO, RSET, NOOP, QUIT are in `session`; MAIL, RCPT,
//! DATA in `transaction`; the end of data and BDAT in `message`; VRFY, EXPN, HELP in `inquiry`; SEND,
//! SOML, SAML, TURN in `historic`; STARTTLS, AUTH, ETRN, ATRN in `extension`; what answers any command
//! in `any`.
//!
//! A line reads: name, code, enhanced codes (the first is the one used unless another is chosen),
//! text, reach, source, RFC. A text that begins with `<domain>` gets the server's own domain there.
//! The phases in which a command is legal stand at its head, and what answers it in others.

/// Makes a command's marker type and its four enums from its lines.
macro_rules! rows {
    ($(
        $(#[doc = $doc:literal])+
        $marker:ident $name:literal, verb $verb:literal, enhanced_on_wire $on_wire:literal,
        legal $legal:tt $(else $otherwise:tt)?;
        $(#[doc = $handler_doc:literal])+
        handler $handler:ident $handler_lines:tt
        $(#[doc = $gate_doc:literal])+
        gate $gate:ident $gate_lines:tt
        $(#[doc = $wire_doc:literal])+
        wire $wire:ident $wire_lines:tt
        $(#[doc = $life_doc:literal])+
        life $life:ident $life_lines:tt
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $marker;

        impl crate::command::Row for $marker {
            const COMMAND: crate::Command = crate::Command::$marker;
            const NAME: &'static str = $name;
            const VERB: &'static str = $verb;
            const ENHANCED_ON_WIRE: bool = $on_wire;
            type Reply = $handler;
            type Gate = $gate;
            type Syntax = $wire;
            type Life = $life;

            fn gate(phase: crate::Phase) -> Option<$gate> {
                crate::table::legality!(phase $gate $legal $($otherwise)?)
            }
        }

        crate::table::situations! { $marker handler [$(#[doc = $handler_doc])+] $handler $handler_lines }
        crate::table::situations! { $marker gate [$(#[doc = $gate_doc])+] $gate $gate_lines }
        crate::table::situations! { $marker wire [$(#[doc = $wire_doc])+] $wire $wire_lines }
        crate::table::situations! { $marker life [$(#[doc = $life_doc])+] $life $life_lines }
    )+};
}

/// Whether a phase is legal, and what is said otherwise.
macro_rules! legality {
    ($phase:ident $gate:ident [always]) => {{
        let _ = $phase;
        None
    }};
    ($phase:ident $gate:ident [$($legal:ident),+] { $($but:ident: $said:ident,)* _: $other:ident }) => {
        match $phase {
            $(crate::Phase::$legal)|+ => None,
            $(crate::Phase::$but => Some($gate::$said),)*
            _ => Some($gate::$other),
        }
    };
}

/// Makes one enum and the lines behind it.
macro_rules! situations {
    ($marker:ident $speaker:ident [$(#[doc = $doc:literal])+] $kind:ident {$(
        $(#[doc = $about:literal])+
        $name:ident $(($field:ident: $payload:ty))? $code:literal [$($enhanced:literal),*]
        $text:literal, $reach:ident $source:ident $($closes:ident)?, $rfc:literal;
    )*}) => {
        $(#[doc = $doc])+
        #[derive(Debug, PartialEq, Eq)]
        pub enum $kind {$(
            #[doc = concat!($code, ":", $($about),+, "\n\n", $rfc)]
            $name $(($payload))?,
        )*}

        const _: () = {
            static LINES: &[crate::Situation] = &[$(
                crate::Situation {
                    command: crate::Command::$marker,
                    name: stringify!($name),
                    about: crate::table::trimmed(concat!($($about),+)),
                    code: crate::table::code($code),
                    enhanced: const { &[$(crate::Enhanced::literal($enhanced)),*] },
                    text: crate::table::text($text),
                    domain_first: crate::table::has_domain($text),
                    rfc: $rfc,
                    reach: crate::table::word!($reach),
                    source: crate::table::word!($source),
                    speaker: crate::table::word!($speaker),
                    closes: false $(|| crate::table::word!($closes))?,
                }.checked(),
            )*];

            #[allow(dead_code, reason = "an enum without lines has no place")]
            enum Place { $($name),* }

            impl crate::situation::sealed::Sealed for $kind {}

            impl crate::Situated for $kind {
                fn situations() -> &'static [crate::Situation] {
                    LINES
                }

                fn situation(&self) -> &'static crate::Situation {
                    match *self {
                        $($kind::$name { .. } => &LINES[Place::$name as usize],)*
                    }
                }

                fn into_lines(self) -> Option<crate::Lines> {
                    match self {
                        $($kind::$name $(($field))? => crate::table::told!($text $($field)?),)*
                    }
                }
            }
        };
    };
}

/// The words of what a situation carries.
macro_rules! told {
    ($text:literal) => {
        None
    };
    ($text:literal $field:ident) => {
        Some(crate::text::Told::told($field, crate::table::text($text)))
    };
}

/// The words of a line.
macro_rules! word {
    (default) => {
        crate::Reach::Default
    };
    (config) => {
        crate::Reach::Config
    };
    (fault) => {
        crate::Reach::Fault
    };
    (historic) => {
        crate::Reach::Historic
    };
    (row) => {
        crate::Source::Row
    };
    (addition) => {
        crate::Source::Addition
    };
    (handler) => {
        crate::Speaker::Handler
    };
    (gate) => {
        crate::Speaker::Gate
    };
    (wire) => {
        crate::Speaker::Wire
    };
    (life) => {
        crate::Speaker::Life
    };
    (closes) => {
        true
    };
}

use {legality, rows, situations, told, word};

mod any;
mod extension;
mod historic;
mod inquiry;
mod message;
mod session;
mod transaction;

pub use any::*;
pub use extension::*;
pub use historic::*;
pub use inquiry::*;
pub use message::*;
pub use session::*;
pub use transaction::*;

const DOMAIN: &str = "<domain> ";

/// Said in the statics of the table alone, so that the compiler finds a number that is none.
const fn code(number: u16) -> crate::Code {
    match crate::Code::new(number) {
        Some(code) => code,
        None => panic!("not a reply code"),
    }
}

const fn has_domain(text: &str) -> bool {
    let (text, domain) = (text.as_bytes(), DOMAIN.as_bytes());
    let mut at = 0;
    while at < domain.len() {
        if at >= text.len() || text[at] != domain[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn text(text: &'static str) -> &'static str {
    if has_domain(text) {
        text.split_at(DOMAIN.len()).1
    } else {
        text
    }
}

const fn trimmed(text: &'static str) -> &'static str {
    text.trim_ascii()
}
