//! Conversations as they should go.

use bytes::{Bytes, BytesMut};
use postroad_reply::{MailReply, Text, VrfyReply};
use postroad_session::server::{Event, LookupRule, Want};

use crate::driver::{Driver, settings};

#[test]
fn a_message_is_taken() {
    let mut driver = Driver::connected(settings());
    let greeting = driver.say("EHLO client.example\r\n");
    assert_eq!(
        greeting.lines().collect::<Vec<_>>(),
        [
            "250-mx.example Requested mail action okay, completed",
            "250-PIPELINING",
            "250-8BITMIME",
            "250-CHUNKING",
            "250-BINARYMIME",
            "250-SMTPUTF8",
            "250-ENHANCEDSTATUSCODES",
            "250-DSN",
            "250-HELP",
            "250-SIZE 52428800",
            "250 LIMITS MAILMAX=1000 RCPTMAX=1000",
        ]
    );
    assert_eq!(
        driver.say("MAIL FROM:<a@client.example>\r\n"),
        "250 2.1.0 Requested mail action okay, completed\r\n"
    );
    assert_eq!(
        driver.say("RCPT TO:<b@mx.example>\r\n"),
        "250 2.1.5 Requested mail action okay, completed\r\n"
    );
    assert_eq!(
        driver.say("DATA\r\n"),
        "354 Start mail input; end with <CRLF>.<CRLF>\r\n"
    );
    assert_eq!(driver.say("Subject: x\r\n\r\n..dot\r\n"), "");
    assert_eq!(
        driver.say(".\r\n"),
        "250 2.0.0 Requested mail action okay, completed, queued as 000000000001A\r\n"
    );
    assert_eq!(
        driver.say("QUIT\r\n"),
        "221 2.0.0 mx.example Service closing transmission channel\r\n"
    );
    assert_eq!(driver.log.accepted, [b"Subject: x\r\n\r\n.dot\r\n"]);
    assert!(driver.is_closed());
}

#[test]
fn replies_to_a_pipeline_go_out_together() {
    let mut driver = Driver::greeted(settings());
    let (session, now) = (&mut driver.session, driver.now);
    let input = Bytes::from_static(b"NOOP\r\nMAIL FROM:<>\r\nNOOP\r\n");
    let progress = session.handle_input(input.clone(), now);
    assert_eq!(progress.want, Want::Answer);
    let ticket = loop {
        if let Event::Mail { ticket, .. } = session.poll_event().expect("MAIL is asked about") {
            break ticket;
        }
    };
    session.answer(ticket, MailReply::Accepted, now);
    let mut out = BytesMut::new();
    assert!(
        !session.poll_transmit(&mut out),
        "there is more input to act on"
    );
    let progress = session.handle_input(input.slice(progress.consumed..), now);
    assert_eq!(progress.want, Want::More);
    assert!(session.poll_transmit(&mut out));
    assert_eq!(out.iter().filter(|octet| **octet == b'\n').count(), 3);
}

#[test]
fn replies_go_out_while_a_question_stays_open() {
    let mut driver = Driver::greeted(settings());
    let (session, now) = (&mut driver.session, driver.now);
    let input = Bytes::from_static(b"NOOP\r\nMAIL FROM:<>\r\nNOOP\r\n");
    let progress = session.handle_input(input, now);
    assert_eq!(progress.want, Want::Answer);
    let mut out = BytesMut::new();
    assert!(session.poll_transmit(&mut out));
    assert!(out.starts_with(b"250 2.0.0"));
}

#[test]
fn vrfy_and_expn_are_asked_about_where_that_is_set() {
    let mut settings = settings();
    settings.vrfy = LookupRule::Asked;
    settings.expn = LookupRule::Asked;
    let mut driver = Driver::with_recipient(settings);
    assert!(driver.say("VRFY nobody\r\n").starts_with("550 5.1.1"));
    assert!(driver.say("EXPN nothing\r\n").starts_with("550 5.1.1"));
    assert!(
        driver.say("DATA\r\n").starts_with("354 "),
        "the transaction wasn't disturbed"
    );
}

#[test]
fn a_name_in_utf8_is_shown_only_to_who_can_take_it() {
    for (command, said) in [
        ("VRFY b\r\n", "252 2.6.8 "),
        ("VRFY b SMTPUTF8\r\n", "250 2.1.5 J\u{fc}rgen"),
    ] {
        let mut settings = settings();
        settings.vrfy = LookupRule::Asked;
        let mut driver = Driver::greeted(settings);
        driver.keeps = |event| matches!(event, Event::Vrfy { .. });
        driver.say(command);
        let Some(Event::Vrfy { ticket, .. }) = driver.open.take() else {
            panic!("VRFY is asked about");
        };
        let name = Text::with_utf8("J\u{fc}rgen <b@mx.example>");
        driver
            .session
            .answer(ticket, VrfyReply::Verified(name.into()), driver.now);
        let reply = driver.hear();
        assert!(reply.starts_with(said), "{command}: {reply}");
    }
}

#[test]
fn what_is_switched_off_is_neither_listed_nor_done() {
    let mut settings = settings();
    settings.help = false;
    settings.offered.chunking = false;
    settings.offered.pipelining = false;
    settings.offered.smtputf8 = false;
    settings.offered.eight_bit_mime = false;
    let mut driver = Driver::connected(settings);
    let greeting = driver.say("EHLO client.example\r\n");
    for keyword in ["HELP", "CHUNKING", "PIPELINING", "SMTPUTF8", "8BITMIME"] {
        assert!(!greeting.contains(keyword), "{greeting}");
    }
    assert!(driver.say("HELP\r\n").starts_with("502 5.5.1"));
    assert!(
        driver
            .say("MAIL FROM:<> SMTPUTF8\r\n")
            .starts_with("555 5.5.4")
    );
    assert!(
        driver
            .say("MAIL FROM:<> BODY=8BITMIME\r\n")
            .starts_with("555 5.5.4")
    );
    assert!(driver.say("BDAT x\r\n").starts_with("500 5.5.1"));
    assert!(
        driver
            .say("BDAT 6 LAST\r\nQUIT\r\n")
            .starts_with("500 5.5.1")
    );
    assert!(
        driver.say("NOOP\r\n").starts_with("250 2.0.0"),
        "the octets were no command"
    );
}
