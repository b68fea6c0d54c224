//! STARTTLS and AUTH: what survives TLS, and how an exchange ends.

use std::time::Duration;

use postroad_reply::StarttlsReply;
use postroad_session::server::{AuthRule, Closed, Event, Settings, TlsRule, Want};
use proptest::prelude::*;

use crate::driver::{Driver, settings};

fn secured() -> Settings {
    let mut settings = settings();
    settings.tls = TlsRule::Offered;
    settings.auth = AuthRule::Offered;
    settings
}

/// A session under TLS that has said EHLO again.
fn encrypted() -> Driver {
    let mut driver = Driver::greeted(secured());
    driver.start_tls();
    driver.say("EHLO client.example\r\n");
    driver
}

#[test]
fn nothing_that_came_before_the_handshake_is_obeyed_after_it() {
    // The commands come in one piece with STARTTLS, in which a man in the middle may have put them
    // (CVE-2011-0411); or behind it, cut anywhere.
    let injected = "RSET\r\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<b@mx.example>\r\nDA";
    for cut in 0..=injected.len() {
        let mut driver = Driver::greeted(secured());
        let reply = driver.say(format!("STARTTLS\r\n{}", &injected[..cut]));
        assert_eq!(reply, "220 2.0.0 Ready to start TLS\r\n");
        assert_eq!(driver.session.want(), Want::TlsHandshake);
        // A driver that doesn't throw it away itself loses it all the same.
        let progress = driver
            .session
            .handle_input(injected[cut..].to_owned().into(), driver.now);
        assert_eq!(
            (progress.consumed, progress.want),
            (injected.len() - cut, Want::TlsHandshake)
        );
        driver.forget_leftover();
        driver.session.tls_established(driver.now);
        assert_eq!(driver.hear(), "", "{cut}");
        // What is left of a line would stand before this.
        assert_eq!(
            driver.say("NOOP\r\n"),
            "250 Requested mail action okay, completed\r\n"
        );
        assert!(driver.log.recipients.is_empty());
    }
}

#[test]
fn tls_makes_a_session_forget_all_that_was_said() {
    let mut driver = Driver::greeted(secured());
    assert_eq!(
        driver.say("AUTH SCRAM-SHA-256 AGFubmEAc2VjcmV0\r\n"),
        "235 2.7.0 Authentication successful\r\n"
    );
    driver.start_tls();
    // EHLO is needed again, and with it its enhanced codes; and so is AUTH.
    assert_eq!(
        driver.say("MAIL FROM:<>\r\n"),
        "503 Bad sequence of commands\r\n"
    );
    let listed = driver.say("EHLO client.example\r\n");
    assert!(!listed.contains("STARTTLS"), "{listed}");
    assert!(
        listed.contains("AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"),
        "{listed}"
    );
    assert!(
        driver
            .say("AUTH PLAIN AGFubmEAc2VjcmV0\r\n")
            .starts_with("235 ")
    );
    assert_eq!(
        driver.say("STARTTLS\r\n"),
        "503 5.5.1 Bad sequence of commands\r\n"
    );
}

#[test]
fn a_session_goes_on_where_there_is_no_certificate_now() {
    let mut driver = Driver::greeted(secured());
    driver.tls = || StarttlsReply::Unavailable;
    assert_eq!(
        driver.say("STARTTLS\r\n"),
        "454 4.7.0 TLS not available due to temporary reason\r\n"
    );
    assert!(driver.say("MAIL FROM:<>\r\n").starts_with("250 "));
}

#[test]
fn a_client_that_does_no_handshake_is_not_talked_to_any_more() {
    let open = || {
        let mut driver = Driver::greeted(secured());
        driver.say("STARTTLS\r\n");
        driver
    };
    let mut driver = open();
    assert_eq!(driver.wait(Duration::from_secs(5 * 60)), "");
    assert!(matches!(driver.log.closed, Some(Closed::Ended(_))));
    let mut driver = open();
    driver.session.handle_eof(driver.now);
    assert_eq!(
        (driver.hear().as_str(), driver.log.closed),
        ("", Some(Closed::Lost))
    );
}

#[test]
fn an_exchange_ends_as_rfc_4954_4_says() {
    let too_long = "x".repeat(12_287);
    let as_long_as_may_be = "A".repeat(12_288 - 4);
    for (response, said) in [
        ("AGFubmEAc2VjcmV0", "235 2.7.0 "),
        ("bW9yZQ==", "334 d2hhdCBtb3JlPw=="),
        ("", "535 5.7.8 "),
        ("bGF0ZXI=", "454 4.7.0 "),
        ("d2Vhaw==", "534 5.7.9 "),
        ("b2xk", "432 4.7.12 "),
        ("*", "501 5.7.0 Authentication cancelled"),
        ("=", "501 5.5.2 "),
        ("AGFubmEAc2VjcmV", "501 5.5.2 "),
        ("QUIT", "535 5.7.8 "),
        ("a\0", "501 5.5.2 "),
        (as_long_as_may_be.as_str(), "535 5.7.8 "),
        (too_long.as_str(), "500 5.5.6 "),
    ] {
        let mut driver = encrypted();
        assert_eq!(driver.say("AUTH PLAIN\r\n"), "334 \r\n");
        let reply = driver.say(format!("{response}\r\n"));
        assert!(reply.starts_with(said), "{response}: {reply}");
        if said.starts_with("334") {
            assert!(driver.say("*\r\n").starts_with("501 5.7.0 "));
        }
        // The exchange is over whatever became of it, and lines are short again.
        let reply = driver.say(format!("NOOP {}\r\nMAIL FROM:<>\r\n", "x".repeat(2000)));
        assert!(
            reply.starts_with("500 5.5.2 ") && reply.contains("\r\n250 2.1.0 "),
            "{reply}"
        );
    }
}

#[test]
fn what_is_pipelined_behind_auth_is_its_response_or_the_next_command() {
    let mut driver = encrypted();
    let reply = driver.say("AUTH PLAIN\r\nAGFubmEAc2VjcmV0\r\nMAIL FROM:<>\r\nRSET\r\n");
    let codes = reply.lines().map(|line| &line[..3]).collect::<Vec<_>>();
    assert_eq!(codes, ["334", "235", "250", "250"]);
}

#[test]
fn one_login_too_many_that_fails_ends_the_session() {
    let mut settings = secured();
    settings.limits.failed_logins = 2;
    let mut driver = Driver::greeted(settings);
    for _ in 0..2 {
        assert!(
            driver
                .say("AUTH SCRAM-SHA-256 =\r\n")
                .starts_with("535 5.7.8 ")
        );
    }
    // What isn't the client's fault doesn't count.
    assert!(
        driver
            .say("AUTH SCRAM-SHA-256 bGF0ZXI=\r\n")
            .starts_with("454 4.7.0 ")
    );
    assert!(!driver.is_closed());
    let reply = driver.say("AUTH SCRAM-SHA-256 d2Vhaw==\r\n");
    assert!(reply.starts_with("421 4.7.0 mx.example "), "{reply}");
    assert!(driver.is_closed());
}

#[test]
fn a_password_is_not_shown_by_who_prints_an_event() {
    let mut driver = encrypted();
    driver.keeps = |event| matches!(event, Event::Auth { .. });
    driver.say("AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    let shown = format!("{:?}", driver.open);
    assert!(shown.contains("Plain") && !shown.contains("115"), "{shown}");
}

#[test]
fn the_time_of_an_exchange_and_of_a_handshake_is_that_of_a_command() {
    let mut driver = encrypted();
    driver.say("AUTH PLAIN\r\n");
    let reply = driver.wait(Duration::from_secs(5 * 60));
    assert!(reply.starts_with("421 4.4.2 "), "{reply}");
}

proptest! {
    /// However what a client says is cut into pieces, it hears the same.
    #[test]
    fn pieces_make_no_difference(cuts in proptest::collection::vec(0usize..60, 0..8)) {
        let said = "AUTH PLAIN\r\nAGFubmEAc2VjcmV0\r\nAUTH LOGIN\r\nNOOP\r\n";
        let whole = encrypted().say(said);
        let mut driver = encrypted();
        let mut cuts = cuts;
        cuts.extend([0, said.len()]);
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(said.len()));
        cuts.sort_unstable();
        let heard = cuts
            .windows(2)
            .map(|ends| driver.say(&said[ends[0]..ends[1]]))
            .collect::<String>();
        prop_assert_eq!(heard, whole);
    }
}
