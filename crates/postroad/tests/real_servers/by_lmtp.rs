//! Other people's clients that speak LMTP (RFC 2033) to the real binary.

use std::process::Command;

use crate::from_postfix::relaying;
use crate::harness::Server;
use crate::mails::{Mail, submit};
use crate::program::{folder, free_port, postroad};

/// A server that speaks LMTP at this port; one of its mailboxes takes no more than a little.
fn server(folder: &std::path::Path, port: u16) -> Server {
    let settings = format!(
        "[[listener]]
address = \"127.0.0.1:{port}\"
protocol = \"lmtp\"

[[domain]]
name = \"lmtp.test\"
mailboxes = [\"anna\", \"small\", \"bob\"]

[[quota]]
mailbox = \"small@lmtp.test\"
message_size = \"1 KiB\"
"
    );
    postroad(folder, &settings)
}

#[test]
#[ignore = "needs postfix"]
fn postfix_hands_over_by_lmtp_and_bounces_for_the_one_that_has_no_room() {
    let (folder, port) = (folder(), free_port());
    let transport = format!("default_transport = lmtp:inet:127.0.0.1:{port}");
    let Some(mut postfix) = relaying(folder.path(), port, &transport) else {
        return;
    };
    let server = server(folder.path(), port);
    let long = format!("Subject: long\r\n\r\n{}", "and on it goes\r\n".repeat(200));
    let mail = Mail::new("long", long.as_bytes());
    let all = ["anna@lmtp.test", "small@lmtp.test", "bob@lmtp.test"];
    submit(postfix.address, &all, &mail);
    let found = server.wait_for_messages(2);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|message| {
        let text = String::from_utf8_lossy(&message.octets).into_owned();
        text.contains("with LMTP") && text.contains("and on it goes\r\n")
    }));
    postfix.wait_for_line(&[
        "/lmtp[",
        "to=<small@lmtp.test>",
        "status=bounced",
        "552 5.2.3",
    ]);
    postfix.wait_for_line(&["/lmtp[", "to=<anna@lmtp.test>", "status=sent", "250 2.0.0"]);
    postfix.wait_for_line(&["/lmtp[", "to=<bob@lmtp.test>", "status=sent", "250 2.0.0"]);
    postfix.stop();
}

#[test]
#[ignore = "needs swaks"]
fn swaks_by_lmtp_hears_one_reply_a_recipient() {
    let (folder, port) = (folder(), free_port());
    let server = server(folder.path(), port);
    let mut command = Command::new("swaks");
    command
        .args(["--protocol", "LMTP", "--server", "127.0.0.1"])
        .args(["--port", &port.to_string(), "--helo", "client.test"])
        .args(["--from", "a@client.test"])
        .args(["--to", "anna@lmtp.test,bob@lmtp.test", "--body", "hi"]);
    let output = command.output().expect("run swaks");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains(" -> LHLO client.test"), "{printed}");
    let after_data = printed.split(" -> .").nth(1).expect("the end of data");
    assert_eq!(after_data.matches("250 2.0.0 ").count(), 2, "{printed}");
    assert_eq!(server.wait_for_messages(2).len(), 2);
}

#[test]
#[ignore = "needs postfix's smtp-source"]
fn smtp_source_by_lmtp_hands_over_hundreds() {
    let (folder, port) = (folder(), free_port());
    let server = server(folder.path(), port);
    let mut command = Command::new("smtp-source");
    command
        .args(["-L", "-s", "10", "-d", "-m", "200", "-l", "2000"])
        .args([
            "-M",
            "client.test",
            "-f",
            "a@client.test",
            "-t",
            "anna@lmtp.test",
        ])
        .arg(format!("inet:127.0.0.1:{port}"));
    let output = command.output().expect("run smtp-source");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.wait_for_messages(200).len(), 200);
}
