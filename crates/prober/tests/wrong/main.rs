//! A deliberately wrong server: each fault that is planted in it is found, and none where none is planted.

// A test from the outside has real sockets and threads.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, unreachable_pub)]

mod server;
mod session;

use std::time::Duration;

use postroad_prober::walk::{Settings, walk};
use postroad_prober::{Finding, Profile, Report, Verdict};
use server::{Fault, start};

/// Asks the server with a fault what `only` says.
fn probe(fault: Fault, profile: Profile, only: &[&str]) -> Report {
    let address = start(fault);
    let settings = Settings {
        address,
        target: address.to_string(),
        profile,
        client: "client.test".into(),
        sender: String::new(),
        recipient: "probe@mx.test".into(),
        delivers: true,
        only: only.iter().map(|only| (*only).to_owned()).collect(),
        rate: 10_000.0,
        most_connections: 2000,
        most_time: Duration::from_secs(300),
        // A fault that keeps the server silent is one that is waited for.
        patience: Duration::from_secs(2),
        quiet: Duration::from_millis(150),
    };
    let walked = postroad_host::tasks::run(0, walk(&settings, |_| {}, std::future::pending()));
    walked.expect("a runtime").expect("a walk")
}

fn violations(report: &Report) -> Vec<&Finding> {
    let findings = report.findings.iter();
    findings
        .filter(|finding| finding.verdict == Verdict::Violation)
        .collect()
}

/// The faults, which finding tells of each, and under which profile.
const FAULTS: &[(Fault, Profile, &str)] = {
    use Profile::{Rfc5321, Strict};
    &[
        (Fault::Greets250, Rfc5321, "session.greeting"),
        (Fault::QuitStays, Rfc5321, "session.quit-closes"),
        (Fault::CaseSensitive, Rfc5321, "session.case-noop"),
        (Fault::UnknownCloses, Rfc5321, "session.unknown-verb"),
        (Fault::UnknownIsFine, Rfc5321, "session.unknown-verb"),
        (Fault::RcptAnytime, Rfc5321, "states.ehlo.rcpt"),
        (Fault::MailNests, Rfc5321, "states.mail.mail"),
        (Fault::DataAnytime, Rfc5321, "states.ehlo.data"),
        (Fault::NoopRefused, Rfc5321, "states.ehlo.noop"),
        (Fault::RsetArgument, Strict, "states.mail.rset.malformed"),
        (Fault::LongIsMany, Rfc5321, "states.ehlo.noop.long"),
        (Fault::UnlistedCode, Strict, "states.ehlo.noop"),
        (Fault::AnyParameter, Strict, "shapes.mail-unknown-parameter"),
        (Fault::NoBrackets, Strict, "shapes.mail-no-brackets"),
        (Fault::BareLf, Strict, "lines.bare-lf-two-commands"),
        (Fault::DropsNul, Rfc5321, "lines.nul-in-verb"),
        (Fault::ReadIsCommand, Rfc5321, "lines.octet-by-octet"),
        (Fault::Flushes, Rfc5321, "pipelining.failures-within"),
        (Fault::LateNoop, Rfc5321, "pipelining.in-order"),
        (Fault::Twice, Rfc5321, "pipelining.failures-within"),
        (Fault::RsetKeeps, Rfc5321, "resets.rset-drops-sender"),
        (Fault::EhloKeeps, Rfc5321, "resets.ehlo-drops-sender"),
        (Fault::NoopDrops, Rfc5321, "resets.noop-keeps"),
        (
            Fault::MessageKeeps,
            Rfc5321,
            "resets.message-ends-transaction",
        ),
        (Fault::TalksInData, Rfc5321, "data.text-is-no-command"),
        (
            Fault::EndsData(b"\n.\n"),
            Rfc5321,
            "data.smuggling.lf-dot-lf",
        ),
        (
            Fault::EndsData(b"\n.\r\n"),
            Rfc5321,
            "data.smuggling.lf-dot-crlf",
        ),
        (
            Fault::EndsData(b"\r\n.\n"),
            Rfc5321,
            "data.smuggling.crlf-dot-lf",
        ),
        (
            Fault::EndsData(b"\r.\r"),
            Rfc5321,
            "data.smuggling.cr-dot-cr",
        ),
        (
            Fault::EndsData(b"\r.\r\n"),
            Rfc5321,
            "data.smuggling.cr-dot-crlf",
        ),
        (
            Fault::EndsData(b"\r\n.\r"),
            Rfc5321,
            "data.smuggling.crlf-dot-cr",
        ),
        (
            Fault::EndsData(b"\n.\r"),
            Rfc5321,
            "data.smuggling.lf-dot-cr",
        ),
        (
            Fault::EndsData(b"\r.\n"),
            Rfc5321,
            "data.smuggling.cr-dot-lf",
        ),
        (
            Fault::EndsData(b"\r\n.\r\r\n"),
            Rfc5321,
            "data.smuggling.crlf-dot-cr-crlf",
        ),
        (
            Fault::EndsData(b"\r\n.\0\r\n"),
            Rfc5321,
            "data.smuggling.crlf-dot-nul-crlf",
        ),
        (
            Fault::EndsData(b"\r\n\0.\r\n"),
            Rfc5321,
            "data.smuggling.crlf-nul-dot-crlf",
        ),
        (
            Fault::EndsData(b"\r\n. \r\n"),
            Rfc5321,
            "data.smuggling.crlf-dot-space-crlf",
        ),
        (
            Fault::EndsData(b"\r\n..\r\n"),
            Rfc5321,
            "data.smuggling.crlf-dot-dot-crlf",
        ),
        (
            Fault::EndsData(b"\n\r.\r\n"),
            Rfc5321,
            "data.smuggling.lf-cr-dot-crlf",
        ),
        (
            Fault::NotSwallowed,
            Rfc5321,
            "chunking.swallowed-without-mail",
        ),
        (Fault::DataAfterBdat, Rfc5321, "chunking.then-data"),
        (Fault::RcptAfterBdat, Strict, "chunking.then-rcpt"),
        (Fault::AnySize, Rfc5321, "chunking.not-a-number"),
        (Fault::DotEndsChunk, Rfc5321, "chunking.dot-is-text"),
        (Fault::Injectable, Rfc5321, "tls.injection"),
        (Fault::OffersTlsAgain, Rfc5321, "tls.not-offered-twice"),
        (Fault::TlsKeeps, Rfc5321, "tls.forgets-transaction"),
        (Fault::NoTls, Rfc5321, "tls.noise-for-handshake"),
        (Fault::ShortLines, Rfc5321, "limits.line-512"),
        (Fault::ShortNames, Rfc5321, "limits.local-part-64"),
        (Fault::ShortDomains, Rfc5321, "limits.domain-255"),
        (Fault::FewRecipients, Rfc5321, "limits.recipients-100"),
        (
            Fault::PostmasterCase,
            Rfc5321,
            "limits.postmaster-in-capitals",
        ),
        (Fault::AnyDeclaredSize, Strict, "limits.size-not-a-number"),
        (Fault::ShortText, Rfc5321, "limits.text-line-1000"),
        (Fault::SmallMessages, Rfc5321, "limits.message-64k"),
        (Fault::NoCode, Rfc5321, "replies.readable"),
        (Fault::MixedCodes, Rfc5321, "replies.same-code"),
        (Fault::LfReply, Rfc5321, "replies.ends-with-crlf"),
        (Fault::CrInReply, Rfc5321, "replies.no-bare-cr"),
        (Fault::LongReply, Rfc5321, "replies.line-length"),
        (Fault::EscapeInReply, Rfc5321, "replies.printable-ascii"),
        (Fault::BareCode, Strict, "replies.has-text"),
        (Fault::NoDomain, Strict, "replies.domain-first"),
        (Fault::WrongEnhanced, Rfc5321, "replies.enhanced-class"),
        (Fault::NoEnhanced, Rfc5321, "replies.enhanced-present"),
        (Fault::EnhancedGreeting, Rfc5321, "replies.enhanced-absent"),
    ]
};

#[test]
fn no_fault_is_found_where_none_is_planted() {
    for profile in [Profile::Rfc5321, Profile::Strict] {
        let report = probe(Fault::None, profile, &[]);
        assert_eq!(report.stopped, None);
        let found = violations(&report);
        assert!(found.is_empty(), "{profile}: {found:#?}");
        let skipped = report
            .findings
            .iter()
            .filter(|f| f.verdict == Verdict::Skipped);
        let skipped: Vec<_> = skipped.map(|f| (f.name.as_str(), f.why.as_str())).collect();
        // It takes every chunk and has neither SMTPUTF8 nor anything to refuse a chunk for.
        let expected = |name: &str| {
            name.starts_with("states.chunk-failed.") || name == "shapes.mail-with-smtputf8"
        };
        assert!(
            skipped.iter().all(|(name, _)| expected(name)),
            "{skipped:#?}"
        );
    }
}

#[test]
fn each_planted_fault_is_found() {
    for (fault, profile, name) in FAULTS {
        // How replies are written shows in any of them; these have all kinds.
        let only: &[&str] = match name.starts_with("replies.") {
            true => &["session.", "replies."],
            false => &[name],
        };
        let report = probe(*fault, *profile, only);
        let found = violations(&report);
        let it = found.iter().find(|finding| finding.name == *name);
        let it =
            it.unwrap_or_else(|| panic!("{fault:?} isn't found as {name}: {:#?}", report.findings));
        assert!(!it.exchanges.is_empty() && !it.why.is_empty(), "{it:#?}");
        assert!(
            !it.allowed.is_empty() && it.rfc.starts_with("RFC "),
            "{it:#?}"
        );
    }
}

#[test]
fn every_kind_of_finding_has_its_planted_fault() {
    for group in postroad_prober::Group::ALL {
        let begins = format!("{}.", group.name());
        assert!(
            FAULTS.iter().any(|(_, _, name)| name.starts_with(&begins)),
            "{begins}"
        );
    }
    let checks = postroad_prober::walk::list(
        Profile::Rfc5321,
        &["replies.".into(), "data.smuggling.".into()],
    );
    for (name, ..) in checks {
        assert!(
            FAULTS.iter().any(|(_, _, planted)| *planted == name),
            "{name} has no fault"
        );
    }
}

#[test]
fn a_walk_stops_at_its_bounds_and_when_it_is_told_to() {
    let address = start(Fault::None);
    let mut settings = Settings {
        address,
        target: address.to_string(),
        profile: Profile::Rfc5321,
        client: "client.test".into(),
        sender: String::new(),
        recipient: "postmaster".into(),
        delivers: false,
        only: vec!["session.".into()],
        rate: 10_000.0,
        most_connections: 5,
        most_time: Duration::from_secs(60),
        patience: Duration::from_secs(2),
        quiet: Duration::from_millis(100),
    };
    let run = |settings: &Settings, stop: Duration| {
        let stop = async move { postroad_host::tasks::sleep(stop).await };
        let walked = postroad_host::tasks::run(0, walk(settings, |_| {}, stop));
        walked.expect("a runtime").expect("a walk")
    };
    let report = run(&settings, Duration::from_secs(60));
    assert_eq!(report.connections, 5);
    assert!(
        report
            .stopped
            .is_some_and(|why| why.contains("5 connections"))
    );
    let made = report
        .findings
        .iter()
        .filter(|f| f.verdict != Verdict::Skipped);
    assert_eq!(made.count(), 4, "one connection was to meet it");

    settings.most_connections = 1000;
    settings.rate = 2.0;
    let report = run(&settings, Duration::from_millis(1400));
    assert_eq!(report.stopped.as_deref(), Some("the walk was stopped"));
    assert!(
        report.connections <= 4,
        "{} at two a second",
        report.connections
    );
}

#[test]
fn without_leave_no_message_is_completed() {
    let address = start(Fault::None);
    let settings = Settings {
        address,
        target: address.to_string(),
        profile: Profile::Rfc5321,
        client: "client.test".into(),
        sender: String::new(),
        recipient: "postmaster".into(),
        delivers: false,
        only: vec!["data.".into(), "chunking.".into(), "resets.message".into()],
        rate: 10_000.0,
        most_connections: 1000,
        most_time: Duration::from_secs(60),
        patience: Duration::from_secs(2),
        quiet: Duration::from_millis(100),
    };
    let walked = postroad_host::tasks::run(0, walk(&settings, |_| {}, std::future::pending()));
    let report = walked.expect("a runtime").expect("a walk");
    for finding in report
        .findings
        .iter()
        .filter(|f| f.name.starts_with("data.smuggling"))
    {
        assert_eq!(finding.verdict, Verdict::Skipped, "{finding:?}");
        assert!(finding.why.contains("--deliver-to"), "{finding:?}");
    }
}
