//! Which sockets have something: epoll(7), level-triggered.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

/// A set of sockets, each under a number of the caller's.
pub(crate) struct Poll {
    set: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poll {
    pub(crate) fn new() -> io::Result<Poll> {
        Ok(Poll {
            set: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(1024),
        })
    }

    /// Watches a socket for what comes in. It leaves the set when it is closed.
    pub(crate) fn add(&self, socket: impl AsFd, number: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(number);
        Ok(epoll::add(&self.set, socket, data, epoll::EventFlags::IN)?)
    }

    /// Watches it for room to write as well, or no longer.
    pub(crate) fn watch_room(&self, socket: impl AsFd, number: u64, room: bool) -> io::Result<()> {
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, room);
        let data = epoll::EventData::new_u64(number);
        Ok(epoll::modify(&self.set, socket, data, flags)?)
    }

    /// Waits, and gives the numbers of the sockets where something is to be done: none after `longest`.
    pub(crate) fn wait(&mut self, longest: Duration) -> io::Result<Vec<u64>> {
        let longest = Timespec::try_from(longest).map_err(io::Error::other)?;
        self.events.clear();
        let room = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.set, room, Some(&longest)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(self.events.iter().map(|event| event.data.u64()).collect())
    }
}
