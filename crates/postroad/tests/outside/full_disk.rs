//! A disk that is really full: a small tmpfs.

use std::time::{Duration, Instant};

use crate::harness::tmpfs::Tmpfs;
use crate::harness::{Client, Server};

const SETTINGS: &str = "
[spool]
segment_size = \"1 MiB\"
body_file_threshold = \"64 KiB\"
free_space_floor = \"1 MiB\"
free_inode_floor = 0

[limits]
junk_commands = 10000
transactions = 10000

[delivery]
retry_first = \"1s\"
retry_longest = \"1s\"

[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

fn with_recipient(server: &Server) -> Client {
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<>", 250);
    client.expect("RCPT TO:<ada@example.test>", 250);
    client
}

#[test]
fn every_way_in_says_452_while_the_disk_is_full_and_works_again_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Tmpfs::mount(&folder.path().join("data"), "16m") else {
        return;
    };
    let server = Server::start(folder.path(), SETTINGS);
    let mut before_mail = server.connect();
    before_mail.expect("EHLO client.test", 250);
    let mut in_data = with_recipient(&server);
    in_data.expect("DATA", 354);
    let mut before_chunk = with_recipient(&server);

    disk.fill();
    // More than what was made ready before the disk was full.
    let body = vec![b'x'; 8 << 20];
    in_data.send_data(&body).expect("send");
    let (code, texts) = in_data.reply().expect("a final reply");
    assert_eq!((code, &texts[0][..5]), (452, "4.3.1"), "{texts:?}");
    let chunk = [format!("BDAT {} LAST\r\n", body.len()).as_bytes(), &body].concat();
    before_chunk.raw(&chunk).expect("send");
    let (code, texts) = before_chunk.reply().expect("a reply");
    assert_eq!((code, &texts[0][..5]), (452, "4.3.1"), "{texts:?}");
    // The room is looked at every second, not at each MAIL.
    let texts = until(&server, &mut before_mail, 452);
    assert_eq!(&texts[0][..5], "4.3.1");
    let mut new = Client::open(server.address).expect("connect");
    assert_eq!(new.reply().expect("no greeting").0, 421);
    assert!(crate::harness::messages(&server.data).is_empty());

    disk.free();
    until(&server, &mut before_mail, 250);
    server.send("ada@example.test", b"there is room\r\n");
    assert_eq!(server.wait_for_messages(1).len(), 1);
}

#[test]
fn a_spool_filled_to_the_brim_empties_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(_spool) = Tmpfs::mount(&folder.path().join("data/spool"), "16m") else {
        return;
    };
    // The mailboxes have no room either, until the spool is full.
    let Some(mail) = Tmpfs::mount(&folder.path().join("data/mail"), "64m") else {
        return;
    };
    // A mailbox that has failed takes no more until it works again, so each message has its own.
    let server = Server::start(
        folder.path(),
        &format!("{SETTINGS}create_mailboxes = true\n"),
    );
    mail.fill();
    let body = "x".repeat(76) + "\r\n";
    let body = body.repeat(600);
    let mut accepted = 0;
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    let refused = loop {
        let (code, texts) = client.ask("MAIL FROM:<>");
        if code != 250 {
            break (code, texts);
        }
        client.expect(&format!("RCPT TO:<box{accepted}@example.test>"), 250);
        let (code, texts) = client.ask("DATA");
        if code != 354 {
            break (code, texts);
        }
        client
            .send_data(format!("X-Number: {accepted}\r\n\r\n{body}").as_bytes())
            .expect("send");
        let (code, texts) = client.reply().expect("a final reply");
        if code != 250 {
            break (code, texts);
        }
        accepted += 1;
        assert!(accepted < 400, "18 MiB fit in 16");
    };
    assert!(matches!(refused.0, 451 | 452), "{refused:?}");
    assert!(accepted > 100, "only {accepted}: {refused:?}");
    println!("{accepted} messages of 46 KiB until {}", refused.0);

    mail.free();
    let found = server.wait_for_messages(accepted);
    let counts = crate::harness::count_by(&found, "X-Number:");
    assert_eq!((counts.len(), found.len()), (accepted, accepted));
    until(&server, &mut client, 250);
}

/// Asks MAIL until it gets this code, which must be soon.
fn until(server: &Server, client: &mut Client, code: u16) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (got, texts) = client.ask("MAIL FROM:<>");
        if got == code {
            return texts;
        }
        let said = || server.lines().join("\n");
        assert!(
            Instant::now() < end,
            "still {got}; the server said:\n{}",
            said()
        );
        client.expect("RSET", 250);
        std::thread::sleep(Duration::from_millis(50));
    }
}
