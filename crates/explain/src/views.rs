//! What may be said to a command, and in a state.

use postroad_reply::{Command, Situation};
use serde::Serialize;

use crate::specification::{plain, specification};
use crate::state::{self, State};
use crate::told::Told;
use crate::{names, rank};

/// All that may answer a command.
#[derive(Debug, Clone, Serialize)]
pub struct CommandView {
    /// Its name in the table.
    pub command: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Whether the classic table has it.
    pub classic: bool,
    /// What is to be known of it besides.
    pub note: Option<String>,
    /// In which states it is legal, and what it gets in the others.
    pub states: Vec<Answered>,
    /// Its replies: the classic rows in the classic order, then the additions.
    pub replies: Vec<Told>,
    /// What may answer any command besides.
    pub any: Vec<Told>,
}

/// What a command gets in a state.
#[derive(Debug, Clone, Serialize)]
pub struct Answered {
    /// The state.
    pub state: &'static str,
    /// The command.
    pub command: &'static str,
    /// Whether the command is in its place there.
    pub legal: bool,
    /// Where it isn't, what it gets.
    pub reply: Option<Told>,
}

impl CommandView {
    /// What may answer `command`; in one state alone, if that is given.
    pub fn of(command: Command, state: Option<State>) -> CommandView {
        let rows = specification().command(command.name());
        let states = State::all()
            .filter(|one| state.is_none_or(|state| state == *one))
            .filter(|state| *state != State::InData)
            .filter(|_| state::given().any(|given| given == command))
            .map(|state| answered(state, command))
            .collect();
        CommandView {
            command: command.name(),
            about: names::about(command),
            classic: rows.is_some(),
            note: rows.and_then(|rows| rows.note.as_deref()).map(plain),
            states,
            replies: in_order(command)
                .into_iter()
                .filter(|situation| state.is_none_or(|state| rank::can_be_said(situation, state)))
                .map(Told::of)
                .collect(),
            any: match command {
                Command::Any | Command::Connect => Vec::new(),
                _ => Command::Any.situations().map(Told::of).collect(),
            },
        }
    }
}

/// The situations of a command: the classic rows in the classic order, then the additions.
pub(crate) fn in_order(command: Command) -> Vec<&'static Situation> {
    let specification = specification();
    let classic = specification.command(command.name());
    let classic = classic.into_iter().flat_map(|rows| &rows.reply);
    let added = specification.additions(command.name()).map(|a| &a.row);
    let rows: Vec<_> = classic.chain(added).collect();
    let place = |situation: &&Situation| {
        let own = specification.row(situation);
        let is_own =
            |row: &&crate::specification::Row| own.is_some_and(|own| std::ptr::eq(*row, own));
        rows.iter().position(is_own).unwrap_or(rows.len())
    };
    let mut situations: Vec<_> = command.situations().collect();
    situations.sort_by_key(place);
    situations
}

fn answered(state: State, command: Command) -> Answered {
    let refused = state.gate(command);
    Answered {
        state: state.name(),
        command: command.name(),
        legal: refused.is_none(),
        reply: refused.map(|reply| Told::of(reply.situation())),
    }
}

/// What each command gets in a state.
#[derive(Debug, Clone, Serialize)]
pub struct StateView {
    /// Its name.
    pub state: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Every command that a client can give; none where the message comes, and no commands.
    pub commands: Vec<Answered>,
    /// What may be said without a command, or instead of a command's own replies.
    pub besides: Vec<Told>,
}

impl StateView {
    /// What each command gets in `state`.
    pub fn of(state: State) -> StateView {
        let commands = match state {
            State::InData => Vec::new(),
            State::Between(_) => state::given().map(|c| answered(state, c)).collect(),
        };
        let besides = match state {
            State::InData => in_order(Command::EndOfData),
            State::Between(_) => in_order(Command::Any)
                .into_iter()
                .filter(|situation| rank::can_be_said(situation, state))
                .collect(),
        };
        StateView {
            state: state.name(),
            about: state.about(),
            commands,
            besides: besides.into_iter().map(Told::of).collect(),
        }
    }
}
