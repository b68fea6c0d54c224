//! Listeners and connections: TCP here, Unix sockets in [`unix`].
//!
//! As thin as can be: sessions are pure and are simulated without sockets.

mod outbound;
pub mod unix;

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::coop;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::{TlsConnector, TlsStream};

use crate::tasks::{TimedOut, timeout};
use crate::tls;

pub use outbound::{Connection, Transport, addresses, connect_tcp};

/// A listening socket.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Listens at `address` (port 0: one the system picks), at once after an earlier process
    /// there ended (SO_REUSEADDR). At most `backlog` connections wait to be accepted; the system
    /// has its own bound on that. Needs a runtime.
    pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<Listener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Listener(socket.listen(backlog)?))
    }

    /// Takes over a socket that already listens, as socket activation hands them. Needs a runtime.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Listener> {
        listener.set_nonblocking(true)?;
        Ok(Listener(TcpListener::from_std(listener)?))
    }

    /// Where it listens.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The next connection and its peer. Dropping the future loses none.
    ///
    /// A peer that has gone before it was taken is passed over. An error is one of this side
    /// (too many open files, no memory): wait a little before asking again.
    pub async fn accept(&self) -> io::Result<(Accepted, SocketAddr)> {
        loop {
            match self.0.accept().await {
                Ok((stream, peer)) => return Ok((Accepted(stream.into_std()?), peer)),
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A connection that was accepted, before it is known which thread will serve it.
#[derive(Debug)]
pub struct Accepted(std::net::TcpStream);

impl Accepted {
    /// The connection, served on the thread of the caller from now on. Needs a runtime.
    pub fn stream(self) -> io::Result<Stream> {
        let stream = TcpStream::from_std(self.0)?;
        send_at_once(&stream);
        Ok(Stream(Carrier::Clear(stream)))
    }
}

/// Whether accept(2) failed for the connection it was about to give, as its manual lists them.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::Interrupted
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
    )
}

/// What goes to a peer is collected before it is written, so waiting for more to send with it
/// only costs the peer time.
fn send_at_once(stream: &TcpStream) {
    // It fails only for a peer that has gone, which reading tells.
    let _ = stream.set_nodelay(true);
}

/// A connection that was accepted, or made by [`connect`](Stream::connect).
#[derive(Debug)]
pub struct Stream(Carrier);

/// What carries its octets.
#[derive(Debug)]
enum Carrier {
    Clear(TcpStream),
    /// Most sessions that are open have none, and none has to hold the room for it.
    Tls(Box<TlsStream<TcpStream>>),
    /// A handshake has begun, and not come to its end.
    Lost,
}

impl Stream {
    /// This end.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.tcp()?.local_addr()
    }

    /// The same, for whoever takes a connection whatever carries it.
    pub fn into_connection(self) -> Connection {
        match self.0 {
            Carrier::Clear(tcp) => Box::new(tcp),
            Carrier::Tls(tls) => tls,
            Carrier::Lost => Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink())),
        }
    }

    /// Does the server's part of a TLS handshake, which the client begins now; what was read before isn't
    /// part of it. If it fails, or the future is dropped, the connection is of no use any more.
    ///
    /// It is done on this thread: it takes it for a millisecond or so, with a key of RSA mostly for the
    /// signature.
    pub async fn secure(&mut self, acceptor: &tls::Acceptor) -> io::Result<tls::Secured> {
        let Carrier::Clear(tcp) = std::mem::replace(&mut self.0, Carrier::Lost) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let config = std::sync::Arc::clone(&acceptor.config);
        let secured = TlsAcceptor::from(config).accept(tcp).await?;
        let settled = acceptor.settled(secured.get_ref().1);
        self.0 = Carrier::Tls(Box::new(secured.into()));
        Ok(settled)
    }

    /// Connects to a TCP port within `how_long`.
    ///
    /// # Errors
    /// `TimedOut` when it takes longer, else what the system said.
    pub async fn connect(to: SocketAddr, how_long: Duration) -> io::Result<Stream> {
        let connecting = timeout(how_long, TcpStream::connect(to)).await;
        let tcp = connecting.unwrap_or_else(|TimedOut| Err(io::ErrorKind::TimedOut.into()))?;
        send_at_once(&tcp);
        Ok(Stream(Carrier::Clear(tcp)))
    }

    /// Does the client's part of a TLS handshake with a server that has to be `name`: a domain name, or an
    /// address. If it fails, or the future is dropped, the connection is of no use any more.
    ///
    /// # Errors
    /// `InvalidData` if the server isn't who it has to be, `InvalidInput` if the name can be nobody's.
    pub async fn secure_to(
        &mut self,
        connector: &tls::Connector,
        name: &str,
    ) -> io::Result<tls::Secured> {
        let name = ServerName::try_from(name.to_owned());
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let Carrier::Clear(tcp) = std::mem::replace(&mut self.0, Carrier::Lost) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let config = std::sync::Arc::clone(&connector.config);
        let secured = TlsConnector::from(config).connect(name, tcp).await?;
        let settled = tls::settled(secured.get_ref().1);
        self.0 = Carrier::Tls(Box::new(secured.into()));
        Ok(settled)
    }

    /// Waits until there is something to read, or the end; holds no buffer meanwhile. It may be
    /// wrong: read with [`try_read`](Stream::try_read) then.
    pub async fn readable(&self) -> io::Result<()> {
        if let Carrier::Tls(tls) = &self.0
            // It has octets that were deciphered and not read, or the end.
            && !tls.get_ref().1.wants_read()
        {
            return Ok(());
        }
        self.tcp()?.readable().await
    }

    /// Puts what has come after what `into` holds, as far as its spare capacity goes (make some
    /// first); 0 at the end of the stream, `WouldBlock` if nothing has come. It never waits.
    pub async fn try_read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        match &mut self.0 {
            Carrier::Clear(tcp) => now_or_later(tcp.read_buf(into)).await,
            Carrier::Tls(tls) => match now_or_later(tls.read_buf(into)).await {
                // Many clients close without a word at the level of TLS. To cut a connection gains nothing
                // here: each command and each message says where it ends.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
            Carrier::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Writes all of `octets` and leaves it empty. If the future is dropped, what was written is
    /// gone from `octets`.
    pub async fn write(&mut self, octets: &mut BytesMut) -> io::Result<()> {
        match &mut self.0 {
            Carrier::Clear(tcp) => {
                // Replies are short and mostly go at once.
                match tcp.try_write(octets) {
                    Ok(written) => octets.advance(written),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
                tcp.write_all_buf(octets).await
            }
            Carrier::Tls(tls) => {
                tls.write_all_buf(octets).await?;
                tls.flush().await
            }
            Carrier::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says that nothing more will be written. Under TLS the client may have to read first.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Carrier::Clear(tcp) => tcp.shutdown().await,
            // It says close_notify (RFC 8446 6.1).
            Carrier::Tls(tls) => tls.shutdown().await,
            Carrier::Lost => Ok(()),
        }
    }

    fn tcp(&self) -> io::Result<&TcpStream> {
        match &self.0 {
            Carrier::Clear(tcp) => Ok(tcp),
            Carrier::Tls(tls) => Ok(tls.get_ref().0),
            Carrier::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// What a read gives without waiting.
async fn now_or_later(read: impl Future<Output = io::Result<usize>>) -> io::Result<usize> {
    // Polled, a read that doesn't fill the buffer says that there is no more for now, and
    // `readable` waits without asking the system again. `TcpStream::try_read_buf` doesn't. Whether it
    // is another task's turn is the caller's to ask (`tasks::give_way`).
    let mut read = pin!(coop::unconstrained(read));
    poll_fn(|context| {
        Poll::Ready(match read.as_mut().poll(context) {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn octets_go_both_ways_and_the_end_is_seen() -> io::Result<()> {
        let talk = async {
            let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), 16)?;
            let mut client = TcpStream::connect(listener.local_address()?).await?;
            let (accepted, peer) = listener.accept().await?;
            let mut server = accepted.stream()?;
            assert_eq!(peer, client.local_addr()?);
            assert_eq!(server.local_address()?, listener.local_address()?);

            let mut greeting = BytesMut::from(&b"220 hello\r\n"[..]);
            server.write(&mut greeting).await?;
            server.shutdown().await?;
            assert!(greeting.is_empty());
            let mut seen = BytesMut::new();
            while client.read_buf(&mut seen).await? > 0 {}
            assert_eq!(&seen[..], b"220 hello\r\n");

            client.write_all(b"QUIT\r\n").await?;
            server.readable().await?;
            let mut seen = BytesMut::with_capacity(16);
            assert_eq!(server.try_read(&mut seen).await?, 6);
            let nothing = server.try_read(&mut seen).await.map_err(|e| e.kind());
            assert_eq!(nothing, Err(io::ErrorKind::WouldBlock));
            io::Result::Ok(())
        };
        crate::tasks::run(0, talk)?
    }

    #[test]
    fn an_address_is_free_again_when_its_connections_were_ended_here() -> io::Result<()> {
        let again = async {
            let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), 16)?;
            let address = listener.local_address()?;
            let mut client = TcpStream::connect(address).await?;
            let mut server = listener.accept().await?.0.stream()?;
            // The side that ends first keeps the port in TIME-WAIT.
            server.shutdown().await?;
            assert_eq!(client.read(&mut [0]).await?, 0);
            drop((client, server, listener));
            Listener::bind(address, 16).map(|_| ())
        };
        crate::tasks::run(0, again)?
    }
}
