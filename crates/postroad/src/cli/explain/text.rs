//! Explanations for people: lines of the terminal's width, with colour where there is one.

use postroad_explain::{CommandView, Explanation, StateView, Told};

use super::layout::{Page, Style, Tone};

/// So many situations are told whole, unless all are asked for.
const WHOLE: usize = 3;

/// The explanation of a reply.
pub(super) fn explanation(explained: &Explanation, style: &Style) -> String {
    let mut page = Page::new(style);
    head(explained, &mut page);
    let whole = if style.all || explained.situations.len() <= WHOLE + 1 {
        explained.situations.len()
    } else {
        WHOLE
    };
    let (first, others) = explained.situations.split_at(whole);
    if !first.is_empty() {
        page.blank();
        let count = explained.situations.len();
        let words = match (count, others.len()) {
            (1, _) => "What it is, by the table:".to_owned(),
            (_, 0) => "What it may be, the likeliest first:".to_owned(),
            _ => format!("What it may be: the likeliest {whole} of {count}"),
        };
        page.line(&words, (0, 0), words.len(), Tone::Strong);
    }
    wholly(first, &mut page);
    if !others.is_empty() {
        page.blank();
        page.line("Others", (0, 0), 6, Tone::Strong);
        briefly(others, &mut page);
        page.blank();
        page.plain(
            "--after COMMAND, the enhanced code, or the whole line of the log narrow it down; --all tells all of each.",
            0,
            0,
        );
    }
    page.text
}

fn head(explained: &Explanation, page: &mut Page<'_>) {
    let title = title(explained);
    let tone = explained
        .code
        .as_ref()
        .map_or(Tone::Strong, |code| Tone::of_code(code.code));
    page.line(&title, (0, 0), title.len(), tone);
    if let Some(code) = &explained.code {
        page.labelled(
            "Class",
            &format!("{} It is about {}.", code.class, code.topic),
        );
        if let Some(text) = &code.classic_text {
            page.labelled("Text", text);
        }
    }
    if let Some(enhanced) = &explained.enhanced
        && let (Some(name), Some(meaning), Some(rfc)) =
            (enhanced.name, enhanced.meaning, enhanced.rfc)
    {
        page.labelled(&enhanced.code, &format!("{name}: {meaning} ({rfc})."));
    }
    if let Some(phrase) = &explained.phrase {
        page.labelled(
            "Words",
            &format!("They speak of {}. {}", phrase.name, phrase.meaning),
        );
    }
    page.labelled("Do", &doing(&explained.advice));
    for remark in &explained.remarks {
        page.labelled("Note", remark);
    }
    if let Some(note) = explained
        .code
        .as_ref()
        .and_then(|code| code.note.as_deref())
    {
        page.labelled("Note", note);
    }
}

fn title(explained: &Explanation) -> String {
    let asked = &explained.asked;
    let code = asked.code.map(|code| code.to_string());
    let command = asked
        .command
        .map(|command| format!("in answer to {command}"));
    let state = asked.state.map(|state| format!("in the state {state}"));
    let parts = [code, asked.enhanced.clone(), command, state];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn doing(advice: &postroad_explain::advice::Advice) -> String {
    use postroad_explain::advice::Action;
    let word = match advice.action {
        Action::Proceed => "Go on.",
        Action::Retry => "Retry.",
        Action::Change => "Change something.",
        Action::Bounce => "Give up.",
    };
    format!("{word} {}", advice.text)
}

/// All there is to say of each. What they have of their row is said once.
fn wholly(all: &[Told], page: &mut Page<'_>) {
    let row = |told: &Told| (told.command, told.code, told.source);
    for (nth, told) in all.iter().enumerate() {
        page.blank();
        let before = nth.checked_sub(1).and_then(|nth| all.get(nth));
        situation(
            told,
            before.is_some_and(|before| row(before) == row(told)),
            page,
        );
    }
}

/// All there is to say of a situation.
fn situation(told: &Told, row_is_told: bool, page: &mut Page<'_>) {
    let title = format!("{}: {}", told.command, told.situation);
    page.line(
        &format!(
            "{title}  ({})",
            if told.source == "classic" {
                "classic row"
            } else {
                "addition"
            }
        ),
        (0, 0),
        title.len(),
        Tone::Strong,
    );
    page.labelled("Reply", &told.reply());
    if told.enhanced.len() > 1 {
        page.labelled("", &format!("or with {}", told.enhanced[1..].join(", ")));
    }
    page.labelled("When", told.when);
    page.labelled("Who", told.who);
    if !row_is_told {
        page.labelled("Row", &sentence(&told.cause));
    }
    page.labelled("Do", &doing(&told.advice));
    here(told, page);
    let closes = if told.closes {
        " The connection is closed after it."
    } else {
        ""
    };
    page.labelled("From", &format!("{}.{closes}", told.rfc));
    if let Some(note) = told.note.as_ref().filter(|_| !row_is_told) {
        page.labelled("Note", note);
    }
}

fn here(told: &Told, page: &mut Page<'_>) {
    let says = if told.here.says {
        "This server says it."
    } else {
        "This server doesn't say it."
    };
    page.labelled("Here", &format!("{says} {}", told.here.how));
    if !told.here.settings.is_empty() {
        page.labelled("Settings", &told.here.settings.join(", "));
    }
    if let Some(dialogue) = &told.here.dialogue {
        page.labelled(
            "Shown in",
            &format!("crates/postroad/tests/dialogues/{dialogue}"),
        );
    }
}

/// Each situation in a line or two; those that are the same of several commands once.
fn briefly(all: &[Told], page: &mut Page<'_>) {
    let mut groups: Vec<(&Told, Vec<&str>)> = Vec::new();
    for told in all {
        let alike = |of: &Told| {
            (of.situation, &of.enhanced, of.when) == (told.situation, &told.enhanced, told.when)
        };
        match groups.iter_mut().find(|(first, _)| alike(first)) {
            Some((_, commands)) => commands.push(told.command),
            None => groups.push((told, vec![told.command])),
        }
    }
    for (told, commands) in groups {
        let enhanced = told.enhanced.first().map_or("", String::as_str);
        let label = format!("{} {:7}", told.code, enhanced);
        let title = format!("{label}{}: {}.", commands.join(", "), told.situation);
        page.line(
            &format!("{title} {}", told.when),
            (3, 15),
            label.len(),
            Tone::of_code(told.code),
        );
    }
}

/// A cause as a sentence.
fn sentence(cause: &str) -> String {
    let mut chars = cause.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>());
    let end = if cause.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.unwrap_or_default(), chars.as_str())
}

/// All that may answer a command.
pub(super) fn command(view: &CommandView, style: &Style) -> String {
    let mut page = Page::new(style);
    page.line(
        &format!("{}  {}", view.command, view.about),
        (0, 0),
        view.command.len(),
        Tone::Strong,
    );
    if let Some(note) = &view.note {
        page.plain(note, 3, 3);
    }
    if !view.states.is_empty() {
        page.blank();
        page.line("Where it is in its place", (0, 0), 24, Tone::Strong);
        for answered in &view.states {
            let what = answered
                .reply
                .as_ref()
                .map_or("legal".to_owned(), Told::reply);
            page.line(
                &format!("{:20}{what}", answered.state),
                (3, 23),
                0,
                Tone::Quiet,
            );
        }
    }
    page.blank();
    page.line("What may answer it", (0, 0), 18, Tone::Strong);
    replies(&view.replies, &mut page);
    if !view.any.is_empty() {
        page.blank();
        page.line("What may answer any command", (0, 0), 27, Tone::Strong);
        replies(&view.any, &mut page);
    }
    if !style.all {
        page.blank();
        page.plain("+ is not in the classic table. --all tells all of each; so does `postroad explain CODE --after COMMAND`.", 0, 0);
    }
    page.text
}

fn replies(all: &[Told], page: &mut Page<'_>) {
    if page.style.all {
        return wholly(all, page);
    }
    for told in all {
        listed(told, page);
    }
}

/// A situation as a row of a list.
fn listed(told: &Told, page: &mut Page<'_>) {
    let mark = if told.source == "classic" { ' ' } else { '+' };
    let enhanced = told.enhanced.first().map_or("", String::as_str);
    let label = format!("{mark} {} {enhanced:7}", told.code);
    let line = format!("{label}{}. {}", told.situation, told.when);
    page.line(&line, (1, 14), label.len(), Tone::of_code(told.code));
}

/// What each command gets in a state.
pub(super) fn state(view: &StateView, style: &Style) -> String {
    let mut page = Page::new(style);
    page.line(
        &format!("{}  {}", view.state, view.about),
        (0, 0),
        view.state.len(),
        Tone::Strong,
    );
    page.blank();
    let legal: Vec<_> = view
        .commands
        .iter()
        .filter(|c| c.legal)
        .map(|c| c.command)
        .collect();
    if !legal.is_empty() {
        page.labelled("Legal", &legal.join(", "));
    }
    for answered in view.commands.iter().filter(|answered| !answered.legal) {
        let reply = answered
            .reply
            .as_ref()
            .map_or_else(String::new, Told::reply);
        page.labelled(answered.command, &reply);
    }
    if !view.commands.is_empty() {
        page.blank();
        page.plain(
            "What is switched off says so first, wherever it stands: 502, or 500 as an unknown verb.",
            3,
            3,
        );
    }
    page.blank();
    let title = "What may be said besides";
    page.line(title, (0, 0), title.len(), Tone::Strong);
    replies(&view.besides, &mut page);
    if !style.all {
        page.blank();
        page.plain(
            "`postroad explain --command RCPT --state STATE` has what may answer a command there.",
            0,
            0,
        );
    }
    page.text
}
