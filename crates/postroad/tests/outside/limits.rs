//! What time-outs and limits do to a connection: one 421, and the server goes on.

use std::time::{Duration, Instant};

use crate::harness::{Client, Server};

const DOMAIN: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

fn start(folder: &tempfile::TempDir, settings: &str) -> Server {
    Server::start(folder.path(), &format!("{settings}{DOMAIN}"))
}

fn is_sent_away(client: &mut Client) {
    let (code, texts) = client.reply().expect("a last reply");
    assert_eq!(code, 421, "{texts:?}");
    assert!(client.is_closed());
}

const IMPATIENT: &str = "
[timeouts]
command = \"1s\"
data_block = \"1s\"
";

#[test]
fn who_says_nothing_is_sent_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(&folder, IMPATIENT);
    let began = Instant::now();
    let mut silent = server.connect();
    let mut in_data = server.connect();
    in_data.expect("HELO client.test", 250);
    in_data.expect("MAIL FROM:<>", 250);
    in_data.expect("RCPT TO:<ada@example.test>", 250);
    in_data.expect("DATA", 354);
    in_data.raw(b"half a line").expect("send");
    is_sent_away(&mut silent);
    is_sent_away(&mut in_data);
    assert!(began.elapsed() >= Duration::from_secs(1));
    server.send("ada@example.test", b"the next is served\r\n");
    assert_eq!(server.wait_for_messages(1).len(), 1);
}

#[test]
fn half_a_line_at_a_time_is_no_way_to_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(&folder, IMPATIENT);
    let mut slow = server.connect();
    // Each part comes in time, and the line never ends.
    let began = Instant::now();
    let gone = (0..100).find(|_| {
        std::thread::sleep(Duration::from_millis(300));
        slow.raw(b"x").is_err()
    });
    // Octets on their way to a closed connection may be taken by the system.
    assert!(gone.is_some(), "it could stay for {:?}", began.elapsed());
}

#[test]
fn a_connection_too_many_gets_421_and_its_place_is_free_when_another_ends() {
    for limit in [
        "connections",
        "connections_per_address",
        "connections_per_network",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = start(&folder, &format!("[limits]\n{limit} = 2\n"));
        let first = server.connect();
        let mut second = server.connect();
        let mut third = Client::open(server.address).expect("connect");
        is_sent_away(&mut third);
        drop(first);
        second.expect("QUIT", 221);
        // The server notices the end of a connection a moment later.
        let end = Instant::now() + crate::harness::PATIENCE;
        loop {
            let mut client = Client::open(server.address).expect("connect");
            match client.reply().expect("a greeting").0 {
                220 => break,
                code => assert_eq!(code, 421, "{limit}"),
            }
            assert!(Instant::now() < end, "{limit}: the place is still taken");
        }
    }
}
