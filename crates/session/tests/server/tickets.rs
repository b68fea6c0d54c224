//! Answers that are lost, late, foreign, or of another message.

use postroad_reply::{EndOfDataReply, MailReply, TransactionId};
use postroad_session::server::{Event, Fault};

use crate::driver::{Driver, receipt, settings};

/// Keeps the question that `command` raises and then drops it.
fn dropped(mut driver: Driver, command: &str) -> (Driver, String) {
    driver.keeps = |event| {
        !matches!(
            event,
            Event::Octets(_)
                | Event::Replied { .. }
                | Event::Abandoned(_)
                | Event::Fault(_)
                | Event::Closed(_)
        )
    };
    driver.say(command);
    driver.hear();
    assert!(driver.open.is_some(), "{command} raises a question");
    driver.open = None;
    let now = driver.now;
    driver.keeps = |_| false;
    driver.session.handle_timeout(now);
    let reply = driver.hear();
    (driver, reply)
}

#[test]
fn a_lost_ticket_becomes_the_rows_temporary_reply() {
    let greeted = || Driver::greeted(settings());
    let with_recipient = || Driver::with_recipient(settings());
    let in_data = || {
        let mut driver = with_recipient();
        driver.say("DATA\r\n");
        driver
    };
    let asked = || {
        let mut settings = settings();
        settings.vrfy = postroad_session::server::LookupRule::Asked;
        settings.expn = postroad_session::server::LookupRule::Asked;
        Driver::greeted(settings)
    };
    for (driver, command, said) in [
        (Driver::new(settings()), "", "421 mx.example"),
        (
            Driver::connected(settings()),
            "HELO c.example\r\n",
            "421 mx.example",
        ),
        (
            Driver::connected(settings()),
            "EHLO c.example\r\n",
            "421 mx.example",
        ),
        (greeted(), "MAIL FROM:<>\r\n", "451 4.3.0"),
        (with_recipient(), "RCPT TO:<c@mx.example>\r\n", "451 4.3.0"),
        (with_recipient(), "DATA\r\n", "451 4.3.0"),
        (with_recipient(), "BDAT 3\r\nabc", "451 4.3.0"),
        (in_data(), "x\r\n.\r\n", "451 4.3.0"),
        (asked(), "VRFY b\r\n", "252 2.5.0 Cannot VRFY"),
        (asked(), "EXPN b\r\n", "252 2.5.0 Cannot EXPN"),
    ] {
        let (driver, reply) = dropped(driver, command);
        assert!(reply.starts_with(said), "{command}: {reply}");
        assert_eq!(driver.log.faults, [Fault::LostTicket], "{command}");
        assert_eq!(driver.is_closed(), said.starts_with("421"), "{command}");
    }
}

#[test]
fn a_lost_ticket_is_noticed_by_the_timer_alone() {
    let mut driver = Driver::greeted(settings());
    driver.keeps = |event| matches!(event, Event::Mail { .. });
    driver.say("MAIL FROM:<>\r\n");
    driver.open = None;
    let due = driver.session.poll_timeout().unwrap();
    let wait = due.since(driver.now);
    assert!(wait.as_secs() <= 5);
    assert!(driver.wait(wait).starts_with("451 4.3.0"));
}

#[test]
fn one_lost_ticket_of_a_run_costs_only_its_recipient() {
    let mut driver = Driver::greeted(settings());
    driver.keeps = |event| matches!(event, Event::Recipients(_));
    driver.say("MAIL FROM:<>\r\nRCPT TO:<a@mx.example>\r\nRCPT TO:<b@mx.example>\r\nRCPT TO:<c@mx.example>\r\n");
    let Some(Event::Recipients(mut run)) = driver.open.take() else {
        panic!("a run of recipients");
    };
    drop(run.remove(1));
    // The last is answered first.
    run.reverse();
    driver.answer(Event::Recipients(run));
    let reply = driver.hear();
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(codes, ["250", "451", "250"]);
}

#[test]
fn an_answer_to_another_session_is_not_heard() {
    let mut one = Driver::greeted(settings());
    let mut two = Driver::greeted(settings());
    for driver in [&mut one, &mut two] {
        driver.keeps = |event| matches!(event, Event::Mail { .. });
        driver.say("MAIL FROM:<>\r\n");
    }
    let Some(Event::Mail { ticket, .. }) = one.open.take() else {
        panic!("a question");
    };
    two.session.answer(ticket, MailReply::Refused, two.now);
    assert_eq!(two.hear(), "");
    assert_eq!(two.log.faults, [Fault::ForeignTicket]);
    // The ticket is gone, and so it is lost where it belongs.
    assert!(one.say("").starts_with("451 4.3.0"));
    let question = two.open.take().unwrap();
    two.answer(question);
    assert!(two.hear().starts_with("250 2.1.0"));
}

#[test]
fn an_answer_after_the_end_is_ignored() {
    let mut driver = Driver::greeted(settings());
    driver.keeps = |event| matches!(event, Event::Mail { .. });
    driver.say("MAIL FROM:<>\r\n");
    let question = driver.open.take().unwrap();
    driver
        .session
        .disconnect(postroad_reply::Closing::Stopping, driver.now);
    assert!(driver.hear().starts_with("421 4.3.2"));
    driver.answer(question);
    assert_eq!(driver.hear(), "");
    assert_eq!(driver.log.faults, []);
}

#[test]
fn the_receipt_of_another_message_is_no_250() {
    let mut driver = Driver::with_recipient(settings());
    driver.end = |transaction| EndOfDataReply::Accepted(receipt(TransactionId(transaction.0 + 1)));
    let reply = driver.say("DATA\r\nx\r\n.\r\n");
    assert!(reply.contains("\r\n451 4.3.0 "), "{reply}");
    assert!(matches!(
        driver.log.faults[..],
        [Fault::ForeignReceipt { .. }]
    ));
}

#[test]
fn a_receipt_before_the_last_chunk_is_no_250() {
    let mut driver = Driver::with_recipient(settings());
    driver.chunk = || postroad_reply::BdatReply::Accepted(receipt(TransactionId((7 << 24) + 1)));
    assert!(driver.say("BDAT 3\r\nabc").starts_with("451 4.3.0"));
    assert_eq!(driver.log.faults, [Fault::EarlyReceipt]);
}
