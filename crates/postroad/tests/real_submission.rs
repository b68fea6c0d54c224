//! Other people's clients log in and send under TLS, as on the ports 587 and 465.
//!
//! Ignored by default because they need programs that not every machine has; `cargo xtask test`
//! installs them and runs these tests.

// A test from the outside: it has real time, files, sockets and processes, and prints what it did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod harness;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Server, tls};

const PASSWORD: &str = "a-secret";
const MESSAGE: &str =
    "From: anna@mx.test\r\nTo: box@mx.test\r\nSubject: submitted\r\n\r\nHello.\r\n";

/// A submission server with the user anna, for STARTTLS (`"required"`) or implicit TLS.
fn server(folder: &Path, tls_rule: &str) -> Server {
    tls::certificates(folder);
    tls::users(folder, [format!("anna {PASSWORD}").as_str()]);
    let settings = format!(
        "[[domain]]\nname = \"mx.test\"\nmailboxes = [\"anna\", \"box\"]\n\n[auth]\npasswords = \"passwords\"\n\n\
         [[listener]]\naddress = \"127.0.0.1:0\"\ntls = \"{tls_rule}\"\nauth = \"required\"\n{}",
        tls::SETTINGS
    );
    Server::start(folder, &settings)
}

/// Runs a client, which must end well and in time, with this on its standard input.
fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("say the message");
    drop(stdin);
    let end = Instant::now() + Duration::from_secs(60);
    while child.try_wait().expect("ask for its end").is_none() {
        if Instant::now() > end {
            let _ = child.kill();
            panic!("{command:?} takes too long");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("its end");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// The server has got one message, from anna, under TLS, by this mechanism.
fn came(server: &Server, mechanism: &str) {
    let found = server.wait_for_messages(1);
    let message = String::from_utf8_lossy(&found[0].octets).replace("\r\n\t", " ");
    assert!(message.contains("with ESMTPSA"), "{message}");
    assert!(message.contains(" tls TLS_"), "{message}");
    assert!(message.contains("Subject: submitted"), "{message}");
    let login = server.wait_for_line(|line| line.contains("login.accepted"));
    assert!(login.contains(mechanism), "{login}");
    server.wait_for_line(|line| line.contains("message.accepted") && line.contains("anna"));
}

fn swaks(mechanism: &str, implicit: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(
        folder.path(),
        if implicit { "implicit" } else { "required" },
    );
    let mut command = Command::new("swaks");
    command
        .args([
            "--server",
            "127.0.0.1",
            "--port",
            &server.address.port().to_string(),
        ])
        .arg(if implicit {
            "--tls-on-connect"
        } else {
            "--tls"
        })
        .args([
            "--auth",
            mechanism,
            "--auth-user",
            "anna",
            "--auth-password",
            PASSWORD,
        ])
        .args([
            "--from",
            "anna@mx.test",
            "--to",
            "box@mx.test",
            "--data",
            "-",
        ]);
    run(&mut command, MESSAGE);
    came(&server, mechanism);
}

#[test]
#[ignore = "needs swaks"]
fn swaks_logs_in_by_plain_under_starttls() {
    swaks("PLAIN", false);
}

#[test]
#[ignore = "needs swaks"]
fn swaks_logs_in_by_login_under_implicit_tls() {
    swaks("LOGIN", true);
}

#[test]
#[ignore = "needs curl"]
fn curl_logs_in_under_implicit_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(folder.path(), "implicit");
    let url = format!("smtps://mx.test:{}/client.test", server.address.port());
    let resolve = format!("mx.test:{}:127.0.0.1", server.address.port());
    let mut command = Command::new("curl");
    command
        .args(["-sS", &url, "--resolve", &resolve])
        .arg("--cacert")
        .arg(folder.path().join("authority.pem"))
        .args([
            "--user",
            &format!("anna:{PASSWORD}"),
            "--mail-from",
            "anna@mx.test",
        ])
        .args(["--mail-rcpt", "box@mx.test", "--upload-file", "-"]);
    run(&mut command, MESSAGE);
    came(&server, "");
}

#[test]
#[ignore = "needs curl"]
fn curl_is_told_that_its_password_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(folder.path(), "implicit");
    let url = format!("smtps://127.0.0.1:{}/client.test", server.address.port());
    let output = Command::new("curl")
        .args(["-sS", &url, "--insecure", "--user", "anna:wrong"])
        .args([
            "--mail-from",
            "anna@mx.test",
            "--mail-rcpt",
            "box@mx.test",
            "--upload-file",
            "/dev/null",
        ])
        .output()
        .expect("run curl");
    // 67: the server has denied the login.
    assert_eq!(output.status.code(), Some(67), "{output:?}");
}

#[test]
#[ignore = "needs python3"]
fn smtplib_logs_in_under_starttls() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(folder.path(), "required");
    let script = format!(
        "import smtplib, ssl, sys\n\
         context = ssl.create_default_context(cafile='authority.pem')\n\
         with smtplib.SMTP('localhost', {}) as smtp:\n\
         \x20   smtp.starttls(context=context)\n\
         \x20   smtp.login('anna', '{PASSWORD}')\n\
         \x20   smtp.sendmail('anna@mx.test', ['box@mx.test'], sys.stdin.read())\n",
        server.address.port()
    );
    let mut command = Command::new("python3");
    command.args(["-c", &script]).current_dir(folder.path());
    run(&mut command, MESSAGE);
    came(&server, "");
}

fn msmtp(mechanism: &str, implicit: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(
        folder.path(),
        if implicit { "implicit" } else { "required" },
    );
    let mut command = Command::new("msmtp");
    command
        .args([
            "--host=localhost",
            &format!("--port={}", server.address.port()),
        ])
        .args([
            "--tls=on",
            if implicit {
                "--tls-starttls=off"
            } else {
                "--tls-starttls=on"
            },
        ])
        .arg(format!(
            "--tls-trust-file={}",
            folder.path().join("authority.pem").display()
        ))
        .args([&format!("--auth={mechanism}"), "--user=anna"])
        .arg(format!("--passwordeval=echo {PASSWORD}"))
        .args(["--from=anna@mx.test", "--file=/dev/null", "box@mx.test"]);
    run(&mut command, MESSAGE);
    came(&server, &mechanism.to_ascii_uppercase());
}

#[test]
#[ignore = "needs msmtp"]
fn msmtp_logs_in_by_scram_under_starttls() {
    msmtp("scram-sha-256", false);
}

#[test]
#[ignore = "needs msmtp"]
fn msmtp_logs_in_by_plain_under_implicit_tls() {
    msmtp("plain", true);
}

#[test]
#[ignore = "needs gsasl"]
fn gsasl_logs_in_by_scram_and_is_told_that_its_password_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(folder.path(), "required");
    let gsasl = |password: &str| {
        let mut command = Command::new("gsasl");
        command
            .args([
                "--smtp",
                "--connect",
                &format!("localhost:{}", server.address.port()),
            ])
            .arg(format!(
                "--x509-ca-file={}",
                folder.path().join("authority.pem").display()
            ))
            .args([
                "--mechanism=SCRAM-SHA-256",
                "--authentication-id=anna",
                "--no-cb",
            ])
            .args([&format!("--password={password}"), "--quiet"])
            .stdin(Stdio::null());
        command.output().expect("run gsasl")
    };
    let right = gsasl(PASSWORD);
    assert!(right.status.success(), "{right:?}");
    let login = server.wait_for_line(|line| line.contains("login.accepted"));
    assert!(login.contains("SCRAM-SHA-256"), "{login}");
    let wrong = gsasl("wrong");
    assert!(!wrong.status.success(), "{wrong:?}");
    server.wait_for_line(|line| line.contains("login.failed"));
}

#[test]
#[ignore = "needs openssl"]
fn openssl_sees_the_certificate_and_both_versions() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(folder.path(), "required");
    for (version, suite) in [("-tls1_3", "TLS_AES_"), ("-tls1_2", "ECDHE-ECDSA")] {
        let mut command = Command::new("openssl");
        command
            .args([
                "s_client",
                "-starttls",
                "smtp",
                "-connect",
                &server.address.to_string(),
            ])
            .args([
                version,
                "-servername",
                "mx.test",
                "-verify_return_error",
                "-verify_hostname",
                "mx.test",
            ])
            .arg("-CAfile")
            .arg(folder.path().join("authority.pem"))
            .args(["-quiet", "-ign_eof"]);
        let said = run(&mut command, "EHLO client.test\r\nQUIT\r\n");
        assert!(
            said.contains("250-AUTH SCRAM-SHA-256 PLAIN LOGIN"),
            "{said}"
        );
        let mut command = Command::new("openssl");
        command
            .args([
                "s_client",
                "-starttls",
                "smtp",
                "-connect",
                &server.address.to_string(),
                version,
            ])
            .arg("-brief");
        let said = run(&mut command, "QUIT\r\n");
        assert!(said.contains(suite), "{said}");
    }
    // Nothing older is spoken.
    let older = Command::new("openssl")
        .args([
            "s_client",
            "-starttls",
            "smtp",
            "-connect",
            &server.address.to_string(),
            "-tls1_1",
        ])
        .args(["-cipher", "DEFAULT@SECLEVEL=0"])
        .stdin(Stdio::null())
        .output()
        .expect("run openssl");
    assert!(!older.status.success(), "{older:?}");
}
