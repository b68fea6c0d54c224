//! ETRN, ATRN and TURN.

use bytes::BytesMut;
use postroad_session::client::Timeouts;
use postroad_session::server::{Closed, Event, Roles, Settings, Want};
use postroad_wire::command::Node;

use crate::driver::{Driver, settings};

/// A server that has both.
fn with_roles() -> Settings {
    Settings {
        roles: Roles {
            etrn: true,
            atrn: true,
            turn: true,
        },
        ..settings()
    }
}

#[test]
fn they_are_listed_where_they_are_switched_on() {
    let hello = |settings| Driver::connected(settings).say("EHLO client.example\r\n");
    let reply = hello(with_roles());
    assert!(
        reply.contains("250-ETRN\r\n") && reply.contains("250-ATRN\r\n"),
        "{reply}"
    );
    assert!(!hello(settings()).contains("TRN"));
}

#[test]
fn etrn_asks_for_a_node_and_the_session_goes_on() {
    let mut driver = Driver::greeted(with_roles());
    driver.keeps = |event| matches!(event, Event::Etrn { .. });
    assert_eq!(driver.say("ETRN @Example.com\r\n"), "");
    let Some(Event::Etrn { node, ticket }) = driver.open.take() else {
        panic!("nothing was asked");
    };
    assert_eq!(node.to_string(), "@Example.com");
    assert!(matches!(node, Node::Subdomains(_)));
    driver.answer(Event::Etrn { node, ticket });
    assert_eq!(
        driver.hear(),
        "251 2.0.0 OK, no messages waiting for node\r\n"
    );
    assert!(driver.say("NOOP\r\n").starts_with("250 2.0.0 "));
}

#[test]
fn what_is_out_of_place_or_malformed_is_refused_before_anyone_is_asked() {
    let cases = [
        ("ETRN\r\n", "501 5.5.4 "),
        ("ETRN -\r\n", "501 5.5.4 "),
        ("TURN now\r\n", "501 5.5.4 "),
        ("ATRN a..b\r\n", "501 5.5.4 "),
        ("ATRN a.example now\r\n", "501 5.5.4 "),
        ("ATRN a.example NOW=1\r\n", "504 5.5.4 "),
        ("ATRN a.example,b.example\r\n", "530 5.7.0 "),
        ("ATRN\r\n", "530 5.7.0 "),
    ];
    for (command, reply) in cases {
        let mut driver = Driver::greeted(with_roles());
        let said = driver.say(command);
        assert!(said.starts_with(reply), "{command:?}: {said}");
        assert_eq!(driver.session.want(), Want::More);
    }
    for command in ["ETRN a.example\r\n", "ATRN\r\n", "TURN\r\n"] {
        let mut early = Driver::connected(with_roles());
        early.session.identified();
        assert!(early.say(command).starts_with("503 "), "{command:?}");
        let mut late = Driver::with_recipient(with_roles());
        late.session.identified();
        assert!(late.say(command).starts_with("503 "), "{command:?}");
    }
}

#[test]
fn atrn_changes_the_roles_and_drops_what_was_pipelined_behind_it() {
    let mut driver = Driver::greeted(with_roles());
    driver.session.identified();
    let said = driver.say("ATRN a.example\r\n220 not yet\r\nMAIL FROM:<>\r\n");
    assert_eq!(said, "250 2.0.0 OK, now reversing the connection\r\n");
    assert_eq!(driver.log.closed, Some(Closed::Reversed));
    assert_eq!(driver.session.want(), Want::Reverse);
    assert_eq!(driver.session.poll_timeout(), None);

    let client = driver.session.into_client(Timeouts::default(), driver.now);
    let mut client = client.expect("the roles have changed");
    let mut out = BytesMut::new();
    assert!(!client.poll_transmit(&mut out), "the peer greets first");
    client.handle_input("220 a.example\r\n".into(), driver.now);
    client.poll_transmit(&mut out);
    assert_eq!(&out[..], b"EHLO mx.example\r\n");
}

#[test]
fn turn_changes_the_roles_after_helo_as_well() {
    let mut driver = Driver::connected(with_roles());
    driver.say("HELO client.example\r\n");
    let said = driver.say("TURN\r\nQUIT\r\n");
    assert_eq!(said, "250 Requested mail action okay, completed\r\n");
    assert_eq!(driver.session.want(), Want::Reverse);
    assert_eq!(driver.log.closed, Some(Closed::Reversed));
}

#[test]
fn a_session_whose_roles_have_not_changed_is_no_client() {
    let mut driver = Driver::greeted(with_roles());
    driver.say("ATRN\r\n");
    let client = driver.session.into_client(Timeouts::default(), driver.now);
    assert!(client.is_none());
}
