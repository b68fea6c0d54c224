//! What a reply means, whoever said it.

mod layout;
mod text;

use std::io::{self, IsTerminal, Read};

use clap::Args;
use postroad_explain::{CommandView, Explanation, Question, State, StateView, line, names};
use postroad_reply::Command;
use serde::Serialize;

use super::{Ended, Failure, say};
use layout::Style;

/// Say what a reply means: who decides it and why, what the sending side should do, which RFC it is from, and
/// how this server is brought to say it
///
/// The reply is a code (`452`), a code with its enhanced code (`550 5.7.1`), an enhanced code alone (`5.1.1`), or a line
/// pasted from any log, in quotes; `-` reads it from standard input. With no reply, --command and --state tell of a
/// command, or of a state of the conversation.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  postroad explain 452
  postroad explain 550 5.7.1 --after RCPT
  postroad explain \"450 4.2.0 greylisted, see http://postgrey.example\"
  tail -1 /var/log/mail.log | postroad explain -
  postroad explain --command RCPT
  postroad explain --state after-mail")]
pub(super) struct Explain {
    /// The reply, or a line that has it
    reply: Vec<String>,
    /// The command that was answered: RCPT, `MAIL FROM`, `end of data`, connect
    #[arg(long, value_name = "COMMAND")]
    after: Option<String>,
    /// Tell all that may answer this command
    #[arg(long, value_name = "COMMAND", conflicts_with = "after")]
    command: Option<String>,
    /// Tell what each command gets in this state, such as after-mail
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Tell all of each situation that it may be, not only of the likeliest
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Explains what is asked.
pub(super) fn run(asked: &Explain) -> Result<Ended, Failure> {
    let reply = reply(asked)?;
    let reply = reply.trim();
    let named = asked.after.as_deref().or(asked.command.as_deref());
    let command = named.map(command).transpose()?;
    let state = asked.state.as_deref().map(state).transpose()?;
    let style = style(asked.all);
    if !reply.is_empty() {
        return of_reply(reply, command, state, asked, &style);
    }
    match (command, state) {
        (Some(command), state) => {
            let view = CommandView::of(command, state);
            show(asked, &view, || text::command(&view, &style))
        }
        (None, Some(state)) => {
            let view = StateView::of(state);
            show(asked, &view, || text::state(&view, &style))
        }
        (None, None) => Err(Failure::Usage(
            "say what to explain: a reply (`postroad explain 550 5.7.1`), a line of a log in quotes, `--command RCPT`, \
             or `--state after-mail`"
                .into(),
        )),
    }
}

/// The words of the command line, or standard input.
fn reply(asked: &Explain) -> Result<String, Failure> {
    if asked.reply != ["-"] {
        return Ok(asked.reply.join(" "));
    }
    let mut octets = Vec::new();
    let most = line::LONGEST as u64;
    let read = io::stdin().lock().take(most).read_to_end(&mut octets);
    read.map_err(|error| Failure::Cannot(format!("can't read standard input: {error}")))?;
    match String::from_utf8_lossy(&octets).trim() {
        "" => Err(Failure::Cannot("there is nothing on standard input".into())),
        text => Ok(text.to_owned()),
    }
}

fn of_reply(
    reply: &str,
    command: Option<Command>,
    state: Option<State>,
    asked: &Explain,
    style: &Style,
) -> Result<Ended, Failure> {
    let found = Question::read(reply);
    if found.is_none() && command.is_none() && state.is_none() {
        // Its name alone is asking for a command or a state.
        if let Some(command) = names::command(reply) {
            let view = CommandView::of(command, None);
            return show(asked, &view, || text::command(&view, style));
        }
        if let Some(state) = State::named(reply) {
            let view = StateView::of(state);
            return show(asked, &view, || text::state(&view, style));
        }
    }
    let question = found.map(|found| Question {
        command: command.or(found.command),
        state,
        ..found
    });
    let explained = question.as_ref().and_then(Explanation::of);
    let explained = explained.ok_or_else(|| Failure::Cannot(no_reply(reply)))?;
    show(asked, &explained, || text::explanation(&explained, style))
}

/// What is wrong with something that has no reply in it.
fn no_reply(reply: &str) -> String {
    let what = say::cut(&say::clean(reply), 60);
    let digits = reply.len() == 3 && reply.bytes().all(|b| b.is_ascii_digit());
    if digits {
        return format!("{what} is no SMTP reply: the first digit of one is 2 to 5 (RFC 5321 4.2)");
    }
    format!(
        "there is no reply in {what:?}: one begins with three digits, such as 450 or 550, maybe with an enhanced code \
         such as 5.7.1 behind them; or give the name of a command, as `postroad explain --command RCPT`"
    )
}

fn command(name: &str) -> Result<Command, Failure> {
    names::command(name).ok_or_else(|| {
        let all: Vec<_> = Command::ALL.into_iter().map(Command::name).collect();
        Failure::Usage(format!(
            "the table has no command {:?}; it has {}",
            say::clean(name),
            all.join(", ")
        ))
    })
}

fn state(name: &str) -> Result<State, Failure> {
    State::named(name).ok_or_else(|| {
        let all: Vec<_> = State::all().map(State::name).collect();
        Failure::Usage(format!(
            "there is no state {:?}; there are {}",
            say::clean(name),
            all.join(", ")
        ))
    })
}

fn show<T: Serialize>(
    asked: &Explain,
    told: &T,
    text: impl FnOnce() -> String,
) -> Result<Ended, Failure> {
    if asked.json {
        let json = serde_json::to_string(told).map_err(|e| Failure::Cannot(e.to_string()))?;
        say::print(&format!("{json}\n"))?;
    } else {
        say::print(&text())?;
    }
    Ok(Ended::Done)
}

/// How standard output is laid out: as wide as the terminal, within reason.
fn style(all: bool) -> Style {
    // https://no-color.org: set and not empty.
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style {
        width: say::width().unwrap_or(80).clamp(40, 100),
        colour: io::stdout().is_terminal() && !plain,
        all,
    }
}
