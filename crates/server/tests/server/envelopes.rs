//! The memory that envelopes take while their messages are received.

use std::net::Ipv4Addr;

use crate::client::Client;
use crate::stand::{Plan, Stand, run, until};
use postroad_directory::Mailboxes;
use postroad_store::MemoryStore;

/// A server with so much memory for envelopes, in octets.
fn with_memory(octets: usize) -> Stand<MemoryStore> {
    let mut plan = Plan::new();
    plan.envelope_budget = octets;
    plan.start()
}

/// What a command takes: the least memory that is enough for it, with what was said before it.
async fn takes(before: &[&str], command: &str) -> usize {
    let stand = with_memory(1 << 20);
    let mut client = stand.greeted().await;
    for command in before {
        client.expect(command, "250 ").await;
    }
    let free = stand.free_for_envelopes();
    client.expect(command, "250 ").await;
    free - stand.free_for_envelopes()
}

const MAIL: &str = "MAIL FROM:<me@client.example>";
const RCPT: &str = "RCPT TO:<ada@mx.example>";
const ORCPT: &str = "RCPT TO:<ada@mx.example> ORCPT=rfc822;ada+40elsewhere.example";

#[test]
fn mail_is_taken_as_far_as_there_is_memory_for_it() {
    run(async {
        let plain = takes(&[], MAIL).await;
        let with_name = takes(&[], &format!("{MAIL} ENVID=QQ314159")).await;
        assert_eq!(with_name, plain + "QQ314159".len());

        let stand = with_memory(plain);
        let mut client = stand.greeted().await;
        client
            .expect(&format!("{MAIL} ENVID=QQ314159"), "455 4.3.3 ")
            .await;
        // It opened no transaction, and holds nothing.
        client.expect(RCPT, "503 5.5.1 ").await;
        assert_eq!(stand.free_for_envelopes(), plain);
        client
            .expect(&format!("{MAIL} RET=HDRS"), "250 2.1.0 ")
            .await;
        assert_eq!(stand.free_for_envelopes(), 0);

        // There is none left for anyone, whatever the parameters.
        let mut other = stand.greeted().await;
        other.expect(MAIL, "452 4.3.1 ").await;
        other
            .expect(&format!("{MAIL} ENVID=QQ314159"), "452 4.3.1 ")
            .await;
        client.expect("RSET", "250 ").await;
        other.expect(MAIL, "250 2.1.0 ").await;
    });
}

#[test]
fn recipients_are_taken_as_far_as_there_is_memory_for_them() {
    run(async {
        let mail = takes(&[], MAIL).await;
        let plain = takes(&[MAIL], RCPT).await;
        let with_original = takes(&[MAIL], ORCPT).await;
        let original = "rfc822ada@elsewhere.example".len();
        assert_eq!(with_original, plain + original);

        let stand = with_memory(mail + 2 * plain);
        let mut client = stand.greeted().await;
        client.expect(MAIL, "250 ").await;
        client.expect("RCPT TO:<bob@mx.example>", "250 ").await;
        client.expect(ORCPT, "455 4.3.3 ").await;
        let notify = format!("{RCPT} NOTIFY=NEVER");
        client.expect(&notify, "250 2.1.5 ").await;
        assert_eq!(stand.free_for_envelopes(), 0);
        client
            .expect("RCPT TO:<one@new.example>", "452 4.3.1 ")
            .await;
        // Its place is free again.
        assert!(stand.mailboxes.is_empty());
        // Those that were accepted stay so, and the message can follow (RFC 5321 4.5.3.1.10).
        client.expect("DATA", "354 ").await;
        client.expect("x\r\n.", "250 ").await;
        assert_eq!(stand.queued().await[0].envelope.recipients.len(), 2);
        // What is in the queue takes nothing of it.
        assert_eq!(stand.free_for_envelopes(), mail + 2 * plain);
    });
}

#[test]
fn who_is_named_again_takes_no_memory_again() {
    run(async {
        let stand = with_memory(1 << 20);
        let mut client = stand.greeted().await;
        client.expect(MAIL, "250 ").await;
        client.expect("RCPT TO:<both@mx.example>", "250 ").await;
        client.expect("RCPT TO:<one@new.example>", "250 ").await;
        let free = stand.free_for_envelopes();
        for again in [
            ORCPT,
            "RCPT TO:<both@mx.example>",
            "RCPT TO:<ONE@new.example>",
        ] {
            client.expect(again, "250 2.1.5 ").await;
        }
        assert_eq!(stand.free_for_envelopes(), free);
        client.expect("DATA", "354 ").await;
        client.expect("x\r\n.", "250 ").await;
        assert!(stand.mailboxes.len() == 1, "the first RCPT kept its place");
    });
}

#[test]
fn an_alias_takes_what_each_of_its_mailboxes_takes() {
    run(async {
        let one = takes(&[MAIL], RCPT).await;
        let both = takes(&[MAIL], "RCPT TO:<both@mx.example>").await;
        assert_eq!(both, 2 * (one + "both".len() - "ada".len()));
        let original = "rfc822x".len();
        let with_original = takes(&[MAIL], "RCPT TO:<both@mx.example> ORCPT=rfc822;x").await;
        assert_eq!(with_original, both + 2 * original);
    });
}

#[test]
fn a_mailbox_that_has_to_be_made_takes_its_place_too() {
    run(async {
        let made = takes(&[MAIL], "RCPT TO:<ada@new.example>").await;
        let there = takes(&[MAIL], RCPT).await;
        assert!(made > there + 2 * "ada@new.example".len(), "{made} {there}");
    });
}

#[test]
fn however_a_transaction_ends_its_memory_is_free_again() {
    run(async {
        const ALL: usize = 100_000;
        let stand = with_memory(ALL);
        let is_free = || stand.free_for_envelopes() == ALL;
        let mut client = stand.greeted().await;
        for end in ["RSET", "EHLO again.example"] {
            client.expect(MAIL, "250 ").await;
            client.expect(RCPT, "250 ").await;
            assert!(!is_free());
            client.expect(end, "250").await;
            assert!(is_free(), "{end}");
        }
        for (data, reply) in [("x\r\n.", "250 "), ("bare\nLF\r\n.", "554 ")] {
            client.expect(MAIL, "250 ").await;
            client.expect(RCPT, "250 ").await;
            client.expect("DATA", "354 ").await;
            assert!(!is_free());
            client.expect(data, reply).await;
            assert!(is_free(), "{reply}");
        }
        client.expect(MAIL, "250 ").await;
        client.expect("QUIT", "221 ").await;
        client.ends().await;
        until("it is free after QUIT", is_free).await;
        stand.in_data().await.reset();
        until("it is free after a reset", is_free).await;
    });
}

#[test]
fn who_takes_all_the_memory_it_can_leaves_others_theirs() {
    run(async {
        let mut plan = Plan::new();
        plan.envelope_budget = 1 << 20;
        plan.mailboxes = Mailboxes::new(10_000, []);
        let stand = plan.start();
        let mut greedy = stand.greeted().await;
        greedy.expect(MAIL, "250 ").await;
        let mut accepted = 0;
        while greedy
            .say(&format!("RCPT TO:<box{accepted}@new.example>"))
            .await
            .starts_with("250 ")
        {
            accepted += 1;
        }
        assert!(accepted >= 100);
        // Nor does it get more over another connection.
        let mut again = stand.greeted().await;
        again.expect(MAIL, "452 4.3.1 ").await;

        let from = Ipv4Addr::new(127, 1, 0, 1);
        let mut other = Client::connect_from(from, stand.address).await;
        other.reply().await;
        other.expect("EHLO other.example", "250-").await;
        other.expect(MAIL, "250 ").await;
        for n in 0..100 {
            let rcpt = format!("RCPT TO:<other{n}@new.example>");
            other.expect(&rcpt, "250 2.1.5 ").await;
        }
        other.expect("DATA", "354 ").await;
        other.expect("x\r\n.", "250 ").await;
    });
}
