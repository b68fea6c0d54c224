//! The example configuration of `packaging/`; what systemd says of the rest is in `real_operations.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::tls;

fn packaging(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packaging")
        .join(path)
}

fn text(output: &Output) -> String {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn the_example_configuration_is_right_as_it_is_and_with_all_of_it_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = packaging("etc/postroad.toml");
    let text_of_it = std::fs::read_to_string(&example).expect("the example");
    // The user is made when it is installed.
    let used = text_of_it
        .replace("#user = \"postroad\"\n", "")
        .replace("\n#[", "\n[");
    // So are a certificate and users.
    tls::certificates(folder.path());
    tls::users(folder.path(), ["anna secret"]);
    let in_folder = format!("{}/", folder.path().display());
    let used = used.replace("/etc/postroad/", &in_folder);
    let used = used.replace("/mail.", "/mx.");
    let uncommented: Vec<_> = used
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && setting.contains('=') => setting,
            _ => line,
        })
        .collect();
    let all = folder.path().join("all.toml");
    std::fs::write(&all, uncommented.join("\n")).expect("write it");
    assert!(uncommented.contains(&"hostname = \"mx.example.org\""));
    for file in [&example, &all] {
        let mut check = Command::new(env!("CARGO_BIN_EXE_postroad"));
        let output = check.args(["check", "--config"]).arg(file).output();
        let output = output.expect("run it");
        assert!(output.status.success(), "{}", text(&output));
    }
}
