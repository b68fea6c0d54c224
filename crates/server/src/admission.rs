//! Counts connections: in all, from each address, from each network.
//!
//! Whether a count is too high is `policy`'s to say; here is only the counting, exact under
//! concurrency because a connection is counted before it is judged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use postroad_policy::Connections;

/// An IPv4 site is seldom handed less than this.
const NETWORK_V4: u8 = 24;
/// An IPv6 site is seldom handed less than this, and can use any address in it.
const NETWORK_V6: u8 = 56;

/// The connections that are open now. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admission {
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: BTreeMap<IpAddr, usize>,
    by_network: BTreeMap<IpNet, usize>,
}

/// One counted connection; dropped, it is counted no more.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Admission,
    address: IpAddr,
    /// How many are open with this one.
    pub(crate) open: Connections,
}

impl Admission {
    /// Counts one more connection.
    pub(crate) fn enter(&self, address: IpAddr) -> Permit {
        let address = address.to_canonical();
        let mut counts = self.lock();
        counts.total += 1;
        let of_address = counts.by_address.entry(address).or_default();
        *of_address += 1;
        let of_address = *of_address;
        let of_network = counts.by_network.entry(network(address)).or_default();
        *of_network += 1;
        let open = Connections {
            of_address,
            of_network: *of_network,
            total: counts.total,
        };
        drop(counts);
        Permit {
            admission: self.clone(),
            address,
            open,
        }
    }

    /// How many are open in all.
    pub(crate) fn total(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        // Nothing between lock and unlock panics, and counts are whole after each line anyway.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.total -= 1;
        leave(&mut counts.by_address, self.address);
        leave(&mut counts.by_network, network(self.address));
    }
}

/// Takes one away; a key without connections is forgotten, so that strangers leave nothing behind.
fn leave<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// Whose addresses are counted together with this one.
pub(crate) fn network(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new_assert(v4, NETWORK_V4).trunc()),
        IpAddr::V6(v6) => IpNet::V6(Ipv6Net::new_assert(v6, NETWORK_V6).trunc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address in a test")
    }

    #[test]
    fn neighbours_count_together_and_strangers_apart() {
        let admission = Admission::default();
        let _one = admission.enter(address("192.0.2.1"));
        let two = admission.enter(address("192.0.2.200"));
        assert_eq!(
            two.open,
            Connections {
                total: 2,
                of_address: 1,
                of_network: 2
            }
        );
        let three = admission.enter(address("198.51.100.1"));
        assert_eq!(
            three.open,
            Connections {
                total: 3,
                of_address: 1,
                of_network: 1
            }
        );
        let four = admission.enter(address("2001:db8:0:1::1"));
        let five = admission.enter(address("2001:db8:0:ff::2"));
        assert_eq!((four.open.of_network, five.open.of_network), (1, 2));
    }

    #[test]
    fn a_mapped_address_is_the_address_it_maps() {
        let admission = Admission::default();
        let _plain = admission.enter(address("192.0.2.1"));
        let mapped = admission.enter(address("::ffff:192.0.2.1"));
        assert_eq!(mapped.open.of_address, 2);
    }

    #[test]
    fn nothing_is_left_of_connections_that_are_gone() {
        let admission = Admission::default();
        for last in 0..100 {
            drop(admission.enter(IpAddr::from([192, 0, 2, last])));
        }
        let counts = admission.lock();
        assert_eq!(
            (
                counts.total,
                counts.by_address.len(),
                counts.by_network.len()
            ),
            (0, 0, 0)
        );
    }
}
