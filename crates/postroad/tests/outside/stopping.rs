//! SIGTERM: who is told, what is waited for, and that nothing under way is lost.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{Client, Server, configuration};

const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

/// A client that has opened a transaction for ada.
fn with_recipient(server: &Server) -> Client {
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<a@client.test>", 250);
    client.expect("RCPT TO:<ada@example.test>", 250);
    client
}

/// It gets the 421, with the name of the server, and the connection is closed.
fn is_sent_away(client: &mut Client) {
    let (code, texts) = client.reply().expect("a last reply");
    assert_eq!(code, 421, "{texts:?}");
    assert!(texts[0].contains("mx.test "), "{texts:?}");
    assert!(client.is_closed());
}

#[test]
fn a_message_under_way_is_finished_and_everybody_else_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), SETTINGS);
    let mut sending = with_recipient(&server);
    sending.expect("DATA", 354);
    sending
        .raw(b"Subject: half\r\n\r\nfirst half\r\n")
        .expect("send");
    let mut chunking = with_recipient(&server);
    chunking.raw(b"BDAT 6\r\nfirst ").expect("send");
    assert_eq!(chunking.reply().expect("a reply").0, 250);
    let mut idle = server.connect();
    let mut before_data = with_recipient(&server);

    server.tell_to_end();
    is_sent_away(&mut idle);
    is_sent_away(&mut before_data);
    let told = server.wait_for_line(|line| line.contains("server.draining"));
    assert!(told.contains("\"transactions\":"), "{told}");
    assert!(told.contains("\"at_most\":"), "{told}");

    sending.raw(b"second half\r\n.\r\n").expect("send");
    assert_eq!(sending.reply().expect("a final reply").0, 250);
    is_sent_away(&mut sending);
    chunking.raw(b"BDAT 6 LAST\r\nlast\r\n").expect("send");
    assert_eq!(chunking.reply().expect("a final reply").0, 250);
    is_sent_away(&mut chunking);

    assert!(server.wait().success());
    server.wait_for_line(|line| line.contains("server.stopped"));
    let found = crate::harness::messages(&server.data);
    let mut received: Vec<_> = found.iter().map(|message| message.received()).collect();
    received.sort();
    let whole: [&[u8]; 2] = [
        b"Subject: half\r\n\r\nfirst half\r\nsecond half\r\n",
        b"first last\r\n",
    ];
    assert_eq!(received, whole);
}

/// It will reload the configuration some day; a terminal that goes away must not end the service.
#[test]
fn a_hangup_ends_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let mut client = with_recipient(&server);
    server.signal(Signal::SIGHUP);
    client.expect("DATA", 354);
    client.expect(".", 250);
    server.send("ada@example.test", b"a new one, too\r\n");
    assert_eq!(server.wait_for_messages(2).len(), 2);
}

#[test]
fn nobody_new_is_taken_while_it_drains() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), SETTINGS);
    let mut sending = with_recipient(&server);
    sending.expect("DATA", 354);
    server.tell_to_end();
    server.wait_for_line(|line| line.contains("server.draining"));
    let new = Client::open(server.address).and_then(|mut client| client.reply());
    if let Ok((code, texts)) = new {
        assert_eq!(code, 421, "{texts:?}");
    }
    sending.raw(b".\r\n").expect("send");
    assert_eq!(sending.reply().expect("a final reply").0, 250);
    assert!(server.wait().success());
}

#[test]
fn a_client_that_never_finishes_is_cut_when_the_time_is_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = format!("[timeouts]\ndrain = \"1s\"\n{SETTINGS}");
    let mut server = Server::start(folder.path(), &settings);
    let mut endless = with_recipient(&server);
    endless.expect("DATA", 354);
    endless.raw(b"and so on\r\n").expect("send");
    let began = Instant::now();
    server.tell_to_end();
    is_sent_away(&mut endless);
    assert!(server.wait().success());
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(crate::harness::messages(&server.data).is_empty());
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let file = folder.path().join("postroad.toml");
    std::fs::write(&file, configuration(&data, SETTINGS)).expect("write the configuration");
    let made = Command::new("mkfifo").arg(&log).status();
    assert!(made.expect("run mkfifo").success());
    let mut both_ends = std::fs::File::options();
    let mut pipe = both_ends
        .read(true)
        .write(true)
        .open(&log)
        .expect("open the pipe");
    // All that a pipe holds.
    pipe.write_all(&[b'\n'; 64 << 10]).expect("fill the pipe");
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" serve --config \"$1\" 2>\"$2\""]);
    command
        .arg(env!("CARGO_BIN_EXE_postroad"))
        .args([&file, &log]);
    let mut server = Server::spawn(command, data);
    server.send("ada@example.test", b"served all the same\r\n");
    assert!(server.terminate().success());
}
