//! Binary messages (RFC 3030 3): octet by octet from one server to the next, or not at all.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::harness::next_hop::NextHop;
use crate::harness::{Client, Delivered, Server, messages};

const TRUSTED: &str = "
[relay]
trusted_networks = [\"127.0.0.0/8\"]
";

/// A server whose mail for `far.test` goes to `to`.
fn relay(folder: &std::path::Path, to: &str) -> Server {
    let settings = format!(
        "{TRUSTED}
        [[domain]]
        name = \"near.test\"
        mailboxes = [\"ada\"]

        [[route]]
        domain = \"far.test\"
        next_hop = \"smtp://{to}\"
        "
    );
    Server::start(folder, &settings)
}

/// Sends octets in chunks of such a size.
fn send(client: &mut Client, recipient: &str, octets: &[u8], size: usize) {
    client.expect("MAIL FROM:<ada@near.test> BODY=BINARYMIME", 250);
    client.expect(&format!("RCPT TO:<{recipient}>"), 250);
    for chunk in octets.chunks(size) {
        let line = format!("BDAT {}\r\n", chunk.len());
        client
            .raw(&[line.as_bytes(), chunk].concat())
            .expect("send a chunk");
        assert_eq!(client.reply().expect("a reply").0, 250);
    }
    client.expect("BDAT 0 LAST", 250);
}

/// Octets of all kinds behind a header section, with many that mean something elsewhere.
fn binary(number: usize) -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        proptest::sample::select(vec![
            "\r",
            "\n",
            "\0",
            "\n.\n",
            "\r\n.\r\n",
            "\r\n..",
            "\r\n",
            "BDAT 3 LAST\r\n",
        ])
        .prop_map(Vec::from),
        (any::<u8>(), 1usize..70_000).prop_map(|(octet, count)| vec![octet; count]),
    ];
    proptest::collection::vec(part, 0..12).prop_map(move |parts| {
        let header = format!("X-Number: {number}\r\nContent-Transfer-Encoding: binary\r\n\r\n");
        [header.into_bytes(), parts.concat()].concat()
    })
}

#[test]
fn a_binary_message_goes_through_two_servers_unchanged() {
    let (here, there) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let far = Server::start(
        there.path(),
        "[[domain]]\nname = \"far.test\"\nmailboxes = [\"bob\"]\n",
    );
    let near = relay(here.path(), &far.address.to_string());
    let mut runner = TestRunner::default();
    let mut sent = Vec::new();
    let mut client = near.connect();
    client.expect("EHLO client.test", 250);
    for number in 0..24 {
        let octets = binary(number)
            .new_tree(&mut runner)
            .expect("octets")
            .current();
        let size = 1 + (number * 997) % 8000;
        send(&mut client, "bob@far.test", &octets, size);
        send(&mut client, "ada@near.test", &octets, size);
        sent.push(octets);
    }
    client.expect("QUIT", 221);
    let arrived = |found: &[Delivered], octets: &[u8]| {
        found
            .iter()
            .filter(|one| one.octets.ends_with(octets))
            .count()
    };
    for found in [
        far.wait_for_messages(sent.len()),
        near.wait_for_messages(sent.len()),
    ] {
        for octets in &sent {
            assert_eq!(
                arrived(&found, octets),
                1,
                "{:?}",
                String::from_utf8_lossy(octets)
            );
        }
    }
    near.wait_until("an empty queue", || near.queue().is_empty());
}

#[test]
fn a_next_hop_without_binarymime_gets_nothing_of_it_and_its_sender_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    // It offers 8BITMIME and more, but not this.
    let hop = NextHop::start();
    let server = relay(folder.path(), &hop.address.to_string());
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    for body in ["\0\n.\n", "text, but said to be binary\r\n"] {
        let octets = format!("Subject: secret picture\r\n\r\n{body}");
        send(&mut client, "bob@far.test", octets.as_bytes(), 10);
    }
    let notices = server.wait_for_messages(2);
    for notice in &notices {
        assert_eq!(notice.line_after("Status:").as_deref(), Some("5.6.3"));
        let text = std::str::from_utf8(&notice.octets).expect("a notice is text");
        assert!(text.contains("doesn't offer BINARYMIME"), "{text}");
        // RFC 3030 3: what is binary isn't returned.
        assert!(text.contains("Content-Type: text/rfc822-headers"), "{text}");
        assert!(text.contains("Subject: secret picture"), "{text}");
        assert!(
            !text.contains('\0') && !text.contains("said to be"),
            "{text}"
        );
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(messages(&server.data).len(), 2);
    assert!(hop.come().is_empty(), "nothing was sent there");
    server.wait_until("an empty queue", || server.queue().is_empty());
}
