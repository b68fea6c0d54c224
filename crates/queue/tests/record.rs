//! The octets a store keeps: they read back, whatever later versions add, and any octets are read
//! without harm.

// A test that can't go on says where.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_message::{Edit, Facts};
use postroad_queue::history::{Attempted, End, Event, What};
use postroad_queue::record::{
    NotARecord, Unknown, decode_envelope, decode_state, encode_envelope, encode_state,
};
use postroad_queue::state::Waiting;
use postroad_queue::{
    Amendment, ClientTrace, Envelope, Handover, History, Life, Mark, MessageState, NoticeState,
    Peer, Recipient, RecipientIx, Report, RouteKey,
};
use postroad_reply::Enhanced;
use postroad_wire::address::{
    AddressLiteral, Domain, Host, Limits, LocalPart, Mailbox, ReversePath,
};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::{BodyType, EnvId, Notify, OriginalRecipient, Ret};
use proptest::prelude::*;

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text, &Limits::default()).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

fn any_mailbox() -> impl Strategy<Value = Mailbox> {
    let local = "[ -~à-ž]{1,20}".prop_filter_map("a local-part", |text| {
        LocalPart::from_unquoted(&text, &Limits::default()).ok()
    });
    let host = prop_oneof![
        "[a-zA-Z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,3}".prop_filter_map("a domain", |text| {
            Domain::parse(&text, &Limits::default())
                .ok()
                .map(Host::Domain)
        }),
        any::<IpAddr>().prop_map(|address| Host::Literal(match address {
            IpAddr::V4(address) => AddressLiteral::V4(address),
            IpAddr::V6(address) => AddressLiteral::V6(address),
        })),
    ];
    (local, host).prop_map(|(local, host)| Mailbox { local, host })
}

fn any_notify() -> impl Strategy<Value = Notify> {
    prop_oneof![
        Just(Notify::Never),
        any::<(bool, bool, bool)>().prop_map(|(success, failure, delay)| Notify::On {
            success,
            failure,
            delay
        }),
    ]
}

fn any_recipient() -> impl Strategy<Value = Recipient> {
    (
        any_mailbox(),
        any_mailbox(),
        prop::option::of(("[a-z0-9-]{1,8}", ".{0,20}")),
        prop::option::of(any_notify()),
    )
        .prop_map(|(target, origin, original, notify)| Recipient {
            target,
            origin,
            original: original.map(|(kind, address)| OriginalRecipient { kind, address }),
            notify,
        })
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let name = || "[A-Za-z-]{1,10}";
    prop_oneof![
        (any::<u32>(), name(), any::<Vec<u8>>()).prop_map(|(index, name, value)| Edit::AddField {
            index,
            name,
            value
        }),
        (name(), any::<u32>(), any::<Vec<u8>>()).prop_map(|(name, occurrence, value)| {
            Edit::ChangeField {
                name,
                occurrence,
                value,
            }
        }),
        (name(), any::<u32>())
            .prop_map(|(name, occurrence)| Edit::RemoveField { name, occurrence }),
        any::<Vec<u8>>().prop_map(|body| Edit::ReplaceBody { body }),
    ]
}

fn any_facts() -> impl Strategy<Value = Facts> {
    any::<(u64, bool, bool, bool, u64, u32)>().prop_map(|facts| Facts {
        size: facts.0,
        eight_bit_header: facts.1,
        eight_bit_body: facts.2,
        binary: facts.3,
        longest_line: facts.4,
        received_count: facts.5,
    })
}

fn any_envelope() -> impl Strategy<Value = Envelope> {
    let said = (
        prop::option::of(any_mailbox()),
        prop::sample::select(vec![
            BodyType::SevenBit,
            BodyType::EightBitMime,
            BodyType::BinaryMime,
        ]),
        any::<bool>(),
        prop::option::of(prop::sample::select(vec![Ret::Full, Ret::Headers])),
        prop::option::of(".{0,20}"),
    );
    let client = (any::<Option<IpAddr>>(), ".{0,20}", "[A-Z]{0,8}");
    let lists = (
        prop::collection::vec(any_recipient(), 0..5),
        prop::collection::vec(any_edit(), 0..5),
        any::<Vec<u8>>(),
    );
    let delivery = prop::sample::select(vec![
        DeliveryKind::Mailbox,
        DeliveryKind::Terminal,
        DeliveryKind::TerminalElseMailbox,
        DeliveryKind::TerminalAndMailbox,
    ]);
    let rest = (any::<u64>(), any::<i8>(), ".{0,20}", any_facts(), delivery);
    (said, client, lists, rest).prop_map(|(said, client, lists, rest)| Envelope {
        received_at: UnixMs(rest.0),
        reverse_path: said.0.map_or(ReversePath::Null, ReversePath::Mailbox),
        body_type: said.1,
        smtputf8: said.2,
        ret: said.3,
        envid: said.4.map(EnvId),
        client: ClientTrace {
            address: client.0,
            hello: client.1,
            protocol: client.2,
        },
        priority: rest.1,
        delivery: rest.4,
        sender_key: rest.2,
        recipients: lists.0,
        trace: Bytes::from(lists.2),
        edits: lists.1,
        facts: rest.3,
    })
}

fn any_report() -> impl Strategy<Value = Report> {
    let peer = ("[a-z.]{0,20}", any::<Option<std::net::SocketAddr>>());
    let status = "[245]\\.[1-9]{1,3}\\.[1-9]{1,3}";
    (
        ".{0,30}",
        prop::option::of(status),
        prop::option::of(peer),
        prop::option::of(".{0,30}"),
    )
        .prop_map(|(words, status, peer, reply)| {
            let mut report = Report::plain(&words);
            if let Some(status) = status.and_then(|status| Enhanced::parse(&status)) {
                report = report.with_status(status);
            }
            if let Some((name, mut address)) = peer {
                if let Some(std::net::SocketAddr::V6(address)) = &mut address {
                    // No connection has one that its text leaves out.
                    address.set_flowinfo(0);
                }
                report = report.with_peer(Peer::new(&name, address));
            }
            match reply {
                Some(reply) => report.with_reply(&reply),
                None => report,
            }
        })
}

fn any_mark() -> impl Strategy<Value = Mark> {
    prop_oneof![
        Just(Mark::None),
        Just(Mark::Sent),
        any::<u64>().prop_map(|at| Mark::Owed(UnixMs(at))),
    ]
}

fn any_life() -> impl Strategy<Value = Life> {
    let at = || any::<u64>().prop_map(UnixMs);
    let notice = prop::sample::select(vec![
        NoticeState::Owed,
        NoticeState::Sent,
        NoticeState::Unwanted,
    ]);
    let how = prop::sample::select(vec![
        Handover::Delivered,
        Handover::Relayed,
        Handover::PassedOn,
    ]);
    prop_oneof![
        (
            any::<u32>(),
            at(),
            prop::option::of(any_report()),
            any_mark()
        )
            .prop_map(|(attempts, due, last, delay)| Life::Pending {
                attempts,
                due,
                last,
                delay,
            }),
        (at(), how, any_report(), notice.clone()).prop_map(|(at, how, report, notice)| {
            Life::Delivered {
                at,
                how,
                report,
                notice,
            }
        }),
        (at(), any_report(), notice).prop_map(|(at, report, notice)| Life::Failed {
            at,
            report,
            notice
        }),
        (at(), ".{0,30}").prop_map(|(at, rule)| Life::Discarded { at, rule }),
    ]
}

fn any_route() -> impl Strategy<Value = RouteKey> {
    ".{0,20}".prop_map(|text| RouteKey(text.into()))
}

fn any_amendment() -> impl Strategy<Value = Amendment> {
    prop_oneof![
        Just(Amendment::Hold),
        Just(Amendment::Release),
        Just(Amendment::RetryNow),
        Just(Amendment::Delete),
        any_route().prop_map(Amendment::Redirect),
    ]
}

fn any_history() -> impl Strategy<Value = History> {
    let end = prop::sample::select(vec![
        End::Delivered(Handover::Delivered),
        End::Delivered(Handover::Relayed),
        End::Delivered(Handover::PassedOn),
        End::Deferred,
        End::Failed,
        End::Discarded,
    ]);
    let recipients = prop::collection::vec(any::<u32>().prop_map(RecipientIx), 0..40);
    let what = prop_oneof![
        (recipients, any::<u32>(), end, any_report()).prop_map(
            |(recipients, others, end, report)| {
                What::Attempted(Attempted::new(recipients, others, end, &report))
            }
        ),
        any_amendment().prop_map(What::Amended),
        Just(What::Noticed),
    ];
    let event = (any::<u64>(), what).prop_map(|(at, what)| Event {
        at: UnixMs(at),
        what,
    });
    let sizes = prop_oneof![0..4usize, 60..70usize];
    sizes
        .prop_flat_map(move |size| prop::collection::vec(event.clone(), size))
        .prop_map(|events| {
            let mut history = History::default();
            events.into_iter().for_each(|event| history.push(event));
            history
        })
}

fn any_waiting() -> impl Strategy<Value = Waiting> {
    (any_amendment(), any::<u64>()).prop_map(|(amendment, at)| Waiting {
        amendment,
        at: UnixMs(at),
    })
}

fn any_state() -> impl Strategy<Value = MessageState> {
    (
        prop::collection::vec(any_life(), 0..6),
        any_mark(),
        any::<bool>(),
        prop::option::of(any_route()),
        prop::collection::vec(any_waiting(), 0..4),
        any_history(),
    )
        .prop_map(
            |(lives, expanded, held, redirect, waiting, history)| MessageState {
                lives,
                expanded,
                held,
                redirect,
                waiting,
                history,
                unknown: Unknown::default(),
            },
        )
}

/// Changes some octets, so that what comes near a record is tried too.
fn damage(mut octets: Vec<u8>, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, value) in changes {
        let at = at.index(octets.len());
        octets[at] = *value;
    }
    octets
}

fn any_changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4)
}

proptest! {
    #[test]
    fn an_envelope_reads_back(envelope in any_envelope()) {
        let octets = encode_envelope(&envelope, &Unknown::default());
        let read = decode_envelope(&octets);
        prop_assert_eq!(&read, &Ok((envelope, Unknown::default())));
        // Domains are equal in any case; the octets say that theirs was kept.
        let (again, unknown) = read.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(encode_envelope(&again, &unknown), octets);
    }

    #[test]
    fn a_state_reads_back(state in any_state()) {
        prop_assert_eq!(decode_state(&encode_state(&state)), Ok(state));
    }

    #[test]
    fn a_record_cut_short_is_no_record_or_misses_its_end(
        envelope in any_envelope(), state in any_state(), cut: prop::sample::Index,
    ) {
        let octets = encode_envelope(&envelope, &Unknown::default());
        // Behind the last field that must be there, one says that it is for a terminal.
        let read = decode_envelope(&octets[..cut.index(octets.len())]);
        prop_assert_ne!(read, Ok((envelope, Unknown::default())));
        // A state has no field that must be there: one cut between fields is a shorter one.
        let octets = encode_state(&state);
        let read = decode_state(&octets[..cut.index(octets.len())]);
        prop_assert_ne!(read, Ok(state));
    }

    #[test]
    fn any_octets_are_read_without_harm(
        octets: Vec<u8>, kind in prop::sample::select(b"ES".to_vec()),
        envelope in any_envelope(), state in any_state(), changes in any_changes(),
    ) {
        reads_back(&octets);
        reads_back(&[&[kind], &octets[..]].concat());
        reads_back(&damage(encode_envelope(&envelope, &Unknown::default()), &changes));
        reads_back(&damage(encode_state(&state), &changes));
    }
}

/// Reads any octets as each kind of record. What can be read is the same after it is written and
/// read again.
fn reads_back(octets: &[u8]) {
    if let Ok((envelope, unknown)) = decode_envelope(octets) {
        let again = decode_envelope(&encode_envelope(&envelope, &unknown));
        assert_eq!(again, Ok((envelope, unknown)), "envelope");
    }
    if let Ok(state) = decode_state(octets) {
        assert_eq!(decode_state(&encode_state(&state)), Ok(state), "state");
    }
}

fn example_envelope() -> Envelope {
    Envelope {
        received_at: UnixMs(1_790_000_000_123),
        reverse_path: ReversePath::Mailbox(mailbox("\"a b\"@[192.0.2.1]")),
        body_type: BodyType::EightBitMime,
        smtputf8: true,
        ret: Some(Ret::Headers),
        envid: Some(EnvId("QQ314159".into())),
        client: ClientTrace {
            address: Some(IpAddr::V6("2001:db8::25".parse().unwrap())),
            hello: "client.example".into(),
            protocol: "UTF8SMTP".into(),
        },
        priority: -3,
        delivery: DeliveryKind::Mailbox,
        sender_key: "net:2001:db8::/48".into(),
        recipients: vec![
            Recipient {
                target: mailbox("josé@Mail.example"),
                origin: mailbox("sales@example.org"),
                original: Some(OriginalRecipient {
                    kind: "rfc822".into(),
                    address: "sales@example.org".into(),
                }),
                notify: Some(Notify::On {
                    success: false,
                    failure: true,
                    delay: true,
                }),
            },
            Recipient {
                target: mailbox("root@[IPv6:2001:db8::1]"),
                origin: mailbox("root@example.org"),
                original: None,
                notify: Some(Notify::Never),
            },
        ],
        trace: Bytes::from_static(b"Received: from client.example\r\n"),
        edits: vec![
            Edit::AddField {
                index: 0,
                name: "DKIM-Signature".into(),
                value: b" v=1".to_vec(),
            },
            Edit::ChangeField {
                name: "Subject".into(),
                occurrence: 1,
                value: b" other".to_vec(),
            },
            Edit::RemoveField {
                name: "Bcc".into(),
                occurrence: 0,
            },
            Edit::ReplaceBody {
                body: b"new\r\n".to_vec(),
            },
        ],
        facts: Facts {
            size: 1234,
            eight_bit_header: true,
            eight_bit_body: true,
            binary: false,
            longest_line: 998,
            received_count: 2,
        },
    }
}

fn example_state() -> MessageState {
    MessageState {
        lives: vec![
            Life::Pending {
                attempts: 3,
                due: UnixMs(1_790_000_100_000),
                last: Some("451 4.7.1 later".into()),
                delay: Mark::None,
            },
            Life::Delivered {
                at: UnixMs(1_790_000_000_500),
                how: Handover::Delivered,
                report: "maildir".into(),
                notice: NoticeState::Unwanted,
            },
            Life::Failed {
                at: UnixMs(1_790_000_000_600),
                report: "550 5.1.1 nobody".into(),
                notice: NoticeState::Owed,
            },
            Life::Failed {
                at: UnixMs(1_790_000_000_600),
                report: "550 5.1.1 nobody".into(),
                notice: NoticeState::Sent,
            },
            Life::Discarded {
                at: UnixMs(1_790_000_000_700),
                rule: "spamtrap".into(),
            },
        ],
        expanded: Mark::None,
        held: true,
        redirect: Some(RouteKey("relay.example".into())),
        waiting: vec![
            Waiting {
                amendment: Amendment::Redirect(RouteKey("other.example".into())),
                at: UnixMs(1_790_000_000_800),
            },
            Waiting {
                amendment: Amendment::Delete,
                at: UnixMs(1_790_000_000_900),
            },
        ],
        history: History::default(),
        unknown: Unknown::default(),
    }
}

/// What the first version had no words for.
fn later_state() -> MessageState {
    let report = Report::plain("the mailbox is closed")
        .with_status(Enhanced::parse("5.1.1").unwrap())
        .with_peer(Peer::new(
            "mx.example.net",
            "[2001:db8::25]:25".parse().ok(),
        ))
        .with_reply("550 5.1.1 No such user");
    let at = |ms: u64| UnixMs(1_790_000_000_000 + ms);
    let mut history = History::default();
    let two = [RecipientIx(0), RecipientIx(300)];
    let events = [
        What::Attempted(Attempted::new(two, 1, End::Failed, &report)),
        What::Attempted(Attempted::new(
            [RecipientIx(1)],
            0,
            End::Delivered(Handover::PassedOn),
            &Report::default(),
        )),
        What::Amended(Amendment::Redirect(RouteKey(
            "smtp://[192.0.2.1]:25".into(),
        ))),
        What::Noticed,
    ];
    for (ms, what) in (0..).zip(events) {
        history.push(Event { at: at(ms), what });
    }
    MessageState {
        lives: vec![
            Life::Pending {
                attempts: 9,
                due: at(5_000),
                last: Some(report.clone()),
                delay: Mark::Sent,
            },
            Life::Delivered {
                at: at(10),
                how: Handover::Relayed,
                report: report.clone(),
                notice: NoticeState::Owed,
            },
            Life::Failed {
                at: at(20),
                report,
                notice: NoticeState::Owed,
            },
        ],
        expanded: Mark::Owed(at(0)),
        held: false,
        redirect: None,
        waiting: Vec::new(),
        history,
        unknown: Unknown::default(),
    }
}

/// The octets of a golden file: hexadecimal digits, line ends between them.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

fn hex(octets: &[u8]) -> String {
    octets
        .chunks(32)
        .map(|line| line.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n")
        .collect()
}

// A later version must go on reading these files as these values. It may write other octets:
// then it keeps the files as they are and adds its own.
const ENVELOPE_1: &str = include_str!("golden/envelope-1.hex");
const STATE_1: &str = include_str!("golden/state-1.hex");
const STATE_2: &str = include_str!("golden/state-2.hex");

#[test]
fn the_envelope_of_the_first_version_is_readable() {
    let (read, unknown) = decode_envelope(&octets(ENVELOPE_1)).unwrap();
    assert_eq!(read, example_envelope());
    assert_eq!(unknown, Unknown::default());
    assert_eq!(hex(&encode_envelope(&read, &unknown)), ENVELOPE_1);
}

#[test]
fn the_state_of_the_first_version_is_readable() {
    let read = decode_state(&octets(STATE_1)).unwrap();
    assert_eq!(read, example_state());
    assert_eq!(hex(&encode_state(&read)), STATE_1);
}

#[test]
fn reports_marks_and_history_are_readable() {
    assert_eq!(hex(&encode_state(&later_state())), STATE_2);
    assert_eq!(decode_state(&octets(STATE_2)), Ok(later_state()));
}

#[test]
fn an_event_of_a_later_version_is_passed_over_and_counted() {
    // An event whose choice is 99, and one whose field 50 means nothing here.
    let octets = [
        &[b'S', 6, 6, 1, 1, 5, 2, 1, 99][..],
        &[6, 10, 1, 1, 5, 2, 1, 11, 50, 2, 7, 7],
    ];
    let state = decode_state(&octets.concat()).unwrap();
    let noticed = Event {
        at: UnixMs(5),
        what: What::Noticed,
    };
    assert_eq!(state.history.events(), [noticed]);
    assert_eq!(state.history.left_out(), 1);
}

#[test]
fn fields_of_a_later_version_are_kept_and_written_back() {
    // A life with a field 90 and a message with a field 100, of values that mean nothing here.
    let life = [1, 1, 0, 2, 1, 5, 4, 1, 0, 90, 2, 7, 7];
    let mut octets = vec![b'S', 1, life.len() as u8];
    octets.extend(life);
    octets.extend([100, 3, 1, 2, 3]);
    let mut state = decode_state(&octets).unwrap();
    assert_eq!(
        state.lives,
        [Life::Pending {
            attempts: 0,
            due: UnixMs(5),
            last: None,
            delay: Mark::None,
        }]
    );
    assert_eq!(encode_state(&state), octets);
    state.held = true;
    let held = [&octets[..16], &[2, 0], &octets[16..]].concat();
    assert_eq!(encode_state(&state), held, "kept when the rest changes");

    let mut octets = encode_envelope(&example_envelope(), &Unknown::default());
    octets.extend([100, 3, 1, 2, 3]);
    let (envelope, unknown) = decode_envelope(&octets).unwrap();
    assert_eq!(envelope, example_envelope());
    assert_eq!(encode_envelope(&envelope, &unknown), octets);
}

#[test]
fn a_choice_of_a_later_version_is_not_half_understood() {
    let life = [b'S', 1, 9, 1, 1, 4, 2, 1, 5, 4, 1, 0];
    assert_eq!(decode_state(&life), Err(NotARecord::Newer));
    let waiting = [b'S', 4, 6, 1, 1, 5, 2, 1, 5];
    assert_eq!(decode_state(&waiting), Err(NotARecord::Newer));
}

#[test]
fn what_stands_twice_or_where_it_means_nothing_is_refused() {
    let twice = [b'S', 2, 0, 2, 0];
    let a_delivery_with_attempts = [b'S', 1, 9, 1, 1, 1, 2, 1, 5, 4, 1, 0];
    let no_text = [b'S', 3, 1, 0xff];
    for octets in [&twice[..], &a_delivery_with_attempts, &no_text, b"X"] {
        assert_eq!(
            decode_state(octets),
            Err(NotARecord::Malformed),
            "{octets:?}"
        );
    }
    assert_eq!(decode_state(b""), Err(NotARecord::Truncated));
}
