//! `postroad sendmail`, as cron and others call it; PHP and mail(1) are in `real_senders.rs`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use crate::harness::{Delivered, PATIENCE, Server};

const SETTINGS: &str = "
[limits]
message_size = \"64 KiB\"

[[domain]]
name = \"example.test\"
mailboxes = [\"ada\", \"bob\", \"root\", \"jörg\"]
";

/// A server, and `sendmail` in a folder of programs.
struct Stand {
    folder: tempfile::TempDir,
    server: Server,
}

impl Stand {
    fn new() -> Stand {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(folder.path(), SETTINGS);
        for name in ["sendmail", "mailq", "newaliases"] {
            let program = env!("CARGO_BIN_EXE_postroad");
            symlink(program, folder.path().join(name)).expect("a link");
        }
        Stand { folder, server }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that finds the server by its environment.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env("POSTROAD_SERVER", self.server.address.to_string())
            .env("POSTROAD_CONFIG", self.folder.path().join("postroad.toml"));
        command
    }

    /// Runs `sendmail` with this on its standard input.
    fn sendmail(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(self.program("sendmail"));
        ended(command.args(arguments), input)
    }

    /// The same, and insists on what comes of it.
    fn sent(&self, arguments: &[&str], input: &[u8]) {
        let output = self.sendmail(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// The messages in a mailbox, once there are so many in all of them.
    fn mail(&self, all: usize, mailbox: &str) -> Vec<Delivered> {
        let mut found = self.server.wait_for_messages(all);
        let folder = format!("{mailbox}/new/");
        found.retain(|message| message.path.to_string_lossy().contains(&folder));
        found
    }
}

/// The output of a command that was given this to read.
fn ended(command: &mut Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("start it");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // It may end before it has read all.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("its end")
}

fn refused(output: &Output, status: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(
        said.starts_with("sendmail: ") && said.contains(words),
        "{said}"
    );
}

fn text(message: &Delivered) -> String {
    String::from_utf8_lossy(message.received()).into_owned()
}

/// `cron(8)` of Debian calls it so, as whoever the job belongs to.
#[test]
fn cron_mails_what_a_job_printed() {
    let stand = Stand::new();
    let mail = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> job\n\
                Content-Type: text/plain; charset=UTF-8\n\n10%\r100%\nGrüße\n.\nthe end\n";
    let arguments = ["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"];
    stand.sent(&arguments, mail.as_bytes());
    let found = stand.mail(1, "root");
    let got = text(&found[0]);
    assert!(
        got.ends_with("\r\n\r\n10%\r\n100%\r\nGrüße\r\n.\r\nthe end\r\n"),
        "{got}"
    );
    assert!(got.contains("\r\nTo: root\r\n"), "{got}");
    assert!(
        got.starts_with("Date: ") && got.contains("\r\nMessage-ID: <"),
        "{got}"
    );
    assert!(!got.contains("CronDaemon"), "it has a From: {got}");
    let login = nix::unistd::User::from_uid(nix::unistd::getuid())
        .expect("ask")
        .expect("a user");
    let sender = found[0].line_after("Return-Path:").expect("a sender");
    assert_eq!(sender, format!("<{}@example.test>", login.name));
}

#[test]
fn recipients_come_from_the_message_and_nobody_sees_bcc() {
    let stand = Stand::new();
    let mail = b"To: Ada <ada@example.test>,\n ADA@example.test\nBcc: bob\nSubject: x\n\nhello\n";
    stand.sent(
        &["-t", "-oi", "-f", "bob@example.test", "-F", "Bob B."],
        mail,
    );
    let ada = stand.mail(2, "ada");
    let bob = stand.mail(2, "bob");
    assert_eq!((ada.len(), bob.len()), (1, 1));
    for message in ada.iter().chain(&bob) {
        let got = text(message);
        assert!(!got.contains("Bcc") && got.contains("To: Ada"), "{got}");
        assert!(
            got.starts_with("From: \"Bob B.\" <bob@example.test>\r\nDate: "),
            "{got}"
        );
        let sender = message.line_after("Return-Path:");
        assert_eq!(sender.as_deref(), Some("<bob@example.test>"));
    }
    // By the subcommand, ended by a dot, from nobody, without a header.
    let mut command = stand.command(env!("CARGO_BIN_EXE_postroad"));
    command.args(["sendmail", "-f", "<>", "jörg@example.test"]);
    let output = ended(&mut command, b"hello\n.\nnot this\n");
    assert!(output.status.success(), "{output:?}");
    let found = stand.mail(3, "");
    let is_from_nobody = |m: &&Delivered| m.line_after("Return-Path:").as_deref() == Some("<>");
    let found = found
        .iter()
        .find(is_from_nobody)
        .expect("the one from nobody");
    assert!(
        text(found).ends_with("\r\n\r\nhello\r\n"),
        "{}",
        text(found)
    );
}

#[test]
fn what_the_shell_pipes_in_and_python_hands_over_arrives() {
    let stand = Stand::new();
    let line = "printf 'To: ada@example.test\\nSubject: shell\\n\\nhello\\n' | ./postroad-link sendmail -t";
    symlink(
        env!("CARGO_BIN_EXE_postroad"),
        stand.program("postroad-link"),
    )
    .expect("a link");
    let mut shell = stand.command("sh");
    let output = ended(
        shell.args(["-c", line]).current_dir(stand.folder.path()),
        b"",
    );
    assert!(output.status.success(), "{output:?}");
    let mut all = 1;
    let python = "
import subprocess, sys
from email.message import EmailMessage
message = EmailMessage()
message['To'] = 'Ada <ada@example.test>'
message['Subject'] = 'python'
message.set_content('Grüße\\n.\\n')
subprocess.run([sys.argv[1], '-t', '-oi'], input=message.as_bytes(), check=True)
";
    let mut python_command = stand.command("python3");
    python_command
        .args(["-c", python])
        .arg(stand.program("sendmail"));
    if Command::new("python3").arg("--version").output().is_ok() {
        let output = ended(&mut python_command, b"");
        assert!(output.status.success(), "{output:?}");
        all += 1;
    } else {
        println!("left out: python: there is none");
    }
    let found = stand.mail(all, "ada");
    assert_eq!(found.len(), all);
}

#[test]
fn the_exit_status_says_what_came_of_it() {
    let stand = Stand::new();
    let unknown = stand.sendmail(&["ada@example.test", "nobody@example.test"], b"hello\n");
    refused(&unknown, 67, "nobody@example.test");
    refused(
        &stand.sendmail(&["x@elsewhere.test"], b"hello\n"),
        69,
        "550",
    );
    refused(&stand.sendmail(&[], b"hello\n"), 64, "-t");
    refused(&stand.sendmail(&["-Z"], b"hello\n"), 64, "--help");
    refused(&stand.sendmail(&["-t"], b"Subject: x\n\n"), 65, "nobody");
    refused(&stand.sendmail(&["-t"], b"To: a b\n\n"), 65, "a b");
    let large = vec![b'x'; 100_000];
    refused(&stand.sendmail(&["ada"], &large), 65, "65536");
    stand.sent(&["ada"], b"the only one that arrives\n");
    let found = stand.mail(1, "ada");
    assert_eq!(found.len(), 1);
    assert!(
        text(&found[0]).contains("the only one"),
        "{}",
        text(&found[0])
    );

    let mut command = Command::new(stand.program("sendmail"));
    command.args(["--server", "127.0.0.1:1", "ada@example.test"]);
    refused(&ended(&mut command, b"hello\n"), 75, "127.0.0.1:1");
    command = Command::new(stand.program("sendmail"));
    command.args(["--config", "/nowhere.toml", "ada@example.test"]);
    refused(&ended(&mut command, b"hello\n"), 78, "/nowhere.toml");
}

#[test]
fn smtp_is_spoken_and_the_queue_is_listed() {
    let stand = Stand::new();
    let dialogue = b"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<ada@example.test>\r\nDATA\r\n\
                     Subject: bs\r\n\r\n.\r\nQUIT\r\n";
    let output = stand.sendmail(&["-bs"], dialogue);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("ASCII");
    let codes: Vec<_> = said
        .lines()
        .filter(|l| l.get(3..4) == Some(" "))
        .map(|l| &l[..3])
        .collect();
    assert_eq!(
        codes,
        ["220", "250", "250", "250", "354", "250", "221"],
        "{said}"
    );
    assert_eq!(stand.mail(1, "ada").len(), 1);

    let mut away = Command::new(stand.program("sendmail"));
    let output = ended(away.args(["-bs", "--server", "127.0.0.1:1"]), b"");
    assert_eq!(output.status.code(), Some(75));
    assert!(output.stdout.starts_with(b"421 "), "{output:?}");

    for by_flag in [false, true] {
        let mut mailq = stand.command(stand.program("mailq"));
        if by_flag {
            mailq = stand.command(stand.program("sendmail"));
            mailq.arg("-bp");
        }
        let end = Instant::now() + PATIENCE;
        loop {
            // The settle comes after the message is in its mailbox.
            let listed = ended(&mut mailq, b"");
            assert!(listed.stderr.is_empty(), "{listed:?}");
            if listed.stdout == b"the queue is empty\n" {
                break;
            }
            assert!(Instant::now() < end, "{listed:?}");
        }
    }
    for nothing in [
        stand.command(stand.program("newaliases")),
        stand.command(stand.program("sendmail")),
    ] {
        let mut nothing = nothing;
        let done = ended(nothing.arg("-q"), b"");
        assert!(done.status.success(), "{done:?}");
    }
}

/// Takes one message as any server, offers these extensions, and gives what it heard.
fn any_server(extensions: &str) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    let greeting = format!("250-any.test\r\n{extensions}250 OK\r\n");
    let heard = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).expect("set it");
        let mut lines = BufReader::new(stream.try_clone().expect("another handle")).lines();
        let mut heard = Vec::new();
        let mut in_data = false;
        let say = |words: &str| (&stream).write_all(words.as_bytes()).expect("say it");
        say("220 any.test\r\n");
        while let Some(Ok(line)) = lines.next() {
            in_data = in_data && line != ".";
            match line.get(..4).unwrap_or_default() {
                _ if in_data => {}
                "EHLO" => say(&greeting),
                "DATA" => say("354 go on\r\n"),
                "QUIT" => say("221 bye\r\n"),
                _ => say("250 2.0.0 yes\r\n"),
            }
            in_data = in_data || line == "DATA";
            heard.push(line);
        }
        heard
    });
    (address, heard)
}

#[test]
fn notices_are_asked_for_of_who_offers_them() {
    let arguments = [
        "-N",
        "success,delay",
        "-R",
        "hdrs",
        "-V",
        "my id",
        "-f",
        "bob@x.test",
        "ada@x.test",
    ];
    for (extensions, mail, rcpt) in [
        (
            "250-DSN\r\n",
            "MAIL FROM:<bob@x.test> RET=HDRS ENVID=my+20id",
            "RCPT TO:<ada@x.test> NOTIFY=SUCCESS,DELAY",
        ),
        ("", "MAIL FROM:<bob@x.test>", "RCPT TO:<ada@x.test>"),
    ] {
        let (address, heard) = any_server(extensions);
        let mut command = Command::new(env!("CARGO_BIN_EXE_postroad"));
        command
            .args(["sendmail", "--server", &address])
            .args(arguments);
        let output = ended(&mut command, b"Subject: told\n\n.dot\n");
        assert!(output.status.success(), "{output:?}");
        let heard = heard.join().expect("a dialogue");
        assert_eq!(heard[1..4], [mail, rcpt, "DATA"], "{heard:?}");
        assert_eq!(
            heard[heard.len() - 3..],
            ["..dot", ".", "QUIT"],
            "{heard:?}"
        );
    }
}
