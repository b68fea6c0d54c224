//! A store in trouble: what each step answers, and that nothing refused is ever kept.

use postroad_store::{MemoryStore, Pressure, Trouble};

use crate::client::Client;
use crate::faulty::{Faulty, Step};
use crate::stand::{Plan, Stand, run};

fn troubles() -> [Trouble; 3] {
    [
        Trouble::Full,
        Trouble::Failed("EIO".to_owned()),
        Trouble::ReadOnly,
    ]
}

/// What the end of the data gets.
fn at_end(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Full => "452 4.3.1 ",
        _ => "451 4.3.0 ",
    }
}

async fn is_clean(stand: &Stand<Faulty>, client: &mut Client) {
    assert!(stand.queued().await.is_empty());
    assert_eq!(stand.free_budget(), Plan::new().body_budget);
    assert!(stand.mailboxes.is_empty());
    // The session goes on, and the place that the refused message would have made is free.
    stand.store.heal();
    client.expect("MAIL FROM:<>", "250 ").await;
    client.expect("RCPT TO:<one@new.example>", "250 ").await;
    client.expect("RCPT TO:<two@new.example>", "250 ").await;
    client.expect("QUIT", "221 ").await;
    client.ends().await;
}

async fn with_new_mailbox(stand: &Stand<Faulty>) -> Client {
    let mut client = stand.with_recipient().await;
    client.expect("RCPT TO:<one@new.example>", "250 ").await;
    client
}

#[test]
fn trouble_at_any_step_of_data_is_said_and_leaves_nothing() {
    run(async {
        for trouble in troubles() {
            let stand = Plan::with_store(Faulty::new()).start();
            let mut client = with_new_mailbox(&stand).await;
            stand.store.fail(Step::Stage, trouble.clone());
            // DATA's row has no 452.
            client.expect("DATA", "451 4.3.0 ").await;
            is_clean(&stand, &mut client).await;

            for step in [Step::Append, Step::Commit] {
                let stand = Plan::with_store(Faulty::new()).start();
                let mut client = with_new_mailbox(&stand).await;
                client.expect("DATA", "354 ").await;
                client.send(b"one line\r\n").await;
                stand.store.fail(step, trouble.clone());
                client.send(b"QUIT\r\nanother\r\n").await;
                client.expect("the last\r\n.", at_end(&trouble)).await;
                is_clean(&stand, &mut client).await;
            }
        }
    });
}

#[test]
fn trouble_at_any_step_of_chunks_is_said_and_leaves_nothing() {
    run(async {
        for trouble in troubles() {
            let stand = Plan::with_store(Faulty::new()).start();
            let mut client = with_new_mailbox(&stand).await;
            stand.store.fail(Step::Stage, trouble.clone());
            // The octets are read whatever the reply (RFC 3030 2).
            client.expect("BDAT 6\r\nQUIT", "451 4.3.0 ").await;
            client.expect("BDAT 6 LAST\r\nQUIT", "503 ").await;
            client.expect("RSET", "250 ").await;
            is_clean(&stand, &mut client).await;

            let stand = Plan::with_store(Faulty::new()).start();
            let mut client = with_new_mailbox(&stand).await;
            client.expect("BDAT 5\r\nabc", "250 ").await;
            stand.store.fail(Step::Append, trouble.clone());
            client.expect("BDAT 5\r\nabc", at_end(&trouble)).await;
            client.expect("BDAT 5 LAST\r\nabc", "503 ").await;
            client.expect("RSET", "250 ").await;
            is_clean(&stand, &mut client).await;

            let stand = Plan::with_store(Faulty::new()).start();
            let mut client = with_new_mailbox(&stand).await;
            client.expect("BDAT 5\r\nabc", "250 ").await;
            stand.store.fail(Step::Commit, trouble.clone());
            client.expect("BDAT 5 LAST\r\nabc", at_end(&trouble)).await;
            is_clean(&stand, &mut client).await;
        }
    });
}

#[test]
fn pressure_is_said_at_the_greeting_and_at_mail() {
    run(async {
        for (pressure, at_mail) in [
            (Pressure::Full, "452 4.3.1 "),
            (Pressure::ReadOnly, "451 4.3.0 "),
        ] {
            let store = MemoryStore::new();
            let stand = Plan::with_store(store.clone()).start();
            let mut before = stand.greeted().await;
            let mut begun = stand.in_data().await;
            store.set_pressure(pressure);
            let mut refused = Client::connect(stand.address).await;
            let greeting = refused.reply().await;
            assert!(greeting.starts_with("421 mx.example "), "{greeting}");
            refused.ends().await;
            before.expect("MAIL FROM:<>", at_mail).await;
            before.expect("RCPT TO:<ada@mx.example>", "503 ").await;
            begun.expect("end\r\n.", at_mail).await;
            store.set_pressure(Pressure::None);
            assert!(stand.queued().await.is_empty());
            before.expect("MAIL FROM:<>", "250 ").await;
            stand.still_serves().await;
        }
    });
}

#[test]
fn a_store_that_is_in_trouble_since_mail_says_so_at_rcpt() {
    run(async {
        for (pressure, at_rcpt) in [
            (Pressure::Full, "452 4.3.1 "),
            (Pressure::ReadOnly, "451 4.3.0 "),
        ] {
            let store = MemoryStore::new();
            let stand = Plan::with_store(store.clone()).start();
            let mut client = stand.greeted().await;
            client.expect("MAIL FROM:<>", "250 ").await;
            store.set_pressure(pressure);
            client.expect("RCPT TO:<one@new.example>", at_rcpt).await;
            // Who would be refused for good hears that, and need not try again.
            client.expect("RCPT TO:<no@mx.example>", "550 5.1.1 ").await;
            client.expect("DATA", "554 5.5.1 ").await;
            store.set_pressure(Pressure::None);
            // Nobody has joined the transaction, which goes on.
            client.expect("RCPT TO:<ada@mx.example>", "250 ").await;
            client.expect("DATA", "354 ").await;
            client.expect("x\r\n.", "250 ").await;
            assert_eq!(stand.queued().await[0].envelope.recipients.len(), 1);
            assert!(stand.mailboxes.is_empty());
        }
    });
}
