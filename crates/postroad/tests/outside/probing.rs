//! `postroad probe`: the server is asked everything by itself, under each profile that applies, and the
//! command is seen as its users see it.

use std::io::BufRead;
use std::path::Path;
use std::process::{Command, Output};

use postroad_prober::report::peers::record;
use postroad_prober::{Report, Verdict};

use crate::harness::Server;

/// What is borne of Postroad's own replies: nothing.
const EXCEPTIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/outside/probing/exceptions.toml"
);

/// What is found about it, as docs/peers.md shows it.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/postroad.txt");

const SETTINGS: &str = "[[domain]]\nname = \"here.test\"\nmailboxes = [\"probe\"]\n";

fn probe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postroad"))
        .arg("probe")
        .args(arguments)
        .output()
        .expect("run the binary")
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Probes a server, messages delivered, and insists that nothing is against the profile.
fn finds_no_violation(server: &Server, profile: &str) -> Report {
    let output = probe(&[
        &server.address.to_string(),
        "--profile",
        profile,
        "--helo",
        "client.test",
        "--deliver-to",
        "probe@here.test",
        "--exceptions",
        EXCEPTIONS,
        "--json",
    ]);
    let said = complained(&output);
    let report: Report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    let violations = report
        .findings
        .iter()
        .filter(|f| f.verdict == Verdict::Violation);
    let violations: Vec<_> = violations.collect();
    assert!(violations.is_empty(), "{violations:#?}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(report.score().conformant > 400, "{:?}", report.score());
    let exceptions = std::fs::read_to_string(EXCEPTIONS).expect("the file of exceptions");
    assert!(!exceptions.contains("[[exception]]"), "it stays empty");
    report
}

/// What is found is recorded, too, for docs/peers.md; `UPDATE_GOLDEN=1` writes the record anew.
#[test]
fn the_server_keeps_rfc_5321() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let report = finds_no_violation(&server, "rfc5321");
    let found = format!("# Postroad\n{}", record(&report));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(RECORD, found).expect("write the record");
    }
    let recorded = std::fs::read_to_string(RECORD).expect("the record");
    let (before, now): (Vec<&str>, Vec<&str>) =
        (recorded.lines().collect(), found.lines().collect());
    let gone: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
    let new: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "recorded: {gone:#?}\nfound: {new:#?}\nif that is wanted: UPDATE_GOLDEN=1 cargo test -p postroad --test outside, \
         once for the record and once more for docs/peers.md"
    );
}

#[test]
fn the_server_keeps_every_should() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    finds_no_violation(&server, "strict");
}

/// A listener that is held to the classic table says nothing else, whatever it is asked.
#[test]
fn a_strictly_classic_listener_keeps_the_classic_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\nstrict_classic = true\n";
    let server = Server::start(folder.path(), &format!("{listener}{SETTINGS}"));
    finds_no_violation(&server, "classic");
}

#[test]
fn what_is_found_is_told_in_each_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let address = server.address.to_string();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (junit, html) = (file("probe.xml"), file("probe.html"));
    let only = ["--only", "session.", "--only", "data."];
    let output = probe(
        &[
            &[
                address.as_str(),
                "--json",
                "--junit",
                &junit,
                "--html",
                &html,
            ],
            &only[..],
        ]
        .concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["score"]["violations"], 0);
    assert_eq!(json["profile"], "rfc5321");
    assert_eq!(json["delivers"], false);
    let said = complained(&output);
    assert!(
        said.contains("<postmaster> is tried as a recipient, and no message is completed"),
        "{said}"
    );
    let junit = std::fs::read_to_string(junit).expect("the JUnit file");
    assert!(junit.contains("failures=\"0\""), "{junit}");
    let html = std::fs::read_to_string(html).expect("the page");
    assert!(
        html.starts_with("<!doctype html>") && html.contains(&address),
        "{html}"
    );
    assert!(server.queue().is_empty(), "no message was completed");
}

#[test]
fn a_violation_is_told_and_an_exception_bears_it() {
    let folder = tempfile::tempdir().expect("a folder");
    // The classic profile is for a server of old: this one says 503 to MAIL, which isn't in the rows.
    let server = Server::start(folder.path(), SETTINGS);
    let address = server.address.to_string();
    let asked = [
        address.as_str(),
        "--profile",
        "classic",
        "--only",
        "states.connected.mail",
    ];
    let output = probe(&asked);
    assert_eq!(output.status.code(), Some(1), "{}", complained(&output));
    let text = printed(&output);
    assert!(
        text.contains("violation   states.connected.mail  (RFC 5321 4.1.4)"),
        "{text}"
    );
    assert!(
        text.contains("503 is none of the classic rows of MAIL"),
        "{text}"
    );

    let exceptions = folder.path().join("exceptions.toml");
    let excepted = |text: &str| {
        std::fs::write(&exceptions, text).expect("write the file");
        let exceptions = exceptions.display().to_string();
        probe(&[&asked[..], &["--exceptions", &exceptions]].concat())
    };
    let output = excepted(
        "[[exception]]\nfinding = \"states.connected.mail\"\nreason = \"no server of old\"\n\
         [[exception]]\nfinding = \"states.connected.mail.long\"\nreason = \"nor this\"\n\
         [[exception]]\nfinding = \"states.connected.mail.malformed\"\nreason = \"nor this\"\n",
    );
    assert!(
        printed(&output).contains("no server of old"),
        "{}",
        printed(&output)
    );
    let output = excepted("[[exception]]\nfinding = \"x\"\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        complained(&output).contains("reason"),
        "{}",
        complained(&output)
    );
}

#[test]
fn useless_exceptions_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let exceptions = folder.path().join("exceptions.toml");
    let text = "[[exception]]\nfinding = \"no.such\"\nreason = \"x\"\n\
                [[exception]]\nfinding = \"session.case-noop\"\nreason = \"x\"\n\
                [[exception]]\nfinding = \"data.nul-in-text\"\nreason = \"not looked for\"\n";
    std::fs::write(&exceptions, text).expect("write the file");
    let output = probe(&[
        &server.address.to_string(),
        "--only",
        "session.case",
        "--exceptions",
        &exceptions.display().to_string(),
    ]);
    let said = complained(&output);
    assert!(said.contains("there is no finding `no.such`"), "{said}");
    assert!(!said.contains("nul-in-text"), "{said}");
    assert!(
        said.contains("`session.case-noop` needs no exception: it is conformant"),
        "{said}"
    );
}

/// 192.0.2.0/24 is nobody's (RFC 5737), and nothing is sent there: it is refused before.
#[test]
fn strangers_are_not_probed_without_leave() {
    let output = probe(&["192.0.2.1"]);
    assert_eq!(output.status.code(), Some(2));
    let said = complained(&output);
    assert!(
        said.contains("192.0.2.1:25 is neither on this machine nor in a private network"),
        "{said}"
    );
    assert!(said.contains("--yes"), "{said}");
    assert!(said.contains("4 a second at most"), "{said}");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_fix() {
    for (arguments, words) in [
        (vec!["127.0.0.1:0"], "the port is no number from 1 to 65535"),
        (
            vec!["127.0.0.1", "--profile", "lax"],
            "classic, rfc5321 or strict",
        ),
        (
            vec!["127.0.0.1", "--recipient", "<a@b>"],
            "without brackets",
        ),
        (
            vec!["127.0.0.1", "--recipient", "a@b", "--deliver-to", "c@d"],
            "cannot be used with",
        ),
        (vec!["127.0.0.1", "--only", "nonsense"], "--list"),
        (vec![], "<TARGET>"),
    ] {
        let output = probe(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = complained(&output);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let nobody = probe(&["127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        complained(&nobody).contains("can't connect to 127.0.0.1:1"),
        "{}",
        complained(&nobody)
    );
}

#[test]
fn the_checks_are_listed() {
    let output = probe(&["--list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = printed(&output);
    for name in [
        "session.greeting",
        "data.smuggling.lf-dot-lf",
        "replies.same-code",
    ] {
        let is_there = text
            .lines()
            .any(|line| line.starts_with(&format!("{name}  (RFC ")));
        assert!(is_there, "{name}");
    }
    let some = printed(&probe(&["--list", "--only", "tls."]));
    assert!(
        some.lines()
            .filter(|line| !line.starts_with(' '))
            .all(|line| line.starts_with("tls."))
    );
    assert!(Path::new(EXCEPTIONS).is_file());
}

/// Ctrl-C ends a walk, and what was found so far is told.
#[test]
fn an_interrupt_ends_it_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let mut child = Command::new(env!("CARGO_BIN_EXE_postroad"))
        .args(["probe", &server.address.to_string(), "--rate", "2"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("run the binary");
    let mut said = std::io::BufReader::new(child.stderr.take().expect("it is piped"));
    let mut plan = String::new();
    said.read_line(&mut plan).expect("it says what it will do");
    std::thread::sleep(std::time::Duration::from_millis(2000));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("interrupt it");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{}", complained(&output));
    let text = printed(&output);
    assert!(text.contains("ended early: the walk was stopped"), "{text}");
    assert!(text.contains("score: 100 %"), "{text}");
}
