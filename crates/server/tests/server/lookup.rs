//! VRFY and EXPN, where they are switched on.

use postroad_session::server::LookupRule;

use crate::stand::{Plan, run};

#[test]
fn names_are_told_only_where_that_is_switched_on() {
    run(async {
        let stand = Plan::new().start();
        let mut client = stand.greeted().await;
        client.expect("VRFY ada@mx.example", "252 ").await;
        client.expect("EXPN both@mx.example", "252 ").await;

        let mut plan = Plan::new();
        plan.session.vrfy = LookupRule::Asked;
        plan.session.expn = LookupRule::Asked;
        let stand = plan.start();
        let mut client = stand.greeted().await;
        let verified = client.expect("VRFY <ada@mx.example>", "250 2.1.5 ").await;
        assert!(verified.contains("<ada@mx.example>"), "{verified}");
        client.expect("VRFY no@mx.example", "550 5.1.1 ").await;
        let expanded = client.expect("EXPN both@mx.example", "250-2.1.5 ").await;
        for address in ["<ada@mx.example>", "<bob@mx.example>"] {
            assert!(expanded.contains(address), "{expanded}");
        }
        client.expect("EXPN ada@mx.example", "550 ").await;
        // Nothing that is asked takes a place.
        client.expect("VRFY new@new.example", "250 ").await;
        assert!(stand.mailboxes.is_empty());
    });
}
