//! What is asked: a reply, and what is known of where it was said.

use postroad_reply::{Code, Command, Enhanced};
use serde::Serialize;

use crate::line;
use crate::state::State;

/// A reply that is to be explained, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The reply code.
    pub code: Option<Code>,
    /// The enhanced code.
    pub enhanced: Option<Enhanced>,
    /// The command that was answered.
    pub command: Option<Command>,
    /// The name of the situation, which this server's log says.
    pub situation: Option<String>,
    /// In which state it was said.
    pub state: Option<State>,
    /// The words of the reply.
    pub words: String,
}

impl Question {
    /// Reads what was typed or pasted: `452`, `550 5.7.1`, `5.1.1`, or a line of any log. None where there is
    /// neither a reply code nor an enhanced code in it.
    pub fn read(text: &str) -> Option<Question> {
        let found = line::read(text);
        let asked = found.code.is_some() || found.enhanced.is_some();
        asked.then_some(found)
    }

    /// The same, for programs.
    pub(crate) fn told(&self) -> Asked {
        Asked {
            code: self.code.map(Code::number),
            enhanced: self.enhanced.map(|enhanced| enhanced.to_string()),
            command: self.command.map(Command::name),
            situation: self.situation.clone(),
            state: self.state.map(State::name),
            words: (!self.words.is_empty()).then(|| self.words.clone()),
        }
    }
}

/// A question as programs read it: what was understood.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// The reply code.
    pub code: Option<u16>,
    /// The enhanced code.
    pub enhanced: Option<String>,
    /// The command that was answered.
    pub command: Option<&'static str>,
    /// The name of the situation.
    pub situation: Option<String>,
    /// The state in which it was said.
    pub state: Option<&'static str>,
    /// The words of the reply.
    pub words: Option<String>,
}
