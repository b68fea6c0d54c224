//! Postfix as client: it relays everything to the real binary.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::harness::{Server, tls};
use crate::mails::{self, Mail, assert_arrived, submit};
use crate::postfix::{DOMAIN, Postfix};
use crate::program::{folder, free_port, may_start, postroad, route};

/// Settings by which all that isn't its own goes to the server, and failures are told at once.
const RELAYS: &str = "\
initial_destination_concurrency = 20
default_destination_concurrency_limit = 50
smtpd_client_connection_count_limit = 0
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s";

/// A Postfix in front of a server that listens at a port known before.
pub(crate) fn relaying(folder: &Path, port: u16, settings: &str) -> Option<Postfix> {
    if !may_start("Postfix") {
        return None;
    }
    let relayhost = format!("{RELAYS}\n{settings}\nrelayhost = [127.0.0.1]:{port}");
    Some(Postfix::configure(folder, port, &relayhost).start())
}

/// A server at this port; one of its domains has a single mailbox, mail for Postfix's own goes there.
fn server(folder: &Path, port: u16, postfix: Option<&Postfix>, more: &str) -> Server {
    let back = postfix.map(|postfix| route(DOMAIN, &format!("smtp://{}", postfix.address)));
    let back = back.unwrap_or_default();
    let settings = format!(
        "{more}{back}
[[domain]]
name = \"listed.test\"
mailboxes = [\"anna\"]

[[listener]]
address = \"127.0.0.1:{port}\"
"
    );
    postroad(folder, &settings)
}

#[test]
#[ignore = "needs postfix"]
fn a_thousand_messages_over_fifty_sessions() {
    const SESSIONS: usize = 50;
    const EACH: usize = 20;
    let folder = folder();
    let port = free_port();
    let Some(mut postfix) = relaying(folder.path(), port, "") else {
        return;
    };
    let server = server(folder.path(), port, None, "");
    let to = postfix.address;
    let senders: Vec<_> = (0..SESSIONS)
        .map(|session| {
            std::thread::spawn(move || {
                let mut client = mails::open(to);
                for number in 0..EACH {
                    let mail = numbered(session, number);
                    let code = mails::transaction(&mut client, "", &["box@here.test"], &mail);
                    assert_eq!(code.expect("a reply"), 250);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().expect("a sender");
    }
    let found = server.wait_for_messages(SESSIONS * EACH);
    let found = found.iter().map(|message| mails::arrived(&message.octets));
    let mut by_name: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for message in found {
        let name = message.name();
        assert!(
            by_name.insert(name.clone(), message.octets).is_none(),
            "{name} twice"
        );
    }
    assert_eq!(by_name.len(), SESSIONS * EACH);
    for session in 0..SESSIONS {
        for number in 0..EACH {
            let sent = numbered(session, number);
            let arrived = by_name.get(&sent.name).map(Vec::as_slice);
            assert!(arrived == Some(&sent.octets[..]), "{} changed", sent.name);
        }
    }
    postfix.stop();
    let deferred = postfix.count_lines(&["status=deferred"]);
    let sent = postfix.count_lines(&["status=sent"]);
    assert_eq!((sent, deferred), (SESSIONS * EACH, 0));
}

/// A message of this number, with dots and octets over 127 in its body, of a length of its own.
fn numbered(session: usize, number: usize) -> Mail {
    let mut rest = format!("Subject: {number}\r\n\r\n.\r\n..{session}\r\n").into_bytes();
    for line in 0..number * 7 + session {
        rest.extend_from_slice(format!("{line} gr").as_bytes());
        rest.extend_from_slice(b"\xfc\xdfe\r\n");
    }
    Mail::new(&format!("from-{session}-{number}"), &rest)
}

#[test]
#[ignore = "needs postfix"]
fn every_kind_of_message() {
    let folder = folder();
    let port = free_port();
    let Some(postfix) = relaying(folder.path(), port, "") else {
        return;
    };
    let server = server(folder.path(), port, None, "");
    let mut kinds = mails::kinds();
    for mail in &kinds {
        submit(postfix.address, &["a@here.test", "b@here.test"], mail);
    }
    let utf8 = mails::utf8("utf8");
    submit(postfix.address, &["jörg@here.test", "b@here.test"], &utf8);
    kinds.push(utf8);
    let found = server.wait_for_messages(2 * kinds.len());
    for (mailbox, mails) in [
        ("a", &kinds[..kinds.len() - 1]),
        ("b", &kinds[..]),
        // Not ASCII is escaped in the names of folders.
        ("j%c3%b6rg", &kinds[kinds.len() - 1..]),
    ] {
        let its = found.iter().filter(|message| {
            let folder = format!("/here.test/{mailbox}/");
            message.path.to_string_lossy().contains(&folder)
        });
        let its: Vec<_> = its.map(|message| mails::arrived(&message.octets)).collect();
        assert_eq!(its.len(), mails.len(), "{mailbox}");
        for mail in mails {
            assert_arrived(&its, mail);
        }
    }
    println!(
        "left out: Postfix as client, CHUNKING: its client sends DATA only (its server takes BDAT)"
    );
}

#[test]
#[ignore = "needs postfix"]
fn commands_come_in_one_go() {
    let folder = folder();
    let port = free_port();
    let Some(postfix) = relaying(folder.path(), port, "debug_peer_list = 127.0.0.1") else {
        return;
    };
    let server = server(folder.path(), port, None, "");
    submit(
        postfix.address,
        &["a@here.test", "b@here.test"],
        &Mail::short("pipelined"),
    );
    server.wait_for_messages(2);
    postfix.wait_for_line(&["/smtp[", "]: > ", "QUIT"]);
    let log = postfix.log();
    let said: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("/smtp[") && line.contains(&format!("]:{port}: ")))
        .filter_map(|line| line.split_once(&format!("]:{port}: ")))
        .map(|(before, said)| {
            if before.contains("]: < ") {
                "reply"
            } else {
                said
            }
        })
        .collect();
    let mail = said.iter().position(|said| said.starts_with("MAIL FROM:"));
    let mail = mail.expect("it said MAIL");
    let verbs = said[mail..]
        .iter()
        .take(4)
        .map(|said| said.split(' ').next());
    let verbs: Vec<&str> = verbs.flatten().collect();
    assert_eq!(verbs, ["MAIL", "RCPT", "RCPT", "DATA"], "{said:?}");
}

#[test]
#[ignore = "needs postfix"]
fn what_is_refused_for_good_postfix_bounces_with_our_words() {
    let folder = folder();
    let port = free_port();
    let Some(postfix) = relaying(folder.path(), port, "") else {
        return;
    };
    let server = server(folder.path(), port, None, "");
    let mail = Mail::short("bounces");
    submit(
        postfix.address,
        &["anna@listed.test", "nobody@listed.test"],
        &mail,
    );
    let found = server.wait_for_messages(2);
    let texts = found.iter().map(|m| String::from_utf8_lossy(&m.octets));
    let bounces: Vec<_> = texts
        .filter(|text| text.contains("Action: failed"))
        .collect();
    assert_eq!(bounces.len(), 1);
    for part in [
        "Reporting-MTA: dns; postfix.test",
        "Final-Recipient: rfc822; nobody@listed.test",
        "Remote-MTA: dns; ",
        "Diagnostic-Code: smtp; 550 5.1.1",
    ] {
        assert!(
            bounces[0].contains(part),
            "{part} is not in\n{}",
            bounces[0]
        );
    }
    postfix.wait_for_line(&["to=<anna@listed.test>", "status=sent"]);
    postfix.wait_for_line(&["to=<nobody@listed.test>", "status=bounced"]);
}

#[test]
#[ignore = "needs postfix"]
fn what_is_refused_for_now_postfix_defers_and_brings_later() {
    let folder = folder();
    let port = free_port();
    let Some(postfix) = relaying(folder.path(), port, "") else {
        return;
    };
    let mail = Mail::short("later");
    // No room on the disk, and then no room in memory for the recipient.
    let full = "[spool]\nfree_space_floor = \"1024 GiB\"\nsegment_size = \"1 MiB\"\n";
    let crowded = "[limits]\nenvelope_memory = \"1 KiB\"\n";
    let mut first = server(folder.path(), port, None, full);
    submit(postfix.address, &["box@here.test"], &mail);
    postfix.wait_for_line(&["to=<box@here.test>", "status=deferred", " 421 "]);
    first.terminate();
    let mut next = server(folder.path(), port, None, crowded);
    postfix.wait_for_line(&["to=<box@here.test>", "status=deferred", " 452 4.3.1 "]);
    next.terminate();
    assert_eq!(next.wait_for_messages(0).len(), 0);
    let second = server(folder.path(), port, None, "");
    postfix.wait_for_line(&["to=<box@here.test>", "status=sent"]);
    let found = second.wait_for_messages(1);
    let found: Vec<_> = found.iter().map(|m| mails::arrived(&m.octets)).collect();
    assert_eq!(found.len(), 1);
    assert_arrived(&found, &mail);
}

#[test]
#[ignore = "needs postfix"]
fn a_sender_at_postfix_hears_that_we_delivered() {
    let folder = folder();
    let port = free_port();
    let Some(postfix) = relaying(folder.path(), port, "") else {
        return;
    };
    let server = server(folder.path(), port, Some(&postfix), "");
    let mut sendmail = postfix.command("sendmail", "-C");
    sendmail.args(["-i", "-G", "-f", &format!("box@{DOMAIN}")]);
    sendmail.args([
        "-N",
        "success",
        "-V",
        "QQ271828",
        "-R",
        "hdrs",
        "anna@here.test",
    ]);
    let mut child = sendmail
        .stdin(Stdio::piped())
        .spawn()
        .expect("start sendmail");
    let mail = Mail::short("to-be-told");
    let with_lf: Vec<u8> = mail
        .octets
        .iter()
        .copied()
        .filter(|b| *b != b'\r')
        .collect();
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(&with_lf).expect("write to it");
    drop(stdin);
    assert!(child.wait().expect("its end").success());
    let found = server.wait_for_messages(1);
    assert_arrived(&[mails::arrived(&found[0].octets)], &mail);
    let notices = mails::wait_for(&postfix.mailbox("box"), 1);
    let text = &notices[0].trace;
    for part in [
        "Return-Path: <>",
        "Reporting-MTA: dns; mx.test",
        "Original-Envelope-Id: QQ271828",
        "Original-Recipient: rfc822; anna@here.test",
        "Action: delivered",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

/// Two servers that take each other for the way to a domain; what the sender is told of it, once.
fn go_round(settings: &str, told: &str) {
    let folder = folder();
    let port = free_port();
    let Some(postfix) = relaying(folder.path(), port, settings) else {
        return;
    };
    let there = route("loop.test", &format!("smtp://{}", postfix.address));
    let server = server(folder.path(), port, None, &there);
    let mail = Mail::short("goes-round");
    submit(server.address, &["box@loop.test"], &mail);
    let notices = server.wait_for_messages(1);
    let text = String::from_utf8_lossy(&notices[0].octets);
    assert!(text.contains("Action: failed"), "{text}");
    assert!(text.contains(told), "{text}");
    server.wait_until("the queue to be empty", || server.queue().is_empty());
    assert_eq!(server.wait_for_messages(1).len(), 1);
    let rounds = postfix.count_lines(&["to=<box@loop.test>", "status=sent"]);
    println!("a message went round {rounds} times before its loop was seen");
}

#[test]
#[ignore = "needs postfix"]
fn a_loop_that_postfix_sees_ends_with_one_notice() {
    go_round("", "Diagnostic-Code: smtp; 554 5.4.0 Error: too many hops");
}

#[test]
#[ignore = "needs postfix"]
fn a_loop_that_we_see_ends_with_one_notice() {
    go_round("\nhopcount_limit = 1000", "Status: 5.4.6");
}

#[test]
#[ignore = "needs postfix"]
fn postfix_logs_in_under_tls() {
    let folder = folder();
    let port = free_port();
    let own = folder.path().join("postroad");
    std::fs::create_dir_all(&own).expect("make a folder");
    tls::certificates(&own);
    tls::users(&own, ["postfix a-secret"]);
    let settings = format!(
        "smtp_tls_security_level = verify\nsmtp_tls_CAfile = {}\nsmtp_tls_verify_cert_match = mx.test\n\
         smtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\n\
         smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{port} = postfix:a-secret }} }}",
        own.join("authority.pem").display()
    );
    let Some(postfix) = relaying(folder.path(), port, &settings) else {
        return;
    };
    let submission = format!(
        "{}\n[auth]\npasswords = \"passwords\"\nsenders = \"any\"\n\n[[domain]]\nname = \"listed.test\"\n\
         mailboxes = [\"anna\"]\n\n[[listener]]\naddress = \"127.0.0.1:{port}\"\ntls = \"required\"\nauth = \"required\"\n",
        tls::SETTINGS
    );
    let server = postroad(folder.path(), &submission);
    submit(
        postfix.address,
        &["anna@listed.test"],
        &Mail::short("logged-in"),
    );
    let found = server.wait_for_messages(1);
    let message = String::from_utf8_lossy(&found[0].octets);
    assert!(message.contains("with ESMTPSA"), "{message}");
    let login = server.wait_for_line(|line| line.contains("login.accepted"));
    // The best that both know.
    assert!(login.contains("SCRAM-SHA-256"), "{login}");
    postfix.wait_for_line(&["to=<anna@listed.test>", "status=sent"]);
}
