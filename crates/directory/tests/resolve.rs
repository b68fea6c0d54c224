//! What addresses lead to.

#![allow(clippy::unwrap_used)] // a test may stop where it stands

use std::net::IpAddr;

use postroad_directory::{
    Directory, DirectoryProblem, Fault, LocalDomain, MAX_TARGETS, Mailboxes, Moved, NextHop, Place,
    Quotas, Resolution, RouteFor, Routes,
};
use postroad_wire::address::{Domain, ForwardPath, Limits, LocalPart, Mailbox};
use postroad_wire::peer::Peer;
use proptest::prelude::*;

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).unwrap()
}

fn local(text: &str) -> LocalPart {
    LocalPart::from_unquoted(text, &Limits::default()).unwrap()
}

fn domain(name: &str, mailboxes: &[&str], aliases: &[(&str, &[&str])]) -> LocalDomain {
    let targets = |targets: &[&str]| targets.iter().map(|target| mailbox(target)).collect();
    LocalDomain {
        name: Domain::parse(name, &Limits::default()).unwrap(),
        mailboxes: mailboxes.iter().map(|name| local(name)).collect(),
        aliases: aliases
            .iter()
            .map(|(name, to)| (local(name), targets(to)))
            .collect(),
        create_mailboxes: false,
        recipient_delimiter: Some('+'),
        moved: Vec::new(),
        quotas: Quotas::default(),
    }
}

/// A directory in which nothing is wrong.
fn directory(domains: Vec<LocalDomain>) -> Directory {
    let (directory, problems) = Directory::new(domains, None, Routes::default());
    assert_eq!(problems, []);
    directory
}

/// Where mail for an address goes, in words.
fn leads(directory: &Directory, address: &str, mailboxes: &Mailboxes) -> String {
    let path = match address {
        "Postmaster" => ForwardPath::Postmaster,
        address => ForwardPath::Mailbox(mailbox(address)),
    };
    match directory.resolve(&path, mailboxes) {
        Resolution::Local { targets, .. } => targets
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        Resolution::NotLocal { .. } => "not local".into(),
        Resolution::Unknown => "unknown".into(),
        Resolution::Moved { new_address, .. } => match new_address {
            Some(new) => format!("moved to {new}"),
            None => "moved".into(),
        },
        Resolution::Broken => "broken".into(),
        Resolution::MailboxLimit => "limit".into(),
    }
}

fn many() -> Mailboxes {
    Mailboxes::new(1000, [])
}

#[test]
fn names_are_found_without_regard_to_case_and_with_their_detail() {
    let listed = ["anna", "bob", "bob+lists", "J\u{fc}rgen", "o'neil/x"];
    let directory = directory(vec![
        domain("Example.ORG", &listed, &[]),
        domain("b\u{fc}cher.example", &["anna"], &[]),
    ]);
    for (address, goes) in [
        ("anna@example.org", "anna@example.org"),
        ("ANNA@EXAMPLE.org", "anna@example.org"),
        ("anna+news+more@example.org", "anna@example.org"),
        ("bob+lists@example.org", "bob+lists@example.org"),
        ("bob+other@example.org", "bob@example.org"),
        ("+anna@example.org", "unknown"),
        ("anna-x@example.org", "unknown"),
        ("J\u{dc}RGEN@example.org", "j\u{fc}rgen@example.org"),
        ("o'neil/x@example.org", "o'neil/x@example.org"),
        ("anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
        ("anna@B\u{dc}CHER.example", "anna@xn--bcher-kva.example"),
        ("carl@example.org", "unknown"),
        ("anna@sub.example.org", "not local"),
        ("anna@example.com", "not local"),
        ("anna@[127.0.0.1]", "not local"),
    ] {
        assert_eq!(leads(&directory, address, &many()), goes, "{address}");
    }
}

#[test]
fn aliases_are_followed_to_the_end_without_duplicates() {
    let directory = directory(vec![
        domain(
            "a.example",
            &["anna", "bob", "carl"],
            &[
                ("info", &["anna@a.example", "sales@b.example"]),
                ("carl", &["carl@a.example", "bob@a.example"]),
                (
                    "all",
                    &["info@a.example", "carl@a.example", "BOB+x@a.example"],
                ),
            ],
        ),
        domain(
            "b.example",
            &[],
            &[("sales", &["bob@a.example", "anna@a.example"])],
        ),
    ]);
    for (address, goes) in [
        ("info@a.example", "anna@a.example bob@a.example"),
        ("INFO+question@a.example", "anna@a.example bob@a.example"),
        ("sales@b.example", "bob@a.example anna@a.example"),
        ("carl@a.example", "carl@a.example bob@a.example"),
        (
            "all@a.example",
            "anna@a.example bob@a.example carl@a.example",
        ),
    ] {
        assert_eq!(leads(&directory, address, &many()), goes, "{address}");
    }
}

#[test]
fn loops_and_dead_ends_are_told_where_they_are_and_refused() {
    let (directory, problems) = Directory::new(
        vec![domain(
            "a.example",
            &["anna"],
            &[
                ("one", &["two@a.example"]),
                ("two", &["anna@a.example", "one@a.example"]),
                ("self", &["self@a.example"]),
                ("to-loop", &["one@a.example"]),
                ("nobody", &["anna@a.example", "ghost@a.example"]),
                ("away", &["x@example.com"]),
                ("to-away", &["away@a.example"]),
            ],
        )],
        Some(mailbox("ghost@a.example")),
        Routes::default(),
    );
    let problem = |place, fault| DirectoryProblem { place, fault };
    let alias = |alias| Place::Alias { domain: 0, alias };
    let ghost = mailbox("ghost@a.example");
    assert_eq!(
        problems,
        [
            problem(Place::Postmaster, Fault::NoSuchMailbox(ghost.clone())),
            problem(alias(0), Fault::Loop(vec![mailbox("two@a.example")])),
            problem(alias(1), Fault::Loop(vec![mailbox("one@a.example")])),
            problem(alias(2), Fault::Loop(vec![])),
            problem(
                Place::Target {
                    domain: 0,
                    alias: 4,
                    target: 1
                },
                Fault::NoSuchMailbox(ghost)
            ),
            problem(
                Place::Target {
                    domain: 0,
                    alias: 5,
                    target: 0
                },
                Fault::NotLocal(mailbox("x@example.com"))
            ),
        ]
    );
    for name in [
        "one",
        "two",
        "self",
        "to-loop",
        "nobody",
        "away",
        "to-away",
        "postmaster",
    ] {
        assert_eq!(
            leads(&directory, &format!("{name}@a.example"), &many()),
            "broken",
            "{name}"
        );
    }
    assert_eq!(
        leads(&directory, "anna@a.example", &many()),
        "anna@a.example"
    );
}

#[test]
fn what_is_listed_twice_is_told() {
    let twice = domain(
        "a.example",
        &["anna", "ANNA"],
        &[("x", &["anna@a.example"])],
    );
    let mut aliased = twice.clone();
    aliased
        .aliases
        .push((local("X"), vec![mailbox("anna@a.example")]));
    aliased.name = Domain::parse("b.example", &Limits::default()).unwrap();
    let (_, problems) =
        Directory::new(vec![twice.clone(), aliased, twice], None, Routes::default());
    let places: Vec<Place> = problems
        .iter()
        .inspect(|problem| assert_eq!(problem.fault, Fault::Duplicate))
        .map(|problem| problem.place)
        .collect();
    assert_eq!(
        places,
        [
            Place::Domain(2),
            Place::Mailbox {
                domain: 0,
                mailbox: 1
            },
            Place::Mailbox {
                domain: 1,
                mailbox: 1
            },
            Place::Alias {
                domain: 1,
                alias: 1
            },
        ]
    );
}

#[test]
fn postmaster_always_works() {
    let domains = || {
        vec![
            domain("a.example", &["anna"], &[]),
            domain("b.example", &[], &[("postmaster", &["anna@a.example"])]),
            domain("c.example", &["postmaster"], &[]),
        ]
    };
    let none = Mailboxes::new(0, []);
    let unset = directory(domains());
    let (set, problems) = Directory::new(
        domains(),
        Some(mailbox("anna@a.example")),
        Routes::default(),
    );
    assert_eq!(problems, []);
    for (address, without, with) in [
        ("Postmaster", "postmaster@a.example", "anna@a.example"),
        (
            "PostMaster@a.example",
            "postmaster@a.example",
            "anna@a.example",
        ),
        (
            "postmaster+x@a.example",
            "postmaster@a.example",
            "anna@a.example",
        ),
        ("postmaster@b.example", "anna@a.example", "anna@a.example"),
        (
            "postmaster@c.example",
            "postmaster@c.example",
            "postmaster@c.example",
        ),
    ] {
        assert_eq!(leads(&unset, address, &none), without, "{address}");
        assert_eq!(leads(&set, address, &none), with, "{address}");
    }
}

#[test]
fn a_postmaster_of_that_very_name_is_a_mailbox() {
    let domains = vec![domain("a.example", &[], &[])];
    let (directory, problems) = Directory::new(
        domains,
        Some(mailbox("POSTMASTER@a.example")),
        Routes::default(),
    );
    assert_eq!(problems, []);
    assert_eq!(
        leads(&directory, "Postmaster", &many()),
        "postmaster@a.example"
    );
}

#[test]
fn mailboxes_are_made_for_first_messages_up_to_the_limit() {
    let mut open = domain(
        "a.example",
        &["listed"],
        &[("pair", &["x@a.example", "y@a.example"])],
    );
    open.create_mailboxes = true;
    let directory = directory(vec![open]);
    let mailboxes = Mailboxes::new(2, [mailbox("Old@a.example")]);
    let resolve =
        |address: &str| directory.resolve(&ForwardPath::Mailbox(mailbox(address)), &mailboxes);
    let Resolution::Local {
        reservation,
        targets,
        origin,
        ..
    } = resolve("New+detail@A.example")
    else {
        panic!("a place is left");
    };
    assert_eq!(targets, [mailbox("new@a.example")]);
    assert_eq!(origin, mailbox("New+detail@A.example"));
    assert_eq!(leads(&directory, "other@a.example", &mailboxes), "limit");
    assert_eq!(
        leads(&directory, "old@a.example", &mailboxes),
        "old@a.example"
    );
    assert_eq!(
        leads(&directory, "listed@a.example", &mailboxes),
        "listed@a.example"
    );
    drop(reservation);
    assert_eq!(
        leads(&directory, "+detail@a.example", &mailboxes),
        "+detail@a.example"
    );
    assert_eq!(leads(&directory, "pair@a.example", &mailboxes), "limit");
    assert_eq!(mailboxes.len(), 1);
    let Resolution::Local { reservation, .. } = resolve("other@a.example") else {
        panic!("the place is free again");
    };
    reservation.keep();
    assert!(mailboxes.contains(&mailbox("other@a.example")));
    assert_eq!(leads(&directory, "third@a.example", &mailboxes), "limit");
}

#[test]
fn long_chains_and_wide_aliases_are_told_and_refused() {
    let names: Vec<String> = (0..200).map(|n| format!("n{n}")).collect();
    let wide: Vec<Mailbox> = names
        .iter()
        .map(|n| mailbox(&format!("{n}@a.example")))
        .collect();
    let mut listed = domain("a.example", &[], &[]);
    listed.mailboxes = names.iter().map(|name| local(name)).collect();
    listed.aliases = vec![
        (local("just"), wide[..MAX_TARGETS].to_vec()),
        (local("over"), wide[..=MAX_TARGETS].to_vec()),
    ];
    let (directory, problems) = Directory::new(vec![listed], None, Routes::default());
    let place = Place::Alias {
        domain: 0,
        alias: 1,
    };
    assert_eq!(
        problems,
        [DirectoryProblem {
            place,
            fault: Fault::TooMany
        }]
    );
    assert_eq!(leads(&directory, "over@a.example", &many()), "broken");
    assert_eq!(
        leads(&directory, "just@a.example", &many())
            .split(' ')
            .count(),
        MAX_TARGETS
    );

    let mut chain = domain("a.example", &["n199"], &[]);
    chain.aliases = (0..199)
        .map(|n| (local(&names[n]), vec![wide[n + 1].clone()]))
        .collect();
    let (directory, problems) = Directory::new(vec![chain], None, Routes::default());
    assert!(
        problems
            .iter()
            .all(|problem| problem.fault == Fault::TooMany)
    );
    assert_eq!(leads(&directory, "n0@a.example", &many()), "broken");
    assert_eq!(
        leads(&directory, "n190@a.example", &many()),
        "n199@a.example"
    );
}

#[test]
fn an_alias_is_followed_once_however_many_ways_lead_to_it() {
    // Each of 40 levels names both of the next: 2^40 ways, 80 aliases.
    let name = |level: usize, side: &str| mailbox(&format!("{side}{level}@a.example"));
    let mut diamond = domain("a.example", &["l40", "r40"], &[]);
    diamond.aliases = (0..40)
        .flat_map(|level| {
            let next = vec![name(level + 1, "l"), name(level + 1, "r")];
            ["l", "r"].map(|side| (name(level, side).local, next.clone()))
        })
        .collect();
    let directory = directory(vec![diamond]);
    assert_eq!(
        leads(&directory, "l0@a.example", &many()),
        "l40@a.example r40@a.example"
    );
}

/// Aliases among few names, so that loops, diamonds and dead ends are common.
fn tangle() -> impl Strategy<Value = (Vec<String>, Vec<(String, Vec<String>)>)> {
    let name = || "[a-f]";
    let mailboxes = proptest::collection::btree_set(name(), 0..4);
    let targets = proptest::collection::vec(name(), 1..4);
    let aliases = proptest::collection::btree_map(name(), targets, 0..6);
    (mailboxes, aliases).prop_map(|(m, a)| (m.into_iter().collect(), a.into_iter().collect()))
}

/// Else its mail would be accepted and reach nobody.
#[test]
fn an_alias_without_targets_is_told_and_takes_no_mail() {
    let aliases: &[(&str, &[&str])] = &[("empty", &[]), ("to-empty", &["empty@a.example"])];
    let (directory, problems) = Directory::new(
        vec![domain("a.example", &["empty"], aliases)],
        None,
        Routes::default(),
    );
    let place = Place::Alias {
        domain: 0,
        alias: 0,
    };
    let fault = Fault::NoTargets;
    assert_eq!(problems, [DirectoryProblem { place, fault }]);
    for address in ["empty@a.example", "to-empty@a.example"] {
        assert_eq!(leads(&directory, address, &many()), "broken", "{address}");
    }
}

proptest! {
    #[test]
    fn what_is_not_told_as_a_problem_resolves_to_mailboxes((boxes, aliases) in tangle()) {
        let at = |name: &String| mailbox(&format!("{name}@a.example"));
        let mut listed = domain("a.example", &[], &[]);
        listed.mailboxes = boxes.iter().map(|name| local(name)).collect();
        listed.aliases = aliases
            .iter()
            .map(|(name, targets)| (local(name), targets.iter().map(at).collect()))
            .collect();
        let (directory, problems) = Directory::new(vec![listed], None, Routes::default());
        let mut broken = 0;
        for name in aliases.iter().map(|(name, _)| name).chain(&boxes) {
            match directory.resolve(&ForwardPath::Mailbox(at(name)), &many()) {
                Resolution::Local { targets, .. } => {
                    prop_assert!(!targets.is_empty());
                    let mut once = targets.clone();
                    once.sort();
                    once.dedup();
                    prop_assert_eq!(once.len(), targets.len());
                    for target in &targets {
                        prop_assert!(boxes.contains(&target.local.as_str().to_owned()));
                    }
                }
                Resolution::Broken => broken += 1,
                other => prop_assert!(false, "{name}: {other:?}"),
            }
        }
        // Told and refused go together.
        prop_assert_eq!(broken > 0, !problems.is_empty(), "{:?}", problems);
    }

    #[test]
    fn the_name_a_mail_goes_to_leads_to_itself(name in "[a-zA-Z\u{c0}-\u{17f}.'/%]{1,20}") {
        let mut open = domain("a.example", &[], &[]);
        open.create_mailboxes = true;
        let directory = directory(vec![open]);
        let address = Mailbox { local: local(&name), host: mailbox("x@A.Example").host };
        let go = |address| match directory.resolve(&ForwardPath::Mailbox(address), &many()) {
            Resolution::Local { targets, .. } => targets,
            other => panic!("{other:?}"),
        };
        let first = go(address);
        prop_assert_eq!(first.len(), 1);
        prop_assert_eq!(&go(first[0].clone()), &first);
    }
}

fn routes() -> Routes {
    let mut routes = Routes::default();
    let next_hop = |text: &str| text.parse::<Peer>().expect("the test wrote a next hop");
    let named =
        |name: &str| Domain::parse(name, &Limits::default()).expect("the test wrote a domain");
    let added = [
        routes.add(
            &RouteFor::Domain(named("a.example")),
            next_hop("lmtp:/run/lmtp"),
        ),
        routes.add(
            &RouteFor::Domain(named("other.example")),
            next_hop("smtp://mx.other.example"),
        ),
    ];
    assert_eq!(added, [Ok(()), Ok(())]);
    routes
}

#[test]
fn routes_lead_elsewhere_and_local_domains_follow_their_own() {
    let listed = vec![
        domain(
            "a.example",
            &["anna"],
            &[("out", &["Bob@other.example", "anna@a.example"])],
        ),
        domain("b.example", &["bert"], &[]),
    ];
    let (directory, problems) = Directory::new(listed, None, routes());
    assert_eq!(problems, []);
    let mailboxes = Mailboxes::new(0, []);
    let to = |address: &str| directory.resolve(&ForwardPath::Mailbox(mailbox(address)), &mailboxes);
    let Resolution::Local { targets, .. } = to("out@a.example") else {
        panic!("an alias may lead to where a route leads");
    };
    assert_eq!(
        targets,
        [mailbox("Bob@other.example"), mailbox("anna@a.example")]
    );
    let routed = |address: &str| match to(address) {
        Resolution::NotLocal { routed, .. } => Some(routed),
        _ => None,
    };
    assert_eq!(routed("x@other.example"), Some(true));
    assert_eq!(routed("x@elsewhere.example"), Some(false));
    assert_eq!(routed("nobody@a.example"), None);
    let hop = |address: &str| match directory.next_hop(&mailbox(address).host) {
        Some(NextHop::Mailbox) => "mailbox".into(),
        Some(NextHop::Peer(peer)) => peer.to_string(),
        Some(NextHop::OnDemand) => "on demand".to_owned(),
        None => "nowhere".into(),
    };
    assert_eq!(hop("anna@A.example"), "lmtp:/run/lmtp");
    assert_eq!(hop("bert@b.example"), "mailbox");
    assert_eq!(hop("x@other.example"), "smtp://mx.other.example:25");
    assert_eq!(hop("x@elsewhere.example"), "nowhere");
}

#[test]
fn where_mail_goes_on_no_mailbox_is_made() {
    let mut made = domain("a.example", &[], &[]);
    made.create_mailboxes = true;
    let (directory, _) = Directory::new(vec![made], None, routes());
    let anna = ForwardPath::Mailbox(mailbox("anna@a.example"));
    // No more mailboxes may be made, and none has to be.
    let resolution = directory.resolve(&anna, &Mailboxes::new(0, []));
    assert!(matches!(resolution, Resolution::Local { .. }));
}

#[test]
fn the_literal_of_an_own_address_is_the_first_domain() {
    let directory = directory(vec![
        domain("one.example", &["ada"], &[]),
        domain("two.example", &["bob"], &[]),
    ]);
    let own = |text: &str| text.parse::<IpAddr>().unwrap();
    for (written, own, stands_for) in [
        ("ada@[192.0.2.1]", own("192.0.2.1"), "ada@one.example"),
        ("bob@[192.0.2.1]", own("192.0.2.1"), "bob@one.example"),
        (
            "\"a b\"@[192.0.2.1]",
            own("::ffff:192.0.2.1"),
            "\"a b\"@one.example",
        ),
        (
            "ada@[IPv6:2001:db8::1]",
            own("2001:db8::1"),
            "ada@one.example",
        ),
        (
            "ada@[IPv6:::ffff:192.0.2.1]",
            own("192.0.2.1"),
            "ada@one.example",
        ),
        ("ada@[192.0.2.2]", own("192.0.2.1"), "ada@[192.0.2.2]"),
        ("ada@two.example", own("192.0.2.1"), "ada@two.example"),
    ] {
        let path = ForwardPath::Mailbox(mailbox(written));
        let expected = ForwardPath::Mailbox(mailbox(stands_for));
        assert_eq!(directory.recognised(path, own), expected, "{written}");
    }
    // Without a domain there is nothing that it could stand for.
    let path = ForwardPath::Mailbox(mailbox("ada@[192.0.2.1]"));
    let none = Directory::default();
    assert_eq!(none.recognised(path.clone(), own("192.0.2.1")), path);
}

fn moved(to: Option<&str>, forward: bool, show: bool) -> Moved {
    Moved {
        to: to.map(mailbox),
        forward,
        show,
    }
}

#[test]
fn who_has_gone_is_sent_on_to_or_told_of() {
    let mut left = domain(
        "example.org",
        &["anna"],
        &[("friends", &["anna@example.org", "sent@example.org"])],
    );
    let new = Some("new@other.example");
    left.moved = vec![
        (local("Sent"), moved(new, true, false)),
        (local("told"), moved(new, true, true)),
        (local("gone"), moved(new, false, false)),
        (local("try"), moved(new, false, true)),
        (local("lost"), moved(None, false, true)),
        (local("within"), moved(Some("anna@example.org"), true, true)),
    ];
    let (directory, problems) = Directory::new(vec![left], None, routes());
    assert_eq!(problems, []);
    for (address, goes) in [
        ("sent@example.org", "new@other.example"),
        ("sent+news@example.org", "new@other.example"),
        ("told@example.org", "new@other.example"),
        ("gone@example.org", "moved"),
        ("try@example.org", "moved to new@other.example"),
        ("lost@example.org", "moved"),
        ("within@example.org", "anna@example.org"),
        ("friends@example.org", "anna@example.org new@other.example"),
    ] {
        assert_eq!(leads(&directory, address, &many()), goes, "{address}");
    }
    let shown = |address: &str| {
        let path = ForwardPath::Mailbox(mailbox(address));
        match directory.resolve(&path, &many()) {
            Resolution::Local { new_address, .. } => new_address.map(|new| new.to_string()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(shown("sent@example.org"), None);
    assert_eq!(shown("told@example.org").as_deref(), new);
    assert_eq!(
        shown("within@example.org").as_deref(),
        Some("anna@example.org")
    );
    assert_eq!(shown("friends@example.org"), None);
}

#[test]
fn who_has_gone_is_listed_once_and_leads_somewhere() {
    let mut left = domain(
        "example.org",
        &["anna"],
        &[
            ("team", &["gone@example.org"]),
            ("list", &["anna@example.org"]),
        ],
    );
    left.moved = vec![
        (local("anna"), moved(None, false, false)),
        (local("list"), moved(None, false, false)),
        (local("gone"), moved(None, false, false)),
        (local("gone"), moved(None, false, false)),
        (local("back"), moved(Some("back@example.org"), true, false)),
        (local("far"), moved(Some("far@unrouted.test"), true, false)),
        (local("told"), moved(Some("far@unrouted.test"), false, true)),
    ];
    let (directory, problems) = Directory::new(vec![left], None, Routes::default());
    let at = |moved| Place::Moved { domain: 0, moved };
    let found: Vec<_> = problems
        .into_iter()
        .map(|problem| (problem.place, problem.fault))
        .collect();
    let target = Place::Target {
        domain: 0,
        alias: 0,
        target: 0,
    };
    assert_eq!(
        found,
        [
            (at(0), Fault::Duplicate),
            (at(1), Fault::Duplicate),
            (at(3), Fault::Duplicate),
            (at(4), Fault::Loop(Vec::new())),
            (at(5), Fault::NotLocal(mailbox("far@unrouted.test"))),
            (target, Fault::NoSuchMailbox(mailbox("gone@example.org"))),
        ]
    );
    assert_eq!(
        leads(&directory, "anna@example.org", &many()),
        "anna@example.org"
    );
}
