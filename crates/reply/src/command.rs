//! The commands, and what the table says of each as a whole.

use crate::answer::Reply;
use crate::code::{Code, Severity};
use crate::phase::Phase;
use crate::situation::{Situated, Situation, Speaker};
use crate::table;

/// A command as a type: what ties a question to the replies it may get.
pub trait Row {
    /// The command.
    const COMMAND: Command;
    /// Its name in the table.
    const NAME: &'static str;
    /// What the client types; empty for what is no command line.
    const VERB: &'static str;
    /// Whether its replies carry an enhanced code once EHLO or LHLO opened the session.
    const ENHANCED_ON_WIRE: bool;
    /// What a handler or a policy may answer.
    type Reply: Situated;
    /// What the session answers before any handler is asked.
    type Gate: Situated;
    /// What the parser answers.
    type Syntax: Situated;
    /// What the session's life cycle answers.
    type Life: Situated;

    /// What stands against the command in `phase`, as far as its own row says: nothing where it
    /// is legal. [`Command::gate`] also knows what holds for every command.
    fn gate(phase: Phase) -> Option<Self::Gate>;
}

macro_rules! commands {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// What a reply answers: a command, the connection itself, or the end of the data.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Command {
            $($(#[doc = $doc])+ $name),+
        }

        impl Command {
            /// Every command, in the order of the table.
            pub const ALL: [Command; [$(stringify!($name)),+].len()] = [$(Command::$name),+];

            /// Its name in the table.
            pub const fn name(self) -> &'static str {
                match self { $(Command::$name => <table::$name as Row>::NAME),+ }
            }

            /// What the client types; empty for what is no command line.
            pub const fn verb(self) -> &'static str {
                match self { $(Command::$name => <table::$name as Row>::VERB),+ }
            }

            /// Whether its replies carry an enhanced code once EHLO or LHLO opened the session
            /// (RFC 2034 3, 4).
            pub const fn enhanced_on_wire(self) -> bool {
                match self { $(Command::$name => <table::$name as Row>::ENHANCED_ON_WIRE),+ }
            }

            fn own_gate(self, phase: Phase) -> Option<Reply> {
                match self { $(Command::$name => <table::$name as Row>::gate(phase).map(Reply::from)),+ }
            }

            fn parts(self) -> [&'static [Situation]; 4] {
                match self { $(Command::$name => [
                    <table::$name as Row>::Reply::situations(),
                    <table::$name as Row>::Gate::situations(),
                    <table::$name as Row>::Syntax::situations(),
                    <table::$name as Row>::Life::situations(),
                ]),+ }
            }
        }
    };
}

commands! {
    /// The connection: what the greeting says.
    Connect,
    /// HELO (RFC 5321 4.1.1.1).
    Helo,
    /// EHLO (RFC 5321 4.1.1.1).
    Ehlo,
    /// LHLO, the EHLO of LMTP (RFC 2033 4.1).
    Lhlo,
    /// MAIL (RFC 5321 4.1.1.2).
    Mail,
    /// RCPT (RFC 5321 4.1.1.3).
    Rcpt,
    /// DATA (RFC 5321 4.1.1.4).
    Data,
    /// The end of the data, after DATA or with BDAT LAST.
    EndOfData,
    /// BDAT (RFC 3030 2).
    Bdat,
    /// RSET (RFC 5321 4.1.1.5).
    Rset,
    /// SEND (RFC 821 4.1.1).
    Send,
    /// SOML (RFC 821 4.1.1).
    Soml,
    /// SAML (RFC 821 4.1.1).
    Saml,
    /// VRFY (RFC 5321 4.1.1.6).
    Vrfy,
    /// EXPN (RFC 5321 4.1.1.7).
    Expn,
    /// HELP (RFC 5321 4.1.1.8).
    Help,
    /// NOOP (RFC 5321 4.1.1.9).
    Noop,
    /// QUIT (RFC 5321 4.1.1.10).
    Quit,
    /// TURN (RFC 821 4.1.1).
    Turn,
    /// STARTTLS (RFC 3207 4).
    Starttls,
    /// AUTH (RFC 4954 4).
    Auth,
    /// ETRN (RFC 1985 5).
    Etrn,
    /// ATRN (RFC 2645 5).
    Atrn,
    /// Any command, the unknown verb included: what holds whatever was asked.
    Any,
}

impl Command {
    /// Every situation that may answer it by its own row: handler, gate, wire, life.
    pub fn situations(self) -> impl Iterator<Item = &'static Situation> {
        self.parts().into_iter().flatten()
    }

    /// What stands against it in `phase`; nothing where it is legal. Only for what a client can
    /// send: not for [`Command::Connect`] and [`Command::EndOfData`].
    ///
    /// A listener that takes no mail answers everything but QUIT by itself (RFC 7504 3, RFC 5321
    /// 3.1). After a failed chunk nothing is legal but what resets, does nothing or ends.
    pub fn gate(self, phase: Phase) -> Option<Reply> {
        let free = matches!(
            self,
            Command::Rset
                | Command::Helo
                | Command::Ehlo
                | Command::Lhlo
                | Command::Noop
                | Command::Quit
        );
        let reply = match phase {
            Phase::Mailless | Phase::NoService if self == Command::Quit => None,
            Phase::Mailless => Some(
                self.life_521()
                    .map_or_else(|| table::AnyLife::Mailless.into(), Reply::of),
            ),
            Phase::NoService => Some(table::AnyLife::NoService.into()),
            Phase::ChunkFailed if free => None,
            Phase::ChunkFailed => Some(
                self.own_gate(phase)
                    .unwrap_or_else(|| table::AnyGate::ChunkFailed.into()),
            ),
            _ => self.own_gate(phase),
        };
        reply.map(|r| r.answering(self))
    }

    /// What a code means that a peer sent in answer to this command: the situations of the row,
    /// and of any command, that have it. Where there is none its first digit still counts.
    pub fn meaning(self, code: Code) -> Meaning {
        Meaning {
            command: self,
            code,
        }
    }

    fn life_521(self) -> Option<&'static Situation> {
        self.situations()
            .find(|s| s.speaker == Speaker::Life && Some(s.code) == Code::new(521))
    }
}

/// A peer's reply code, read by the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    command: Command,
    code: Code,
}

impl Meaning {
    /// What the first digit says: the one thing to act on (RFC 5321 4.2.1).
    pub const fn severity(self) -> Severity {
        self.code.severity()
    }

    /// The situations it may be. None: the code is unknown for this command.
    pub fn situations(self) -> impl Iterator<Item = &'static Situation> {
        let any = (self.command != Command::Any).then(|| Command::Any.situations());
        self.command
            .situations()
            .chain(any.into_iter().flatten())
            .filter(move |s| s.code == self.code)
    }

    /// Whether the table has the code for this command, or for any.
    pub fn is_known(self) -> bool {
        self.situations().next().is_some()
    }
}
