//! What `postroad probe` finds about other people's servers, compared with what was recorded: a change in the
//! prober is seen here.
//!
//! `UPDATE_GOLDEN=1` writes the records (`tests/peers`) anew, to be read before they are kept; then docs/peers.md, which is
//! made of them, by `UPDATE_GOLDEN=1 cargo test -p postroad --test outside peers`. A record holds for one version of
//! a server: with another there is nothing to compare.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::aiosmtpd::{self, Aiosmtpd};
use crate::certificate::Certificate;
use crate::exim::{self, Exim};
use crate::opensmtpd::{self, OpenSmtpd};
use crate::postfix::{self, Postfix};
use crate::program::{folder, free_port, may_start};

/// Where the record of a server is.
fn record_of(name: &str) -> PathBuf {
    let file = format!("{}.txt", name.to_ascii_lowercase());
    [env!("CARGO_MANIFEST_DIR"), "tests/peers", &file]
        .iter()
        .collect()
}

/// Probes a server, messages delivered, and compares what is found with the record.
fn compare(name: &str, version: &str, address: SocketAddr, mailbox: &str) {
    let address = address.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_postroad"))
        .args(["probe", &address, "--deliver-to", mailbox, "--record"])
        .args([
            "--helo",
            "client.test",
            "--max-minutes",
            "8",
            "--rate",
            "100",
        ])
        .output()
        .expect("run the binary");
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(found.lines().count() > 400, "{name}: {said}{found}");
    let found = format!("# {version}\n{found}");
    let file = record_of(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, found).expect("write the record");
        return;
    }
    let recorded = fs::read_to_string(&file).unwrap_or_default();
    let of = recorded.lines().next().unwrap_or_default();
    if of != format!("# {version}") {
        println!("left out: {name}: it is {version}, and the record is of {of}");
        return;
    }
    let (before, now): (Vec<&str>, Vec<&str>) =
        (recorded.lines().collect(), found.lines().collect());
    let gone: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
    let new: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "{name} is found otherwise than recorded.\nrecorded: {gone:#?}\nfound: {new:#?}\n\
         If that is wanted: UPDATE_GOLDEN=1 writes the record anew"
    );
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// What a program prints.
fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("run it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "needs postfix"]
fn what_is_found_about_postfix_is_what_was_recorded() {
    if !may_start("Postfix") {
        return;
    }
    let folder = folder();
    let certificate = Certificate::make(folder.path(), postfix::DOMAIN).kept();
    let tls = format!(
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}",
        certificate.chain.display(),
        certificate.key.display()
    );
    let server = Postfix::configure(folder.path(), free_port(), &tls);
    let domain = postfix::DOMAIN;
    let boxes = format!("probe@{domain} probe/\npostmaster@{domain} probe/\n");
    server.write("boxes", &boxes);
    let server = server.start();
    let version = printed("postconf", &["-hd", "mail_version"]);
    let version = format!("Postfix {}", version.trim());
    compare(
        "Postfix",
        &version,
        server.address,
        &format!("probe@{domain}"),
    );
}

#[test]
#[ignore = "needs exim"]
fn what_is_found_about_exim_is_what_was_recorded() {
    if !may_start("Exim") {
        return;
    }
    let folder = folder();
    let certificate = Certificate::make(folder.path(), exim::DOMAIN).for_user(exim::USER);
    let port = free_port();
    let _server = Exim::probed(folder.path(), port, &certificate);
    let version = printed("exim4", &["-bV"]);
    let version: Vec<&str> = version.split_whitespace().skip(2).take(1).collect();
    let version = format!("Exim {}", version.concat());
    compare(
        "Exim",
        &version,
        at(port),
        &format!("probe@{}", exim::DOMAIN),
    );
}

#[test]
#[ignore = "needs opensmtpd"]
fn what_is_found_about_opensmtpd_is_what_was_recorded() {
    if !may_start("OpenSMTPD") {
        return;
    }
    let folder = folder();
    let port = free_port();
    let _server = OpenSmtpd::start(folder.path(), port);
    let mailbox = format!("probe@{}", opensmtpd::DOMAIN);
    compare("OpenSMTPD", &OpenSmtpd::version(), at(port), &mailbox);
}

#[test]
#[ignore = "needs aiosmtpd"]
fn what_is_found_about_aiosmtpd_is_what_was_recorded() {
    let folder = folder();
    let certificate = Certificate::make(folder.path(), aiosmtpd::DOMAIN);
    let port = free_port();
    let _server = Aiosmtpd::start(folder.path(), port, &certificate);
    let mailbox = format!("probe@{}", aiosmtpd::DOMAIN);
    compare("aiosmtpd", &Aiosmtpd::version(), at(port), &mailbox);
}
