//! What the log is told.

use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_host::tasks;
use postroad_policy::ConnectionLimits;
use postroad_store::Trouble;
use postroad_telemetry::{Format, Level, log};

use crate::client::Client;
use crate::faulty::{Faulty, Step};
use crate::stand::Plan;

/// What is logged while a test runs, without times and levels.
fn told(test: impl Future<Output = ()>) -> Vec<String> {
    let (log, drain) = log(Format::Text, Level::Debug, || UnixMs(0));
    // A log of this thread alone hears what runs on it alone.
    let bounded = tasks::timeout(Duration::from_secs(20), test);
    log.during(|| tasks::run(0, bounded))
        .unwrap()
        .expect("the test takes too long");
    let mut out = Vec::new();
    drain.run(&mut out);
    let out = String::from_utf8(out).unwrap();
    out.lines().map(|line| line[31..].to_owned()).collect()
}

/// The lines of one event.
fn of<'l>(lines: &'l [String], event: &str) -> Vec<&'l str> {
    let own = lines.iter().filter_map(|line| line.strip_prefix(event));
    own.filter_map(|rest| rest.strip_prefix(' ')).collect()
}

#[test]
fn each_refused_recipient_is_named() {
    let lines = told(async {
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        let run = "MAIL FROM:<>\r\nRCPT TO:<ada@mx.example>\r\nRCPT TO:<one@mx.example>\r\n\
            RCPT TO:<j\u{f6}rg@mx.example>\r\nRCPT TO:bad\r\nRCPT TO:<x@far.example>\r\n\
            RCPT TO:<bob@mx.example>\r\nRCPT TO:<two@mx.example>\r\nQUIT\r\n";
        client.send(run.as_bytes()).await;
        client.rest().await;
        drop(client);
        stand.is_empty().await;
    });
    let refused = of(&lines, "command.refused");
    let causes = [
        ("MailboxUnknown", Some("one@mx.example")),
        ("NotAscii", None),
        ("BadPath", None),
        ("RelayDenied", Some("x@far.example")),
        ("MailboxUnknown", Some("two@mx.example")),
    ];
    assert_eq!(refused.len(), causes.len(), "{lines:#?}");
    for (line, (situation, cause)) in refused.iter().zip(causes) {
        assert!(line.contains(&format!("situation={situation}")), "{line}");
        match cause {
            Some(cause) => assert!(line.contains(cause), "{line}"),
            None => assert!(!line.contains("cause="), "{line}"),
        }
    }
    let [closed] = of(&lines, "connection.closed")[..] else {
        panic!("{lines:#?}");
    };
    assert!(closed.contains("reason=Quit"), "{closed}");
    assert!(closed.contains("accepted=0 refused=5"), "{closed}");
}

#[test]
fn a_message_is_told_accepted_refused_or_left_by_its_client() {
    let lines = told(async {
        let store = Faulty::new();
        let stand = Plan::with_store(store.clone()).start();
        stand.still_serves().await;
        // Refused by the session, by a store in trouble, and in the midst of its chunks.
        let mut client = stand.in_data().await;
        client.expect("bare\nLF\r\n.", "554 ").await;
        client = stand.in_data().await;
        store.fail(Step::Commit, Trouble::Failed("EIO".to_owned()));
        client.expect("end\r\n.", "451 ").await;
        store.fail(Step::Append, Trouble::Full);
        client = stand.with_recipient().await;
        client.expect("BDAT 3\r\na", "452 ").await;
        client.expect("RSET", "250 ").await;
        store.heal();
        // Left: by RSET, by QUIT, by a reset.
        client = stand.with_recipient().await;
        client.expect("BDAT 3\r\na", "250 ").await;
        client.expect("RSET", "250 ").await;
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
        client.expect("BDAT 3\r\na", "250 ").await;
        client.expect("QUIT", "221 ").await;
        stand.in_data().await.reset();
        // Left before it began, which is nothing to tell.
        stand.with_recipient().await.reset();
        drop(client);
        stand.is_empty().await;
    });
    assert_eq!(of(&lines, "message.accepted").len(), 1, "{lines:#?}");
    let refused = of(&lines, "message.refused");
    assert_eq!(refused.len(), 3, "{lines:#?}");
    for (line, (situation, cause)) in refused.iter().zip([
        ("BareLineEnd", ""),
        ("LocalError", "EIO"),
        ("StorageShort", "no room"),
    ]) {
        assert!(line.contains(&format!("situation={situation}")), "{line}");
        assert!(line.contains(cause), "{line}");
    }
    assert_eq!(of(&lines, "message.abandoned").len(), 3, "{lines:#?}");
    assert_eq!(of(&lines, "spool.trouble").len(), 2, "{lines:#?}");
    // Whatever is told of a message has its name.
    let of_messages = lines.iter().filter(|line| line.starts_with("message."));
    for line in of_messages.chain(lines.iter().filter(|line| line.starts_with("spool."))) {
        assert!(line.contains(" queue_id="), "{line}");
    }
    assert!(of(&lines, "conversation.fault").is_empty(), "{lines:#?}");
}

#[test]
fn who_is_turned_away_is_told() {
    let lines = told(async {
        let mut plan = Plan::new();
        plan.limits.connections = ConnectionLimits {
            total: 0,
            per_address: 9,
            per_network: 9,
        };
        let stand = plan.start();
        let mut client = Client::connect(stand.address).await;
        assert!(client.rest().await.starts_with("421 "));
        stand.is_empty().await;
    });
    let [refused] = of(&lines, "connection.refused")[..] else {
        panic!("{lines:#?}");
    };
    assert!(refused.contains("reason=LimitReached"), "{refused}");
}
