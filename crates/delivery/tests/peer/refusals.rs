//! Replies, interpreted for each recipient.

use crate::harness::{carry_to, client, impatient, outcomes, run, thought, whole};
use crate::liar::Liar;

/// A session up to the envelope, which is pipelined.
const OPEN: &str = "
    S: 220 mx.example
    C: EHLO client.example
    S: 250-mx.example
    S: 250 PIPELINING
";

/// To so many recipients, and what then is said: (script, recipients, outcomes, thought, messages).
type Row = (
    &'static str,
    usize,
    &'static [&'static str],
    &'static str,
    usize,
);

fn check(rows: &[Row]) {
    run(async {
        for (script, recipients, expected, feedback, messages) in rows {
            let liar = Liar::start([&format!("{OPEN}{script}")]).await;
            let peers = client(impatient());
            let carried = carry_to(&peers, &liar.smtp(), *recipients).await;
            assert_eq!(outcomes(&carried), *expected, "{script}");
            assert_eq!(thought(&carried), *feedback, "{script}: {carried:#?}");
            peers.drain().await;
            let heard = liar.heard().await;
            assert_eq!(heard.messages.len(), *messages, "{script}");
            assert_eq!(heard.connections, 1, "{script}");
        }
    });
}

/// MAIL, and RCPT for so many recipients, and DATA, all heard.
macro_rules! envelope {
    (1) => {
        "C: MAIL FROM:<a@client.example>\nC: RCPT TO:<r0@mx.example>\nC: DATA\n"
    };
    (2) => {
        "C: MAIL\nC: RCPT TO:<r0@mx.example>\nC: RCPT TO:<r1@mx.example>\nC: DATA\n"
    };
    (3) => {
        "C: MAIL\nC: RCPT\nC: RCPT\nC: RCPT TO:<r2@mx.example>\nC: DATA\n"
    };
}

const BYE: &str = "C: QUIT\nS: 221 bye\nEOF\n";

#[test]
fn each_recipient_has_its_own_outcome() {
    let rows: [Row; 4] = [
        (
            concat!(
                envelope!(3),
                "S: 250 ok\nS: 250 2.1.5 ok\nS: 550 5.1.1 no such user\nS: 450 4.2.1 busy\nS: 354 go\nDATA\nS: 250 2.0.0 queued\nC: QUIT"
            ),
            3,
            &[
                "Relayed 2.0.0 250",
                "failed 5.1.1 550",
                "deferred 4.2.1 450",
            ],
            "worked",
            1,
        ),
        // 251, and codes that nobody has heard of.
        (
            concat!(
                envelope!(3),
                "S: 299 ok\nS: 251 will forward\nS: 599 no\nS: 499 later\nS: 399 go\nDATA\nS: 299 fine\nC: QUIT"
            ),
            3,
            &["Relayed - 299", "failed - 599", "deferred - 499"],
            "worked",
            1,
        ),
        // A full mailbox isn't too many recipients.
        (
            concat!(
                envelope!(2),
                "S: 250 ok\nS: 552 5.2.2 full\nS: 452 4.2.2 full\nS: 554 nobody\nC: RSET\nS: 250 ok\nC: QUIT"
            ),
            2,
            &["failed 5.2.2 552", "deferred 4.2.2 452"],
            "neutral",
            0,
        ),
        // 552 at RCPT is RFC 821's 452 (RFC 5321 4.5.3.1.10). Nobody was accepted, so it isn't tried at once.
        (
            concat!(
                envelope!(1),
                "S: 250 ok\nS: 552 too many\nS: 503 nobody\nC: RSET\nS: 250 ok\nC: QUIT"
            ),
            1,
            &["deferred 4.5.3 552"],
            "neutral",
            0,
        ),
    ];
    check(&rows);
}

#[test]
fn a_message_refused_is_refused_for_all_who_were_accepted() {
    let rows: [Row; 8] = [
        (
            concat!(
                envelope!(2),
                "S: 250 ok\nS: 250 ok\nS: 450 4.2.1 later\nS: 354 go\nDATA\nS: 554 5.7.1 spam\nC: QUIT"
            ),
            2,
            &["failed 5.7.1 554", "deferred 4.2.1 450"],
            "neutral",
            1,
        ),
        (
            concat!(
                envelope!(2),
                "S: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 354 go\nDATA\nS: 451 4.3.0 trouble\nC: QUIT"
            ),
            2,
            &["deferred 4.3.0 451", "failed 5.1.1 550"],
            "neutral",
            1,
        ),
        (
            concat!(
                envelope!(2),
                "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 554 5.5.0 no\nC: RSET\nS: 250 ok\nC: QUIT"
            ),
            2,
            &["failed 5.5.0 554", "failed 5.5.0 554"],
            "neutral",
            0,
        ),
        (
            concat!(
                envelope!(1),
                "S: 250 ok\nS: 250 ok\nS: 451 4.3.2 not now\nC: RSET\nS: 250 ok\nC: QUIT"
            ),
            1,
            &["deferred 4.3.2 451"],
            "busy",
            0,
        ),
        (
            concat!(
                envelope!(2),
                "S: 550 5.7.1 not you\nS: 503 no\nS: 503 no\nS: 503 no\nC: RSET\nS: 250 ok\nC: QUIT"
            ),
            2,
            &["failed 5.7.1 550", "failed 5.7.1 550"],
            "neutral",
            0,
        ),
        (
            concat!(
                envelope!(2),
                "S: 451 4.4.5 congested\nS: 503 no\nS: 503 no\nS: 503 no\nC: RSET\nS: 250 ok\nC: QUIT"
            ),
            2,
            &["deferred 4.4.5 451", "deferred 4.4.5 451"],
            "busy",
            0,
        ),
        // Nobody accepted, and 354 all the same: a lone dot.
        (
            concat!(
                envelope!(2),
                "S: 250 ok\nS: 550 5.1.1 no\nS: 450 4.2.1 later\nS: 354 go\nC: .\nS: 554 nobody\nC: RSET\nS: 250 ok\nC: QUIT"
            ),
            2,
            &["failed 5.1.1 550", "deferred 4.2.1 450"],
            "neutral",
            0,
        ),
        // Refused while it is being sent, or before: nothing follows.
        (
            concat!(
                envelope!(1),
                "S: 250 ok\nS: 250 ok\nS: 354 go\nS: 550 5.7.1 enough\nPAUSE"
            ),
            1,
            &["failed 5.7.1 550"],
            "neutral",
            0,
        ),
    ];
    check(&rows);
}

#[test]
fn a_farewell_may_come_at_any_point() {
    let rows: [Row; 6] = [
        (
            "C: MAIL\nS: 421 4.3.2 closing\n",
            2,
            &["deferred 4.3.2 421", "deferred 4.3.2 421"],
            "busy",
            0,
        ),
        (
            "C: MAIL\nS: 250 ok\nC: RCPT\nS: 550 5.1.1 no\nC: RCPT\nS: 421 closing\n",
            2,
            &["failed 5.1.1 550", "deferred - 421"],
            "busy",
            0,
        ),
        (
            "C: MAIL\nS: 250 ok\nC: RCPT\nS: 421 closing\n",
            2,
            &["deferred - 421", "deferred 4.4.2 421"],
            "busy",
            0,
        ),
        (
            concat!(envelope!(1), "S: 250 ok\nS: 250 ok\nS: 421 4.7.0 closing\n"),
            1,
            &["deferred 4.7.0 421"],
            "busy",
            0,
        ),
        (
            concat!(
                envelope!(1),
                "S: 250 ok\nS: 250 ok\nS: 354 go\nDATA\nS: 421 4.7.0 closing\n"
            ),
            1,
            &["deferred 4.7.0 421"],
            "busy",
            1,
        ),
        // Taken, and then the farewell.
        (
            concat!(
                envelope!(1),
                "S: 250 ok\nS: 250 ok\nS: 354 go\nDATA\nS: 250 2.0.0 taken\nS: 421 closing\n"
            ),
            1,
            &["Relayed 2.0.0 250"],
            "worked",
            1,
        ),
    ];
    check(&rows);
}

#[test]
fn lies_never_count_as_taken() {
    let rows: [Row; 6] = [
        (
            concat!(envelope!(1), "S: 250 ok\nS: 250 ok\nS: 250 ok\nEOF"),
            1,
            &["deferred 4.5.0 250"],
            "trouble",
            0,
        ),
        (
            concat!(envelope!(1), "S: 250 ok\nS: 354 go\nEOF"),
            1,
            &["deferred 4.5.0 354"],
            "trouble",
            0,
        ),
        (
            concat!(
                envelope!(1),
                "S: 250 ok\nS: 250 ok\nS: 354 go\nDATA\nS: 354 go on\nEOF"
            ),
            1,
            &["deferred 4.5.0 354"],
            "trouble",
            1,
        ),
        (
            concat!(
                envelope!(1),
                "S: 250 ok\nS: 250 ok\nS: 354 go\nDATA\nS: 250-ok\nS: 550 or not\nEOF"
            ),
            1,
            &["deferred 4.5.0 the lines of the peer's reply have different codes"],
            "trouble",
            1,
        ),
        (
            concat!(envelope!(1), "S: 250 ok\nS: hello\nEOF"),
            1,
            &["deferred 4.5.0 the peer's line begins with no reply code"],
            "trouble",
            0,
        ),
        // MAIL was refused and a recipient taken: an empty message must not reach it.
        (
            concat!(envelope!(1), "S: 550 5.7.1 no\nS: 250 ok\nS: 354 go\nEOF"),
            1,
            &["failed 5.7.1 550"],
            "trouble",
            0,
        ),
    ];
    check(&rows);
}

#[test]
fn a_peer_need_not_say_goodbye() {
    run(async {
        let taken = concat!(
            envelope!(1),
            "S: 250 ok\nS: 250 ok\nS: 354 go\nDATA\nS: 250 ok\nC: QUIT"
        );
        let liar = Liar::start([&format!("{OPEN}{taken}")]).await;
        let peers = client(impatient());
        let carried = carry_to(&peers, &liar.smtp(), 1).await;
        assert_eq!(outcomes(&carried), ["Relayed - 250"]);
        assert_eq!(peers.idle(), 1);
        peers.drain().await;
        assert_eq!(peers.idle(), 0);
        assert_eq!(liar.heard().await.messages, [whole()]);
    });
}

#[test]
fn recipients_over_the_peers_limit_go_in_a_further_transaction() {
    let session = concat!(
        envelope!(3),
        "S: 250 ok\nS: 250 ok\nS: 552 too many\nS: 452 4.5.3 too many\nS: 354 go\nDATA\nS: 250 one\n",
        "C: MAIL\nC: RCPT TO:<r1@mx.example>\nC: RCPT TO:<r2@mx.example>\nC: DATA\n",
        "S: 250 ok\nS: 250 ok\nS: 452 4.5.3 too many\nS: 354 go\nDATA\nS: 250 two\n",
        "C: MAIL\nC: RCPT TO:<r2@mx.example>\nC: DATA\n",
        "S: 250 ok\nS: 452 4.5.3 still too many\nS: 554 nobody\nC: RSET\nS: 250 ok\nC: QUIT"
    );
    let rows: [Row; 1] = [(
        session,
        3,
        &["Relayed - 250", "Relayed - 250", "deferred 4.5.3 452"],
        "worked",
        2,
    )];
    check(&rows);
}

#[test]
fn where_the_limit_is_told_it_is_kept() {
    run(async {
        let script = "
            S: 220 mx.example
            C: EHLO
            S: 250-mx.example
            S: 250 LIMITS RCPTMAX=2 MAILMAX=2
            C: MAIL
            S: 250 ok
            C: RCPT TO:<r0@mx.example>
            S: 250 ok
            C: RCPT TO:<r1@mx.example>
            S: 550 5.1.1 no
            C: DATA
            S: 354 go
            DATA
            S: 250 one
            C: MAIL
            S: 250 ok
            C: RCPT TO:<r2@mx.example>
            S: 250 ok
            C: DATA
            S: 354 go
            DATA
            S: 250 two
        ";
        let liar = Liar::start([&format!("{script}{BYE}")]).await;
        let peers = client(impatient());
        let carried = carry_to(&peers, &liar.smtp(), 3).await;
        assert_eq!(
            outcomes(&carried),
            ["Relayed - 250", "failed 5.1.1 550", "Relayed - 250"]
        );
        // MAILMAX is reached, so QUIT is said at once.
        let heard = liar.heard().await;
        assert_eq!((heard.messages.len(), heard.connections), (2, 1));
        assert_eq!(peers.idle(), 0);
    });
}

#[test]
fn lmtp_recipients_are_answered_one_by_one() {
    run(async {
        for (end, expected, feedback) in [
            (
                "S: 250 2.0.0 r0\nS: 452 4.2.2 r2 is full\nC: QUIT",
                [
                    "Delivered 2.0.0 250",
                    "failed 5.1.1 550",
                    "deferred 4.2.2 452",
                ],
                "worked",
            ),
            (
                "S: 550 5.2.0 r0\nS: 550 5.2.0 r2\nC: QUIT",
                ["failed 5.2.0 550", "failed 5.1.1 550", "failed 5.2.0 550"],
                "neutral",
            ),
            // It goes away half-way: what it took it has.
            (
                "S: 250 2.0.0 r0\n",
                [
                    "Delivered 2.0.0 250",
                    "failed 5.1.1 550",
                    "deferred 4.4.2 the connection was lost",
                ],
                "worked",
            ),
            (
                "S: 250 2.0.0 r0\nS: 421 4.3.2 closing\n",
                [
                    "Delivered 2.0.0 250",
                    "failed 5.1.1 550",
                    "deferred 4.3.2 421",
                ],
                "worked",
            ),
        ] {
            let script = format!(
                "S: 220 mx\nC: LHLO client.example\nS: 250-mx\nS: 250 PIPELINING\n\
                 C: MAIL\nC: RCPT\nC: RCPT\nC: RCPT\n\
                 S: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 250 ok\n\
                 C: DATA\nS: 354 go\nDATA\n{end}"
            );
            let liar = Liar::start([&script]).await;
            let peers = client(impatient());
            let carried = carry_to(&peers, &liar.lmtp(), 3).await;
            assert_eq!(outcomes(&carried), expected, "{end}");
            assert_eq!(thought(&carried), feedback, "{end}");
            peers.drain().await;
            assert_eq!(liar.heard().await.messages, [whole()]);
        }
    });
}
