//! The kinds of values a setting can have: how each is read, and how it is written.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use crate::read::{Found, Reader};

/// A kind of value.
pub(crate) trait Value: Sized {
    /// What it is called in the reference, with an example where its form is our own.
    fn kind() -> String;

    /// Reads it; none if it was reported as a problem.
    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Self>;

    /// The value as it would be written; none where nothing would be.
    fn show(&self) -> Option<String>;
}

/// A number of octets: written as `"50 MiB"` or as a plain integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Where a Unix socket is; none where it is written as `""`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPath(pub Option<PathBuf>);

/// What becomes of a CR or LF in a message that is not part of a CRLF (RFC 5321 2.3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareLineEnds {
    /// The message is refused.
    Refuse,
    /// Each becomes a CRLF.
    Normalise,
}

/// How much a customer is told of the mail that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// How many messages there are.
    Number,
    /// Whether there are any.
    Whether,
    /// Nothing.
    Nothing,
}

/// How a connection to a provider is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectTls {
    /// By STARTTLS, and not without.
    StartTls,
    /// From its beginning.
    Implicit,
    /// It isn't.
    None,
}

/// Who is told the truth by VRFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inquiry {
    /// Every client.
    Everybody,
    /// Clients that are trusted to ask.
    Trusted,
    /// No client.
    Nobody,
}

/// Who is told the truth by EXPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpnInquiry {
    /// Every client.
    Everybody,
    /// Clients that are trusted to ask.
    Trusted,
    /// No client.
    Nobody,
    /// There is no such command.
    NotImplemented,
}

/// What a mailbox without room says, and an allowance that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Later.
    Defer,
    /// No.
    Refuse,
}

/// Where in a conversation a rule of access is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessStep {
    /// At the greeting.
    Connect,
    /// At HELO or EHLO.
    Hello,
    /// At MAIL.
    Mail,
    /// At RCPT.
    Rcpt,
    /// At DATA or the first BDAT.
    Data,
    /// When the message is there.
    Message,
    /// At VRFY and EXPN.
    Inquiry,
}

/// What a rule of access does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessAction {
    /// Nothing, and no other rule is asked.
    Accept,
    /// Refuses for good.
    Refuse,
    /// Refuses for now.
    Defer,
    /// Ends the session.
    Disconnect,
}

/// Why a rule of access refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessReason {
    /// It is the site's wish.
    Policy,
    /// The address isn't allowed.
    Name,
    /// The mailbox is disabled.
    Disabled,
    /// The list isn't open to the sender.
    ClosedList,
}

/// What TLS is for on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerTls {
    /// There is none.
    Off,
    /// STARTTLS is offered.
    Offered,
    /// STARTTLS has to come first.
    Required,
    /// Connections begin with it.
    Implicit,
}

/// What AUTH is for on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerAuth {
    /// There is none.
    Off,
    /// It is offered.
    Offered,
    /// No mail is taken before.
    Required,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// A mechanism of AUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMechanism {
    /// SCRAM-SHA-256.
    ScramSha256,
    /// PLAIN.
    Plain,
    /// LOGIN.
    Login,
}

impl AuthMechanism {
    /// All of them.
    pub const ALL: [AuthMechanism; 3] = [
        AuthMechanism::ScramSha256,
        AuthMechanism::Plain,
        AuthMechanism::Login,
    ];
}

/// Which addresses users may send as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthSenders {
    /// Their own.
    Own,
    /// Any.
    Any,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How important an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Something may break.
    Warn,
    /// What the server does for its users.
    Info,
    /// What it does otherwise.
    Debug,
}

impl Size {
    /// So many times 1,024 octets.
    pub const fn kib(n: u64) -> Size {
        Size(n << 10)
    }

    /// So many times 1,048,576 octets.
    pub const fn mib(n: u64) -> Size {
        Size(n << 20)
    }

    /// So many times 1,073,741,824 octets.
    pub const fn gib(n: u64) -> Size {
        Size(n << 30)
    }
}

/// Units of size, largest first.
const SIZES: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Units of time in milliseconds, largest first.
const TIMES: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The sum of numbers with their units, as in `1h 30m`; none if it is anything else, or too much.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_where(after.trim_start(), |c| !c.is_ascii_alphabetic());
        let (_, worth) = units.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(*worth)?)?;
        rest = after.trim_start();
    }
    Some(sum)
}

fn split_where(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(end).unwrap_or(text.len()))
}

/// A number in the largest unit that divides it.
fn in_units(number: u64, units: &[(&str, u64)], space: &str) -> String {
    let fits = units
        .iter()
        .find(|(_, worth)| number >= *worth && number.is_multiple_of(*worth));
    let (unit, worth) = fits
        .or(units.iter().find(|(unit, _)| *unit == "s"))
        .unwrap_or(&("B", 1));
    format!("\"{}{space}{unit}\"", number / worth)
}

impl Value for Size {
    fn kind() -> String {
        "size: `\"50 MiB\"` (B, KiB, MiB, GiB) or octets".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Size> {
        let size = match found.value {
            DeValue::String(text) => quantity(text, &SIZES),
            DeValue::Integer(_) => integer(found),
            _ => None,
        };
        if size.is_none() {
            let advice = "write a size with its unit (B, KiB, MiB or GiB), such as \"50 MiB\", \
                          or a number of octets";
            reader.wrong(found, "is not a size", advice);
        }
        size.map(Size)
    }

    fn show(&self) -> Option<String> {
        Some(in_units(self.0, &SIZES, " "))
    }
}

impl Value for Duration {
    fn kind() -> String {
        "duration: `\"1h 30m\"` (d, h, m, s, ms)".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Duration> {
        let millis = found.value.as_str().and_then(|text| quantity(text, &TIMES));
        if millis.is_none() {
            let advice =
                "write a duration with its unit (d, h, m, s or ms), such as \"5m\" or \"1h 30m\"";
            reader.wrong(found, "is not a duration", advice);
        }
        millis.map(Duration::from_millis)
    }

    fn show(&self) -> Option<String> {
        // Settings are read in milliseconds, and no longer than u64 holds.
        Some(in_units(
            u64::try_from(self.as_millis()).unwrap_or(u64::MAX),
            &TIMES,
            "",
        ))
    }
}

/// The integer that was written, if it is one of 64 bits without a sign.
fn integer(found: &Found<'_>) -> Option<u64> {
    let written = found.value.as_integer()?;
    u64::from_str_radix(written.as_str(), written.radix()).ok()
}

/// Whole numbers.
macro_rules! integers {
    ($($kind:ty),+) => { $(
        impl Value for $kind {
            fn kind() -> String {
                "integer".into()
            }

            fn read(found: &Found<'_>, reader: &mut Reader) -> Option<$kind> {
                let number = integer(found).and_then(|n| <$kind>::try_from(n).ok());
                if number.is_none() {
                    let advice = format!("write a whole number from 0 to {}", <$kind>::MAX);
                    reader.wrong(found, "is not a number that fits here", &advice);
                }
                number
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )+ };
}

integers!(u32, u64);

impl Value for bool {
    fn kind() -> String {
        "`true` or `false`".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<bool> {
        let truth = found.value.as_bool();
        if truth.is_none() {
            reader.wrong(
                found,
                "is neither true nor false",
                "write true or false, without quotes",
            );
        }
        truth
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// One of a few words.
macro_rules! words {
    ($($kind:ident { $($variant:ident $word:literal),+ })+) => { $(
        impl Value for $kind {
            fn kind() -> String {
                [$(concat!("`\"", $word, "\"`")),+].join(", ")
            }

            fn read(found: &Found<'_>, reader: &mut Reader) -> Option<$kind> {
                match found.value.as_str() {
                    $(Some($word) => Some($kind::$variant),)+
                    _ => {
                        let words = [$(concat!("\"", $word, "\"")),+].join(", ");
                        reader.wrong(found, "is none of its words", &format!("write one of {words}"));
                        None
                    }
                }
            }

            fn show(&self) -> Option<String> {
                Some(match self { $($kind::$variant => concat!("\"", $word, "\"")),+ }.into())
            }
        }
    )+ };
}

pub(crate) use words;

words! {
    ListenerTls { Off "off", Offered "offered", Required "required", Implicit "implicit" }
    ListenerAuth { Off "off", Offered "offered", Required "required" }
    TlsVersion { Tls12 "1.2", Tls13 "1.3" }
    AuthMechanism { ScramSha256 "SCRAM-SHA-256", Plain "PLAIN", Login "LOGIN" }
    AuthSenders { Own "own", Any "any" }
    Inquiry { Everybody "everybody", Trusted "trusted", Nobody "nobody" }
    ExpnInquiry {
        Everybody "everybody", Trusted "trusted", Nobody "nobody",
        NotImplemented "not-implemented"
    }
    WhenFull { Defer "defer", Refuse "refuse" }
    AccessStep {
        Connect "connect", Hello "hello", Mail "mail", Rcpt "rcpt", Data "data", Message "message",
        Inquiry "inquiry"
    }
    AccessAction { Accept "accept", Refuse "refuse", Defer "defer", Disconnect "disconnect" }
    AccessReason { Policy "policy", Name "name", Disabled "disabled", ClosedList "closed-list" }
    BareLineEnds { Refuse "refuse", Normalise "normalise" }
    CollectTls { StartTls "starttls", Implicit "implicit", None "none" }
    Tells { Number "number", Whether "whether", Nothing "nothing" }
    LogFormat { Auto "auto", Text "text", Json "json" }
    Level { Error "error", Warn "warn", Info "info", Debug "debug" }
}

/// Reads a string through `parse`, whose error says what is wrong with it.
pub(crate) fn parsed<T>(
    found: &Found<'_>,
    reader: &mut Reader,
    parse: impl FnOnce(&str) -> Result<T, String>,
    advice: &str,
) -> Option<T> {
    let result = match found.value.as_str() {
        Some(text) => parse(text),
        None => Err(format!("is {}, not a string", found.value.type_str())),
    };
    match result {
        Ok(value) => Some(value),
        Err(what) => {
            reader.wrong(found, &what, advice);
            None
        }
    }
}

pub(crate) fn quoted(text: &str) -> Option<String> {
    Some(format!("{text:?}"))
}

impl Value for String {
    fn kind() -> String {
        "string".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<String> {
        let not_empty = |text: &str| match text {
            "" => Err("is empty".into()),
            text => Ok(text.into()),
        };
        parsed(
            found,
            reader,
            not_empty,
            "write a name in quotes, or leave the setting out",
        )
    }

    fn show(&self) -> Option<String> {
        quoted(self)
    }
}

impl Value for PathBuf {
    fn kind() -> String {
        "path".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<PathBuf> {
        let path = |text: &str| match text {
            "" => Err("is empty".into()),
            text if text.contains('\0') => Err("has a NUL in it".into()),
            text => Ok(text.into()),
        };
        parsed(found, reader, path, "write the path of a folder in quotes")
    }

    fn show(&self) -> Option<String> {
        quoted(&self.to_string_lossy())
    }
}

impl From<&str> for SocketPath {
    fn from(text: &str) -> SocketPath {
        SocketPath((!text.is_empty()).then(|| text.into()))
    }
}

impl Value for SocketPath {
    fn kind() -> String {
        "path, or `\"\"` for none".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<SocketPath> {
        let path = |text: &str| match text.contains('\0') {
            true => Err("has a NUL in it".into()),
            false => Ok(SocketPath::from(text)),
        };
        parsed(found, reader, path, "write the path of a socket in quotes")
    }

    fn show(&self) -> Option<String> {
        let path = self.0.as_deref().unwrap_or(Path::new(""));
        quoted(&path.to_string_lossy())
    }
}

impl Value for SocketAddr {
    fn kind() -> String {
        "address and port".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<SocketAddr> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| "is not an IP address with a port".to_owned())
        };
        let advice = "write both, such as \"127.0.0.1:2525\" or \"[::1]:25\"; \"0.0.0.0:25\" is \
                      every IPv4 address of this machine, \"[::]:25\" every IPv6 one";
        parsed(found, reader, parse, advice)
    }

    fn show(&self) -> Option<String> {
        quoted(&self.to_string())
    }
}

impl<T: Value> Value for Option<T> {
    fn kind() -> String {
        T::kind()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Option<T>> {
        T::read(found, reader).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }
}

impl<T: Value> Value for Vec<T> {
    fn kind() -> String {
        format!("list of {}s", T::kind())
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Vec<T>> {
        let Some(array) = found.value.as_array() else {
            reader.wrong(
                found,
                "is not a list",
                "put what belongs in it between [ and ]",
            );
            return None;
        };
        let each = array.iter().enumerate().filter_map(|(index, item)| {
            let found = Found::new(item, format!("{}[{index}]", found.path));
            reader.place(&found);
            T::read(&found, reader)
        });
        Some(each.collect())
    }

    fn show(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(T::show).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}
