//! `load generate`: sends messages over some sessions, each as fast as it is answered.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Event};
use crate::letter::Letter;
use crate::pipe::{Pipe, Scratch};
use crate::poll::Poll;
use crate::report::{self, Times, Watch};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The server
    #[arg(long)]
    to: SocketAddr,
    /// Sessions at once
    #[arg(long, default_value_t = 1)]
    sessions: u64,
    /// Messages over all sessions
    #[arg(long)]
    messages: u64,
    /// Octets of each message
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Whom they are to
    #[arg(long, default_value = "recipient@load.invalid")]
    recipient: String,
    /// The number of the first one; the others follow
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// One message a connection
    #[arg(long)]
    one_each: bool,
    /// Send MAIL, RCPT and DATA together, behind the data before (RFC 2920)
    #[arg(long)]
    pipeline: bool,
    /// End when nothing was accepted for so many seconds
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

/// Sends all, and fails if not all were accepted.
pub(crate) fn run(arguments: &Arguments) -> io::Result<ExitCode> {
    let mut load = Load::new(arguments)?;
    let began = report::now();
    let watch = Watch::start();
    for number in 0..arguments.sessions.min(arguments.messages) {
        load.open(number)?;
    }
    let mut last = (Instant::now(), 0);
    let patience = Duration::from_secs(arguments.patience);
    while load.open.iter().any(Option::is_some) {
        load.pass()?;
        if load.times.count() > last.1 {
            last = (Instant::now(), load.times.count());
        } else if last.0.elapsed() > patience {
            break;
        }
    }
    let accepted = load.times.count() as u64;
    let mut report: Value = watch.read();
    report["began"] = json!(began);
    report["accepted"] = json!(accepted);
    report["asked"] = json!(arguments.messages);
    report["refused"] = json!(load.refused);
    report["broken"] = json!(load.broken);
    report["example"] = json!(load.example);
    report["connections"] = json!(load.connections);
    report["microseconds"] = load.times.percentiles();
    println!("{report}");
    Ok(match accepted == arguments.messages {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

struct Session {
    pipe: Pipe,
    client: Client,
    given: u64,
}

/// What became of a session.
enum After {
    Open,
    /// It came to its end.
    Over,
    /// It was refused or broke.
    Failed,
}

struct Load<'a> {
    arguments: &'a Arguments,
    poll: Poll,
    scratch: Scratch,
    open: Vec<Option<Session>>,
    given: u64,
    connections: u64,
    times: Times,
    refused: u64,
    broken: u64,
    /// The first reply that was not as it should be.
    example: Option<String>,
}

impl<'a> Load<'a> {
    fn new(arguments: &'a Arguments) -> io::Result<Load<'a>> {
        Ok(Load {
            arguments,
            poll: Poll::new()?,
            scratch: Scratch::new(),
            open: (0..arguments.sessions).map(|_| None).collect(),
            given: 0,
            connections: 0,
            times: Times::default(),
            refused: 0,
            broken: 0,
            example: None,
        })
    }

    /// Opens the session of a place, of which there are as many as sessions.
    fn open(&mut self, place: u64) -> io::Result<()> {
        let pipe = Pipe::connect(self.arguments.to, &self.poll, place)?;
        self.connections += 1;
        self.open[place as usize] = Some(Session {
            pipe,
            client: Client::new(self.arguments.pipeline),
            given: 0,
        });
        Ok(())
    }

    fn pass(&mut self) -> io::Result<()> {
        let ready: Vec<u64> = self.poll.wait(Duration::from_secs(1))?;
        for place in ready {
            // The poll knows the places that were opened, and no other.
            let Some(mut session) = self.open[place as usize].take() else {
                continue;
            };
            match self.go_on(&mut session) {
                After::Open => self.open[place as usize] = Some(session),
                After::Over if self.wants_another() => self.open(place)?,
                // A server that refuses is not asked again and again: the run has failed.
                After::Over | After::Failed => {}
            }
        }
        Ok(())
    }

    /// Whether a connection that ended needs another in its place.
    fn wants_another(&self) -> bool {
        match self.arguments.one_each {
            // Those that are not greeted yet will take a message, too.
            true => self.connections < self.arguments.messages,
            false => self.given < self.arguments.messages,
        }
    }

    /// Takes what a session's server said.
    fn go_on(&mut self, session: &mut Session) -> After {
        let read = session.pipe.read(&mut self.scratch);
        while let Some(event) = session.client.next(&mut session.pipe) {
            match event {
                Event::Greeted => {}
                Event::Ready => self.give(session),
                Event::Accepted(time) => {
                    self.times.add(time);
                    if session.client.is_ready_when_accepted() {
                        self.give(session);
                    }
                }
                Event::Refused(reply) => {
                    self.refused += session.client.under_way().max(1) as u64;
                    self.example.get_or_insert(reply);
                    return After::Failed;
                }
                Event::Over => return After::Over,
            }
        }
        if let Ok(true) = read
            && session.pipe.flush(&self.poll).is_ok()
        {
            return After::Open;
        }
        self.broken += 1;
        let why = format!("the connection broke: {read:?}");
        self.example.get_or_insert(why);
        After::Failed
    }

    fn give(&mut self, session: &mut Session) {
        let is_full = self.arguments.one_each && session.given > 0;
        if is_full || self.given == self.arguments.messages {
            session.client.quit(&mut session.pipe);
            return;
        }
        let number = self.arguments.first + self.given;
        let letter = Letter::numbered(number, self.arguments.size, &self.arguments.recipient);
        session.client.give(letter, &mut session.pipe);
        session.given += 1;
        self.given += 1;
    }
}
