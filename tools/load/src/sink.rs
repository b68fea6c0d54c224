//! `load sink`: takes messages at speed and counts each by its number.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::letter::{self, Letter};
use crate::pipe::{Pipe, Scratch};
use crate::poll::Poll;
use crate::report::{self, Watch};
use crate::served::{GREETING, Served};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// Wait for messages of so many numbers and say how they came; then for so many more, and so on
    #[arg(long, value_delimiter = ',')]
    messages: Vec<u64>,
    /// End when nothing came for so many seconds
    #[arg(long, default_value_t = 30)]
    patience: u64,
}

/// The listener's own number; those of connections come behind.
const LISTENER: u64 = 0;

/// Serves until all has come. Fails if messages are missing.
pub(crate) fn run(arguments: &Arguments) -> io::Result<ExitCode> {
    let mut connections = Connections::new(TcpListener::bind(arguments.listen)?)?;
    let mut counted = Counted::default();
    let patience = Duration::from_secs(arguments.patience);
    let mut wanted = 0;
    for more in &arguments.messages {
        wanted += more;
        println!(
            "{}",
            stage(&mut connections, &mut counted, wanted, patience)?
        );
        if counted.numbers() < wanted {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes messages until there are so many numbers, or nothing comes any more.
fn stage(
    connections: &mut Connections,
    counted: &mut Counted,
    wanted: u64,
    patience: Duration,
) -> io::Result<Value> {
    let mut watch = None;
    let mut last = Instant::now();
    while counted.numbers() < wanted {
        let before = counted.all;
        connections.pass(|letter| counted.count(&letter.data), || Ok(()))?;
        if counted.all > before {
            watch.get_or_insert_with(Watch::start);
            last = Instant::now();
        } else if last.elapsed() > patience {
            break;
        }
    }
    let mut report = watch.map_or(json!({}), |watch| watch.read());
    report["ended"] = json!(report::now());
    report["messages"] = json!(counted.all);
    report["numbers"] = json!(counted.numbers());
    report["strange"] = json!(counted.strange);
    Ok(report)
}

/// How often each number came.
#[derive(Default)]
struct Counted {
    all: u64,
    /// Messages without a number.
    strange: u64,
    by_number: HashMap<u64, u32>,
}

impl Counted {
    fn count(&mut self, data: &[u8]) {
        self.all += 1;
        match letter::number(data) {
            Some(number) => *self.by_number.entry(number).or_default() += 1,
            None => self.strange += 1,
        }
    }

    fn numbers(&self) -> u64 {
        self.by_number.len() as u64
    }
}

/// The connections of a server that takes everything.
pub(crate) struct Connections {
    poll: Poll,
    listener: TcpListener,
    open: HashMap<u64, (Pipe, Served)>,
    next: u64,
    scratch: Scratch,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener) -> io::Result<Connections> {
        listener.set_nonblocking(true)?;
        let poll = Poll::new()?;
        poll.add(&listener, LISTENER)?;
        Ok(Connections {
            poll,
            listener,
            open: HashMap::new(),
            next: LISTENER + 1,
            scratch: Scratch::new(),
        })
    }

    /// Reads from all connections that have something and gives `take` the messages, then calls `commit`, then
    /// writes all replies: none before.
    pub(crate) fn pass(
        &mut self,
        mut take: impl FnMut(Letter),
        commit: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let ready: Vec<u64> = self.poll.wait(Duration::from_millis(200))?;
        let mut over = Vec::new();
        for number in &ready {
            if *number == LISTENER {
                self.accept()?;
                continue;
            }
            let Some((pipe, served)) = self.open.get_mut(number) else {
                continue;
            };
            let read = pipe.read(&mut self.scratch);
            let (input, output) = (&mut pipe.input, &mut pipe.output);
            let go_on = matches!(read, Ok(true)) && served.go_on(input, output, &mut take);
            if !go_on {
                over.push(*number);
            }
        }
        commit()?;
        for number in ready {
            if let Some((pipe, _)) = self.open.get_mut(&number)
                && pipe.flush(&self.poll).is_err()
            {
                over.push(number);
            }
        }
        for number in over {
            self.open.remove(&number);
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::ConnectionAborted => continue,
                Err(e) => return Err(e),
            };
            let mut pipe = Pipe::over(stream, &self.poll, self.next)?;
            pipe.output.extend_from_slice(GREETING);
            if pipe.flush(&self.poll).is_ok() {
                self.open.insert(self.next, (pipe, Served::default()));
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_comes_twice_is_one_number() {
        let mut counted = Counted::default();
        for number in [1, 2, 1] {
            counted.count(&Letter::numbered(number, 300, "a@b").data);
        }
        counted.count(b"Subject: something else\r\n\r\n");
        assert_eq!((counted.all, counted.numbers(), counted.strange), (4, 2, 1));
    }
}
