//! `postroad check` and `postroad config reference`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn postroad(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postroad"));
    command.args(arguments).current_dir(folder);
    command.output().expect("run the binary")
}

fn said(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("UTF-8")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/checking")
}

/// Unknown keys with the nearest known one, wrong types and ranges, an alias loop and an alias that
/// leads nowhere: each once, with file, line and column. `wrong.txt` is what people see.
#[test]
fn all_that_is_wrong_is_said_at_once() {
    let output = postroad(&["check", "--config", "wrong.toml"], &examples());
    let expected = std::fs::read_to_string(examples().join("wrong.txt")).expect("read it");
    assert_eq!(said(&output.stderr), expected);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said(&output.stdout), "");
}

#[test]
fn serve_says_the_same_and_starts_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.toml");
    std::fs::copy(examples().join("wrong.toml"), &file).expect("copy it");
    let served = postroad(&["serve", "--config", "wrong.toml"], folder.path());
    let checked = postroad(&["check", "--config", "wrong.toml"], folder.path());
    assert_eq!(said(&served.stderr), said(&checked.stderr));
    assert_eq!(served.status.code(), Some(1));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn nothing_wrong_is_said_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("postroad.toml");
    std::fs::write(&file, "hostname = \"mx.example.org\"\n").expect("write it");
    // `postroad.toml` is the file it looks for.
    let output = postroad(&["check"], folder.path());
    assert_eq!(said(&output.stdout), "postroad.toml: nothing wrong\n");
    assert!(output.status.success());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = postroad(&["check", "--config", "none.toml"], folder.path());
    assert!(said(&output.stderr).contains("none.toml"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_page_of_settings_is_what_the_binary_prints() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let output = postroad(&["config", "reference"], Path::new("/"));
    let printed = said(&output.stdout);
    let page = std::fs::read_to_string(page).expect("read the page");
    let differs = printed.lines().zip(page.lines()).find(|(a, b)| a != b);
    assert!(
        printed == page,
        "docs/configuration.md is stale; `cargo run -- config reference > docs/configuration.md`: \
         {differs:?}"
    );
}

/// What only the directory knows of the tables of a site is said at its place, too.
#[test]
fn who_has_moved_and_whose_quota_it_is_has_to_be_local() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"[[domain]]
name = "example.org"
mailboxes = ["anna", "bob"]
[[moved]]
address = "carl@elsewhere.example"
[[moved]]
address = "bob@example.org"
[[moved]]
address = "eve@EXAMPLE.org"
new_address = "eve@away.example"
forward = true
[[quota]]
mailbox = "anna@elsewhere.example"
size = "1 MiB"
"#;
    std::fs::write(folder.path().join("postroad.toml"), text).expect("write it");
    let output = postroad(&["check", "--config", "postroad.toml"], folder.path());
    let said = said(&output.stderr);
    for wrong in [
        "postroad.toml:5:11: `moved[0].address` is in no local domain",
        "postroad.toml:7:11: `moved[1].address` is listed twice",
        "postroad.toml:9:11: `moved[2].address` leads to eve@away.example, which is not in a local domain",
        "postroad.toml:13:11: `quota[0].mailbox` is in no local domain",
        "4 problems",
    ] {
        assert!(said.contains(wrong), "{wrong}\n{said}");
    }
}
