//! The resolver against a name server of the test's own.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test from the outside has sockets and threads of its own"
)]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postroad_host::dns::{MailExchange, Resolver};
use postroad_host::tasks;

/// A code and mail exchangers; none for silence.
type Answer = Option<(u8, &'static [&'static str])>;

/// A name server that gives MX questions these answers. It counts the questions.
fn name_server(answer: fn(&str) -> Answer) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = socket.local_addr().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // It ends with the process.
    thread::spawn(move || {
        let mut question = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            count.fetch_add(1, Ordering::SeqCst);
            let question = &question[..length];
            let (name, end) = name(question);
            let Some((code, exchangers)) = answer(&name) else {
                continue;
            };
            // RFC 1035 4.1: the question comes again, and each answer points to its name.
            let mut octets = question[..2].to_vec();
            let count = exchangers.len() as u8;
            octets.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
            octets.extend(&question[12..end]);
            for exchanger in exchangers {
                octets.extend([0xC0, 12, 0, 15, 0, 1, 0, 0, 0, 60]);
                let labels = exchanger.split('.').filter(|label| !label.is_empty());
                let mut data = vec![0, 0];
                for label in labels {
                    data.push(label.len() as u8);
                    data.extend(label.as_bytes());
                }
                data.push(0);
                octets.extend((data.len() as u16).to_be_bytes());
                octets.extend(data);
            }
            let _ = socket.send_to(&octets, from);
        }
    });
    (address, asked)
}

/// The name that is asked for in lower case, and the end of the question.
fn name(question: &[u8]) -> (String, usize) {
    let (mut at, mut name) = (12, String::new());
    while question[at] > 0 {
        let end = at + 1 + usize::from(question[at]);
        name += &String::from_utf8_lossy(&question[at + 1..end]).to_ascii_lowercase();
        name.push('.');
        at = end;
    }
    (name, at + 5)
}

const WITHIN: Duration = Duration::from_secs(5);

#[test]
fn a_domain_says_what_becomes_of_its_mail() {
    let (address, asked) = name_server(|name| match name {
        "hosts.test." => Some((0, &["mx.hosts.test"])),
        "null.test." => Some((0, &["."])),
        "odd.test." => Some((0, &[".", "mx.odd.test"])),
        "unsaid.test." => Some((0, &[])),
        "fails.test." => Some((2, &[])),
        _ => Some((3, &[])),
    });
    tasks::run(0, async {
        let resolver = Resolver::new(&[address]);
        let exchange = async |domain| resolver.mail_exchange(domain, WITHIN).await;
        assert_eq!(exchange("hosts.test").await, Ok(MailExchange::Hosts));
        assert_eq!(exchange("null.test").await, Ok(MailExchange::NullMx));
        // Beside others such a record means nothing (RFC 7505 3).
        assert_eq!(exchange("odd.test").await, Ok(MailExchange::Hosts));
        assert_eq!(exchange("unsaid.test").await, Ok(MailExchange::Unsaid));
        assert_eq!(exchange("nowhere.test").await, Ok(MailExchange::NoDomain));
        assert!(exchange("fails.test").await.is_err());
        assert!(exchange("no domain.test").await.is_err() || exchange("a..b").await.is_err());
        let before = asked.load(Ordering::SeqCst);
        for _ in 0..3 {
            assert_eq!(exchange("null.test").await, Ok(MailExchange::NullMx));
            // What couldn't be found out isn't asked for again at once.
            assert!(exchange("fails.test").await.is_err());
        }
        assert_eq!(asked.load(Ordering::SeqCst), before);
    })
    .expect("a runtime");
}

#[test]
fn a_silent_name_server_is_not_waited_for_longer_than_allowed() {
    let (address, _) = name_server(|_| None);
    tasks::run(0, async {
        let resolver = Resolver::new(&[address]);
        let began = Instant::now();
        let within = Duration::from_millis(300);
        assert!(resolver.mail_exchange("a.test", within).await.is_err());
        assert!(began.elapsed() < Duration::from_secs(3));
        let again = Instant::now();
        assert!(resolver.mail_exchange("a.test", WITHIN).await.is_err());
        assert!(
            again.elapsed() < Duration::from_millis(200),
            "it is remembered"
        );
        assert!(
            resolver
                .mail_exchange("b.test", Duration::ZERO)
                .await
                .is_err()
        );
    })
    .expect("a runtime");
}
