//! Dovecot's LMTP as the place of a local domain's mailboxes.

use std::path::Path;
use std::time::Duration;

use crate::dovecot::{DOMAIN, Dovecot};
use crate::harness::Server;
use crate::mails::{self, Mail, assert_arrived, submit};
use crate::program::{folder, may_start, postroad, route, wait_until};

/// A server with the domain of a Dovecot, whose mailboxes are there.
fn pair(
    folder: &Path,
    settings: &str,
    next_hop: impl Fn(&Dovecot) -> String,
) -> Option<(Server, Dovecot)> {
    if !may_start("Dovecot") {
        return None;
    }
    let dovecot = Dovecot::start(folder, settings);
    let domain = format!(
        "{}\n[[domain]]\nname = \"{DOMAIN}\"\nmailboxes = [\"box\", \"second\", \"full\", \"gone\", \"jörg\"]\n",
        route(DOMAIN, &next_hop(&dovecot))
    );
    let server = postroad(folder, &domain);
    Some((server, dovecot))
}

fn at(local_part: &str) -> String {
    format!("{local_part}@{DOMAIN}")
}

fn send_every_kind(next_hop: impl Fn(&Dovecot) -> String) {
    let folder = folder();
    let Some((server, dovecot)) = pair(folder.path(), "", next_hop) else {
        return;
    };
    let kinds = mails::kinds();
    for mail in &kinds {
        submit(server.address, &[&at("box"), &at("second")], mail);
    }
    for mailbox in ["box", "second"] {
        let found = mails::wait_for(&dovecot.mailbox(mailbox), kinds.len());
        for mail in &kinds {
            assert_arrived(&found, mail);
        }
        for mail in &found {
            assert!(
                mail.trace
                    .starts_with("Return-Path: <sender@here.test>\r\n")
            );
            assert_eq!(mail.trace.matches("Return-Path:").count(), 1);
            assert!(mail.trace.contains("by mx.test"), "{}", mail.trace);
        }
    }
    assert_eq!(server.wait_for_messages(0).len(), 0, "a notice was sent");
}

#[test]
#[ignore = "needs dovecot"]
fn every_kind_of_message_by_a_unix_socket() {
    send_every_kind(Dovecot::by_unix_socket);
}

#[test]
#[ignore = "needs dovecot"]
fn every_kind_of_message_by_tcp() {
    send_every_kind(Dovecot::by_tcp);
}

#[test]
#[ignore = "needs dovecot"]
fn each_recipient_of_a_transaction_has_an_outcome_of_its_own() {
    let folder = folder();
    let Some((server, dovecot)) = pair(folder.path(), "", Dovecot::by_unix_socket) else {
        return;
    };
    let mail = Mail::short("four-outcomes");
    let told = at("second") + " NOTIFY=SUCCESS";
    let recipients = [&at("full"), &at("box"), &at("gone"), &told];
    submit(server.address, &recipients.map(String::as_str), &mail);
    for mailbox in ["box", "second"] {
        assert_arrived(&mails::wait_for(&dovecot.mailbox(mailbox), 1), &mail);
    }
    let mut told: Vec<(String, String, String)> = Vec::new();
    wait_until("all outcomes to be told", || {
        let notices = server.wait_for_messages(1);
        told = notices.iter().flat_map(|n| outcomes(&n.octets)).collect();
        told.len() >= 3
    });
    told.sort_unstable();
    let expected = [
        ("box", "", ""),
        ("full", "failed", "5.2.2"),
        ("gone", "failed", "5.1.1"),
        ("second", "delivered", "2.0.0"),
    ];
    let expected = expected[1..]
        .iter()
        .map(|(name, action, status)| (at(name), (*action).to_owned(), (*status).to_owned()));
    assert_eq!(told, expected.collect::<Vec<_>>());
    // Nobody gets it a second time.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(mails::in_maildir(&dovecot.mailbox("box")).len(), 1);
    assert_eq!(dovecot.log().matches("saved mail to INBOX").count(), 2);
}

/// Recipient, action and status of each recipient of a notice (RFC 3464 2.3).
fn outcomes(notice: &[u8]) -> Vec<(String, String, String)> {
    let text = String::from_utf8_lossy(notice);
    let field = |part: &str, name: &str| {
        let line = part.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let parts = text
        .split("\r\n\r\n")
        .filter(|part| part.contains("Final-Recipient: "));
    parts
        .map(|part| {
            let recipient = field(part, "Final-Recipient: rfc822;");
            (recipient, field(part, "Action:"), field(part, "Status:"))
        })
        .collect()
}

#[test]
#[ignore = "needs dovecot"]
fn who_is_full_for_now_gets_it_later() {
    let folder = folder();
    let settings = "quota_full_tempfail = yes";
    let Some((server, dovecot)) = pair(folder.path(), settings, Dovecot::by_tcp) else {
        return;
    };
    let mail = Mail::short("later");
    submit(server.address, &[&at("full"), &at("box")], &mail);
    wait_until("a second attempt", || {
        dovecot.log().matches("Quota exceeded").count() >= 2
    });
    dovecot.give_room(100_000);
    assert_arrived(&mails::wait_for(&dovecot.mailbox("full"), 1), &mail);
    assert_arrived(&mails::wait_for(&dovecot.mailbox("box"), 1), &mail);
    assert_eq!(server.wait_for_messages(0).len(), 0, "a notice was sent");
}

#[test]
#[ignore = "needs dovecot"]
fn what_needs_smtputf8_comes_back() {
    let folder = folder();
    let Some((server, _dovecot)) = pair(folder.path(), "", Dovecot::by_tcp) else {
        return;
    };
    submit(server.address, &[&at("box")], &mails::utf8("utf8"));
    let notices = server.wait_for_messages(1);
    assert_eq!(notices[0].line_after("Status:").as_deref(), Some("5.6.7"));
    println!("left out: Dovecot, UTF-8 addresses: its LMTP 2.3 doesn't offer SMTPUTF8");
}
