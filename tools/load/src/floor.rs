//! `load floor`: the least that a server which keeps mail safe does: it appends, flushes once a pass, and answers.
//!
//! There is no policy, no log, no index and no recovery: what a server takes more than this is what those cost.
//! One thread does it all, and reads nothing while it flushes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use crate::client::{Client, Event};
use crate::letter::Letter;
use crate::pipe::{Pipe, Scratch};
use crate::poll::Poll;
use crate::sink::Connections;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// The file that messages go to; it must not be there
    #[arg(long)]
    file: PathBuf,
    /// Where to pass messages on to
    #[arg(long)]
    relay: Option<SocketAddr>,
    /// Connections to it at once
    #[arg(long, default_value_t = 20)]
    connections: usize,
}

/// The trace field that each message gets, as far as its cost goes: the time stands still in it.
const RECEIVED: &[u8] =
    b"Received: from load.invalid ([127.0.0.1])\r\n\tby load.invalid with ESMTP id 0\r\n\
    \tfor <recipient@load.invalid>; Thu, 1 Jan 1970 00:00:00 +0000\r\n";

/// Octets of the file. Behind its end the next message goes to its start.
const ROOM: u64 = 256 << 20;

/// What a pass has taken.
#[derive(Default)]
struct Taken {
    octets: Vec<u8>,
    letters: Vec<Letter>,
}

/// Serves until it is killed.
pub(crate) fn run(arguments: &Arguments) -> io::Result<ExitCode> {
    let mut connections = Connections::new(TcpListener::bind(arguments.listen)?)?;
    let file = prepared(&arguments.file)?;
    let mut end = 0;
    let relay = arguments
        .relay
        .map(|to| start_relay(to, arguments.connections));
    let taken = RefCell::new(Taken::default());
    let take = |letter: Letter| {
        let mut taken = taken.borrow_mut();
        taken.octets.extend_from_slice(RECEIVED);
        taken.octets.extend_from_slice(&letter.data);
        if relay.is_some() {
            taken.letters.push(letter);
        }
    };
    loop {
        connections.pass(take, || {
            let mut taken = taken.borrow_mut();
            if taken.octets.is_empty() {
                return Ok(());
            }
            if end + taken.octets.len() as u64 > ROOM {
                end = 0;
            }
            file.write_all_at(&taken.octets, end)?;
            end += taken.octets.len() as u64;
            // The replies are written behind this: a 250 is for a message that a power cut can't take.
            file.sync_data()?;
            taken.octets.clear();
            if let Some(relay) = &relay {
                relay
                    .send(std::mem::take(&mut taken.letters))
                    .map_err(io::Error::other)?;
            }
            Ok(())
        })?;
    }
}

/// A file that has its room already, so that a flush is of its octets and of nothing else: one that
/// grows has the file system's journal flushed as well.
fn prepared(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    io::copy(&mut io::repeat(0).take(ROOM), &mut file)?;
    file.sync_all()?;
    Ok(file)
}

/// Starts the thread that passes messages on.
fn start_relay(to: SocketAddr, connections: usize) -> Sender<Vec<Letter>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        if let Err(e) = relay(to, connections, &receiver) {
            eprintln!("load: relay: {e}");
            std::process::exit(1);
        }
    });
    sender
}

/// Passes messages on until there is nobody to send any.
fn relay(to: SocketAddr, connections: usize, receiver: &Receiver<Vec<Letter>>) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut scratch = Scratch::new();
    let mut sessions: BTreeMap<u64, (Pipe, Client)> = BTreeMap::new();
    let (mut idle, mut waiting) = (Vec::new(), Vec::new());
    let mut numbers = 0..;
    loop {
        if waiting.is_empty() && idle.len() == sessions.len() {
            let Ok(letters) = receiver.recv() else {
                return Ok(());
            };
            waiting.extend(letters);
        }
        waiting.extend(receiver.try_iter().flatten());
        while sessions.len() < connections.min(waiting.len()) {
            let Some(number) = numbers.next() else { break };
            let pipe = Pipe::connect(to, &poll, number)?;
            sessions.insert(number, (pipe, Client::new(false)));
        }
        while !waiting.is_empty()
            && let Some((pipe, client)) = idle.pop().and_then(|number| sessions.get_mut(&number))
            && let Some(letter) = waiting.pop()
        {
            client.give(letter, pipe);
            pipe.flush(&poll)?;
        }
        for number in poll.wait(Duration::from_millis(200))? {
            let Some((pipe, client)) = sessions.get_mut(&number) else {
                continue;
            };
            let is_open = pipe.read(&mut scratch)?;
            while let Some(event) = client.next(pipe) {
                match event {
                    Event::Ready | Event::Accepted(_) => idle.push(number),
                    Event::Refused(reply) => return Err(io::Error::other(reply)),
                    Event::Greeted | Event::Over => {}
                }
            }
            pipe.flush(&poll)?;
            if !is_open && client.under_way() > 0 {
                return Err(io::Error::other("the next hop closed amid a message"));
            }
            if !is_open {
                sessions.remove(&number);
                idle.retain(|other| *other != number);
            }
        }
    }
}
