//! A next hop that is told what to refuse.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A next hop that doesn't offer DSN. `nobody` is unknown to it, the mailbox of `full` is full, and it takes all others.
pub struct Hop {
    /// Where it listens.
    pub address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
}

impl Hop {
    /// Starts one on a free port.
    pub fn start() -> Hop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("an address");
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        thread::spawn(move || {
            for stream in listener.incoming().flatten().take(100) {
                let heard = Arc::clone(&heard);
                thread::spawn(move || serve(stream, &heard));
            }
        });
        Hop { address, said }
    }

    /// All lines that clients sent, those of messages included.
    pub fn said(&self) -> String {
        self.said.lock().expect("no hop panics").join("\n")
    }

    /// Waits until it has heard this, and gives all it has heard.
    pub fn wait_for(&self, what: &str) -> String {
        let end = Instant::now() + PATIENCE;
        while !self.said().contains(what) {
            assert!(Instant::now() < end, "no {what} in:\n{}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
        self.said()
    }
}

fn serve(stream: TcpStream, heard: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let say = |text: &str| (&stream).write_all(text.as_bytes()).ok();
    say("220 hop.test\r\n")?;
    let mut in_data = false;
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let reply = match line.get(..4).unwrap_or(&line) {
            _ if in_data && line != "." => "",
            "." => "250 2.0.0 taken\r\n",
            "EHLO" => "250-hop.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n",
            "DATA" => "354 go on\r\n",
            "RCPT" if line.contains("<nobody@") => "550 5.1.1 <nobody> is not known here\r\n",
            "RCPT" if line.contains("<full@") => "552 5.2.2 The mailbox is over its quota\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 2.1.0 fine\r\n",
        };
        in_data = (in_data || line == "DATA") && line != ".";
        heard.lock().expect("no hop panics").push(line);
        say(reply)?;
    }
}
