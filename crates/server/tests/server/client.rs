//! A client that does as it is told, right or wrong.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use postroad_host::tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(to: SocketAddr) -> Client {
        Client::of(TcpStream::connect(to).await.unwrap())
    }

    /// From an address of loopback other than the usual one.
    pub(crate) async fn connect_from(from: impl Into<IpAddr>, to: SocketAddr) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from.into(), 0).into()).unwrap();
        Client::of(socket.connect(to).await.unwrap())
    }

    fn of(stream: TcpStream) -> Client {
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        let sent = tasks::timeout(PATIENCE, self.stream.write_all(octets)).await;
        sent.expect("the server reads").unwrap();
    }

    /// Sends a line and reads its reply.
    pub(crate) async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// Sends a line whose reply has to begin as expected.
    pub(crate) async fn expect(&mut self, line: &str, beginning: &str) -> String {
        let reply = self.say(line).await;
        assert!(
            reply.starts_with(beginning),
            "{line} got {reply}, not {beginning}"
        );
        reply
    }

    /// The next reply, all lines of it.
    pub(crate) async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let line = self.line().await.expect("a reply, not the end");
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            reply.push_str(&line);
            if is_last {
                return reply;
            }
            reply.push('\n');
        }
    }

    /// The next line; none at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8(self.read[..at].to_vec()).unwrap();
                self.read.drain(..at + 2);
                return Some(line);
            }
            if self.more().await.unwrap() == 0 {
                return None;
            }
        }
    }

    async fn more(&mut self) -> io::Result<usize> {
        let more = tasks::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        more.expect("the server says something or ends")
    }

    /// The server says nothing for some time.
    pub(crate) async fn hears_nothing_for(&mut self, how_long: Duration) {
        let read = tasks::timeout(how_long, self.stream.read_buf(&mut self.read)).await;
        assert!(read.is_err(), "heard {:?}", self.read);
    }

    /// The server ends the connection in order: no reset, and nothing more is said.
    pub(crate) async fn ends(&mut self) {
        assert_eq!(self.line().await, None);
    }

    /// Everything to the end of the connection, which may be a reset.
    pub(crate) async fn rest(&mut self) -> String {
        while let Ok(1..) = self.more().await {}
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// Vanishes with a reset.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}
