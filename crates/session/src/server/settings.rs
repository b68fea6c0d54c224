//! What a listener's sessions are to do.

use core::time::Duration;

use postroad_wire::address::{self, Domain};
use postroad_wire::command::Grammar;
use postroad_wire::extension::{Extensions, Size, TransactionLimits};
use postroad_wire::line::LineLimits;
use postroad_wire::peer::Protocol;
use postroad_wire::sasl::Mechanisms;

use super::historic::{Historic, Quirk};

/// The settings of a session: those of its listener when it was opened.
///
/// They are shared, and a session keeps the ones it began with, so that nothing changes under a
/// transaction.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This server's own name: the first word of the greeting, and of 221, 421 and 521.
    pub host_name: Domain,
    /// Which of the two protocols is spoken.
    pub protocol: Protocol,
    /// Whether mail is taken at all; if not, the greeting is 521 (RFC 7504 3).
    pub accepts_mail: bool,
    /// What TLS is for.
    pub tls: TlsRule,
    /// What AUTH is for.
    pub auth: AuthRule,
    /// By which mechanisms.
    pub mechanisms: Mechanisms,
    /// Whether mechanisms that show the password may be used without TLS (RFC 4954 4 wants them off).
    pub clear_passwords: bool,
    /// Which extensions are offered.
    pub offered: Offered,
    /// How much one client may ask for.
    pub limits: Limits,
    /// How long a silent client is waited for.
    pub timeouts: Timeouts,
    /// What becomes of a message with a CR or an LF that is no CRLF, unless it is binary.
    pub bare_line_ends: BareLineEndRule,
    /// What VRFY does.
    pub vrfy: LookupRule,
    /// What EXPN does.
    pub expn: LookupRule,
    /// Whether HELP helps (214) or is switched off (502, RFC 5321 4.1.1.8 allows it).
    pub help: bool,
    /// Whether HELP tells the system's status (211) to whom the handler lets see it.
    pub status: bool,
    /// Which commands start the queue or turn the roles.
    pub roles: Roles,
    /// Whether HELO and EHLO have to give a name with a dot in it, or an address: 504 otherwise, but
    /// for a client that is trusted or has authenticated.
    pub qualified_names: bool,
    /// What servers of RFC 821 did.
    pub historic: Historic,
    /// Whether nothing outside the rows of the classic table is said: set by
    /// [`strictly_classic`](Settings::strictly_classic).
    pub strict_classic: bool,
}

/// The extensions that can be switched off. SIZE, ENHANCEDSTATUSCODES and LIMITS always are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME, with CHUNKING only (RFC 3030 3).
    pub binary_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
}

/// The commands by which a client calls for its mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles {
    /// ETRN (RFC 1985); off, it is 500.
    pub etrn: bool,
    /// ATRN (RFC 2645); off, it is 502.
    pub atrn: bool,
    /// TURN (RFC 821 3.8); off, it is 502.
    pub turn: bool,
}

/// How much one client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A command line without parameters, in octets with its CRLF; the offered extensions add to
    /// MAIL and RCPT (RFC 5321 4.5.3.1.4: 512 at least).
    pub command_line: usize,
    /// How long addresses may be (RFC 5321 4.5.3.1.1 to 4.5.3.1.3).
    pub address: address::Limits,
    /// A message, in octets (RFC 5321 4.5.3.1.7: 64 KiB at least).
    pub message_size: u64,
    /// A message that goes to terminals alone, in octets.
    pub terminal_message: u64,
    /// How many octets of a message that is refused already are read and thrown away before the
    /// connection is closed with 421.
    pub discarded: u64,
    /// Accepted recipients of one transaction (RFC 5321 4.5.3.1.8: 100 at least): 452 beyond.
    pub recipients: u32,
    /// Transactions of one session: 421 beyond.
    pub transactions: u32,
    /// Commands refused as unreadable, unknown, out of sequence or malformed: 421 beyond.
    pub errors: u32,
    /// Commands that get no mail on its way (RSET, NOOP, VRFY, EXPN, HELP, repeated greetings, chunks
    /// that are refused or empty) since the last accepted message: 421 beyond.
    pub junk_commands: u32,
    /// Logins that failed for what the client sent: 421 beyond.
    pub failed_logins: u32,
    /// Recipients refused for good in one session: 421 beyond.
    pub refused_recipients: u32,
    /// From the connection to its end.
    pub lifetime: Duration,
}

/// How long a silent client is waited for (RFC 5321 4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a whole command, from the reply before it.
    pub command: Duration,
    /// For some more octets of a message.
    pub data: Duration,
}

/// What becomes of a message with a CR or an LF that is no CRLF (RFC 5321 2.3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareLineEndRule {
    /// It is refused: 554 5.6.0.
    Refuse,
    /// Each of them becomes CRLF.
    Normalise,
}

/// What TLS is for on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsRule {
    /// There is none.
    Off,
    /// STARTTLS is offered (RFC 3207).
    Offered,
    /// STARTTLS is offered, and has to come first: 530 to what needs it. Not for a server that MX records
    /// name (RFC 3207 4).
    Required,
    /// The connection begins with it (RFC 8314 3.3): the session begins after the handshake.
    Implicit,
}

/// What AUTH is for on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthRule {
    /// There is none.
    Off,
    /// It is offered (RFC 4954).
    Offered,
    /// It is offered, and no mail is taken before: 530 at MAIL (RFC 6409 4.3).
    Required,
}

/// What VRFY or EXPN does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupRule {
    /// 252 whatever is asked (RFC 5321 7.3).
    Undisclosed,
    /// The handler is asked.
    Asked,
    /// 502 whatever is asked: for EXPN where there are no lists (RFC 5321 4.2.4), for VRFY in the historic
    /// mode alone.
    NotImplemented,
}

impl Settings {
    /// The settings as shipped, for a server of this name.
    pub fn new(host_name: Domain) -> Settings {
        Settings {
            host_name,
            protocol: Protocol::Smtp,
            accepts_mail: true,
            tls: TlsRule::Off,
            auth: AuthRule::Off,
            mechanisms: Mechanisms::ALL,
            clear_passwords: false,
            offered: Offered::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            bare_line_ends: BareLineEndRule::Refuse,
            vrfy: LookupRule::Undisclosed,
            expn: LookupRule::Undisclosed,
            help: true,
            status: false,
            roles: Roles::default(),
            qualified_names: false,
            historic: Historic::default(),
            strict_classic: false,
        }
    }

    /// The same, held to the rows of the classic table: without the extensions and commands that bring
    /// other replies. What the RFCs add to the rows of the classic commands is said as the row that comes
    /// nearest ([`Reply::classic`](postroad_reply::Reply::classic)).
    pub fn strictly_classic(self) -> Settings {
        Settings {
            strict_classic: true,
            protocol: Protocol::Smtp,
            auth: AuthRule::Off,
            // One that the connection begins with has no reply of its own.
            tls: match self.tls {
                TlsRule::Implicit => TlsRule::Implicit,
                TlsRule::Off | TlsRule::Offered | TlsRule::Required => TlsRule::Off,
            },
            offered: Offered {
                chunking: false,
                smtputf8: false,
                ..self.offered
            },
            roles: Roles {
                turn: self.roles.turn,
                ..Roles::default()
            },
            ..self
        }
    }

    /// What EHLO may list. What it does list also depends on how the connection is secured.
    pub fn extensions(&self) -> Extensions {
        Extensions {
            pipelining: self.offered.pipelining,
            size: Some(Size::Maximum(self.limits.message_size)),
            eight_bit_mime: self.offered.eight_bit_mime,
            chunking: self.offered.chunking,
            binary_mime: self.offered.chunking && self.offered.binary_mime,
            smtputf8: self.offered.smtputf8,
            // RFC 2034: the classic table has none.
            enhanced_status_codes: !self.strict_classic,
            dsn: self.offered.dsn,
            starttls: matches!(self.tls, TlsRule::Offered | TlsRule::Required),
            auth: (self.auth != AuthRule::Off).then_some(self.mechanisms),
            etrn: self.roles.etrn,
            atrn: self.roles.atrn,
            help: self.help,
            // RFC 5321 3.5.2: EXPN must be listed where it is supported, VRFY may be.
            vrfy: self.vrfy == LookupRule::Asked && !self.historic.has(Quirk::Vrfy502),
            expn: self.expn == LookupRule::Asked,
            // RFC 5321 F.6: the keywords are listed where the commands work.
            send: self.historic.has(Quirk::Send),
            soml: self.historic.has(Quirk::Soml),
            saml: self.historic.has(Quirk::Saml),
            limits: Some(TransactionLimits {
                mail_max: Some(self.limits.transactions),
                rcpt_max: Some(self.limits.recipients),
                rcpt_domain_max: None,
            }),
        }
    }

    /// What a command is read by, after EHLO or before it: the parameters of an extension are
    /// unknown to a client that hasn't been offered it (RFC 5321 4.1.1.11).
    pub(crate) fn grammar(&self, extended: bool) -> Grammar {
        Grammar {
            limits: self.limits.address,
            extensions: if extended {
                self.extensions()
            } else {
                Extensions::default()
            },
        }
    }

    /// How long a line may be. A client that leaves out EHLO may still send long lines, for a
    /// shorter line must not be refused as too long.
    pub(crate) fn line_limits(&self) -> LineLimits {
        LineLimits::new(self.limits.command_line, &self.extensions())
    }
}

impl Default for Offered {
    /// All of them.
    fn default() -> Offered {
        Offered {
            pipelining: true,
            eight_bit_mime: true,
            chunking: true,
            binary_mime: true,
            smtputf8: true,
            dsn: true,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        const MIB: u64 = 1 << 20;
        Limits {
            command_line: 1024,
            address: address::Limits::default(),
            message_size: 50 * MIB,
            terminal_message: 16 << 10,
            discarded: 200 * MIB,
            recipients: 1000,
            transactions: 1000,
            errors: 20,
            junk_commands: 100,
            failed_logins: 5,
            refused_recipients: 100,
            lifetime: Duration::from_secs(12 * 60 * 60),
        }
    }
}

impl Default for Timeouts {
    /// Five minutes for a command (RFC 5321 4.5.3.2.7), and for a block of data the three that a
    /// client gives a server to take it (4.5.3.2.5).
    fn default() -> Timeouts {
        Timeouts {
            command: Duration::from_secs(5 * 60),
            data: Duration::from_secs(3 * 60),
        }
    }
}
