//! Clients that do what they shouldn't.

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::{Closing, RcptReply};
use postroad_session::server::{Closed, Event, ServerSession, SessionId, Want};

use crate::driver::{Driver, settings};

#[test]
fn a_client_that_talks_before_the_greeting_hears_421() {
    let mut driver = Driver::new(settings());
    driver.keeps = |event| matches!(event, Event::Connected { .. });
    assert_eq!(driver.hear(), "");
    assert_eq!(
        driver.say("EHLO client.example\r\n"),
        "",
        "a question is open, so the driver doesn't hand it in"
    );
    let progress = driver
        .session
        .handle_input(Bytes::from_static(b"EHLO client.example\r\n"), driver.now);
    assert_eq!(progress.want, Want::Close);
    assert!(driver.hear().starts_with("421 mx.example "));
    let question = driver.open.take().unwrap();
    driver.answer(question);
    assert_eq!(driver.hear(), "");
}

#[test]
fn tls_hears_one_421_before_the_greeting_and_after_it() {
    let hello = b"\x16\x03\x01\r\nEHLO client.example\r\n";
    let mut driver = Driver::new(settings());
    driver.keeps = |event| matches!(event, Event::Connected { .. });
    driver.hear();
    let early = Bytes::from_static(hello);
    assert_eq!(
        driver.session.handle_input(early, driver.now).want,
        Want::Close
    );
    assert_eq!(driver.hear().lines().count(), 1);
    let mut driver = Driver::connected(settings());
    let reply = driver.say(hello);
    assert!(reply.starts_with("421 "), "{reply}");
    assert_eq!(reply.lines().count(), 1);
    // Later it is but a line that can't be read.
    let mut driver = Driver::greeted(settings());
    assert!(driver.say(b"\x16\x03\x01\r\n").starts_with("500 "));
}

#[test]
fn control_octets_in_a_command_make_it_unreadable() {
    for octet in (0..32).chain([127]) {
        let mut driver = Driver::greeted(settings());
        let mut line = b"NOOP a b\r\nNOOP\r\n".to_vec();
        line[6] = octet;
        let reply = driver.say(line);
        let said = if octet == b'\t' {
            "250 2.0.0"
        } else {
            "500 5.5.2"
        };
        let lines = reply.lines().map(|line| &line[..9]).collect::<Vec<_>>();
        assert_eq!(lines, [said, "250 2.0.0"], "octet {octet}");
    }
}

#[test]
fn eight_bit_octets_are_judged_where_they_stand() {
    for (line, said) in [
        (&b"NOOP \xff\r\n"[..], "250 2.0.0"),
        (b"M\xc3\x84IL\r\n", "500 5.5.1"),
        (b"MAIL FROM:<\xff@client.example>\r\n", "501 5.1.7"),
        (b"MAIL FROM:<\xc3\xa4@client.example>\r\n", "550 5.6.7"),
        (b"VRFY \xff\r\n", "501 5.5."),
        (b"EHLO \xff\r\n", "501 "),
    ] {
        let reply = Driver::greeted(settings()).say(line);
        assert!(reply.starts_with(said), "{line:?}: {reply}");
    }
}

#[test]
fn a_line_of_any_length_gets_one_reply() {
    for length in [511, 1023, 1024, 1025, 100_000, 3_000_000] {
        let mut driver = Driver::greeted(settings());
        let mut reply = String::new();
        let line = format!("NOOP {}\r\n", "x".repeat(length - 7));
        for piece in line.as_bytes().chunks(1000) {
            reply += &driver.say(piece);
        }
        let said = if length <= 1024 {
            "250 2.0.0"
        } else {
            "500 5.5.2"
        };
        assert!(
            reply.starts_with(said) && reply.lines().count() == 1,
            "{length}: {reply}"
        );
        assert!(driver.say("NOOP\r\n").starts_with("250 2.0.0"));
    }
}

#[test]
fn commands_may_come_octet_by_octet() {
    let mut driver = Driver::connected(settings());
    let script = "ehlo client.example\r\nMaIl From:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\nx\r\n..\r\n.\r\nquit\r\n";
    let mut replies = String::new();
    for octet in script.bytes() {
        replies += &driver.say([octet]);
    }
    let codes = replies
        .lines()
        .filter(|line| line.as_bytes()[3] == b' ')
        .map(|line| &line[..3])
        .collect::<Vec<_>>();
    assert_eq!(codes, ["250", "250", "250", "354", "250", "221"]);
    assert_eq!(driver.log.accepted, [b"x\r\n.\r\n"]);
}

#[test]
fn errors_are_borne_up_to_their_limit() {
    for wrong in [
        "FOO\r\n",
        "MAIL\r\n",
        "RCPT TO:<b@mx.example>\r\n",
        "NO\0OP\r\n",
        "SEND\r\n",
    ] {
        let mut driver = Driver::greeted(settings());
        let reply = driver.say(wrong.repeat(1000));
        let lines = reply.lines().collect::<Vec<_>>();
        assert_eq!(lines.len(), 21, "{wrong}");
        assert!(
            lines[..20].iter().all(|line| line.starts_with('5')),
            "{wrong}"
        );
        assert!(lines[20].starts_with("421 4.7.0"), "{wrong}: {}", lines[20]);
        assert_eq!(driver.log.closed, Some(Closed::Ended(Closing::LimitPassed)));
    }
}

#[test]
fn commands_that_get_no_mail_on_its_way_are_borne_up_to_their_limit() {
    for junk in [
        "NOOP\r\n",
        "RSET\r\n",
        "VRFY b\r\n",
        "EXPN b\r\n",
        "HELP\r\n",
        "EHLO c.example\r\n",
    ] {
        let mut driver = Driver::greeted(settings());
        let reply = driver.say(junk.repeat(1000));
        let last = reply.lines().last().unwrap();
        assert!(last.starts_with("421 "), "{junk}: {last}");
        assert!(
            last.contains("Limit of this session passed"),
            "{junk}: {last}"
        );
        assert!(driver.is_closed());
    }
    let mut driver = Driver::greeted(settings());
    for _ in 0..500 {
        driver.say("RSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n.\r\n");
    }
    assert_eq!(
        driver.log.accepted.len(),
        500,
        "a reset beside each message is no junk"
    );
}

#[test]
fn nothing_can_be_repeated_for_ever() {
    let begun = "EHLO c.example\r\nMAIL FROM:<>\r\n";
    for (before, repeated, most) in [
        ("RCPT TO:<b@mx.example>\r\nBDAT 1\r\nx", "BDAT 0\r\n", 101),
        ("RCPT TO:<refused@mx.example>\r\n", "DATA\r\n", 22),
        ("", "RCPT TO:<b@mx.example>\r\n", 1000 + 1000 + 21),
        ("", "RCPT TO:<later@mx.example>\r\n", 1000 + 21),
    ] {
        let mut driver = Driver::connected(settings());
        driver.say(begun);
        driver.say(before);
        driver.rcpt = |path| match path {
            "later@mx.example" => RcptReply::MailboxBusy,
            _ => RcptReply::Accepted,
        };
        let reply = driver.say(repeated.repeat(10_000));
        assert!(driver.is_closed(), "{repeated}");
        let last = reply.lines().last().unwrap();
        assert!(last.starts_with("421 4."), "{repeated}: {last}");
        assert_eq!(reply.lines().count(), most, "{repeated}");
        assert!(driver.log.accepted.is_empty(), "{repeated}");
    }
}

#[test]
fn somebody_who_tries_out_names_is_sent_away() {
    let mut driver = Driver::greeted(settings());
    driver.say("MAIL FROM:<>\r\n");
    let reply = driver.say("RCPT TO:<refused@mx.example>\r\n".repeat(500));
    let lines = reply.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 101);
    assert!(lines[99].starts_with("550 5.1.1") && lines[100].starts_with("421 4.7.0"));
    assert_eq!(driver.log.abandoned, 1);
}

#[test]
fn there_is_a_limit_to_transactions() {
    let mut settings = settings();
    settings.limits.transactions = 3;
    let mut driver = Driver::greeted(settings);
    let reply = driver.say("MAIL FROM:<>\r\nRSET\r\n".repeat(4));
    let codes = reply.lines().map(|line| &line[..9]).collect::<Vec<_>>();
    assert_eq!(codes[6..], ["421 4.7.0"]);
}

/// A driver that hands in a flood as fast as it may and looks at what it has to hold.
#[test]
fn a_flood_of_pipelined_commands_is_held_back() {
    let mut settings = settings();
    settings.limits.junk_commands = u32::MAX;
    settings.limits.errors = u32::MAX;
    let floods = [
        "HELP\r\n",
        "NOOP\r\n",
        "FOO\r\n",
        "HELP weather\r\n",
        "RSET\r\n",
    ];
    for flood in floods {
        let mut session = ServerSession::new(settings.clone().into(), SessionId(1), Mono::ZERO);
        let Some(Event::Connected { ticket }) = session.poll_event() else {
            panic!("the first question");
        };
        session.answer(ticket, postroad_reply::ConnectReply::Ready, Mono::ZERO);
        let mut input = Bytes::from(flood.repeat(100_000));
        while !input.is_empty() {
            let progress = session.handle_input(input.clone(), Mono::ZERO);
            input = input.slice(progress.consumed..);
            let mut events = 0;
            while session.poll_event().is_some() {
                events += 1;
            }
            let mut out = BytesMut::new();
            session.poll_transmit(&mut out);
            assert!(
                out.len() <= 16 * 1024 + 1024,
                "{} octets of replies",
                out.len()
            );
            assert!(events <= 66, "{events} events");
            if progress.want == Want::More {
                assert!(input.is_empty(), "what can be acted on is taken");
            }
        }
    }
}

#[test]
fn octets_of_a_message_are_held_back_too() {
    let mut driver = Driver::with_recipient(settings());
    driver.say("DATA\r\n");
    let mut input = Bytes::from("..\r\n".repeat(100_000));
    while !input.is_empty() {
        let progress = driver.session.handle_input(input.clone(), driver.now);
        input = input.slice(progress.consumed..);
        let mut events = 0;
        while let Some(event) = driver.session.poll_event() {
            events += 1;
            driver.answer(event);
        }
        assert!(events <= 66, "{events} events");
    }
    driver.say(".\r\n");
    assert_eq!(driver.log.accepted[0].len(), 300_000);
}

#[test]
fn nothing_is_taken_while_a_question_is_open() {
    let mut driver = Driver::greeted(settings());
    driver.keeps = |event| matches!(event, Event::Mail { .. });
    driver.say("MAIL FROM:<>\r\n");
    let flood = Bytes::from("NOOP\r\n".repeat(10_000));
    let progress = driver.session.handle_input(flood, driver.now);
    assert_eq!((progress.consumed, progress.want), (0, Want::Answer));
}
