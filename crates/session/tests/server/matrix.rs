//! What each form of command is answered with in each phase, as a file to be read:
//! `tests/golden/states.txt`. After a wanted change, write it anew with
//! `UPDATE_GOLDEN=1 cargo test -p postroad-session` and read the difference.
//! `tests/golden/security.txt` is the same for listeners with TLS and AUTH, as the connection is
//! secured; `historic.txt`, `classic.txt` and `lmtp.txt` for one with all of the historic mode, one that is
//! held to the classic table, and one of LMTP.

use std::fmt::Write;

use postroad_reply::{Closing, ConnectReply, Phase, Source};
use postroad_session::server::{AuthRule, Historic, Quirk, Settings, TlsRule};
use postroad_wire::peer::Protocol;

use crate::driver::{Driver, settings};

/// The forms of commands, each as it is sent and as it is shown.
fn forms() -> Vec<(String, String)> {
    let plain = [
        "HELO client.example",
        "HELO",
        "HELO [x400:abc]",
        "EHLO client.example",
        "EHLO",
        "EHLO [x400:abc]",
        "LHLO client.example",
        "MAIL FROM:<a@client.example>",
        "MAIL FROM:<>",
        "MAIL FROM:<a@client.example> SIZE=100 BODY=8BITMIME",
        "MAIL FROM:<a@client.example> BODY=BINARYMIME",
        "MAIL FROM:<a@client.example> SIZE=99999999999",
        "MAIL FROM:<a@client.example> SIZE=abc",
        "MAIL FROM:<a@client.example> FOO=bar",
        "MAIL FROM:<a@client.example> RET=HDRS ENVID=1",
        "MAIL FROM:<a@client.example> RET=x",
        "MAIL FROM:<\u{e4}@client.example>",
        "MAIL FROM:<\u{e4}@client.example> SMTPUTF8",
        "MAIL FROM:a@client.example",
        "MAIL",
        "RCPT TO:<b@mx.example>",
        "RCPT TO:<Postmaster>",
        "RCPT TO:<refused@mx.example>",
        "RCPT TO:<\u{e4}@mx.example>",
        "RCPT TO:<>",
        "RCPT TO:<b@mx.example> FOO=bar",
        "RCPT TO:<b@mx.example> NOTIFY=DELAY ORCPT=rfc822;c@mx.example",
        "RCPT TO:<b@mx.example> NOTIFY=NEVER,SUCCESS",
        "RCPT",
        "DATA",
        "DATA now",
        "BDAT x",
        "BDAT",
        "RSET",
        "RSET now",
        "NOOP",
        "NOOP a string",
        "VRFY b",
        "VRFY",
        "EXPN list",
        "EXPN",
        "HELP",
        "HELP mail",
        "HELP weather",
        "QUIT",
        "QUIT now",
        "SEND FROM:<a@client.example>",
        "SEND nonsense",
        "SOML FROM:<a@client.example>",
        "SAML FROM:<a@client.example>",
        "TURN",
        "STARTTLS",
        "AUTH PLAIN",
        "ETRN client.example",
        "ATRN client.example",
        "FOO",
        "",
    ];
    let mut forms = plain
        .iter()
        .map(|line| (format!("{line}\r\n"), (*line).to_owned()))
        .collect::<Vec<_>>();
    forms.push(("BDAT 3\r\na\r\n".into(), "BDAT 3, its octets".into()));
    forms.push((
        "BDAT 3 LAST\r\na\r\n".into(),
        "BDAT 3 LAST, its octets".into(),
    ));
    forms.push(("BDAT 0 LAST\r\n".into(), "BDAT 0 LAST".into()));
    forms.push((
        "BDAT 99999999 LAST\r\n".into(),
        "BDAT 99999999 LAST, without its octets".into(),
    ));
    forms.push(("NO\0OP\r\n".into(), "NO<NUL>OP".into()));
    forms.push(("NOOP \r \r\n".into(), "NOOP <CR>".into()));
    forms.push(("NOOP \n \r\n".into(), "NOOP <LF>".into()));
    forms.push((
        format!("NOOP {}\r\n", "x".repeat(4096)),
        "NOOP, of 4096 octets".into(),
    ));
    forms
}

/// Where a session can stand when a command comes: in each phase after EHLO, and ready after
/// HELO, when no extension holds.
fn places() -> Vec<(String, Driver)> {
    places_of(settings)
}

fn places_of(settings: fn() -> Settings) -> Vec<(String, Driver)> {
    let mut places = Vec::new();
    for phase in Phase::ALL {
        places.push((format!("{phase:?}"), in_phase(phase, settings)));
        if phase == Phase::Connected {
            places.push(("ReadyByHelo".into(), after_helo(settings)));
        }
    }
    places
}

fn after_helo(settings: fn() -> Settings) -> Driver {
    let mut driver = Driver::connected(settings());
    let reply = driver.say("HELO client.example\r\n");
    assert!(reply.starts_with("250 mx.example "), "{reply}");
    driver
}

/// A session in that phase.
fn in_phase(phase: Phase, settings: fn() -> Settings) -> Driver {
    let without_recipients = |command: &str| {
        let mut driver = Driver::greeted(settings());
        driver.say(command);
        driver
    };
    match phase {
        Phase::Connected => Driver::connected(settings()),
        Phase::Ready => Driver::greeted(settings()),
        Phase::Mail => without_recipients("MAIL FROM:<a@client.example>\r\n"),
        Phase::RecipientsRefused => {
            without_recipients("MAIL FROM:<a@client.example>\r\nRCPT TO:<refused@mx.example>\r\n")
        }
        Phase::Rcpt => Driver::with_recipient(settings()),
        Phase::Chunking => {
            let mut driver = Driver::with_recipient(settings());
            assert_eq!(
                driver.say("BDAT 3\r\na\r\n"),
                "250 2.0.0 Octets received\r\n"
            );
            driver
        }
        Phase::ChunkFailed => {
            let mut driver = Driver::with_recipient(settings());
            let reply = driver.say("BDAT 3\r\na\nb");
            assert!(reply.starts_with("554 5.6.0 "), "{reply}");
            driver
        }
        Phase::Mailless => {
            let mut mailless = settings();
            mailless.accepts_mail = false;
            let mut driver = Driver::new(mailless);
            assert_eq!(driver.hear(), "521 mx.example does not accept mail\r\n");
            driver
        }
        Phase::NoService => {
            let mut driver = Driver::new(settings());
            driver.connect = || ConnectReply::Refused;
            assert_eq!(driver.hear(), "554 mx.example No SMTP service here\r\n");
            driver
        }
    }
}

/// All that the historic mode can have, but that EHLO is not known.
fn historic() -> Settings {
    let quirks = Quirk::ALL.into_iter().filter(|quirk| {
        let is_of_ehlo = matches!(quirk, Quirk::Ehlo500 | Quirk::Ehlo502 | Quirk::Ehlo550);
        !is_of_ehlo && *quirk != Quirk::Late521
    });
    let mut settings = settings();
    settings.historic = Historic::of(quirks);
    settings.roles.turn = true;
    settings
}

pub(crate) fn classic() -> Settings {
    settings().strictly_classic()
}

fn lmtp() -> Settings {
    let mut settings = settings();
    settings.protocol = Protocol::Lmtp;
    settings
}

/// The phases that a listener held to the classic table has: no chunks, and a greeting that is 220 or
/// 421.
fn places_of_classic() -> Vec<(String, Driver)> {
    let mut places = vec![
        ("Connected".into(), in_phase(Phase::Connected, classic)),
        ("ReadyByHelo".into(), after_helo(classic)),
    ];
    for phase in [
        Phase::Ready,
        Phase::Mail,
        Phase::RecipientsRefused,
        Phase::Rcpt,
    ] {
        places.push((format!("{phase:?}"), in_phase(phase, classic)));
    }
    let mut mailless = classic();
    mailless.accepts_mail = false;
    places.push(("Mailless".into(), Driver::connected(mailless)));
    places
}

/// The commands that the historic mode changes, and SEND and its like in all their forms.
fn forms_of_history() -> Vec<(String, String)> {
    let lines = [
        "EHLO client.example",
        "MAIL FROM:<a@client.example>",
        "RCPT TO:<b@mx.example>",
        "RSET",
        "RSET now",
        "NOOP",
        "VRFY b",
        "HELP",
        "HELP SEND",
        "SEND FROM:<a@client.example>",
        "SEND FROM:<>",
        "SEND FROM:<a@client.example> SIZE=100",
        "SEND FROM:<\u{e4}@client.example>",
        "SEND FROM:a@client.example",
        "SEND",
        "SOML FROM:<a@client.example>",
        "SOML FROM:<a@client.example> SIZE=100",
        "SOML FROM:<\u{e4}@client.example>",
        "SOML FROM:a@client.example",
        "SOML",
        "SAML FROM:<a@client.example>",
        "SAML FROM:<a@client.example> SIZE=100",
        "SAML FROM:<\u{e4}@client.example>",
        "SAML FROM:a@client.example",
        "SAML",
        "TURN",
        "TURN now",
    ];
    let sent = |line: &str| (format!("{line}\r\n"), line.to_owned());
    lines.into_iter().map(sent).collect()
}

/// The same forms as ever, and those of LHLO.
fn forms_of_lmtp() -> Vec<(String, String)> {
    let mut forms = forms();
    for line in ["LHLO", "LHLO [x400:abc]"] {
        forms.push((format!("{line}\r\n"), line.to_owned()));
    }
    forms
}

/// Where an LMTP session can stand: LHLO in place of EHLO.
fn places_of_lmtp() -> Vec<(String, Driver)> {
    let ready = || {
        let mut driver = Driver::connected(lmtp());
        let reply = driver.say("LHLO client.example\r\n");
        assert!(reply.starts_with("250-mx.example "), "{reply}");
        driver
    };
    let after = |commands: &str| {
        let mut driver = ready();
        driver.say(commands);
        driver
    };
    const MAIL: &str = "MAIL FROM:<a@client.example>\r\n";
    const TWO: &str = "RCPT TO:<b@mx.example>\r\nRCPT TO:<c@mx.example>\r\n";
    let mut driver = Driver::new(lmtp());
    driver.hear();
    vec![
        ("Connected".into(), driver),
        ("Ready".into(), ready()),
        ("Mail".into(), after(MAIL)),
        (
            "AllRefused".into(),
            after(&format!("{MAIL}RCPT TO:<refused@mx.example>\r\n")),
        ),
        ("TwoRecipients".into(), after(&format!("{MAIL}{TWO}"))),
        (
            "Chunking".into(),
            after(&format!("{MAIL}{TWO}BDAT 3\r\na\r\n")),
        ),
        (
            "ChunkFailed".into(),
            after(&format!("{MAIL}{TWO}BDAT 3\r\na\nb")),
        ),
    ]
}

/// What is said, lines apart by bars.
fn reply_in(mut driver: Driver, sent: &str) -> String {
    let reply = driver.say(sent);
    let mut reply = reply.trim_end().lines().collect::<Vec<_>>().join(" | ");
    if reply.is_empty() {
        reply.push_str("(nothing yet)");
    }
    if driver.is_closed() {
        reply.push_str(" (closed)");
    }
    reply
}

/// The commands that security changes, and some that it doesn't.
fn forms_of_security() -> Vec<(String, String)> {
    let lines = [
        "EHLO client.example",
        "HELO client.example",
        "STARTTLS",
        "STARTTLS now",
        "AUTH PLAIN",
        "AUTH PLAIN AGFubmEAc2VjcmV0",
        "AUTH plain AGFubmEAd3Jvbmc=",
        "AUTH LOGIN",
        "AUTH SCRAM-SHA-256 bW9yZQ==",
        "AUTH PLAIN =",
        "AUTH PLAIN AGFubmEAc2VjcmV",
        "AUTH PLAIN *",
        "AUTH CRAM-MD5",
        "AUTH",
        "AUTH PLAIN a b",
        "MAIL FROM:<a@client.example>",
        "MAIL FROM:<a@client.example> AUTH=<>",
        "MAIL FROM:<a@client.example> AUTH=a",
        "MAIL",
        "RCPT TO:<b@mx.example>",
        "DATA",
        "RSET",
        "NOOP",
        "VRFY b",
        "HELP",
        "QUIT",
        "FOO",
    ];
    let mut forms = lines
        .iter()
        .map(|line| (format!("{line}\r\n"), (*line).to_owned()))
        .collect::<Vec<_>>();
    forms.push((
        "BDAT 3 LAST\r\na\r\n".into(),
        "BDAT 3 LAST, its octets".into(),
    ));
    forms
}

/// How a connection can be secured, as far as it makes a difference.
fn places_of_security() -> Vec<(String, Driver)> {
    let listener = |tls, auth| {
        let mut listener = settings();
        listener.tls = tls;
        listener.auth = auth;
        listener
    };
    let greeted = |tls, auth| Driver::greeted(listener(tls, auth));
    let encrypted = |tls, auth| {
        let mut driver = greeted(tls, auth);
        driver.start_tls();
        driver.say("EHLO client.example\r\n");
        driver
    };
    let after = |mut driver: Driver, command: &str| {
        driver.say(command);
        driver
    };
    let both = || encrypted(TlsRule::Required, AuthRule::Required);
    let mut clear_passwords = listener(TlsRule::Off, AuthRule::Offered);
    clear_passwords.clear_passwords = true;
    let mut places = vec![
        ("Tls", greeted(TlsRule::Offered, AuthRule::Off)),
        (
            "TlsBeforeEhlo",
            Driver::connected(listener(TlsRule::Offered, AuthRule::Off)),
        ),
        (
            "TlsInTransaction",
            after(greeted(TlsRule::Offered, AuthRule::Off), "MAIL FROM:<>\r\n"),
        ),
        ("TlsOn", encrypted(TlsRule::Offered, AuthRule::Off)),
        ("TlsImplicit", greeted(TlsRule::Implicit, AuthRule::Off)),
        ("TlsRequired", greeted(TlsRule::Required, AuthRule::Off)),
        (
            "TlsRequiredBeforeEhlo",
            Driver::connected(listener(TlsRule::Required, AuthRule::Off)),
        ),
        ("Auth", greeted(TlsRule::Off, AuthRule::Offered)),
        ("AuthByClearPassword", Driver::greeted(clear_passwords)),
        (
            "AuthBeforeEhlo",
            Driver::connected(listener(TlsRule::Off, AuthRule::Offered)),
        ),
        ("AuthRequired", greeted(TlsRule::Off, AuthRule::Required)),
        (
            "BothRequired",
            greeted(TlsRule::Required, AuthRule::Required),
        ),
        ("BothRequiredTlsOn", both()),
        (
            "BothRequiredTlsOnAuthenticated",
            after(both(), "AUTH PLAIN AGFubmEAc2VjcmV0\r\n"),
        ),
    ];
    let mut in_transaction = after(both(), "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    in_transaction.say("MAIL FROM:<a@client.example>\r\n");
    places.push((
        "BothRequiredTlsOnAuthenticatedInTransaction",
        in_transaction,
    ));
    places
        .into_iter()
        .map(|(name, driver)| (name.to_owned(), driver))
        .collect()
}

type Forms = fn() -> Vec<(String, String)>;
type Places = fn() -> Vec<(String, Driver)>;

fn matrix(forms: Forms, places: Places) -> String {
    let mut text = String::from(
        "# What each form of command is answered with in each phase.\n\
         # Written by the test `matrix`; see there how to write it anew.\n",
    );
    for (sent, shown) in forms() {
        writeln!(
            text,
            "\n{}",
            if shown.is_empty() {
                "(an empty line)"
            } else {
                &shown
            }
        )
        .unwrap();
        let mut said: Vec<(String, Vec<String>)> = Vec::new();
        for (name, driver) in places() {
            let reply = reply_in(driver, &sent);
            match said.last_mut() {
                Some((same, names)) if *same == reply => names.push(name),
                _ => said.push((reply, vec![name])),
            }
        }
        for (reply, names) in said {
            writeln!(text, "    {}:\n        {reply}", names.join(", ")).unwrap();
        }
    }
    text
}

#[test]
fn every_command_in_every_phase_is_answered_as_the_golden_file_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states.txt");
    compare(path, &matrix(forms, places));
}

#[test]
fn every_command_on_every_secured_connection_is_answered_as_the_golden_file_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/security.txt");
    compare(path, &matrix(forms_of_security, places_of_security));
}

#[test]
fn every_command_of_the_historic_mode_is_answered_as_the_golden_file_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/historic.txt");
    compare(path, &matrix(forms_of_history, || places_of(historic)));
}

#[test]
fn every_command_on_a_listener_held_to_the_classic_table_is_answered_as_the_golden_file_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/classic.txt");
    compare(path, &matrix(forms, places_of_classic));
}

#[test]
fn every_command_of_lmtp_is_answered_as_the_golden_file_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lmtp.txt");
    compare(path, &matrix(forms_of_lmtp, places_of_lmtp));
}

/// Whatever comes in whatever state, and however the session is ended then.
#[test]
fn a_listener_held_to_the_classic_table_says_nothing_else() {
    let mut said = 0;
    for (sent, shown) in forms() {
        for (place, mut driver) in places_of_classic() {
            driver.say(&sent);
            for ending in [Closing::Stopping, Closing::TimedOut, Closing::LimitPassed] {
                driver.session.disconnect(ending, driver.now);
                driver.hear();
            }
            said += driver.log.said.len();
            for situation in &driver.log.said {
                assert_eq!(
                    situation.source,
                    Source::Row,
                    "{shown} in {place}: {situation:?}"
                );
            }
        }
    }
    assert!(said > 1000, "{said}");
}

fn compare(path: &str, now: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, now).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    for (line, (was, is)) in golden.lines().zip(now.lines()).enumerate() {
        assert_eq!(was, is, "line {} of {path}", line + 1);
    }
    assert_eq!(
        golden.len(),
        now.len(),
        "{path} has other lines than the matrix"
    );
}
