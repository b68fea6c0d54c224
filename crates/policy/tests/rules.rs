//! The rules, at their limits.
#![allow(clippy::unwrap_used)] // A test may fail.

use postroad_directory::{
    Directory, LocalDomain, Mailboxes, Quota, Quotas, Resolution, Routes, Usage,
};
use postroad_policy::rule::{
    connection, mail_loop, mailboxes, no_memory, quota, recipient, store, trouble,
};
use postroad_policy::{ConnectionLimits, Connections, Reason, Relay, Verdict};
use postroad_reply::QueueId;
use postroad_store::{Pressure, Trouble};
use postroad_wire::address::{Domain, ForwardPath, Limits, LocalPart, Mailbox};
use proptest::prelude::*;

fn reason(verdict: Verdict) -> Option<Reason> {
    match verdict {
        Verdict::Temporary(reason, _) | Verdict::Permanent(reason, _) => Some(reason),
        _ => None,
    }
}

proptest! {
    #[test]
    fn a_connection_is_served_exactly_up_to_each_limit(
        total in 1usize..9, of_address in 1usize..9, of_network in 1usize..9,
        limits in (1usize..9, 1usize..9, 1usize..9),
    ) {
        let limits = ConnectionLimits { total: limits.0, per_address: limits.1, per_network: limits.2 };
        let verdict = connection(Connections { total, of_address, of_network }, limits);
        let fits = total <= limits.total
            && of_address <= limits.per_address
            && of_network <= limits.per_network;
        prop_assert_eq!(verdict == Verdict::Accept, fits);
        prop_assert!(fits || reason(verdict) == Some(Reason::ConnectionLimit));
    }

    #[test]
    fn a_message_is_a_loop_past_the_limit(count in 0u32..300, limit in 100u32..200) {
        let verdict = mail_loop(count, limit);
        prop_assert_eq!(verdict == Verdict::Accept, count <= limit);
        prop_assert!(count <= limit || verdict == Verdict::Permanent(Reason::MailLoop, None));
    }
}

#[test]
fn a_message_at_the_limit_is_no_loop_yet() {
    assert_eq!(mail_loop(100, 100), Verdict::Accept);
    assert_eq!(
        mail_loop(101, 100),
        Verdict::Permanent(Reason::MailLoop, None)
    );
}

#[test]
fn the_note_names_the_nearest_limit() {
    let limits = ConnectionLimits {
        total: 1,
        per_address: 1,
        per_network: 1,
    };
    let words = |open: Connections| match connection(open, limits) {
        Verdict::Temporary(_, Some(note)) => note.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    let all = words(Connections {
        total: 2,
        of_address: 2,
        of_network: 2,
    });
    assert!(all.contains("your address"), "{all}");
    let network = words(Connections {
        total: 2,
        of_address: 1,
        of_network: 2,
    });
    assert!(network.contains("your network"), "{network}");
    let total = words(Connections {
        total: 2,
        of_address: 1,
        of_network: 1,
    });
    assert!(!total.contains("your"), "{total}");
}

#[test]
fn a_store_without_room_defers() {
    assert_eq!(store(Pressure::None), Verdict::Accept);
    assert_eq!(reason(store(Pressure::Full)), Some(Reason::StoreFull));
    assert_eq!(
        reason(store(Pressure::ReadOnly)),
        Some(Reason::StoreReadOnly)
    );
}

#[test]
fn a_recipient_without_a_mailbox_that_works_may_come_again() {
    assert_eq!(mailboxes(false), Verdict::Accept);
    let busy = Verdict::Temporary(Reason::MailboxBusy, None);
    assert_eq!(mailboxes(true), busy);
}

#[test]
fn what_a_store_could_not_take_may_come_again() {
    let reasons = [
        (Trouble::Full, Reason::StoreFull),
        (Trouble::ReadOnly, Reason::StoreReadOnly),
        (Trouble::Failed("EIO".into()), Reason::StoreFailed),
        (Trouble::LeaseLost, Reason::StoreFailed),
        (Trouble::Unknown(QueueId(1)), Reason::StoreFailed),
        (Trouble::Damaged(QueueId(1)), Reason::StoreFailed),
    ];
    for (met, reason) in reasons {
        // The words of a failure are for the log: none of them reach the client.
        assert_eq!(trouble(&met), Verdict::Temporary(reason, None), "{met}");
    }
}

#[test]
fn where_only_the_parameters_do_not_fit_it_is_they_that_are_refused() {
    let refused = |free, plain, parameters| reason(no_memory(free, plain, parameters)).unwrap();
    assert_eq!(refused(9, 10, 0), Reason::NoMemory);
    assert_eq!(refused(9, 10, 1), Reason::NoMemory);
    assert_eq!(refused(10, 10, 1), Reason::NoMemoryForParameters);
    // Octets that became free after it was looked: there are no parameters to speak of.
    assert_eq!(refused(11, 10, 0), Reason::NoMemory);
}

#[test]
fn a_recipient_is_taken_where_it_leads_to_a_mailbox_of_ours() {
    let local = |name: &str| LocalPart::from_unquoted(name, &Limits::default()).unwrap();
    let domain = |name: &str, create_mailboxes| LocalDomain {
        name: Domain::parse(name, &Limits::default()).unwrap(),
        mailboxes: vec![local("anna")],
        aliases: vec![(local("broken"), Vec::new())],
        create_mailboxes,
        recipient_delimiter: None,
        moved: Vec::new(),
        quotas: Quotas::default(),
    };
    let domains = vec![domain("fixed.example", false), domain("open.example", true)];
    let (directory, _) = Directory::new(domains, None, Routes::default());
    let none_left = Mailboxes::new(0, []);
    let verdict = |address: &str| {
        let path = ForwardPath::Mailbox(Mailbox::parse(address, &Limits::default()).unwrap());
        recipient(&directory.resolve(&path, &none_left), Relay::Denied)
    };
    let permanent = |reason| Verdict::Permanent(reason, None);
    let temporary = |reason| Verdict::Temporary(reason, None);
    assert_eq!(verdict("anna@fixed.example"), Verdict::Accept);
    assert_eq!(
        verdict("bert@fixed.example"),
        permanent(Reason::MailboxUnknown)
    );
    assert_eq!(
        verdict("anna@elsewhere.example"),
        permanent(Reason::RelayDenied)
    );
    assert_eq!(
        verdict("broken@fixed.example"),
        temporary(Reason::AliasBroken)
    );
    assert_eq!(
        verdict("bert@open.example"),
        temporary(Reason::MailboxLimit)
    );
}

#[test]
fn mail_for_others_is_taken_from_those_who_may_where_a_route_leads() {
    let target = Mailbox::parse("bob@elsewhere.example", &Limits::default()).unwrap();
    let verdict = |routed, relay| {
        let target = target.clone();
        recipient(&Resolution::NotLocal { target, routed }, relay)
    };
    assert_eq!(verdict(true, Relay::Allowed), Verdict::Accept);
    for (routed, may_relay, reason) in [
        (true, Relay::Denied, Reason::RelayDenied),
        (true, Relay::AfterLogin, Reason::AuthenticationNeeded),
        (false, Relay::Denied, Reason::RelayDenied),
        // To log in would not help.
        (false, Relay::AfterLogin, Reason::RelayDenied),
        (false, Relay::Allowed, Reason::RelayDenied),
    ] {
        let refused = verdict(routed, may_relay);
        assert!(
            matches!(refused, Verdict::Permanent(r, _) if r == reason),
            "{routed} {may_relay:?}"
        );
    }
}

#[test]
fn a_full_mailbox_is_full_for_now_unless_that_is_wished_otherwise() {
    let bounds = Quota {
        octets: Some(100),
        messages: None,
        message: Some(50),
    };
    let used = |octets| {
        let messages = 1;
        Some(Usage { octets, messages })
    };
    let full = |for_good| quota(bounds, used(80), 30, for_good);
    assert_eq!(full(false), Verdict::Temporary(Reason::MailboxFull, None));
    assert_eq!(full(true), Verdict::Permanent(Reason::MailboxFull, None));
    assert_eq!(quota(bounds, used(70), 30, true), Verdict::Accept);
    let too_big = Verdict::Permanent(Reason::TooBigForMailbox, None);
    assert_eq!(quota(bounds, used(0), 51, false), too_big);
    assert_eq!(quota(bounds, None, 50, true), Verdict::Accept, "not known");
}
