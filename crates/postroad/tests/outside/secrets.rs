//! Certificates and passwords: `postroad user`, and what `check` says of the files.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{Server, tls};

fn postroad(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_postroad"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run the binary");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may end without reading it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("its end")
}

fn said(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

const SETTINGS: &str = "hostname = \"mx.test\"\n\n[tls]\ncertificate = \"mx.pem\"\nkey = \"mx.key\"\n\n\
                        [auth]\npasswords = \"passwords\"\n";

#[test]
fn users_are_set_listed_and_removed_and_all_else_in_the_file_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("postroad.toml"), SETTINGS).expect("write it");
    let file = at.join("passwords");
    std::fs::write(&file, "# who may send\n").expect("write it");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o604)).expect("set its mode");

    let set = postroad(at, &["user", "set", "anna", "--stdin"], "one\n");
    assert_eq!(said(&set.stdout), "anna is there now, in passwords\n");
    let set = postroad(
        at,
        &["user", "set", "bert@mx.test", "--stdin", "--no-scram"],
        "two",
    );
    assert!(set.status.success(), "{}", said(&set.stderr));
    let set = postroad(
        at,
        &["user", "set", "anna", "--stdin", "--scram-only"],
        "three\n",
    );
    assert_eq!(
        said(&set.stdout),
        "anna has another password now, in passwords\n"
    );
    let listed = postroad(at, &["user", "list"], "");
    let expected =
        "USER          MECHANISMS\nanna          SCRAM-SHA-256\nbert@mx.test  PLAIN, LOGIN\n";
    assert_eq!(said(&listed.stdout), expected);
    let listed = postroad(at, &["user", "list", "--json"], "");
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed[1]["name"], "bert@mx.test");

    let removed = postroad(at, &["user", "remove", "anna"], "");
    assert_eq!(said(&removed.stdout), "anna can't log in any more\n");
    let again = postroad(at, &["user", "remove", "anna"], "");
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(
        said(&again.stderr),
        "postroad: there is no user anna in passwords\n"
    );
    let left = std::fs::read_to_string(&file).expect("read it");
    assert!(
        left.starts_with("# who may send\nbert@mx.test:$argon2id$"),
        "{left}"
    );
    let mode = std::fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o604);

    let printed = postroad(at, &["user", "set", "cora", "--stdin", "--print"], "four\n");
    assert!(said(&printed.stdout).starts_with("cora:$argon2id$v=19$"));
    for (name, password) in [
        ("a:b", "x"),
        ("a b", "x"),
        ("", "x"),
        ("cora", ""),
        ("cora", "\u{7}"),
    ] {
        let refused = postroad(at, &["user", "set", name, "--stdin"], password);
        assert!(!refused.status.success(), "{name:?} {password:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).expect("read it"), left);
}

#[test]
fn check_says_which_file_is_wrong_and_what_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("postroad.toml"), SETTINGS).expect("write it");
    let check = || {
        let checked = postroad(at, &["check"], "");
        (checked.status.success(), said(&checked.stderr))
    };
    let (_, missing) = check();
    assert!(
        missing.contains("`tls.certificate` names mx.pem, which can't be read"),
        "{missing}"
    );
    assert!(
        missing.contains("`auth.passwords` names passwords, which can't be read"),
        "{missing}"
    );
    assert!(missing.ends_with("2 problems\n"), "{missing}");

    tls::certificates(at);
    tls::users(at, ["anna one"]);
    assert_eq!(check(), (true, String::new()));
    std::fs::copy(at.join("client.key"), at.join("mx.key")).expect("copy it");
    let (_, other) = check();
    assert!(
        other.contains("`tls.key` names a file that is not the key of the certificate"),
        "{other}"
    );
    std::fs::write(at.join("passwords"), "anna:secret\n").expect("write it");
    let (_, bad) = check();
    assert!(
        bad.contains("of which line 1 has neither an argon2 hash"),
        "{bad}"
    );
    assert!(!bad.contains("secret"), "{bad}");
}

#[test]
fn check_warns_of_a_certificate_that_has_expired() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let settings = "hostname = \"mx.test\"\n[tls]\ncertificate = \"mx.pem\"\nkey = \"mx.key\"\n";
    std::fs::write(at.join("postroad.toml"), settings).expect("write it");
    let mut params = rcgen::CertificateParams::new(vec!["mx.test".into()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let own = params.self_signed(&key).expect("a certificate");
    std::fs::write(at.join("mx.pem"), own.pem()).expect("write it");
    std::fs::write(at.join("mx.key"), key.serialize_pem()).expect("write it");
    let checked = postroad(at, &["check"], "");
    assert!(checked.status.success());
    assert_eq!(
        said(&checked.stderr),
        "warning: mx.pem has expired: it was valid until Sat, 01 Feb 2020 00:00:00 +0000\n"
    );
}

/// A file with a hole takes no room, and as much memory as it says it is long.
#[test]
fn a_file_too_long_for_passwords_is_not_taken_into_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = std::fs::File::create(folder.path().join("passwords")).expect("make it");
    file.set_len(1 << 40).expect("make it long");
    for command in ["list", "set"] {
        let mut arguments = vec!["user", command, "--file", "passwords"];
        if command == "set" {
            arguments.extend(["ada", "--stdin"]);
        }
        let output = postroad(folder.path(), &arguments, "secret\n");
        assert_eq!(output.status.code(), Some(1), "{command}");
        let words = said(&output.stderr);
        let expected = "passwords: 1099511627776 octets are too many for a password file\n";
        assert!(words.ends_with(expected), "{command}: {words}");
    }
}

#[test]
fn a_reload_takes_a_renewed_certificate_and_tells_of_one_that_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    tls::certificates(at);
    let server = Server::start(at, tls::SETTINGS);
    let secured = || {
        let mut client = server.connect();
        client.expect("EHLO client.test", 250);
        client.expect("STARTTLS", 220);
        client.secured(at, false)
    };
    secured().expect("the first certificate");
    // Another authority, which the client believes from now on.
    tls::certificates(at);
    assert!(secured().is_err(), "the server still shows the first");
    let reloaded = server.command(&["reload"]);
    assert!(reloaded.contains("nothing has changed"), "{reloaded}");
    secured().expect("the second certificate");

    std::fs::remove_file(at.join("mx.key")).expect("remove it");
    let output = Command::new(env!("CARGO_BIN_EXE_postroad"))
        .args(["reload", "--socket"])
        .arg(server.data.join("control.sock"))
        .output()
        .expect("run the binary");
    assert!(!output.status.success());
    let words = said(&output.stderr);
    assert!(
        words.contains("`tls.key` names mx.key, which can't be read"),
        "{words}"
    );
    assert!(
        words.contains("so there is no TLS until the next reload"),
        "{words}"
    );
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("STARTTLS", 454);
}
