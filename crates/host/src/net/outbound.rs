//! Connections made from here: name look-up, and TCP from an address of ours.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

use super::send_at_once;
use crate::tasks::{TimedOut, timeout};

/// What carries octets both ways: a socket, something around one, or a simulation of one.
pub trait Transport: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> Transport for T {}

/// A connection, whatever carries it.
pub type Connection = Box<dyn Transport>;

/// The addresses of `name`, each once, in the system resolver's order, which is the order to try them
/// in (RFC 5321 5.1).
///
/// The resolver waits on a thread of its own, which goes on until it has an answer even when the time
/// is over or the future is dropped.
///
/// # Errors
/// `TimedOut` when it takes longer than `how_long`, `NotFound` when there is no address, else what the
/// resolver said; it doesn't tell a name that doesn't exist from one that can't be looked up now.
pub async fn addresses(name: &str, port: u16, how_long: Duration) -> io::Result<Vec<SocketAddr>> {
    let found = within(how_long, tokio::net::lookup_host((name, port))).await?;
    let mut addresses = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.is_empty() {
        true => Err(io::ErrorKind::NotFound.into()),
        false => Ok(addresses),
    }
}

/// Connects to a TCP port, from the address `source` if one is given, within `how_long`.
///
/// # Errors
/// `TimedOut` when it takes longer, else what the system said; a source of the other family is refused
/// by it.
pub async fn connect_tcp(
    to: SocketAddr,
    source: Option<IpAddr>,
    how_long: Duration,
) -> io::Result<Connection> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = within(how_long, socket.connect(to)).await?;
    send_at_once(&stream);
    Ok(Box::new(stream))
}

async fn within<T>(how_long: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(how_long, work).await {
        Ok(done) => done,
        Err(TimedOut) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_connection_comes_from_its_source() -> io::Result<()> {
        crate::tasks::run(0, async {
            let listener = super::super::Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), 4)?;
            let to = listener.local_address()?;
            let source = IpAddr::from(Ipv4Addr::new(127, 0, 0, 2));
            let mut client = connect_tcp(to, Some(source), LIMIT).await?;
            let (accepted, peer) = listener.accept().await?;
            let mut server = accepted.stream()?;
            assert_eq!(peer.ip(), source);
            client.write_all(b"x").await?;
            server.readable().await?;
            let mut seen = bytes::BytesMut::with_capacity(1);
            server.try_read(&mut seen).await?;
            assert_eq!(&seen[..], b"x");
            server.shutdown().await?;
            assert_eq!(client.read(&mut [0]).await?, 0);
            let other = Some(IpAddr::from(Ipv6Addr::LOCALHOST));
            assert!(connect_tcp(to, other, LIMIT).await.is_err());
            Ok(())
        })?
    }

    #[test]
    fn names_and_addresses_are_looked_up() -> io::Result<()> {
        crate::tasks::run(0, async {
            let found = addresses("127.0.0.1", 25, LIMIT).await?;
            assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 25))]);
            assert!(
                addresses("localhost", 25, LIMIT)
                    .await?
                    .iter()
                    .all(|a| a.ip().is_loopback())
            );
            assert!(addresses("no.such.name.invalid", 25, LIMIT).await.is_err());
            Ok(())
        })?
    }
}
