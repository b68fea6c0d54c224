//! Peers that aren't there, go away, or say nothing.

use std::time::{Duration, Instant};

use crate::harness::{carry_to, client, impatient, outcomes, run, thought};
use crate::liar::Liar;

const OPEN: &str = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 PIPELINING\n";
const ENVELOPE: &str = "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n";

/// (script, outcome, thought, messages that came whole)
type Row = (&'static str, &'static str, &'static str, usize);

fn check(before: &str, rows: &[Row]) {
    run(async {
        for (script, expected, feedback, messages) in rows {
            let liar = Liar::start([&format!("{before}{script}")]).await;
            let carried = carry_to(&client(impatient()), &liar.smtp(), 1).await;
            assert_eq!(outcomes(&carried), [*expected], "{script}");
            assert_eq!(thought(&carried), *feedback, "{script}: {carried:#?}");
            let heard = liar.heard().await;
            assert_eq!(
                (heard.messages.len(), heard.connections),
                (*messages, 1),
                "{script}"
            );
        }
    });
}

#[test]
fn a_greeting_that_is_no_welcome_is_an_outcome() {
    let rows: [Row; 8] = [
        ("S: 421 4.3.2 too busy", "deferred 4.3.2 421", "busy", 0),
        ("S: 450 later", "deferred - 450", "busy", 0),
        ("S: 554 5.7.1 not you", "failed 5.7.1 554", "trouble", 0),
        ("S: 521 no mail here", "failed - 521", "trouble", 0),
        ("S: 500 what", "failed - 500", "trouble", 0),
        ("S: 354 go", "deferred - 354", "trouble", 0),
        (
            "S: 220-mx\nS: 554 mx",
            "deferred 4.5.0 the lines of the peer's reply have different codes",
            "trouble",
            0,
        ),
        ("", "deferred 4.4.2 the connection was lost", "trouble", 0),
    ];
    check("", &rows);
}

#[test]
fn a_reply_to_ehlo_that_is_no_welcome_is_an_outcome() {
    let rows: [Row; 5] = [
        ("S: 421 bye", "deferred - 421", "busy", 0),
        ("S: 451 later", "deferred - 451", "busy", 0),
        (
            "S: 500 what\nC: HELO client.example\nS: 550 go away",
            "failed - 550",
            "trouble",
            0,
        ),
        (
            "S: 500 what\nC: HELO client.example\nS: 421 go away",
            "deferred - 421",
            "busy",
            0,
        ),
        (
            "S: 500 what\nC: HELO\nS: 250 mx\nC: MAIL FROM:<a@client.example>\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nDATA\nS: 250 taken",
            "Relayed - 250",
            "worked",
            1,
        ),
    ];
    check("S: 220 mx\nC: EHLO\n", &rows);
}

#[test]
fn a_connection_that_is_lost_defers_whatever_was_going_on() {
    let lost = "deferred 4.4.2 the connection was lost";
    let rows: [Row; 6] = [
        ("", lost, "trouble", 0),
        ("C: MAIL", lost, "trouble", 0),
        (
            "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok",
            lost,
            "trouble",
            0,
        ),
        (
            "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go",
            lost,
            "trouble",
            0,
        ),
        // After the final dot: the peer may have it, and nothing says so (RFC 5321 4.2.5).
        (
            "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nDATA",
            lost,
            "trouble",
            1,
        ),
        (
            "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nDATA\nS: 250-almost",
            lost,
            "trouble",
            1,
        ),
    ];
    check(OPEN, &rows);
}

#[test]
fn a_silent_peer_is_given_up() {
    let rows: [Row; 6] = [
        ("EOF", "deferred 4.4.2 no greeting in time", "trouble", 0),
        (
            "S: 220 mx\nC: EHLO\nEOF",
            "deferred 4.4.2 no reply in time to EHLO",
            "trouble",
            0,
        ),
        (
            "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nEOF",
            "deferred 4.4.2 no reply in time to MAIL",
            "trouble",
            0,
        ),
        (
            "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 250 ok\nC: RCPT\nEOF",
            "deferred 4.4.2 no reply in time to RCPT",
            "trouble",
            0,
        ),
        (
            "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nEOF",
            "deferred 4.4.2 no reply in time to DATA",
            "trouble",
            0,
        ),
        (
            "S: 220 mx\nC: EHLO\nS: 250 mx\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nDATA\nEOF",
            "deferred 4.4.2 no reply in time to the message",
            "trouble",
            1,
        ),
    ];
    check("", &rows);
}

#[test]
fn a_slow_peer_is_waited_for_reply_by_reply() {
    // Each reply takes a fifth of a second, all of them more than the time that one may take.
    let slow = "PAUSE\nS: 220 mx\nC: EHLO\nPAUSE\nS: 250-mx\nS: 250 PIPELINING\nC: MAIL\nPAUSE\nS: 250 ok\nC: RCPT\n\
                PAUSE\nS: 250 ok\nC: DATA\nPAUSE\nS: 354 go\nDATA\nPAUSE\nS: 250 taken";
    check("", &[(slow, "Relayed - 250", "worked", 1)]);
}

#[test]
fn a_reply_that_drips_in_gains_no_time() {
    let dripping =
        "S: 220-a\nPAUSE\nS: 220-b\nPAUSE\nS: 220-c\nPAUSE\nS: 220-d\nPAUSE\nS: 220 e\nEOF";
    check(
        "",
        &[(dripping, "deferred 4.4.2 no greeting in time", "trouble", 0)],
    );
}

#[test]
fn a_peer_that_does_not_read_is_given_up() {
    run(async {
        // More than any socket's buffers hold, to one who never reads it.
        let octets =
            "0123456789012345678901234567890123456789012345678901234567890\r\n".repeat(300_000);
        let liar = Liar::start([&format!(
            "{OPEN}{ENVELOPE}PAUSE\nPAUSE\nPAUSE\nPAUSE\nPAUSE\nPAUSE"
        )])
        .await;
        let envelope = crate::harness::envelope(octets.as_bytes(), &["r0@mx.example"]);
        let begun = Instant::now();
        let carried = crate::harness::carry(
            &client(impatient()),
            &liar.smtp(),
            envelope,
            octets.as_bytes(),
        )
        .await;
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(
            outcomes(&carried),
            ["deferred 4.4.2 no reply in time to the message"]
        );
        assert_eq!(liar.heard().await.messages.len(), 0);
    });
}

#[test]
fn a_large_message_refused_half_way_is_refused_by_that_reply() {
    run(async {
        let octets =
            "0123456789012345678901234567890123456789012345678901234567890\r\n".repeat(300_000);
        let liar = Liar::start([&format!(
            "{OPEN}{ENVELOPE}C: Received\nS: 552 5.3.4 too big\nPAUSE"
        )])
        .await;
        let envelope = crate::harness::envelope(octets.as_bytes(), &["r0@mx.example"]);
        let carried = crate::harness::carry(
            &client(impatient()),
            &liar.smtp(),
            envelope,
            octets.as_bytes(),
        )
        .await;
        assert_eq!(outcomes(&carried), ["failed 5.3.4 552"]);
        assert_eq!(liar.heard().await.messages.len(), 0);
    });
}

#[test]
fn who_is_not_there_is_trouble_and_never_a_failure() {
    run(async {
        let liar = Liar::start([]).await;
        let closed = liar.smtp();
        // Its listener is dropped at once, having no script.
        while tokio::net::TcpStream::connect(liar.address).await.is_ok() {}
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        for (to, status) in [
            (closed, "deferred 4.4.1 no connection"),
            (
                format!("lmtp:{}", path.display()),
                "deferred 4.4.1 no connection",
            ),
            (
                "smtp://no.such.name.invalid:25".to_owned(),
                "deferred 4.4.4 its address",
            ),
        ] {
            let carried = carry_to(&client(impatient()), &to, 2).await;
            let outcomes = outcomes(&carried);
            assert!(
                outcomes.iter().all(|o| o.starts_with(status)),
                "{outcomes:?}"
            );
            assert_eq!(thought(&carried), "trouble");
        }
    });
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    run(async {
        // A listener at the IPv4 address alone; the name may lead to the IPv6 address first.
        let script = format!("{OPEN}{ENVELOPE}DATA\nS: 250 taken");
        let liar = Liar::start([&script]).await;
        let to = format!("smtp://localhost:{}", liar.address.port());
        let carried = carry_to(&client(impatient()), &to, 1).await;
        assert_eq!(outcomes(&carried), ["Relayed - 250"]);
        assert_eq!(liar.heard().await.messages.len(), 1);
    });
}

#[test]
fn the_report_names_the_peer_and_its_reply() {
    run(async {
        let script = format!(
            "{OPEN}C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 550-5.1.1 No\nS: 550 5.1.1 such user\nS: 554 no\nC: RSET\nS: 250 ok\nC: QUIT"
        );
        let liar = Liar::start([&script]).await;
        let peers = client(impatient());
        let carried = carry_to(&peers, &liar.smtp(), 1).await;
        let postroad_delivery::Verdict::Failed(report) = &carried.recipients[0].1 else {
            panic!("{carried:?}");
        };
        assert_eq!(
            report.to_string(),
            format!(
                "[{}]: 550 5.1.1 No such user (in answer to RCPT)",
                liar.address
            )
        );
        peers.drain().await;
        liar.heard().await;
    });
}

#[test]
fn a_connection_comes_from_the_address_that_is_set() {
    run(async {
        let liar = Liar::start([&format!("{OPEN}{ENVELOPE}DATA\nS: 250 taken")]).await;
        let mut settings = impatient();
        settings.source.v4 = Some([127, 0, 0, 3].into());
        let carried = carry_to(&client(settings), &liar.smtp(), 1).await;
        assert_eq!(outcomes(&carried), ["Relayed - 250"]);
        assert_eq!(liar.heard().await.from[0].ip().to_string(), "127.0.0.3");
    });
}
