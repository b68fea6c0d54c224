//! LMTP (RFC 2033): LHLO, and a reply for each recipient.

use postroad_reply::EndOfDataReply;
use postroad_session::server::{Each, Event, Fault, Settings};
use postroad_wire::peer::Protocol;

use crate::driver::{Driver, receipt, settings};

fn lmtp() -> Settings {
    let mut settings = settings();
    settings.protocol = Protocol::Lmtp;
    settings
}

/// A session with so many accepted recipients, and one that is not.
fn with_recipients(accepted: usize) -> Driver {
    let mut driver = Driver::connected(lmtp());
    driver.say("LHLO client.example\r\nMAIL FROM:<a@client.example>\r\n");
    driver.say("RCPT TO:<refused@mx.example>\r\n");
    for number in 0..accepted {
        driver.say(format!("RCPT TO:<b{number}@mx.example>\r\n"));
    }
    driver.hear();
    driver
}

/// The end of data, kept back, is answered so.
fn answered(driver: &mut Driver, has_receipt: bool, each: Vec<Each>) -> String {
    let Some(Event::EndOfData {
        ticket,
        transaction,
        ..
    }) = driver.open.take()
    else {
        panic!("no end of data");
    };
    let receipt = has_receipt.then(|| receipt(transaction));
    let now = driver.now;
    driver.session.answer_each(ticket, receipt, each, now);
    driver.hear()
}

fn codes(replies: &str) -> Vec<&str> {
    replies.lines().map(|line| &line[..9]).collect()
}

#[test]
fn the_greeting_says_lmtp_and_only_lhlo_opens_the_session() {
    let mut driver = Driver::new(lmtp());
    assert_eq!(driver.hear(), "220 mx.example LMTP Service ready\r\n");
    assert!(driver.say("EHLO client.example\r\n").starts_with("500 "));
    assert!(driver.say("HELO client.example\r\n").starts_with("500 "));
    assert!(driver.say("MAIL FROM:<>\r\n").starts_with("503 "));
    let reply = driver.say("LHLO client.example\r\n");
    assert!(
        reply.contains("PIPELINING") && reply.contains("ENHANCEDSTATUSCODES"),
        "{reply}"
    );
    assert!(driver.say("MAIL FROM:<>\r\n").starts_with("250 2.1.0 "));
}

#[test]
fn each_accepted_recipient_is_answered_for_after_the_data() {
    for (sent, end) in [("DATA\r\n", "x\r\n.\r\n"), ("", "BDAT 3 LAST\r\nx\r\n")] {
        let mut driver = with_recipients(3);
        driver.keeps = |event| matches!(event, Event::EndOfData { .. });
        driver.say(sent);
        driver.say(end);
        let full = || Each::Said(EndOfDataReply::QuotaPassed.into());
        let replies = answered(&mut driver, true, vec![Each::Taken, full(), Each::Taken]);
        assert_eq!(replies.lines().count(), 3, "{replies}");
        assert_eq!(codes(&replies), ["250 2.0.0", "552 5.2.2", "250 2.0.0"]);
        assert!(driver.say("NOOP\r\n").starts_with("250 "));
    }
}

#[test]
fn what_is_said_to_all_is_said_to_each() {
    let mut driver = with_recipients(2);
    driver.say("DATA\r\n");
    let replies = driver.say("x\r\n.\r\n");
    assert_eq!(codes(&replies), ["250 2.0.0"; 2]);
    let mut driver = with_recipients(2);
    driver.end = |_| EndOfDataReply::StorageShort;
    driver.say("DATA\r\n");
    assert_eq!(codes(&driver.say("x\r\n.\r\n")), ["452 4.3.1"; 2]);
    // What the session says by itself, too.
    let mut driver = with_recipients(2);
    driver.say("DATA\r\n");
    assert_eq!(codes(&driver.say("x\ny\r\n.\r\n")), ["554 5.6.0"; 2]);
    let mut driver = with_recipients(2);
    assert_eq!(codes(&driver.say("BDAT 3 LAST\r\nx\ny")), ["554 5.6.0"; 2]);
}

#[test]
fn a_chunk_that_is_not_the_last_gets_one_reply() {
    let mut driver = with_recipients(2);
    assert_eq!(driver.say("BDAT 3\r\na\r\n").lines().count(), 1);
    assert_eq!(driver.say("BDAT 3\r\na\nb").lines().count(), 1);
}

#[test]
fn without_a_recipient_data_is_out_of_sequence() {
    let mut driver = with_recipients(0);
    assert!(driver.say("DATA\r\n").starts_with("503 "));
    assert_eq!(codes(&driver.say("BDAT 3 LAST\r\nx\r\n")), ["503 5.5.1"]);
}

#[test]
fn no_recipient_gets_a_250_without_a_receipt_and_none_is_left_without_a_reply() {
    let mut driver = with_recipients(3);
    driver.keeps = |event| matches!(event, Event::EndOfData { .. });
    driver.say("DATA\r\n");
    driver.say("x\r\n.\r\n");
    let replies = answered(&mut driver, false, vec![Each::Taken]);
    assert_eq!(codes(&replies), ["451 4.3.0"; 3]);
    assert_eq!(driver.log.faults, [Fault::WrongCount]);
}

#[test]
fn a_lost_ticket_of_lhlo_ends_the_session() {
    let mut driver = Driver::connected(lmtp());
    driver.keeps = |event| matches!(event, Event::Lhlo { .. });
    driver.say("LHLO client.example\r\n");
    drop(driver.open.take());
    driver.session.handle_timeout(driver.now);
    assert!(driver.hear().starts_with("421 mx.example "));
}
