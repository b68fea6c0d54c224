//! Takes mail in on one thread, the same way each time, so that its instructions can be counted.
//!
//! The server, its session, the spool and the log are the real ones; the client is in the same process, and
//! the committer is stepped by hand, so that nothing depends on which thread is sooner. Between two
//! points only, [`messages_counted`] and what it calls, callgrind counts; the two functions of the
//! client are left out. `cargo xtask instructions` runs it so (docs/benchmarks.md).

// A tool for `cargo xtask`: it prints, and makes a runtime and a folder.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod client;
mod node;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::client::Client;
use crate::node::Node;

/// A fault, in words.
type Fault = Box<dyn std::error::Error>;

/// Messages before the counting begins: by then what is made once has been made.
const WARM_UP: u32 = 100;
/// Messages that are counted.
const MESSAGES: u32 = 1000;
/// Octets of data of each.
const SIZE: usize = 4096;
/// A reply takes a few turns of the runtime; a server that says nothing for so many never will.
const PATIENCE: u32 = 100_000;

fn main() -> ExitCode {
    match run() {
        Ok(turns) => {
            println!("{MESSAGES} messages of {SIZE} octets in {turns} turns of the runtime");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("accept: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Says how often the runtime was asked to go on while it was counted: as often in each run.
fn run() -> Result<u64, Fault> {
    let folder = tempfile::tempdir_in(memory_or_disk())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (log, drain) = node::log();
    let closer = log.install()?;
    let mut talk = runtime.block_on(Talk::begin(folder.path()))?;
    runtime.block_on(talk.messages(WARM_UP))?;
    talk.turns = 0;
    messages_counted(&runtime, &mut talk)?;
    let taken = talk.node.spool.len();
    if taken != (WARM_UP + MESSAGES) as usize {
        return Err(format!("{taken} messages are in the spool").into());
    }
    closer.close();
    drain.run(std::io::sink());
    Ok(talk.turns)
}

/// Where a flush costs no time, if there is such a place: what the kernel does isn't counted anyway.
fn memory_or_disk() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => memory.to_owned(),
        false => std::env::temp_dir(),
    }
}

/// What callgrind counts, by its name.
#[inline(never)]
fn messages_counted(runtime: &Runtime, talk: &mut Talk) -> Result<(), Fault> {
    runtime.block_on(talk.messages(MESSAGES))
}

/// A client and the node it talks to.
struct Talk {
    node: Node,
    client: Client,
    /// Messages whose data were sent.
    sent: usize,
    turns: u64,
}

impl Talk {
    /// Starts the node, and talks to it up to the answer to EHLO.
    async fn begin(folder: &Path) -> Result<Talk, Fault> {
        let node = Node::start(folder)?;
        let client = Client::connect(node.address, SIZE)?;
        let mut talk = Talk {
            node,
            client,
            sent: 0,
            turns: 0,
        };
        talk.reply("220 ").await?;
        talk.ask(b"EHLO client.example\r\n", "250").await?;
        Ok(talk)
    }

    /// Sends so many messages, one after the other.
    async fn messages(&mut self, messages: u32) -> Result<(), Fault> {
        for _ in 0..messages {
            self.ask(b"MAIL FROM:<sender@client.example>\r\n", "250 ")
                .await?;
            self.ask(b"RCPT TO:<ada@mx.example>\r\n", "250 ").await?;
            self.ask(b"DATA\r\n", "354 ").await?;
            self.client.say_data()?;
            self.sent += 1;
            self.reply("250 ").await?;
            self.node.forget();
            self.node.clock.advance(Duration::from_millis(1));
        }
        Ok(())
    }

    async fn ask(&mut self, command: &[u8], expected: &str) -> Result<(), Fault> {
        self.client.say(command)?;
        self.reply(expected).await
    }

    /// Lets the node go on until it has replied as it must.
    async fn reply(&mut self, expected: &str) -> Result<(), Fault> {
        for _ in 0..PATIENCE {
            self.turns += 1;
            tokio::task::yield_now().await;
            // As soon as there is something to commit, it is: in the server, by a thread of its own.
            if self.node.spool.len() < self.sent {
                self.node.committer.step();
            }
            if self.client.hears(expected)? {
                return Ok(());
            }
        }
        Err(format!("no reply where {expected:?} must come").into())
    }
}
