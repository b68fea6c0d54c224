//! A reply is found in lines of any log.
#![allow(clippy::unwrap_used)] // A test may fail.

use postroad_explain::{Explanation, Question};
use postroad_reply::{Command, Enhanced};
use proptest::prelude::*;

/// A line, what has to be found in it, and the situation that has to come first.
type Case = (
    &'static str,
    u16,
    &'static str,
    Option<Command>,
    &'static str,
);

/// As other programs write them, with names and addresses of documentation (RFC 2606, RFC 5737).
const CASES: &[Case] = &[
    ("452", 452, "", None, ""),
    ("550 5.7.1", 550, "5.7.1", None, "RelayDenied"),
    (
        "450 4.2.0 greylisted, see http://postgrey.example/help",
        450,
        "4.2.0",
        None,
        "Deferred",
    ),
    // Postfix: its server, its client, a milter.
    (
        "Nov 30 02:16:10 mx postfix/smtpd[4507]: NOQUEUE: reject: RCPT from unknown[192.0.2.45]: 454 4.7.1 <x@example.org>: Relay access denied; from=<a@example.com> to=<x@example.org> proto=ESMTP helo=<client.example>",
        454,
        "4.7.1",
        Some(Command::Rcpt),
        "",
    ),
    (
        "Nov 30 02:16:10 mx postfix/smtp[512]: 4F2A5500: to=<ada@example.org>, relay=mx.example.org[192.0.2.25]:25, delay=450, delays=0.1/0/450/2, dsn=4.2.0, status=deferred (host mx.example.org[192.0.2.25] said: 450 4.2.0 <ada@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example (in reply to RCPT TO command))",
        450,
        "4.2.0",
        Some(Command::Rcpt),
        "Deferred",
    ),
    (
        "postfix/smtp[512]: 4F2A5500: to=<ada@example.org>, relay=mx.example.org[192.0.2.25]:25, delay=1.2, dsn=5.7.26, status=bounced (host mx.example.org[192.0.2.25] said: 550-5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy. 550 5.7.26 Contact the administrator (in reply to end of DATA command))",
        550,
        "5.7.26",
        Some(Command::EndOfData),
        "AuthenticationFailed",
    ),
    (
        "postfix/smtp[512]: 4F2A5500: to=<ada@example.org>, relay=mx.example.org[192.0.2.25]:587, delay=250, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 250ABC501)",
        250,
        "2.0.0",
        Some(Command::EndOfData),
        "Accepted",
    ),
    (
        "postfix/cleanup[99]: 4F2A5500: milter-reject: END-OF-MESSAGE from client.example[192.0.2.1]: 5.7.1 Spam message rejected; from=<a@example.com> to=<b@example.org> proto=ESMTP helo=<client.example>",
        0,
        "5.7.1",
        Some(Command::EndOfData),
        "",
    ),
    (
        "postfix/smtpd[77]: NOQUEUE: reject: RCPT from client.example[192.0.2.1]: 550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in virtual mailbox table; from=<a@example.com> to=<nobody@example.org> proto=ESMTP helo=<client.example>",
        550,
        "5.1.1",
        Some(Command::Rcpt),
        "MailboxUnknown",
    ),
    // Exim: its client, its own refusals.
    (
        "2026-11-30 02:16:10 1tHabc-000450-XX ** ada@example.org R=dnslookup T=remote_smtp H=mx.example.org [192.0.2.25] X=TLS1.3: SMTP error from remote mail server after RCPT TO:<ada@example.org>: 550 5.1.1 <ada@example.org> User unknown",
        550,
        "5.1.1",
        Some(Command::Rcpt),
        "MailboxUnknown",
    ),
    (
        "2026-11-30 02:16:10 1tHabc-000450-XX == ada@example.org R=dnslookup T=remote_smtp defer (-44) H=mx.example.org [192.0.2.25]: SMTP error from remote mail server after pipelined end of data: 452 4.3.1 Insufficient system storage",
        452,
        "4.3.1",
        Some(Command::EndOfData),
        "StorageShort",
    ),
    (
        "2026-11-30 02:16:10 1tHabc-000450-XX H=mx.example.org [192.0.2.25]: SMTP error from remote mail server after initial connection: 421 4.7.0 mx.example.org Too many connections from your IP",
        421,
        "4.7.0",
        Some(Command::Connect),
        "LimitReached",
    ),
    (
        "2026-11-30 02:16:10 1tHabc-000450-XX => ada@example.org R=dnslookup T=remote_smtp H=mx.example.org [192.0.2.25] C=\"250 2.0.0 Ok: queued as 4F2A5500\"",
        250,
        "2.0.0",
        Some(Command::EndOfData),
        "Accepted",
    ),
    // Sendmail.
    (
        "sendmail[4521]: 5AU2GA4521: ruleset=check_rcpt, arg1=<x@example.org>, relay=client.example [192.0.2.1], reject=550 5.7.1 <x@example.org>... Relaying denied. Proper authentication required.",
        550,
        "5.7.1",
        Some(Command::Rcpt),
        "RelayDenied",
    ),
    (
        "sendmail[4521]: 5AU2GA4521: to=<ada@example.org>, delay=00:04:50, xdelay=00:00:01, mailer=esmtp, pri=120451, relay=mx.example.org. [192.0.2.25], dsn=4.2.2, stat=Deferred: 452 4.2.2 <ada@example.org> Mailbox full",
        452,
        "4.2.2",
        None,
        "MailboxFull",
    ),
    (
        "sendmail[4521]: 5AU2GA4521: to=<ada@example.org>, dsn=5.1.1, stat=User unknown",
        0,
        "5.1.1",
        None,
        "",
    ),
    // OpenSMTPD.
    (
        "smtpd[450]: 7f3a mta delivery evpid=1f to=<ada@example.org> relay=\"192.0.2.25 (mx.example.org)\" delay=5s result=\"PermFail\" stat=\"550 5.1.1 <ada@example.org>: Recipient address rejected\"",
        550,
        "5.1.1",
        None,
        "MailboxUnknown",
    ),
    (
        "smtpd[450]: 7f3a smtp failed-command command=\"RCPT TO:<x@example.org>\" result=\"550 Invalid recipient: <x@example.org>\"",
        550,
        "",
        Some(Command::Rcpt),
        "MailboxUnknown",
    ),
    // Exchange.
    (
        "Remote Server returned '<mx.example.org #5.7.23 smtp;550 5.7.23 The message was rejected because of Sender Policy Framework violation -> 550 5.7.1 SPF check failed>'",
        550,
        "5.7.23",
        None,
        "SpfFailed",
    ),
    (
        "451 4.7.0 Temporary server error. Please try again later. PRX5 [{LED=450 4.7.0 Throttled};{MSG=};{FQDN=mx.example.org}]",
        450,
        "4.7.0",
        None,
        "Deferred",
    ),
    // Others: IronPort, qmail, a user's program.
    (
        "554 #5.7.1 Message rejected as spam by content filter",
        554,
        "5.7.1",
        None,
        "ContentRefused",
    ),
    (
        "sorry, no mailbox here by that name. (#5.1.1) 550",
        550,
        "5.1.1",
        None,
        "MailboxUnknown",
    ),
    (
        "Remote host said: 550 sorry, no mailbox here by that name (#5.1.1)",
        550,
        "5.1.1",
        None,
        "MailboxUnknown",
    ),
    (
        "smtplib.SMTPAuthenticationError: (535, b'5.7.8 Username and Password not accepted')",
        535,
        "5.7.8",
        None,
        "Invalid",
    ),
    (
        "SMTP Error: data not accepted. SMTP server error: DATA END command failed Detail: Message size exceeds fixed limit SMTP code: 552 Additional SMTP info: 5.3.4",
        552,
        "5.3.4",
        None,
        "TooBig",
    ),
    // Notices (RFC 3464).
    (
        "Final-Recipient: rfc822; ada@example.org\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.example.org\nDiagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try\n 550-5.1.1 double-checking the recipient's email address for typos or\n 550 5.1.1 unnecessary spaces.",
        550,
        "5.1.1",
        None,
        "MailboxUnknown",
    ),
    // Transcripts: of swaks, and of the kind that notices quote.
    (
        " -> RCPT TO:<x@example.org>\n<** 550 5.7.1 relaying not allowed",
        550,
        "5.7.1",
        Some(Command::Rcpt),
        "RelayDenied",
    ),
    (
        "... while talking to mx.example.org.:\n>>> MAIL From:<a@example.com> SIZE=450\n<<< 250 2.1.0 Ok\n>>> DATA\n<<< 554 5.5.1 Error: no valid recipients",
        554,
        "5.5.1",
        Some(Command::Data),
        "NoValidRecipients",
    ),
    (
        "S: 220 mx.example.org\nC: EHLO client.example\nS: 502 5.5.1 Command not implemented",
        502,
        "5.5.1",
        Some(Command::Ehlo),
        "NotImplemented",
    ),
    // This server: what a peer said, and its log as text and as JSON.
    (
        "[127.0.0.1:2598]: 451 4.7.1 Greylisted, come back in 5 minutes (in answer to RCPT)",
        451,
        "4.7.1",
        Some(Command::Rcpt),
        "LocalError",
    ),
    (
        "2026-11-30T02:16:10.450Z INFO  command.refused connection=450 peer=192.0.2.45 command=RCPT situation=RelayDenied code=550 enhanced=5.7.1",
        550,
        "5.7.1",
        Some(Command::Rcpt),
        "RelayDenied",
    ),
    (
        "{\"time\":\"2026-11-30T02:16:10.450Z\",\"level\":\"INFO\",\"event\":\"command.refused\",\"connection\":450,\"command\":\"received data\",\"situation\":\"MailLoop\",\"code\":554,\"enhanced\":\"5.4.6\"}",
        554,
        "5.4.6",
        Some(Command::EndOfData),
        "MailLoop",
    ),
];

#[test]
fn a_reply_is_found_in_lines_of_any_log() {
    let mut wrong = Vec::new();
    for (line, code, enhanced, command, first) in CASES {
        let Some(question) = Question::read(line) else {
            wrong.push(format!("nothing found: {line}"));
            continue;
        };
        let explained = Explanation::of(&question).unwrap();
        let likeliest = explained
            .situations
            .first()
            .map_or("", |told| told.situation);
        let found = (
            question.code.map_or(0, |code| code.number()),
            question.enhanced,
            question.command,
        );
        let fits = first.is_empty() || *first == likeliest;
        if found != (*code, Enhanced::parse(enhanced), *command) || !fits {
            wrong.push(format!(
                "{found:?} {likeliest}, and not {code} {enhanced} {command:?} {first}: {line}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_words_are_those_of_the_reply_alone() {
    let question = Question::read(
        "said: 550-5.1.1 The account does not exist.\n 550 5.1.1 Try another. (in reply to RCPT TO command)",
    );
    assert_eq!(
        question.unwrap().words,
        "The account does not exist. Try another."
    );
}

#[test]
fn where_there_is_no_reply_none_is_made_up() {
    for line in [
        "",
        "hello",
        "Nov 30 02:16:10 mx postfix/smtpd[4507]: connect from unknown[192.0.2.45]",
        "to=<ada@example.org>, relay=none, delay=450, status=deferred (connection to mx.example.org[192.0.2.25]:587 timed out)",
        "192.0.2.250",
        "699",
        "150 octets",
        "took 250 ms",
    ] {
        let found = Question::read(line);
        assert!(found.is_none(), "{line}: {found:?}");
    }
}

#[test]
fn the_words_say_what_is_behind_them() {
    let phrase = |line: &str| {
        let explained = Explanation::of(&Question::read(line).unwrap()).unwrap();
        explained.phrase.map_or("", |phrase| phrase.name)
    };
    assert_eq!(phrase("450 4.2.0 greylisted, see http://x"), "greylisting");
    assert_eq!(
        phrase("554 5.7.1 blocked using zen.spamhaus.org"),
        "block list"
    );
    assert_eq!(
        phrase("550 5.7.1 Client host rejected: cannot find your reverse hostname"),
        "reverse DNS"
    );
    assert_eq!(
        phrase("452 4.2.2 The recipient's inbox is full"),
        "full mailbox"
    );
    assert_eq!(phrase("550 5.5.2 bare <LF> received"), "bare line ends");
    assert_eq!(phrase("250 ok"), "");
}

proptest! {
    #[test]
    fn any_text_can_be_read(
        text in "\\PC{0,200}|550 \\PC{0,200}|550 [a\u{e01}]{0,9}|[ -~\\n]{0,200}|([2-5][0-9]{2}[ .:-]?){0,40}",
    ) {
        if let Some(question) = Question::read(&text) {
            prop_assert!(Explanation::of(&question).is_some());
        }
    }
}

#[test]
fn a_very_long_text_is_looked_at_as_far_as_it_goes() {
    let long = format!("{}550 5.1.1 no", "é ".repeat(100_000));
    assert!(Question::read(&long).is_none());
    let long = format!("550 5.1.1 no {}", "250 ".repeat(100_000));
    assert_eq!(Question::read(&long).unwrap().code.unwrap().number(), 550);
}
