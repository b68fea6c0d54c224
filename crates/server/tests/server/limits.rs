//! How many connections there may be.

use std::net::Ipv4Addr;
use std::time::Duration;

use postroad_policy::ConnectionLimits;
use postroad_store::MemoryStore;
use tokio::time::Instant;

use crate::client::Client;
use crate::stand::{Plan, Stand, run, until};

const NEAR: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SAME_NETWORK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const FAR: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

fn limited(total: usize, per_address: usize, per_network: usize) -> Plan<MemoryStore> {
    let mut plan = Plan::new();
    plan.limits.connections = ConnectionLimits {
        total,
        per_address,
        per_network,
    };
    plan
}

async fn enters(stand: &Stand<MemoryStore>, from: Ipv4Addr) -> Client {
    let mut client = Client::connect_from(from, stand.address).await;
    let greeting = client.reply().await;
    assert!(greeting.starts_with("220 "), "{greeting}");
    client
}

async fn is_refused(stand: &Stand<MemoryStore>, from: Ipv4Addr, why: &str) {
    let open = stand.server.remaining().connections;
    let mut client = Client::connect_from(from, stand.address).await;
    let greeting = client.reply().await;
    assert!(greeting.starts_with("421 mx.example "), "{greeting}");
    assert!(greeting.contains(why), "{greeting}");
    client.ends().await;
    // It counts no more, and at once, though it doesn't close its side.
    let ended = Instant::now();
    until("the refused connection is forgotten", || {
        stand.server.remaining().connections == open
    })
    .await;
    assert!(ended.elapsed() < Duration::from_secs(1));
}

#[test]
fn connections_in_all_are_limited() {
    run(async {
        let stand = limited(2, 9, 9).start();
        let one = enters(&stand, NEAR).await;
        let mut two = enters(&stand, FAR).await;
        for from in [NEAR, SAME_NETWORK, FAR] {
            is_refused(&stand, from, "Too many connections,").await;
        }
        drop(one);
        until("one has gone", || stand.server.remaining().connections == 1).await;
        let _three = enters(&stand, FAR).await;
        two.expect("EHLO client.example", "250-").await;
    });
}

#[test]
fn connections_of_one_address_are_limited() {
    run(async {
        let stand = limited(9, 2, 9).start();
        let _one = enters(&stand, NEAR).await;
        let mut two = enters(&stand, NEAR).await;
        is_refused(&stand, NEAR, "from your address").await;
        let _other = enters(&stand, SAME_NETWORK).await;
        two.expect("QUIT", "221 ").await;
        two.ends().await;
        drop(two);
        until("one has gone", || stand.server.remaining().connections == 2).await;
        let _three = enters(&stand, NEAR).await;
    });
}

#[test]
fn connections_of_one_network_are_limited() {
    run(async {
        let stand = limited(9, 9, 2).start();
        let _one = enters(&stand, NEAR).await;
        let _two = enters(&stand, SAME_NETWORK).await;
        is_refused(&stand, NEAR, "from your network").await;
        is_refused(&stand, SAME_NETWORK, "from your network").await;
        let _far = enters(&stand, FAR).await;
    });
}

#[test]
fn a_flood_of_connections_over_the_limit_takes_nothing_from_who_is_served() {
    run(async {
        let stand = limited(1000, 3, 1000).start();
        let mut served = enters(&stand, NEAR).await;
        let mut held = Vec::new();
        for _ in 0..300 {
            held.push(Client::connect_from(NEAR, stand.address).await);
        }
        for client in &mut held[2..] {
            assert!(client.reply().await.starts_with("421 "));
        }
        until("only the first are open", || {
            stand.server.remaining().connections == 3
        })
        .await;
        served.expect("EHLO client.example", "250-").await;
        let _other = enters(&stand, FAR).await;
    });
}
