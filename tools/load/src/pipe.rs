//! A connection that never blocks, with what has come in and what is to go out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::poll::Poll;

/// Octets read at once: more than a message of the usual cells, so that one call takes it.
const READ: usize = 128 * 1024;

pub(crate) struct Pipe {
    stream: TcpStream,
    number: u64,
    /// What has come in and nobody has taken yet.
    pub(crate) input: Vec<u8>,
    /// What is to go out with the next flush, from `sent` on.
    pub(crate) output: Vec<u8>,
    sent: usize,
    waits_for_room: bool,
}

impl Pipe {
    /// Begins to connect. That it failed shows when it is read.
    pub(crate) fn connect(to: SocketAddr, poll: &Poll, number: u64) -> io::Result<Pipe> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&to.into()) {
            Ok(()) => {}
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(e) => return Err(e),
        }
        Pipe::over(socket.into(), poll, number)
    }

    /// Takes a connection that was accepted.
    pub(crate) fn over(stream: TcpStream, poll: &Poll, number: u64) -> io::Result<Pipe> {
        stream.set_nonblocking(true)?;
        // A reply must not wait for the acknowledgement of the one before (RFC 9293 3.7.4).
        stream.set_nodelay(true)?;
        poll.add(&stream, number)?;
        Ok(Pipe {
            stream,
            number,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            waits_for_room: false,
        })
    }

    /// Reads what is there, a piece of it at most. False when the other side has closed.
    pub(crate) fn read(&mut self, scratch: &mut Scratch) -> io::Result<bool> {
        match self.stream.read(&mut scratch.0) {
            Ok(0) => Ok(false),
            Ok(read) => {
                self.input.extend_from_slice(&scratch.0[..read]);
                Ok(true)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(true)
            }
            Err(e) => Err(e),
        }
    }

    /// Writes what goes out as far as there is room, and has the poll say when there is more.
    pub(crate) fn flush(&mut self, poll: &Poll) -> io::Result<()> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(wrote) => self.sent += wrote,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let blocked = self.sent < self.output.len();
        if !blocked {
            self.output.clear();
            self.sent = 0;
        }
        if blocked != self.waits_for_room {
            self.waits_for_room = blocked;
            poll.watch_room(&self.stream, self.number, blocked)?;
        }
        Ok(())
    }
}

/// Where reads land before they go to their connection's input.
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch(vec![0; READ])
    }
}
