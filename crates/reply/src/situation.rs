//! One line of the table: a cause, and the reply it gets.

use crate::code::{Code, Enhanced, Severity};
use crate::command::Command;
use crate::text::Lines;

/// One cause that answers one command, and the reply it gets. Its names are the metric labels
/// and what `explain` and the reference show.
#[derive(Debug)]
pub struct Situation {
    /// The command it answers.
    pub command: Command,
    /// Its name, unique among the situations of its command and speaker.
    pub name: &'static str,
    /// When it arises, in one or two sentences.
    pub about: &'static str,
    /// The reply code.
    pub code: Code,
    /// The enhanced codes that fit; the first is the one used unless another is chosen. Empty
    /// for 3yz (RFC 2034 4) and for a plain greeting.
    pub enhanced: &'static [Enhanced],
    /// The text, without the domain.
    pub text: &'static str,
    /// Whether the server's own domain is the first word after the codes.
    pub domain_first: bool,
    /// The section it comes from.
    pub rfc: &'static str,
    /// What it takes to see it.
    pub reach: Reach,
    /// Whether the classic table has it.
    pub source: Source,
    /// Who says it.
    pub speaker: Speaker,
    /// Whether the server closes the connection after it.
    pub closes: bool,
}

impl Situation {
    /// Every situation of every command, in the order of the table.
    pub fn all() -> impl Iterator<Item = &'static Situation> {
        Command::ALL.into_iter().flat_map(Command::situations)
    }

    /// The metric labels: command and situation.
    pub const fn labels(&self) -> (&'static str, &'static str) {
        (self.command.name(), self.name)
    }

    /// Checks, when the table is compiled, what the RFCs say of every reply.
    pub(crate) const fn checked(self) -> Situation {
        let mut at = 0;
        while at < self.enhanced.len() {
            assert!(
                self.enhanced[at].fits(self.code),
                "an enhanced code's class is the first digit of its reply code (RFC 2034 4)"
            );
            at += 1;
        }
        if let Severity::Intermediate = self.code.severity() {
            assert!(
                self.enhanced.is_empty(),
                "a 3yz carries no enhanced code (RFC 2034 4)"
            );
        }
        assert!(
            self.code.number() != 421 || self.closes,
            "a 421 closes the connection (RFC 5321 3.8)"
        );
        assert!(
            self.closes || self.code.number() != 221,
            "a 221 closes the connection (RFC 5321 4.1.1.10)"
        );
        self
    }
}

impl PartialEq for Situation {
    fn eq(&self, other: &Situation) -> bool {
        (self.command, self.speaker, self.name) == (other.command, other.speaker, other.name)
    }
}

impl Eq for Situation {}

/// What it takes to see a situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// The configuration as shipped, and what the client sends.
    Default,
    /// A limit, table or policy that the administrator set.
    Config,
    /// A failing resource or dependency, a limit that was hit, or the end of the service.
    Fault,
    /// The historic mode of a listener.
    Historic,
}

/// Where a situation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A row of the classic table.
    Row,
    /// A reply that today's RFCs call for and the classic table lacks.
    Addition,
}

/// Who says a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speaker {
    /// A handler, or a policy.
    Handler,
    /// The session, before any handler is asked.
    Gate,
    /// The parser.
    Wire,
    /// The life cycle of the session.
    Life,
}

/// A value that stands for one situation: what the four enums of each command are.
///
/// Sealed: what it can say is the table, and nothing else.
pub trait Situated: sealed::Sealed + Sized {
    /// The situations of this type, in the order of the table.
    fn situations() -> &'static [Situation];

    /// The situation this value stands for.
    fn situation(&self) -> &'static Situation;

    /// The words for what it carries; none where the situation's own text says all.
    #[doc(hidden)]
    fn into_lines(self) -> Option<Lines>;
}

pub(crate) mod sealed {
    /// Keeps [`Situated`](super::Situated) to the types the table makes.
    pub trait Sealed {}
}
