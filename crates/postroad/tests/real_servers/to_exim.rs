//! Exim as next hop.

use std::collections::BTreeSet;
use std::path::Path;

use crate::exim::{DOMAIN, Exim};
use crate::harness::Server;
use crate::mails::{self, Mail, assert_arrived, submit, submit_with};
use crate::program::{folder, free_port, may_start, postroad, route, wait_until};

/// A server whose route leads to an Exim, which sends its own notices back to it.
fn pair(folder: &Path, chunking: bool) -> Option<(Server, Exim)> {
    if !may_start("Exim") {
        return None;
    }
    let port = free_port();
    let server = postroad(folder, &route(DOMAIN, &format!("smtp://127.0.0.1:{port}")));
    let exim = Exim::start(folder, port, server.address.port(), chunking);
    Some((server, exim))
}

fn at(local_part: &str) -> String {
    format!("{local_part}@{DOMAIN}")
}

fn send_every_kind(chunking: bool) {
    let folder = folder();
    let Some((server, exim)) = pair(folder.path(), chunking) else {
        return;
    };
    let mut kinds = mails::kinds();
    for mail in &kinds {
        submit(server.address, &[&at("box")], mail);
    }
    let utf8 = mails::utf8("utf8");
    submit(server.address, &[&at("jörg")], &utf8);
    kinds.push(utf8);
    let found = mails::wait_for(&exim.mailbox(), kinds.len());
    for mail in &kinds {
        assert_arrived(&found, mail);
    }
    for mail in &found {
        assert!(
            mail.trace.contains("Return-path: <sender@here.test>"),
            "{}",
            mail.trace
        );
    }
    // K stands for CHUNKING in its log.
    let by_bdat = exim.count_lines(" K ");
    assert_eq!(by_bdat, if chunking { kinds.len() } else { 0 });
    assert_eq!(server.wait_for_messages(0).len(), 0, "a notice was sent");
}

#[test]
#[ignore = "needs exim"]
fn every_kind_of_message_by_bdat() {
    send_every_kind(true);
}

#[test]
#[ignore = "needs exim"]
fn every_kind_of_message_by_data() {
    send_every_kind(false);
}

#[test]
#[ignore = "needs exim"]
fn who_is_refused_comes_back_with_the_words_of_exim() {
    let folder = folder();
    let Some((server, exim)) = pair(folder.path(), true) else {
        return;
    };
    let mail = Mail::short("one-of-two");
    submit(server.address, &[&at("bounce"), &at("box")], &mail);
    submit(server.address, &[&at("box")], &Mail::short("refused"));
    let mut told: Vec<String> = server
        .wait_for_messages(2)
        .iter()
        .filter_map(|notice| notice.line_after("Diagnostic-Code:"))
        .collect();
    told.sort_unstable();
    let expected = [
        "smtp; 550 5.1.6 moved without a trace",
        "smtp; 550 5.7.1 that is not read here",
    ];
    assert_eq!(told, expected);
    assert_arrived(&mails::wait_for(&exim.mailbox(), 1), &mail);
}

#[test]
#[ignore = "needs exim"]
fn what_exim_defers_is_tried_again_and_arrives_once() {
    let folder = folder();
    let Some((server, exim)) = pair(folder.path(), true) else {
        return;
    };
    let mail = Mail::short("later");
    submit(server.address, &[&at("later")], &mail);
    wait_until("a second attempt", || {
        exim.count_lines("temporarily rejected RCPT") >= 2
    });
    exim.open();
    assert_arrived(&mails::wait_for(&exim.mailbox(), 1), &mail);
    assert_eq!(server.wait_for_messages(0).len(), 0, "a notice was sent");
}

#[test]
#[ignore = "needs exim"]
fn who_asked_for_it_hears_of_delivery_from_exim() {
    let folder = folder();
    let Some((server, exim)) = pair(folder.path(), true) else {
        return;
    };
    let recipient = at("box") + " NOTIFY=SUCCESS ORCPT=rfc822;first@there.test";
    let mail = Mail::short("asked");
    submit_with(
        server.address,
        "RET=HDRS ENVID=QQ314159",
        &[&recipient],
        &mail,
    );
    mails::wait_for(&exim.mailbox(), 1);
    let notices = server.wait_for_messages(1);
    let text = String::from_utf8_lossy(&notices[0].octets).to_lowercase();
    for part in [
        "reporting-mta: dns; exim.test",
        "original-envelope-id: qq314159",
        "original-recipient: rfc822;first@there.test",
        "action: delivered",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(notices.len(), 1);
}

#[test]
#[ignore = "needs exim"]
fn a_connection_that_exim_ends_after_some_messages_is_replaced() {
    const MESSAGES: usize = 200;
    let folder = folder();
    let Some((server, exim)) = pair(folder.path(), true) else {
        return;
    };
    let mut client = mails::open(server.address);
    for number in 0..MESSAGES {
        let mail = Mail::short(&format!("burst-{number}"));
        let code = mails::transaction(&mut client, "", &[&at("box")], &mail);
        assert_eq!(code.expect("a reply"), 250);
    }
    let found = mails::wait_for(&exim.mailbox(), MESSAGES);
    let names: BTreeSet<String> = found.iter().map(|found| found.name()).collect();
    assert_eq!(names.len(), MESSAGES, "some came twice");
    let lines = server.lines();
    let deferred: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("delivery.deferred"))
        .collect();
    assert!(deferred.is_empty(), "{deferred:#?}");
    assert!(exim.count_lines("too many messages") > 0, "{}", exim.log());
}
