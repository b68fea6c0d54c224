//! `postroad explain`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn explain(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postroad"));
    command.arg("explain").args(arguments);
    command.output().expect("run the binary")
}

fn said(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("UTF-8")
}

fn told(arguments: &[&str]) -> String {
    let output = explain(arguments);
    assert!(output.status.success(), "{}", said(&output.stderr));
    said(&output.stdout)
}

/// `explaining.txt` is what people see, in lines of 80 columns and without colour where there is no terminal.
#[test]
fn a_reply_is_explained_for_people() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/explaining.txt");
    let told = told(&["452", "4.5.3", "--after", "RCPT"]);
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        told.starts_with(&expected) && expected.len() > 500,
        "{}:\n{told}",
        file.display()
    );
    assert!(
        told.lines().all(|line| line.chars().count() <= 80),
        "{told}"
    );
    assert!(!told.contains('\x1b'), "{told}");
}

#[test]
fn programs_get_json_of_each_kind() {
    for arguments in [
        &["452", "--json"][..],
        &["550", "5.7.1", "--after", "RCPT", "--json"],
        &["--command", "rcpt to", "--json"],
        &["--state", "after-mail", "--json"],
        &["--command", "DATA", "--state", "after-mail", "--json"],
    ] {
        let told = told(arguments);
        let read: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert!(read.is_object() && told.lines().count() == 1, "{told}");
    }
    let told = told(&[
        "450 4.2.0 greylisted, see http://postgrey.example",
        "--json",
    ]);
    let read: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(read["advice"]["action"], "retry");
    assert_eq!(read["phrase"]["name"], "greylisting");
    assert_eq!(read["situations"][0]["situation"], "Deferred");
}

#[test]
fn a_line_of_standard_input_is_explained() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_postroad"))
        .args(["explain", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run the binary");
    let mut input = child.stdin.take().expect("its input");
    let line = b"NOQUEUE: reject: RCPT from unknown[192.0.2.45]: 554 5.7.1 <x@y.test>: Relay access denied\n";
    input.write_all(line).expect("write to it");
    drop(input);
    let output = child.wait_with_output().expect("its output");
    let told = said(&output.stdout);
    assert!(told.starts_with("554 5.7.1 in answer to RCPT\n"), "{told}");
    assert!(told.contains("They speak of relaying."), "{told}");
}

#[test]
fn the_name_of_a_command_alone_asks_for_the_command() {
    assert_eq!(told(&["rcpt"]), told(&["--command", "RCPT"]));
    assert_eq!(told(&["after-mail"]), told(&["--state", "after-mail"]));
}

#[test]
fn what_can_not_be_explained_is_told_with_what_could_be() {
    let failed = |arguments: &[&str], status: i32, words: &str| {
        let output = explain(arguments);
        let said = said(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(output.stdout.is_empty());
    };
    failed(&[], 2, "say what to explain");
    failed(&["--command", "FROB"], 2, "it has connect, HELO, EHLO");
    failed(&["--state", "after-lunch"], 2, "there are after-connect");
    failed(&["699"], 1, "the first digit of one is 2 to 5");
    failed(&["hello"], 1, "there is no reply in \"hello\"");
    failed(&["\u{1b}[2J\u{202e}"], 1, "there is no reply in");
}
