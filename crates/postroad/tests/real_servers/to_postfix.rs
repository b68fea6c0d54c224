//! Postfix as next hop.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::Server;
use crate::mails::{self, Mail, assert_arrived, submit, submit_with};
use crate::postfix::{DOMAIN, Postfix};
use crate::program::{folder, may_start, postroad, route, wait_until};

/// A server whose route leads to a Postfix, which sends its own notices back to it.
fn pair(folder: &Path, settings: &str) -> Option<(Server, Postfix)> {
    pair_with(folder, "", settings)
}

/// The same with more under `[delivery]`.
fn pair_with(folder: &Path, delivery: &str, settings: &str) -> Option<(Server, Postfix)> {
    if !may_start("Postfix") {
        return None;
    }
    // Each has to know where the other is: the address of Postfix is chosen before it starts.
    let postfix = Postfix::configure(folder, 0, settings);
    let next_hop = format!("smtp://{}", postfix.address);
    let server = postroad(folder, &(delivery.to_owned() + &route(DOMAIN, &next_hop)));
    let back = format!("here.test smtp:[127.0.0.1]:{}\n", server.address.port());
    postfix.write("transport", &back);
    Some((server, postfix.start()))
}

/// An address there.
fn at(local_part: &str) -> String {
    format!("{local_part}@{DOMAIN}")
}

/// Every kind of message arrives as it was sent; the Postfix, to look at what was said to it.
fn send_every_kind(folder: &Path, settings: &str) -> Option<Postfix> {
    let (mut server, postfix) = pair(folder, settings)?;
    let kinds = mails::kinds();
    for mail in &kinds {
        submit(server.address, &[&at("box"), &at("bin")], mail);
    }
    let utf8 = mails::utf8("utf8");
    submit(server.address, &[&at("jörg")], &utf8);
    for mailbox in ["box", "bin"] {
        let found = mails::wait_for(&postfix.mailbox(mailbox), kinds.len());
        for mail in &kinds {
            assert_arrived(&found, mail);
        }
        for mail in &found {
            assert!(mail.trace.contains("Return-Path: <sender@here.test>"));
            assert!(mail.trace.contains("by mx.test"), "{}", mail.trace);
        }
    }
    assert_arrived(&mails::wait_for(&postfix.mailbox("joerg"), 1), &utf8);
    assert_eq!(server.wait_for_messages(0).len(), 0, "a notice was sent");
    // It says QUIT at its end; then Postfix sums up. Two recipients of a message are one transaction.
    server.terminate();
    let transactions = kinds.len() + 1;
    wait_until("all transactions to be counted", || {
        postfix.count_commands("mail") >= transactions
    });
    assert_eq!(postfix.count_commands("mail"), transactions);
    Some(postfix)
}

#[test]
#[ignore = "needs postfix"]
fn every_kind_of_message_by_bdat() {
    let folder = folder();
    if let Some(postfix) = send_every_kind(folder.path(), "") {
        assert_eq!(postfix.count_commands("data"), 0);
        assert!(postfix.count_commands("bdat") > mails::kinds().len());
    }
}

#[test]
#[ignore = "needs postfix"]
fn every_kind_of_message_by_data() {
    let folder = folder();
    let settings = "smtpd_discard_ehlo_keywords = chunking, silent-discard";
    if let Some(postfix) = send_every_kind(folder.path(), settings) {
        assert_eq!(postfix.count_commands("bdat"), 0);
        assert_eq!(postfix.count_commands("data"), mails::kinds().len() + 1);
    }
}

#[test]
#[ignore = "needs postfix"]
fn a_server_without_8bitmime_or_smtputf8_gets_only_what_it_can_take() {
    let folder = folder();
    let settings = "smtpd_discard_ehlo_keywords = 8bitmime, smtputf8, silent-discard\n\
        message_size_limit = 200000";
    let Some((server, postfix)) = pair(folder.path(), settings) else {
        return;
    };
    let can = ["short", "empty-body", "dots", "longest-lines"];
    for mail in mails::kinds() {
        submit(server.address, &[&at("box")], &mail);
    }
    submit(server.address, &[&at("box")], &mails::utf8("utf8"));
    submit(
        server.address,
        &[&at("jörg")],
        &Mail {
            utf8: true,
            ..Mail::short("jörg")
        },
    );
    let found = mails::wait_for(&postfix.mailbox("box"), can.len());
    for mail in mails::kinds()
        .iter()
        .filter(|m| can.contains(&m.name.as_str()))
    {
        assert_arrived(&found, mail);
    }
    let mut statuses: Vec<String> = server
        .wait_for_messages(4)
        .iter()
        .filter_map(|notice| notice.line_after("Status:"))
        .collect();
    statuses.sort_unstable();
    // The message, and the address alone (RFC 6531 3.2); then what is too big by SIZE (RFC 1870).
    assert_eq!(statuses, ["5.3.4", "5.6.3", "5.6.7", "5.6.7"]);
}

#[test]
#[ignore = "needs postfix"]
fn who_asked_for_it_hears_of_delivery_from_postfix() {
    let folder = folder();
    let Some((server, postfix)) = pair(folder.path(), "") else {
        return;
    };
    let recipient = at("box") + " NOTIFY=SUCCESS ORCPT=rfc822;first@there.test";
    submit_with(
        server.address,
        "RET=HDRS ENVID=QQ314159",
        &[&recipient],
        &Mail::short("asked"),
    );
    mails::wait_for(&postfix.mailbox("box"), 1);
    let notices = server.wait_for_messages(1);
    let text = String::from_utf8_lossy(&notices[0].octets);
    for part in [
        "Reporting-MTA: dns; postfix.test",
        "Original-Envelope-Id: QQ314159",
        "Original-Recipient: rfc822;first@there.test",
        "Action: delivered",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    // Who passed the wish on says nothing (RFC 3461 5.2.2).
    assert!(!text.contains("Action: relayed"), "{text}");
    postfix.wait_for_line(&["status=sent", "to=<sender@here.test>"]);
    assert_eq!(server.wait_for_messages(1).len(), 1);
}

#[test]
#[ignore = "needs postfix"]
fn who_asked_for_it_hears_that_mail_went_where_nobody_tells() {
    let folder = folder();
    let settings = "smtpd_discard_ehlo_keywords = dsn, silent-discard";
    let Some((server, _postfix)) = pair(folder.path(), settings) else {
        return;
    };
    let recipient = at("box") + " NOTIFY=SUCCESS";
    submit(server.address, &[&recipient], &Mail::short("asked"));
    let notices = server.wait_for_messages(1);
    let text = String::from_utf8_lossy(&notices[0].octets);
    assert!(text.contains("Reporting-MTA: dns; mx.test"), "{text}");
    assert!(text.contains("Action: relayed"), "{text}");
}

#[test]
#[ignore = "needs postfix"]
fn who_is_refused_comes_back_with_the_words_of_postfix() {
    let folder = folder();
    let Some((server, postfix)) = pair(folder.path(), "") else {
        return;
    };
    let both = [at("box"), at("nobody")];
    submit(
        server.address,
        &[&both[0], &both[1]],
        &Mail::short("one-of-two"),
    );
    submit(server.address, &[&both[0]], &Mail::short("refused"));
    let notices = server.wait_for_messages(2);
    // A long line is folded.
    let unfolded = |octets: &[u8]| {
        let text = String::from_utf8_lossy(octets);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let texts: Vec<String> = notices.iter().map(|n| unfolded(&n.octets)).collect();
    let text = |words: &str| {
        let with = texts.iter().find(|text| text.contains(words));
        with.unwrap_or_else(|| panic!("no notice has {words:?}:\n{texts:#?}"))
    };
    let of_recipient = text("Recipient address rejected: User unknown");
    assert!(of_recipient.contains("Final-Recipient: rfc822; nobody@postfix.test"));
    assert!(!of_recipient.contains("Final-Recipient: rfc822; box@postfix.test"));
    assert!(
        of_recipient.contains("Diagnostic-Code: smtp; 550 5.1.1"),
        "{of_recipient}"
    );
    let of_message = text("that is not read here");
    assert!(of_message.contains("Status: 5.7.1"), "{of_message}");
    let found = mails::wait_for(&postfix.mailbox("box"), 1);
    assert_arrived(&found, &Mail::short("one-of-two"));
}

#[test]
#[ignore = "needs postfix"]
fn what_postfix_defers_is_tried_again_and_arrives_once() {
    let folder = folder();
    // Each attempt has a connection of its own: a process of Postfix keeps the configuration it began with.
    let each = "connection_idle = \"0s\"\n";
    let Some((server, mut postfix)) = pair_with(folder.path(), each, "") else {
        return;
    };
    postfix.write(
        "access",
        &format!("{} 450 4.2.0 come back later\n", at("bin")),
    );
    postfix.tell("reload");
    let deferred = Mail::short("deferred");
    submit(server.address, &[&at("box"), &at("bin")], &deferred);
    wait_until("a second attempt", || {
        postfix.count_lines(&["reject: RCPT", "450 4.2.0"]) >= 2
    });
    postfix.write("access", "");
    postfix.tell("reload");
    for mailbox in ["box", "bin"] {
        assert_arrived(&mails::wait_for(&postfix.mailbox(mailbox), 1), &deferred);
    }
    // Nobody listens for a while.
    postfix.stop();
    let waiting = Mail::short("waiting");
    submit(server.address, &[&at("box")], &waiting);
    server.wait_for_line(|line| line.contains("efused") || line.contains("deferred"));
    postfix.start_again();
    assert_arrived(&mails::wait_for(&postfix.mailbox("box"), 2), &waiting);
    assert_eq!(server.wait_for_messages(0).len(), 0, "a notice was sent");
}

#[test]
#[ignore = "needs postfix"]
fn more_recipients_than_postfix_takes_at_once_go_in_further_transactions() {
    const RECIPIENTS: usize = 120;
    let folder = folder();
    let Some((mut server, mut postfix)) = pair(folder.path(), "smtpd_recipient_limit = 50") else {
        return;
    };
    postfix.stop();
    // Everybody there has the same mailbox.
    postfix.write("boxes", &format!("@{DOMAIN} box/\n"));
    postfix.start_again();
    let recipients: Vec<String> = (0..RECIPIENTS).map(|n| at(&format!("r{n}"))).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let mail = Mail::short("to-many");
    submit(server.address, &recipients, &mail);
    let found = mails::wait_for(&postfix.mailbox("box"), RECIPIENTS);
    let to = |trace: &str| {
        let field = trace
            .lines()
            .find_map(|line| line.strip_prefix("Delivered-To: "));
        field.unwrap_or_default().to_owned()
    };
    let reached: BTreeSet<String> = found.iter().map(|mail| to(&mail.trace)).collect();
    assert_eq!(reached.len(), RECIPIENTS);
    assert!(found.iter().all(|found| found.octets == mail.octets));
    // It is over its limit, and in no trouble: nobody has to wait for the next attempt.
    let deferred = server
        .lines()
        .iter()
        .filter(|line| line.contains("delivery.deferred"))
        .count();
    assert_eq!(deferred, 0);
    server.terminate();
    // Those that it refused for the moment were named again.
    wait_until("named again", || {
        postfix.count_commands("rcpt") > RECIPIENTS
    });
    assert!(postfix.count_commands("mail") <= 5);
}

#[test]
#[ignore = "needs postfix"]
fn who_makes_too_many_errors_for_postfix_is_served_all_the_same() {
    const UNKNOWN: usize = 45;
    let folder = folder();
    // After 20 errors it says 421 and closes.
    let settings = "smtpd_error_sleep_time = 0\nsmtpd_hard_error_limit = 20";
    let Some((server, postfix)) = pair(folder.path(), settings) else {
        return;
    };
    let mut recipients: Vec<String> = (0..UNKNOWN).map(|n| at(&format!("r{n}"))).collect();
    recipients.push(at("box"));
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let mail = Mail::short("one-of-many");
    submit(server.address, &recipients, &mail);
    assert_arrived(&mails::wait_for(&postfix.mailbox("box"), 1), &mail);
    let mut told: Vec<String> = Vec::new();
    wait_until("everybody to be told of", || {
        let notices = server.wait_for_messages(0);
        let texts = notices.iter().map(|n| String::from_utf8_lossy(&n.octets));
        let text: String = texts.collect();
        let lines = text.lines().map(str::to_owned);
        told = lines
            .filter(|line| line.starts_with("Final-Recipient:"))
            .collect();
        told.len() >= UNKNOWN
    });
    let once: BTreeSet<&String> = told.iter().collect();
    assert_eq!(once.len(), told.len(), "{told:?}");
    assert_eq!(told.len(), UNKNOWN);
    assert!(postfix.count_lines(&["too many errors"]) >= 2);
}

#[test]
#[ignore = "needs postfix"]
fn postfix_gets_no_binary_message() {
    let folder = folder();
    // It offers CHUNKING and 8BITMIME, and not BINARYMIME.
    let Some((server, mut postfix)) = pair(folder.path(), "") else {
        return;
    };
    for (body, reply) in [(" BODY=BINARYMIME", 250), ("", 554)] {
        let mut client = mails::open(server.address);
        client.expect(&format!("MAIL FROM:<sender@here.test>{body}"), 250);
        client.expect(&format!("RCPT TO:<{}>", at("box")), 250);
        let octets = b"Subject: binary\r\n\r\n\0\n.\n\r";
        let line = format!("BDAT {} LAST\r\n", octets.len());
        client
            .raw(&[line.as_bytes(), octets].concat())
            .expect("send it");
        assert_eq!(client.reply().expect("a reply").0, reply);
    }
    submit(server.address, &[&at("box")], &Mail::short("text"));
    let notices = server.wait_for_messages(1);
    assert_eq!(notices[0].line_after("Status:").as_deref(), Some("5.6.3"));
    assert_arrived(
        &mails::wait_for(&postfix.mailbox("box"), 1),
        &Mail::short("text"),
    );
    postfix.stop();
    assert_eq!(postfix.count_lines(&["postfix/qmgr", "queue active"]), 1);
}

#[test]
#[ignore = "needs postfix"]
fn a_burst_goes_over_few_connections() {
    const MESSAGES: usize = 500;
    let folder = folder();
    let Some((server, mut postfix)) = pair(folder.path(), "") else {
        return;
    };
    let senders: Vec<_> = (0..10)
        .map(|sender| {
            let to = server.address;
            std::thread::spawn(move || {
                let mut client = mails::open(to);
                for number in 0..MESSAGES / 10 {
                    let mail = Mail::short(&format!("burst-{sender}-{number}"));
                    let code = mails::transaction(&mut client, "", &[&at("box")], &mail);
                    assert_eq!(code.expect("a reply"), 250);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().expect("a sender");
    }
    let found = mails::wait_for(&postfix.mailbox("box"), MESSAGES);
    let names: BTreeSet<String> = found.iter().map(|m| m.name()).collect();
    assert_eq!(names.len(), MESSAGES, "some came twice");
    postfix.stop();
    let connections = postfix.count_lines(&["]: connect from"]);
    println!("{MESSAGES} messages went to Postfix over {connections} connections");
    assert!(connections <= 40, "{connections} connections");
}
