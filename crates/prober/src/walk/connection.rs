//! One connection to the server: what is sent, and what comes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postroad_host::net::{self, Connection};
use postroad_host::tasks::{TimedOut, timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::handshake;
use crate::reply::{Heard, Reader};

/// What came when something was awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    /// A reply, or what stands in its place.
    Heard(Heard),
    /// Nothing, in all the time that was given.
    Silence,
    /// The end of the connection.
    End,
}

/// A connection, and what came over it and wasn't read yet.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Connection,
    reader: Reader,
    ended: bool,
}

impl Wire {
    /// Connects.
    pub(super) async fn open(to: SocketAddr, patience: Duration) -> io::Result<Wire> {
        let stream = net::connect_tcp(to, None, patience).await?;
        Ok(Wire {
            stream,
            reader: Reader::default(),
            ended: false,
        })
    }

    /// Sends octets. That the server has gone is seen when its reply is awaited.
    pub(super) async fn send(&mut self, octets: &[u8], patience: Duration) {
        let sent = timeout(patience, async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        });
        // One that doesn't read any more is heard as silent.
        let _ = sent.await;
    }

    /// Awaits the next reply.
    pub(super) async fn hear(&mut self, patience: Duration) -> Came {
        match timeout(patience, self.next()).await {
            Ok(came) => came,
            // Half a reply says more than silence.
            Err(TimedOut) => self.reader.rest().map_or(Came::Silence, Came::Heard),
        }
    }

    async fn next(&mut self) -> Came {
        let mut octets = [0; 4096];
        loop {
            if let Some(heard) = self.reader.cut() {
                return Came::Heard(heard);
            }
            if self.ended || self.reader.is_flooded() {
                return self.reader.rest().map_or(Came::End, Came::Heard);
            }
            match self.stream.read(&mut octets).await {
                Ok(0) | Err(_) => self.ended = true,
                Ok(count) => self.reader.push(&octets[..count]),
            }
        }
    }

    /// Changes to TLS. What came in the clear and wasn't read is given back in its error: nothing may have.
    pub(super) async fn start_tls(
        mut self,
        settings: &Arc<rustls::ClientConfig>,
        patience: Duration,
    ) -> Result<Wire, String> {
        if let Some(heard) = self.reader.cut().or_else(|| self.reader.rest()) {
            return Err(format!(
                "before the handshake this came in the clear: {}",
                heard.shown()
            ));
        }
        match timeout(patience, handshake::start(self.stream, settings)).await {
            Ok(Ok(stream)) => Ok(Wire {
                stream,
                reader: Reader::default(),
                ended: false,
            }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(TimedOut) => Err("it took too long".into()),
        }
    }
}
