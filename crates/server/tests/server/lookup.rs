//! VRFY and EXPN, where they are switched on.

use postroad_session::server::LookupRule;

use crate::stand::{Plan, mailbox, run};

#[test]
fn names_are_told_only_where_that_is_switched_on() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.connected().await;
        let listed = client.expect("EHLO client.example", "250-").await;
        assert!(
            !listed.contains("VRFY") && !listed.contains("EXPN"),
            "{listed}"
        );
        client.expect("VRFY ada@mx.example", "252 ").await;
        client.expect("EXPN both@mx.example", "252 ").await;

        let mut plan = Plan::new();
        plan.session.vrfy = LookupRule::Asked;
        plan.session.expn = LookupRule::Asked;
        plan.rules.inquiries.vrfy_for_all = true;
        plan.rules.inquiries.expn_for_all = true;
        let stand = plan.start();
        let mut client = stand.connected().await;
        let listed = client.expect("EHLO client.example", "250-").await;
        assert!(listed.contains("\n250-VRFY\n250-EXPN\n"), "{listed}");
        let verified = client.expect("VRFY <ada@mx.example>", "250 2.1.5 ").await;
        assert!(verified.contains("<ada@mx.example>"), "{verified}");
        client.expect("VRFY no@mx.example", "550 5.1.1 ").await;
        let expanded = client.expect("EXPN both@mx.example", "250-2.1.5 ").await;
        for address in ["<ada@mx.example>", "<bob@mx.example>"] {
            assert!(expanded.contains(address), "{expanded}");
        }
        client.expect("EXPN ada@mx.example", "550 ").await;
        // A name alone is that of a local mailbox, if it is of one only.
        let verified = client.expect("VRFY Ada", "250 2.1.5 ").await;
        assert!(verified.contains("<ada@mx.example>"), "{verified}");
        client.expect("VRFY nobody", "550 5.1.1 ").await;
        client.expect("EXPN both", "250-2.1.5 ").await;
        client.expect("EXPN nobody", "550 ").await;
        client.expect("VRFY Postmaster", "250 2.1.5 ").await;
        stand.mailboxes.add(&mailbox("bob@new.example"));
        client.expect("VRFY bob", "553-5.1.4 ").await;
        client.expect("VRFY bob@new.example", "250 2.1.5 ").await;
        stand.mailboxes.add(&mailbox("carl@new.example"));
        client.expect("VRFY carl", "250 2.1.5 ").await;
        // Nothing that is asked takes a place.
        client.expect("VRFY new@new.example", "252 ").await;
        assert_eq!(stand.mailboxes.len(), 2);
    });
}
