//! Why a session is ended with 421, whatever command it stands at.

use crate::answer::Reply;
use crate::code::{Code, Enhanced};
use crate::command::Command;
use crate::situation::{Situation, Speaker};

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
        let of = |command: Command| {
            let mut found: Option<&'static Situation> = None;
            for situation in command.situations().filter(|s| is_closing(s)) {
                if situation.enhanced.first() == Some(&self.enhanced()) {
                    return Some(situation);
                }
                found = found.or(Some(situation));
            }
            found
        };
        match of(command).or_else(|| of(Command::Any)) {
            Some(situation) => Reply::of(situation).answering(command),
            // The row of any command has a 421, as a test of this module shows.
            None => unreachable!("no 421 in the table"),
        }
    }

    const fn enhanced(self) -> Enhanced {
        match self {
            Closing::Stopping => Enhanced::literal("4.3.2"),
            Closing::TimedOut => Enhanced::literal("4.4.2"),
            Closing::LimitPassed => Enhanced::literal("4.7.0"),
        }
    }
}

fn is_closing(situation: &Situation) -> bool {
    situation.speaker == Speaker::Life && Some(situation.code) == Code::new(421)
}
