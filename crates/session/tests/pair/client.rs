//! The client's half against servers written by hand.

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::Command;
use postroad_session::client::{ClientSession, Closed, Event, Finish, Timeouts, Unsupported};
use postroad_wire::address::{HeloName, Limits};
use postroad_wire::peer::Protocol;

use crate::outgoing;

struct Client(ClientSession);

impl Client {
    fn new() -> Client {
        Client::of(Protocol::Smtp)
    }

    fn of(protocol: Protocol) -> Client {
        let name = HeloName::parse("client.example", &Limits::default()).unwrap();
        Client(ClientSession::new(
            protocol,
            name,
            Timeouts::default(),
            Mono(0),
        ))
    }

    /// An LMTP client that has read `keywords`.
    fn lmtp(keywords: &str) -> Client {
        let mut client = Client::of(Protocol::Lmtp);
        assert_eq!(client.hear("220 mx.example\r\n"), "LHLO client.example\r\n");
        client.hear(&format!("250-mx.example\r\n{keywords}"));
        assert!(matches!(client.events()[..], [Event::Ready(_)]));
        client
    }

    /// A client that has read `keywords`.
    fn greeted(keywords: &str) -> Client {
        let mut client = Client::new();
        assert_eq!(client.hear("220 mx.example\r\n"), "EHLO client.example\r\n");
        client.hear(&format!("250-mx.example\r\n{keywords}"));
        assert!(matches!(client.events()[..], [Event::Ready(_)]));
        client
    }

    fn begin(&mut self, recipients: usize) -> String {
        self.0.begin(outgoing(recipients), Mono(0)).unwrap();
        self.sent()
    }

    fn hear(&mut self, replies: &str) -> String {
        self.0
            .handle_input(Bytes::copy_from_slice(replies.as_bytes()), Mono(0));
        self.sent()
    }

    fn sent(&mut self) -> String {
        let mut out = BytesMut::new();
        self.0.poll_transmit(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.0.poll_event()).collect()
    }
}

#[test]
fn where_ehlo_is_not_known_helo_is_said() {
    let mut client = Client::new();
    client.hear("220-mx.example\r\n220 old\r\n");
    assert_eq!(client.hear("500 what?\r\n"), "HELO client.example\r\n");
    client.hear("250 mx.example\r\n");
    assert!(matches!(&client.events()[..], [Event::Ready(offered)] if !offered.pipelining));
    // Without PIPELINING each command waits for the reply to the one before it.
    assert_eq!(client.begin(2), "MAIL FROM:<a@client.example>\r\n");
    assert_eq!(client.hear("299 fine\r\n"), "RCPT TO:<b0@mx.example>\r\n");
    assert_eq!(client.hear("250 ok\r\n"), "RCPT TO:<b1@mx.example>\r\n");
    assert_eq!(client.hear("550 no\r\n"), "DATA\r\n");
    client.hear("354 go\r\n");
    client.0.body(b".x\r\n", Mono(0));
    client.0.end_body(b"", Mono(0));
    assert_eq!(client.sent(), "..x\r\n.\r\n");
    client.hear("250 taken\r\n");
    let events = client.events();
    assert!(
        matches!(
            &events[events.len() - 2],
            Event::Finished(Finish::Answered(_))
        ),
        "{events:?}"
    );
    client.0.quit(Mono(0));
    assert_eq!(client.sent(), "QUIT\r\n");
    client.hear("221 bye\r\n");
    assert_eq!(client.events(), [Event::Closed(Closed::Quit)]);
}

#[test]
fn an_envelope_is_pipelined_where_that_is_offered() {
    let mut client = Client::greeted("250 PIPELINING\r\n");
    assert_eq!(
        client.begin(2),
        "MAIL FROM:<a@client.example>\r\nRCPT TO:<b0@mx.example>\r\nRCPT TO:<b1@mx.example>\r\nDATA\r\n"
    );
    // Nobody is accepted, and the server wants the message all the same: it gets an empty one.
    assert_eq!(
        client.hear("250 ok\r\n550 no\r\n450 later\r\n354 go\r\n"),
        ".\r\n"
    );
    assert_eq!(client.hear("554 nobody\r\n"), "RSET\r\n");
    let events = client.events();
    assert!(matches!(
        &events[..2],
        [
            Event::Recipient { index: 0, .. },
            Event::Recipient { index: 1, .. }
        ]
    ));
    assert_eq!(events[2..], [Event::Finished(Finish::NoRecipients)]);
    client.hear("250 ok\r\n");
    assert!(matches!(client.events()[..], [Event::Ready(_)]));
}

#[test]
fn no_chunk_follows_one_that_was_refused() {
    let mut client = Client::greeted("250-PIPELINING\r\n250 CHUNKING\r\n");
    client.begin(1);
    client.hear("250 ok\r\n250 ok\r\n");
    client.0.body(b"one\r\n", Mono(0));
    client.0.body(b"two\r\n", Mono(0));
    assert_eq!(client.sent(), "BDAT 5\r\none\r\nBDAT 5\r\ntwo\r\n");
    client.hear("452 full\r\n");
    assert!(!client.0.wants_body());
    client.0.body(b"three\r\n", Mono(0));
    client.0.end_body(b"", Mono(0));
    assert_eq!(client.sent(), "");
    // The second was on its way; then the transaction is cleared.
    assert_eq!(client.hear("503 reset\r\n"), "RSET\r\n");
    assert!(client.events().iter().any(|event| matches!(
        event,
        Event::Finished(Finish::Refused { command: Command::Bdat, reply }) if reply.code.number() == 452
    )));
}

#[test]
fn what_a_server_does_not_offer_is_told_before_anything_is_said() {
    let mut client = Client::greeted("250 SIZE 100\r\n");
    let mut message = outgoing(1);
    message.parameters.smtputf8 = true;
    assert_eq!(client.0.begin(message, Mono(0)), Err(Unsupported::SmtpUtf8));
    let mut message = outgoing(1);
    message.parameters.size = Some(101);
    assert_eq!(
        client.0.begin(message, Mono(0)),
        Err(Unsupported::Size { maximum: 100 })
    );
    assert_eq!(client.sent(), "");
    assert!(client.begin(1).starts_with("MAIL FROM:"));
}

#[test]
fn a_server_that_cannot_be_talked_to_is_left() {
    for (said, why) in [
        ("554 no\r\n", "Unwelcome { command: Connect"),
        ("421 later\r\n", "Unwelcome { command: Connect"),
        ("hello\r\n", "Unreadable(NoCode)"),
        ("220 mx\r\n421 bye\r\n", "Unwelcome { command: Ehlo"),
        ("220 mx\r\n250 mx\r\n250 again\r\n", "OutOfStep"),
        ("220 mx\r\n250 mx\r\n421 idle\r\n", "Ended("),
    ] {
        let mut client = Client::new();
        client.hear(said);
        let events = client.events();
        let Some(Event::Closed(closed)) = events.last() else {
            panic!("{said}: {events:?}");
        };
        assert!(format!("{closed:?}").starts_with(why), "{said}: {closed:?}");
    }
}

#[test]
fn a_silent_server_is_given_up_and_each_wait_has_its_own_time() {
    let minutes = |minutes: u64| Mono(minutes * 60 * 1_000_000_000);
    let mut client = Client::new();
    assert_eq!(client.0.poll_timeout(), Some(minutes(5)));
    client.0.handle_timeout(minutes(5));
    assert_eq!(
        client.events(),
        [Event::Closed(Closed::TimedOut(Command::Connect))]
    );

    let mut client = Client::greeted("250 SIZE\r\n");
    assert_eq!(client.0.poll_timeout(), None);
    client.begin(1);
    assert_eq!(client.0.poll_timeout(), Some(minutes(5)));
    client.hear("250 ok\r\n250 ok\r\n");
    assert_eq!(client.0.poll_timeout(), Some(minutes(2)), "for 354");
    client.hear("354 go\r\n");
    assert_eq!(client.0.poll_timeout(), Some(minutes(3)), "for a block");
    client.0.end_body(b"", Mono(0));
    assert_eq!(
        client.0.poll_timeout(),
        Some(minutes(10)),
        "for the final reply"
    );
    client.0.handle_timeout(minutes(10));
    let events = client.events();
    assert_eq!(
        events[events.len() - 2..],
        [
            Event::Finished(Finish::Broken),
            Event::Closed(Closed::TimedOut(Command::EndOfData))
        ]
    );
}

#[test]
fn a_connection_lost_in_a_message_breaks_it() {
    let mut client = Client::greeted("250 SIZE\r\n");
    client.begin(1);
    client.0.handle_eof();
    assert_eq!(
        client.events(),
        [Event::Finished(Finish::Broken), Event::Closed(Closed::Lost)]
    );
}

#[test]
fn after_a_refused_sender_nothing_is_said_of_recipients() {
    let mut client = Client::greeted("250 PIPELINING\r\n");
    client.begin(2);
    assert_eq!(
        client.hear("450 later\r\n503 no\r\n503 no\r\n503 no\r\n"),
        "RSET\r\n"
    );
    let events = client.events();
    assert!(
        matches!(
            &events[..],
            [Event::Finished(Finish::Refused { command: Command::Mail, reply })]
                if reply.code.number() == 450
        ),
        "{events:?}"
    );
}

#[test]
fn chunks_wait_for_each_other_where_nothing_is_pipelined() {
    let mut client = Client::greeted("250 CHUNKING\r\n");
    client.begin(1);
    assert_eq!(client.hear("250 ok\r\n"), "RCPT TO:<b0@mx.example>\r\n");
    client.hear("250 ok\r\n");
    assert!(client.0.wants_body());
    client.0.body(b"one\r\n", Mono(0));
    assert!(!client.0.wants_body());
    client.hear("250 ok\r\n");
    assert!(client.0.wants_body());
    client.0.end_body(b"", Mono(0));
    assert_eq!(client.sent(), "BDAT 0 LAST\r\n");
}

/// What each event is, in a word and a number.
fn words(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Ready(_) => "ready".to_owned(),
        Event::Recipient { index, reply } => format!("recipient {index} {}", reply.code),
        Event::Delivery { index, reply } => format!("delivery {index} {}", reply.code),
        Event::WantsBody => "wants body".to_owned(),
        Event::Finished(Finish::Answered(reply)) => format!("answered {}", reply.code),
        Event::Finished(Finish::Refused { command, reply }) => {
            format!("refused {} {}", command.name(), reply.code)
        }
        Event::Finished(finish) => format!("{finish:?}"),
        Event::Closed(Closed::Ended(_)) => "ended".to_owned(),
        Event::Closed(Closed::OutOfStep(reply)) => format!("out of step {}", reply.code),
        Event::Closed(why) => format!("{why:?}"),
    };
    events.iter().map(word).collect()
}

#[test]
fn lmtp_answers_for_each_accepted_recipient() {
    for (keywords, wants) in [
        ("250 PIPELINING\r\n", "x\r\n.\r\n"),
        ("250-PIPELINING\r\n250 CHUNKING\r\n", "BDAT 3 LAST\r\nx\r\n"),
    ] {
        let mut client = Client::lmtp(keywords);
        let envelope = client.begin(3);
        assert!(!envelope.contains("DATA"), "it waits for the recipients");
        let data = client.hear("250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n");
        if !keywords.contains("CHUNKING") {
            assert_eq!(data, "DATA\r\n");
            client.hear("354 go\r\n");
        }
        client.0.end_body(b"x\r\n", Mono(0));
        assert_eq!(client.sent(), wants);
        client.hear("250 ok\r\n");
        client.hear("452-full\r\n452 really\r\n");
        let words = words(&client.events());
        assert_eq!(
            words[words.len() - 4..],
            ["delivery 0 250", "delivery 2 452", "AnsweredEach", "ready"]
        );
    }
}

#[test]
fn of_an_lmtp_server_that_ends_half_way_the_first_answers_count() {
    for (said, expected) in [
        (
            "250 ok\r\n421 bye\r\n",
            vec!["delivery 0 250", "delivery 1 421", "AnsweredEach", "ended"],
        ),
        ("421 bye\r\n", vec!["delivery 0 421", "Broken", "ended"]),
        (
            "250 ok\r\n354 what\r\n",
            vec!["delivery 0 250", "Broken", "out of step 354"],
        ),
    ] {
        let mut client = Client::lmtp("250 PIPELINING\r\n");
        client.begin(2);
        client.hear("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        client.events();
        client.0.end_body(b"x\r\n", Mono(0));
        client.hear(said);
        assert_eq!(words(&client.events()), expected);
    }
}

#[test]
fn lmtp_says_no_data_for_nobody_and_knows_no_helo() {
    let mut client = Client::lmtp("250 PIPELINING\r\n");
    client.begin(1);
    assert_eq!(client.hear("250 ok\r\n550 no\r\n"), "RSET\r\n");
    let mut client = Client::of(Protocol::Lmtp);
    client.hear("220 mx.example\r\n");
    assert_eq!(client.hear("500 what?\r\n"), "");
    assert!(client.0.is_closed());
}

#[test]
fn a_server_that_lies_is_left_and_nothing_it_said_counts_as_taken() {
    for (said, expected) in [
        // 250 to DATA, 3yz to what only 2yz can answer.
        (
            "250 ok\r\n250 ok\r\n250 ok\r\n",
            vec!["recipient 0 250", "Broken", "out of step 250"],
        ),
        ("354 go\r\n", vec!["Broken", "out of step 354"]),
        ("250 ok\r\n354 go\r\n", vec!["Broken", "out of step 354"]),
        // After 354: another, a 250 for what it hasn't seen, and a refusal, which is one.
        (
            "250 ok\r\n250 ok\r\n354 go\r\n354 go\r\n",
            vec!["recipient 0 250", "wants body", "Broken", "out of step 354"],
        ),
        (
            "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n",
            vec!["recipient 0 250", "wants body", "Broken", "out of step 250"],
        ),
        (
            "250 ok\r\n250 ok\r\n354 go\r\n550 spam\r\n",
            vec![
                "recipient 0 250",
                "wants body",
                "refused received data 550",
                "out of step 550",
            ],
        ),
        (
            "250 ok\r\n250 ok\r\n354 go\r\n421 bye\r\n",
            vec!["recipient 0 250", "wants body", "Broken", "ended"],
        ),
        // MAIL refused, and yet somebody would get an empty message.
        (
            "550 no\r\n250 ok\r\n354 go\r\n",
            vec!["refused MAIL 550", "out of step 354"],
        ),
        // What was refused stays refused when the connection ends.
        ("550 no\r\n421 bye\r\n", vec!["refused MAIL 550", "ended"]),
    ] {
        let mut client = Client::greeted("250 PIPELINING\r\n");
        client.begin(1);
        client.hear(said);
        assert_eq!(words(&client.events()), expected, "{said}");
    }
}

#[test]
fn a_message_taken_with_a_farewell_is_taken_and_nothing_more_is_begun() {
    let mut client = Client::greeted("250 PIPELINING\r\n");
    client.begin(1);
    client.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    client.0.end_body(b"x\r\n", Mono(0));
    client.hear("250 ok\r\n421 bye\r\n");
    let events = words(&client.events());
    assert_eq!(events[2..], ["answered 250", "ready", "ended"]);

    let mut client = Client::greeted("250 PIPELINING\r\n");
    client.begin(1);
    client.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    client.0.end_body(b"x\r\n", Mono(0));
    client.hear("421 bye\r\n");
    let events = words(&client.events());
    assert_eq!(events[2..], ["answered 421", "ended"]);
}

#[test]
fn a_server_that_does_not_reset_is_left() {
    let mut client = Client::greeted("250 PIPELINING\r\n");
    client.begin(1);
    client.hear("250 ok\r\n550 no\r\n503 no\r\n");
    client.hear("502 no RSET here\r\n");
    assert!(client.0.is_closed());
}
