//! Slow clients, long sessions, shutdown.

use std::time::Duration;

use postroad_reply::Closing;
use postroad_session::server::{Closed, Event};

use crate::driver::{Driver, settings};

const COMMAND: Duration = Duration::from_secs(5 * 60);
const DATA: Duration = Duration::from_secs(3 * 60);

/// Waits for almost the whole time-out, then for the rest.
fn times_out(mut driver: Driver, after: Duration, said: &str) {
    let almost = after.checked_sub(Duration::from_secs(1)).unwrap();
    assert_eq!(driver.wait(almost), "");
    assert!(!driver.is_closed());
    let due = driver.session.poll_timeout().unwrap();
    assert_eq!(due.since(driver.now), Duration::from_secs(1));
    let reply = driver.wait(Duration::from_secs(1));
    assert!(reply.contains(said) && reply.starts_with("421 "), "{reply}");
    assert_eq!(driver.log.closed, Some(Closed::Ended(Closing::TimedOut)));
    assert_eq!(driver.session.poll_timeout(), None);
}

#[test]
fn a_silent_client_hears_421_in_every_state() {
    times_out(
        Driver::connected(settings()),
        COMMAND,
        "421 mx.example Time-out",
    );
    times_out(Driver::greeted(settings()), COMMAND, "4.4.2");
    times_out(Driver::with_recipient(settings()), COMMAND, "4.4.2");

    let mut in_data = Driver::with_recipient(settings());
    in_data.say("DATA\r\nhalf a li");
    times_out(in_data, DATA, "4.4.2");

    let mut in_chunk = Driver::with_recipient(settings());
    in_chunk.say("BDAT 10\r\nabc");
    times_out(in_chunk, DATA, "4.4.2");

    let mut in_refused_chunk = Driver::greeted(settings());
    in_refused_chunk.say("BDAT 10\r\nabc");
    times_out(in_refused_chunk, DATA, "4.4.2");

    let mut turned = Driver::new(settings());
    turned.connect = || postroad_reply::ConnectReply::Refused;
    turned.hear();
    times_out(turned, COMMAND, "421 mx.example Time-out");
}

#[test]
fn a_transaction_that_times_out_is_abandoned() {
    let mut driver = Driver::with_recipient(settings());
    driver.say("DATA\r\nhalf a li");
    driver.wait(DATA);
    assert_eq!((driver.log.abandoned, driver.log.accepted.len()), (1, 0));
}

#[test]
fn a_command_that_drips_in_gains_no_time() {
    let mut driver = Driver::greeted(settings());
    for _ in 0..4 {
        driver.say("N");
        assert_eq!(driver.wait(Duration::from_secs(70)), "");
    }
    assert!(
        driver
            .wait(Duration::from_secs(20))
            .starts_with("421 4.4.2")
    );
}

#[test]
fn data_that_drips_in_is_borne_until_the_session_is_too_old() {
    let mut settings = settings();
    settings.limits.lifetime = Duration::from_secs(3600);
    let mut driver = Driver::with_recipient(settings);
    driver.say("DATA\r\n");
    let mut said = String::new();
    while said.is_empty() {
        said = driver.say("x") + &driver.wait(Duration::from_secs(150));
    }
    assert_eq!(driver.now.0, 1_000_000_000 + 3600 * 1_000_000_000);
    assert_eq!(driver.log.closed, Some(Closed::Ended(Closing::LimitPassed)));
}

#[test]
fn no_time_runs_out_while_the_handler_thinks() {
    let mut driver = Driver::greeted(settings());
    driver.keeps = |event| matches!(event, Event::Mail { .. });
    driver.say("MAIL FROM:<>\r\n");
    for _ in 0..100 {
        assert_eq!(driver.wait(Duration::from_secs(60)), "");
    }
    let question = driver.open.take().unwrap();
    driver.answer(question);
    assert!(driver.hear().starts_with("250 2.1.0"));
}

#[test]
fn a_shutdown_is_said_at_once_but_lets_a_commit_finish() {
    let mut driver = Driver::greeted(settings());
    driver.session.disconnect(Closing::Stopping, driver.now);
    assert!(driver.hear().starts_with("421 4.3.2 mx.example"));
    assert!(driver.is_closed());

    let mut driver = Driver::with_recipient(settings());
    driver.keeps = |event| matches!(event, Event::EndOfData { .. });
    let begun = driver.say("DATA\r\nx\r\n.\r\nNOOP\r\n");
    assert!(begun.starts_with("354 "), "{begun}");
    driver.session.disconnect(Closing::Stopping, driver.now);
    assert!(!driver.is_closed(), "the message is being committed");
    assert!(driver.session.poll_timeout().is_some());
    let question = driver.open.take().unwrap();
    driver.answer(question);
    let reply = driver.hear();
    let lines = reply.lines().collect::<Vec<_>>();
    assert!(lines[0].starts_with("250 2.0.0"), "{lines:?}");
    assert!(
        lines[1].starts_with("421 4.3.2") && lines.len() == 2,
        "{lines:?}"
    );
    assert_eq!(driver.log.closed, Some(Closed::Ended(Closing::Stopping)));
}

#[test]
fn the_lifetime_lets_a_commit_finish_too_without_a_busy_timer() {
    let mut driver = Driver::with_recipient(settings());
    driver.keeps = |event| matches!(event, Event::EndOfData { .. });
    driver.say("DATA\r\nx\r\n.\r\n");
    driver.wait(Duration::from_secs(13 * 60 * 60));
    assert!(!driver.is_closed());
    assert!(driver.session.poll_timeout().unwrap() > driver.now);
    let question = driver.open.take().unwrap();
    driver.answer(question);
    assert!(driver.hear().contains("250 2.0.0"));
    assert!(driver.is_closed());
}

#[test]
fn every_command_starts_the_wait_anew() {
    let mut driver = Driver::greeted(settings());
    for _ in 0..5 {
        assert!(driver.say("NOOP\r\n").starts_with("250 "));
        assert_eq!(driver.wait(Duration::from_secs(4 * 60)), "");
    }
}
