//! Messages, by DATA and by BDAT.

use postroad_reply::{BdatReply, DataReply, EndOfDataReply};
use postroad_session::server::{BareLineEndRule, Closed};

use crate::driver::{Driver, settings};

/// The last line said.
fn last(reply: &str) -> &str {
    reply.lines().last().unwrap_or_default()
}

#[test]
fn no_form_of_smuggled_end_ends_the_data() {
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\r.\r\n",
        "\n.\r",
        "\r\n\0.\r\n",
        "\r\r\n.\r\r\n",
    ] {
        let message = format!("a{end}MAIL FROM:<smuggled@client.example>\r\n.\r\n");
        for at in 0..message.len() {
            let mut driver = Driver::with_recipient(settings());
            driver.say("DATA\r\n");
            let (one, two) = message.split_at(at);
            let reply = driver.say(one) + &driver.say(two);
            let code = if end.contains('\0') { "250" } else { "554" };
            assert!(
                reply.starts_with(code) && reply.lines().count() == 1,
                "{end:?} cut at {at}: {reply}"
            );
            assert!(driver.log.accepted.len() <= 1);
        }
    }
}

#[test]
fn normalised_line_ends_end_nothing_either() {
    let mut settings = settings();
    settings.bare_line_ends = BareLineEndRule::Normalise;
    let mut driver = Driver::with_recipient(settings.clone());
    driver.say("DATA\r\na\n.\nb\rc\r\n.\r\n");
    assert_eq!(driver.log.accepted, [b"a\r\n.\r\nb\r\nc\r\n"]);

    let mut driver = Driver::with_recipient(settings);
    let reply = driver.say("BDAT 5\r\na\n.\nbBDAT 3 LAST\r\nc\r\n");
    assert!(last(&reply).starts_with("250 2.0.0"), "{reply}");
    assert_eq!(driver.log.accepted, [b"a\r\n.\r\nbc\r\n"]);
}

#[test]
fn no_octet_of_a_binary_message_is_changed() {
    let message: &[u8] = b"A: b\r\n\r\n\n.\n\r.\r\r\n.\r\n..\0\xff\r";
    for rule in [BareLineEndRule::Refuse, BareLineEndRule::Normalise] {
        for at in 0..=message.len() {
            let mut settings = settings();
            settings.bare_line_ends = rule;
            let mut driver = Driver::greeted(settings);
            driver.say("MAIL FROM:<a@client.example> BODY=BINARYMIME\r\n");
            driver.say("RCPT TO:<b@mx.example>\r\n");
            let (one, two) = message.split_at(at);
            let chunk = |octets: &[u8], last: &str| {
                let line = format!("BDAT {}{last}\r\n", octets.len());
                [line.as_bytes(), octets].concat()
            };
            assert!(driver.say(chunk(one, "")).starts_with("250 2.0.0 "));
            let reply = driver.say(chunk(two, " LAST"));
            assert!(reply.starts_with("250 2.0.0 "), "{reply}");
            assert_eq!(driver.log.accepted, [message], "{rule:?}, cut at {at}");
        }
    }
}

#[test]
fn a_binary_message_comes_in_chunks_or_not_at_all() {
    let binary = "MAIL FROM:<a@client.example> BODY=BINARYMIME\r\n";
    let mut driver = Driver::greeted(settings());
    driver.say(binary);
    // Whoever it is for: nobody, nobody that is known, somebody.
    for recipient in [
        "",
        "RCPT TO:<refused@mx.example>\r\n",
        "RCPT TO:<b@mx.example>\r\n",
    ] {
        driver.say(recipient);
        let reply = driver.say("DATA\r\n");
        assert!(
            reply.starts_with("503 5.5.1 "),
            "after {recipient:?}: {reply}"
        );
    }
    // The transaction is open still, and the next may come as it likes.
    let reply = driver.say("BDAT 1 LAST\r\n\n");
    assert!(reply.starts_with("250 2.0.0 "), "{reply}");
    driver.say("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n");
    assert!(driver.say("BDAT 1 LAST\r\n\n").starts_with("554 "));
    driver.say("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n");
    assert!(driver.say("DATA\r\n").starts_with("354 "));
}

#[test]
fn without_chunks_nothing_is_binary() {
    let mut settings = settings();
    settings.offered.chunking = false;
    let mut driver = Driver::connected(settings);
    let reply = driver.say("EHLO client.example\r\n");
    assert!(!reply.contains("BINARYMIME"), "{reply}");
    let reply = driver.say("MAIL FROM:<a@client.example> BODY=BINARYMIME\r\n");
    assert!(reply.starts_with("501 5.5.4 "), "{reply}");
}

#[test]
fn a_message_over_the_maximum_is_read_to_its_end() {
    let mut settings = settings();
    settings.limits.message_size = 1000;
    let mut driver = Driver::with_recipient(settings);
    driver.say("DATA\r\n");
    for _ in 0..200 {
        assert_eq!(driver.say("0123456789\r\n"), "");
    }
    assert_eq!(driver.log.abandoned, 1);
    assert!(driver.say(".\r\n").starts_with("552 5.3.4 "));
    assert!(
        driver.say("MAIL FROM:<>\r\n").starts_with("250 "),
        "the session goes on"
    );
}

#[test]
fn there_is_a_bound_to_what_is_read_of_a_refused_message() {
    let mut settings = settings();
    settings.limits.message_size = 1000;
    settings.limits.discarded = 1000;
    let mut driver = Driver::with_recipient(settings.clone());
    driver.say("DATA\r\n");
    assert!(driver.say("x".repeat(2100)).starts_with("421 4.3.2"));
    assert!(driver.is_closed());

    let mut driver = Driver::greeted(settings);
    assert_eq!(
        driver.say(format!("BDAT 1001 LAST\r\n{}", "x".repeat(999))),
        ""
    );
    assert!(driver.say("xNOOP\r\n").starts_with("421 4.5.0"));
    assert_eq!(driver.log.closed, Some(Closed::OutOfStep));
}

#[test]
fn a_message_of_the_maximum_size_is_taken() {
    let mut settings = settings();
    settings.limits.message_size = 1000;
    let mut driver = Driver::with_recipient(settings.clone());
    let line = "x".repeat(998);
    let reply = driver.say(format!("DATA\r\n{line}\r\n.\r\n"));
    assert!(last(&reply).starts_with("250 "), "{reply}");
    assert_eq!(driver.log.accepted[0].len(), 1000);

    let mut driver = Driver::with_recipient(settings);
    let reply = driver.say(format!("BDAT 998\r\n{line}BDAT 2 LAST\r\n\r\n"));
    assert!(last(&reply).starts_with("250 "), "{reply}");
    assert_eq!(driver.log.accepted[0].len(), 1000);
}

#[test]
fn a_message_comes_in_chunks() {
    let mut driver = Driver::with_recipient(settings());
    assert_eq!(driver.say("BDAT 4\r\na\r\n"), "");
    assert_eq!(driver.say("."), "250 2.0.0 Octets received\r\n");
    assert_eq!(driver.say("BDAT 0\r\n"), "250 2.0.0 Octets received\r\n");
    assert_eq!(
        driver.say("BDAT 4\r\n\r\nb\r"),
        "250 2.0.0 Octets received\r\n"
    );
    let reply = driver.say("BDAT 1 last\r\n\n");
    assert!(
        reply.starts_with("250 2.0.0 Requested mail action okay, completed, queued as"),
        "{reply}"
    );
    assert_eq!(driver.log.accepted, [b"a\r\n.\r\nb\r\n"]);
}

#[test]
fn an_empty_message_is_a_message() {
    let mut driver = Driver::with_recipient(settings());
    assert!(driver.say("BDAT 0 LAST\r\n").starts_with("250 "));
    driver.say("MAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\n");
    let reply = driver.say("DATA\r\n.\r\n");
    assert!(last(&reply).starts_with("250 "), "{reply}");
    assert_eq!(driver.log.accepted, [b"", b""]);
}

#[test]
fn a_chunk_after_the_last_or_beside_data_is_out_of_sequence() {
    let mut driver = Driver::with_recipient(settings());
    let reply = driver.say("BDAT 1 LAST\r\nxBDAT 5 LAST\r\nQUIT\nNOOP\r\n");
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(
        codes,
        ["250", "503", "250"],
        "the octets of the second were read"
    );

    let mut driver = Driver::with_recipient(settings());
    let reply = driver.say("BDAT 1\r\nxDATA\r\nRCPT TO:<c@mx.example>\r\nBDAT 0 LAST\r\n");
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(codes, ["250", "503", "503", "250"]);
}

#[test]
fn a_refused_chunk_is_read_and_the_client_has_to_reset() {
    let mut driver = Driver::with_recipient(settings());
    driver.data = || DataReply::LocalError;
    let reply = driver.say("BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<>\r\nVRFY b\r\nNOOP\r\nRSET\r\nMAIL FROM:<>\r\n");
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(codes, ["451", "503", "503", "503", "250", "250", "250"]);
    assert_eq!((driver.log.abandoned, driver.log.accepted.len()), (1, 0));
}

#[test]
fn a_chunk_the_store_cannot_take_ends_the_transaction() {
    let mut driver = Driver::with_recipient(settings());
    driver.chunk = || BdatReply::StorageShort;
    let reply = driver.say("BDAT 1\r\nxBDAT 1 LAST\r\ny");
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(codes, ["452", "503"]);
    assert_eq!(driver.log.abandoned, 1);
}

#[test]
fn chunks_over_the_maximum_are_refused_by_their_sum() {
    let mut settings = settings();
    settings.limits.message_size = 10;
    let mut driver = Driver::with_recipient(settings);
    let reply = driver.say("BDAT 8\r\n01234567BDAT 3 LAST\r\n890NOOP\r\n");
    let codes = reply.lines().map(|line| &line[..9]).collect::<Vec<_>>();
    assert_eq!(codes, ["250 2.0.0", "552 5.3.4", "250 2.0.0"]);
    assert_eq!(driver.log.abandoned, 1);
}

#[test]
fn a_chunk_of_unreadable_size_ends_the_session() {
    let mut driver = Driver::with_recipient(settings());
    let reply = driver.say("BDAT many\r\nQUIT\r\n");
    let codes = reply.lines().map(|line| &line[..9]).collect::<Vec<_>>();
    assert_eq!(codes, ["501 5.5.4", "421 4.5.0"]);
    assert_eq!(
        (driver.log.closed, driver.log.abandoned),
        (Some(Closed::OutOfStep), 1)
    );
}

#[test]
fn a_refused_place_or_message_ends_the_transaction() {
    let mut driver = Driver::with_recipient(settings());
    driver.data = || DataReply::Refused;
    assert!(driver.say("DATA\r\n").starts_with("550 5.7.1"));
    assert_eq!(driver.log.abandoned, 1);
    assert!(driver.say("DATA\r\n").starts_with("503 "));

    let mut driver = Driver::with_recipient(settings());
    driver.end = |_| EndOfDataReply::StorageShort;
    let reply = driver.say("DATA\r\nx\r\n.\r\nMAIL FROM:<>\r\n");
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(codes, ["354", "452", "250"]);
}

#[test]
fn a_reset_or_a_loss_abandons_the_message() {
    for command in [
        "RSET\r\n",
        "EHLO client.example\r\n",
        "HELO client.example\r\n",
        "QUIT\r\n",
    ] {
        let mut driver = Driver::with_recipient(settings());
        driver.say("BDAT 1\r\nx");
        driver.say(command);
        assert_eq!(driver.log.abandoned, 1, "{command}");
    }
    let mut driver = Driver::with_recipient(settings());
    driver.say("DATA\r\nSubject: half\r\n");
    driver.session.handle_eof(driver.now);
    assert_eq!(driver.hear(), "");
    assert_eq!(
        (driver.log.abandoned, driver.log.closed),
        (1, Some(Closed::Lost))
    );
}

#[test]
fn a_client_that_stops_sending_still_hears_its_answers() {
    let mut driver = Driver::with_recipient(settings());
    driver.keeps = |event| matches!(event, postroad_session::server::Event::EndOfData { .. });
    driver.say("DATA\r\nx\r\n.\r\n");
    driver.session.handle_eof(driver.now);
    assert!(!driver.is_closed());
    let question = driver.open.take().unwrap();
    driver.answer(question);
    assert!(driver.hear().contains("250 2.0.0"));
    assert_eq!(driver.log.closed, Some(Closed::Lost));
}
