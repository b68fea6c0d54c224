//! Postfix's smtp-sink as the next hop, and what the sender is told of it.
//!
//! Ignored by default because it needs a program that not every machine has; `cargo xtask test`
//! installs it and runs these tests.

// A test from the outside: it has real time, files, sockets and processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod harness;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{PATIENCE, Server};

/// A running sink.
struct Sink(Child);

impl Sink {
    fn start(options: &[&str]) -> (Sink, SocketAddr) {
        let free = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = free.local_addr().expect("an address");
        drop(free);
        let mut command = Command::new("smtp-sink");
        if nix::unistd::geteuid().is_root() {
            // A privileged user has to say who to be.
            command.args(["-u", "root"]);
        }
        command.args(options).args([&address.to_string(), "10"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let sink = Sink(command.spawn().expect("start smtp-sink"));
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "smtp-sink doesn't listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        (sink, address)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The notice about a message that goes to such a sink.
fn notice(options: &[&str], notify: &str) -> String {
    let (_sink, address) = Sink::start(options);
    let settings = format!(
        "[[domain]]\nname = \"example.test\"\nmailboxes = [\"ada\"]\n\
         [relay]\ntrusted_networks = [\"127.0.0.0/8\"]\n\
         [delivery]\nretry_first = \"1s\"\ngive_up_after = \"3s\"\n\
         [[route]]\ndomain = \"*\"\nnext_hop = \"smtp://{address}\"\n"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &settings);
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<ada@example.test>", 250);
    client.expect(&format!("RCPT TO:<paul@sink.test> {notify}"), 250);
    client.expect("DATA", 354);
    client.send_data(b"Subject: x\r\n\r\nx\r\n").expect("send");
    assert_eq!(client.reply().expect("a reply").0, 250);
    let found = server.wait_for_messages(1);
    String::from_utf8(found[0].octets.clone()).expect("it is ASCII")
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_takes_a_message_and_it_is_relayed() {
    // It offers DSN, though it tells nothing; without ESMTP it doesn't.
    let notice = notice(&["-e"], "NOTIFY=SUCCESS");
    assert!(notice.contains("Action: relayed\r\nStatus: 2."), "{notice}");
    assert!(
        notice.contains("Remote-MTA: dns; [127.0.0.1]\r\n"),
        "{notice}"
    );
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_refuses_a_recipient_or_the_message_and_it_has_failed() {
    for refused in ["RCPT", "MAIL", ".", "DATA"] {
        let notice = notice(&["-f", refused], "NOTIFY=FAILURE");
        assert!(notice.contains("Action: failed\r\nStatus: 5."), "{notice}");
        assert!(
            notice.contains("Diagnostic-Code: smtp; 500 5.3.0 "),
            "{notice}"
        );
        assert!(!notice.contains("It was tried until"), "{notice}");
    }
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_refuses_for_now_until_it_is_given_up() {
    let notice = notice(&["-r", "RCPT"], "NOTIFY=FAILURE");
    assert!(notice.contains("Action: failed\r\nStatus: 4."), "{notice}");
    assert!(
        notice.contains("Diagnostic-Code: smtp; 450 4.3.0 "),
        "{notice}"
    );
    assert!(notice.contains("It was tried until"), "{notice}");
}
