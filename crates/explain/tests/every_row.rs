//! Every situation of the table and every row of its specification is explained.
#![allow(clippy::unwrap_used)] // A test may fail.

use std::collections::BTreeSet;

use postroad_explain::{
    CommandView, Explanation, Question, State, StateView, Told, advice, names, specification,
};
use postroad_reply::{Code, Command, Enhanced, Situation, Source};

fn question(situation: &Situation) -> Question {
    Question {
        code: Some(situation.code),
        enhanced: situation.enhanced.first().copied(),
        command: Some(situation.command),
        words: situation.text.into(),
        ..Question::default()
    }
}

#[test]
fn each_situation_is_explained_with_all_that_is_asked_for() {
    for situation in Situation::all() {
        let name = situation.labels();
        let told = Told::of(situation);
        assert!(!told.when.is_empty() && !told.cause.is_empty(), "{name:?}");
        assert!(!told.who.is_empty() && !told.rfc.is_empty(), "{name:?}");
        assert!(
            !told.advice.text.is_empty() && !told.here.how.is_empty(),
            "{name:?}"
        );
        assert!(
            !told.cause.contains("terms.") && !told.cause.contains("[["),
            "{}",
            told.cause
        );
        let note = told.note.unwrap_or_default();
        assert!(!note.contains("terms.") && !note.contains("[["), "{note}");
    }
}

/// What it says itself leads back to it: its own words, with code and command, are ranked first, or a situation that
/// sends the very same.
#[test]
fn each_situation_is_found_by_its_own_words() {
    for situation in Situation::all() {
        let explained = Explanation::of(&question(situation)).unwrap();
        let first = &explained.situations[0];
        let same = first.situation == situation.name && first.command == situation.command.name();
        let alike = first.text.ends_with(situation.text) && first.code == situation.code.number();
        assert!(
            same || alike,
            "{:?}: {} {}",
            situation.labels(),
            first.command,
            first.situation
        );
        assert!(
            explained
                .remarks
                .iter()
                .all(|remark| !remark.contains("table has no"))
        );
    }
}

#[test]
fn the_name_that_the_log_says_leaves_no_doubt() {
    for situation in Situation::all() {
        let question = Question {
            situation: Some(situation.name.into()),
            words: String::new(),
            ..question(situation)
        };
        let explained = Explanation::of(&question).unwrap();
        assert_eq!(explained.situations[0].situation, situation.name);
    }
}

#[test]
fn each_row_of_the_specification_is_explained_by_its_situations() {
    let specification = specification();
    let classic = specification.command.iter().flat_map(|command| {
        let rows = command.reply.iter();
        rows.map(|row| (command.name.as_str(), row, Source::Row))
    });
    let added = specification.addition.iter();
    let added = added.map(|a| (a.command.as_str(), &a.row, Source::Addition));
    let mut rows = 0;
    for (command, row, source) in classic.chain(added) {
        rows += 1;
        let question = Question {
            code: Code::new(row.code),
            command: names::command(command),
            ..Question::default()
        };
        assert!(question.command.is_some(), "{command}");
        let explained = Explanation::of(&question).unwrap();
        let own = Situation::all().filter(|s| {
            (s.command.name(), s.code.number(), s.source) == (command, row.code, source)
        });
        for situation in own {
            let told = explained.situations.iter();
            let mut told =
                told.filter(|told| told.command == command && told.source == names::source(source));
            assert!(
                told.any(|told| told.situation == situation.name),
                "{command} {}: {}",
                row.code,
                situation.name
            );
        }
    }
    assert_eq!(rows, 111 + specification.addition.len());
}

/// What the sending side should do is of the reply's own class.
#[test]
fn advice_never_contradicts_the_first_digit() {
    use advice::Action;
    for number in 200..600 {
        let code = Code::new(number).unwrap();
        for subject in 0..9 {
            for detail in 0..32 {
                let class = number / 100;
                let enhanced = Enhanced::parse(&format!("{class}.{subject}.{detail}"));
                // RFC 5321 4.5.3.1.10: a 552 for too many recipients counts as temporary.
                if (number, subject, detail) == (552, 5, 3) {
                    continue;
                }
                let action = advice::after(code, enhanced).action;
                let fits = match class {
                    2 | 3 => action == Action::Proceed,
                    4 => matches!(action, Action::Retry | Action::Change),
                    _ => matches!(action, Action::Bounce | Action::Change),
                };
                assert!(fits, "{code} {enhanced:?}: {action:?}");
            }
        }
    }
}

#[test]
fn the_settings_that_are_named_are_in_the_reference() {
    let reference = postroad_config::reference();
    let mut known = BTreeSet::new();
    let mut section = String::new();
    for line in reference.lines() {
        let name = |line: &str| line.trim_matches(['`', '[', ']', ' ']).to_owned();
        if let Some(title) = line.strip_prefix("## ") {
            section = if title.starts_with('`') {
                format!("{}.", name(title))
            } else {
                String::new()
            };
        } else if let Some(setting) = line.strip_prefix("### ") {
            known.insert(format!("{section}{}", name(setting)));
        }
    }
    assert!(
        known.contains("limits.recipients")
            && known.contains("access.then")
            && known.contains("hostname")
    );
    for situation in Situation::all() {
        let here = Told::of(situation).here;
        for setting in here.settings {
            assert!(
                known.contains(*setting),
                "{:?}: {setting}",
                situation.labels()
            );
        }
        // Those that stand in its words, between backquotes.
        for word in here.how.split('`').skip(1).step_by(2) {
            let setting = word.split_once(" = ").map(|(setting, _)| setting);
            if let Some(setting) = setting {
                assert!(
                    known.contains(setting),
                    "{:?}: {setting}",
                    situation.labels()
                );
            }
        }
    }
}

#[test]
fn every_command_and_every_state_can_be_told() {
    for command in Command::ALL {
        let view = CommandView::of(command, None);
        let told: BTreeSet<_> = view
            .replies
            .iter()
            .map(|told| (told.speaker, told.situation))
            .collect();
        assert_eq!(told.len(), command.situations().count(), "{command:?}");
        for state in State::all() {
            let view = CommandView::of(command, Some(state));
            assert!(view.replies.len() <= told.len());
        }
    }
    for state in State::all() {
        let view = StateView::of(state);
        assert!(!view.besides.is_empty(), "{}", view.state);
        assert!(view.commands.iter().all(|c| c.legal == c.reply.is_none()));
    }
}

#[test]
fn a_state_tells_what_is_in_its_place() {
    let view = StateView::of(State::named("after-mail").unwrap());
    let of = |name: &str| view.commands.iter().find(|c| c.command == name).unwrap();
    assert!(of("RCPT").legal && of("RSET").legal && of("QUIT").legal);
    assert_eq!(of("DATA").reply.as_ref().unwrap().code, 503);
    let data = CommandView::of(Command::Data, State::named("after-mail"));
    assert!(data.replies.iter().any(|told| told.code == 503));
    assert!(data.replies.iter().all(|told| told.code != 354));
    let data = CommandView::of(Command::Data, State::named("after-rcpt"));
    assert!(data.replies.iter().any(|told| told.code == 354));
    assert!(data.replies.iter().all(|told| told.code != 503));
}

#[test]
fn a_code_that_is_in_no_row_is_explained_by_its_first_digit() {
    let explained = Explanation::of(&Question::read("571").unwrap()).unwrap();
    assert_eq!(explained.advice.action, advice::Action::Bounce);
    assert!(
        explained.remarks[0].contains("in no row"),
        "{:?}",
        explained.remarks
    );
    let explained = Explanation::of(&Question::read("524 5.7.11").unwrap()).unwrap();
    assert!(
        explained.remarks[0].contains("X.7.11"),
        "{:?}",
        explained.remarks
    );
    assert_eq!(explained.situations[0].code, 538);
    let explained = Explanation::of(&Question::read("450 5.1.1").unwrap()).unwrap();
    assert!(
        explained.remarks[0].contains("doesn't fit"),
        "{:?}",
        explained.remarks
    );
    let explained = Explanation::of(&Question::read("550 5.9.9").unwrap()).unwrap();
    assert!(
        explained.remarks[0].contains("not in IANA's registry"),
        "{:?}",
        explained.remarks
    );
}

#[test]
fn a_code_that_the_command_can_not_get_is_told_so() {
    let question = Question {
        command: Some(Command::Quit),
        ..Question::read("450").unwrap()
    };
    let explained = Explanation::of(&question).unwrap();
    assert!(
        explained.remarks[0].contains("no 450 in answer to QUIT"),
        "{:?}",
        explained.remarks
    );
    assert!(
        explained.remarks[0].contains("RCPT"),
        "{:?}",
        explained.remarks
    );
}
