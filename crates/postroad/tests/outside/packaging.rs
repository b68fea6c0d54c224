//! The files of `packaging/`, as systemd reads them, and the example configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn packaging(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packaging")
        .join(path)
}

/// Runs a program of systemd; none, and a word, where it isn't there.
fn systemd(program: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new(program).args(arguments).output();
    if output.is_err() {
        println!("left out: what {program} says of packaging/: it is not there");
    }
    output.ok()
}

fn text(output: &Output) -> String {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// The units in a folder, starting the program that was built.
fn units(folder: &Path) -> Vec<String> {
    let names = ["postroad.service", "postroad.socket"];
    let installed = names.map(|name| {
        let unit = std::fs::read_to_string(packaging("systemd").join(name)).expect("the unit");
        let unit = unit.replace("/usr/bin/postroad", env!("CARGO_BIN_EXE_postroad"));
        let path = folder.join(name);
        std::fs::write(&path, unit).expect("write it");
        path.to_string_lossy().into_owned()
    });
    installed.into()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::tempdir().expect("a folder");
    let units = units(folder.path());
    let arguments = ["verify", "--man=no", &units[0], &units[1]];
    let Some(output) = systemd("systemd-analyze", &arguments) else {
        return;
    };
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    // It warns of what it doesn't know, and calls that success.
    assert!(!said.contains("postroad"), "{said}");
}

#[test]
fn systemd_calls_the_service_well_protected() {
    let folder = tempfile::tempdir().expect("a folder");
    let units = units(folder.path());
    // Of 10, in tenths.
    let arguments = [
        "security",
        "--offline=yes",
        "--threshold=20",
        "--no-pager",
        &units[0],
    ];
    if let Some(output) = systemd("systemd-analyze", &arguments) {
        let said = text(&output);
        assert!(output.status.success(), "{said}");
        println!("{}", said.lines().last().unwrap_or_default());
    }
}

#[test]
fn user_and_folders_are_made() {
    if !nix::unistd::geteuid().is_root() {
        println!("left out: making user and folders: it takes root");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("etc")).expect("a folder");
    let root = format!("--root={}", folder.path().display());
    let sysusers = packaging("sysusers.d/postroad.conf");
    let tmpfiles = packaging("tmpfiles.d/postroad.conf");
    let (sysusers, tmpfiles) = (sysusers.to_string_lossy(), tmpfiles.to_string_lossy());
    let Some(output) = systemd("systemd-sysusers", &[&root, &sysusers]) else {
        return;
    };
    assert!(output.status.success(), "{}", text(&output));
    let Some(output) = systemd("systemd-tmpfiles", &["--create", &root, &tmpfiles]) else {
        return;
    };
    assert!(output.status.success(), "{}", text(&output));
    let passwd = std::fs::read_to_string(folder.path().join("etc/passwd")).expect("users");
    assert!(passwd.contains("postroad:x:"), "{passwd}");
    for made in ["var/lib/postroad", "run/postroad", "etc/postroad"] {
        assert!(folder.path().join(made).is_dir(), "{made}");
    }
}

#[test]
fn the_example_configuration_is_right_as_it_is_and_with_all_of_it_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = packaging("etc/postroad.toml");
    let text_of_it = std::fs::read_to_string(&example).expect("the example");
    // The user is made when it is installed.
    let used = text_of_it
        .replace("#user = \"postroad\"\n", "")
        .replace("\n#[[", "\n[[");
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
