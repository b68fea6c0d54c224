use super::*;
use alloc::vec;
use postroad_wire::address::Limits;
use proptest::prelude::*;

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).expect("the test wrote a mailbox")
}

fn enhanced(text: &str) -> Enhanced {
    Enhanced::parse(text).expect("the test wrote a code")
}

fn told(recipient: &Mailbox, action: Action) -> Told<'_> {
    Told {
        original: None,
        recipient,
        one_of_several: false,
        action,
        status: enhanced("5.1.1"),
        peer: Some("mx.example.net"),
        reply: Some("550 5.1.1 No such user"),
        words: "",
        last_attempt: Some(UnixMs(1_795_473_600_000)),
    }
}

fn notice<'a>(to: &'a Mailbox, recipients: &'a [Told<'a>], returned: Returned<'a>) -> Notice<'a> {
    Notice {
        reporting_mta: "mail.example.com",
        serial: "n1",
        at: UnixMs(1_795_473_600_000),
        to,
        envid: None,
        queue_id: QueueId(0),
        arrival: UnixMs(1_795_470_000_000),
        smtputf8: false,
        recipients,
        returned,
    }
}

fn text(notice: &Notice<'_>) -> String {
    String::from_utf8(notice.write().to_vec()).expect("the test gave text")
}

const MESSAGE: &[u8] = b"From: anna@example.com\r\nSubject: Lunch\r\nMessage-ID: <lunch.1@example.com>\r\n\r\nAt noon?\r\n";

#[test]
fn a_failure_is_told_to_people_and_to_programs() {
    let (anna, bob) = (mailbox("anna@example.com"), mailbox("bob@example.net"));
    let recipients = [told(&bob, Action::Failed)];
    let expected = "\
Date: Mon, 23 Nov 2026 22:40:00 +0000\r
From: Mail Delivery System <postmaster@mail.example.com>\r
To: <anna@example.com>\r
Subject: Undelivered mail: Lunch\r
Message-ID: <n1@mail.example.com>\r
In-Reply-To: <lunch.1@example.com>\r
References: <lunch.1@example.com>\r
Auto-Submitted: auto-replied\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status;\r
\tboundary=\"=_n1_0\"\r
\r
This is a notice in the form of RFC 3464, in several parts.\r
\r
--=_n1_0\r
Content-Description: Explanation\r
Content-Type: text/plain; charset=us-ascii\r
\r
This is the mail server mail.example.com, about a message that you sent.\r
It came in here on Mon, 23 Nov 2026 21:40:00 +0000.\r
\r
It could NOT be delivered to the following, who don't have it now. It is\r
not tried again. You can send it again once the cause is mended.\r
\r
  <bob@example.net>\r
      There is no such mailbox. Look for a typing mistake in the\r
      address, or ask the recipient for the right one.\r
      mx.example.net said: 550 5.1.1 No such user\r
\r
If you need help, answer this notice, or send it to\r
<postmaster@mail.example.com>. The number of your message here was\r
0000000000000. Below are a report for programs, and the message itself.\r
\r
--=_n1_0\r
Content-Description: Delivery report\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mail.example.com\r
Arrival-Date: Mon, 23 Nov 2026 21:40:00 +0000\r
X-Postroad-Queue-ID: 0000000000000\r
\r
Final-Recipient: rfc822; bob@example.net\r
Action: failed\r
Status: 5.1.1\r
Remote-MTA: dns; mx.example.net\r
Diagnostic-Code: smtp; 550 5.1.1 No such user\r
Last-Attempt-Date: Mon, 23 Nov 2026 22:40:00 +0000\r
\r
--=_n1_0\r
Content-Description: Undelivered message\r
Content-Type: message/rfc822\r
Content-Transfer-Encoding: 7bit\r
\r
From: anna@example.com\r
Subject: Lunch\r
Message-ID: <lunch.1@example.com>\r
\r
At noon?\r
\r
--=_n1_0--\r
";
    let returned = Returned::of(MESSAGE, true, true);
    assert_eq!(text(&notice(&anna, &recipients, returned)), expected);
}

#[test]
fn only_the_header_section_is_returned_where_no_more_is_wanted_or_can_be_carried() {
    let headers = "text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
                   From: anna@example.com\r\nSubject: Lunch\r\nMessage-ID: <lunch.1@example.com>\r\n\r\n--=_n1_0--\r\n";
    let long = [MESSAGE, &[b'x'; 999], b"\r\n"].concat();
    let binary = [MESSAGE, b"\0\r\n"].concat();
    let cases = [
        (MESSAGE, true, false),
        (MESSAGE, false, true),
        (&long, true, true),
        (&binary, true, true),
        (&[MESSAGE, b"a\nb\r\n"].concat(), true, true),
        (&[MESSAGE, b"a\rb\r\n"].concat(), true, true),
        (&[MESSAGE, b"\r"].concat(), true, true),
    ];
    let (anna, bob) = (mailbox("anna@example.com"), mailbox("bob@example.net"));
    let recipients = [told(&bob, Action::Failed)];
    for (octets, whole, wanted) in cases {
        let text = text(&notice(
            &anna,
            &recipients,
            Returned::of(octets, whole, wanted),
        ));
        assert!(text.ends_with(headers), "{text}");
    }
}

#[test]
fn each_action_has_its_word_and_its_heading() {
    let (anna, bob) = (mailbox("anna@example.com"), mailbox("bob@example.net"));
    let until = UnixMs(1_795_880_000_000);
    let cases = [
        (
            Action::Failed,
            "Undelivered mail: Lunch",
            "Action: failed",
            "could NOT be delivered",
        ),
        (
            Action::Delayed { until },
            "Delayed mail (still being tried): Lunch",
            "Action: delayed",
            "could NOT YET be delivered",
        ),
        (
            Action::Delivered,
            "Delivery report",
            "Action: delivered",
            "was delivered",
        ),
        (
            Action::Relayed,
            "Delivery report",
            "Action: relayed",
            "tells nobody",
        ),
        (
            Action::Expanded,
            "Delivery report",
            "Action: expanded",
            "stands for",
        ),
    ];
    for (action, subject, field, heading) in cases {
        let recipients = [told(&bob, action)];
        let text = text(&notice(
            &anna,
            &recipients,
            Returned::of(MESSAGE, true, false),
        ));
        assert!(text.contains(&format!("Subject: {subject}")), "{text}");
        assert!(text.contains(field) && text.contains(heading), "{text}");
        let retried = text.contains("Will-Retry-Until: ");
        assert_eq!(retried, matches!(action, Action::Delayed { .. }));
    }
}

#[test]
fn what_the_sender_gave_is_given_back() {
    let (anna, bob) = (mailbox("anna@example.com"), mailbox("bob@example.net"));
    let original = OriginalRecipient {
        kind: "rfc822".into(),
        address: "Robert@example.org".into(),
    };
    let envid = EnvId("QQ 314159".into());
    let mut bobs = told(&bob, Action::Failed);
    bobs.original = Some(&original);
    let recipients = [bobs];
    let mut notice = notice(&anna, &recipients, Returned::of(MESSAGE, true, false));
    notice.envid = Some(&envid);
    let text = text(&notice);
    assert!(text.contains("\r\nOriginal-Envelope-Id: QQ 314159\r\n"));
    assert!(text.contains("\r\nOriginal-Recipient: rfc822; Robert@example.org\r\n"));
    assert!(text.contains("(sent to <Robert@example.org>)"));
}

#[test]
fn an_internationalised_message_is_answered_in_kind() {
    let (anna, bob) = (mailbox("änna@example.com"), mailbox("b\u{f6}b@example.net"));
    let recipients = [told(&bob, Action::Failed)];
    let message = "Subject: Grüße\r\n\r\nAt noon?\r\n".as_bytes();
    let mut notice = notice(&anna, &recipients, Returned::of(message, true, true));
    notice.smtputf8 = true;
    let all = text(&notice);
    for expected in [
        "To: <änna@example.com>",
        "Content-Type: message/global-delivery-status",
        "Final-Recipient: utf-8; b\u{f6}b@example.net",
        "Content-Type: message/global\r\n",
        "text/plain; charset=utf-8",
    ] {
        assert!(all.contains(expected), "{expected}: {all}");
    }
    // What is in ASCII is of the types that all know.
    notice.returned = Returned::of(MESSAGE, true, true);
    assert!(text(&notice).contains("Content-Type: message/rfc822\r\n"));
    let carl = mailbox("carl@example.net");
    let of_carl = [told(&carl, Action::Failed)];
    notice.recipients = &of_carl;
    assert!(text(&notice).contains("Content-Type: message/delivery-status\r\n"));
    notice.recipients = &recipients;
    notice.smtputf8 = false;
    let all = text(&notice);
    assert!(
        all.contains("Final-Recipient: utf-8;b\\x{F6}b@example.net"),
        "{all}"
    );
    assert!(all.is_ascii());
}

#[test]
fn a_boundary_that_the_message_has_is_not_taken() {
    let (anna, bob) = (mailbox("anna@example.com"), mailbox("bob@example.net"));
    let recipients = [told(&bob, Action::Failed)];
    let forged = b"Subject: x\r\n\r\n--=_n1_0--\r\n--=_n1_1\r\n";
    let text = text(&notice(
        &anna,
        &recipients,
        Returned::of(forged, true, true),
    ));
    assert!(text.contains("boundary=\"=_n1_2\"") && text.ends_with("--=_n1_2--\r\n"));
}

#[test]
fn what_has_eight_bits_says_so_outside_too() {
    let (anna, bob) = (mailbox("anna@example.com"), mailbox("bob@example.net"));
    let recipients = [told(&bob, Action::Failed)];
    let head = |octets| {
        let octets = notice(&anna, &recipients, Returned::of(octets, true, true)).write();
        let end = memchr::memmem::find(&octets, b"\r\n\r\n").expect("it has a header section");
        String::from_utf8(octets[..end].to_vec()).expect("it is ASCII")
    };
    let encoding = "\r\nContent-Transfer-Encoding: 8bit";
    assert!(head(b"Subject: x\r\n\r\n\xfc\r\n").ends_with(encoding));
    assert!(!head(MESSAGE).contains(encoding));
}

#[test]
fn the_subject_and_the_name_of_the_message_are_taken_over_where_they_can_be() {
    let cases: [(&[u8], bool, &str, Option<&str>); 9] = [
        (
            b"subject : a\r\nMessage-id:\r\n <1@x>\r\n\r\n",
            false,
            ": a",
            Some("<1@x>"),
        ),
        // Encoded and folded as it was.
        (
            b"Subject: =?utf-8?q?=C3=BC?=\r\n\t=?utf-8?q?b?=\r\nA: b\r\n",
            false,
            ": =?utf-8?q?=C3=BC?=\r\n =?utf-8?q?b?=",
            None,
        ),
        (
            "Subject: ü\r\nMessage-ID: <ü@x>\r\n\r\n".as_bytes(),
            false,
            "",
            None,
        ),
        (
            "Subject: ü\r\nMessage-ID: <ü@x>\r\n\r\n".as_bytes(),
            true,
            ": ü",
            Some("<ü@x>"),
        ),
        (
            b"Subject: a\x1b[2J\r\nMessage-ID: <a b>\r\n\r\n",
            false,
            "",
            None,
        ),
        (
            b"Subject: \r\n \r\nMessage-ID: <a> <b>\r\n\r\n",
            false,
            "",
            None,
        ),
        // Cut short, it may not be all.
        (b"Subject: a", false, "", None),
        (b"Subject: a\r\n", false, "", None),
        (
            b"X: y\r\n\r\nSubject: a\r\nMessage-ID: <a@b>\r\n\r\n",
            false,
            "",
            None,
        ),
    ];
    for (octets, utf8, subject, id) in cases {
        let expected = format!("Subject: Told{subject}\r\n");
        assert_eq!(super::subject::field("Told", octets, utf8), expected);
        assert_eq!(super::subject::message_id(octets, utf8), id);
    }
    let long = format!("Subject: {}\r\n\r\n", "x".repeat(70));
    let field = super::subject::field("Told", long.as_bytes(), false);
    assert_eq!(field, format!("Subject: Told:\r\n {}\r\n", "x".repeat(70)));
}

#[test]
fn what_a_peer_said_is_told_of_success_too_and_our_own_words_of_failure_only() {
    let (anna, bob) = (mailbox("anna@example.com"), mailbox("bob@example.net"));
    let ours = |action| Told {
        peer: None,
        reply: None,
        words: "the Maildir of carl@example.net",
        ..told(&bob, action)
    };
    let whole = |told| text(&notice(&anna, &[told], Returned::of(MESSAGE, true, false)));
    assert!(!whole(ours(Action::Delivered)).contains("Maildir"));
    let failed = whole(ours(Action::Failed));
    assert!(
        failed.contains("Diagnostic-Code: x-postroad; the Maildir of"),
        "{failed}"
    );
    assert!(
        failed.contains("\r\n      What happened: the Maildir of"),
        "{failed}"
    );
    let tried = "\r\n      It was tried until Mon, 23 Nov 2026 22:40:00 +0000.\r\n";
    assert!(!failed.contains(tried), "{failed}");
    let status = enhanced("4.2.0");
    assert!(
        whole(Told {
            status,
            ..ours(Action::Failed)
        })
        .contains(tried)
    );
    let relayed = whole(told(&bob, Action::Relayed));
    assert!(relayed.contains("Diagnostic-Code: smtp; 550"), "{relayed}");
    let socket = Told {
        peer: Some("/run/lmtp"),
        ..told(&bob, Action::Failed)
    };
    assert!(whole(socket).contains("Remote-MTA: x-unix; /run/lmtp"));
}

proptest! {
    #[test]
    fn nothing_that_was_said_leaves_its_place(
        reply in any::<String>(), peer in any::<String>(), words in any::<String>(),
        envid in any::<String>(), original in any::<String>(),
        body in prop::collection::vec(any::<u8>(), 0..3000), smtputf8: bool, wanted: bool,
    ) {
        let (anna, bob) = (mailbox("anna@example.com"), mailbox("bob@example.net"));
        let original = OriginalRecipient { kind: "rfc822".into(), address: original };
        let envid = EnvId(envid);
        let recipients = vec![
            Told { reply: Some(&reply), peer: Some(&peer), ..told(&bob, Action::Failed) },
            Told { reply: None, words: &words, original: Some(&original), ..told(&bob, Action::Relayed) },
        ];
        let mut notice = notice(&anna, &recipients, Returned::of(&body, true, wanted));
        notice.smtputf8 = smtputf8;
        notice.envid = Some(&envid);
        let octets = notice.write();
        let status = notice.status_part();
        let names = ["Original-Envelope-Id", "Reporting-MTA", "Arrival-Date", "X-Postroad-Queue-ID",
            "Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code",
            "Last-Attempt-Date"];
        for line in status.split_terminator("\r\n") {
            let known = line.is_empty() || line.starts_with('\t')
                || line.split_once(':').is_some_and(|(name, _)| names.contains(&name));
            prop_assert!(known, "{line:?}");
        }
        prop_assert!(smtputf8 || status.is_ascii());
        prop_assert_eq!(status.matches("Final-Recipient").count(), 2);
        for line in octets.split(|octet| *octet == b'\n') {
            prop_assert!(line.len() <= LONGEST_LINE + 1);
        }
        // The parts are divided by the boundary of the header, four times and no more.
        let end = memchr::memmem::find(&octets, b"\r\n\r\n").expect("the header section ends");
        let head = core::str::from_utf8(&octets[..end]).expect("the header section is text");
        let boundary = head.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next());
        let line = alloc::format!("--{}", boundary.expect("the header names it"));
        let found = memchr::memmem::find_iter(&octets, line.as_bytes()).count();
        prop_assert_eq!(found, 4);
    }
}
