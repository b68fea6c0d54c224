//! A spool that can't be written any more: the folder of its segments is gone while it runs.

use std::time::{Duration, Instant};

use crate::harness::{Client, Server, messages};

const SETTINGS: &str = "
[spool]
segment_size = \"1 MiB\"
body_file_threshold = \"64 KiB\"

[limits]
junk_commands = 10000
transactions = 10000

[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

fn in_transaction(server: &Server) -> Client {
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<>", 250);
    client
}

fn with_recipient(server: &Server) -> Client {
    let mut client = in_transaction(server);
    client.expect("RCPT TO:<ada@example.test>", 250);
    client
}

/// Sends messages until one is refused: how many were not, and what that one was told.
fn send_until_refused(server: &Server) -> (usize, u16, Vec<String>) {
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    let lines = ("x".repeat(76) + "\r\n").repeat(600);
    for accepted in 0..100 {
        client.expect("MAIL FROM:<>", 250);
        client.expect("RCPT TO:<ada@example.test>", 250);
        client.expect("DATA", 354);
        client.send_data(lines.as_bytes()).expect("send");
        let (code, texts) = client.reply().expect("a final reply");
        if code != 250 {
            return (accepted, code, texts);
        }
    }
    panic!("4 MiB fit in what is left of 1 MiB");
}

#[test]
fn every_way_in_says_451_while_the_spool_can_not_be_written_and_works_again_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), SETTINGS);
    let mut before_mail = server.connect();
    before_mail.expect("EHLO client.test", 250);
    let mut before_rcpt = in_transaction(&server);
    let mut before_data = with_recipient(&server);
    let mut before_chunk = with_recipient(&server);
    let mut in_data = with_recipient(&server);
    in_data.expect("DATA", 354);

    let segments = server.data.join("spool/segments");
    let away = server.data.join("spool/elsewhere");
    std::fs::rename(&segments, &away).expect("take the segments away");
    // The segment that is open can still be written; with the next one it ends.
    let (accepted, code, texts) = send_until_refused(&server);
    println!("{accepted} messages until {code} {texts:?}");
    assert_eq!(code, 451);
    server.wait_for_line(|line| line.contains("spool.read_only"));
    let hears = |client: &mut Client, line: &str| {
        let texts = client.expect(line, 451);
        assert_eq!(&texts[0][..5], "4.3.0", "{line}: {texts:?}");
    };
    hears(&mut before_mail, "MAIL FROM:<>");
    hears(&mut before_rcpt, "RCPT TO:<ada@example.test>");
    hears(&mut before_data, "DATA");
    hears(&mut before_chunk, "BDAT 3 LAST\r\nx");
    hears(&mut in_data, "x\r\n.");
    let mut new = Client::open(server.address).expect("connect");
    assert_eq!(new.reply().expect("no greeting").0, 421);

    std::fs::rename(&away, &segments).expect("bring the segments back");
    let end = Instant::now() + Duration::from_secs(20);
    while before_mail.ask("MAIL FROM:<>").0 != 250 {
        assert!(Instant::now() < end, "{}", server.lines().join("\n"));
        std::thread::sleep(Duration::from_millis(50));
    }
    server.send("ada@example.test", b"it works\r\n");
    server.wait_for_messages(accepted + 1);
    // Nothing that was refused was kept, and nothing that was taken is lost by a crash.
    let data = server.data.clone();
    server.kill();
    let server = Server::start(folder.path(), SETTINGS);
    server.send("ada@example.test", b"after a crash\r\n");
    assert_eq!(server.wait_for_messages(accepted + 2).len(), accepted + 2);
    drop(server);
    assert_eq!(messages(&data).len(), accepted + 2);
}
