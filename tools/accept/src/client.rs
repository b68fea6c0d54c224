//! The client, whose own instructions aren't counted.
//!
//! The names of [`Client::say`] and [`Client::hears`] are known to `cargo xtask instructions`: callgrind stops
//! counting while it is in them. So they stay functions, and neither calls the other.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::Fault;

/// A client on a connection.
pub(crate) struct Client {
    socket: TcpStream,
    /// A message and the line that ends it.
    data: Vec<u8>,
    /// What has come of a reply.
    heard: Vec<u8>,
}

impl Client {
    /// Connects. Its messages will have `size` octets.
    pub(crate) fn connect(server: SocketAddr, size: usize) -> Result<Client, Fault> {
        let socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        // Only to read without waiting: what is written here always fits the socket's buffer.
        socket.set_nonblocking(true)?;
        Ok(Client {
            socket,
            data: letter(size),
            heard: Vec::new(),
        })
    }

    /// Says a command.
    #[inline(never)]
    pub(crate) fn say(&mut self, octets: &[u8]) -> Result<(), Fault> {
        Ok(self.socket.write_all(octets)?)
    }

    /// Says the data of a message.
    #[inline(never)]
    pub(crate) fn say_data(&mut self) -> Result<(), Fault> {
        Ok(self.socket.write_all(&self.data)?)
    }

    /// Whether the reply is there. It must begin as expected.
    #[inline(never)]
    pub(crate) fn hears(&mut self, expected: &str) -> Result<bool, Fault> {
        let mut piece = [0; 1024];
        match self.socket.read(&mut piece) {
            Ok(0) => return Err("the server has closed the connection".into()),
            Ok(octets) => self.heard.extend_from_slice(&piece[..octets]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e.into()),
        }
        if !is_whole(&self.heard) {
            return Ok(false);
        }
        if !self.heard.starts_with(expected.as_bytes()) {
            let heard = String::from_utf8_lossy(&self.heard).into_owned();
            return Err(format!("{heard:?} where {expected:?} must come").into());
        }
        self.heard.clear();
        Ok(true)
    }
}

/// Whether a reply has its last line (RFC 5321 4.2.1): the one with a space behind the code.
fn is_whole(reply: &[u8]) -> bool {
    let Some(lines) = reply.strip_suffix(b"\r\n") else {
        return false;
    };
    let last = lines.rsplit(|octet| *octet == b'\n').next();
    last.is_some_and(|line| line.get(3) == Some(&b' '))
}

/// A message of about `size` octets in lines of 72, and the line that ends it.
fn letter(size: usize) -> Vec<u8> {
    let header = "From: Sender <sender@client.example>\r\nTo: Ada <ada@mx.example>\r\n\
                  Subject: what it takes to take a message in\r\n\
                  Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n\
                  Message-ID: <1.accept@client.example>\r\nMIME-Version: 1.0\r\n\
                  Content-Type: text/plain; charset=us-ascii\r\n\r\n";
    let line = "A line as long as those of most letters are, and nobody will read it.\r\n";
    let mut letter = header.to_owned();
    while letter.len() + line.len() <= size {
        letter.push_str(line);
    }
    letter.push_str(".\r\n");
    letter.into_bytes()
}
