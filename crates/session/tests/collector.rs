//! The customer's part of on-demand mail relay, against a provider that says what the test wants.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use postroad_clock::Mono;
use postroad_reply::Command;
use postroad_session::collector::{Collector, Ended, Errand, Login, Want};
use postroad_session::server::{Event, SessionId, Settings};
use postroad_wire::address::{Domain, HeloName, Limits};

const NOW: Mono = Mono(1);

fn domain(text: &str) -> Domain {
    Domain::parse(text, &Limits::default()).expect("the test wrote a domain")
}

fn errand() -> Errand {
    Errand {
        name: HeloName::from(domain("home.example")),
        start_tls: false,
        login: Some(Login {
            user: "home".into(),
            password: "secret".into(),
        }),
        domains: vec![domain("a.example"), domain("b.example")],
    }
}

fn hear(collector: &mut Collector) -> String {
    let mut out = BytesMut::new();
    collector.poll_transmit(&mut out);
    String::from_utf8(out.to_vec()).expect("commands are ASCII")
}

/// What the provider says, and what it hears then.
type Script<'s> = &'s [(&'static str, &'s str)];

/// Plays the provider: what it says, and what it hears then.
fn play(errand: Errand, script: Script<'_>) -> Collector {
    let mut collector = Collector::new(errand, NOW);
    assert_eq!(hear(&mut collector), "", "the provider greets first");
    for (says, hears) in script {
        collector.handle_input((*says).into(), NOW);
        assert_eq!(hear(&mut collector), *hears, "after {says:?}");
    }
    collector
}

const GREETING: (&str, &str) = ("220 odmr.example\r\n", "EHLO home.example\r\n");

#[test]
fn it_says_who_it_is_asks_for_its_mail_and_becomes_a_server() {
    let collector = play(
        errand(),
        &[
            GREETING,
            (
                "250-odmr.example\r\n250-AUTH PLAIN LOGIN\r\n250 ATRN\r\n",
                "AUTH PLAIN AGhvbWUAc2VjcmV0\r\n",
            ),
            ("235 welcome\r\n", "ATRN a.example,b.example\r\n"),
            ("250 now reversing\r\n", ""),
        ],
    );
    assert_eq!(collector.want(), Want::Reverse);
    assert_eq!(collector.poll_timeout(), None);
    let settings = Arc::new(Settings::new(domain("home.example")));
    let (mut server, early) = collector
        .into_server(settings, SessionId(1), NOW)
        .expect("the roles have changed");
    assert!(early.is_empty());
    assert!(matches!(server.poll_event(), Some(Event::Connected { .. })));
}

#[test]
fn login_answers_what_is_asked() {
    let collector = play(
        Errand {
            domains: Vec::new(),
            ..errand()
        },
        &[
            GREETING,
            ("250-odmr.example\r\n250 AUTH LOGIN\r\n", "AUTH LOGIN\r\n"),
            ("334 VXNlcm5hbWU6\r\n", "aG9tZQ==\r\n"),
            ("334 UGFzc3dvcmQ6\r\n", "c2VjcmV0\r\n"),
            ("235 welcome\r\n", "ATRN\r\n"),
            ("453 You have no mail\r\n", "QUIT\r\n"),
            ("221 bye\r\n", ""),
        ],
    );
    assert_eq!(collector.ended(), Some(&Ended::NoMail));
    assert_eq!(collector.want(), Want::Close);
}

#[test]
fn nothing_is_told_without_tls_where_tls_is_wanted() {
    let tls = || Errand {
        start_tls: true,
        ..errand()
    };
    let offers = (
        "250-odmr.example\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
        "STARTTLS\r\n",
    );
    let mut collector = play(tls(), &[GREETING, offers, ("220 go\r\n", "")]);
    assert_eq!(collector.want(), Want::TlsHandshake);
    collector.tls_established(NOW);
    assert_eq!(hear(&mut collector), "EHLO home.example\r\n");
    // What was offered before the handshake doesn't count.
    collector.handle_input("250 odmr.example\r\n".into(), NOW);
    assert_eq!(hear(&mut collector), "QUIT\r\n");

    let without = ("250-odmr.example\r\n250 AUTH PLAIN\r\n", "QUIT\r\n");
    let collector = play(tls(), &[GREETING, without, ("221 bye\r\n", "")]);
    assert_eq!(collector.ended(), Some(&Ended::NoTls));

    let injected = ("220 go\r\n250 AUTH PLAIN\r\n", "");
    let collector = play(tls(), &[GREETING, offers, injected]);
    assert_eq!(collector.ended(), Some(&Ended::Unasked));
}

#[test]
fn who_is_known_by_a_certificate_only_asks_for_its_mail() {
    let known = Errand {
        login: None,
        ..errand()
    };
    let offers = (
        "250-odmr.example\r\n250 ATRN\r\n",
        "ATRN a.example,b.example\r\n",
    );
    let collector = play(known, &[GREETING, offers, ("250 ok\r\n", "")]);
    assert_eq!(collector.want(), Want::Reverse);
}

#[test]
fn a_refusal_ends_it_and_is_kept() {
    let ehlo = (
        "250-odmr.example\r\n250 AUTH PLAIN\r\n",
        "AUTH PLAIN AGhvbWUAc2VjcmV0\r\n",
    );
    let scripts: [(Script<'_>, Command, u16); 5] = [
        (&[("554 no\r\n", "QUIT\r\n")], Command::Connect, 554),
        (&[GREETING, ("502 no\r\n", "QUIT\r\n")], Command::Ehlo, 502),
        (
            &[GREETING, ehlo, ("535 no\r\n", "QUIT\r\n")],
            Command::Auth,
            535,
        ),
        (
            &[
                GREETING,
                ehlo,
                ("235 ok\r\n", "ATRN a.example,b.example\r\n"),
                ("450 not yours\r\n", "QUIT\r\n"),
            ],
            Command::Atrn,
            450,
        ),
        (
            &[
                GREETING,
                ehlo,
                ("334 more\r\n", "*\r\n"),
                ("501 cancelled\r\n", "QUIT\r\n"),
            ],
            Command::Auth,
            501,
        ),
    ];
    for (script, command, code) in scripts {
        let mut collector = play(errand(), script);
        // It may hang up without a word.
        collector.handle_eof();
        let Some(Ended::Refused { command: of, reply }) = collector.ended() else {
            panic!("{:?}", collector.ended());
        };
        assert_eq!((*of, reply.code.number()), (command, code));
    }
}

#[test]
fn no_mechanism_no_reply_no_connection_and_nonsense_end_it() {
    let no_auth = ("250 odmr.example\r\n", "QUIT\r\n");
    let scram = ("250-odmr.example\r\n250 AUTH CRAM-MD5\r\n", "QUIT\r\n");
    for offers in [no_auth, scram] {
        let collector = play(errand(), &[GREETING, offers, ("221 bye\r\n", "")]);
        assert_eq!(collector.ended(), Some(&Ended::NoMechanism));
    }
    let mut lost = play(errand(), &[GREETING]);
    lost.handle_eof();
    assert_eq!(lost.ended(), Some(&Ended::Lost));

    let mut slow = play(errand(), &[GREETING]);
    let due = slow.poll_timeout().expect("a reply is awaited");
    slow.handle_timeout(due);
    assert_eq!(slow.ended(), Some(&Ended::TimedOut(Command::Ehlo)));

    let nonsense = play(errand(), &[("hello\r\n", "")]);
    assert!(matches!(nonsense.ended(), Some(Ended::Unreadable(_))));
}

#[test]
fn atrn_has_the_ten_minutes_of_rfc_2645() {
    let collector = play(
        errand(),
        &[
            GREETING,
            (
                "250-odmr.example\r\n250 AUTH PLAIN\r\n",
                "AUTH PLAIN AGhvbWUAc2VjcmV0\r\n",
            ),
            ("235 ok\r\n", "ATRN a.example,b.example\r\n"),
        ],
    );
    let patience = collector
        .poll_timeout()
        .expect("a reply is awaited")
        .since(NOW);
    assert!(patience >= Duration::from_secs(600));
}

#[test]
fn the_password_is_not_shown() {
    let shown = format!("{:?}", Collector::new(errand(), NOW));
    assert!(!shown.contains("secret"), "{shown}");
}
