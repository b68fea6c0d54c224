//! Opens the sockets that clients connect to, and says which `[[listener]]` each of them follows, and what its
//! sessions may do.

use std::io;
use std::net::SocketAddr;

use postroad_config::{self as config, settings};
use postroad_host::net::Listener;
use postroad_session::server::{Historic, Quirk, Roles, Settings};
use postroad_wire::peer::Protocol;

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

/// What a session of this listener may do, given what all may.
pub(crate) fn session(listener: &settings::Listener, of_all: Settings) -> Settings {
    let quirks = listener.historic.iter().map(|quirk| quirk_of(*quirk));
    let historic = Historic::of(quirks);
    let session = Settings {
        protocol: match listener.protocol {
            config::Protocol::Smtp => Protocol::Smtp,
            config::Protocol::Lmtp => Protocol::Lmtp,
        },
        accepts_mail: listener.accepts_mail,
        roles: Roles {
            turn: historic.has(Quirk::Turn),
            ..of_all.roles
        },
        historic,
        ..of_all
    };
    match listener.strict_classic {
        true => session.strictly_classic(),
        false => session,
    }
}

fn quirk_of(quirk: config::Quirk) -> Quirk {
    match quirk {
        config::Quirk::Send => Quirk::Send,
        config::Quirk::Soml => Quirk::Soml,
        config::Quirk::Saml => Quirk::Saml,
        config::Quirk::Turn => Quirk::Turn,
        config::Quirk::Rset200 => Quirk::Rset200,
        config::Quirk::Rset504 => Quirk::Rset504,
        config::Quirk::Noop200 => Quirk::Noop200,
        config::Quirk::Vrfy502 => Quirk::Vrfy502,
        config::Quirk::Rcpt521 => Quirk::Rcpt521,
        config::Quirk::Ehlo500 => Quirk::Ehlo500,
        config::Quirk::Ehlo502 => Quirk::Ehlo502,
        config::Quirk::Ehlo550 => Quirk::Ehlo550,
        config::Quirk::Late521 => Quirk::Late521,
    }
}

/// The sockets handed over by systemd, or else those of the configuration. The error is for people.
pub(crate) fn open(configured: &[settings::Listener]) -> Result<Vec<Open>, String> {
    let mut handed = listenfd::ListenFd::from_env();
    if handed.len() == 0 {
        return configured.iter().enumerate().map(bind).collect();
    }
    let sockets = (0..handed.len()).filter_map(|n| handed.take_tcp_listener(n).transpose());
    let listeners = sockets.map(|socket| socket.and_then(Listener::from_std));
    let taken = listeners.map(|listener| take_over(listener.map_err(unusable)?, configured));
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

fn take_over(listener: Listener, configured: &[settings::Listener]) -> Result<Open, String> {
    let address = listener.local_address().map_err(unusable)?;
    let addresses: Vec<_> = configured.iter().map(|listener| listener.address).collect();
    let place = followed(address, &addresses).ok_or_else(|| {
        format!(
            "no [[listener]] says what the socket at {address} is for, which was handed over; \
             add one with this address"
        )
    })?;
    // The check of the configuration has seen another address.
    if configured[place].is_historic_in_public(address.ip()) {
        return Err(format!(
            "the socket at {address}, which was handed over, would show the historic mode of its \
             [[listener]] to everybody; confirm that with historic_in_public = true"
        ));
    }
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
