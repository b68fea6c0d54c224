//! What operators run beside the server: systemd, with the files of `packaging/`, and Prometheus.
//!
//! Ignored by default because they need programs that not every machine has; `cargo xtask test`
//! installs them and runs these tests.

// A test from the outside: it has real time, files, sockets and processes, and prints what it found.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod harness;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::{PATIENCE, Server, configuration};

const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

fn packaging(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packaging")
        .join(path)
}

fn ran(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.expect("run it")
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
#[ignore = "needs systemd"]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::tempdir().expect("a folder");
    let units = units(folder.path());
    let arguments = ["verify", "--man=no", &units[0], &units[1]];
    let output = ran("systemd-analyze", &arguments);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    // It warns of what it doesn't know, and calls that success.
    assert!(!said.contains("postroad"), "{said}");
}

#[test]
#[ignore = "needs systemd"]
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
    let output = ran("systemd-analyze", &arguments);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    println!("{}", said.lines().last().unwrap_or_default());
}

#[test]
#[ignore = "needs systemd"]
fn systemd_makes_user_and_folders() {
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
    let output = ran("systemd-sysusers", &[&root, &sysusers]);
    assert!(output.status.success(), "{}", text(&output));
    let output = ran("systemd-tmpfiles", &["--create", &root, &tmpfiles]);
    assert!(output.status.success(), "{}", text(&output));
    let passwd = std::fs::read_to_string(folder.path().join("etc/passwd")).expect("users");
    assert!(passwd.contains("postroad:x:"), "{passwd}");
    for made in ["var/lib/postroad", "run/postroad", "etc/postroad"] {
        assert!(folder.path().join(made).is_dir(), "{made}");
    }
}

#[test]
#[ignore = "needs systemd"]
fn systemd_hands_over_its_socket_with_the_first_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address: SocketAddr = free.local_addr().expect("its address");
    drop(free);
    let file = folder.path().join("postroad.toml");
    let settings = configuration(&folder.path().join("data"), SETTINGS);
    std::fs::write(&file, settings).expect("write the configuration");
    let mut command = Command::new("systemd-socket-activate");
    command.args(["--listen", &address.to_string()]);
    command.args([env!("CARGO_BIN_EXE_postroad"), "serve", "--config"]);
    command.arg(file);
    // It starts the server when the first client connects.
    let first = std::thread::spawn(move || {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let server = Server::spawn(command, folder.path().join("data"));
    first.join().expect("the first client");
    assert_eq!(server.address, address);
    server.send("ada@example.test", b"Subject: through it\r\n\r\n");
    assert_eq!(server.wait_for_messages(1).len(), 1);
}

/// Reads OpenMetrics from its input, and prints each sample as `name{label=value,..} value`, labels
/// in order.
const PARSER: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(sys.stdin.read()):
    assert family.documentation, family.name
    for sample in family.samples:
        labels = ','.join(f'{name}={is_}' for name, is_ in sorted(sample.labels.items()))
        print(f'{sample.name}{{{labels}}} {sample.value:g}')
";

/// What the parser understood, a sample a line.
fn parsed(text: &str) -> Vec<String> {
    let mut parser = Command::new("python3")
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the parser");
    let mut input = parser.stdin.take().expect("stdin is piped");
    input.write_all(text.as_bytes()).expect("write to it");
    drop(input);
    let output = parser.wait_with_output().expect("its end");
    assert!(output.status.success(), "it can't read:\n{text}");
    let lines = String::from_utf8(output.stdout).expect("its words");
    lines.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs prometheus-client for Python"]
fn prometheus_client_reads_the_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    server.send("ada@example.test", b"Subject: one\r\n\r\n");
    server.wait_for_messages(1);
    let answer = server.control("GET", "/metrics");
    let (_, metrics) = answer.split_once("\r\n\r\n").expect("a header");
    let samples = parsed(metrics);
    for expected in [
        "postroad_messages_accepted_total{} 1",
        "postroad_messages_accepted_bytes_total{} 16",
        "postroad_delivery_delay_seconds_bucket{le=+Inf} 1",
        "postroad_accepting{} 1",
        "postroad_replies_total{code=250,command=RCPT,situation=Accepted} 1",
        "postroad_events_total{event=message.accepted} 1",
    ] {
        let found = samples.iter().any(|sample| sample == expected);
        assert!(found, "no {expected} in:\n{}", samples.join("\n"));
    }
    // Every sample that was written was understood as one.
    let written = metrics.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(samples.len(), written.count());
}
