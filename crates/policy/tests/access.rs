//! Whom a site's own rules are for.
#![allow(clippy::unwrap_used)] // A test may fail.

use std::net::IpAddr;
use std::sync::OnceLock;

use postroad_directory::Identity;
use postroad_policy::access::{AccessRule, AccessRules, Action, Facts, Pattern, Step};
use postroad_policy::{Reason, Verdict};
use postroad_reply::Text;
use postroad_wire::address::{Limits, Mailbox, ReversePath};

fn rule(name: &str, at: Step, then: Action) -> AccessRule {
    AccessRule {
        name: name.into(),
        at,
        networks: Vec::new(),
        hello: Vec::new(),
        senders: Vec::new(),
        recipients: Vec::new(),
        users: Vec::new(),
        header: Vec::new(),
        then,
        text: None,
    }
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text)).collect()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).unwrap()
}

static ANNA: OnceLock<Vec<Identity>> = OnceLock::new();

const REFUSE: Action = Action::Refuse(Reason::PolicyRefused);

/// Facts of a client in the midst of a transaction.
fn facts<'a>(sender: &'a ReversePath, recipients: &'a [&'a Mailbox]) -> Facts<'a> {
    Facts {
        address: IpAddr::from([192, 0, 2, 7]),
        hello: "Mail.Example.Test",
        identities: ANNA.get_or_init(|| vec![Identity::User("anna".into())]),
        sender: Some(sender),
        recipients,
        header: b"Subject: Buy\r\n now\r\n\r\n",
    }
}

#[test]
fn the_first_rule_of_the_step_that_fits_decides() {
    let mut other_step = rule("mail", Step::Mail, REFUSE);
    other_step.networks = vec!["192.0.2.0/24".parse().unwrap()];
    let mut elsewhere = rule("elsewhere", Step::Rcpt, REFUSE);
    elsewhere.networks = vec!["198.51.100.0/24".parse().unwrap()];
    let mut friend = rule("friend", Step::Rcpt, Action::Accept);
    friend.senders = patterns(&["friend@*"]);
    let rules = AccessRules::new(vec![
        other_step,
        elsewhere,
        friend,
        rule("all", Step::Rcpt, REFUSE),
    ]);
    let to = mailbox("bob@example.org");
    let to = [&to];
    let decides = |step, sender: &str| {
        let sender = ReversePath::Mailbox(mailbox(sender));
        let rule = rules.deciding(step, &facts(&sender, &to));
        rule.map(|rule| rule.name.clone())
    };
    assert_eq!(
        decides(Step::Rcpt, "friend@a.test").as_deref(),
        Some("friend")
    );
    assert_eq!(decides(Step::Rcpt, "foe@a.test").as_deref(), Some("all"));
    assert_eq!(decides(Step::Mail, "foe@a.test").as_deref(), Some("mail"));
    assert_eq!(decides(Step::Data, "foe@a.test"), None);
    assert!(!rules.read_headers());
}

#[test]
fn all_that_a_rule_says_has_to_fit() {
    let (first, second) = (mailbox("bob@example.org"), mailbox("List@example.org"));
    let both = [&first, &second];
    let null = ReversePath::Null;
    let facts = facts(&null, &both);
    let mut all = rule("all", Step::Message, REFUSE);
    all.networks = vec!["192.0.2.7/32".parse().unwrap()];
    all.hello = patterns(&["*.example.test"]);
    all.senders = patterns(&["x@y.test", "<>"]);
    all.recipients = patterns(&["list@example.org"]);
    all.users = vec!["bob".parse().unwrap(), "anna".parse().unwrap()];
    all.header = patterns(&["subject: buy now"]);
    let decides = |rule: &AccessRule| {
        let rules = AccessRules::new(vec![rule.clone()]);
        assert!(rules.read_headers());
        rules.deciding(Step::Message, &facts).is_some()
    };
    assert!(decides(&all));
    let changes: [fn(&mut AccessRule); 6] = [
        |rule| rule.networks = vec!["192.0.2.8/32".parse().unwrap()],
        |rule| rule.hello = patterns(&["example.test"]),
        |rule| rule.senders = patterns(&["*@*"]),
        |rule| rule.recipients = patterns(&["*@example.com"]),
        |rule| rule.users = vec!["Anna".parse().unwrap()],
        |rule| rule.header = patterns(&["subject: buy"]),
    ];
    for change in changes {
        let mut changed = all.clone();
        change(&mut changed);
        assert!(!decides(&changed), "{changed:?}");
    }
}

#[test]
fn a_rule_says_its_text_and_who_is_sent_away_is_told_nothing_of_it() {
    let text = Text::new("write to postmaster");
    let verdict = |then| {
        let text = Some(text.clone());
        AccessRule {
            text,
            ..rule("r", Step::Rcpt, then)
        }
        .verdict()
    };
    assert_eq!(verdict(Action::Accept), Verdict::Accept);
    assert_eq!(
        verdict(Action::Refuse(Reason::ListClosed)),
        Verdict::Permanent(Reason::ListClosed, Some(text.clone()))
    );
    assert_eq!(
        verdict(Action::Defer(Reason::PolicyRefused)),
        Verdict::Temporary(Reason::PolicyRefused, Some(text.clone()))
    );
    let disconnect = Verdict::Disconnect(Text::new("r"));
    assert_eq!(verdict(Action::Disconnect), disconnect);
}
