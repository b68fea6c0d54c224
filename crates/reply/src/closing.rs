//! Why a session is ended with 421, whatever command it stands at.

use crate::answer::Reply;
use crate::code::{Code, Enhanced};
use crate::command::Command;
use crate::situation::{Situation, Speaker};
use crate::table::AnyLife;

/// Why the server ends a session by itself (RFC 5321 3.8). 421 may answer any command, or come
/// unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Closing {
    /// The service stops, drains, or can't go on.
    Stopping,
    /// The client was silent for longer than the time-out.
    TimedOut,
    /// A limit of the session was passed, or a policy ends it.
    LimitPassed,
}

impl Closing {
    /// The 421 that answers `command`. Where its row has no such cause (QUIT knows only
    /// 4.3.2), it is the row's first; where the row has no 421, that of any command.
    pub fn reply(self, command: Command) -> Reply {
        let own = || command.situations().filter(|s| is_closing(s));
        own()
            .find(|s| s.enhanced.first() == Some(&self.enhanced()))
            .or_else(|| own().next())
            .map_or_else(|| Reply::from(self.of_any()), Reply::of)
            .answering(command)
    }

    const fn of_any(self) -> AnyLife {
        match self {
            Closing::Stopping => AnyLife::Stopping,
            Closing::TimedOut => AnyLife::TimedOut,
            Closing::LimitPassed => AnyLife::LimitPassed,
        }
    }

    const fn enhanced(self) -> Enhanced {
        match self {
            Closing::Stopping => const { Enhanced::literal("4.3.2") },
            Closing::TimedOut => const { Enhanced::literal("4.4.2") },
            Closing::LimitPassed => const { Enhanced::literal("4.7.0") },
        }
    }
}

fn is_closing(situation: &Situation) -> bool {
    situation.speaker == Speaker::Life && Some(situation.code) == Code::new(421)
}
