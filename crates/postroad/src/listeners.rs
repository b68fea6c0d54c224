//! Opens the sockets that clients connect to, and says which `[[listener]]` each of them follows.

use std::io;
use std::net::SocketAddr;

use postroad_config::settings;
use postroad_host::net::Listener;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// An open socket.
pub(crate) struct Open {
    /// Which `[[listener]]` it follows, counted from 0.
    pub(crate) place: usize,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The socket.
    pub(crate) listener: Listener,
}

/// The sockets handed over by systemd, or else those of the configuration. The error is for people.
pub(crate) fn open(configured: &[settings::Listener]) -> Result<Vec<Open>, String> {
    let mut handed = listenfd::ListenFd::from_env();
    if handed.len() == 0 {
        return configured.iter().enumerate().map(bind).collect();
    }
    let configured: Vec<_> = configured.iter().map(|listener| listener.address).collect();
    let sockets = (0..handed.len()).filter_map(|n| handed.take_tcp_listener(n).transpose());
    let listeners = sockets.map(|socket| socket.and_then(Listener::from_std));
    let taken = listeners.map(|listener| take_over(listener.map_err(unusable)?, &configured));
    taken.collect()
}

fn bind((place, at): (usize, &settings::Listener)) -> Result<Open, String> {
    let listener =
        Listener::bind(at.address, BACKLOG).map_err(|error| cannot_listen(at.address, &error))?;
    let address = listener
        .local_address()
        .map_err(|error| error.to_string())?;
    Ok(Open {
        place,
        address,
        listener,
    })
}

fn take_over(listener: Listener, configured: &[SocketAddr]) -> Result<Open, String> {
    let address = listener.local_address().map_err(unusable)?;
    let place = followed(address, configured).ok_or_else(|| {
        format!(
            "no [[listener]] says what the socket at {address} is for, which was handed over; \
             add one with this address"
        )
    })?;
    Ok(Open {
        place,
        address,
        listener,
    })
}

fn unusable(error: io::Error) -> String {
    format!("a socket that was handed over can't be used: {error}")
}

/// Which `[[listener]]` a socket follows that was handed over: the one with its address, else with its
/// port, else the only one.
fn followed(address: SocketAddr, configured: &[SocketAddr]) -> Option<usize> {
    let same = configured.iter().position(|at| *at == address);
    let same_port = || configured.iter().position(|at| at.port() == address.port());
    let only = || (configured.len() == 1).then_some(0);
    same.or_else(same_port).or_else(only)
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another server is there: end it, or set another listener.address"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root with `user` set, CAP_NET_BIND_SERVICE, or socket activation"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    };
    format!("can't listen on {address}: {error}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_was_handed_over_follows_the_listener_it_fits() {
        let at = |address: &str| address.parse::<SocketAddr>().expect("an address");
        let (mx, submission) = (at("0.0.0.0:25"), at("192.0.2.1:465"));
        let both = [mx, submission];
        assert_eq!(followed(submission, &both), Some(1));
        assert_eq!(followed(at("[::]:465"), &both), Some(1));
        assert_eq!(followed(at("192.0.2.1:25"), &both), Some(0));
        assert_eq!(followed(at("[::]:587"), &both), None);
        assert_eq!(followed(at("[::]:587"), &[mx]), Some(0));
    }
}
