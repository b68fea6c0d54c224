//! `load sink`: takes messages at speed and counts each by its number.

use std::collections::{BTreeSet, HashMap};
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
    open: HashMap<u64, Connection>,
    next: u64,
    scratch: Scratch,
}

struct Connection {
    pipe: Pipe,
    served: Served,
    /// Whether it goes on once its replies are written.
    open: bool,
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

    /// Serves until nothing is ready any more, with what came given to `take`; then calls `commit`, and then
    /// answers the connections that sent messages: not before. The others are answered meanwhile, so that
    /// as many messages as there are clients come together in one commit.
    pub(crate) fn pass(
        &mut self,
        mut take: impl FnMut(Letter),
        commit: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut uncommitted = BTreeSet::new();
        let mut longest = Duration::from_millis(200);
        let mut waited_for = false;
        while !waited_for {
            let ready = self.poll.wait(longest)?;
            if ready.is_empty() {
                break;
            }
            for number in ready {
                if number == LISTENER {
                    self.accept()?;
                } else if self.serve(number, &mut take) {
                    uncommitted.insert(number);
                } else if uncommitted.contains(&number) {
                    // It pipelines, or has gone: either way its replies are due.
                    waited_for = true;
                } else {
                    self.flush(number);
                }
            }
            longest = Duration::ZERO;
        }
        commit()?;
        for number in uncommitted {
            self.flush(number);
        }
        Ok(())
    }

    /// Takes what a connection has. Whether there was a message in it.
    fn serve(&mut self, number: u64, mut take: impl FnMut(Letter)) -> bool {
        let Some(Connection { pipe, served, open }) = self.open.get_mut(&number) else {
            return false;
        };
        let mut took = false;
        let read = pipe.read(&mut self.scratch);
        *open = matches!(read, Ok(true))
            && served.go_on(&mut pipe.input, &mut pipe.output, |letter| {
                took = true;
                take(letter);
            });
        took
    }

    /// Writes its replies, and closes it if it is over.
    fn flush(&mut self, number: u64) {
        if let Some(connection) = self.open.get_mut(&number)
            && (connection.pipe.flush(&self.poll).is_err() || !connection.open)
        {
            self.open.remove(&number);
        }
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
                let (served, open) = (Served::default(), true);
                let connection = Connection { pipe, served, open };
                self.open.insert(self.next, connection);
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
