//! `load hold`: sessions that say EHLO and then nothing.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, Event};
use crate::pipe::{Pipe, Scratch};
use crate::poll::Poll;
use crate::report::Times;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The server
    #[arg(long)]
    to: SocketAddr,
    /// Sessions to hold
    #[arg(long)]
    sessions: u64,
    /// Sessions that are opened at once: no more than the server's backlog takes
    #[arg(long, default_value_t = 64)]
    at_once: u64,
    /// New sessions beside them, one after the other, whose greetings are waited for
    #[arg(long, default_value_t = 100)]
    beside: u64,
    /// How many seconds a reply may take
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

/// Opens the sessions, says so in a line of JSON, and holds them until its standard input is closed.
pub(crate) fn run(arguments: &Arguments) -> io::Result<ExitCode> {
    let mut scratch = Scratch::new();
    let mut held = Vec::new();
    let patience = Duration::from_secs(arguments.patience);
    while (held.len() as u64) < arguments.sessions {
        let left = arguments.sessions - held.len() as u64;
        let batch = left.min(arguments.at_once);
        held.extend(batch_of(batch, arguments.to, &mut scratch, patience)?);
    }
    let mut times = Times::default();
    for _ in 0..arguments.beside {
        times.add(greeting(arguments.to, patience)?);
    }
    let report = json!({ "held": held.len(), "greeting_microseconds": times.percentiles() });
    println!("{report}");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(ExitCode::SUCCESS)
}

/// Opens some at once, and waits until each has its answer to EHLO.
fn batch_of(
    count: u64,
    to: SocketAddr,
    scratch: &mut Scratch,
    patience: Duration,
) -> io::Result<Vec<Pipe>> {
    let mut poll = Poll::new()?;
    let mut opening: Vec<(Pipe, Client)> = Vec::new();
    for number in 0..count {
        opening.push((Pipe::connect(to, &poll, number)?, Client::new(false)));
    }
    let (mut ready, began) = (0, Instant::now());
    while ready < count {
        let some: Vec<u64> = poll.wait(Duration::from_secs(1))?;
        for number in some {
            // The poll knows the numbers above, and no other.
            let (pipe, client) = &mut opening[number as usize];
            let open = pipe.read(scratch)?;
            while let Some(event) = client.next(pipe) {
                match event {
                    Event::Ready => ready += 1,
                    Event::Refused(reply) => return Err(io::Error::other(reply)),
                    _ => {}
                }
            }
            pipe.flush(&poll)?;
            if !open {
                return Err(io::Error::other("the server closed a session"));
            }
        }
        if began.elapsed() > patience {
            return Err(io::Error::other("the server takes too long"));
        }
    }
    Ok(opening.into_iter().map(|(pipe, _)| pipe).collect())
}

/// How long a new connection waits for its greeting, connecting included.
fn greeting(to: SocketAddr, patience: Duration) -> io::Result<Duration> {
    let began = Instant::now();
    let mut stream = std::net::TcpStream::connect(to)?;
    stream.set_read_timeout(Some(patience))?;
    let mut first = [0; 512];
    if stream.read(&mut first)? < 4 || !first.starts_with(b"220") {
        return Err(io::Error::other("there was no greeting"));
    }
    Ok(began.elapsed())
}
