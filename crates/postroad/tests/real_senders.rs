//! Programs that send their mail through `sendmail`: PHP and mail(1).
//!
//! Ignored by default because they need programs that not every machine has; `cargo xtask test`
//! installs them and runs these tests.

// A test from the outside: it has real time, files, sockets and processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod harness;

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::Server;

const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

/// Runs a program that finds `sendmail` in this folder, and gives the message that arrived.
fn sent(program: &str, arguments: &[&str], folder: &Path, input: &[u8]) -> String {
    let server = Server::start(folder, SETTINGS);
    let mut child = Command::new(program)
        .args(arguments)
        .env("POSTROAD_SERVER", server.address.to_string())
        .env("POSTROAD_CONFIG", folder.join("postroad.toml"))
        .env("MAILRC", folder.join("mailrc"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("start it");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input).expect("write to it");
    drop(stdin);
    assert!(child.wait().expect("its end").success());
    let found = server.wait_for_messages(1);
    String::from_utf8_lossy(found[0].received()).into_owned()
}

/// A folder with `sendmail` in it.
fn with_sendmail() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("sendmail");
    symlink(env!("CARGO_BIN_EXE_postroad"), &link).expect("a link");
    (folder, link.to_string_lossy().into_owned())
}

#[test]
#[ignore = "needs php"]
fn php_mails() {
    let (folder, sendmail) = with_sendmail();
    let path = format!("sendmail_path={sendmail} -t -i");
    let code = "exit(mail('ada@example.test', 'php', \"hello\\n.\\nmore\\n\") ? 0 : 1);";
    let got = sent("php", &["-d", &path, "-r", code], folder.path(), b"");
    assert!(
        got.contains("\r\nTo: ada@example.test\r\nSubject: php\r\n"),
        "{got}"
    );
    assert!(got.contains("\r\n\r\nhello\r\n.\r\nmore\r\n"), "{got}");
}

#[test]
#[ignore = "needs bsd-mailx"]
fn bsd_mailx_mails() {
    let (folder, sendmail) = with_sendmail();
    let settings = format!("set sendmail={sendmail}\n");
    std::fs::write(folder.path().join("mailrc"), settings).expect("write it");
    let arguments = ["-s", "mailx", "ada@example.test"];
    let got = sent("bsd-mailx", &arguments, folder.path(), b"hello\n");
    assert!(got.contains("\r\nSubject: mailx\r\n"), "{got}");
    assert!(got.ends_with("\r\n\r\nhello\r\n"), "{got}");
}
