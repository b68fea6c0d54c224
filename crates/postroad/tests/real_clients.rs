//! Other people's clients against the real binary: what they send is in the mailbox byte for byte.
//!
//! Ignored by default because they need programs that not every machine has; `cargo xtask test`
//! installs them and runs these tests. What a client can't send stands in its list of what is left
//! out, with the reason; it is printed as `left out: client, kind: reason`, and `cargo xtask test` counts it
//! as skipped.

// A test from the outside: it has real time, files, sockets and processes, and prints what it did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod harness;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::Server;

const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
create_mailboxes = true
";

/// One message that each client sends.
struct Kind {
    name: &'static str,
    from: &'static str,
    to: &'static str,
    /// With CRLF line ends, as it must arrive.
    octets: Vec<u8>,
}

fn kinds() -> Vec<Kind> {
    let kind = |name, octets: Vec<u8>| Kind {
        name,
        from: "a@client.test",
        to: "box@example.test",
        octets,
    };
    let head = "From: a@client.test\r\nTo: box@example.test\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\
                Message-ID: <1@client.test>\r\nSubject: test\r\n";
    let plain = |body: &str| format!("{head}\r\n{body}").into_bytes();
    let mut kinds = vec![
        // Not one octet between DATA and the dot.
        kind("empty", Vec::new()),
        kind("ascii", plain("Hello,\r\n\r\nthis is a plain message.\r\n")),
        kind("empty body", plain("")),
        kind(
            "dots",
            plain(".\r\n..\r\n...\r\n.a\r\na.\r\n\r\n.\r\nend\r\n"),
        ),
        kind(
            "long line",
            plain(&format!("{}\r\nshort\r\n", "x".repeat(20_000))),
        ),
    ];
    let mut eight_bit = format!(
        "{head}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\nGr"
    )
    .into_bytes();
    eight_bit.extend_from_slice(b"\xfc\xdfe, all octets: ");
    eight_bit.extend((1..=255u8).filter(|b| !matches!(b, b'\r' | b'\n')));
    eight_bit.extend_from_slice(b"\r\n");
    kinds.push(kind("8-bit", eight_bit));
    let line = format!("{}\r\n", "0123456789abcdef".repeat(4));
    kinds.push(kind(
        "10 MiB",
        plain(&line.repeat(10 * 1024 * 1024 / line.len())),
    ));
    kinds.push(Kind {
        name: "UTF-8 addresses",
        from: "müller@client.test",
        to: "jörg@example.test",
        octets: String::from(
            "From: müller@client.test\r\nTo: jörg@example.test\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\
             Message-ID: <2@client.test>\r\nSubject: Grüße\r\n\r\nschön\r\n"
        )
        .into_bytes(),
    });
    kinds
}

/// Sends every kind through a client and compares what arrives.
fn exercise(
    client: &str,
    left_out: &[(&str, &str)],
    command: impl Fn(&Server, &Kind, &Path) -> Command,
) {
    exercise_one_that_adds(b"", client, left_out, command);
}

/// The same for a client that ends every message with something of its own.
fn exercise_one_that_adds(
    added: &[u8],
    client: &str,
    left_out: &[(&str, &str)],
    command: impl Fn(&Server, &Kind, &Path) -> Command,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for kind in kinds() {
        if let Some((_, why)) = left_out.iter().find(|(name, _)| *name == kind.name) {
            println!("left out: {client}, {}: {why}", kind.name);
            continue;
        }
        let file = folder.path().join("message");
        std::fs::write(&file, &kind.octets).expect("write the message");
        if let Err(what) = run(command(&server, &kind, &file)) {
            wrong.push(format!("{}: {what}", kind.name));
            continue;
        }
        let found = server.wait_for_messages(known.len() + 1);
        let mut fresh = found.iter().filter(|m| known.insert(m.path.clone()));
        let newest = fresh.next().expect("one more message than before");
        assert!(fresh.next().is_none(), "{}: more than one came", kind.name);
        let expected = [kind.octets.as_slice(), added].concat();
        if newest.received() != expected {
            wrong.push(format!(
                "{}: {}",
                kind.name,
                difference(newest.received(), &expected)
            ));
        }
    }
    assert!(wrong.is_empty(), "{client}:\n{}", wrong.join("\n"));
}

/// The command's end, with what it printed if it failed or took too long.
fn run(mut command: Command) -> Result<(), String> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{command:?}: {e}"))?;
    let end = Instant::now() + Duration::from_secs(120);
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if Instant::now() > end {
            let _ = child.kill();
            return Err(format!("{command:?} took too long"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let tail = |octets: &[u8]| {
        String::from_utf8_lossy(&octets[octets.len().saturating_sub(600)..]).into_owned()
    };
    Err(format!(
        "{}: {}{}",
        output.status,
        tail(&output.stdout),
        tail(&output.stderr)
    ))
}

fn difference(got: &[u8], sent: &[u8]) -> String {
    let at = got
        .iter()
        .zip(sent)
        .position(|(g, s)| g != s)
        .unwrap_or(got.len().min(sent.len()));
    let around = |octets: &[u8]| {
        String::from_utf8_lossy(
            &octets[at.saturating_sub(20).min(octets.len())..(at + 40).min(octets.len())],
        )
        .into_owned()
    };
    format!(
        "{} octets came of {} sent, different from {at} on: {:?}, not {:?}",
        got.len(),
        sent.len(),
        around(got),
        around(sent)
    )
}

const NOT_BY_SWAKS: [(&str, &str); 2] = [
    (
        "UTF-8 addresses",
        "swaks 20201014 sends no SMTPUTF8 parameter",
    ),
    (
        "empty",
        "swaks ends even an empty message with a line end of its own",
    ),
];

#[test]
#[ignore = "needs swaks"]
fn swaks() {
    exercise("swaks", &NOT_BY_SWAKS, |server, kind, file| {
        swaks_command(server, kind, file)
    });
}

#[test]
#[ignore = "needs swaks"]
fn swaks_pipelined() {
    let client = "swaks --pipeline";
    exercise(client, &NOT_BY_SWAKS, |server, kind, file| {
        let mut command = swaks_command(server, kind, file);
        command.arg("--pipeline");
        command
    });
}

fn swaks_command(server: &Server, kind: &Kind, file: &Path) -> Command {
    let mut command = Command::new("swaks");
    command
        .args(["--server", &server.address.ip().to_string()])
        .args(["--port", &server.address.port().to_string()])
        .args([
            "--helo",
            "client.test",
            "--from",
            kind.from,
            "--to",
            kind.to,
        ])
        .args(["--suppress-data", "--data"])
        .arg(format!("@{}", file.display()));
    // swaks puts CR LF and a dot behind what it is given, and an empty line behind a header
    // that is alone; where that would be too much, it is told to add nothing but the last CR LF.
    let octets = if kind.octets.ends_with(b"\r\n\r\n") {
        command.arg("--no-data-fixup");
        [kind.octets.as_slice(), b"."].concat()
    } else {
        let end = kind.octets.strip_suffix(b"\r\n");
        end.expect("every kind ends with a line end").to_vec()
    };
    std::fs::write(file, octets).expect("write the message");
    command
}

#[test]
#[ignore = "needs curl"]
fn curl() {
    exercise("curl", &[], |server, kind, file| {
        let mut command = Command::new("curl");
        command
            .env("LC_ALL", "C.UTF-8")
            .args([
                "-sS",
                "--mail-from",
                kind.from,
                "--mail-rcpt",
                kind.to,
                "-T",
            ])
            .arg(file)
            .arg(format!("smtp://{}/client.test", server.address));
        command
    });
}

#[test]
#[ignore = "needs python3"]
fn smtplib() {
    const SCRIPT: &str = r#"
import smtplib, sys
host, port, sender, recipient, file = sys.argv[1:]
octets = open(file, "rb").read()
options = []
if not (sender + recipient).isascii():
    options = ["SMTPUTF8", "BODY=8BITMIME"]
elif any(b > 127 for b in octets):
    options = ["BODY=8BITMIME"]
with smtplib.SMTP(host, int(port), local_hostname="client.test") as smtp:
    smtp.sendmail(sender, recipient, octets, mail_options=options)
"#;
    let left_out = [(
        "empty",
        "smtplib ends even an empty message with a line end of its own",
    )];
    exercise("smtplib", &left_out, |server, kind, file| {
        let mut command = Command::new("python3");
        command
            .env("PYTHONUTF8", "1")
            .args(["-c", SCRIPT])
            .args([
                &server.address.ip().to_string(),
                &server.address.port().to_string(),
                kind.from,
                kind.to,
            ])
            .arg(file);
        command
    });
}

#[test]
#[ignore = "needs msmtp"]
fn msmtp() {
    let left_out = [("UTF-8 addresses", "msmtp 1.8 sends no SMTPUTF8 parameter")];
    exercise("msmtp", &left_out, |server, kind, file| {
        let mut command = Command::new("msmtp");
        command
            .args([
                "--file=/dev/null",
                "--domain=client.test",
                "--tls=off",
                "--auth=off",
            ])
            .args(["--set-from-header=off", "--set-date-header=off"])
            .arg("--set-msgid-header=off")
            .arg(format!("--host={}", server.address.ip()))
            .arg(format!("--port={}", server.address.port()))
            .arg(format!("--from={}", kind.from))
            .args(["--", kind.to]);
        std::fs::write(file, with_lf(&kind.octets)).expect("write it with LF");
        command.stdin(std::fs::File::open(file).expect("open it"));
        command
    });
}

/// A message for programs that read lines as the system ends them.
fn with_lf(octets: &[u8]) -> Vec<u8> {
    octets.iter().copied().filter(|b| *b != b'\r').collect()
}

#[test]
#[ignore = "needs postfix's smtp-source"]
fn smtp_source() {
    let left_out = [
        (
            "UTF-8 addresses",
            "smtp-source says HELO, and knows no extension",
        ),
        (
            "empty",
            "smtp-source sends a text of its own if its file is empty",
        ),
    ];
    // It puts an empty line behind every file.
    exercise_one_that_adds(b"\r\n", "smtp-source", &left_out, |server, kind, file| {
        let mut command = Command::new("smtp-source");
        std::fs::write(file, with_lf(&kind.octets)).expect("write it with LF");
        command.arg("-F").arg(file);
        command.args(["-M", "client.test", "-f", kind.from, "-t", kind.to]);
        command.arg(format!("inet:{}", server.address));
        command
    });
}

/// Messages through Postfix's generator: every one is there, whole.
fn generate(arguments: &[&str], count: usize, length: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let mut command = Command::new("smtp-source");
    command
        .args(arguments)
        .args(["-m", &count.to_string(), "-l", &length.to_string()])
        .args([
            "-M",
            "client.test",
            "-f",
            "a@client.test",
            "-t",
            "box@example.test",
        ])
        .arg(format!(
            "inet:{}:{}",
            server.address.ip(),
            server.address.port()
        ));
    run(command).expect("smtp-source");
    let found = server.wait_for_messages(count);
    assert_eq!(found.len(), count);
    for message in &found {
        let received = message.received();
        assert!(
            received.starts_with(b"From: <a@client.test>\r\n"),
            "{:?}",
            String::from_utf8_lossy(&received[..80])
        );
        assert!(
            received.len() >= length && received.ends_with(b"\r\n"),
            "{} octets",
            received.len()
        );
    }
}

#[test]
#[ignore = "needs postfix's smtp-source"]
fn smtp_source_a_thousand_over_fifty_sessions() {
    // -d: the next message over the same connection.
    generate(&["-s", "50", "-d"], 1000, 4096);
}

#[test]
#[ignore = "needs postfix's smtp-source"]
fn smtp_source_a_thousand_connections_fifty_at_once() {
    generate(&["-s", "50"], 1000, 1024);
}

#[test]
#[ignore = "needs postfix's smtp-source"]
fn smtp_source_ten_times_ten_mebibytes() {
    generate(&["-s", "5", "-d"], 10, 10 * 1024 * 1024);
}

/// smtp-source can't pipeline, as its manual says: this load is our own. Each write holds the data of
/// one message and the whole envelope of the next.
#[test]
#[ignore = "belongs to the runs with real clients"]
fn pipelined_over_fifty_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let address = server.address;
    let clients: Vec<_> = (0..50)
        .map(|client| {
            std::thread::spawn(move || {
                let mut connection = harness::Client::open(address).expect("connect");
                connection.reply().expect("the greeting");
                connection.expect("EHLO client.test", 250);
                let envelope =
                    b"MAIL FROM:<a@client.test>\r\nRCPT TO:<box@example.test>\r\nDATA\r\n";
                connection.raw(envelope).expect("send");
                for number in 0..20 {
                    for code in [250, 250, 354] {
                        assert_eq!(connection.reply().expect("a reply").0, code);
                    }
                    let octets =
                        format!("X-Number: {client}-{number}\r\n\r\n{}\r\n", "y".repeat(900));
                    let mut batch = harness::stuffed(octets.as_bytes());
                    if number < 19 {
                        batch.extend_from_slice(envelope);
                    }
                    connection.raw(&batch).expect("send");
                    assert_eq!(connection.reply().expect("a reply").0, 250);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("a client");
    }
    let counts = harness::count_by(&server.wait_for_messages(1000), "X-Number:");
    assert_eq!((counts.len(), counts.values().max()), (1000, Some(&1)));
}

/// What swaks makes of replies that a site's own tables give: what it prints, and how it ends.
#[test]
#[ignore = "needs swaks"]
fn swaks_hears_what_the_tables_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = "[smtp]\ninquiry_networks = [\"127.0.0.0/8\"]\n\
        [relay]\ntrusted_networks = [\"127.0.0.0/8\"]\nno_mail_domains = [\"printers.test\"]\n\
        [[domain]]\nname = \"example.test\"\nmailboxes = [\"ada\"]\nmessage_size = \"1 KiB\"\n\
        [[moved]]\naddress = \"sent@example.test\"\nnew_address = \"ada@example.test\"\nforward = true\nshow = true\n\
        [[moved]]\naddress = \"gone@example.test\"\nnew_address = \"gone@new.test\"\nshow = true\n\
        [[access]]\nsenders = [\"*@spam.test\"]\nthen = \"refuse\"\n\
        [[access]]\nheader = [\"Subject: *lottery*\"]\nthen = \"defer\"\n";
    let server = Server::start(folder.path(), settings);
    let long = "x".repeat(2000);
    // swaks knows no 251, and takes it for a refusal, which RFC 5321 4.3.2 doesn't have it be.
    // It ends with 23 for a refused sender, 24 for a refused recipient, 26 for a refused message.
    for (from, to, subject, body, ends, says) in [
        (
            "a@client.test",
            "sent@example.test",
            "hi",
            "hi",
            24,
            "<** 251 2.1.5 ",
        ),
        (
            "a@client.test",
            "gone@example.test",
            "hi",
            "hi",
            24,
            "<** 551 5.1.6 ",
        ),
        (
            "a@client.test",
            "laser@printers.test",
            "hi",
            "hi",
            24,
            "<** 556 5.1.10 ",
        ),
        (
            "a@client.test",
            "ada@example.test",
            "hi",
            &long,
            26,
            "<** 552 5.2.3 ",
        ),
        (
            "a@spam.test",
            "ada@example.test",
            "hi",
            "hi",
            23,
            "<** 550 5.7.1 ",
        ),
        (
            "a@client.test",
            "ada@example.test",
            "a Lottery",
            "hi",
            26,
            "<** 450 4.7.0 ",
        ),
    ] {
        let mut command = Command::new("swaks");
        command
            .args(["--server", &server.address.ip().to_string()])
            .args(["--port", &server.address.port().to_string()])
            .args(["--helo", "client.test", "--from", from, "--to", to])
            .args(["--h-Subject", subject, "--body", body]);
        let output = command.output().expect("run swaks");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains(says), "{to}: {printed}");
        assert_eq!(output.status.code(), Some(ends), "{to}: {printed}");
    }
}
