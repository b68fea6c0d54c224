//! What servers of RFC 821 did, and what the classic table makes of today's replies.

use postroad_reply::{Closing, ConnectReply, Situation};
use postroad_session::server::{Closed, Event, Historic, Quirk, Settings};

use crate::driver::{Driver, settings};
use crate::matrix::classic;

fn with(quirks: &[Quirk]) -> Settings {
    let mut settings = settings();
    settings.historic = Historic::of(quirks.iter().copied());
    settings
}

/// The quirks that were used, each as often.
fn used(driver: &Driver) -> Vec<Quirk> {
    let shown = |situation: &&'static Situation| Quirk::shown_by(situation);
    driver.log.said.iter().filter_map(shown).collect()
}

#[test]
fn each_way_to_have_no_ehlo_leaves_helo() {
    for (quirk, code) in [
        (Quirk::Ehlo500, "500 Syntax error, command unrecognised"),
        (Quirk::Ehlo502, "502 Command not implemented"),
        (Quirk::Ehlo550, "550 Not implemented"),
    ] {
        let mut driver = Driver::connected(with(&[quirk]));
        assert_eq!(driver.say("EHLO client.example\r\n"), format!("{code}\r\n"));
        let reply = driver.say("HELO client.example\r\n");
        assert!(reply.starts_with("250 mx.example "), "{reply}");
        assert_eq!(used(&driver), [quirk]);
    }
}

#[test]
fn a_quirk_is_used_when_it_shows_and_not_before() {
    let mut driver = Driver::greeted(with(&[Quirk::Send, Quirk::Rset200, Quirk::Noop200]));
    driver.say("SOML FROM:<a@client.example>\r\n");
    driver.say("RSET now\r\n");
    assert!(used(&driver).is_empty());
    driver.say("SEND FROM:<a@client.example>\r\nRSET\r\nNOOP\r\n");
    assert_eq!(used(&driver), [Quirk::Send, Quirk::Rset200, Quirk::Noop200]);
}

#[test]
fn send_opens_a_transaction_that_is_bounded_as_a_terminal_is() {
    let mut settings = with(&[Quirk::Send]);
    settings.limits.terminal_message = 100;
    let mut driver = Driver::greeted(settings);
    let begin = "SEND FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n";
    driver.say(begin);
    let reply = driver.say(format!("{}\r\n.\r\n", "x".repeat(200)));
    assert!(reply.starts_with("552 5.3.4 "), "{reply}");
    driver.say(begin);
    let reply = driver.say("short\r\n.\r\n");
    assert!(reply.starts_with("250 2.0.0 "), "{reply}");
    // The same size is nothing for a mailbox.
    driver.say("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n");
    let reply = driver.say(format!("{}\r\n.\r\n", "x".repeat(200)));
    assert!(reply.starts_with("250 2.0.0 "), "{reply}");
}

#[test]
fn a_ticket_of_send_that_is_lost_is_answered_451() {
    let mut driver = Driver::greeted(with(&[Quirk::Send, Quirk::Soml, Quirk::Saml]));
    driver.keeps = |event| {
        matches!(
            event,
            Event::Send { .. } | Event::Soml { .. } | Event::Saml { .. }
        )
    };
    for verb in ["SEND", "SOML", "SAML"] {
        driver.say(format!("{verb} FROM:<a@client.example>\r\n"));
        drop(driver.open.take());
        driver.session.handle_timeout(driver.now);
        let reply = driver.hear();
        assert!(reply.starts_with("451 4.3.0 "), "{verb}: {reply}");
    }
}

#[test]
fn a_name_without_a_dot_is_refused_where_one_is_demanded() {
    let mut demanding = settings();
    demanding.qualified_names = true;
    let mut driver = Driver::connected(demanding.clone());
    for verb in ["HELO", "EHLO"] {
        let reply = driver.say(format!("{verb} client\r\n"));
        assert!(reply.starts_with("504 "), "{reply}");
    }
    assert!(driver.say("HELO [192.0.2.1]\r\n").starts_with("250 "));
    assert!(driver.say("EHLO client.example\r\n").starts_with("250-"));
    let mut trusted = Driver::connected(demanding);
    trusted.session.trusted();
    assert!(trusted.say("EHLO client\r\n").starts_with("250-"));
}

#[test]
fn a_client_that_is_refused_by_a_listener_held_to_the_classic_table_is_closed_upon() {
    let mut driver = Driver::new(classic());
    driver.connect = || ConnectReply::Refused;
    assert!(driver.hear().starts_with("421 mx.example "));
    assert_eq!(driver.log.closed, Some(Closed::Ended(Closing::LimitPassed)));
}

#[test]
fn a_listener_held_to_the_classic_table_offers_nothing_that_brings_other_replies() {
    let mut everything = settings();
    everything.roles.etrn = true;
    everything.roles.atrn = true;
    everything.tls = postroad_session::server::TlsRule::Offered;
    everything.auth = postroad_session::server::AuthRule::Offered;
    let mut driver = Driver::connected(everything.strictly_classic());
    let reply = driver.say("EHLO client.example\r\n");
    let keywords: Vec<_> = reply.lines().skip(1).map(|line| &line[4..]).collect();
    let expected = [
        "PIPELINING",
        "8BITMIME",
        "DSN",
        "HELP",
        "SIZE 52428800",
        "LIMITS MAILMAX=1000 RCPTMAX=1000",
    ];
    assert_eq!(keywords, expected);
}
