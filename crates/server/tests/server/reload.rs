//! Settings that change while sessions go on.

use std::sync::Arc;

use postroad_directory::{Directory, LocalDomain, Quotas, Routes};
use postroad_policy::ConnectionLimits;
use postroad_server::{ListenerSettings, Settings};

use crate::client::Client;
use crate::stand::{Plan, domain, local, run};

/// The settings of a server that has one other mailbox, offers no HELP and takes one connection more.
fn other(old: &Settings) -> Settings {
    let domain = LocalDomain {
        name: domain("other.example"),
        mailboxes: vec![local("eve")],
        aliases: Vec::new(),
        create_mailboxes: false,
        recipient_delimiter: None,
        moved: Vec::new(),
        quotas: Quotas::default(),
    };
    let mut session = (*old.listeners[0].session).clone();
    session.help = false;
    let mut limits = old.limits;
    limits.connections = ConnectionLimits {
        total: 2,
        per_address: 2,
        per_network: 2,
    };
    Settings {
        customers: Default::default(),
        directory: Arc::new(Directory::new(vec![domain], None, Routes::default()).0),
        trusted_networks: Vec::new(),
        rules: Default::default(),
        tls: None,
        passwords: None,
        listeners: vec![ListenerSettings {
            session: Arc::new(session),
        }],
        limits,
    }
}

#[test]
fn a_transaction_keeps_what_it_began_with_and_the_next_has_the_new() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.connected().await;
        client.expect("EHLO client.example", "250-").await;
        client.expect("MAIL FROM:<>", "250 ").await;
        let settings = &stand.services.settings;
        settings.store(Arc::new(other(&settings.load())));

        client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
        client.expect("RCPT TO:<eve@other.example>", "550 ").await;
        client.expect("DATA", "354 ").await;
        client.send(b"Subject: kept\r\n\r\n.\r\n").await;
        assert!(client.reply().await.starts_with("250 "));
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect("RCPT TO:<ada@mx.example>", "550 ").await;
        client.expect("RCPT TO:<eve@other.example>", "250 ").await;
        // What belongs to the session stays for its whole length.
        client.expect("HELP", "214").await;

        let mut next = stand.connected().await;
        next.expect("EHLO client.example", "250-").await;
        next.expect("HELP", "502 ").await;
        let mut third = Client::connect(stand.address).await;
        assert!(third.reply().await.starts_with("421 "));
    });
}
