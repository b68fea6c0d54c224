//! Who is taken as a recipient, and what becomes of the places of new mailboxes.

use postroad_directory::{Directory, LocalDomain, MAX_TARGETS, Quotas, RouteFor, Routes};
use postroad_host::clock::{Clock, RealClock};

use crate::client::Client;
use crate::stand::{Plan, domain, local, mailbox, run};

#[test]
fn each_mailbox_gets_a_message_once_by_the_rcpt_that_named_it_first() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        client.expect("MAIL FROM:<>", "250 ").await;
        for address in ["both@mx.example", "ADA+x@mx.example", "bob@mx.example"] {
            let rcpt = format!("RCPT TO:<{address}>");
            client.expect(&rcpt, "250 2.1.5 ").await;
            client.expect(&rcpt, "250 2.1.5 ").await;
        }
        client.expect("DATA", "354 ").await;
        client.expect("x\r\n.", "250 ").await;
        let queued = stand.queued().await;
        let recipients = queued[0].envelope.recipients.iter();
        let mut named: Vec<_> = recipients
            .map(|recipient| (recipient.target.to_string(), recipient.origin.to_string()))
            .collect();
        named.sort();
        let both = "both@mx.example".to_owned();
        let expected = [
            ("ada@mx.example".to_owned(), both.clone()),
            ("bob@mx.example".to_owned(), both),
        ];
        assert_eq!(named, expected);
        // With two recipients, the trace names none of them (RFC 5321 7.2).
        let trace = String::from_utf8_lossy(&queued[0].envelope.trace).into_owned();
        assert!(!trace.contains("for <"), "{trace}");
    });
}

#[test]
fn recipients_get_the_replies_of_their_row() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        client
            .expect("RCPT TO:<ada@mx.example>", "503 5.5.1 ")
            .await;
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect("RCPT TO:<no@mx.example>", "550 5.1.1 ").await;
        client.expect("DATA", "554 5.5.1 ").await;
        client
            .expect("RCPT TO:<x@elsewhere.example>", "550 5.7.1 ")
            .await;
        client.expect("RCPT TO:<x@[192.0.2.1]>", "550 5.7.1 ").await;
        client
            .expect("RCPT TO:<nowhere@mx.example>", "451 4.3.5 ")
            .await;
        client
            .expect("RCPT TO:<j\u{f6}rg@mx.example>", "553 5.6.7 ")
            .await;
        client.expect("RCPT TO:ada@mx.example", "501 5.1.3 ").await;
        client.expect("RCPT TO:<>", "501 5.1.3 ").await;
        client
            .expect("RCPT TO:<ada@mx.example> SPEED=1", "555 5.5.4 ")
            .await;
        client
            .expect("RCPT TO:<@relay.example:ada@mx.example>", "250 2.1.5 ")
            .await;
        client.expect("DATA", "354 ").await;
        client.expect("x\r\n.", "250 ").await;
        let queued = stand.queued().await;
        let target = &queued[0].envelope.recipients[0].target;
        assert_eq!(*target, mailbox("ada@mx.example"), "the route is dropped");
    });
}

#[test]
fn a_recipient_is_put_off_while_none_of_its_mailboxes_takes_mail() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        client.expect("MAIL FROM:<>", "250 ").await;
        let failed = |name| stand.mailboxes.failed(&mailbox(name), RealClock.mono());
        failed("ada@mx.example");
        failed("new@new.example");
        client
            .expect("RCPT TO:<ADA+x@mx.example>", "450 4.2.1 ")
            .await;
        client
            .expect("RCPT TO:<both@mx.example>", "250 2.1.5 ")
            .await;
        client.expect("RSET", "250 ").await;
        client.expect("MAIL FROM:<>", "250 ").await;
        failed("bob@mx.example");
        client
            .expect("RCPT TO:<both@mx.example>", "450 4.2.1 ")
            .await;
        client
            .expect("RCPT TO:<new@new.example>", "450 4.2.1 ")
            .await;
        // It took no place: there are two, for two others.
        client
            .expect("RCPT TO:<one@new.example>", "250 2.1.5 ")
            .await;
        client
            .expect("RCPT TO:<two@new.example>", "250 2.1.5 ")
            .await;
        stand.mailboxes.delivered(&mailbox("ada@mx.example"), None);
        client
            .expect("RCPT TO:<both@mx.example>", "250 2.1.5 ")
            .await;
        client
            .expect("RCPT TO:<bob@mx.example>", "450 4.2.1 ")
            .await;
        client.expect("QUIT", "221 ").await;
    });
}

#[test]
fn places_of_new_mailboxes_are_freed_on_abort_and_kept_on_acceptance() {
    run(async {
        // There is room for two.
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        for end in ["RSET", "EHLO again.example"] {
            client.expect("MAIL FROM:<>", "250 ").await;
            client.expect("RCPT TO:<one@new.example>", "250 ").await;
            client.expect("RCPT TO:<two@new.example>", "250 ").await;
            client
                .expect("RCPT TO:<three@new.example>", "452 4.3.1 ")
                .await;
            client.expect(end, "250").await;
        }
        assert!(stand.mailboxes.is_empty());
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect("RCPT TO:<one@new.example>", "250 ").await;
        client.expect("DATA", "354 ").await;
        client.expect("x\r\n.", "250 ").await;
        assert!(stand.mailboxes.contains(&mailbox("one@new.example")));

        // One place is left, and two clients want it.
        let mut other = stand.greeted().await;
        other.expect("MAIL FROM:<>", "250 ").await;
        other.expect("RCPT TO:<two@new.example>", "250 ").await;
        client.expect("MAIL FROM:<>", "250 ").await;
        client
            .expect("RCPT TO:<three@new.example>", "452 4.3.1 ")
            .await;
        client.expect("RCPT TO:<one@new.example>", "250 ").await;
        other.expect("QUIT", "221 ").await;
        other.ends().await;
        client.expect("RCPT TO:<three@new.example>", "250 ").await;
        // A message that is refused at its end frees them, too.
        client.expect("DATA", "354 ").await;
        client.expect("bare\nLF\r\n.", "554 5.6.0 ").await;
        assert_eq!(stand.mailboxes.len(), 1);
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect("RCPT TO:<four@new.example>", "250 ").await;
    });
}

#[test]
fn too_many_recipients_are_for_another_transaction() {
    run(async {
        let mut plan = Plan::new();
        plan.session.limits.recipients = 100;
        let stand = plan.start();
        let mut client = stand.greeted().await;
        client.expect("MAIL FROM:<>", "250 ").await;
        let run: String = (0..101)
            .map(|n| format!("RCPT TO:<ada+{n}@mx.example>\r\n"))
            .collect();
        client.send(run.as_bytes()).await;
        for n in 0..101 {
            let reply = client.reply().await;
            let beginning = if n < 100 { "250 2.1.5 " } else { "452 4.5.3 " };
            assert!(reply.starts_with(beginning), "{n}: {reply}");
        }
    });
}

#[test]
fn who_tries_out_names_is_disconnected() {
    run(async {
        let mut plan = Plan::new();
        plan.session.limits.refused_recipients = 5;
        let stand = plan.start();
        let mut client = stand.greeted().await;
        client.expect("MAIL FROM:<>", "250 ").await;
        for n in 0..5 {
            client
                .expect(&format!("RCPT TO:<guess{n}@mx.example>"), "550 ")
                .await;
        }
        client
            .expect("RCPT TO:<guess@mx.example>", "421 4.7.0 ")
            .await;
        client.ends().await;
        stand.still_serves().await;
    });
}

#[test]
fn a_transaction_has_so_many_mailboxes_at_most_but_those_of_a_hundred_recipients_always() {
    run(async {
        let list = |n| (0..MAX_TARGETS).map(move |m| format!("m{n}x{m}"));
        let lists = LocalDomain {
            name: domain("lists.example"),
            mailboxes: (0..101).flat_map(list).map(|name| local(&name)).collect(),
            aliases: (0..101)
                .map(|n| {
                    let targets = list(n).map(|name| mailbox(&format!("{name}@lists.example")));
                    (local(&format!("list{n}")), targets.collect())
                })
                .collect(),
            create_mailboxes: false,
            recipient_delimiter: None,
            moved: Vec::new(),
            quotas: Quotas::default(),
        };
        let mut plan = Plan::new();
        plan.directory = Directory::new(vec![lists], None, Routes::default()).0;
        let stand = plan.start();
        let mut client = stand.greeted().await;
        client.expect("MAIL FROM:<>", "250 ").await;
        for n in 0..100 {
            let rcpt = format!("RCPT TO:<list{n}@lists.example>");
            client.expect(&rcpt, "250 2.1.5 ").await;
        }
        let rcpt = "RCPT TO:<list100@lists.example>";
        let refused = client.expect(rcpt, "452 4.3.1 ").await;
        assert!(refused.contains("in another"), "{refused}");
        client.expect("DATA", "354 ").await;
        client.expect("x\r\n.", "250 ").await;
        let queued = stand.queued().await;
        assert_eq!(queued[0].envelope.recipients.len(), 100 * MAX_TARGETS);
        client.expect("MAIL FROM:<>", "250 ").await;
        client.expect(rcpt, "250 2.1.5 ").await;
    });
}

#[test]
fn a_long_pipeline_never_stands_still() {
    run(async {
        let stand = Plan::new().start();
        // Somewhere in here the replies are as many as are held back at once, just when a command
        // behind the recipients has been read.
        for recipients in 330..=390 {
            let mut client = stand.greeted().await;
            let run = "RCPT TO:<ada@mx.example>\r\n".repeat(recipients);
            client
                .send(format!("MAIL FROM:<>\r\n{run}DATA\r\n").as_bytes())
                .await;
            for _ in 0..=recipients {
                client.reply().await;
            }
            assert!(client.reply().await.starts_with("354 "), "{recipients}");
        }
    });
}

#[test]
fn mail_for_other_servers_is_taken_from_trusted_networks_where_a_route_leads() {
    run(async {
        let mut routes = Routes::default();
        let next_hop = "smtp://relay.example"
            .parse::<postroad_wire::peer::Peer>()
            .unwrap();
        let elsewhere = RouteFor::Domain(domain("elsewhere.example"));
        assert_eq!(routes.add(&elsewhere, next_hop), Ok(()));
        let mut plan = Plan::new();
        plan.directory = Directory::new(Vec::new(), None, routes).0;
        plan.trusted_networks = vec!["127.0.0.1/32".parse().unwrap()];
        let stand = plan.start();
        let mut client = stand.greeted().await;
        client.expect("MAIL FROM:<>", "250 ").await;
        client
            .expect("RCPT TO:<Bob@Elsewhere.example>", "250 2.1.5 ")
            .await;
        let refused = client
            .expect("RCPT TO:<bob@nowhere.example>", "550 5.7.1 ")
            .await;
        assert!(refused.contains("No route"), "{refused}");
        client.expect("DATA", "354 ").await;
        client.expect("x\r\n.", "250 ").await;
        let queued = stand.queued().await;
        assert_eq!(
            queued[0].envelope.recipients[0].target,
            mailbox("Bob@Elsewhere.example")
        );

        let mut stranger = Client::connect_from([127, 0, 0, 2], stand.address).await;
        stranger.reply().await;
        stranger.say("EHLO stranger.example").await;
        stranger.expect("MAIL FROM:<>", "250 ").await;
        stranger
            .expect("RCPT TO:<bob@elsewhere.example>", "550 5.7.1 ")
            .await;
    });
}
