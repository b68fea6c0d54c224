//! Runs of recipients.

use postroad_reply::RcptReply;

use crate::driver::{Driver, settings};

fn begun() -> Driver {
    let mut driver = Driver::greeted(settings());
    driver.say("MAIL FROM:<a@client.example>\r\n");
    driver
}

#[test]
fn a_run_is_asked_about_together_and_answered_in_order() {
    let mut driver = begun();
    let reply = driver.say(
        "RCPT TO:<b@mx.example>\r\nRCPT TO:<refused@mx.example>\r\nRCPT TO:b\r\n\
         RCPT TO:<\u{e4}@mx.example>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n",
    );
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(codes, ["250", "550", "501", "553", "250", "354"]);
    assert_eq!(driver.log.batches, [3]);
    assert_eq!(
        driver.log.recipients,
        ["b@mx.example", "refused@mx.example", "postmaster"]
    );
}

#[test]
fn a_recipient_that_cannot_be_read_was_tried_and_refused() {
    // RFC 5321 3.3: no valid recipient, which is no fault of a client that pipelines.
    for recipients in [
        "RCPT TO:<>\r\n",
        "RCPT TO:<>\r\nRCPT TO:b\r\n",
        "RCPT TO:<refused@mx.example>\r\nRCPT TO:<b>\r\n",
    ] {
        let mut driver = begun();
        let reply = driver.say(format!("{recipients}DATA\r\n"));
        let last = reply.lines().last();
        assert_eq!(
            last,
            Some("554 5.5.1 Transaction failed: no valid recipients")
        );
    }
    let reply = begun().say("RCPTTO:<b@mx.example>\r\nDATA\r\n");
    assert!(
        reply.ends_with("503 5.5.1 Bad sequence of commands\r\n"),
        "{reply}"
    );
}

#[test]
fn a_run_is_cut_at_64() {
    let mut driver = begun();
    let run = (0..150)
        .map(|n| format!("RCPT TO:<b{n}@mx.example>\r\n"))
        .collect::<String>();
    let reply = driver.say(run + "NOOP\r\n");
    assert_eq!(reply.lines().count(), 151);
    assert_eq!(driver.log.batches, [64, 64, 22]);
    let in_order = (0..150)
        .map(|n| format!("b{n}@mx.example"))
        .collect::<Vec<_>>();
    assert_eq!(driver.log.recipients, in_order);
}

#[test]
fn one_command_by_itself_is_not_kept_waiting() {
    let mut driver = begun();
    assert!(
        driver
            .say("RCPT TO:<b@mx.example>\r\nRCPT TO:<c@m")
            .starts_with("250 2.1.5")
    );
    assert!(driver.say("x.example>\r\n").starts_with("250 2.1.5"));
    assert_eq!(driver.log.batches, [1, 1]);
}

#[test]
fn too_many_recipients_are_452_and_those_before_stay() {
    let mut settings = settings();
    settings.limits.recipients = 100;
    let mut driver = Driver::greeted(settings);
    driver.say("MAIL FROM:<>\r\n");
    // Refused ones take no room.
    let run =
        "RCPT TO:<refused@mx.example>\r\n".repeat(5) + &"RCPT TO:<b@mx.example>\r\n".repeat(102);
    let reply = driver.say(run + "DATA\r\nx\r\n.\r\n");
    let lines = reply.lines().map(|line| &line[..9]).collect::<Vec<_>>();
    assert_eq!(
        lines.iter().filter(|line| **line == "250 2.1.5").count(),
        100
    );
    assert_eq!(lines[105..107], ["452 4.5.3", "452 4.5.3"]);
    assert_eq!(driver.log.accepted.len(), 1);
}

#[test]
fn a_transaction_without_recipients_sends_nothing() {
    let mut driver = begun();
    driver.rcpt = |_| RcptReply::MailboxBusy;
    let reply = driver.say("RCPT TO:<b@mx.example>\r\nDATA\r\nRSET\r\n");
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(codes, ["450", "554", "250"]);
}

#[test]
fn pipelining_to_nobody_is_no_error_of_the_client() {
    let mut driver = Driver::greeted(settings());
    for _ in 0..50 {
        let reply = driver.say("MAIL FROM:<>\r\nRCPT TO:<refused@mx.example>\r\nDATA\r\nRSET\r\n");
        let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
        assert_eq!(codes, ["250", "550", "554", "250"]);
    }
}

#[test]
fn a_command_behind_a_run_is_not_forgotten_when_the_replies_are_many() {
    // Somewhere in here the replies are as many as are held back at once, just when the command
    // behind the recipients has been read.
    for recipients in 330..=390 {
        let mut driver = Driver::greeted(settings());
        let run = "RCPT TO:<b@mx.example>\r\n".repeat(recipients);
        let replies = driver.say(format!("MAIL FROM:<>\r\n{run}DATA\r\n"));
        assert_eq!(replies.lines().count(), recipients + 2, "{recipients}");
        assert!(replies.ends_with("<CRLF>.<CRLF>\r\n"), "{recipients}");
    }
}
